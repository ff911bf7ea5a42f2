"""A real process, killed with -9 in the middle of many issuances: what was delivered is recorded, nothing twice."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest

from byoid.formats.sd_jwt_vc import parse_sd_jwt_vc
from demo.people import make_register
from demo.pki import make_pki
from tests.peers.dishonest_wallet.wallet import Wallet

PID = {"credential_configuration_id": "pid_sd_jwt"}
WALLETS = 24


@pytest.mark.slow
async def test_kill_9_in_the_middle_of_issuance(tmp_path: Path, free_port: Callable[[], int]) -> None:
    make_register(tmp_path / "register.db")
    make_pki(tmp_path / "pki", host="localhost", now=datetime.now(UTC) - timedelta(hours=1))
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "benchmarks.http_issuance", f"sqlite:///{tmp_path}/i.db", str(port), tmp_path, ""]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": "."})
    async with httpx2.AsyncClient(base_url=base, timeout=30) as http:
        try:
            await _started(http)
            wallets = [
                Wallet(http=http, issuer=base, clock=lambda: datetime.now(UTC), client_id=None) for _ in range(WALLETS)
            ]
            offers = (await http.post(f"/bench/offers?count={WALLETS}")).json()
            for wallet, uri in zip(wallets, offers, strict=True):
                assert (await wallet.redeem_offer((await http.get(uri)).json())).status_code == 200
            nonces = [await wallet.nonce() for wallet in wallets]
            tasks = [
                asyncio.create_task(wallet.request(PID, keys=3, nonce=nonce))
                for wallet, nonce in zip(wallets, nonces, strict=True)
            ]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            process.send_signal(signal.SIGKILL)
            answers = await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            process.kill()
            process.wait()
    first = [each for each in answers if isinstance(each, httpx2.Response) and each.status_code == 200]
    assert first
    again = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": "."})
    async with httpx2.AsyncClient(base_url=base, timeout=30) as http:
        try:
            await _started(http)
            second = []
            for wallet, nonce, answer in zip(wallets, nonces, answers, strict=True):
                wallet.http = http
                retried = await wallet.request(PID, keys=3, nonce=nonce)
                if retried.status_code == 200:
                    assert not isinstance(answer, httpx2.Response), "a nonce gave credentials twice"
                    second.append(retried)
                else:
                    assert retried.json()["error"] == "invalid_nonce"
        finally:
            again.kill()
            again.wait()
    delivered = [place for answer in [*first, *second] for place in _places(answer)]
    with sqlite3.connect(tmp_path / "i.db") as database:
        recorded = database.execute("SELECT status_list_id, status_index FROM issuance").fetchall()
    assert len(set(recorded)) == len(recorded)
    assert len(set(delivered)) == len(delivered)
    assert set(delivered) <= set(recorded)


async def _started(http: httpx2.AsyncClient) -> None:
    for _ in range(1200):
        try:
            await http.get("/healthz")
        except httpx2.TransportError:
            await asyncio.sleep(0.05)
        else:
            return
    raise AssertionError("the issuer did not start")


def _places(answer: httpx2.Response) -> list[tuple[str, int]]:
    found = []
    for each in answer.json()["credentials"]:
        entry = parse_sd_jwt_vc(each["credential"]).jws.claims()["status"]["status_list"]
        found.append((entry["uri"].rpartition("/")[2], entry["idx"]))
    return found
