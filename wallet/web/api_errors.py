"""Errors of the JSON API: the code that programs know, and the id of the text that a citizen should see.

`{"error", "error_description", "message", "peer_error"?, "refusal_id"?}`: `message` is one of
`wallet.messages.MESSAGE_IDS`, whose texts the pages have, and an app of one's own writes; `peer_error` is the code that
an issuer or verifier answered with; `POST /api/refusals/{refusal_id}` tells a verifier that the wallet has refused its
request. The description names a rule, never a value.
"""

import logging
from typing import Any, Final

from fastapi import FastAPI
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from byoid.errors import ByoidError, MalformedInput, OAuthError, PeerError, ResponseRejected, VerificationError
from byoid.service.errors import NO_STORE
from wallet.contents import ItemChanged, ItemNotFound
from wallet.messages import message_id
from wallet.receipts import OutOfTurn
from wallet.refusals import RequestRefused


class ApiError(BaseModel):
    """Why something was refused: a code for programs, the id of the text for the citizen, the other side's code."""

    error: str
    error_description: str | None = None
    message: str | None = None
    peer_error: str | None = None
    refusal_id: str | None = None


# What every route of the API may answer besides what it promises.
REFUSED: Final[dict[int | str, dict[str, Any]]] = {
    "4XX": {"model": ApiError, "description": "Refused: malformed, not signed in, not there, or not the time for it."},
    502: {"model": ApiError, "description": "An issuer, a service or the mail server did not answer as expected."},
}
_logger = logging.getLogger(__name__)
_STATUS: Final[tuple[tuple[type[ByoidError], int], ...]] = (
    (ItemNotFound, 404), (ItemChanged, 409), (OutOfTurn, 409), (PeerError, 502),
)  # fmt: skip
_BAD_REQUEST: Final = 400
_INSTALLED: Final = (OAuthError, MalformedInput, VerificationError, ResponseRejected, PeerError, ByoidError)


def install(app: FastAPI) -> None:
    """Answer every error of ours so; after `byoid.service.errors.install`, whose handlers these replace."""
    for error in _INSTALLED:
        app.add_exception_handler(error, render)


def render(_: Request, error: Exception) -> Response:
    """Answer with an error."""
    message = message_id(error)
    _logger.info("refused (%s): %s: %s", message, type(error).__name__, error)
    if isinstance(error, RequestRefused):
        return JSONResponse(_refused(error, message), _BAD_REQUEST, NO_STORE)
    if isinstance(error, OAuthError):
        body = {"error": error.code, "error_description": error.description, "message": message}
        return JSONResponse(body, error.status, {**error.headers, **NO_STORE})
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), _BAD_REQUEST)
    code = "server_error" if isinstance(error, PeerError) else "invalid_request"
    description = "Another service did not answer as expected." if isinstance(error, PeerError) else "It was refused."
    body = {"error": code, "error_description": description, "message": message}
    if isinstance(error, PeerError) and error.code is not None:
        body["peer_error"] = error.code
    return JSONResponse(body, status, NO_STORE)


def _refused(refused: RequestRefused, message: str) -> dict[str, str]:
    body = {"error": refused.error.code, "error_description": refused.error.description, "message": message}
    return body if refused.refusal_id is None else {**body, "refusal_id": refused.refusal_id}
