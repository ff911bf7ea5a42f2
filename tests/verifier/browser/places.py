"""Everybody but the person's browser, each on an origin of their own: the verifier, a web wallet, a shop."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
from httpx2 import ASGITransport
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from byoid.encoding import b64u_encode
from byoid.keys import PrivateKey
from byoid.presentation.dc_api import SIGNED, authenticate_dc_api_request, dc_api_response
from byoid.presentation.request import AuthorizationRequest
from byoid.presentation.response import AuthorizationResponse, choose_response_encryption
from tests.verifier.world import Answer, Wallet, make_world
from verifier.app import create_app, open_verifier
from verifier.services import NewService, add_api_key, add_service
from verifier.settings import VerifierSettings

ROOT = Path(__file__).parents[3]
REVOKED = 9  # a place in the status list
CONSENT = """<!doctype html><html lang="en"><title>Test wallet</title><main><h1>Test wallet</h1>
<form method="post"><button name="answer" value="share">Share</button></form></main></html>"""


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass
class BrowserWallet(Wallet):
    """A web wallet with one person's credentials; it shows the first option of what is asked."""

    format: str = "dc+sd-jwt"

    def __post_init__(self) -> None:
        super().__post_init__()
        vct = "urn:byoid:residence:1"
        self.sd_jwts[vct] = self.world.issuer.residence(self.holder, vct=vct)

    def vp_token(self, request: AuthorizationRequest, origin: str | None = None) -> dict[str, tuple[str, ...]]:
        bound = self.bound(request, origin=origin)
        having = {each.id for each in request.query.credentials if each.format == self.format}
        chosen = [next(option for option in each.options if having.issuperset(option)) for each in request.query.sets]
        return {query_id: (self.present(bound, query_id),) for option in chosen for query_id in option}

    async def share(self, link: str) -> str | None:
        """Answer a request; returns where the verifier sends the person."""
        request = await self.fetch(link)
        answer = Answer(request, self.vp_token(request), request.state)
        response = await self.post(request, answer.form())
        assert response.status_code == 200, response.text
        found: str | None = response.json().get("redirect_uri")
        return found

    async def decline(self, link: str) -> str | None:
        request = await self.fetch(link)
        response = await self.post(request, {"error": "access_denied", "state": request.state or ""})
        found: str | None = response.json().get("redirect_uri")
        return found

    def digital(self, asked: Mapping[str, Any], origin: str) -> dict[str, Any]:
        """Answer over the Digital Credentials API, as the browser's own wallet would."""
        authentic = authenticate_dc_api_request(
            asked["protocol"], asked["data"], origin=origin, trust=self.world.trust, now=utc_now(), allow_http=True
        )
        request = authentic.request
        if asked["protocol"] == SIGNED:
            assert request.client_id is not None
        token = AuthorizationResponse(vp_token=self.vp_token(request, origin))
        encryption = choose_response_encryption(request.client_metadata) if request.encrypted else None
        return dc_api_response(token, encryption)

    def app(self) -> Starlette:
        """The wallet's authorization endpoint."""

        async def authorize(request: Request) -> Response:
            if request.method == "GET":
                return HTMLResponse(CONSENT)
            back = await self.share(str(request.url))
            return RedirectResponse(back, 303) if back else HTMLResponse("<h1 id=done>Done</h1>")

        return Starlette(routes=[Route("/authorize", authorize, methods=["GET", "POST"])])


@dataclass(frozen=True)
class Places:
    """Where everybody is."""

    verifier: str
    wallet: str
    shop: str
    holder: BrowserWallet
    shop_api: httpx2.AsyncClient
    kiosk_api: httpx2.AsyncClient
    settings: VerifierSettings


def listen() -> tuple[socket.socket, int]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    return listener, listener.getsockname()[1]


@asynccontextmanager
async def serving(app: ASGIApp, listener: socket.socket) -> AsyncIterator[None]:
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
    task = asyncio.create_task(server.serve([listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await task
        listener.close()


@asynccontextmanager
async def open_places(folder: Path) -> AsyncIterator[Places]:
    """Start everybody."""
    (folder / "keys").mkdir()
    world = make_world(folder / "keys", utc_now)
    world.issuer.array.set_status(REVOKED, 1)
    (world.folder / "login.es256.key").write_bytes(PrivateKey.generate().to_pem())
    (on_verifier, verifier_port), (on_wallet, wallet_port) = listen(), listen()
    verifier, wallet = f"http://localhost:{verifier_port}", f"http://wallet.localhost:{wallet_port}"
    settings = VerifierSettings.load(
        profile="demo", public_url=verifier, allow_loopback_http=True, database_url=f"sqlite:///{folder}/verifier.db",
        sealing_keys="demo:" + b64u_encode(os.urandom(32)), keys=world.folder, trust=world.folder / "trust.toml",
        wallet_endpoints=(f"{wallet}/authorize",), playground_service="library",
    )  # fmt: skip
    app = create_app(settings, mounts={"https://issuer.test": ASGITransport(world.issuer.app())})
    shop_key, kiosk_key = await enroll(settings)
    async with (
        httpx2.AsyncClient() as client,
        api_client(verifier, shop_key) as shop_api,
        api_client(verifier, kiosk_key) as kiosk_api,
        serving(app, on_verifier),
    ):
        holder = BrowserWallet(world, client)
        async with serving(holder.app(), on_wallet), shop(verifier, shop_key) as origin:
            yield Places(verifier, wallet, origin, holder, shop_api, kiosk_api, settings)


def api_client(verifier: str, key: str) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(base_url=f"{verifier}/api/v1", headers={"Authorization": f"Bearer {key}"})


async def enroll(settings: VerifierSettings) -> list[str]:
    """Add the services; returns the API keys of the shop, and of the kiosk, which does not sign its requests."""
    async with open_verifier(settings) as verifier:
        for name in ("shop", "library"):
            new = NewService(id=name, name=name.capitalize(), key_name=f"access-{name}")
            await add_service(verifier.store, verifier.sealer, new, now=utc_now())
        kiosk = NewService(id="kiosk", name="Kiosk", prefix="redirect_uri")
        await add_service(verifier.store, verifier.sealer, kiosk, now=utc_now())
        return [
            await add_api_key(verifier.store, verifier.sealer, service_id=name, label="test", now=utc_now())
            for name in ("shop", "kiosk")
        ]


@asynccontextmanager
async def shop(verifier: str, key: str) -> AsyncIterator[str]:
    """Start the sample service, on an origin of another site than the verifier's."""
    probe, port = listen()
    probe.close()
    origin = f"http://shop.localhost:{port}"
    environment = {
        **os.environ, "PORT": str(port), "ORIGIN": origin, "VERIFIER_URL": verifier, "VERIFIER_KEY": key,
        "TRUST": '["issuers"]',
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        "node", str(ROOT / "demo/http_service/service.mjs"), env=environment, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), 20)
        assert line.startswith(b"ready"), "the sample service did not start"
        yield origin
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
