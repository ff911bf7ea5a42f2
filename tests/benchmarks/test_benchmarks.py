"""The benchmarks: what they print, and that a goal that is missed shows."""

import json
import subprocess
import sys

import pytest

from benchmarks.report import as_json, as_table
from benchmarks.yardstick import Result, Row, measure

RESULTS = [
    Result("a.fast", 1.2345, 1.5, {"peer": 2.0}),
    Result("b.slow", 3.0, 2.0, {}),
    Result("c.free", 0.00512, None, {}),
]


def test_json_has_a_line_for_each_row() -> None:
    rows = [json.loads(line) for line in as_json(RESULTS).splitlines()]

    assert rows[0] == {"operation": "a.fast", "y": 1.23, "goal_y": 1.5, "peers": {"peer": 2.0}}
    assert [row["goal_y"] for row in rows] == [1.5, 2.0, None]


def test_the_table_marks_what_misses_its_goal() -> None:
    marked = [" !" in line for line in as_table(RESULTS).splitlines()]

    assert marked == [False, False, True, False]


def test_nothing_costs_nothing() -> None:
    (result,) = measure([Row("nothing", lambda: None, peers={"same": lambda: None})], rounds=3)

    assert 0 <= result.y < 0.1
    assert result.peers.keys() == {"same"}


@pytest.mark.slow
def test_standard_output_holds_json_and_nothing_else() -> None:
    command = [sys.executable, "-m", "benchmarks", "--json", "--rounds", "1", "--only", "status_list.lookup"]

    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert [json.loads(line)["operation"] for line in output.splitlines()] == ["status_list.lookup"]
