"""Memory: each role idle and alone, the three roles in one process, and each worker over time under load.

PSS, as the kernel counts it: what is private, and a share of what is shared. A role that is measured idle is the only
process of its kind then, so nothing is shared with another worker. `python -m benchmarks.load.worker together` is the
one process: three servers on three ports, each with its own database, as in `python -m demo`.
"""

import asyncio
import contextlib
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, Final

from benchmarks.load.chaos import live_once
from benchmarks.load.laboratory import SERVICES, Laboratory
from benchmarks.load.ledger import Ledger
from benchmarks.load.postgres import Postgres
from benchmarks.load.processes import Port, Role
from benchmarks.load.readings import pss_bytes, rss_bytes
from benchmarks.load.walks import Client, GaveUp, Refused
from benchmarks.load.wire import Connection

ALONE_GOAL_MB, TOGETHER_GOAL_MB = 130, 200
_REST_SECONDS: Final = 5.0
_SAMPLES: Final = 200
_MEGABYTE: Final = 1e6
_PARTS: Final = 4  # growth is the last quarter of a run against the second: the first one warms up


@dataclass
class Measured:
    """Megabytes, idle by role, and under load by worker over the seconds."""

    idle: dict[str, float] = field(default_factory=dict)
    resident: dict[str, float] = field(default_factory=dict)  # idle, and all that is shared counted as its own
    samples: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    walks: int = 0
    failures: int = 0

    def lines(self) -> dict[str, list[tuple[float, float]]]:
        """Return what is drawn."""
        return self.samples

    def summary(self) -> dict[str, Any]:
        """Return the figures, as one JSON object says them."""
        return {
            "idle_megabytes": self.idle,
            "idle_resident_megabytes": self.resident,
            "goal_megabytes": {"alone": ALONE_GOAL_MB, "together": TOGETHER_GOAL_MB},
            "walks": self.walks,
            "failures": self.failures,
            "under_load": {name: _course(points) for name, points in self.samples.items()},
        }


def _course(points: Sequence[tuple[float, float]]) -> dict[str, float]:
    """Return where a worker's memory began and ended, and how it grew from the second quarter to the last."""
    values = [value for _, value in points]
    part = max(1, len(values) // _PARTS)
    second, last = fmean(values[part : 2 * part] or values), fmean(values[-part:])
    return {
        "minutes": round(points[-1][0] / 60, 1),
        "first": values[0],
        "last": values[-1],
        "most": max(values),
        "growth_percent": round((last / second - 1) * 100, 1),
    }


async def run_memory(*, seconds: float, workers: int, wallets: int, pace: float) -> Measured:
    """Measure idle processes first, then workers under load for so long."""
    measured = Measured()
    async with Postgres.running() as postgres, Laboratory.open(postgres, workers=workers) as laboratory:
        for name in (*SERVICES, "together"):
            measured.idle[name], measured.resident[name] = await _idle(laboratory, name)
            print(f"{name}: {measured.idle[name]:.0f} MB", file=sys.stderr, flush=True)
        await _under_load(laboratory, measured, seconds=seconds, wallets=wallets, pace=pace)
    return measured


async def _idle(laboratory: Laboratory, name: str) -> tuple[float, float]:
    """Start a process beside the laboratory's that are stopped, let it answer once and rest; its PSS and RSS."""
    for role in laboratory.roles.values():
        await role.stop()
    ports = tuple(Port() for _ in (SERVICES if name == "together" else (name,)))
    role = Role(name, ports, 1, laboratory.environment, laboratory.folder / "idle.log")
    await role.start()
    try:
        for port in ports:
            connection = Connection(port.number)
            await connection.request("GET", "/readyz")
            connection.close()
        await asyncio.sleep(_REST_SECONDS)
        pid = role.workers[0].pid
        return round(pss_bytes(pid) / _MEGABYTE, 1), round(rss_bytes(pid) / _MEGABYTE, 1)
    finally:
        await role.stop()
        for port in ports:
            port.close()


async def _under_load(laboratory: Laboratory, measured: Measured, *, seconds: float, wallets: int, pace: float) -> None:
    for role in laboratory.roles.values():
        await role.restore()
    ledger, begin = Ledger(), time.monotonic()
    end = begin + seconds
    living = [asyncio.create_task(_live(Client(laboratory.access, ledger), pace, end)) for _ in range(wallets)]
    while time.monotonic() < end:
        await asyncio.sleep(max(0.5, seconds / _SAMPLES))
        for name, role in laboratory.roles.items():
            for number, worker in enumerate(role.workers, 1):
                point = (time.monotonic() - begin, round(pss_bytes(worker.pid) / _MEGABYTE, 1))
                measured.samples.setdefault(f"{name} {number}", []).append(point)
    await asyncio.gather(*living)
    measured.walks, measured.failures = len(ledger.finished), len(ledger.failures)


async def _live(client: Client, pace: float, end: float) -> None:
    while time.monotonic() < end:
        with contextlib.suppress(Refused, GaveUp):  # the ledger has it
            await live_once(client, pace=pace, end=end)
    client.close()
