"""The pages of the authorization endpoint: sign-in, consent, refusal (OpenID4VCI 5, RFC 6749 3.1).

Plain forms that post to the address they came from, so that reloading and changing the language keep the request.
Answers to forms are 303 redirects (FAPI 2.0). An error is a page wherever the redirect cannot be trusted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hmac import compare_digest
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from byoid.encoding import b64u_encode
from byoid.errors import MalformedInput
from byoid.oauth.authorization import REQUEST_URI_PREFIX
from byoid.oauth.form import parse_form
from byoid.service.address_limits import address_of
from byoid.service.pages import choose_language, language_of, origin_of, set_cookie
from byoid.wire_errors import InvalidRequest
from issuer import authorization
from issuer.context import Issuer
from issuer.credential_types import in_language
from issuer.guesses import BADGE_LIFETIME, Guess
from issuer.recognition import NotRecognised, PasswordRecognition, RedirectRecognition
from issuer.wire import form, the_issuer

COOKIE: Final = "__Host-byoid-issuer"
BADGE: Final = "__Host-byoid-issuer-badge"  # of a browser in which somebody has signed in before
WRONG: Final = "The user name or the password is wrong. Please try again."
_CANCELLED: Final = "You were not recognised. Please try again."


@dataclass(frozen=True)
class CardView:
    """One credential on the consent page."""

    name: str
    description: str
    claims: tuple[str, ...]


def authorization_routes(public_url: str) -> list[Route]:
    """Return the routes."""
    path = urlsplit(public_url).path
    return [
        Route(f"{path}/authorize", show, methods=["GET"]),
        Route(f"{path}/authorize", decide, methods=["POST"]),
        Route(f"{path}/authorize/elsewhere", go_elsewhere, methods=["GET"]),
        Route(f"{path}/authorize/return", come_back, methods=["GET"]),
        Route("/language/{code}", choose_language, methods=["GET"]),
    ]


async def show(request: Request) -> Response:
    """Show the sign-in page, or the consent page to whom has signed in."""
    issuer = the_issuer(request)
    row = await _request(issuer, request)
    if authorization.is_signed_in(issuer, row, session=request.cookies.get(COOKIE)):
        return _consent_page(issuer, request, row)
    problem = _CANCELLED if "not-recognised" in request.query_params else None
    return _sign_in_page(issuer, request, row, problem=problem)


async def decide(request: Request) -> Response:
    """Take the sign-in form or the answer to the consent page."""
    issuer, fields = the_issuer(request), await form(request)
    issuer.pages.require_own_form(request, fields.get("csrf"), origin=issuer.origin)
    row, session = await _request(issuer, request), request.cookies[COOKIE]
    match fields.get("step"):
        case "sign-in":
            return await _sign_in(issuer, request, row, fields)
        case "approve":
            return _redirect(await authorization.approve(issuer, row, session=session))
        case "deny":
            return _redirect(await authorization.deny(issuer, row, session=session))
        case _:
            raise InvalidRequest("This form is not complete. Go back, reload the page and try again.")


async def go_elsewhere(request: Request) -> Response:
    """Send the browser to where the person is recognised."""
    issuer = the_issuer(request)
    await _request(issuer, request)
    handle = request.query_params["request_uri"].removeprefix(REQUEST_URI_PREFIX)
    state = f"{handle}.{_state_tag(issuer, handle, request.cookies.get(COOKIE, ''))}"
    return_uri = f"{issuer.url}/authorize/return"
    return _redirect(await _elsewhere(issuer).begin(state=state, return_uri=return_uri))


async def come_back(request: Request) -> Response:
    """Take the browser back from there, and go on with the request that it left."""
    issuer, session = the_issuer(request), request.cookies.get(COOKIE, "")
    state = request.query_params.get("state", "")
    handle, _, tag = state.partition(".")
    if not session or not compare_digest(tag.encode(), _state_tag(issuer, handle, session).encode()):
        raise InvalidRequest("This sign-in was begun in another browser. Start again in your wallet.")
    row = await issuer.store.authorization(authorization.request_hash(issuer, handle), now=issuer.clock())
    if row is None:
        raise InvalidRequest("This request has expired. Start again in your wallet.")
    back = {"client_id": row.client_id, "request_uri": REQUEST_URI_PREFIX + handle}
    try:
        person = await _elsewhere(issuer).finish(request.query_params, state=state)
    except NotRecognised:
        return _redirect(f"{issuer.url}/authorize?{urlencode({**back, 'not-recognised': '1'})}")
    await authorization.sign_in(issuer, row, person=person, session=session)
    return _redirect(f"{issuer.url}/authorize?{urlencode(back)}")


async def _request(issuer: Issuer, request: Request) -> Any:
    """Return the pushed request that the address names."""
    try:
        parameters = parse_form(request.url.query)
    except MalformedInput as error:
        raise InvalidRequest("the authorization request is malformed", detail=str(error)) from error
    client_id, request_uri = parameters.get("client_id"), parameters.get("request_uri")
    return await authorization.open_request(
        issuer,
        client_id=client_id if isinstance(client_id, str) else None,
        request_uri=request_uri if isinstance(request_uri, str) else None,
    )


async def _sign_in(issuer: Issuer, request: Request, row: Any, fields: Mapping[str, str]) -> Response:
    if not isinstance(issuer.recognition, PasswordRecognition):
        raise InvalidRequest("There is no sign-in by password here.")
    username, database = fields.get("username", "").strip(), issuer.store.database
    guess = Guess(username, address_of(request.scope, issuer.settings.is_proxy), request.cookies.get(BADGE))
    await issuer.guesses.count(database, guess, now=issuer.clock())
    try:
        person = await issuer.recognition.recognise(username, fields.get("password", ""))
    except NotRecognised:
        return _sign_in_page(issuer, request, row, problem=WRONG, username=username, status=400)
    badge = await issuer.guesses.succeeded(database, guess)
    await authorization.sign_in(issuer, row, person=person, session=request.cookies[COOKIE])
    response = _redirect(f"{issuer.origin}{request.url.path}?{request.url.query}")
    set_cookie(response, BADGE, badge, max_age=int(BADGE_LIFETIME.total_seconds()))
    return response


def _sign_in_page(
    issuer: Issuer, request: Request, row: Any, *, problem: str | None, username: str = "", status: int = 200
) -> Response:
    elsewhere = issuer.recognition.name if isinstance(issuer.recognition, RedirectRecognition) else None
    return issuer.pages.render(
        request, "sign-in.html", status=status, form_targets=_targets(row),
        agency=issuer.settings.agency_name, credentials=_cards(issuer, request, row), problem=problem,
        username=username, password=isinstance(issuer.recognition, PasswordRecognition), elsewhere=elsewhere,
        elsewhere_url=f"{request.url.path.removesuffix('/')}/elsewhere?{request.url.query}",
    )  # fmt: skip


def _consent_page(issuer: Issuer, request: Request, row: Any) -> Response:
    return issuer.pages.render(
        request, "consent.html", form_targets=_targets(row),
        agency=issuer.settings.agency_name, credentials=_cards(issuer, request, row),
    )  # fmt: skip


def _cards(issuer: Issuer, request: Request, row: Any) -> list[CardView]:
    """Return what will be issued: each type once, with the labels of the claims that any of its formats has."""
    language = language_of(request)
    found: dict[str, tuple[Any, dict[str, None]]] = {}
    for each in row.configuration_ids:
        configuration = issuer.configurations[each]
        kind, labels = found.setdefault(configuration.type.id, (configuration.type, {}))
        for claim in kind.claims:
            if claim.mdoc if configuration.format == "mso_mdoc" else claim.sd_jwt:
                labels[in_language(claim.label, language)] = None
    return [
        CardView(in_language(kind.name, language), in_language(kind.description, language), tuple(labels))
        for kind, labels in found.values()
    ]


def _targets(row: Any) -> list[str]:
    return [origin_of(row.request["redirect_uri"])]


def _elsewhere(issuer: Issuer) -> RedirectRecognition:
    if not isinstance(issuer.recognition, RedirectRecognition):
        raise HTTPException(404, "nobody is recognised elsewhere")
    return issuer.recognition


def _state_tag(issuer: Issuer, handle: str, session: str) -> str:
    return b64u_encode(issuer.hash("sign-in elsewhere", f"{handle} {session}".encode()))


def _redirect(url: str) -> Response:
    return RedirectResponse(url, status_code=303, headers={"Cache-Control": "no-store"})
