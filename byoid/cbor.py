"""The one door to CBOR: strict decoding, deterministic encoding, and CBOR inside byte strings.

Spec: RFC 8949 (CBOR), RFC 8943 (full-date), ISO 18013-5 section 9.1.2.4 (tdate). Sizes, depth and keys are bounded
before or while decoding, since until a signature verifies they are an attacker's choice.
"""

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from math import isfinite
from typing import Any, Final

import cbor2

from byoid.errors import MalformedInput
from byoid.lazy import cached_property

MAX_CBOR_BYTES: Final = 1 << 20
MAX_CBOR_DEPTH: Final = 16
MAX_NUMBER_KEYS: Final = 2048  # in all maps of one item together; an MSO has one for each data element

_ENCODED_CBOR = 24
_INTEGER, _NEGATIVE, _BYTE_STRING, _TEXT, _ARRAY, _MAP, _TAG = range(7)  # major types
_STRINGS: Final = (_BYTE_STRING, _TEXT)
# Up to here too few keys fit into one map to be worth looking at them; most credentials are smaller.
_UNSCANNED_BYTES: Final = 4096
_PLAIN: Final = frozenset({str, bytes, int, bool, type(None), datetime, date})
_LONG_HEADS: Final = range(24, 28)  # the argument follows in 1, 2, 4 or 8 bytes
_SHORT_HEADS: Final = tuple(
    bytes((major << 5 | argument,) if argument < _LONG_HEADS.start else (major << 5 | _LONG_HEADS.start, argument))
    for major in range(7)
    for argument in range(256)
)


@dataclass(frozen=True, init=False)
class EncodedCbor:
    """CBOR inside a byte string, tag 24: it is hashed and signed as bytes, so the bytes are what is kept."""

    raw: bytes

    def __init__(self, raw: bytes, _immutable: bool = False) -> None:
        """Take the bytes; the decoder calls this for a tag 24, with a second argument that says nothing here."""
        if type(raw) is not bytes:
            raise ValueError("tag 24 holds a byte string")
        vars(self)["raw"] = raw

    @cached_property
    def value(self) -> Any:
        """The decoded value; MalformedInput if there is none."""
        return cbor_loads(self.raw)

    @cached_property
    def encoded(self) -> bytes:
        """The bytes with their tag and length in front: what digests and signatures are computed over."""
        return encode_tag24(self.raw)


def cbor_head(major: int, argument: int) -> bytes:
    """Encode the head of a data item in its shortest form (RFC 8949 section 3)."""
    if argument < 1 << 8:
        return _SHORT_HEADS[major << 8 | argument]
    size = 2 if argument < 1 << 16 else 4 if argument < 1 << 32 else 8
    return bytes((major << 5 | 23 + size.bit_length(),)) + argument.to_bytes(size, "big")


def encode_bytes(raw: bytes) -> bytes:
    """Encode a byte string."""
    return cbor_head(_BYTE_STRING, len(raw)) + raw


def encode_text(text: str) -> bytes:
    """Encode a text string."""
    raw = text.encode()
    return cbor_head(_TEXT, len(raw)) + raw


def encode_tag24(raw: bytes) -> bytes:
    """Wrap encoded CBOR as `#6.24(bstr .cbor …)`."""
    return b"\xd8\x18" + cbor_head(_BYTE_STRING, len(raw)) + raw


def cbor_dumps(value: Any) -> bytes:
    """Encode deterministically: shortest forms, map keys sorted by length, then bytes (RFC 8949 section 4.2.3).

    EncodedCbor becomes tag 24, an aware datetime tag 0, a date tag 1004 (RFC 8943).

    Raises:
        TypeError, ValueError, OverflowError: our own fault: CBOR, or byoid, has no form for the value.
    """
    return _ENCODERS.get(type(value), _encode_derived)(value)


def _encode_integer(value: int) -> bytes:
    return cbor_head(_INTEGER, value) if value >= 0 else cbor_head(_NEGATIVE, -1 - value)


def _encode_array(value: Sequence[Any]) -> bytes:
    return cbor_head(_ARRAY, len(value)) + b"".join(map(cbor_dumps, value))


def _encode_map(value: Mapping[Any, Any]) -> bytes:
    members = {cbor_dumps(name): cbor_dumps(member) for name, member in value.items()}
    return cbor_head(_MAP, len(members)) + b"".join([name + members[name] for name in sorted(sorted(members), key=len)])


def _encode_full_date(value: date) -> bytes:
    return b"\xd9\x03\xec\x6a" + value.isoformat().encode()


def _encode_tdate(value: datetime) -> bytes:
    if value.tzinfo is None:
        raise ValueError("expected an aware datetime")
    # ISO 18013-5 9.1.2.4 (tdate): no fraction of a second, UTC as Z.
    return b"\xc0\x74" + value.astimezone(UTC).isoformat()[:19].encode() + b"Z"


def _encode_derived(value: Any) -> bytes:
    """Encode an enumeration, a named tuple and their like as the type that they are derived from."""
    for kind, encode in _ENCODERS.items():
        if isinstance(value, kind):
            return encode(value)
    raise TypeError(f"CBOR has no form for {type(value).__name__}")


