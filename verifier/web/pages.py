"""The verifier's pages: the drop-in script for everybody's pages, logins if there are keys, in a demo the playground.

The playground is a service like any other, run by the verifier itself: a page to write a query, the drop-in at work on
it, the request as wallets get it, and the verdict. It shows what it is shown to whoever asks, so production has none.
"""

from functools import partial
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.staticfiles import StaticFiles

from byoid.encoding import b64u_encode, json_dumps, json_object, sha256
from byoid.errors import MalformedInput, OAuthError
from byoid.message import parse_message
from byoid.oauth.form import parse_form
from byoid.relying_party.messages import QueryDefinition
from byoid.service.errors import Page
from byoid.service.pages import ASSETS, Pages, choose_language
from byoid.service.seal import Sealer
from byoid.trust.anchors import Purpose
from verifier import login_keys, policies, requests
from verifier.context import Verifier
from verifier.errors import NotFound
from verifier.settings import VerifierSettings
from verifier.web.attempts import COOKIE, Playground, attempt_routes
from verifier.web.json_text import pretty
from verifier.web.login import login_routes
from verifier.web.login_endpoints import endpoint_routes
from verifier.web.query_templates import FORMATS, TEMPLATES

WEB: Final = Path(__file__).parent
SCRIPT: Final = "/static/byoid-verify.js"
_PROBLEM: Final = "This does not work"
MAX_DEFINITION_BYTES: Final = 64 << 10
# The script is for pages of other sites: with `integrity`, and under their own embedder policy.
_FOR_EVERYBODY: Final = {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}
_SIGNS_CREDENTIALS: Final = frozenset({Purpose.PID, Purpose.ATTESTATION, Purpose.MDOC})


def install(app: FastAPI, settings: VerifierSettings) -> Page | None:
    """Add the pages to the application; returns what tells a person of an error, if there are pages for persons."""
    app.router.routes.append(Route(SCRIPT, script, methods=["GET"]))
    app.router.routes.append(Route("/language/{code}", choose_language, methods=["GET"]))
    app.mount("/static/shared", StaticFiles(directory=ASSETS / "static"))
    app.mount("/static", StaticFiles(directory=WEB / "static"))
    has_logins = login_keys.are_in(settings.keys)
    if settings.playground_service is None and not has_logins:
        return None
    secret = Sealer.from_settings(settings).keyed_hash("pages", purpose="csrf")
    app.state.pages = Pages(WEB, cookie=COOKIE, secret=secret, globals_={"script": SCRIPT})
    if settings.playground_service is not None:
        _install_playground(app)
    if has_logins:
        app.router.routes.extend([*endpoint_routes(), *login_routes()])
    return partial(_problem, app.state.pages)


def _install_playground(app: FastAPI) -> None:
    app.router.routes.extend([
        Route("/playground", show, methods=["GET"]),
        Route("/playground", define, methods=["POST"]),
        Route("/playground/queries/{name}", show_query, methods=["GET"]),
        *attempt_routes("/playground/queries/{name}/attempts"),
    ])  # fmt: skip


async def script(request: Request) -> Response:
    """Give the drop-in to any page."""
    headers = {**_FOR_EVERYBODY, "Cache-Control": "public, max-age=3600"}
    return FileResponse(WEB / "static" / "byoid-verify.js", media_type="text/javascript", headers=headers)


async def show(request: Request) -> Response:
    """Show the query of a template, to be used as it is or changed."""
    template = TEMPLATES.get(request.query_params.get("template", ""), TEMPLATES["name"])
    wanted = request.query_params.get("format", "")
    definition = template.definition([wanted] if wanted in FORMATS else FORMATS)
    return _form(request, pretty(definition), template=template.id, format_=wanted)


async def define(request: Request) -> Response:
    """Make the query that the form holds, and go to its page."""
    playground = Playground.of(request)
    fields = {name: value for name, value in parse_form(await request.body()).items() if isinstance(value, str)}
    playground.pages.require_own_form(request, fields.get("csrf"), origin=playground.origin)
    text = fields.get("definition", "")
    try:
        definition = _definition(playground.verifier, text)
        name = f"playground-{b64u_encode(sha256(json_dumps(definition.to_wire()))[:9]).lower()}"
        await _keep(playground, name, definition)
    except (MalformedInput, OAuthError, ValidationError) as error:
        return _form(request, text, problem=str(error), status=400)
    return RedirectResponse(f"/playground/queries/{name}", 303)


async def show_query(request: Request) -> Response:
    """Show a query, with the drop-in at work on it."""
    playground = Playground.of(request)
    service, name = await playground.service(), request.path_params["name"]
    try:
        found = await policies.find_query(playground.verifier.store, service.id, name)
    except NotFound as error:
        raise HTTPException(404, str(error)) from error
    return playground.pages.render(
        request, "query.html", endpoint=f"/playground/queries/{name}/attempts", service=service.name,
        query=pretty(found.definition["dcql_query"]), definition=pretty(found.definition),
    )  # fmt: skip


async def _keep(playground: Playground, name: str, definition: QueryDefinition) -> None:
    service = await playground.service()
    if await playground.verifier.store.query_id(service.id, name) is None:  # the name says what is in it
        await requests.define(playground.verifier, service, name, definition)


def _problem(pages: Pages, request: Request, status: int, description: str) -> Response:
    translate = pages.catalogue(request).gettext
    heading, message = translate(_PROBLEM), translate(description)
    return pages.render(request, "error.html", status=status, heading=heading, message=message)


def _form(
    request: Request, text: str, *, template: str = "", format_: str = "", problem: str | None = None, status: int = 200
) -> Response:
    return Playground.of(request).pages.render(
        request, "playground.html", status=status, definition=text, problem=problem, templates=TEMPLATES.values(),
        chosen=template, format=format_, formats=FORMATS,
    )  # fmt: skip


def _definition(verifier: Verifier, text: str) -> QueryDefinition:
    """Read what the form holds; whom the demo trusts is trusted, where the definition says nothing about that."""
    members = json_object(text.encode(), max_bytes=MAX_DEFINITION_BYTES)
    lists = sorted({each.source for each in verifier.anchors.anchors if _SIGNS_CREDENTIALS & each.purposes})
    return parse_message(QueryDefinition, {"trust": {policies.OTHERS: {"lists": lists}}, **members})
