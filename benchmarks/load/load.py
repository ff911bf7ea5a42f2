"""Load: how much, how fast, and at what cost; and whether a second worker costs more than its share.

First each walk by itself, in many short turns with a laboratory of one worker, so that the costs of a walk can be told
apart and compared although the machine's speed changes within minutes; then lives of credentials, all walks mixed, for
throughput and latency.

More workers than one push each other, the database and the load from the processor's caches where there are not cores
for all of them. What of that is the machine's and what is ours, the control tells: as many laboratories of one worker
each, under load at the same time, that share nothing but the machine.
"""

import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from statistics import median
from typing import Any, Final, TypeAlias

from benchmarks.load.laboratory import Laboratory
from benchmarks.load.postgres import Postgres
from benchmarks.load.segments import SERVICES, WALKS, Fleet, Segment, Together, combined

Rounds: TypeAlias = Sequence[Mapping[str, Segment]]
ONE, MANY, APART = "one", "many", "apart"
_TURN_SECONDS, _FEWEST_ROUNDS = 2.5, 3
_WARM_UP_SHARE, _SEPARATE_SHARE = 0.2, 0.6
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
    rounds: dict[str, list[dict[str, Segment]]]
    mixed: Segment
    failures: Sequence[str]

    @property
    def name(self) -> str:
        """Which of the laboratories is the one that was asked for."""
        return MANY if self.workers > 1 else ONE

    def walks(self, name: str) -> dict[str, Segment]:
        """Return each walk by itself, all rounds together."""
        return {walk: combined([each[walk] for each in self.rounds[name]]) for walk in STEPS}

    def worker_ratios(self, of: str = MANY, to: str = ONE) -> dict[str, float]:
        """Return the workers' CPU for a walk in one laboratory as a multiple of that in another."""
        if self.workers == 1:
            return {}
        return {walk: ratio(self.rounds[of], self.rounds[to], walk, role) for walk, (role, _) in GOALS.items()}

    def summary(self) -> dict[str, Any]:
        """Return the figures, as one JSON object says them."""
        walks = self.walks(self.name)
        return {
            "workers": self.workers,
            "wallets": self.wallets,
            "citizens_with_the_wallet_service": self.citizens,
            "listening": "SO_REUSEPORT",
            "y_microseconds": round(self.mixed.y * 1e6, 1),
            "walks_per_second": round(self.mixed.done / self.mixed.seconds, 1),
            "goals": {walk: _goal(walks[walk], role, most) for walk, (role, most) in GOALS.items()},
            "rounds": len(self.rounds[ONE]),
            "workers_ratio": self.worker_ratios(),
            "workers_ratio_goal": WORKERS_GOAL,
            "workers_ratio_where_nothing_is_shared": self.worker_ratios(APART),
            "workers_ratio_of_sharing": self.worker_ratios(MANY, APART),
            "failures": len(self.failures),
            "mixed": self.mixed.summary(),
            "walks": {walk: segment.summary() for walk, segment in walks.items()},
            **(
                {
                    f"walks_{name}": {walk: each.summary() for walk, each in self.walks(name).items()}
                    for name in self.rounds
                    if name != self.name
                }
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

        async def fleet(name: str, *, workers: int, wallets: int, wallet: bool = False) -> Fleet:
            opened = await stack.enter_async_context(
                Laboratory.open(postgres, workers=workers, wallet=wallet, name=name)
            )
            made = Fleet(opened, wallets)
            stack.callback(made.close)
            return made

        asked = await fleet("lab", workers=workers, wallets=wallets, wallet=citizens > 0)
        fleets: dict[str, Fleet | Together] = {ONE: asked}
        if workers > 1:
            alone = [
                await fleet(f"apart{each}", workers=1, wallets=max(1, wallets // workers)) for each in range(workers)
            ]
            fleets = {
                ONE: await fleet("one", workers=1, wallets=wallets), MANY: asked, APART: Together(alone)
            }  # fmt: skip
        for each in fleets.values():
            await each.prepare(seconds * _WARM_UP_SHARE / len(fleets))
        rounds = await in_turns(fleets, seconds * _SEPARATE_SHARE)
        left = seconds * (1 - _SEPARATE_SHARE - _WARM_UP_SHARE)
        print(f"mixed load for {left:.0f} s", file=sys.stderr, flush=True)
        mixed = await asked.mixed(left, citizens=citizens)
        failures = [f"{found.step}: {found.kind} {found.said}" for each in fleets.values() for found in each.failures()]
        return Loaded(workers, wallets, citizens, rounds, mixed, failures)


async def in_turns(fleets: Mapping[str, Fleet | Together], seconds: float) -> dict[str, list[dict[str, Segment]]]:
    """Run each walk by itself, all laboratories in short turns, there and back, for about so long in all."""
    rounds = max(_FEWEST_ROUNDS, round(seconds / (_TURN_SECONDS * len(fleets) * len(STEPS))))
    turn = seconds / (rounds * len(fleets) * len(STEPS))
    found: dict[str, list[dict[str, Segment]]] = {name: [] for name in fleets}
    for at in range(rounds):
        for name in fleets:
            found[name].append({})
        for step in STEPS:
            for name in list(fleets)[:: 1 if at % 2 else -1]:
                fleet = fleets[name]
                segment = await (fleet.walk(step, turn) if step in WALKS else fleet.stock(turn))
                found[name][-1][step] = segment
                print(described(name, segment), file=sys.stderr, flush=True)
    return found


def ratio(these: Rounds, those: Rounds, walk: str, *components: str) -> float:
    """Return what components used for a walk here as a multiple of what they used there, in CPU time: the median.

    Turns that are compared follow each other, so y is not needed, which would bring its own error.
    """
    pairs = zip(these, those, strict=True)
    return round(
        median(
            one[walk].per_walk_seconds(*components) / other[walk].per_walk_seconds(*components) for one, other in pairs
        ),
        3,
    )


def described(name: object, segment: Segment) -> str:
    """Return one line about a segment."""
    costs = ", ".join(f"{each} {segment.per_walk(each):.0f}" for each in segment.cpu)
    return f"{name}: {segment.done:5} x {segment.walk:12} {segment.done / segment.seconds:6.1f}/s  y each: {costs}"


def table(loaded: Loaded) -> str:
    """Return the figures for people."""
    lines = [f"{loaded.workers} workers of each service (SO_REUSEPORT), {loaded.wallets} wallets, PostgreSQL"]
    lines += [described(" alone", each) for each in loaded.walks(loaded.name).values()]
    lines.append(described(" mixed", loaded.mixed))
    lines.append(f"{'step':22}{'count':>7}{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}")
    for step, taken in loaded.mixed.summary()["milliseconds"].items():
        lines.append(f"{step:22}{taken['count']:>7}{taken['p50']:>9}{taken['p95']:>9}{taken['p99']:>9}")
    for walk, goal in loaded.summary()["goals"].items():
        missed = "" if goal["y"] <= goal["goal_y"] else " !"
        lines.append(f"{goal['role']} for one {walk}: {goal['y']} y, goal {goal['goal_y']:g}{missed}")
    for walk, found in loaded.worker_ratios().items():
        missed = "" if found <= WORKERS_GOAL else " !"
        lines.append(f"{loaded.workers} workers against one, {walk}: {found}, goal {WORKERS_GOAL}{missed}")
        nothing, sharing = loaded.worker_ratios(APART)[walk], loaded.worker_ratios(MANY, APART)[walk]
        lines.append(f"  {nothing} where they share nothing but the machine, so {sharing} for sharing")
    return "\n".join([*lines, *(f"failed: {each}" for each in loaded.failures)])
