"""The issuer's composition root: settings in, application out. The only place where concrete things are chosen."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from byoid.oauth.jwt import Trust
from byoid.service import errors, health, jobs
from byoid.service.database import Database
from byoid.service.limits import BodyLimit
from byoid.service.pages import ASSETS, SecurityHeaders
from byoid.service.seal import Sealer
from byoid.service.trust_files import load_signer, load_trust
from byoid.trust.x509 import ChainCache
from byoid.wire_errors import InvalidCredentialRequest, InvalidNotificationRequest
from issuer import status_lists
from issuer.attributes import AttributeSource
from issuer.configurations import configurations
from issuer.context import Issuer, Signers
from issuer.credential_types import CATALOGUE, load_catalogue
from issuer.metadata import issuer_metadata, server_metadata
from issuer.routes import router
from issuer.settings import IssuerSettings
from issuer.store import Store
from issuer.tables import IssuerTable


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def create_app(
    settings: IssuerSettings, *, source: AttributeSource, clock: Callable[[], datetime] = utc_now
) -> FastAPI:
    """Make the application of one agency's issuer over its authentic source."""
    app = FastAPI(title="byoid issuer", version="1", lifespan=_lifespan(settings, source, clock))
    app.include_router(router)
    app.include_router(health.router(lambda: app.state.issuer.store.database))
    app.mount("/static/shared", StaticFiles(directory=ASSETS / "static"))
    app.add_middleware(BodyLimit, max_body_bytes=settings.max_body_bytes)
    malformed = {
        "/credential": InvalidCredentialRequest, "/deferred": InvalidCredentialRequest,
        "/notification": InvalidNotificationRequest,
    }  # fmt: skip
    errors.install(app, by_path=malformed)
    app.add_middleware(SecurityHeaders, https=settings.public_url.startswith("https"))
    return app


def _lifespan(
    settings: IssuerSettings, source: AttributeSource, clock: Callable[[], datetime]
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        database = await Database.open(settings.database_url)
        try:
            app.state.issuer = make_issuer(settings, database, source=source, clock=clock)
            if settings.profile == "demo":
                await database.create_all(IssuerTable.metadata)
            yield
        finally:
            await database.close()

    return lifespan


def make_issuer(
    settings: IssuerSettings, database: Database, *, source: AttributeSource, clock: Callable[[], datetime]
) -> Issuer:
    """Make the context of every operation."""
    types = load_catalogue(settings.catalogue or CATALOGUE)
    chosen = [types[each] for each in settings.credential_types or types]
    found = configurations(chosen, public_url=settings.public_url)
    keys = settings.keys
    credential, document, status, metadata = (
        load_signer(keys / f"{name}.key", keys / f"{name}.pem")
        for name in ("credential", "document-signer", "status", "metadata")
    )
    return Issuer(
        settings=settings,
        store=Store(database),
        sealer=Sealer.from_settings(settings),
        signers=Signers(credential, document, status, metadata),
        configurations=found,
        metadata=issuer_metadata(settings, found),
        server=server_metadata(settings, found),
        source=source,
        trust=Trust(load_trust(settings.trust), ChainCache()),
        clock=clock,
    )


def issuer_jobs(issuer: Issuer) -> list[jobs.Job]:
    """Return what is to be done without a request."""
    return [
        jobs.every(issuer.settings.publish_interval, lambda: status_lists.publish(issuer), name="publish status lists"),
        jobs.every(issuer.settings.nonce_lifetime, lambda: issuer.store.expire(now=issuer.clock()), name="expire"),
    ]
