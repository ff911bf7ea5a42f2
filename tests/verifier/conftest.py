"""Fixtures of the verifier's tests: a world, the verifier as an application, a service's and a wallet's client."""

import os
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from fastapi import FastAPI
from httpx2 import ASGITransport

from byoid.encoding import b64u_encode
from byoid.keys import PrivateKey
from tests.conftest import Clock
from tests.verifier.logins import PERSON, URL, Relying, add, browser_of
from tests.verifier.world import Wallet, World, definition, make_world, mdoc_query, sd_jwt_query
from verifier.app import create_app
from verifier.context import Verifier
from verifier.login_keys import make_keys
from verifier.services import NewService, add_api_key, add_service
from verifier.settings import VerifierSettings


@dataclass
class Running:
    """A verifier that runs, seen from outside and from inside."""

    app: FastAPI
    verifier: Verifier
    client: httpx2.AsyncClient
    api: httpx2.AsyncClient  # with the API key of the service `shop`
    settings: VerifierSettings

    async def define(self, name: str, body: dict[str, Any]) -> None:
        response = await self.api.put(f"/api/v1/queries/{name}", json=body)
        assert response.status_code in (200, 201), response.text

    async def start(self, query: str, **members: Any) -> dict[str, Any]:
        response = await self.api.post("/api/v1/transactions", json={"query": query, **members})
        assert response.status_code == 201, response.text
        started: dict[str, Any] = response.json()
        return started

    async def result(self, transaction_id: str, **query: str) -> dict[str, Any]:
        response = await self.api.get(f"/api/v1/transactions/{transaction_id}/result", params=query)
        assert response.status_code == 200, response.text
        result: dict[str, Any] = response.json()
        return result

    async def look(self, transaction_id: str) -> dict[str, Any]:
        response = await self.api.get(f"/api/v1/transactions/{transaction_id}")
        assert response.status_code == 200, response.text
        view: dict[str, Any] = response.json()
        return view


Run = Callable[..., AbstractAsyncContextManager[Running]]


@pytest.fixture
def world(tmp_path: Path, clock: Clock) -> World:
    folder = tmp_path / "keys"
    folder.mkdir()
    return make_world(folder, clock)


@pytest.fixture
def settings(world: World, tmp_path: Path) -> VerifierSettings:
    return VerifierSettings.load(
        profile="demo",
        public_url=URL,
        database_url="sqlite://",
        sealing_keys="demo:" + b64u_encode(os.urandom(32)),
        keys=world.folder,
        trust=world.folder / "trust.toml",
        wallet_endpoints=("https://wallet.test/authorize",),
        event_interval="PT0.02S",
    )


@pytest.fixture(scope="session")
def nobody() -> ssl.SSLContext:
    """Trust nobody on the internet: reading the system's certificates takes longer than a test."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@pytest.fixture
def on_disk(settings: VerifierSettings, tmp_path: Path) -> VerifierSettings:
    """Settings of verifiers that share a database."""
    return settings.model_copy(update={"database_url": f"sqlite:///{tmp_path}/verifier.db"})


@pytest.fixture
def run(world: World, clock: Clock, nobody: ssl.SSLContext) -> Run:
    """Return what runs a verifier: several may run on one database."""

    @asynccontextmanager
    async def running(settings: VerifierSettings, service: str = "shop", **members: Any) -> AsyncIterator[Running]:
        mounts = {"https://issuer.test": ASGITransport(world.issuer.app())}
        app = create_app(settings, clock=clock, mounts=mounts, ssl_context=nobody)
        async with app.router.lifespan_context(app):
            verifier: Verifier = app.state.verifier
            if await verifier.store.service(service) is None:
                new = NewService(**{"id": service, "name": service, "key_name": f"access-{service}", **members})
                await add_service(verifier.store, verifier.sealer, new, now=clock())
            key = await add_api_key(verifier.store, verifier.sealer, service_id=service, label="test", now=clock())
            transport = ASGITransport(app)
            headers = {"Authorization": f"Bearer {key}"}
            async with (
                httpx2.AsyncClient(transport=transport, base_url=URL) as client,
                httpx2.AsyncClient(transport=transport, base_url=URL, headers=headers) as api,
            ):
                yield Running(app, verifier, client, api, settings)

    return running


@pytest.fixture
async def running(run: Run, settings: VerifierSettings) -> AsyncIterator[Running]:
    """A verifier with a service and one query in each format."""
    async with run(settings) as running:
        await running.define("pid", definition(sd_jwt_query()))
        await running.define("pid-mdoc", definition(mdoc_query()))
        yield running


@pytest.fixture(scope="session")
def login_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys that sign ID tokens: an RSA key takes longer to make than a test."""
    folder = tmp_path_factory.mktemp("login-keys")
    native = rsa.generate_private_key(public_exponent=65537, key_size=2048)  # the shortest that is accepted
    (folder / "login.rs256.key").write_bytes(PrivateKey(native).to_pem())
    make_keys(folder)
    return folder


@pytest.fixture
async def provider(
    request: pytest.FixtureRequest, run: Run, settings: VerifierSettings, world: World, login_keys: Path
) -> AsyncIterator[Running]:
    """A verifier that is an OpenID Provider, with a query about a person; `param`: with which keys."""
    for name in getattr(request, "param", ("login.es256.key",)):  # an RSA key takes long to read
        (world.folder / name).write_bytes((login_keys / name).read_bytes())
    async with run(settings) as running:
        await running.define("person", definition(PERSON))
        yield running


@pytest.fixture
async def relying(provider: Running) -> AsyncIterator[Relying]:
    """A client of OpenID Connect with a secret, and a person's browser."""
    async with browser_of(provider) as browser:
        yield Relying(provider, browser, await add(provider))


@pytest.fixture
def holder(world: World, provider: Running) -> Wallet:
    return Wallet(world, provider.client)


@pytest.fixture
def wallet(world: World, running: Running) -> Wallet:
    return Wallet(world, running.client)
