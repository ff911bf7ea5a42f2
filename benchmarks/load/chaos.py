"""Chaos: workers, job workers and PostgreSQL itself are killed with -9 under load, and then everything is audited.

An error that a client sees is explained only if something was down that causes errors of its kind there, in the moment
of the request. Job workers explain nothing: no client waits for them.
"""

import asyncio
import contextlib
import math
import random
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

import asyncpg

from benchmarks.load.audit import Fault, audit
from benchmarks.load.facts import person_hash, read_facts
from benchmarks.load.laboratory import Laboratory
from benchmarks.load.ledger import Failure, Ledger
from benchmarks.load.processes import Role
from benchmarks.load.walks import Client, GaveUp, Refused

PRESENTATIONS: Final = 3  # of each credential
REVOKED_SHARE: Final = 0.3
_REPLAYED_SHARE: Final = 0.1
_CALM: Final = (0.5, 3.0)  # seconds between two murders
_MOST_DOWN: Final = 2  # how many may be on their way back while the next is killed
_GRACE: Final = 1.0  # an error may be noticed so long after the outage
# A verifier remembers for ten seconds that a status list could not be had, and says no in the meantime.
_STATUS_GRACE: Final = 12.0
_SHOWN, _LOGGED = 20, 20_000
_STATUS: Final = "StatusUnavailable"

# Which kinds of errors an outage explains, by the component that the client asked.
Explains: TypeAlias = dict[str, frozenset[str]]
_LOST: Final = frozenset({"connection"})
_FAULTS: Final = frozenset({"server_error"})
EXPLAINS: Final[dict[str, Explains]] = {
    "issuer": {"issuer": _LOST},
    "verifier": {"verifier": _LOST},
    "database": {"issuer": _FAULTS, "verifier": _FAULTS},
    "issuer-jobs": {},
    "verifier-jobs": {},
}


@dataclass(frozen=True, slots=True)
class Outage:
    """Something was killed, and clients were served again from the end on; infinite as long as they are not."""

    component: str
    begin: float
    end: float
    killed: int


@dataclass(frozen=True, slots=True)
class Victim:
    """What can be killed, and comes back."""

    component: str
    kill: Callable[[], Awaitable[int]]  # returns how many were killed
    restore: Callable[[], Awaitable[None]]
    serves: Callable[[], bool]  # whether clients are served again, by others or by who is back


@dataclass
class Run:
    """What happened."""

    ledger: Ledger
    begin: float
    outages: list[Outage] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    crashed: list[str] = field(default_factory=list)  # wallets that ended with an error of their own
    recorded: int = 0
    unpublished: float = 0.0  # the longest time in which a change of a status was not published

    @property
    def unexplained(self) -> list[Failure]:
        """The failures that no outage explains."""
        return [each for each in self.ledger.failures if not explained(each, self.outages)]

    @property
    def sound(self) -> bool:
        """Whether nothing was lost, nothing is there twice, and every error is explained."""
        return not (self.faults or self.unexplained or self.crashed)

    def complaints(self, laboratory: Laboratory) -> str:
        """Return what must not be, and what the workers have logged."""
        lines = [f"{each.verdict}: {each.what}" for each in self.faults[:_SHOWN]]
        lines += [f"unexplained: {each}" for each in self.unexplained[:_SHOWN]]
        lines += [*self.crashed, *(f"{each.begin:.1f} to {each.end:.1f}: {each.component}" for each in self.outages)]
        lines += [
            f"{at:.1f}: a worker of {name} had ended by itself: {code}"
            for name, role in laboratory.roles.items()
            for at, code in role.ended
        ]
        return "\n".join([*lines, *(f"{name}: {laboratory.logs(name)[-_LOGGED:]}" for name in laboratory.roles)])

    def summary(self) -> dict[str, Any]:
        """Return the figures, as one JSON object says them."""
        verdicts = Counter(each.verdict for each in self.faults)
        return {
            "issued": len(self.ledger.issued),
            "presented": len(self.ledger.presented),
            "revoked": len(self.ledger.revoked),
            "kills": sum(each.killed for each in self.outages),
            "outages": dict(Counter(each.component for each in self.outages)),
            "lost": verdicts["lost"],
            "duplicated": verdicts["duplicated"],
            "wrong": verdicts["wrong"],
            "unexplained_errors": len(self.unexplained) + len(self.crashed),
            "explained_errors": len(self.ledger.failures) - len(self.unexplained),
            "replays_refused": self.ledger.replays - len(self.ledger.taken_twice),
            "rows_without_a_delivery": self.recorded - sum(len(each.places) for each in self.ledger.issued),
            "longest_unpublished_seconds": round(self.unpublished, 1),
            "seconds": round(time.monotonic() - self.begin),
        }


def explained(failure: Failure, outages: Sequence[Outage]) -> bool:
    """Tell whether an outage explains a failure."""
    return any(_explains(outage, failure) for outage in outages)


def _explains(outage: Outage, failure: Failure) -> bool:
    if failure.end < outage.begin:
        return False
    if _STATUS in failure.said:
        return outage.component in {"issuer", "database"} and failure.begin <= outage.end + _STATUS_GRACE
    kinds = EXPLAINS[outage.component].get(failure.component, frozenset())
    return failure.kind in kinds and failure.begin <= outage.end + _GRACE


