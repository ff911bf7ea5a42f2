"""The one place where an error becomes an HTTP answer.

Protocol endpoints answer `{"error", "error_description"}` (RFC 6749 5.2, OpenID4VCI 8.3.1.2) with `no-store`, whatever
went wrong: FastAPI's own 422 would mean nothing to a wallet. What is not the client's fault is a 500 `server_error`
that says nothing but the id under which the log has it. No route has a `try`.
"""

import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from byoid.errors import MalformedInput, OAuthError, PeerError, ResponseRejected, VerificationError
from byoid.wire_errors import InvalidRequest

_logger = logging.getLogger(__name__)
NO_STORE: Final = {"Cache-Control": "no-store"}
_SERVER_FAULTS: Final = 500
_MAX_DESCRIPTION: Final = 300
EXPECTED: Final = (
    OAuthError,
    RequestValidationError,
    HTTPException,
    MalformedInput,
    VerificationError,
    ResponseRejected,
    PeerError,
)

# Renders an error as a page: the request, the status, and the text for the person.
Page: TypeAlias = Callable[[Request, int, str], Response]


def install(app: FastAPI, *, by_path: Mapping[str, type[OAuthError]] | None = None, page: Page | None = None) -> None:
    """Make `app` answer every error as its protocols want it.

    Args:
        app: the service.
        by_path: the error class for a malformed request at a path, where it is not `invalid_request`: the credential
            endpoint's is `invalid_credential_request`.
        page: how to tell a person, for requests whose `Accept` begins with `text/html`. Without it, JSON.
    """
    renderer = _Renderer(by_path or {}, page)
    for expected in EXPECTED:
        app.add_exception_handler(expected, renderer.render)
    app.state.render_error = renderer.render
    app.add_middleware(_Unexpected, renderer=renderer)


def render(request: Request, error: Exception) -> Response:
    """Return the answer of the request's application to one of the `EXPECTED` errors."""
    response: Response = request.app.state.render_error(request, error)
    return response


class _Renderer:
    def __init__(self, by_path: Mapping[str, type[OAuthError]], page: Page | None) -> None:
        self._by_path = by_path
        self._page = page

    def render(self, request: Request, error: Exception) -> Response:
        match error:
            case OAuthError():
                _logger.info("%s: %s", error, error.detail or "-")
                return self._answer(request, error.status, error.code, error.description, error.headers)
            case RequestValidationError():
                return self._malformed(request, _complaints(error.errors()))
            case HTTPException():
                code = "server_error" if error.status_code >= _SERVER_FAULTS else "invalid_request"
                return self._answer(request, error.status_code, code, str(error.detail), error.headers or {})
            case PeerError():
                _logger.warning("a peer failed: %s", error)
                return self._answer(request, 502, "server_error", "Another service did not answer as expected.", {})
            case MalformedInput():
                return self._malformed(request, str(error))
            case _:
                _logger.info("refused: %s: %s", type(error).__name__, error)
                return self._malformed(request, "The request was refused.")

    def unexpected(self, request: Request, log_id: str) -> Response:
        return self._answer(request, 500, "server_error", f"Something went wrong here. Log id: {log_id}", {})

    def _malformed(self, request: Request, description: str) -> Response:
        code = self._by_path.get(request.url.path, InvalidRequest).code
        return self._answer(request, 400, code, description, {})

    def _answer(
        self, request: Request, status: int, code: str, description: str, headers: Mapping[str, str]
    ) -> Response:
        if self._page is not None and request.headers.get("accept", "").startswith("text/html"):
            response = self._page(request, status, description)
            response.headers.update(NO_STORE)
            return response
        body = {"error": code, "error_description": _printable(description)}
        return JSONResponse(body, status, {**headers, **NO_STORE})


class _Unexpected:
    """Answers for exceptions that nobody expected; innermost but one, so that no framework page ever shows."""

    def __init__(self, app: ASGIApp, renderer: _Renderer) -> None:
        self._app = app
        self._renderer = renderer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except ClientDisconnect:
            _logger.info("the client went away")
        except EXPECTED as error:  # of a middleware, such as a limit
            if started:
                raise
            await self._renderer.render(Request(scope), error)(scope, receive, send)
        except Exception:
            log_id = secrets.token_hex(8)
            _logger.exception("unexpected error, log id %s", log_id)
            if started:  # the status is gone out; only a broken connection can still tell
                raise
            await self._renderer.unexpected(Request(scope), log_id)(scope, receive, send)


def _complaints(errors: Sequence[Mapping[str, Any]]) -> str:
    """Name the members and the rules, never the values."""
    named = (f"{'.'.join(str(part) for part in each['loc'][1:]) or 'request'}: {each['msg']}" for each in errors[:5])
    return "; ".join(named)


def _printable(text: str) -> str:
    """Return what RFC 6749 allows in a description: printable ASCII without quotes and backslashes."""
    plain = text.replace('"', "'").replace("\\", "/")
    return "".join(each if " " <= each <= "~" else "?" for each in plain)[:_MAX_DESCRIPTION]
