"""The login that a person sees: a page with the drop-in at work, its endpoints, and the ways back to the service.

OpenID Connect Core 1.0 3.1.2.1 to 3.1.2.6, OAuth 2.0 Form Post Response Mode 1.0, OpenID4VP 1.0 13.3. Each address
below `/login/…` counts only in the browser session that began the login. The page works without JavaScript too.
"""

import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from byoid.errors import ByoidError
from byoid.oauth.form import parse_form
from byoid.relying_party import Begun, link
from byoid.relying_party.transaction import Mode
from byoid.service.pages import Pages, origin_of, require_same_origin, set_cookie
from byoid.wire_errors import InvalidRequest
from verifier import login_requests
from verifier.context import Verifier
from verifier.errors import NotFound
from verifier.login_messages import Answer
from verifier.login_metadata import AUTHORIZE_PATH
from verifier.login_requests import OpenLogin, Problem
from verifier.ways import Ways, offer
from verifier.web.drop_in import NO_STORE, Attempt, as_json, drop_in_routes

COOKIE: Final = "__Host-byoid-verifier"  # the browser session
_SESSION: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_LANGUAGES: Final = re.compile(r"[A-Za-z0-9 -]{1,200}")
_ONE: Final = "/login/{handle}"
_ATTEMPT: Final = _ONE + "/attempts/{attempt}"
_MAX_PARAMETERS: Final = 16 << 10  # characters of a request: they travel in an address
TEXTS: Final[Mapping[str, str]] = {
    Problem.WAITING: "Your wallet has not answered yet.",
    Problem.ELSEWHERE: "Your wallet has answered. Go on in the window that your wallet opened.",
    Problem.DECLINED: "Your wallet declined, and nothing was shared. You can try again.",
    Problem.UNPROVEN: "An answer came that could not be verified. You can try again.",
    Problem.UNTRUSTED: "The service does not accept cards of this issuer. You can try again with another one.",
    Problem.REVOKED: "The issuer has revoked this card. You can try again with another one.",
    Problem.SUSPENDED: "The issuer has suspended this card for now. You can try again with another one.",
    Problem.EXPIRED: "This card is not valid today. You can try again with another one.",
    Problem.UNAVAILABLE: "Nobody could tell whether this card is still valid. Try again in a moment.",
    Problem.REJECTED: "What your wallet showed does not fit what was asked. You can try again with another card.",
    Problem.INCOMPLETE: "Your wallet did not show all that the service needs to recognise you. You can try again.",
}
_Handler: TypeAlias = Callable[["LoginPage"], Awaitable[Response]]


@dataclass(frozen=True)
class LoginPage:
    """A request to a page of a login that was begun in this browser."""

    verifier: Verifier
    pages: Pages
    request: Request
    login: OpenLogin

    @property
    def path(self) -> str:
        """The page's own address on our site."""
        return f"/login/{self.request.path_params['handle']}"

    @property
    def origin(self) -> str:
        """Scheme, host and port of our pages."""
        return origin_of(self.verifier.settings.public_url)

    async def attempt(self) -> Ways:
        """Return the attempt that the address names.

        Raises:
            NotFound: it is not the current one.
        """
        ways = await login_requests.attempt_of(self.verifier, self.login)
        if ways is None or ways.ids[Mode.SAME_DEVICE] != self.request.path_params["attempt"]:
            raise NotFound("There is no such attempt.")
        return ways

    async def begin_attempt(self) -> tuple[Ways, Mapping[Mode, Any]]:
        """Ask the person."""
        url = self.verifier.settings.public_url
        return await login_requests.begin_attempt(
            self.verifier, self.login, back=f"{url}{self.path}/return", origin=self.origin
        )

    def render(self, template: str, **view: Any) -> Response:
        """Render a page in the person's language: her own choice, else what the service asks for (`ui_locales`)."""
        target = origin_of(self.login.request.redirect_uri)
        request = _in_language(self.request, self.login.request.ui_locales)
        return self.pages.render(request, template, form_targets=[target], name=self.login.client.name, **view)

    def go_on(self, outcome: Answer | Problem) -> Response:
        """Go back to the service, or to the page with what is wrong."""
        if isinstance(outcome, Problem):
            return RedirectResponse(f"{self.path}?problem={outcome}", 303)
        return give(self.pages, self.request, outcome)


def login_routes() -> list[Route]:
    """Return the routes."""
    return [
        Route(AUTHORIZE_PATH, _authorize, methods=["GET"]),
        Route(AUTHORIZE_PATH, _authorize_posted, methods=["POST"]),
        Route(_ONE, _with(_show), methods=["GET"]),
        Route(f"{_ONE}/start", _with(_start_plainly), methods=["POST"]),
        Route(f"{_ONE}/cancel", _with(_cancel), methods=["POST"]),
        Route(f"{_ONE}/done", _with(_done), methods=["GET"]),
        Route(f"{_ONE}/return", _with(_come_back), methods=["GET"]),
        Route(f"{_ONE}/attempts", _with(_start), methods=["POST"]),
        *drop_in_routes(_ATTEMPT, _find),
    ]


