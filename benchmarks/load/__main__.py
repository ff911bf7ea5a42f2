"""`python -m benchmarks.load load|chaos|grow|memory [options]`: see the Makefile and each module."""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from matplotlib.axes import Axes

from benchmarks.load import chaos, grow, load, memory, plots
from benchmarks.load.laboratory import Laboratory
from benchmarks.load.postgres import Postgres

Plots = Mapping[str, Callable[[Axes], None]]


def main() -> int:
    """Run one of the laboratory's experiments; 1 if it found what must not be."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line on stdout")
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--workers", type=int, default=2, help="of each service")
    parser.add_argument("--wallets", type=int, default=8, help="how many live at a time")
    parser.add_argument("--citizens", type=int, default=1, help="load: people with the wallet service, beside those")
    parser.add_argument("--pace", type=float, default=0.0, help="seconds that a wallet rests between two walks")
    parser.add_argument("--rows", type=int, default=1_000_000, help="grow: credentials that were issued before")
    parser.add_argument("--open", type=int, default=100_000, help="grow: transactions that nobody answers")
    parser.add_argument("experiment", choices=("load", "chaos", "grow", "memory"))
    arguments = parser.parse_args()
    return asyncio.run(_stoppable(EXPERIMENTS[arguments.experiment](arguments)))


async def _stoppable(experiment: Awaitable[int]) -> int:
    """Run it; when this process is told to stop, end all that was started first."""
    task = asyncio.ensure_future(experiment)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


async def _load(arguments: argparse.Namespace) -> int:
    loaded = await load.run_load(
        seconds=arguments.seconds, workers=arguments.workers, wallets=arguments.wallets, citizens=arguments.citizens
    )
    print(load.table(loaded), file=sys.stderr)
    _tell(arguments, "load", loaded.summary(), plots.draw_load(loaded))
    return 1 if loaded.failures else 0


async def _chaos(arguments: argparse.Namespace) -> int:
    async with Postgres.running() as postgres, Laboratory.open(postgres, workers=arguments.workers, jobs=2) as opened:
        run = await chaos.run_chaos(
            opened, seconds=arguments.seconds, wallets=arguments.wallets, pace=arguments.pace
        )  # fmt: skip
        if not run.sound:
            print(run.complaints(opened), file=sys.stderr)
    _tell(arguments, "chaos", run.summary(), plots.draw_chaos(run))
    return 0 if run.sound else 1


async def _grow(arguments: argparse.Namespace) -> int:
    grown = await grow.run_grow(
        rows=arguments.rows, open_=arguments.open, seconds=arguments.seconds, wallets=arguments.wallets
    )
    _tell(arguments, "grow", grown.summary(), {"ratio": grown.draw})
    return 0


async def _memory(arguments: argparse.Namespace) -> int:
    measured = await memory.run_memory(
        seconds=arguments.seconds, workers=arguments.workers, wallets=arguments.wallets, pace=arguments.pace
    )
    drawn = plots.draw_lines("Memory of each worker under load", "MB (PSS)", measured.lines())
    _tell(arguments, "memory", measured.summary(), {"memory": drawn})
    return 0


def _tell(arguments: argparse.Namespace, name: str, summary: Mapping[str, Any], drawn: Plots) -> None:
    page = plots.write_page(name, f"byoid: {name}", drawn, summary)
    print(f"plots: {page}", file=sys.stderr)
    print(json.dumps(summary) if arguments.json else json.dumps(summary, indent=2))


EXPERIMENTS = {"load": _load, "chaos": _chaos, "grow": _grow, "memory": _memory}

if __name__ == "__main__":
    sys.exit(main())
