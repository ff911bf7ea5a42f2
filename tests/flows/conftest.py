"""Fixtures of the flows: the demo's certificates and register, a real issuer application, a wallet, a citizen."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI

from byoid.encoding import b64u_encode
from demo.people import generate, make_register
from demo.pki import make_pki
from issuer.app import create_app
from issuer.context import Issuer
from issuer.settings import IssuerSettings
from issuer.sources.mapping import load_mapping
from issuer.sources.sql import SqlSource
from tests.wallet.world import WALLET_URL, Citizen, open_wallet
from wallet.context import Wallet
from wallet.web.receiving_routes import status_routes

ISSUER_URL = "https://issuer.test"
BEGIN = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
ROOT = Path(__file__).parents[2]


@dataclass
class FlowClock:
    """A clock that goes only when a test says so."""

    now: datetime = BEGIN

    def __call__(self) -> datetime:
        return self.now

    def advance(self, by: timedelta) -> None:
        self.now += by


class Desk:
    """Recognises people by their number."""

    async def recognise(self, username: str, password: str) -> str:
        return username


@pytest.fixture
def clock() -> FlowClock:
    return FlowClock()


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "pki"
    make_pki(folder, host="issuer.test", now=BEGIN - timedelta(hours=1))
    return folder


@pytest.fixture(scope="session")
def register(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("register") / "register.db"
    make_register(path, count=3)
    return path


@pytest.fixture(scope="session")
def person() -> str:
    """The person number of the demo's citizen."""
    return next(generate(seed=1, count=1)).person_number


@pytest.fixture
async def source(register: Path) -> AsyncIterator[SqlSource]:
    mapping = load_mapping(ROOT / "demo" / "register.toml")
    query = "SELECT * FROM person WHERE person_number = :person"
    found = SqlSource(f"sqlite:///{register}", query=query, mapping=mapping)
    yield found
    await found.close()


@pytest.fixture
def provider_app() -> FastAPI:
    """Where the issuer looks the status of wallets up; `app.state.wallet` comes with the wallet."""
    app = FastAPI()
    app.include_router(status_routes())
    return app


@pytest.fixture
async def issuer_app(pki: Path, source: SqlSource, clock: FlowClock, provider_app: FastAPI) -> AsyncIterator[FastAPI]:
    settings = IssuerSettings.load(
        profile="demo", public_url=ISSUER_URL, database_url="sqlite://", sealing_keys=f"demo:{b64u_encode(b'k' * 32)}",
        keys=pki, trust=pki / "trust.toml", agency_name="Gemeinde Lindenmoor",
    )  # fmt: skip
    mounts = {WALLET_URL: httpx2.ASGITransport(provider_app)}
    app = create_app(settings, source=source, recognition=Desk(), clock=clock, mounts=mounts)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
def issuer(issuer_app: FastAPI) -> Issuer:
    found: Issuer = issuer_app.state.issuer
    return found


@pytest.fixture
async def wallet(pki: Path, issuer_app: FastAPI, provider_app: FastAPI, clock: FlowClock) -> AsyncIterator[Wallet]:
    mounts = {ISSUER_URL: httpx2.ASGITransport(issuer_app)}
    async with open_wallet(pki, clock=clock, mounts=mounts, issuers=(ISSUER_URL,)) as wallet:
        provider_app.state.wallet = wallet
        yield wallet


@pytest.fixture
async def citizen(wallet: Wallet) -> Citizen:
    return await Citizen(wallet).register()
