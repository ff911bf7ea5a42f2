"""The laboratory's processes: N workers of a role on one port, which can be killed one by one and start again."""

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.load.readings import cpu_seconds
from benchmarks.load.worker import HOST

_PATIENCE: Final = 600.0  # a machine that does much else takes long to start a process
_PAUSE: Final = 0.5  # before a worker that could not start is tried again, as every supervisor does


class Port:
    """A port that is ours: bound and not listened to, so that nobody else is given it while no worker lives."""

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._socket.bind((HOST, 0))
        self.number: int = self._socket.getsockname()[1]

    def close(self) -> None:
        """Let others have it."""
        self._socket.close()


@dataclass
class Worker:
    """A process that has said that it is ready."""

    process: asyncio.subprocess.Process

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid


class Role:
    """All workers of a role."""

    def __init__(
        self, name: str, ports: tuple[Port, ...], count: int, environment: Mapping[str, str], log: Path
    ) -> None:
        self.name = name
        self._command = [sys.executable, "-m", "benchmarks.load.worker", name, *(str(each.number) for each in ports)]
        self._count = count
        self._environment = dict(environment)
        self._log = log
        self.workers: list[Worker] = []
        self.ended: list[tuple[float, int | None]] = []  # when a worker was found that nobody had killed, and its exit
        self._restoring = asyncio.Lock()

    async def start(self) -> None:
        """Start all workers, at the same time; if one cannot, those that could are here to be stopped."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._count):
                group.create_task(self._start_one())

    async def kill(self, workers: list[Worker]) -> None:
        """Kill workers with -9."""
        self.workers = [each for each in self.workers if each not in workers]
        for worker in workers:
            with contextlib.suppress(ProcessLookupError):
                worker.process.kill()
        for worker in workers:
            await worker.process.wait()

    async def restore(self) -> None:
        """Start what is missing, again and again until it runs: the database may be away too."""
        async with self._restoring, asyncio.timeout(_PATIENCE):
            for worker in self.workers:
                if worker.process.returncode is not None:
                    self.ended.append((time.monotonic(), worker.process.returncode))
            self.workers = [each for each in self.workers if each.process.returncode is None]
            while len(self.workers) < self._count:
                try:
                    started = await self._started()
                except RuntimeError:
                    await asyncio.sleep(_PAUSE)
                else:
                    self.workers.append(started)  # to the list of now: somebody may have killed others meanwhile

    async def stop(self) -> None:
        """End all workers as an operator would."""
        for worker in self.workers:
            with contextlib.suppress(ProcessLookupError):
                worker.process.send_signal(signal.SIGTERM)
        for worker in self.workers:
            try:
                async with asyncio.timeout(10):
                    await worker.process.wait()
            except TimeoutError:
                worker.process.kill()
                await worker.process.wait()
        self.workers = []

    def cpu_seconds(self) -> float:
        """Return the CPU time of the workers that live."""
        return sum(cpu_seconds(each.pid) for each in self.workers)

    async def _start_one(self) -> None:
        self.workers.append(await self._started())

    async def _started(self) -> Worker:
        with self._log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *self._command, env=self._environment, stdout=subprocess.PIPE, stderr=log
            )
        assert process.stdout is not None
        try:
            async with asyncio.timeout(_PATIENCE):
                if (await process.stdout.readline()).strip() == b"ready":
                    return Worker(process)
        except BaseException:
            process.kill()
            raise
        await process.wait()
        raise RuntimeError(f"a worker of {self.name} did not start: {self._log.read_text()[-2000:]}")
