"""Kill -9 in the midst of answers: afterwards each transaction is answered or answerable, never half."""

import asyncio
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest

from byoid.encoding import b64u_encode
from tests.verifier.world import VCT, Wallet, World, definition, make_world, sd_jwt_query
from verifier.app import open_verifier
from verifier.services import NewService, add_api_key, add_service
from verifier.settings import VerifierSettings

pytestmark = pytest.mark.slow
ANSWERS = 12


def environment(world: World, folder: Path, port: int) -> dict[str, str]:
    return {
        "VERIFIER_PROFILE": "demo",
        "VERIFIER_ALLOW_LOOPBACK_HTTP": "true",
        "VERIFIER_PUBLIC_URL": f"http://localhost:{port}",
        "VERIFIER_DATABASE_URL": f"sqlite:///{folder}/verifier.db",
        "VERIFIER_SEALING_KEYS": "demo:" + b64u_encode(secrets.token_bytes(32)),
        "VERIFIER_KEYS": str(world.folder),
        "VERIFIER_TRUST": str(world.folder / "trust.toml"),
    }


@asynccontextmanager
async def server(variables: dict[str, str], port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "uvicorn", "--factory", "verifier.app:from_environment", "--port", str(port),
        "--log-level", "error", env={**os.environ, **variables},
    )  # fmt: skip
    try:
        async with asyncio.timeout(60), httpx2.AsyncClient() as http:
            while True:
                try:
                    if (await http.get(f"http://localhost:{port}/healthz")).status_code == 200:
                        break
                except httpx2.HTTPError:
                    await asyncio.sleep(0.05)
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.wait()


async def test_a_kill_leaves_each_transaction_answered_or_answerable(
    tmp_path: Path, free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    world = make_world(keys, lambda: datetime.now(UTC).replace(microsecond=0))
    port = free_port()
    variables = environment(world, tmp_path, port)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    async with open_verifier(VerifierSettings.load()) as verifier:
        now = verifier.clock()
        await add_service(verifier.store, verifier.sealer, NewService("shop", "Shop", key_name="access-shop"), now=now)
        key = await add_api_key(verifier.store, verifier.sealer, service_id="shop", label="test", now=now)
    api = f"http://localhost:{port}/api/v1"
    headers = {"Authorization": f"Bearer {key}"}

    async with httpx2.AsyncClient(headers=headers) as http:
        wallet = Wallet(world, http)
        wallet.sd_jwts[VCT] = world.issuer.sd_jwt_vc(wallet.holder, status=None)
        async with server(variables, port) as process:
            assert (await http.put(f"{api}/queries/pid", json=definition(sd_jwt_query()))).status_code == 201
            answers = {}
            for _ in range(ANSWERS):
                started = (await http.post(f"{api}/transactions", json={"query": "pid"})).json()
                request = await wallet.fetch(started["link"])
                answers[started["id"]] = (request, wallet.answer(request).form())
            posting = [asyncio.create_task(wallet.post(*answer)) for answer in answers.values()]
            await asyncio.wait(posting, return_when=asyncio.FIRST_COMPLETED)  # some are answered, some are not
            process.send_signal(signal.SIGKILL)
            told = await asyncio.gather(*posting, return_exceptions=True)
        async with server(variables, port):
            for (transaction_id, answer), was_told in zip(answers.items(), told, strict=True):
                state = (await http.get(f"{api}/transactions/{transaction_id}")).json()["state"]
                assert state in ("pending", "accepted")
                if isinstance(was_told, httpx2.Response) and was_told.status_code == 200:
                    assert state == "accepted"  # what the wallet was told is true
                again = await wallet.post(*answer)
                assert again.status_code == (200 if state == "pending" else 409)
                result = (await http.get(f"{api}/transactions/{transaction_id}/result")).json()
                assert result["credentials"]["pid"][0]["claims"]["given_name"] == "Ada"
