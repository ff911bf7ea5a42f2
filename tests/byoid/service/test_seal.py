"""Sealed values open in their own place only, and keys rotate."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byoid.service.seal import SealBroken, Sealer
from byoid.service.settings import ServiceSettings

PLACE = {"table": "credentials", "column": "sealed", "row_id": "7"}


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
