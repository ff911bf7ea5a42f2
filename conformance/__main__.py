"""`python -m conformance [PART …] [--suite URL] [--only GLOB]`: run the suite's plans, and print how each came out.

PART is issuer, verifier, wallet-receiving or wallet-presenting; without one, all. A line for each module goes to
standard error, tables to standard output. The status is 1 if a module failed or never ended.
"""

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Final, TypeAlias

from conformance import issuer, verifier, wallet_presenting, wallet_receiving
from conformance.suite import Outcome

PARTS: Final = {
    "issuer": issuer.run,
    "verifier": verifier.run,
    "wallet-receiving": wallet_receiving.run,
    "wallet-presenting": wallet_presenting.run,
}
RESULTS: Final = ("PASSED", "WARNING", "REVIEW", "SKIPPED", "FAILED")
Outcomes: TypeAlias = Sequence[tuple[str, Outcome]]


def table(outcomes: Outcomes) -> str:
    """Return a table (Markdown): how many modules of each plan ended how. FAILED has those that never ended."""
    plans: dict[str, Counter[str]] = {}
    for plan, outcome in outcomes:
        result = outcome.result if outcome.result in RESULTS else "FAILED"
        plans.setdefault(plan, Counter())[result] += 1
    lines = [f"| plan | {' | '.join(each.lower() for each in RESULTS)} |", f"| --- |{' ---: |' * len(RESULTS)}"]
    for plan, counts in plans.items():
        lines.append(f"| {plan} | {' | '.join(str(counts[each] or '') for each in RESULTS)} |")
    return "\n".join(lines)


def remarks(outcomes: Outcomes) -> str:
    """Return what the suite says where a module did not simply pass, each remark once."""
    found: dict[str, list[str]] = {}
    for _, outcome in outcomes:
        for each in outcome.findings:
            modules = found.setdefault(f"{each.result} {each.condition}: {each.message}", [])
            if outcome.module not in modules:
                modules.append(outcome.module)
    return "\n".join(f"- {remark} ({', '.join(modules)})" for remark, modules in found.items())


def report(plan: str, outcome: Outcome) -> None:
    """Tell of a module that has ended."""
    print(f"{outcome.result:8} {outcome.seconds:5.0f} s  {outcome.module}  [{plan}]", file=sys.stderr, flush=True)


async def main(parts: Sequence[str], *, suite: str, only: str) -> bool:
    """Run the parts one after the other; tell whether all is good."""
    good = True
    for part in parts:
        outcomes = await PARTS[part](suite, only=only, report=report)
        print(f"## {part}\n\n{table(outcomes)}\n\n{remarks(outcomes)}\n", flush=True)
        good = good and all(outcome.good for _, outcome in outcomes)
    return good


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m conformance", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--suite", default="https://localhost:8443", help="where the suite is")
    parser.add_argument("--only", default="*", metavar="GLOB", help="modules whose names fit")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - PARTS.keys():
        parser.error(f"expected {', '.join(PARTS)}, got {', '.join(unknown)}")
    sys.exit(not asyncio.run(main(arguments.parts or list(PARTS), suite=arguments.suite, only=arguments.only)))
