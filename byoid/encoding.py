"""Strict base64url, strict JSON and SHA-256: the only such helpers in byoid.

RFC 7515 section 2 (base64url without padding), RFC 8259 and RFC 7493 (JSON without duplicate names). Sizes and depth
are bounded before anything is parsed, since until a signature verifies they are an attacker's choice.
"""

import binascii
import hashlib
import json
from math import isinf
from typing import Any, Final, NoReturn

from byoid.errors import MalformedInput

MAX_JSON_BYTES: Final = 1 << 20
MAX_JSON_DEPTH: Final = 32
MAX_INTEGER_DIGITS: Final = 40


def b64u_encode(data: bytes) -> str:
    """Encode bytes as base64url without padding."""
    return b64u_encode_bytes(data).decode("ascii")


def b64u_encode_bytes(data: bytes) -> bytes:
    """Encode bytes as base64url without padding, for what is hashed or signed next."""
    return binascii.b2a_base64(data, newline=False).translate(_TO_URL).rstrip(b"=")


_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
_TO_STANDARD: Final = bytes.maketrans(b"-_+/=", b"+/!!!")  # the standard alphabet's own characters become invalid
_PADDING: Final = (b"", None, b"==", b"=")
# The last character's unused bits must be zero, else two texts would decode to the same bytes.
_LAST_OF_TWO: Final = frozenset(b"AQgw")
_LAST_OF_THREE: Final = frozenset(b"AEIMQUYcgkosw048")


def b64u_decode(text: str | bytes) -> bytes:
    """Decode base64url without padding; exactly one text decodes to given bytes.

    Raises:
        MalformedInput: padding, a character outside the alphabet, an impossible length or non-canonical trailing bits.
    """
    raw = text
    if isinstance(raw, str):
        try:
            raw = raw.encode("ascii")
        except UnicodeEncodeError:
            raise MalformedInput("base64url text with a character outside ASCII") from None
    elif not isinstance(raw, bytes):
        raise MalformedInput(f"expected base64url text, got {type(text).__name__}")
    rest = len(raw) % 4
    padding = _PADDING[rest]
    if padding is None:
        raise MalformedInput(f"base64url text cannot have {len(raw)} characters")
    if (rest == 2 and raw[-1] not in _LAST_OF_TWO) or (rest == 3 and raw[-1] not in _LAST_OF_THREE):  # noqa: PLR2004
        raise MalformedInput("base64url text is not in its canonical form, or has a character outside the alphabet")
    try:
        return binascii.a2b_base64(raw.translate(_TO_STANDARD) + padding, strict_mode=True)
    except (binascii.Error, ValueError):
        raise MalformedInput("base64url text has padding or a character outside the alphabet") from None


def sha256(data: bytes) -> bytes:
    """Return the SHA-256 digest."""
    return hashlib.sha256(data).digest()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise MalformedInput("a JSON object names a member twice")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise MalformedInput(f"{name} is not JSON")


def _finite(text: str) -> float:
    if isinf(number := float(text)):
        raise MalformedInput("a JSON number is too big")
    return number


def _bounded(text: str) -> int:
    if len(text) > MAX_INTEGER_DIGITS:
        raise MalformedInput("a JSON number is too big")
    return int(text)


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_finite, parse_int=_bounded
)
_WHITESPACE: Final = " \t\n\r"


def json_loads(data: bytes | str, *, max_bytes: int = MAX_JSON_BYTES, max_depth: int = MAX_JSON_DEPTH) -> Any:
    """Parse JSON strictly: no duplicate names, no NaN or Infinity, bounded size, depth and numbers, whole Unicode.

    Raises:
        MalformedInput: anything else.
    """
    if len(data) > max_bytes:
        raise MalformedInput(f"JSON of {len(data)} bytes, at most {max_bytes} are accepted")
    try:
        text = data if isinstance(data, str) else data.decode("utf-8")
        if text is data and not text.isascii():
            text.encode("utf-8")
        # Brackets inside strings count too: the count is only an upper bound for the depth, and cheap. Where it is
        # passed, the exact depth decides.
        if text.count("[") + text.count("{") > max_depth and _depth(text) > max_depth:
            raise MalformedInput(f"JSON is nested deeper than {max_depth}")
        text = text.strip(_WHITESPACE)
        value, end = _DECODER.raw_decode(text)
        if end != len(text):
            raise MalformedInput("more follows the JSON value")
        # Half a surrogate pair can hide behind an escape, and would fail in whatever writes it later.
        if "\\u" in text:
            json_dumps(value)
        return value
    except UnicodeError:
        raise MalformedInput("JSON with text that is not Unicode") from None
    except (ValueError, RecursionError):
        raise MalformedInput("not JSON") from None


def json_object(
    data: bytes | str, *, max_bytes: int = MAX_JSON_BYTES, max_depth: int = MAX_JSON_DEPTH
) -> dict[str, Any]:
    """Parse JSON strictly and demand an object.

    Raises:
        MalformedInput: not JSON, or not an object.
    """
    value = json_loads(data, max_bytes=max_bytes, max_depth=max_depth)
    if type(value) is not dict:
        raise MalformedInput(f"expected a JSON object, got {type(value).__name__}")
    return value


_encode: Final = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")
).encode  # dear to make


def json_dumps(value: Any) -> bytes:
    """Serialise as compact UTF-8 JSON, members in the order given.

    Raises:
        ValueError: NaN, infinity, or a value that JSON does not have. Our own fault, never the peer's.
    """
    return _encode(value).encode("utf-8")


def _depth(text: str) -> int:
    """Return the greatest nesting of `text`, brackets inside strings left out."""
    outside = "".join(text.replace("\\\\", "").replace('\\"', "").split('"')[::2])
    deepest = depth = 0
    for character in outside:
        if character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest
