"""The wallet's composition root: settings in, application out. The only place where concrete things are chosen."""

import asyncio
import resource
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Concatenate, Final, ParamSpec, TypeVar

import httpx2
from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from byoid.oauth.jwt import Trust
from byoid.service import errors, jobs, operating
from byoid.service import logging as service_logging
from byoid.service.database import Database, Expiry
from byoid.service.garbage import spare_application
from byoid.service.http import http_client
from byoid.service.i18n import load_catalogues
from byoid.service.limits import BodyLimit
from byoid.service.pages import ASSETS, Pages, SecurityHeaders
from byoid.service.seal import Sealer
from byoid.service.tracing import telemetry, tracer_provider
from byoid.service.trust_files import load_signer, load_trust
from byoid.trust.x509 import ChainCache
from wallet import accounts
from wallet.background import JOBS
from wallet.contents import ContentStore
from wallet.context import Wallet
from wallet.issuer_client import IssuerClient
from wallet.keks import open_kek
from wallet.limits import Limits
from wallet.mail import Mail
from wallet.notice_tables import LIMITS
from wallet.notices import Notices
from wallet.passkeys import WebAuthnParty
from wallet.provider import CLIENT_KEY, WalletProvider
from wallet.push_client import PushClient
from wallet.removal import Keepers, finish_removals
from wallet.settings import WalletSettings
from wallet.status_refresh import keep_statuses_fresh
from wallet.store import VaultStore
from wallet.subscriptions import Subscriptions
from wallet.tables import VaultTable, WalletTable
from wallet.telling import TellingDoor
from wallet.unattended import unattended_routes
from wallet.vault.context import Vault
from wallet.vault.contract import LocalDoor, NotSignedIn, VaultDoor
from wallet.vault.keys import PersonId
from wallet.vault.remote import RemoteDoor
from wallet.vault.sessions import forget_what_is_over
from wallet.verifier_client import VerifierClient
from wallet.verifier_files import load_verifiers
from wallet.web import account_pages, api_errors, card_pages, device_pages, history_pages, request_pages
from wallet.web.letters import Letters
from wallet.web.notification_routes import notification_routes
from wallet.web.passkey_routes import COOKIE, passkey_routes
from wallet.web.presenting_routes import presenting_routes
from wallet.web.receiving_routes import receiving_routes, status_routes
from wallet.web.site import Site
from wallet.web_push import PushSender

P = ParamSpec("P")
T = TypeVar("T")
WEB: Final = Path(__file__).parent / "web"
HOURLY: Final = timedelta(hours=1)
OFTEN: Final = timedelta(seconds=10)
Mounts = Mapping[str, httpx2.AsyncBaseTransport]


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def from_environment() -> FastAPI:
    """Make the application as the environment says: `uvicorn --factory wallet.app:from_environment`."""
    settings = WalletSettings.load()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # reading keys and contents pass through: no core dump keeps them
    service_logging.configure(level=settings.log_level)
    app = create_app(settings)
    spare_application()
    return app


def create_app(
    settings: WalletSettings, *, clock: Callable[[], datetime] = utc_now, mounts: Mounts | None = None
) -> FastAPI:
    """Make the application: pages, and the JSON API that does the same.

    `mounts` puts applications of this process in the place of others' addresses.
    """
    door = _DoorOnceOpen()
    app = FastAPI(
        title="byoid wallet", version="1", lifespan=_lifespan(settings, door, clock, mounts),
        telemetry=telemetry(tracer_provider(settings, name="byoid-wallet")),
    )  # fmt: skip
    app.state.site = site = Site(settings, door, _pages(settings))
    _add_routes(app, site)
    app.add_middleware(BodyLimit, max_body_bytes=settings.max_body_bytes)
    operating.install(app, settings, database=lambda: site.wallet.contents.database, rate_limits=LIMITS, clock=clock)
    errors.install(app, page=site.plain_problem)
    api_errors.install(app)
    app.add_middleware(SecurityHeaders, https=settings.public_url.startswith("https"))
    return app


def _add_routes(app: FastAPI, site: Site) -> None:
    if site.settings.unattended_person is not None:  # before the pages, whose addresses it takes
        app.include_router(unattended_routes(site), include_in_schema=False)
    for pages in (account_pages, card_pages, request_pages, history_pages, device_pages):
        app.include_router(pages.router, include_in_schema=False)
    app.include_router(passkey_routes(site.door, origin=site.origin))
    app.include_router(receiving_routes(origin=site.origin))
    app.include_router(presenting_routes(origin=site.origin))
    app.include_router(notification_routes(origin=site.origin))
    app.include_router(status_routes())
    app.mount("/static/shared", StaticFiles(directory=ASSETS / "static"))
    app.mount("/static", StaticFiles(directory=WEB / "static"))


def _pages(settings: WalletSettings) -> Pages:
    secret = Sealer.from_settings(settings).keyed_hash("pages", purpose="csrf")
    names = {"wallet_name": settings.wallet_name, "origin": settings.public_url}
    return Pages(WEB, cookie=COOKIE, secret=secret, globals_=names)


def _lifespan(
    settings: WalletSettings, door: "_DoorOnceOpen", clock: Callable[[], datetime], mounts: Mounts | None
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            database = await open_database(stack, settings.database_url)
            client = http_client(settings, mounts=mounts)
            stack.push_async_callback(client.aclose)
            vault = await open_vault(stack, settings, database, clock=clock)
            door.door = TellingDoor(vault, make_notices(settings, database, client), clock=clock)
            wallet = make_wallet(settings, database, door.door, client, clock=clock)
            app.state.wallet = app.state.site.wallet = wallet
            app.state.limits = wallet.limits
            if settings.profile == "demo":
                await database.create_all(WalletTable.metadata)
            refreshing = asyncio.create_task(keep_statuses_fresh(wallet), name="status lists")
            stack.callback(refreshing.cancel)
            yield

    return lifespan


async def open_database(stack: AsyncExitStack, url: str) -> Database:
    """Open a database until the stack ends."""
    database = await Database.open(url)
    stack.push_async_callback(database.close)
    return database


async def open_vault(
    stack: AsyncExitStack, settings: WalletSettings, database: Database, *, clock: Callable[[], datetime]
) -> VaultDoor:
    """Open the way into the vault: its process's socket, or the vault in this process."""
    if settings.vault_socket is not None:
        remote = RemoteDoor.at(settings.vault_socket)
        stack.push_async_callback(remote.close)
        return remote
    own = settings.vault_database_url
    vault_database = database if own is None else await open_database(stack, own)
    if settings.profile == "demo":
        await vault_database.create_all(VaultTable.metadata)
    return LocalDoor(make_vault(settings, vault_database, clock=clock))


def make_vault(settings: WalletSettings, database: Database, *, clock: Callable[[], datetime]) -> Vault:
    """Make the vault that runs in this process."""
    party = WebAuthnParty(id=settings.host, name=settings.wallet_name, origins=(settings.public_url,))
    return Vault(VaultStore(database), party, open_kek(settings.kek), clock)


def make_wallet(
    settings: WalletSettings,
    database: Database,
    door: VaultDoor,
    client: httpx2.AsyncClient,
    *,
    clock: Callable[[], datetime],
) -> Wallet:
    """Make the context of every operation. `client` is a guarded one: addresses come from strangers."""
    trust = Trust(load_trust(settings.trust), ChainCache())
    verifiers = load_verifiers(trust.anchors, settings.verifiers)
    return Wallet(
        settings=settings,
        contents=ContentStore(database),
        door=door,
        issuers=IssuerClient(client, trust=trust, clock=clock),
        verifiers=VerifierClient(client, trust=verifiers, allow_loopback_http=settings.allow_loopback_http),
        provider=make_provider(settings, database, clock=clock),
        trust=trust,
        notices=make_notices(settings, database, client),
        limits=Limits.of(
            database,
            Sealer.from_settings(settings),
            clock=clock,
            factor=settings.limit_factor,
            is_proxy=settings.is_proxy,
        ),
        clock=clock,
    )


def make_notices(settings: WalletSettings, database: Database, client: httpx2.AsyncClient) -> Notices:
    """Make what tells citizens something. `client` is a guarded one."""
    sealer = Sealer.from_settings(settings)
    sender = PushSender.derive(sealer.keyed_hash("key", purpose="web push"), contact=settings.public_url)
    mail = Mail(settings.mail.get_secret_value(), sender=settings.mail_sender) if settings.mail is not None else None
    return Notices(
        database=database,
        subscriptions=Subscriptions(database, sealer),
        push=PushClient(client, sender),
        letters=Letters(load_catalogues([WEB / "locales"]), wallet_name=settings.wallet_name),
        mail=mail,
    )


def make_provider(settings: WalletSettings, database: Database, *, clock: Callable[[], datetime]) -> WalletProvider:
    """Make the wallet provider."""
    attestations, lists = (
        load_signer(settings.keys / f"{name}.key", settings.keys / f"{name}.pem")
        for name in ("wallet-provider", "wallet-status")
    )
    client = settings.keys / CLIENT_KEY
    return WalletProvider(
        settings, attestations, lists, database, clock, client_signer=load_signer(client) if client.exists() else None
    )


async def run_jobs(settings: WalletSettings) -> None:
    """Run the jobs until cancelled. They forget and send notices: without the citizen nobody can read anything."""
    async with AsyncExitStack() as stack:
        database = await open_database(stack, settings.database_url)
        contents, provider = ContentStore(database), make_provider(settings, database, clock=utc_now)
        client = http_client(settings)
        stack.push_async_callback(client.aclose)
        notices = make_notices(settings, database, client)
        limits = Expiry(LIMITS, expires_at=LIMITS.c.expires_at)
        keepers = Keepers(contents, provider, notices.subscriptions)
        has_wallet, expire_vault = await _open_vault_for_jobs(stack, settings, database)
        found = [
            jobs.every(OFTEN, lambda: notices.deliver_due(now=utc_now()), name="send notices"),
            jobs.every(HOURLY, lambda: limits.run(database, now=utc_now()), name="forget limits"),
            jobs.every(HOURLY, lambda: contents.expire(now=utc_now()), name="forget what is over"),
            jobs.every(HOURLY, provider.expire, name="forget attestations"),
            jobs.every(
                HOURLY, lambda: notices.subscriptions.expire(now=utc_now()), name="forget unconfirmed addresses"
            ),
            jobs.every(
                HOURLY,
                lambda: finish_removals(keepers, has_wallet=has_wallet, now=utc_now()),
                name="finish deletions",
            ),
            jobs.every(HOURLY, expire_vault, name="forget ceremonies"),
        ]
        await jobs.JobRunner(database, JOBS, clock=utc_now).run_forever(found)


async def _open_vault_for_jobs(
    stack: AsyncExitStack, settings: WalletSettings, database: Database
) -> tuple[Callable[[PersonId], Awaitable[bool]], Callable[[], Awaitable[int]]]:
    """Return how to ask the vault who has a wallet, and how to make it forget what is over."""
    if settings.vault_socket is not None:
        remote = RemoteDoor.at(settings.vault_socket)
        stack.push_async_callback(remote.close)
        return lambda person: remote.run(accounts.has_wallet, person), lambda: remote.run(forget_what_is_over)
    own = settings.vault_database_url
    vault = VaultStore(database if own is None else await open_database(stack, own))
    return vault.has_wallet, lambda: vault.expire(now=utc_now())


class _DoorOnceOpen:
    """The way into the vault, which the routes know before the vault is opened."""

    door: VaultDoor | None = None

    async def run(
        self, operation: Callable[Concatenate[Vault, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run one of the vault's operations."""
        if self.door is None:
            raise NotSignedIn("the vault is not open yet")
        return await self.door.run(operation, *args, **kwargs)
