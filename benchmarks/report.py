"""The results as a table for people, or as one JSON object a line for programs."""

import json
from collections.abc import Iterable

from benchmarks.yardstick import Result


def as_json(results: Iterable[Result]) -> str:
    """Return one object a row: operation, y, goal_y, and the peers' y by name."""
    return "\n".join(
        json.dumps(
            {
                "operation": result.operation,
                "y": _rounded(result.y),
                "goal_y": result.goal_y,
                "peers": {name: _rounded(y) for name, y in result.peers.items()},
            }
        )
        for result in results
    )


def as_table(results: Iterable[Result]) -> str:
    """Return a table; a row that misses its goal is marked."""
    lines = [f"{'operation':34}{'y':>9}{'goal':>8}  peers"]
    for result in results:
        goal = "" if result.goal_y is None else f"{result.goal_y:g}"
        missed = " !" if result.goal_y is not None and result.y > result.goal_y else "  "
        peers = ", ".join(f"{name} {_rounded(y):g}" for name, y in result.peers.items())
        lines.append(f"{result.operation:34}{_rounded(result.y):>9g}{goal:>8}{missed}{peers}")
    return "\n".join(lines)


def _rounded(y: float) -> float:
    return float(f"{y:.3g}")