_ENCODERS: Final[Mapping[type, Callable[[Any], bytes]]] = {
    str: encode_text,
    bytes: encode_bytes,
    bool: lambda value: b"\xf5" if value else b"\xf4",
    int: _encode_integer,
    type(None): lambda _none: b"\xf6",
    datetime: _encode_tdate,
    date: _encode_full_date,
    float: lambda value: cbor2.dumps(value, canonical=True),
    EncodedCbor: lambda value: encode_tag24(value.raw),
    Mapping: _encode_map,
    list: _encode_array,
    tuple: _encode_array,
    dict: _encode_map,
}


def cbor_loads(data: bytes, *, max_bytes: int = MAX_CBOR_BYTES) -> Any:
    """Decode strictly: one item, no duplicate keys, no indefinite lengths, bounded depth, only tags that byoid uses.

    Tag 0 becomes an aware datetime, tag 1004 a date, tag 24 an EncodedCbor; every other tag is refused.

    Raises:
        MalformedInput: anything else.
    """
    if len(data) > max_bytes:
        raise MalformedInput(f"CBOR of {len(data)} bytes, at most {max_bytes} are accepted")
    if len(data) > _UNSCANNED_BYTES:
        _refuse_colliding_keys(data)
    return _decode(data, (len(data),))[0]


def cbor_loads_each(parts: Sequence[bytes]) -> list[Any]:
    """Decode each of several small items as `cbor_loads` does: making a decoder takes longer than using it.

    Raises:
        MalformedInput: one of them is not exactly one acceptable item.
    """
    data = b"".join(parts)
    if len(data) > _UNSCANNED_BYTES:  # a map could begin in one part and have its keys in the next
        return [cbor_loads(part) for part in parts]
    return _decode(data, map(len, parts))


def _decode(data: bytes, lengths: Iterable[int]) -> list[Any]:
    """Decode one item after the other, each of exactly the length given."""
    stream = io.BytesIO(data)
    decoder = cbor2.CBORDecoder(
        stream, max_depth=MAX_CBOR_DEPTH, allow_indefinite=False, allow_duplicate_keys=False,
        tag_hook=_refuse_tag, semantic_decoders=_TAGS,
    )  # fmt: skip
    values, end = [], 0
    for length in lengths:
        try:
            values.append(decoder.decode())
        except (cbor2.CBORDecodeError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise MalformedInput("not CBOR that byoid accepts") from error
        end += length
        if stream.tell() != end:
            raise MalformedInput(f"expected a CBOR item to end at byte {end}, it ends at {stream.tell()}")
    return values


def require_plain(value: Any) -> None:
    """Accept only values that claims have: what else CBOR knows would fail in whatever shows or stores them.

    Raises:
        MalformedInput: `undefined`, a simple value, NaN or an infinity, at any depth.
    """
    kind = type(value)
    if kind is dict:
        for name, member in value.items():
            require_plain(name)
            require_plain(member)
    elif kind is list:
        for element in value:
            require_plain(element)
    elif kind not in _PLAIN and not (kind is float and isfinite(value)):
        raise MalformedInput(f"expected a value that a claim can have, got {kind.__name__}")


def _refuse_colliding_keys(data: bytes) -> None:
    """Refuse arrays, maps and tags as map keys, and very many numbers, by the heads of the items alone.

    Python hashes numbers, and tuples of them, without a secret: keys made to collide turn 100 kB into seconds of
    decoding. Whatever else is wrong is left to the decoder.
    """
    position, numbers, containers = 0, 0, [(False, 1)]  # is it a map, and how many items it still lacks
    while containers and position < len(data):
        major, short = divmod(data[position], 32)
        size = 1 << short - 24 if short in _LONG_HEADS else 0
        argument = int.from_bytes(data[position + 1 : position + 1 + size], "big") if size else short
        position += 1 + size + (argument if major in _STRINGS else 0)
        is_map, lacking = containers[-1]
        if is_map and lacking % 2 == 0 and major not in _STRINGS:
            numbers += 1
            if major in (_ARRAY, _MAP, _TAG) or numbers > MAX_NUMBER_KEYS:
                raise MalformedInput(f"an array, a map, a tag, or more than {MAX_NUMBER_KEYS} numbers as a key")
        if major == _TAG:
            continue
        containers.pop()
        if lacking > 1:
            containers.append((is_map, lacking - 1))
        if major in (_ARRAY, _MAP) and argument:
            containers.append((major == _MAP, argument * (major - 3)))


def _refuse_tag(_value: object, _immutable: bool) -> Any:
    raise ValueError("a tag that byoid does not use")


# cbor2 has decoders for these, and would use them.
_DANGEROUS_TAGS: Final = (1, 2, 3, 4, 5, 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 43000, 55799)
_TAGS: Final[Mapping[int, Callable[[Any, bool], Any]]] = {
    _ENCODED_CBOR: EncodedCbor,
    **dict.fromkeys(_DANGEROUS_TAGS, _refuse_tag),
}
