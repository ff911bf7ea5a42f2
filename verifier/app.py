"""The verifier's composition root: settings in, application out. The only place where concrete things are chosen."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from functools import partial

import httpx2
from fastapi import FastAPI

from byoid.fetch import StatusListCache, fetch_trusted_list
from byoid.relying_party.sql import Change, SqlTransactions
from byoid.service import errors, operating
from byoid.service.connection import Write
from byoid.service.database import Database
from byoid.service.garbage import spare_application
from byoid.service.hot_routes import HotRoutes
from byoid.service.http import http_client
from byoid.service.limits import BodyLimit
from byoid.service.outbox import Outbox
from byoid.service.pages import SecurityHeaders
from byoid.service.seal import Sealer
from byoid.service.tracing import telemetry, tracer_provider
from byoid.trust.x509 import ChainCache
from verifier.context import Verifier
from verifier.jobs import keep_statuses_fresh
from verifier.login_keys import LoginKeys
from verifier.login_metadata import USERINFO_PATH
from verifier.login_store import LoginStore
from verifier.logins import TOKEN_PATH
from verifier.openapi import describe
from verifier.policies import SqlPolicies
from verifier.results import announcements
from verifier.routes import API, OPERATIONS
from verifier.services import Services
from verifier.settings import VerifierSettings
from verifier.store import QUERY_IN_USE, Store
from verifier.tables import VerifierTable, outbox, rate_limits, transactions
from verifier.trusted_lists import follow, keep_lists_fresh
from verifier.web import pages


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def create_app(
    settings: VerifierSettings,
    *,
    clock: Callable[[], datetime] = utc_now,
    mounts: Mapping[str, httpx2.AsyncBaseTransport] | None = None,
    ssl_context: ssl.SSLContext | None = None,
) -> FastAPI:
    """Make the application.

    Args:
        settings: the operator's.
        clock: the time.
        mounts: applications of this process in the place of others' addresses.
        ssl_context: another set of trusted certificates than the system's for what is fetched.
    """
    opened = partial(open_verifier, settings, clock=clock, mounts=mounts, ssl_context=ssl_context)
    app = FastAPI(
        title="byoid verifier", lifespan=_lifespan(opened), openapi_url=f"{API}/openapi.json", docs_url=None,
        redoc_url=None, telemetry=telemetry(tracer_provider(settings, name="byoid-verifier")),
    )  # fmt: skip
    routes = [operation.route() for operation in OPERATIONS]
    app.router.routes[:0] = routes
    app.add_middleware(HotRoutes, routes=routes)
    description = describe(OPERATIONS)
    app.openapi = lambda: description  # type: ignore[method-assign]  # FastAPI's own way to replace it
    problem = pages.install(app, settings)
    app.add_middleware(BodyLimit, max_body_bytes=settings.max_body_bytes)
    operating.install(
        app, settings, database=lambda: app.state.verifier.store.database, rate_limits=rate_limits, clock=clock,
        costs={API: 0, TOKEN_PATH: 0, USERINFO_PATH: 0},  # services have keys
    )  # fmt: skip
    errors.install(app, page=problem)
    app.add_middleware(SecurityHeaders, https=settings.public_url.startswith("https"))
    return app


def from_environment() -> FastAPI:
    """Make the application from the environment, for `uvicorn --factory`."""
    app = create_app(VerifierSettings.load())
    spare_application()
    return app


def _lifespan(
    opened: Callable[[], AbstractAsyncContextManager[Verifier]],
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opened() as verifier:
            app.state.verifier = verifier
            refreshing = asyncio.gather(keep_statuses_fresh(verifier), keep_lists_fresh(verifier))
            try:
                yield
            finally:
                refreshing.cancel()
                await asyncio.gather(refreshing, return_exceptions=True)

    return lifespan


@asynccontextmanager
async def open_verifier(
    settings: VerifierSettings,
    *,
    clock: Callable[[], datetime] = utc_now,
    mounts: Mapping[str, httpx2.AsyncBaseTransport] | None = None,
    ssl_context: ssl.SSLContext | None = None,
) -> AsyncIterator[Verifier]:
    """Open the database and the way out, and make the context of every operation."""
    database = await Database.open(settings.database_url)
    try:
        if settings.profile == "demo":
            await database.create_all(VerifierTable.metadata)
        async with http_client(settings, mounts=mounts, ssl_context=ssl_context) as client:
            verifier = make_verifier(settings, database, client, clock=clock)
            await verifier.trust.refresh(now=clock())
            yield verifier
    finally:
        await database.close()


def make_verifier(
    settings: VerifierSettings, database: Database, client: httpx2.AsyncClient, *, clock: Callable[[], datetime]
) -> Verifier:
    """Make the context of every operation."""
    sealer, store = Sealer.from_settings(settings), Store(database)
    trust = follow(settings, partial(fetch_trusted_list, client))
    services = Services(settings, store, sealer, clock)

    async def changed(change: Change) -> Sequence[Write]:
        return await announcements(verifier, change)

    verifier = Verifier(
        settings=settings,
        store=store,
        logins=LoginStore(database),
        login_keys=LoginKeys.load(settings.keys),
        services=services,
        policies=SqlPolicies(store, trust=trust, infos=services.infos, max_policies=settings.max_policies),
        transactions=SqlTransactions(database, transactions, sealer, on_changed=changed, only_if=QUERY_IN_USE),
        sealer=sealer,
        trust=trust,
        statuses=StatusListCache(client, minimum=settings.status_minimum),
        cache=ChainCache(),
        outbox=Outbox(outbox, sealer=sealer, client=client, find=services.destination),
        clock=clock,
    )
    return verifier
