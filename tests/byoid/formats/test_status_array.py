"""The array of a status list: draft-ietf-oauth-status-list 4.1, 7.1, with its examples and test vectors."""

import json
import re
import tracemalloc
import zlib
from pathlib import Path

import cbor2
import pytest

from byoid.encoding import b64u_decode
from byoid.errors import MalformedInput, Revoked, StatusUnavailable, Suspended
from byoid.formats.status_array import StatusArray, require_valid

VECTORS = Path(__file__).parents[2] / "vectors" / "token-status-list"
LONG = {1: "encoding1_long", 2: "encoding2_long", 4: "encoding4", 8: "encoding8"}
SIXTEEN = [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1]
TWELVE = [1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3]


def vector(name):
    text = (VECTORS / f"status_list_{name}.md").read_text()
    if name.endswith("_json"):
        members = json.loads(re.sub(r"\s", "", text[text.index("{") :]))
        return members["bits"], b64u_decode(members["lst"])
    members = cbor2.loads(bytes.fromhex(re.sub(r"\s", "", text.split("encoded:")[-1])))
    return members["bits"], members["lst"]


def build(bits, statuses, size):
    array = StatusArray.of_size(size, bits=bits)
    for index, status in statuses:
        array.set_status(index, status)
    return array


@pytest.mark.parametrize("form", ["json", "cbor"])
@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_the_long_lists_of_the_draft_are_read_and_made(bits, form):
    statuses = json.loads((VECTORS / "statuses.json").read_text())[str(bits)]
    named, compressed = vector(f"{LONG[bits]}_{form}")
    array = StatusArray.from_compressed(compressed, bits=named)

    assert named == bits
    assert array.size == 1 << 20
    assert array == StatusArray(bits, bytes(build(bits, statuses, 1 << 20).data))
    assert all(array.status_at(index) == status for index, status in dict(statuses).items())


@pytest.mark.parametrize("form", ["json", "cbor"])
@pytest.mark.parametrize(
    ("name", "bits", "statuses", "raw"), [("encoding", 1, SIXTEEN, "b9a3"), ("encoding2", 2, TWELVE, "c944f9")]
)
def test_the_short_lists_of_the_draft_are_read_and_made(name, form, bits, statuses, raw):
    named, compressed = vector(f"{name}_{form}")
    array = StatusArray.from_compressed(compressed, bits=named)

    assert named == bits
    assert array.data.hex() == raw
    assert [array.status_at(index) for index in range(array.size)] == statuses
    assert build(bits, enumerate(statuses), len(statuses)).data.hex() == raw


def test_compressed_lists_inflate_to_what_they_were():
    array = build(2, [(7, 3), (99, 1)], 100)
    assert zlib.decompress(array.compress()) == array.data
    assert StatusArray.from_compressed(array.compress(), bits=2).data == array.data


def test_a_status_can_be_changed_back():
    array = build(4, [(3, 9), (3, 0), (2, 15)], 4)
    assert [array.status_at(index) for index in range(4)] == [0, 0, 15, 0]


@pytest.mark.parametrize(("size", "bits", "length"), [(0, 1, 0), (1, 1, 1), (9, 1, 2), (3, 2, 1), (3, 4, 2), (3, 8, 3)])
def test_an_array_has_whole_bytes(size, bits, length):
    array = StatusArray.of_size(size, bits=bits)
    assert len(array.data) == length
    assert array.size >= size


def test_only_valid_is_valid():
    require_valid(0)
    for status, error in ((1, Revoked), (2, Suspended), (3, StatusUnavailable), (12, StatusUnavailable)):
        with pytest.raises(error):
            require_valid(status)


@pytest.mark.hostile
@pytest.mark.parametrize("index", [16, 1 << 70, -1])
def test_a_place_outside_the_list_has_no_status(index):
    with pytest.raises(StatusUnavailable):
        build(1, [], 16).status_at(index)


@pytest.mark.hostile
@pytest.mark.parametrize("bits", [0, 3, 16, -1, True, "1", 1.0, None])
def test_other_numbers_of_bits_are_malformed(bits):
    with pytest.raises(MalformedInput):
        StatusArray(bits, b"\x00")


@pytest.mark.hostile
@pytest.mark.parametrize(
    "compressed",
    [
        b"",
        b"junk",
        zlib.compress(b"\x00" * 100)[:-1],
        zlib.compress(b"\x00" * 100) + b"\x00",
        zlib.compress(b"\x00" * 100)[:-4] + b"\x00" * 4,
        zlib.compress(b"\x00" * 100, wbits=-15),
        zlib.compress(b"\x00" * 100, wbits=31),
    ],
    ids=["empty", "junk", "cut short", "trailing byte", "wrong checksum", "raw deflate", "gzip"],
)
def test_what_is_not_one_zlib_stream_is_malformed(compressed):
    with pytest.raises(MalformedInput):
        StatusArray.from_compressed(compressed, bits=1)


@pytest.mark.hostile
def test_a_bomb_is_refused_before_it_fills_the_memory():
    with pytest.raises(MalformedInput, match="more than"):
        StatusArray.from_compressed(zlib.compress(b"\x00" * (17 << 20), 9), bits=1)
    assert StatusArray.from_compressed(zlib.compress(b"\x00" * 100), bits=1, max_bytes=100).size == 800
    with pytest.raises(MalformedInput, match="more than 99"):
        StatusArray.from_compressed(zlib.compress(b"\x00" * 100), bits=1, max_bytes=99)


@pytest.mark.hostile
def test_a_bomb_is_inflated_no_further_than_the_limit():
    bomb = zlib.compress(b"\x00" * (17 << 20), 9)
    tracemalloc.start()
    try:
        with pytest.raises(MalformedInput):
            StatusArray.from_compressed(bomb, bits=1, max_bytes=1 << 20)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20


@pytest.mark.parametrize(("index", "status"), [(8, 1), (-1, 1), (0, 2), (0, -1)])
def test_only_what_fits_can_be_set(index, status):
    with pytest.raises(ValueError, match="cannot set"):
        StatusArray.of_size(8).set_status(index, status)


def test_a_list_that_was_read_cannot_be_changed():
    with pytest.raises(ValueError, match="cannot set"):
        StatusArray(1, b"\x00").set_status(0, 1)
