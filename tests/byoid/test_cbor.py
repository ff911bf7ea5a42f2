"""Strict CBOR: RFC 8949's own examples, and one bad encoding for each rule."""

from datetime import UTC, date, datetime, timedelta, timezone
from enum import StrEnum
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, NamedTuple

import cbor2
import pytest

from byoid.cbor import (
    MAX_NUMBER_KEYS,
    EncodedCbor,
    cbor_dumps,
    cbor_head,
    cbor_loads,
    cbor_loads_each,
    encode_bytes,
    encode_tag24,
    require_plain,
)
from byoid.errors import MalformedInput


@pytest.mark.parametrize(
    ("argument", "encoded"),
    [
        (0, "00"),
        (23, "17"),
        (24, "1818"),
        (255, "18ff"),
        (256, "190100"),
        (65535, "19ffff"),
        (65536, "1a00010000"),
        (1 << 32, "1b0000000100000000"),
    ],
)
def test_heads_are_as_short_as_they_can_be(argument: int, encoded: str) -> None:
    assert cbor_head(0, argument).hex() == encoded
    assert cbor_loads(cbor_head(0, argument)) == argument


def test_map_keys_are_sorted() -> None:
    assert cbor_dumps({"b": 1, 10: 2, -1: 3, "aa": 0, 100: 1}).hex() == "a50a02200318640161620162616100"


@pytest.mark.parametrize(
    "value",
    [
        datetime(2026, 11, 22, 8, 0, tzinfo=UTC),
        date(1971, 9, 1),
        EncodedCbor(b"\xa0"),
        {"a": [1, -1, True, None, "text", b"bytes"], 1: {}},
        1.5,
    ],
)
def test_values_survive_encoding(value: Any) -> None:
    assert cbor_loads(cbor_dumps(value)) == value


def test_a_moment_is_written_in_utc_without_fractions() -> None:
    moment = datetime(2026, 11, 22, 10, 0, 0, 999, tzinfo=timezone(timedelta(hours=2)))

    assert cbor_dumps(moment) == b"\xc0\x742026-11-22T08:00:00Z"
    with pytest.raises(ValueError, match="aware"):
        cbor_dumps(datetime(2026, 11, 22))


class Colour(StrEnum):
    RED = "red"


class Pair(NamedTuple):
    left: int
    right: str


def test_derived_types_are_encoded_as_what_they_are_derived_from() -> None:
    value = {Colour.RED: Pair(1, "x"), "view": MappingProxyType({"a": HTTPStatus.OK})}

    assert cbor_loads(cbor_dumps(value)) == {"red": [1, "x"], "view": {"a": 200}}


@pytest.mark.parametrize("value", [object(), {1, 2}, 1j, [object()], {"a": {1}}])
def test_what_cbor_has_no_form_for_is_our_own_fault(value: object) -> None:
    with pytest.raises(TypeError, match="no form"):
        cbor_dumps(value)


@pytest.mark.parametrize("value", [2**64, -(2**64) - 1])
def test_numbers_that_need_a_tag_are_our_own_fault(value: int) -> None:
    with pytest.raises(OverflowError):
        cbor_dumps(value)


@pytest.mark.parametrize("size", [0, 23, 24, 255, 256, 65535, 65536])
def test_an_independent_encoder_agrees(size: int) -> None:
    value = {"text": "é" * size, "bytes": bytes(size), "array": [size, -size, True, None, 0.5], size: {}}

    assert cbor_dumps(value) == cbor2.dumps(value, canonical=True)


def test_cbor_in_a_byte_string_keeps_its_bytes() -> None:
    encoded = cbor_loads(encode_tag24(b"\xa1\x01\x02"))

    assert (encoded.raw, encoded.value, encoded.encoded) == (b"\xa1\x01\x02", {1: 2}, b"\xd8\x18\x43\xa1\x01\x02")
    assert encode_bytes(b"") == b"\x40"


def many(item: bytes) -> bytes:
    """Return an array that is big enough to be looked through before it is decoded."""
    return b"\x82" + encode_bytes(bytes(5000)) + item


CASES = [
    ("nothing", ""),
    ("trailing byte", "a1010200"),
    ("cut off", "a101"),
    ("cut off in a string", "4501"),
    ("duplicate key", "a201010102"),
    ("duplicate key, other spelling", "a20101180102"),
    ("indefinite map", "bf0102ff"),
    ("indefinite array", "9f01ff"),
    ("indefinite bytes", "5f4101ff"),
    ("indefinite text", "7f6161ff"),
    ("break alone", "ff"),
    ("reserved length", "1c"),
    ("17 levels", "81" * 17 + "01"),
    ("100000 levels", "81" * 100_000),
    ("text not UTF-8", "61ff"),
    ("bytes longer than any memory", "5bffffffffffffffff"),
    ("array longer than any memory", "9bffffffffffffffff"),
    ("map longer than any memory", "bbffffffffffffffff"),
    ("tag 1 (seconds)", "c101"),
    ("tag 2 (bignum)", "c24101"),
    ("tag 3 (negative bignum)", "c34101"),
    ("tag 4 (decimal fraction)", "c4821a3b9aca0001"),
    ("tag 5 (bigfloat)", "c5821a3b9aca0001"),
    ("tag 25 (string reference)", "d81900"),
    ("tag 28 (shared)", "d81c81d81d00"),
    ("tag 30 (rational)", "d81e820102"),
    ("tag 35 (regular expression)", "d8236428612b29"),
    ("tag 36 (MIME)", "d82460"),
    ("tag 37 (UUID)", "d825500102030405060708090a0b0c0d0e0f10"),
    ("tag 54 (IPv6)", "d8365000000000000000000000000000000000"),
    ("tag 258 (set)", "d901028101"),
    ("tag 43000 (half float array)", "d9a7f840"),
    ("tag 55799 (self-described)", "d9d9f701"),
    ("tag without a meaning", "d9270f01"),
    ("tag 18 inside", "81d28440a04040"),
    ("tag 24 around text", "d8186161"),
    ("tag 0 around a number", "c001"),
    ("tag 0 around words", "c06568656c6c6f"),
    ("tag 1004 around words", "d903ec6568656c6c6f"),
    ("tag 1004 around the 30th of February", "d903ec6a323032362d30322d3330"),
]


