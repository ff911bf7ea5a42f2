"""Server-rendered pages: templates in the citizen's language, strict security headers, CSRF tokens.

No page has an inline script or style, so the Content-Security-Policy can forbid both. A template gets a view, never a
table. Every form carries a token that belongs to the browser's session cookie, and a form from another site is refused
before it is read (Fetch metadata, RFC 6454 origin).
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import jinja2
from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from byoid.service import i18n, qr
from byoid.wire_errors import InvalidRequest

ASSETS: Final = Path(__file__).parent / "assets"
_EVERYWHERE: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
_FOR_DOCUMENTS: Final = (
    (b"referrer-policy", b"same-origin"),  # with no-referrer, browsers send `Origin: null` with our own forms
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (
        b"permissions-policy",
        b"camera=(self), geolocation=(), microphone=(), payment=(), usb=(), publickey-credentials-get=(self), "
        b"publickey-credentials-create=(self), digital-credentials-get=(self)",
    ),
)
_OVER_HTTPS: Final = ((b"strict-transport-security", b"max-age=63072000; includeSubDomains"),)


def content_security_policy(*, form_targets: Sequence[str] = (), wasm: bool = False) -> str:
    """Return the policy of a page.

    Args:
        form_targets: origins that a form of this page may end at. Browsers hold redirects after a form's submission to
            this list too, so the consent page names the wallet's origin.
        wasm: the page runs the QR scanner, which is WebAssembly.
    """
    scripts = "'self' 'wasm-unsafe-eval'" if wasm else "'self'"
    targets = " ".join(["'self'", *form_targets])
    return (
        f"default-src 'none'; script-src {scripts}; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        f"connect-src 'self'; manifest-src 'self'; worker-src 'self'; media-src 'self' blob:; "
        f"form-action {targets}; base-uri 'none'; frame-ancestors 'none'"
    )


class SecurityHeaders:
    """ASGI middleware that sets the headers that every answer needs; a page's own policy is kept.

    What browsers heed for documents only is left out of `application/…` answers: those of the protocols and APIs.
    """

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self._app = app
        self._everywhere = _EVERYWHERE + (_OVER_HTTPS if https else ())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        await self._app(scope, receive, partial(self._send, send))

    async def _send(self, send: Send, message: Message) -> None:
        if message["type"] == "http.response.start":
            own = dict(message["headers"])
            api = own.get(b"content-type", b"").startswith(b"application/")
            wanted = self._everywhere if api else self._everywhere + _FOR_DOCUMENTS
            message["headers"] = [*message["headers"], *(each for each in wanted if each[0] not in own)]
        await send(message)


class Pages:
    """The pages of one service: its templates over the shared ones, in four languages.

    Args:
        folder: the service's `web` folder with `templates/` and `locales/`.
        cookie: name of the session cookie that CSRF tokens belong to, `__Host-byoid-…`.
        secret: key of the CSRF tokens, at least 32 bytes; all workers share it.
    """

    def __init__(
        self, folder: Path, *, cookie: str, secret: bytes, globals_: Mapping[str, object] | None = None
    ) -> None:
        self._cookie = cookie
        self._secret = secret
        loader = jinja2.FileSystemLoader([folder / "templates", ASSETS / "templates"])
        self.catalogues = i18n.load_catalogues([ASSETS / "locales", folder / "locales"])
        self._environments = {
            language: _environment(loader, catalogue, globals_ or {}) for language, catalogue in self.catalogues.items()
        }

    def catalogue(self, request: Request) -> i18n.Catalogue:
        """Return the texts in the language of this request."""
        return self.catalogues[language_of(request)]

    def render(
        self,
        request: Request,
        template: str,
        *,
        status: int = 200,
        form_targets: Sequence[str] = (),
        wasm: bool = False,
        **view: Any,
    ) -> HTMLResponse:
        """Render a page with its policy; a browser without a session cookie gets one for its CSRF token."""
        session = request.cookies.get(self._cookie) or secrets.token_urlsafe(32)
        html = (
            self._environments[language_of(request)]
            .get_template(template)
            .render(request_path=_address(request), csrf=self._csrf(session), **view)
        )
        response = HTMLResponse(html, status_code=status)
        response.headers["Content-Security-Policy"] = content_security_policy(form_targets=form_targets, wasm=wasm)
        response.headers["Cache-Control"] = "no-store"
        response.headers["Vary"] = "Accept-Language, Cookie"
        if self._cookie not in request.cookies:
            set_cookie(response, self._cookie, session)
        return response

    def require_own_form(self, request: Request, token: str | None, *, origin: str) -> None:
        """Refuse a form that another site made the browser send.

        Raises:
            InvalidRequest: it comes from another origin, or its token does not belong to this browser's session.
        """
        require_same_origin(request, origin=origin)
        session = request.cookies.get(self._cookie, "")
        if not session or not hmac.compare_digest(self._csrf(session).encode(), (token or "").encode()):
            raise InvalidRequest("This form is no longer valid. Go back, reload the page and try again.")

    def _csrf(self, session: str) -> str:
        return hmac.new(self._secret, b"csrf" + session.encode(), hashlib.sha256).hexdigest()


def require_same_origin(request: Request, *, origin: str) -> None:
    """Refuse a state-changing request that a browser sends from another site.

    Raises:
        InvalidRequest: the browser says that the request comes from another origin.
    """
    claimed = request.headers.get("origin")
    same_site = request.headers.get("sec-fetch-site", "same-origin") in {"same-origin", "none"}
    if not same_site or (claimed is not None and claimed != origin):
        raise InvalidRequest("This request came from another site.")


async def choose_language(request: Request) -> Response:
    """Remember the choice of a language, and go back to the page: the route `/language/{code}`."""
    code, back = request.path_params["code"], request.query_params.get("back", "/")
    if code not in i18n.LANGUAGES:
        raise HTTPException(404, "there is no such language")
    # Browsers drop tabs and line feeds, so that "/\t/host" would be another host.
    local = back.startswith("/") and not back.startswith(("//", "/\\")) and not any(each < "!" for each in back)
    response = RedirectResponse(back if local else "/", 303)
    response.set_cookie(i18n.COOKIE, code, max_age=365 * 86400, path="/", secure=True, httponly=True, samesite="lax")
    return response


def set_cookie(response: Response, name: str, value: str, *, max_age: int | None = None) -> None:
    """Set a `__Host-` cookie: Secure, HttpOnly, this host only. Lax, since wallets and services link to our pages."""
    response.set_cookie(name, value, max_age=max_age, path="/", secure=True, httponly=True, samesite="lax")


def origin_of(url: str) -> str:
    """Return scheme, host and port of a URL, as a Content-Security-Policy source."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else f"{parts.scheme}:"


def language_of(request: Request) -> str:
    """Return the language for this request."""
    return i18n.choose_language(request.headers.get("accept-language"), request.cookies.get(i18n.COOKIE))


def _address(request: Request) -> str:
    """Return path and query: where a change of language comes back to."""
    return f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path


def _qr_svg(link: str) -> Markup:
    return Markup(qr.svg(link))  # noqa: S704 - drawn by us: the link is only in the pattern, never in the markup


def _environment(
    loader: jinja2.BaseLoader, catalogue: i18n.Catalogue, globals_: Mapping[str, object]
) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, extensions=["jinja2.ext.i18n"],
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.globals.update(globals_, language=catalogue.language, languages=i18n.LANGUAGES, qr_svg=_qr_svg)
    environment.filters.update(date=catalogue.day, moment=catalogue.moment, country=catalogue.country)
    # The extension adds this method to the environment; its stubs don't know.
    environment.install_gettext_callables(catalogue.gettext, catalogue.ngettext, newstyle=True)  # type: ignore[attr-defined]
    return environment
