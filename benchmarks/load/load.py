"""Load: how much, how fast, and at what cost; and whether a second worker costs more than its share.

First each walk by itself, in turns with a laboratory of one worker, so that the costs of a walk can be told apart and
compared; then lives of credentials, all walks mixed, for throughput and latency.
"""

import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from statistics import median
from typing import Any, Final, TypeVar

from benchmarks.load.laboratory import Laboratory
from benchmarks.load.postgres import Postgres
from benchmarks.load.segments import SERVICES, WALKS, Fleet, Segment, combined

Name = TypeVar("Name", int, str)  # of a laboratory
ROUNDS: Final = 3
_WARM_UP_SHARE, _SEPARATE_SHARE = 0.2, 0.5
# The issuer's CPU for an issuance and the verifier's for a presentation, as in `http.issuance` and `http.presentation`.
GOALS: Final = {"issuance": ("issuer", 30.0), "presentation": ("verifier", 30.0)}
WORKERS_GOAL: Final = 1.1
STEPS: Final = ("offer", *WALKS)


@dataclass
class Loaded:
    """What was measured: each walk by itself, by number of workers, round by round; and lives."""

    workers: int
    wallets: int
    citizens: int
    rounds: dict[int, list[dict[str, Segment]]]
    mixed: Segment
    failures: Sequence[str]

    def walks(self, workers: int) -> dict[str, Segment]:
        """Return each walk by itself, all rounds together."""
        return {walk: combined([each[walk] for each in self.rounds[workers]]) for walk in STEPS}

    def worker_ratios(self) -> dict[str, float]:
        """Return the workers' CPU for a walk as a multiple of one worker's: the median of the rounds."""
        if self.workers == 1:
            return {}
        pairs = list(zip(self.rounds[self.workers], self.rounds[1], strict=True))
        return {
            walk: round(median(many[walk].per_walk(role) / one[walk].per_walk(role) for many, one in pairs), 3)
            for walk, (role, _) in GOALS.items()
        }

    def summary(self) -> dict[str, Any]:
        """Return the figures, as one JSON object says them."""
        walks = self.walks(self.workers)
        return {
            "workers": self.workers,
            "wallets": self.wallets,
            "citizens_with_the_wallet_service": self.citizens,
            "listening": "SO_REUSEPORT",
            "y_microseconds": round(self.mixed.y * 1e6, 1),
            "walks_per_second": round(self.mixed.done / self.mixed.seconds, 1),
            "goals": {walk: _goal(walks[walk], role, most) for walk, (role, most) in GOALS.items()},
            "workers_ratio": self.worker_ratios(),
            "workers_ratio_goal": WORKERS_GOAL,
            "failures": len(self.failures),
            "mixed": self.mixed.summary(),
            "walks": {walk: segment.summary() for walk, segment in walks.items()},
            **(
                {"walks_with_one_worker": {walk: each.summary() for walk, each in self.walks(1).items()}}
                if self.workers > 1
                else {}
            ),
        }


def _goal(segment: Segment, role: str, most: float) -> dict[str, Any]:
    return {
        "role": role,
        "y": round(segment.per_walk(role), 1),
        "goal_y": most,
        "database_y": round(segment.per_walk("database"), 1),
        "services_y": round(segment.per_walk(*SERVICES), 1),
    }


async def run_load(*, seconds: float, workers: int, wallets: int, citizens: int) -> Loaded:
    """Measure for about so long."""
    async with AsyncExitStack() as stack:
        postgres = await stack.enter_async_context(Postgres.running())
        fleets: dict[int, Fleet] = {}
        for count in sorted({1, workers}):
            opened = await stack.enter_async_context(
                Laboratory.open(postgres, workers=count, wallet=count == workers and citizens > 0, name=f"lab{count}")
            )
            fleets[count] = Fleet(opened, wallets)
            stack.callback(fleets[count].close)
            await fleets[count].prepare(seconds * _WARM_UP_SHARE / len({1, workers}))
        rounds = await separate(fleets, seconds * _SEPARATE_SHARE / (ROUNDS * len(fleets) * len(STEPS)))
        left = seconds * (1 - _SEPARATE_SHARE - _WARM_UP_SHARE)
        print(f"mixed load for {left:.0f} s", file=sys.stderr, flush=True)
        mixed = await fleets[workers].mixed(left, citizens=citizens)
        failures = [
            f"{each.step}: {each.kind} {each.said}" for fleet in fleets.values() for each in fleet.ledger.failures
        ]
        return Loaded(workers, wallets, citizens, rounds, mixed, failures)


async def separate(fleets: Mapping[Name, Fleet], seconds: float) -> dict[Name, list[dict[str, Segment]]]:
    """Run each walk by itself, so many seconds each, all laboratories in turns."""
    found: dict[Name, list[dict[str, Segment]]] = {name: [] for name in fleets}
    for _ in range(ROUNDS):
        for name, fleet in fleets.items():
            segments = {"offer": await fleet.stock(seconds)}
            for walk in WALKS:
                segments[walk] = await fleet.walk(walk, seconds)
            found[name].append(segments)
            for segment in segments.values():
                print(described(name, segment), file=sys.stderr, flush=True)
    return found


def described(name: object, segment: Segment) -> str:
    """Return one line about a segment."""
    costs = ", ".join(f"{each} {segment.per_walk(each):.0f}" for each in segment.cpu)
    return f"{name}: {segment.done:5} x {segment.walk:12} {segment.done / segment.seconds:6.1f}/s  y each: {costs}"


def table(loaded: Loaded) -> str:
    """Return the figures for people."""
    lines = [f"{loaded.workers} workers of each service (SO_REUSEPORT), {loaded.wallets} wallets, PostgreSQL"]
    lines += [described(" alone", each) for each in loaded.walks(loaded.workers).values()]
    lines.append(described(" mixed", loaded.mixed))
    lines.append(f"{'step':22}{'count':>7}{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}")
    for step, found in loaded.mixed.summary()["milliseconds"].items():
        lines.append(f"{step:22}{found['count']:>7}{found['p50']:>9}{found['p95']:>9}{found['p99']:>9}")
    for walk, goal in loaded.summary()["goals"].items():
        missed = "" if goal["y"] <= goal["goal_y"] else " !"
        lines.append(f"{goal['role']} for one {walk}: {goal['y']} y, goal {goal['goal_y']:g}{missed}")
    for walk, ratio in loaded.worker_ratios().items():
        missed = "" if ratio <= WORKERS_GOAL else " !"
        lines.append(f"{loaded.workers} workers against one, {walk}: {ratio}, goal {WORKERS_GOAL}{missed}")
    return "\n".join([*lines, *(f"failed: {each}" for each in loaded.failures)])
