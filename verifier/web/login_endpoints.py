"""The endpoints of OpenID Connect that programs ask: configuration, keys, tokens, claims. Any origin may.

OpenID Connect Discovery 1.0 4, Core 1.0 3.1.3 and 5.3; RFC 6749 5.1 (`no-store`). No cookie counts here, so that every
origin may read the answers: a client that lives in a browser needs them.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from byoid.errors import MalformedInput
from byoid.oauth.form import parse_form
from byoid.service import errors
from byoid.service.address_limits import address_of
from byoid.wire_errors import InvalidRequest
from verifier import login_tokens
from verifier.context import Verifier
from verifier.errors import NotFound
from verifier.login_keys import LoginKeys
from verifier.login_metadata import CONFIGURATION_PATH, JWKS_PATH, USERINFO_PATH, configuration
from verifier.logins import TOKEN_PATH

_FORM: Final = "application/x-www-form-urlencoded"
_ANYONE: Final = {"Access-Control-Allow-Origin": "*"}
_PREFLIGHT: Final = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
    "Access-Control-Max-Age": "86400",
}
_NO_STORE: Final = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_FRESH: Final = {"Cache-Control": "public, max-age=300"}
_Endpoint = Callable[[Request], Awaitable[Response]]


def endpoint_routes() -> list[Route]:
    """Return the routes."""
    return [
        Route(CONFIGURATION_PATH, _for_anyone(_describe), methods=["GET", "OPTIONS"]),
        Route(JWKS_PATH, _for_anyone(_jwks), methods=["GET", "OPTIONS"]),
        Route(TOKEN_PATH, _for_anyone(_token), methods=["POST", "OPTIONS"]),
        Route(USERINFO_PATH, _for_anyone(_userinfo), methods=["GET", "POST", "OPTIONS"]),
    ]


def _for_anyone(endpoint: _Endpoint) -> _Endpoint:
    """Let every origin read the answer, errors too."""

    async def answer(request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={**_ANYONE, **_PREFLIGHT})
        try:
            response = await endpoint(request)
        except errors.EXPECTED as error:
            response = errors.render(request, error)
        response.headers.update(_ANYONE)
        return response

    return answer


async def _describe(request: Request) -> Response:
    """Describe the provider."""
    verifier: Verifier = request.app.state.verifier
    return JSONResponse(configuration(verifier.settings.public_url, _keys(verifier)), headers=_FRESH)


async def _jwks(request: Request) -> Response:
    """Give the keys that ID tokens are verified by."""
    return JSONResponse(dict(_keys(request.app.state.verifier).jwks), headers=_FRESH)


def _keys(verifier: Verifier) -> LoginKeys:
    if verifier.login_keys is None:
        raise NotFound("There are no logins here.")
    return verifier.login_keys


async def _token(request: Request) -> Response:
    verifier: Verifier = request.app.state.verifier
    answer = await login_tokens.issue_token(
        verifier, await _form(request), authorization=_authorization(request),
        address=address_of(request.scope, verifier.settings.is_proxy),
    )  # fmt: skip
    return JSONResponse(answer, headers=_NO_STORE)


async def _userinfo(request: Request) -> Response:
    form = await _form(request) if request.method == "POST" and await request.body() else {}
    claims = await login_tokens.userinfo(request.app.state.verifier, authorization=_authorization(request), form=form)
    return JSONResponse(claims, headers=_NO_STORE)


def _authorization(request: Request) -> str | None:
    values = request.headers.getlist("authorization")
    if len(values) > 1:
        raise InvalidRequest("expected one Authorization header")
    return values[0] if values else None


async def _form(request: Request) -> dict[str, str]:
    """Read a form; a parameter that comes twice is refused (RFC 6749 3.2)."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise InvalidRequest(f"expected a body of type {_FORM}")
    try:
        parsed = parse_form(await request.body())
    except MalformedInput as error:
        raise InvalidRequest("the form is malformed", detail=str(error)) from error
    return {name: value for name, value in parsed.items() if isinstance(value, str)}
