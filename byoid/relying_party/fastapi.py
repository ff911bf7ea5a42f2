"""The relying-party flow as a FastAPI router, and its result as a dependency (extra `rp`).

    app.include_router(router(party), prefix="/byoid")       # where base_url of the party says
    door = Door(party)

    @app.get("/residence")
    async def ask() -> RedirectResponse:
        return await door.redirect("residence", "openid4vp://", redirect_uri="https://shop.example/done")

    @app.get("/done")
    async def done(shown: Annotated[Transaction, Depends(door.result)]) -> ...:

The browser that begins gets a cookie; only with it, and on the same device with the response code, is there a result
(OpenID4VP 1.0 13.3).
"""

import secrets
from typing import Final

from fastapi import APIRouter, HTTPException
from fastapi.requests import Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from byoid.errors import ByoidError, MalformedInput, OAuthError, ResponseRejected, VerificationError
from byoid.oauth.form import parse_form
from byoid.relying_party.errors import SessionMismatch, TooManyFailures, TransactionOver, TransactionUnknown
from byoid.relying_party.flow import Begun, RelyingParty
from byoid.relying_party.transaction import Mode, Transaction
from byoid.service import qr

COOKIE: Final = "__Host-byoid-presentation"
REQUEST_OBJECT: Final = "application/oauth-authz-req+jwt"
_NO_STORE: Final = {"Cache-Control": "no-store"}
_STATUS: Final = ((TransactionUnknown, 404), (TransactionOver, 409), (TooManyFailures, 429), (SessionMismatch, 403))


def router(party: RelyingParty) -> APIRouter:
    """Return the endpoints that wallets use. Include it where the party's `base_url` says."""
    routes = APIRouter()

    @routes.get("/requests/{request_id}")
    async def fetch_request(request_id: str) -> Response:
        return await _request_object(party, request_id, {})

    @routes.post("/requests/{request_id}")
    async def post_request(request_id: str, request: Request) -> Response:
        return await _request_object(party, request_id, await _form(request))

    @routes.post("/responses/{request_id}")
    async def post_response(request_id: str, request: Request) -> Response:
        return await _response(party, request_id, request)

    @routes.post("/responses")
    async def post_response_by_state(request: Request) -> Response:
        return await _response(party, None, request)

    return routes


class Door:
    """The person's side: begins transactions for a browser session, and gives results to that session only.

    The cookie names one transaction: a page that offers two ways to a wallet has a door, with a cookie, for each.
    """

    def __init__(self, party: RelyingParty, *, cookie: str = COOKIE) -> None:
        self._party = party
        self._cookie = cookie

    async def begin(
        self,
        response: Response,
        policy_id: str,
        *,
        mode: Mode = Mode.SAME_DEVICE,
        redirect_uri: str | None = None,
        request_uri_method: str | None = None,
        origin: str | None = None,
    ) -> Begun:
        """Begin a transaction and set the cookie of its session; arguments as of `RelyingParty.begin`."""
        session = secrets.token_urlsafe(32)
        begun = await self._party.begin(
            policy_id, mode=mode, session=session, redirect_uri=redirect_uri, request_uri_method=request_uri_method,
            origin=origin,
        )  # fmt: skip
        value = f"{begun.id}.{session}"
        response.set_cookie(self._cookie, value, path="/", secure=True, httponly=True, samesite="lax")
        return begun

    async def redirect(self, policy_id: str, wallet: str, *, redirect_uri: str) -> RedirectResponse:
        """Begin on the same device, and send the browser to a wallet's authorization endpoint."""
        response = RedirectResponse("/", 303)
        begun = await self.begin(response, policy_id, redirect_uri=redirect_uri)
        response.headers["location"] = begun.link(wallet)
        return response

    async def qr_code(self, policy_id: str, wallet: str = "openid4vp://") -> Response:
        """Begin for a wallet on another device, and draw the link that it scans, as SVG."""
        cookies = Response()
        begun = await self.begin(cookies, policy_id, mode=Mode.CROSS_DEVICE)
        drawn = Response(qr.svg(begun.link(wallet)), media_type="image/svg+xml", headers=_NO_STORE)
        drawn.headers["set-cookie"] = cookies.headers["set-cookie"]
        return drawn

    async def result(self, request: Request) -> Transaction:
        """Return the transaction of this browser, for `Depends`; its `outcome` is None as long as nobody answered.

        Raises:
            HTTPException: 404 if there is none, 403 if the response code is missing or another's.
        """
        transaction_id, _, session = request.cookies.get(self._cookie, "").partition(".")
        code = request.query_params.get("response_code")
        try:
            return await self._party.result(transaction_id, session=session, response_code=code)
        except (TransactionUnknown, SessionMismatch) as error:
            raise HTTPException(_status(error), "There is no result for this browser.") from error


async def _request_object(party: RelyingParty, request_id: str, form: dict[str, str]) -> Response:
    try:
        jwt = await party.request_object(request_id, form)
    except ByoidError as error:
        return _refusal(error)
    return Response(jwt, media_type=REQUEST_OBJECT, headers=_NO_STORE)


async def _response(party: RelyingParty, request_id: str | None, request: Request) -> Response:
    try:
        answer = await party.receive(request_id, await _form(request))
    except ByoidError as error:
        return _refusal(error)
    return JSONResponse(answer.to_wire(), headers=_NO_STORE)


async def _form(request: Request) -> dict[str, str]:
    try:
        parsed = parse_form(await request.body(), repeatable=())
    except MalformedInput as error:
        raise HTTPException(400, str(error)) from error
    return {name: value for name, value in parsed.items() if isinstance(value, str)}


def _refusal(error: ByoidError) -> Response:
    """Tell the wallet that it was refused, and no more; why is in the log."""
    if (
        not isinstance(error, VerificationError | ResponseRejected | MalformedInput | OAuthError)
        and _status(error) == 0
    ):
        raise error
    body = {"error": "invalid_request", "error_description": "The request was refused."}
    return JSONResponse(body, _status(error) or 400, headers=_NO_STORE)


def _status(error: ByoidError) -> int:
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 0)
