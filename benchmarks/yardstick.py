"""The unit, and how an operation is measured in it.

1 y is one ECDSA verification on P-256 with SHA-256 through `cryptography`, with a loaded key. It is sampled right
before and after every sample of an operation, in CPU time of the thread, so that neither another tenant of the core nor
its clock counts. Operations take turns, and the median of the rounds is what is reported.
"""

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from statistics import median
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

ROUNDS: Final = 15
SAMPLE_SECONDS: Final = 0.02
YARDSTICK_RUNS: Final = 40

Operation = Callable[[], object]


@dataclass(frozen=True)
class Row:
    """An operation, its goal in y, and the same operation by other libraries."""

    operation: str
    run: Operation
    goal_y: float | None = None
    peers: dict[str, Operation] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """What a row came to."""

    operation: str
    y: float
    goal_y: float | None
    peers: dict[str, float]


def installed(peers: Mapping[str, tuple[str, Callable[[], Operation]]]) -> dict[str, Operation]:
    """Make the operations of those peers whose module, named first, is installed."""
    return {name: make() for name, (module, make) in peers.items() if find_spec(module)}


class Yardstick:
    """One verification, ready to be run."""

    def __init__(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        self._message = b"byoid" * 50
        self._ecdsa = ec.ECDSA(hashes.SHA256())
        self._signature = key.sign(self._message, self._ecdsa)
        self._key = key.public_key()

    def seconds(self) -> float:
        """Return what one verification takes now."""
        verify, signature, message, ecdsa = self._key.verify, self._signature, self._message, self._ecdsa
        start = time.thread_time()
        for _ in range(YARDSTICK_RUNS):
            verify(signature, message, ecdsa)
        return (time.thread_time() - start) / YARDSTICK_RUNS


def measure(rows: Sequence[Row], *, rounds: int = ROUNDS) -> list[Result]:
    """Measure all rows and their peers in turns."""
    yardstick = Yardstick()
    operations: dict[tuple[str, str | None], Operation] = {(row.operation, None): row.run for row in rows}
    operations |= {(row.operation, name): run for row in rows for name, run in row.peers.items()}
    repeats = {key: _repeats(run) for key, run in operations.items()}
    gc.collect()
    gc.freeze()  # what was prepared is no garbage, and is not to be searched for any
    ratios: dict[tuple[str, str | None], list[float]] = {key: [] for key in operations}
    for _ in range(rounds):
        for key, run in operations.items():
            ratios[key].append(_sample(run, repeats[key], yardstick))
    return [
        Result(
            row.operation,
            median(ratios[row.operation, None]),
            row.goal_y,
            {name: median(ratios[row.operation, name]) for name in row.peers},
        )
        for row in rows
    ]


def _repeats(run: Operation) -> int:
    """Return how often an operation must run for a sample that the clock can tell; this warms it up too."""
    run()
    start = time.thread_time()
    run()
    return max(1, round(SAMPLE_SECONDS / max(time.thread_time() - start, 1e-7)))


def _sample(run: Operation, repeats: int, yardstick: Yardstick) -> float:
    run()  # the others were running: fill the processor's caches again
    before = yardstick.seconds()
    start = time.thread_time()
    for _ in range(repeats):
        run()
    spent = time.thread_time() - start
    return spent / repeats / ((before + yardstick.seconds()) / 2)
