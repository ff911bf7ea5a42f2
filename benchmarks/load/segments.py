"""Closed-loop load for a time, and what it cost: latency of each step, and CPU of each component, in y.

y is measured in the same seconds in which the load runs, since a machine under load is another than one at rest.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from statistics import median, quantiles
from typing import Any, Final, TypeAlias

from benchmarks.load.citizens import live_with_the_service
from benchmarks.load.laboratory import Laboratory
from benchmarks.load.ledger import Failure, Ledger
from benchmarks.load.walks import Client, Offer
from benchmarks.yardstick import Yardstick

Walk: TypeAlias = Callable[[Client], Awaitable[None]]
WALKS: Final = ("issuance", "presentation", "revocation")
SERVICES: Final = ("issuer", "verifier", "database")
_SAMPLE_SECONDS: Final = 0.5
_PERCENT: Final = 100


@dataclass(frozen=True)
class Segment:
    """What some seconds of load came to."""

    walk: str
    seconds: float
    done: int
    y: float  # seconds
    cpu: dict[str, float]  # seconds, by component
    steps: dict[str, list[float]]

    def per_walk(self, *components: str) -> float:
        """Return the CPU of components for one walk, in y."""
        return self.per_walk_seconds(*components) / self.y

    def per_walk_seconds(self, *components: str) -> float:
        """Return the CPU of components for one walk, in seconds."""
        return sum(self.cpu[each] for each in components) / max(1, self.done)

    def summary(self) -> dict[str, Any]:
        """Return the figures."""
        return {
            "walk": self.walk,
            "seconds": round(self.seconds, 1),
            "done": self.done,
            "per_second": round(self.done / self.seconds, 1),
            "y_per_walk": {name: round(self.per_walk(name), 1) for name in self.cpu},
            "milliseconds": {step: percentiles(taken) for step, taken in self.steps.items()},
        }


def combined(segments: Sequence[Segment]) -> Segment:
    """Return several segments of one walk as one."""
    cpu: Counter[str] = Counter()
    steps: dict[str, list[float]] = {}
    for each in segments:
        cpu.update(each.cpu)
        for step, taken in each.steps.items():
            steps.setdefault(step, []).extend(taken)
    return Segment(
        walk=segments[0].walk, seconds=sum(each.seconds for each in segments), done=sum(each.done for each in segments),
        y=median(each.y for each in segments), cpu=dict(cpu), steps=steps,
    )  # fmt: skip


def beside(segments: Sequence[Segment]) -> Segment:
    """Return segments of one walk that ran at the same time in several laboratories on one PostgreSQL as one."""
    found = combined(segments)
    shared = {each: max(segment.cpu[each] for segment in segments) for each in ("database", "generator")}
    return replace(found, seconds=max(each.seconds for each in segments), cpu={**found.cpu, **shared})


def percentiles(taken: list[float]) -> dict[str, float]:
    """Return count, p50, p95 and p99 in milliseconds."""
    points = quantiles(taken, n=_PERCENT, method="inclusive") if len(taken) > 1 else taken * (_PERCENT - 1)
    return {"count": len(taken), **{f"p{at}": round(points[at - 1] * 1000, 1) for at in (50, 95, 99)}}


class Fleet:
    """Wallets that are kept between segments, so that each begins with open connections and a credential."""

    def __init__(self, laboratory: Laboratory, wallets: int) -> None:
        self.laboratory = laboratory
        self.ledger = Ledger()
        self.clients = [Client(laboratory.access, self.ledger) for _ in range(wallets)]
        self.offers: list[Offer] = []
        self.people: list[str] = []  # who have a credential that was not revoked
        self._yardstick = Yardstick()

    async def prepare(self, seconds: float) -> None:
        """Warm up: each worker has compiled its statements, prepared them on each connection, and filled its caches."""
        await self.mixed(seconds)

    async def stock(self, seconds: float) -> Segment:
        """Have offers made by the agency, for `issuance` to take."""

        async def order(client: Client) -> None:
            self.offers.append(await client.order())
            self.ledger.done("offer")

        return await self.run("offer", order, seconds)

    async def walk(self, name: str, seconds: float) -> Segment:
        """Run one kind of walk and nothing else."""
        walks = {"issuance": self._issue, "presentation": Client.present, "revocation": self._revoke}
        return await self.run(name, walks[name], seconds)

    async def mixed(self, seconds: float, *, citizens: int = 0) -> Segment:
        """Run lives: a credential is offered, issued, shown three times, and in three of ten cases revoked.

        Args:
            seconds: how long.
            citizens: how many people with the wallet service live beside the light wallets.
        """
        end = time.monotonic() + seconds
        beside = [
            asyncio.create_task(live_with_the_service(self.laboratory, self.ledger, end)) for _ in range(citizens)
        ]
        segment = await self.run("mixed", live, seconds)
        await asyncio.gather(*beside)
        return segment

    async def run(self, name: str, walk: Walk, seconds: float) -> Segment:
        """Let every wallet do `walk` again and again until the time is over."""
        ledger, begin = self.ledger, time.monotonic()
        ledger.seconds.clear()
        first, before = len(ledger.finished), self.laboratory.cpu_seconds()
        living = [asyncio.create_task(self._repeat(each, walk, begin + seconds)) for each in self.clients]
        samples = [self._yardstick.seconds()]
        while not all(task.done() for task in living):
            await asyncio.wait(living, timeout=_SAMPLE_SECONDS, return_when=asyncio.FIRST_EXCEPTION)
            samples.append(self._yardstick.seconds())
        await asyncio.gather(*living)
        after = self.laboratory.cpu_seconds()
        done = sum(kind == name or (name == "mixed" and kind != "offer") for _, kind in ledger.finished[first:])
        return Segment(
            walk=name, seconds=time.monotonic() - begin, done=done, y=median(samples),
            cpu={each: after[each] - before[each] for each in after},
            steps={step: list(taken) for step, taken in sorted(ledger.seconds.items())},
        )  # fmt: skip

    def close(self) -> None:
        """Let all connections go."""
        for client in self.clients:
            client.close()

    def failures(self) -> Sequence[Failure]:
        """Return what went wrong."""
        return self.ledger.failures

    async def _repeat(self, client: Client, walk: Walk, end: float) -> None:
        while time.monotonic() < end:
            try:
                await walk(client)
            except IndexError:  # nothing is left to take or to revoke
                return

    async def _issue(self, client: Client) -> None:
        await client.obtain(self.offers.pop())
        self.people.append(client.person)

    async def _revoke(self, client: Client) -> None:
        client.person = self.people.pop()
        await client.revoke()


class Together:
    """Fleets of laboratories that share nothing but the machine, under load at the same time."""

    def __init__(self, fleets: Sequence[Fleet]) -> None:
        self._fleets = fleets

    async def prepare(self, seconds: float) -> None:
        """Warm all up."""
        await asyncio.gather(*(each.prepare(seconds) for each in self._fleets))

    async def stock(self, seconds: float) -> Segment:
        """Have offers made in each."""
        return beside(await asyncio.gather(*(each.stock(seconds) for each in self._fleets)))

    async def walk(self, name: str, seconds: float) -> Segment:
        """Run one kind of walk in each."""
        return beside(await asyncio.gather(*(each.walk(name, seconds) for each in self._fleets)))

    def failures(self) -> Sequence[Failure]:
        """Return what went wrong in any."""
        return [failure for each in self._fleets for failure in each.failures()]


async def live(client: Client) -> None:
    """Live one life of a credential."""
    while not await client.obtain(await client.order()):
        pass
    for _ in range(3):
        await client.present()
    if random.random() < 0.3:  # noqa: PLR2004
        await client.revoke()
