"""What every page needs: the wallet, the templates, who is visiting, and a way to tell what went wrong.

A page is a route of class `PageRoute`: whoever is not signed in is sent to the welcome page and comes back afterwards,
and an error becomes a page in plain words.
"""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import quote, urlencode

from fastapi import Depends
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from byoid.errors import ByoidError, OAuthError
from byoid.oauth.form import parse_form
from byoid.service.i18n import Catalogue
from byoid.service.pages import Pages
from wallet.context import Visit, Wallet
from wallet.settings import WalletSettings
from wallet.vault.contract import NotSignedIn, VaultDoor
from wallet.web import texts
from wallet.web.passkey_routes import COOKIE

_SEE_OTHER: Final = 303
_MAX_NEXT: Final = 60_000  # a request by value can be long


@dataclass(frozen=True)
class Frame:
    """What the frame of a page shows: tabs, but not where a decision is due, and what must be known on every page."""

    signed_in: bool = False
    tab: str = ""
    locked: bool = False
    recovery_usable_at: datetime | None = None
    here: str = "/"  # where to go on once the wallet is unlocked


@dataclass
class Site:
    """The pages of one wallet."""

    settings: WalletSettings
    door: VaultDoor
    pages: Pages
    # Unattended mode: who visits where nobody is signed in.
    substitute: Callable[[], Awaitable[Visit]] | None = None
    _wallet: Wallet | None = field(default=None, repr=False)

    @property
    def origin(self) -> str:
        """The wallet's own origin."""
        return self.settings.public_url

    @property
    def wallet(self) -> Wallet:
        """The context of operations, once the application has started."""
        if self._wallet is None:
            raise NotSignedIn("the wallet is not open yet")
        return self._wallet

    @wallet.setter
    def wallet(self, wallet: Wallet) -> None:
        self._wallet = wallet

    async def visit(self, request: Request) -> Visit:
        """Return who is visiting.

        Raises:
            NotSignedIn: nobody is signed in.
        """
        try:
            return await self.wallet.visit(request.cookies.get(COOKIE, ""))
        except NotSignedIn:
            if self.substitute is None:
                raise
            return await self.substitute()

    def catalogue(self, request: Request) -> Catalogue:
        """Return the texts in the citizen's language."""
        return self.pages.catalogue(request)

    def render(
        self, request: Request, template: str, *, visit: Visit | None = None, tab: str = "", **view: Any
    ) -> HTMLResponse:
        """Render a page, with its frame if somebody is signed in."""
        session = visit.session if visit else None
        here = safe_next(_path(request)) if request.method == "GET" else "/"
        frame = Frame(True, tab, session.locked, session.recovery_usable_at, here) if session else Frame()
        script_texts = texts.script_texts(self.catalogue(request))
        return self.pages.render(request, template, frame=frame, script_texts=script_texts, **view)

    def problem(self, request: Request, error: ByoidError, *, visit: Visit | None = None) -> HTMLResponse:
        """Render an error in words that a citizen understands."""
        problem = texts.problem(error, self.catalogue(request))
        page = self.render(request, "problem.html", visit=visit, status=problem.status, problem=problem)
        if isinstance(error, OAuthError):
            page.headers.update(error.headers)  # such as Retry-After
        return page

    def plain_problem(self, request: Request, status: int, description: str) -> Response:
        """Render an error of the framework: a page that isn't there, a form that is too long."""
        problem = texts.plain_problem(status, self.catalogue(request))
        return self.render(request, "problem.html", status=status, problem=problem)

    async def form(self, request: Request) -> dict[str, str]:
        """Return the fields of a form of ours.

        Raises:
            InvalidRequest: another site sent it, or it is too old.
            MalformedInput: it is not a form.
        """
        fields = {name: str(value) for name, value in parse_form(await request.body(), repeatable=()).items()}
        self.pages.require_own_form(request, fields.pop("csrf", None), origin=self.origin)
        return fields


class PageRoute(APIRoute):
    """A route that answers with pages, whatever happens."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler that turns errors into pages."""
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await inner(request)
            except NotSignedIn:
                return to_welcome(request)
            except ByoidError as error:
                site = the_site(request)
                try:
                    visit = await site.visit(request)
                except NotSignedIn:
                    visit = None
                return site.problem(request, error, visit=visit)

        return handle


def the_site(request: Request) -> Site:
    """Return the site that `app.py` made."""
    site: Site = request.app.state.site
    return site


async def the_visit(request: Request) -> Visit:
    """Return who is visiting.

    Raises:
        NotSignedIn: nobody; `PageRoute` sends them to the welcome page.
    """
    return await the_site(request).visit(request)


SiteContext = Annotated[Site, Depends(the_site)]
Visitor = Annotated[Visit, Depends(the_visit)]


def see_other(url: str) -> RedirectResponse:
    """Send the browser to a page after a form."""
    return RedirectResponse(url, _SEE_OTHER)


def to_welcome(request: Request) -> RedirectResponse:
    """Send somebody who is not signed in to the welcome page; a page that was asked for comes afterwards."""
    if request.method != "GET" or request.url.path == "/":
        return see_other("/welcome")
    return see_other(f"/welcome?{urlencode({'next': _path(request)}, quote_via=quote)}")


def _path(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def safe_next(path: str | None) -> str:
    """Return a path of ours to go on with; anything else becomes the dashboard."""
    if not path or len(path) > _MAX_NEXT or not path.startswith("/"):
        return "/"
    return "/" if path[1:2] in {"/", "\\"} or any(each < "!" for each in path) else path