async def run_chaos(laboratory: Laboratory, *, seconds: float, wallets: int, pace: float) -> Run:
    """Let wallets live for so long while things are killed; then let all come back, and audit.

    Args:
        laboratory: what is tormented.
        seconds: how long.
        wallets: how many live at a time.
        pace: seconds that a wallet rests between two walks.
    """
    run = Run(Ledger(), time.monotonic())
    end = run.begin + seconds
    living = [asyncio.create_task(_live(laboratory, run, end, pace)) for _ in range(wallets)]
    beside = [asyncio.create_task(each) for each in (_watch_publication(laboratory, run), _supervise(laboratory))]
    try:
        await _torment(laboratory, run, end)
        await asyncio.gather(*living)
        await inspect(laboratory, run)
    finally:
        for each in beside:
            each.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
    return run


async def inspect(laboratory: Laboratory, run: Run) -> None:
    """Audit what has happened up to now."""
    facts = await read_facts(laboratory)
    run.recorded = len(facts.recorded)
    run.faults = audit(run.ledger, facts, hash_of=lambda person: person_hash(laboratory, person))


async def _watch_publication(laboratory: Laboratory, run: Run) -> None:
    """Measure for how long a list is behind at most: from the first look that finds a version unpublished."""
    seen: dict[tuple[str, int], float] = {}
    while True:
        await asyncio.sleep(0.5)
        with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            async with laboratory.postgres.connected(laboratory.databases["issuer"]) as connection:
                rows = await connection.fetch("SELECT id, changed, published FROM status_list")
            now = time.monotonic()
            behind = {
                (row["id"], version) for row in rows for version in range(row["published"] + 1, row["changed"] + 1)
            }
            seen = {each: seen.get(each, now) for each in behind}
            run.unpublished = max([run.unpublished, *(now - begin for begin in seen.values())])


async def _supervise(laboratory: Laboratory) -> None:
    """Start again who has ended by itself, such as for want of a database."""
    while True:
        await asyncio.sleep(1)
        for role in laboratory.roles.values():
            await role.restore()


async def _live(laboratory: Laboratory, run: Run, end: float, pace: float) -> None:
    client = Client(laboratory.access, run.ledger, _REPLAYED_SHARE)
    while time.monotonic() < end:
        try:
            await live_once(client, pace=pace, end=end)
        except (Refused, GaveUp) as error:
            if isinstance(error, GaveUp):
                run.crashed.append(f"gave up: {error}")
    client.close()


async def live_once(client: Client, *, pace: float, end: float) -> None:
    """Get a credential, show it a few times, and have it revoked sometimes."""
    while not await client.obtain(await client.order()):
        pass
    for _ in range(PRESENTATIONS):
        await asyncio.sleep(pace * random.uniform(0, 2))
        if time.monotonic() > end:
            return
        await client.present()
    if random.random() < REVOKED_SHARE:
        await client.revoke()


async def _torment(laboratory: Laboratory, run: Run, end: float) -> None:
    """Kill one thing after another, whether or not the last one is back; at the end, all are."""
    victims: list[Victim] = []
    recovering: set[asyncio.Task[None]] = set()
    while time.monotonic() + _CALM[1] < end:
        await asyncio.sleep(random.uniform(*_CALM))
        victims = victims or _shuffled(laboratory)
        victim, begin = victims.pop(), time.monotonic()
        if killed := await victim.kill():
            recovering.add(asyncio.create_task(_recover(run, victim, begin, killed)))
        while len(recovering) > _MOST_DOWN:
            done, recovering = await asyncio.wait(recovering, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                each.result()  # what can't be started again ends the run
    await asyncio.gather(*recovering)


async def _recover(run: Run, victim: Victim, begin: float, killed: int) -> None:
    outage = Outage(victim.component, begin, math.inf, killed)
    run.outages.append(outage)
    restoring = asyncio.ensure_future(victim.restore())
    while not victim.serves() and not restoring.done():
        await asyncio.sleep(0.02)
    run.outages[run.outages.index(outage)] = replace(outage, end=time.monotonic())
    await restoring
    summary = run.summary()
    counts = ", ".join(f"{summary[name]} {name}" for name in ("issued", "presented", "revoked", "kills"))
    print(f"{summary['seconds']:5} s  {victim.component:14} {counts}", file=sys.stderr, flush=True)


def _shuffled(laboratory: Laboratory) -> list[Victim]:
    """Return every kind of murder in any order; the database's again and again, as it comes back soonest."""
    found = [_workers(role, everyone=everyone) for role in laboratory.roles.values() for everyone in (False, True)]
    random.shuffle(found)
    return [each for one in found for each in (one, _database(laboratory))]


def _workers(role: Role, *, everyone: bool) -> Victim:
    async def kill() -> int:
        victims = list(role.workers) if everyone else role.workers[:1]
        await role.kill(victims)
        return len(victims)

    return Victim(role.name, kill, role.restore, lambda: bool(role.workers))


def _database(laboratory: Laboratory) -> Victim:
    postgres = laboratory.postgres

    async def kill() -> int:
        if not postgres.lives:
            return 0
        await postgres.kill()
        return 1

    async def restore() -> None:
        await asyncio.sleep(random.uniform(0, 1))
        await postgres.start()

    return Victim("database", kill, restore, lambda: postgres.lives)
