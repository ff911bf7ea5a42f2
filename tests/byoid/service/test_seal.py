"""Sealed values open in their own place only, and keys rotate."""

import hmac
import os

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given
from hypothesis import strategies as st

from byoid.service.seal import KeyedHash, SealBroken, Sealer
from byoid.service.settings import ServiceSettings

PLACE = {"table": "credentials", "column": "sealed", "row_id": "7"}
OF_THE_FIRST_RELEASE = "01016b65eb29daf981b2e2fa9845f20f74134041e74ec8188f0ec66515d9da5b7b01ec"


@given(st.binary(max_size=200), st.text(max_size=20), st.integers(0, 9))
def test_what_is_sealed_opens_again(plaintext: bytes, row_id: str, version: int) -> None:
    sealer = Sealer({"k": bytes(range(32))})
    place = {"table": "t", "column": "c", "row_id": row_id}
    sealed = sealer.seal(plaintext, **place, version=version)
    assert sealer.open(sealed, **place, version=version) == plaintext
    assert sealed != sealer.seal(plaintext, **place, version=version)


@pytest.mark.hostile
@pytest.mark.parametrize(
    "other",
    [
        {"table": "tokens"},
        {"column": "other"},
        {"row_id": "8"},
        {"version": 2},
        {"table": "credentialss", "column": "ealed"},  # names are not just put one after the other
    ],
)
def test_a_sealed_value_is_worthless_elsewhere(sealer: Sealer, other: dict[str, object]) -> None:
    sealed = sealer.seal(b"secret", **PLACE)
    with pytest.raises(SealBroken):
        sealer.open(sealed, **{**PLACE, **other})  # type: ignore[arg-type]  # one of them is the version


@pytest.mark.hostile
def test_every_changed_byte_is_noticed(sealer: Sealer) -> None:
    sealed = sealer.seal(b"secret", **PLACE)
    for index in range(len(sealed)):
        changed = sealed[:index] + bytes([sealed[index] ^ 1]) + sealed[index + 1 :]
        with pytest.raises(SealBroken):
            sealer.open(changed, **PLACE)


@pytest.mark.hostile
@pytest.mark.parametrize("length", range(39))
def test_every_cut_value_is_noticed(sealer: Sealer, length: int) -> None:
    with pytest.raises(SealBroken):
        sealer.open(sealer.seal(b"secret", **PLACE)[:length], **PLACE)


def test_keys_rotate() -> None:
    old, new = os.urandom(32), os.urandom(32)
    before, both, after = Sealer({"1": old}), Sealer({"2": new, "1": old}), Sealer({"2": new})
    sealed = before.seal(b"secret", **PLACE)
    assert both.open(sealed, **PLACE) == b"secret"
    assert both.needs_reseal(sealed)
    resealed = both.seal(b"secret", **PLACE)
    assert not both.needs_reseal(resealed)
    assert after.open(resealed, **PLACE) == b"secret"
    with pytest.raises(SealBroken, match="not in the ring"):
        after.open(sealed, **PLACE)


def test_a_new_key_leaves_look_ups_valid() -> None:
    old, new = os.urandom(32), os.urandom(32)
    assert Sealer({"1": old}).keyed_hash("t", purpose="p") == Sealer({"2": new, "1": old}).keyed_hash("t", purpose="p")


def test_a_hash_depends_on_key_purpose_and_value(sealer: Sealer) -> None:
    other = Sealer({"x": os.urandom(32)})
    hashes = {
        sealer.keyed_hash("a", purpose="p"),
        sealer.keyed_hash("b", purpose="p"),
        sealer.keyed_hash("a", purpose="q"),
        other.keyed_hash("a", purpose="p"),
    }
    assert len(hashes) == 4
    assert sealer.keyed_hash("a", purpose="p") == sealer.keyed_hash(b"a", purpose="p")


@pytest.mark.parametrize("keys", [{}, {"k": b"short"}, {"": bytes(32)}, {"k" * 256: bytes(32)}])
def test_a_bad_key_ring_is_refused(keys: dict[str, bytes]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Sealer(keys)


def test_the_ring_comes_from_the_settings(settings: ServiceSettings) -> None:
    sealer = Sealer.from_settings(settings)
    assert sealer.open(sealer.seal(b"x", **PLACE), **PLACE) == b"x"


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=200))
def test_a_prepared_key_hashes_and_expands_as_the_standards_say(key: bytes, value: bytes) -> None:
    prepared = KeyedHash(key)

    assert prepared(value) == hmac.digest(key, value, "sha256") == prepared(value)
    assert prepared.expand(value) == HKDFExpand(SHA256(), 32, value).derive(key)


def test_what_the_first_release_sealed_still_opens() -> None:
    sealed = bytes.fromhex(OF_THE_FIRST_RELEASE)

    assert Sealer({"k": bytes(range(32))}).open(sealed, **PLACE, version=3) == b"kept"
    assert Sealer({"k": bytes(range(32))}).keyed_hash("t", purpose="p").hex() == (
        "b4515c8f1f25a0f87eafb94c1d17b726e721d0988f0097c3c948b7c4ff24eed5"
    )
