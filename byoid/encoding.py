"""Strict base64url, strict JSON and SHA-256: the only such helpers in byoid.

RFC 7515 section 2 (base64url without padding), RFC 8259 and RFC 7493 (JSON without duplicate names). Sizes and depth
are bounded before anything is parsed, since until a signature verifies they are an attacker's choice.
"""

import binascii
import hashlib
import json
from collections.abc import Callable
from json.encoder import c_make_encoder, encode_basestring  # type: ignore[attr-defined]  # the stub lacks them
from math import isinf
from typing import Any, Final, NoReturn

from pydantic_core import CoreConfig, SchemaValidator, ValidationError, core_schema

from byoid.errors import MalformedInput

MAX_JSON_BYTES: Final = 1 << 20
MAX_JSON_DEPTH: Final = 32
MAX_INTEGER_DIGITS: Final = 40


def b64u_encode(data: bytes) -> str:
    """Encode bytes as base64url without padding."""
    return binascii.b2a_base64(data, newline=False).translate(_TO_URL).rstrip(b"=").decode("ascii")


def b64u_encode_bytes(data: bytes) -> bytes:
    """Encode bytes as base64url without padding, for what is hashed or signed next."""
    return binascii.b2a_base64(data, newline=False).translate(_TO_URL).rstrip(b"=")


_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
# The last character's unused bits must be zero, else two texts would decode to the same bytes. No text has one over.
_LAST_CHARACTERS: Final = ("", "", "AQgw", "AEIMQUYcgkosw048")
# Takes a JSON text. Four times as fast as `binascii`, and every JWT, JWE and status list is base64 within base64.
_decode_base64: Final = SchemaValidator(core_schema.bytes_schema(), CoreConfig(val_json_bytes="base64")).validate_json


def b64u_decode(text: str | bytes) -> bytes:
    """Decode base64url without padding; exactly one text decodes to given bytes.

    Raises:
        MalformedInput: padding, a character outside the alphabet, an impossible length or non-canonical trailing bits.
    """
    try:
        characters = text if isinstance(text, str) else bytes.decode(text, "ascii")
    except TypeError:
        raise MalformedInput(f"expected base64url text, got {type(text).__name__}") from None
    except UnicodeDecodeError:
        raise MalformedInput("base64url text with a character outside ASCII") from None
    rest = len(characters) % 4
    if rest and characters[-1] not in _LAST_CHARACTERS[rest]:
        raise MalformedInput("base64url text has an impossible length, or is not in its canonical form")
    if "+" in characters or "/" in characters or "=" in characters or "\\" in characters:  # these it would take
        raise MalformedInput("base64url text has padding or a character outside the alphabet")
    try:
        decoded: bytes = _decode_base64(f'"{characters}"')
    except ValidationError:
        raise MalformedInput("base64url text has a character outside the alphabet") from None
    return decoded


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


_scan: Final[Callable[[str, int], tuple[Any, int]]] = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_finite, parse_int=_bounded
).scan_once  # type: ignore[attr-defined]  # nor this
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
        value, end = _scan(text, 0)
        if end != len(text):
            raise MalformedInput("more follows the JSON value")
        # Half a surrogate pair can hide behind an escape, and would fail in whatever writes it later.
        if "\\u" in text:
            json_dumps(value)
        return value
    except UnicodeError:
        raise MalformedInput("JSON with text that is not Unicode") from None
    except (StopIteration, ValueError, RecursionError):
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


# `JSONEncoder.encode` makes an encoder such as this for every object that it is asked for; that is half of its time.
_encode: Final = c_make_encoder(
    None, json.JSONEncoder().default, encode_basestring, None, ":", ",", False, False, False  # compact; no NaN
)  # fmt: skip


def json_dumps(value: Any) -> bytes:
    """Serialise as compact UTF-8 JSON, members in the order given.

    Raises:
        ValueError: NaN, infinity, or a value that JSON does not have. Our own fault, never the peer's.
    """
    return "".join(_encode(value, 0)).encode("utf-8")


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