@pytest.mark.hostile
@pytest.mark.parametrize("encoded", [pytest.param(bytes.fromhex(text), id=name) for name, text in CASES])
def test_cbor_is_refused(encoded: bytes) -> None:
    with pytest.raises(MalformedInput):
        cbor_loads(encoded)


@pytest.mark.hostile
@pytest.mark.parametrize(
    "item",
    [
        pytest.param(bytes.fromhex("a1820102" + "03"), id="array as a key"),
        pytest.param(bytes.fromhex("a1a0" + "03"), id="map as a key"),
        pytest.param(bytes.fromhex("a2" + "0101" + "8000"), id="array as the second key"),
        pytest.param(bytes.fromhex("a1" + "01" + "a1" + "8000"), id="array as a key within"),
        pytest.param(bytes.fromhex("a1" + "c0" + "80" + "00"), id="array behind a tag as a key"),
        pytest.param(bytes.fromhex("a2" + "190100" + "430a0b0c" + "80" + "00"), id="array as a key after long items"),
        pytest.param(bytes.fromhex("a1" + "d903ec" + "6a323032362d30322d3238" + "00"), id="date as a key"),
        pytest.param(cbor_dumps(dict.fromkeys(range(MAX_NUMBER_KEYS + 1))), id="many numbers"),
        pytest.param(cbor_dumps([{n: {-n: 0.5}} for n in range(1, MAX_NUMBER_KEYS)]), id="many numbers in small maps"),
        pytest.param(cbor_dumps({n + 0.5: 0 for n in range(MAX_NUMBER_KEYS + 1)}), id="many fractions"),
    ],
)
def test_keys_made_to_collide_are_refused_before_they_are_hashed(item: bytes) -> None:
    with pytest.raises(MalformedInput, match="as a key"):
        cbor_loads(many(item))


@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, [2, {"b": {}}]], "c": {1: [], 2: [{}]}, 3: EncodedCbor(b"\x80")},
        [[], {}, [{}], {"x": []}],
        {1 << 40: 1.5, -300: "text" * 100, b"key": None},
        dict.fromkeys(range(MAX_NUMBER_KEYS)),
        {str(n): n for n in range(2 * MAX_NUMBER_KEYS)},
    ],
)
def test_big_items_with_plain_keys_pass(value: Any) -> None:
    assert cbor_loads(many(cbor_dumps(value)))[1] == value


@pytest.mark.hostile
@pytest.mark.parametrize(
    "encoded",
    [
        pytest.param("f7", id="undefined"),
        pytest.param("e0", id="simple value"),
        pytest.param("f8ff", id="long simple value"),
        pytest.param("f97e00", id="NaN"),
        pytest.param("f97c00", id="infinity"),
        pytest.param("81a1616181f7", id="undefined within"),
        pytest.param("a1f700", id="undefined as a key"),
        pytest.param("81d81840", id="encoded CBOR"),
    ],
)
def test_what_no_claim_can_be_is_refused(encoded: str) -> None:
    with pytest.raises(MalformedInput, match="a claim can have"):
        require_plain(cbor_loads(bytes.fromhex(encoded)))


def test_values_of_claims_are_plain() -> None:
    require_plain({"a": [1, 1.5, True, None, "text", b"bytes", date(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC)]})


@pytest.mark.hostile
def test_cbor_beyond_the_limit_is_refused() -> None:
    with pytest.raises(MalformedInput, match="at most"):
        cbor_loads(encode_bytes(bytes(1 << 20)))


def test_several_items_are_decoded_as_each_alone() -> None:
    parts = [cbor_dumps({"a": [1, b"x"]}), cbor_dumps(EncodedCbor(b"\x01")), cbor_dumps("x" * 5000)]

    assert cbor_loads_each(parts) == [cbor_loads(part) for part in parts]
    assert cbor_loads_each(parts[:2]) == [{"a": [1, b"x"]}, EncodedCbor(b"\x01")]
    assert cbor_loads_each([]) == []


@pytest.mark.hostile
@pytest.mark.parametrize("parts", [[b"\x82\x01", b"\x02"], [b"\x01\x02", b"\x03"], [b"\x01", b""], [b"\x41", b"a\x01"]])
def test_an_item_does_not_borrow_bytes_from_the_next(parts: list[bytes]) -> None:
    with pytest.raises(MalformedInput):
        cbor_loads_each(parts)
