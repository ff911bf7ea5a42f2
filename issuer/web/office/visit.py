"""A clerk's request: who asks, what their role allows, the form that they sent, and the page that answers it.

Every request of a clerk is in the journal, as calls of the admin API are. Forms carry the browser's CSRF token.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias
from urllib.parse import quote, urlsplit

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from byoid.errors import MalformedInput
from byoid.oauth.form import parse_form
from byoid.service.pages import language_of
from byoid.wire_errors import InvalidRequest
from issuer import admin, clerks
from issuer.admin import Caller, Permission
from issuer.agency import Agency
from issuer.web.authorization_pages import COOKIE
from issuer.wire import FORM, media_type

PREFIX: Final = "/office"
MANY: Final = "configuration"  # the one field that may come several times
UPLOAD: Final = "multipart/form-data"
_MAX_FIELDS: Final = 64


@dataclass(frozen=True)
class Visit:
    """One request of a clerk. `chosen` are the values of the field that may come several times."""

    request: Request
    agency: Agency
    caller: Caller
    fields: Mapping[str, str] = field(default_factory=dict)
    chosen: tuple[str, ...] = ()
    upload: bytes = b""

    @property
    def base(self) -> str:
        """The path that the office is below."""
        return office_path(self.agency)

    @property
    def language(self) -> str:
        """The clerk's language."""
        return language_of(self.request)

    def page(self, template: str, *, status: int = 200, **view: Any) -> Response:
        """Show a page of the office."""
        return show(self.request, self.agency, template, status=status, caller=self.caller, **view)

    def go(self, path: str) -> Response:
        """Send the browser on, after a form."""
        return RedirectResponse(self.base + path, 303, headers={"Cache-Control": "no-store"})


Handler: TypeAlias = Callable[[Visit], Awaitable[Response]]


def office_path(agency: Agency) -> str:
    """Return the path that the office is below."""
    return urlsplit(agency.issuer.url).path + PREFIX


def show(
    request: Request, agency: Agency, template: str, *, status: int = 200, caller: Caller | None = None, **view: Any
) -> Response:
    """Show a page; without a clerk, it has no navigation."""
    may = {permission.value: caller is not None and caller.may(permission) for permission in Permission}
    return agency.issuer.pages.render(
        request, f"office/{template}.html", status=status, agency=agency.issuer.settings.agency_name,
        office=office_path(agency), here=template, clerk=caller.actor.partition(":")[2] if caller else None, may=may,
        **view,
    )  # fmt: skip


def route(base: str, path: str, handler: Handler, permission: Permission, *, method: str = "GET") -> Route:
    """Return a route for clerks whose role has a permission; others are sent to the sign-in page, or refused."""
    whole = base + PREFIX + path

    async def handle(request: Request) -> Response:
        agency: Agency = request.app.state.agency
        caller = await clerks.caller_of(agency, request.cookies.get(COOKIE))
        if caller is None:
            back = quote(request.url.path if method == "GET" else base + PREFIX, safe="/")
            return RedirectResponse(f"{base}{PREFIX}/sign-in?back={back}", 303)
        visit = Visit(request, agency, caller)
        if method == "POST":
            visit = await _with_form(visit)
        await admin.permit(agency, caller, permission, call=f"{method} {PREFIX}{path}")
        return await handler(visit)

    return Route(whole, handle, methods=[method])


async def read_form(request: Request, agency: Agency) -> tuple[dict[str, str], tuple[str, ...], bytes]:
    """Return the fields of our own form, what was chosen of several, and an uploaded file.

    Raises:
        InvalidRequest: malformed, or sent by another site.
    """
    if media_type(request) == UPLOAD:
        fields, chosen, upload = await _multipart(request)
    elif media_type(request) == FORM:
        try:
            found = parse_form(await request.body(), repeatable=(MANY,))
        except MalformedInput as error:
            raise InvalidRequest("This form is not complete. Go back, reload the page and try again.") from error
        fields = {name: value for name, value in found.items() if isinstance(value, str)}
        chosen, upload = tuple(found.get(MANY, ())), b""
    else:
        raise InvalidRequest("This form is not complete. Go back, reload the page and try again.")
    agency.issuer.pages.require_own_form(request, fields.get("csrf"), origin=agency.issuer.origin)
    return fields, chosen, upload


async def _with_form(visit: Visit) -> Visit:
    fields, chosen, upload = await read_form(visit.request, visit.agency)
    return Visit(visit.request, visit.agency, visit.caller, fields, chosen, upload)


async def _multipart(request: Request) -> tuple[dict[str, str], tuple[str, ...], bytes]:
    async with request.form(max_files=1, max_fields=_MAX_FIELDS) as form:
        values = [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
        files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
        upload = await files[0].read() if files else b""
    return dict(values), tuple(value for name, value in values if name == MANY), upload
