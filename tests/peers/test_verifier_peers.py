"""A wallet written by others before the verifier, over real HTTP: both formats, GET and POST, encrypted and not."""

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn
from httpx2 import ASGITransport

from byoid.encoding import b64u_encode
from byoid.keys import PrivateKey
from tests.verifier.world import DOCTYPE, NAMESPACE, World, definition, make_world, mdoc_query, sd_jwt_query
from verifier.app import create_app
from verifier.context import Verifier
from verifier.services import NewService, add_api_key, add_service
from verifier.settings import VerifierSettings

pytestmark = pytest.mark.peers
NPM = Path(__file__).parent / "npm"


@pytest.fixture
def world(tmp_path: Path) -> World:
    folder = tmp_path / "keys"
    folder.mkdir()
    return make_world(folder, lambda: datetime.now(UTC).replace(microsecond=0))  # the peer reads the machine's clock


@pytest.fixture
async def api(world: World, free_port: Callable[[], int]) -> AsyncIterator[httpx2.AsyncClient]:
    """The verifier behind a socket, and a service's client of it."""
    port = free_port()
    url = f"http://localhost:{port}"
    settings = VerifierSettings.load(
        profile="demo", allow_loopback_http=True, public_url=url, database_url="sqlite://",
        sealing_keys="demo:" + b64u_encode(bytes(range(32))), keys=world.folder, trust=world.folder / "trust.toml",
    )  # fmt: skip
    mounts = {"https://issuer.test": ASGITransport(world.issuer.app())}
    app = create_app(settings, mounts=mounts, ssl_context=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", lifespan="on"))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    verifier: Verifier = app.state.verifier
    now = verifier.clock()
    await add_service(verifier.store, verifier.sealer, NewService("shop", "Shop", key_name="access-shop"), now=now)
    key = await add_api_key(verifier.store, verifier.sealer, service_id="shop", label="test", now=now)
    async with httpx2.AsyncClient(base_url=f"{url}/api/v1", headers={"Authorization": f"Bearer {key}"}) as client:
        yield client
    server.should_exit = True
    await task


async def run_wallet(order: dict[str, Any]) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        "node", "verifier-wallet.mjs", cwd=NPM, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate(json.dumps(order).encode())
    answer: dict[str, Any] = json.loads(output)
    assert "error" not in answer, answer
    return answer


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("encrypted", [True, False], ids=["direct_post.jwt", "direct_post"])
@pytest.mark.parametrize("format_", ["dc+sd-jwt", "mso_mdoc"])
async def test_a_wallet_of_openid4vc_completes(
    api: httpx2.AsyncClient, world: World, format_: str, encrypted: bool, method: str
) -> None:
    holder = PrivateKey.generate()
    query = sd_jwt_query() if format_ == "dc+sd-jwt" else mdoc_query()
    defined = await api.put("/queries/pid", json=definition(query, encrypted=encrypted))
    assert defined.status_code == 201
    started = (await api.post("/transactions", json={"query": "pid", "request_uri_method": method})).json()

    answer = await run_wallet({
        "link": started["link"], "holder": holder.to_jwk(), "sdJwt": world.issuer.sd_jwt_vc(holder),
        "frame": {"given_name": True, "address": {"country": True}}, "doctype": DOCTYPE,
        "mdoc": base64.b64encode(world.issuer.mdoc_pid(holder)).decode(),
        "elements": {NAMESPACE: {"given_name": False, "age_over_18": False}},
    })  # fmt: skip

    assert (answer["status"], answer["answer"], answer["method"]) == (200, {}, method.upper())
    result = (await api.get(f"/transactions/{started['id']}/result")).json()
    assert result["state"] == "accepted"
    (credential,) = result["credentials"]["pid"]
    assert credential["format"] == format_
    assert credential["claims"] == (
        {"given_name": "Ada", "address": {"country": "DE"}}
        if format_ == "dc+sd-jwt"
        else {NAMESPACE: {"given_name": "Ada", "age_over_18": True}}
    )
