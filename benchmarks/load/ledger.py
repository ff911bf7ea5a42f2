"""What the clients know: what they were told is done, what they don't know, and what failed.

The audit compares it with the databases and the published lists. A wallet's word counts from the moment in which it has
the answer: what it was told must be true, for ever and once.
"""

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TypeAlias

Place: TypeAlias = tuple[str, int]  # id of a status list, and an index in it


@dataclass(frozen=True, slots=True)
class Issued:
    """Credentials that a wallet has got."""

    person: str
    places: tuple[Place, ...]
    nonce: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A request without the answer that it should have got."""

    begin: float
    end: float
    component: str
    step: str
    kind: str  # connection, timeout, server_error, or the error that was answered
    said: str = ""


@dataclass
class Ledger:
    """Of one run."""

    issued: list[Issued] = field(default_factory=list)
    presented: list[str] = field(default_factory=list)  # ids of transactions
    revoked: set[str] = field(default_factory=set)  # people
    revocations_begun: set[str] = field(default_factory=set)
    unanswered: Counter[str] = field(default_factory=Counter)  # credential requests of a person that may have counted
    replays: int = 0
    taken_twice: list[str] = field(default_factory=list)  # replays that were not refused
    failures: list[Failure] = field(default_factory=list)
    seconds: dict[str, list[float]] = field(default_factory=dict)  # by step
    finished: list[tuple[float, str]] = field(default_factory=list)  # when which walk was done

    def took(self, step: str, begin: float) -> None:
        """Note how long a step took that was answered."""
        self.seconds.setdefault(step, []).append(time.monotonic() - begin)

    def failed(self, begin: float, component: str, step: str, kind: str, said: str = "") -> None:
        """Note a failure."""
        self.failures.append(Failure(begin, time.monotonic(), component, step, kind, said))

    def done(self, walk: str) -> None:
        """Note that a walk is done: issuance, presentation or revocation."""
        self.finished.append((time.monotonic(), walk))

    def count(self, walk: str) -> int:
        """Return how often a walk was done."""
        return sum(name == walk for _, name in self.finished)
