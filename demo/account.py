"""The account of what happens: one line for people, or one JSON object for machines, for each step.

JSON goes to standard output and nothing else does; text for people goes to standard output too, but only without
`--json`; progress goes to standard error.
"""

import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Step:
    """One step: what it is about, and what came of it. `facts` are filled while it runs."""

    name: str
    facts: dict[str, Any] = field(default_factory=dict)
    ok: bool = False
    error: str | None = None


class Account:
    """Reports steps as they end, and remembers whether all of them did what they should."""

    def __init__(self, *, as_json: bool) -> None:
        self._json = as_json
        self.steps: list[Step] = []

    @property
    def ok(self) -> bool:
        """Whether every step did what it should."""
        return bool(self.steps) and all(step.ok for step in self.steps)

    @asynccontextmanager
    async def step(self, name: str, title: str) -> AsyncIterator[Step]:
        """Run a step. It is good if its body says so (`step.ok = True`) and raises nothing."""
        step = Step(name)
        begin = time.monotonic()
        try:
            yield step
        except Exception as error:
            step.ok, step.error = False, f"{type(error).__name__}: {error}"
        self.steps.append(step)
        self._report(step, title, time.monotonic() - begin)

    def _report(self, step: Step, title: str, seconds: float) -> None:
        if self._json:
            members = {"step": step.name, "ok": step.ok, "seconds": round(seconds, 3)}
            if step.error is not None:
                members["error"] = step.error
            print(json.dumps({**members, **step.facts}, ensure_ascii=False), flush=True)
            return
        print(f"{'✓' if step.ok else '✗'} {title}", flush=True)
        for name, value in step.facts.items():
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            print(f"    {name.replace('_', ' ')}: {text}", flush=True)
        if step.error is not None:
            print(f"    {'refused with' if step.ok else 'error'}: {step.error}", flush=True)


def progress(text: str) -> None:
    """Say what is going on, on standard error."""
    print(text, file=sys.stderr, flush=True)
