"""Sealing, wrapping and deriving: everything opens with its own key at its own place, and nowhere else."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from byoid.encoding import b64u_encode
from byoid.errors import BadSignature, MalformedInput
from wallet.vault.contract import Secrets
from wallet.vault.kek import FileKek
from wallet.vault.keys import (
    PersonId,
    ReadingKey,
    SigningKey,
    derive,
    fingerprint,
    holder_key_place,
    place,
    seal,
    seal_to,
    unseal,
)
from wallet.vault.wrapping import Keys, wrap_keys

KEY = b"k" * 32
ADA, EVE = PersonId("ada"), PersonId("eve")


@given(st.binary(max_size=300), st.lists(st.text(max_size=10), max_size=4))
def test_what_is_sealed_opens_at_its_place(plaintext: bytes, parts: list[str]) -> None:
    assert unseal(KEY, seal(KEY, plaintext, at=place(*parts)), at=place(*parts)) == plaintext


@given(st.lists(st.text(max_size=5), max_size=4), st.lists(st.text(max_size=5), max_size=4))
def test_no_two_places_read_the_same(left: list[str], right: list[str]) -> None:
    assert (place(*left) == place(*right)) == (left == right)


@pytest.mark.hostile
@given(st.integers(min_value=0, max_value=60), st.integers(min_value=1, max_value=255))
def test_any_changed_byte_is_noticed(position: int, change: int) -> None:
    sealed = bytearray(seal(KEY, b"p" * 32, at=b"here"))
    sealed[position] ^= change

    with pytest.raises((BadSignature, MalformedInput)):
        unseal(KEY, bytes(sealed), at=b"here")


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("sealed", "error"),
    [
        (b"", MalformedInput),
        (b"\x03" + b"x" * 60, MalformedInput),
        (b"\x01", BadSignature),
        (b"\x01" + b"x" * 12, BadSignature),
        (seal(b"o" * 32, b"p", at=b"here"), BadSignature),
        (seal(KEY, b"p", at=b"there"), BadSignature),
    ],
    ids=["empty", "another version", "no nonce", "no text", "another key", "another place"],
)
def test_what_was_not_sealed_here_does_not_open(sealed: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        unseal(KEY, sealed, at=b"here")


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("sealed", "error"),
    [
        (seal(KEY, b"p", at=holder_key_place(ADA, "key")), MalformedInput),
        (b"\x02short", BadSignature),
        (seal_to(SigningKey(KEY).public, b"p", at=holder_key_place(EVE, "key")), BadSignature),
        (seal_to(SigningKey(KEY).public, b"p", at=holder_key_place(ADA, "other")), BadSignature),
        (seal_to(ReadingKey(KEY).inbox_public, b"p", at=holder_key_place(ADA, "key")), BadSignature),
    ],
    ids=["sealed with a key", "too short", "another person", "another row", "to the inbox of the same bytes"],
)
def test_a_holder_key_opens_for_its_person_and_row_only(sealed: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        SigningKey(KEY).open_holder_key(sealed, person=ADA, key_id="key")


def test_keys_do_not_show_themselves() -> None:
    assert "kkkk" not in repr(ReadingKey(KEY)) + repr(SigningKey(KEY)) + repr(FileKek(KEY))
    assert b64u_encode(KEY) not in repr(Secrets(reading=b64u_encode(KEY), signing=b64u_encode(KEY)))


def test_purposes_give_unrelated_keys() -> None:
    assert len({derive(KEY, "a"), derive(KEY, "b"), fingerprint(KEY, "a"), KEY}) == 4


@pytest.mark.hostile
@pytest.mark.parametrize("secret", ["!" * 43, "A" * 42 + "B"])
async def test_a_secret_that_is_no_base64url_wraps_nothing(secret: str) -> None:
    secrets = Secrets(reading=secret, signing=secret)

    with pytest.raises(MalformedInput):
        await wrap_keys(Keys.generate(), secrets=secrets, kek=FileKek(KEY), person=ADA, passkey_id="p", public_key=b"")
