"""The error that another server answers with, as its client reads it.

RFC 6749 5.2 and OpenID4VCI 8.3.1.2 (JSON), RFC 6750 3 and RFC 9449 7.1 (`WWW-Authenticate`). What we answer ourselves
are the classes of `byoid.wire_errors`.
"""

import re
from typing import Annotated, Final

from pydantic import Field

from byoid.errors import MalformedInput, PeerError
from byoid.message import Message, parse_message

_CHALLENGE_ERROR: Final = re.compile(r'\berror="([\x20-\x21\x23-\x5B\x5D-\x7E]{1,64})"')


class ErrorResponse(Message):
    """The JSON body of an error."""

    error: Annotated[str, Field(pattern=r"^[\x20-\x21\x23-\x5B\x5D-\x7E]{1,64}\z")]
    error_description: str | None = None
    error_uri: str | None = None


def peer_error(*, status: int, body: bytes, www_authenticate: str = "") -> PeerError:
    """Return the error to raise for an answer that is no success; `code` is None where the server named none.

    The description stays out of the message: it is the peer's text, and may be anything.
    """
    code = _code(body)
    if code is None and (found := _CHALLENGE_ERROR.search(www_authenticate)):
        code = found.group(1)
    return PeerError(f"the server answered {status}, error {code or 'not named'}", code=code, status=status)


def _code(body: bytes) -> str | None:
    try:
        return parse_message(ErrorResponse, body).error
    except MalformedInput:
        return None
