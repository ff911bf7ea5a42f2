"""Form parameters: how messages of the authorization server travel (RFC 6749 3.1, 3.2 and Appendix B)."""

from collections.abc import Collection
from typing import Final
from urllib.parse import parse_qsl

from byoid.encoding import json_dumps
from byoid.errors import MalformedInput
from byoid.message import Message

MAX_FORM_BYTES: Final = 256 << 10
MAX_PARAMETERS: Final = 64


def parse_form(body: bytes | str, *, repeatable: Collection[str] = ("resource",)) -> dict[str, str | list[str]]:
    """Parse a form body or a query; what has no value counts as absent, what may be repeated becomes a list.

    Raises:
        MalformedInput: too large, not UTF-8, or a parameter comes twice.
    """
    if len(body) > MAX_FORM_BYTES:
        raise MalformedInput(f"form of {len(body)} bytes, at most {MAX_FORM_BYTES} are accepted")
    try:
        text = body if isinstance(body, str) else body.decode("utf-8")
        pairs = parse_qsl(
            text, strict_parsing=bool(text), keep_blank_values=True, max_num_fields=MAX_PARAMETERS, errors="strict"
        )
    except ValueError:
        raise MalformedInput("not an application/x-www-form-urlencoded form") from None
    found: dict[str, str | list[str]] = {}
    for name, value in pairs:
        if name not in repeatable:
            if name in found:
                raise MalformedInput("a form parameter comes twice")
            found[name] = value
        elif value:
            found[name] = [*found.get(name, ()), value]
    return {name: value for name, value in found.items() if value}


def to_form(message: Message) -> dict[str, str | list[str]]:
    """Return a message as form parameters: objects become JSON text, arrays of text are repeated."""
    return {name: _text(value) for name, value in message.to_wire().items()}


def _text(value: object) -> str | list[str]:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return value
    return json_dumps(value).decode()
