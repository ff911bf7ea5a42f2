"""`python -m benchmarks [--json] [--rounds N] [--only NAME …]`: NAME is an operation, or how operations begin."""

import argparse
import sys
from collections.abc import Sequence

from benchmarks import http_issuance, http_presentation, jose, mdoc, presentation, sd_jwt_vc, status_list, wallet
from benchmarks.inputs import make_inputs
from benchmarks.report import as_json, as_table
from benchmarks.yardstick import ROUNDS, Row, measure

FAMILIES = (jose, sd_jwt_vc, mdoc, presentation, status_list)


def chosen(rows: Sequence[Row], only: Sequence[str]) -> list[Row]:
    return [row for row in rows if not only or any(row.operation.startswith(name) for name in only)]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object a row, and nothing else, on stdout")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    arguments = parser.parse_args()
    inputs = make_inputs()
    rows = chosen([row for family in FAMILIES for row in family.rows(inputs)], arguments.only)
    over_http = [
        name for name in http_presentation.NAMES if not arguments.only or name.startswith(tuple(arguments.only))
    ]
    issuances = [name for name in http_issuance.names() if not arguments.only or name.startswith(tuple(arguments.only))]
    wallets = [name for name in wallet.NAMES if not arguments.only or name.startswith(tuple(arguments.only))]
    if not rows and not over_http and not issuances and not wallets:
        print("no operation of that name", file=sys.stderr)
        return 2
    print(
        f"measuring {len(rows) + len(over_http) + len(issuances) + len(wallets)} operations, {arguments.rounds} rounds",
        file=sys.stderr,
    )
    results = measure(rows, rounds=arguments.rounds)
    results += http_presentation.measure_http(inputs, over_http, rounds=arguments.rounds)
    results += http_issuance.results(issuances)
    results += wallet.measure_wallet(wallets, rounds=arguments.rounds)
    print(as_json(results) if arguments.json else as_table(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
