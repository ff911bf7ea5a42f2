"""The issuer's composition root: settings in, application out. The only place where concrete things are chosen."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from byoid.fetch import StatusListCache
from byoid.keys import PrivateKey
from byoid.oauth.jwt import Trust
from byoid.service import errors, operating
from byoid.service.database import Database
from byoid.service.garbage import spare_application
from byoid.service.hot_routes import HotRoutes
from byoid.service.http import http_client
from byoid.service.limits import BodyLimit
from byoid.service.pages import ASSETS, Pages, SecurityHeaders
from byoid.service.seal import Sealer
from byoid.service.settings import SettingsError
from byoid.service.tracing import telemetry, tracer_provider
from byoid.service.trust_files import load_trust
from byoid.trust.x509 import ChainCache
from byoid.wire_errors import InvalidCredentialRequest, InvalidNotificationRequest
from issuer.admin_routes import admin_router
from issuer.agency import Agency
from issuer.agency_setup import agency_parts, configured_recognition, configured_source, key_ring
from issuer.attributes import AttributeSource
from issuer.configurations import configurations
from issuer.context import Issuer
from issuer.credential_types import CATALOGUE, CredentialType, load_catalogue
from issuer.events import Events, NoEvents
from issuer.guesses import SignInGuard
from issuer.metadata import issuer_metadata, server_metadata
from issuer.protocol_openapi import document_protocol
from issuer.recognition import PersonRecognition
from issuer.recognition_wallet import WalletRecognition
from issuer.registered_clients import load_clients
from issuer.routes import protocol_routes
from issuer.settings import IssuerSettings
from issuer.status_lists import OpenLists
from issuer.status_serving import ServedLists
from issuer.store import Store
from issuer.tables import IssuerTable, rate_limits
from issuer.type_documents import type_documents
from issuer.web.authorization_pages import COOKIE, authorization_routes
from issuer.web.office import office_routes
from issuer.web.recognition_pages import recognition_routes
from issuer.webhooks import WebhookEvents

WEB: Final = Path(__file__).parent / "web"
Mounts = Mapping[str, httpx2.AsyncBaseTransport]


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def create_app(
    settings: IssuerSettings,
    *,
    source: AttributeSource | None = None,
    recognition: PersonRecognition | None = None,
    events: Events | None = None,
    clock: Callable[[], datetime] = utc_now,
    mounts: Mounts | None = None,
) -> FastAPI:
    """Make the application of one agency's issuer.

    Args:
        settings: the operator's.
        source: the authentic source, in place of the settings'.
        recognition: how people are recognised, in place of the settings'; without both, only pre-authorized offers can
            be redeemed.
        events: who listens to what happens, in place of the agency's webhooks.
        clock: the time.
        mounts: applications of this process that outgoing requests reach by URL, for tests.
    """
    plugs = {"source": source, "recognition": recognition, "events": events, "clock": clock}
    app = FastAPI(
        title="byoid issuer", version="1", lifespan=_lifespan(settings, mounts, plugs),
        telemetry=telemetry(tracer_provider(settings, name="byoid-issuer")),
    )  # fmt: skip
    protocol = protocol_routes(settings.public_url)
    app.router.routes.extend(protocol)
    app.router.routes.extend(authorization_routes(settings.public_url))
    app.router.routes.extend(office_routes(settings.public_url))
    app.mount("/static/shared", StaticFiles(directory=ASSETS / "static"))
    app.include_router(admin_router, prefix=urlsplit(settings.public_url).path)
    document_protocol(app, settings.public_url)
    app.add_middleware(HotRoutes, routes=protocol)
    app.add_middleware(BodyLimit, max_body_bytes=settings.max_body_bytes)
    path = urlsplit(settings.public_url).path
    operating.install(
        app, settings, database=lambda: app.state.issuer.store.database, rate_limits=rate_limits, clock=clock,
        costs={f"{path}/admin": 0},  # its callers have keys
    )  # fmt: skip
    malformed = {
        f"{path}/credential": InvalidCredentialRequest, f"{path}/deferred": InvalidCredentialRequest,
        f"{path}/notification": InvalidNotificationRequest,
    }  # fmt: skip
    errors.install(app, by_path=malformed, page=error_page)
    app.add_middleware(SecurityHeaders, https=settings.public_url.startswith("https"))
    return app


def error_page(request: Request, status: int, description: str) -> Response:
    """Tell a person what did not work."""
    issuer: Issuer = request.app.state.issuer
    catalogue = issuer.pages.catalogue(request)
    text = catalogue.gettext(description)
    return issuer.pages.render(
        request, "error.html", status=status, brand=issuer.settings.agency_name,
        heading=catalogue.gettext("This did not work"), message=text[:1].upper() + text[1:],
    )  # fmt: skip


def from_environment() -> FastAPI:
    """Make the application as the environment says: `uvicorn --factory issuer.app:from_environment`."""
    app = create_app(IssuerSettings.load())
    spare_application()
    return app


def _lifespan(
    settings: IssuerSettings, mounts: Mounts | None, plugs: Mapping[str, Any]
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_agency(settings, mounts=mounts, **plugs) as agency:
            app.state.agency, app.state.issuer = agency, agency.issuer
            if isinstance(agency.issuer.recognition, WalletRecognition):
                app.include_router(recognition_routes(agency.issuer.recognition, settings.public_url))
            yield

    return lifespan


@asynccontextmanager
async def open_agency(
    settings: IssuerSettings,
    *,
    source: AttributeSource | None = None,
    recognition: PersonRecognition | None = None,
    events: Events | None = None,
    clock: Callable[[], datetime] = utc_now,
    mounts: Mounts | None = None,
) -> AsyncIterator[Agency]:
    """Open an issuer and its agency's side, for the application, for jobs and for commands; see `create_app`."""
    database = await Database.open(settings.database_url)
    try:
        async with (
            http_client(settings, mounts=mounts) as http,
            nullcontext(source) if source else configured_source(settings, http=http, clock=clock) as facts,
        ):
            if settings.profile == "demo":
                await database.create_all(IssuerTable.metadata)
            sealer = Sealer.from_settings(settings)
            parts = agency_parts(settings, database, sealer=sealer, http=http)
            issuer = make_issuer(
                settings, database, http=http,
                source=facts,
                recognition=recognition or configured_recognition(settings, parts, http=http, clock=clock),
                events=events or WebhookEvents(parts.store, parts.webhooks, clock), clock=clock,
            )  # fmt: skip
            yield parts.agency(issuer)
    finally:
        await database.close()