def give(pages: Pages, request: Request, answer: Answer) -> Response:
    """Send the browser to the client with an answer: in the address, or as a form that it posts."""
    if answer.response_mode == "form_post":
        target = origin_of(answer.redirect_uri)
        return pages.render(
            request, "form_post.html", form_targets=[target], action=answer.redirect_uri, parameters=answer.parameters
        )
    separator = "&" if "?" in answer.redirect_uri else "?"
    return RedirectResponse(answer.redirect_uri + separator + urlencode(answer.parameters), 303, headers=NO_STORE)


def _with(handler: _Handler) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        return await handler(await _page_of(request))

    return handle


async def _page_of(request: Request) -> LoginPage:
    """Return the page of a login for the browser that began it; what is not only looked at, for our own pages alone."""
    state, session = request.app.state, request.cookies.get(COOKIE, "")
    login = await login_requests.open_login(state.verifier, request.path_params["handle"], session=session)
    if request.method != "GET":
        require_same_origin(request, origin=origin_of(state.verifier.settings.public_url))
    return LoginPage(state.verifier, state.pages, request, login)


async def _find(request: Request) -> Attempt:
    page = await _page_of(request)
    return Attempt(await page.attempt(), page.login.session, f"{page.path}/done")


async def _authorize(request: Request) -> Response:
    """Take an authentication request, and show its page."""
    found = request.cookies.get(COOKIE, "")
    session = found if _SESSION.fullmatch(found) else secrets.token_urlsafe(32)
    parameters = parse_form(_bounded(request.url.query))
    begun = await login_requests.begin(request.app.state.verifier, parameters, session=session)
    if isinstance(begun, Answer):
        return give(request.app.state.pages, request, begun)
    response = RedirectResponse(f"/login/{begun}", 303, headers=NO_STORE)
    if session != found:
        set_cookie(response, COOKIE, session)
    return response


async def _authorize_posted(request: Request) -> Response:
    """Ask the browser to bring the request itself: with a form of another site it brings no cookie."""
    query = _bounded(urlencode(parse_form(await request.body()), doseq=True))
    return RedirectResponse(f"{AUTHORIZE_PATH}?{query}", 303, headers=NO_STORE)


def _bounded(query: str) -> str:
    if len(query) > _MAX_PARAMETERS:
        raise InvalidRequest("The request of the service is too long.")
    return query


async def _show(page: LoginPage) -> Response:
    problem = page.request.query_params.get("problem", "")
    return page.render(
        "login.html", code=_code(page), endpoint=f"{page.path}/attempts", path=page.path, links=await _links(page),
        service=(await page.verifier.services.get(page.login.client.service_id)).name,
        over=page.login.is_over(page.verifier.clock()), problem=TEXTS.get(problem),
        restart=problem not in {Problem.WAITING, Problem.ELSEWHERE},
    )  # fmt: skip


async def _links(page: LoginPage) -> list[tuple[str | None, str]]:
    """Return the links of the current attempt by the wallet's name, for a browser that runs no scripts."""
    ways = await login_requests.attempt_of(page.verifier, page.login)
    begun = await _begun(ways) if ways else None
    if begun is None:
        return []
    wallets = page.verifier.settings.wallet_endpoints
    return [*((each.name, link(begun.parameters, each.endpoint)) for each in wallets), (None, begun.link())]


def _code(page: LoginPage) -> str | None:
    """Return where the QR code of the current attempt is, for the same browser."""
    ids = page.login.row.transactions or {}
    return f"{page.path}/attempts/{ids[Mode.SAME_DEVICE]}/qr.svg" if Mode.CROSS_DEVICE in ids else None


async def _begun(ways: Ways) -> Begun | None:
    try:
        return await ways.verifier.party(ways.service).begun(ways.ids[Mode.SAME_DEVICE])
    except ByoidError:  # it was answered, or its time is over
        return None


async def _start_plainly(page: LoginPage) -> Response:
    """Start without JavaScript."""
    await _require_own_form(page)
    await page.begin_attempt()
    return RedirectResponse(page.path, 303)


async def _cancel(page: LoginPage) -> Response:
    await _require_own_form(page)
    return page.go_on(await login_requests.deny(page.verifier, page.login))


async def _done(page: LoginPage) -> Response:
    return page.go_on(await login_requests.complete(page.verifier, page.login, response_code=None))


async def _come_back(page: LoginPage) -> Response:
    """Take the person back from a wallet on the same device."""
    code = page.request.query_params.get("response_code")
    return page.go_on(await login_requests.complete(page.verifier, page.login, response_code=code))


async def _start(page: LoginPage) -> Response:
    ways, started = await page.begin_attempt()
    attempt, path = ways.ids[Mode.SAME_DEVICE], f"{page.path}/attempts"
    return as_json(offer(started, attempt=attempt, path=path, now=page.verifier.clock()))


async def _require_own_form(page: LoginPage) -> None:
    token = parse_form(await page.request.body()).get("csrf")
    page.pages.require_own_form(page.request, token if isinstance(token, str) else None, origin=page.origin)


def _in_language(request: Request, ui_locales: str) -> Request:
    """Return the request as if its browser asked for these languages first (OpenID Connect Core 1.0 3.1.2.1)."""
    if not _LANGUAGES.fullmatch(ui_locales):
        return request
    wanted = ",".join(ui_locales.split()).encode()
    others = [(name, value) for name, value in request.scope["headers"] if name != b"accept-language"]
    return Request({**request.scope, "headers": [*others, (b"accept-language", wanted)]})