def make_issuer(
    settings: IssuerSettings,
    database: Database,
    *,
    source: AttributeSource,
    http: httpx2.AsyncClient,
    recognition: PersonRecognition | None = None,
    events: Events | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> Issuer:
    """Make the context of every operation."""
    chosen = _chosen_types(settings)
    documents = type_documents(chosen, public_url=settings.public_url)
    found = configurations(chosen.values(), public_url=settings.public_url, documents=documents)
    sealer, clients = Sealer.from_settings(settings), load_clients(settings.clients)
    encryption_keys = {} if settings.encryption == "off" else _encryption_keys(sealer)
    return Issuer(
        settings=settings,
        store=Store(database),
        sealer=sealer,
        keys=key_ring(settings),
        configurations=found,
        types=documents,
        metadata=issuer_metadata(settings, found, encryption_keys=encryption_keys),
        server=server_metadata(settings, found, clients=clients.values(), sign_in=recognition is not None),
        source=source,
        trust=Trust(load_trust(settings.trust), ChainCache()),
        statuses=StatusListCache(http),
        clients=clients,
        recognition=recognition,
        guesses=SignInGuard(sealer, kind="sign-in"),
        office_guesses=SignInGuard(sealer, kind="office"),
        pages=Pages(WEB, cookie=COOKIE, secret=sealer.keyed_hash(b"", purpose="forms")),
        encryption_keys=encryption_keys,
        events=events or NoEvents(),
        open_lists=OpenLists(),
        served_lists=ServedLists(),
        clock=clock,
    )


def _chosen_types(settings: IssuerSettings) -> dict[str, CredentialType]:
    types = load_catalogue(settings.catalogue or CATALOGUE)
    unknown = sorted(set(settings.credential_types) - types.keys())
    if unknown:
        known = f"expected ids of the catalogue ({', '.join(types)}), got {', '.join(unknown)}"
        raise SettingsError([f"ISSUER_CREDENTIAL_TYPES: {known}"])
    return {each: types[each] for each in settings.credential_types or types}


def _encryption_keys(sealer: Sealer) -> dict[str, PrivateKey]:
    """Derive the key that requests are encrypted to from the sealing keys, so that all workers have the same."""
    secret = int.from_bytes(sealer.keyed_hash(b"", purpose="request encryption") + bytes(8), "big")
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256
    key = PrivateKey(ec.derive_private_key(secret % (order - 1) + 1, ec.SECP256R1()))
    return {key.public.thumbprint_b64u: key}
