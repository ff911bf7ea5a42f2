"""What the laboratory makes of what it measures: sums, percentiles, ratios, one JSON object, and pages with plots."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.load import plots
from benchmarks.load.chaos import Outage, Run
from benchmarks.load.grow import Grown
from benchmarks.load.ledger import Ledger
from benchmarks.load.load import APART, MANY, ONE, STEPS, Loaded, in_turns, ratio
from benchmarks.load.memory import Measured
from benchmarks.load.segments import Fleet, Segment, beside, combined, percentiles

Y = 1e-4


def segment(walk: str, *, y_each: float = 10.0, done: int = 100) -> Segment:
    """A segment in which every component has spent the same on each walk."""
    components = ("issuer", "verifier", "wallet", "jobs", "database", "generator")
    return Segment(walk, 5.0, done, Y, {each: y_each * Y * done for each in components}, {"step": [0.01, 0.02]})


@pytest.fixture
def loaded() -> Loaded:
    """Two workers, each dearer than one by a fifth, as two systems are that share nothing."""
    cost = {ONE: 10.0, MANY: 12.0, APART: 12.0}
    rounds = {name: [{walk: segment(walk, y_each=y) for walk in STEPS}] * 3 for name, y in cost.items()}
    return Loaded(2, 8, 1, rounds, segment("mixed"), [])


def test_cpu_is_told_in_y_for_each_walk() -> None:
    assert segment("issuance").per_walk("issuer", "database") == pytest.approx(20.0)


def test_segments_are_added_up() -> None:
    both = combined([segment("issuance", y_each=10, done=100), segment("issuance", y_each=40, done=50)])

    assert (both.done, both.seconds, len(both.steps["step"])) == (150, 10.0, 4)
    assert both.per_walk("issuer") == pytest.approx(20.0)


def test_percentiles_are_of_what_was_seen() -> None:
    assert percentiles([0.001 * each for each in range(1, 101)]) == {
        "count": 100,
        "p50": 50.5,
        "p95": 95.1,
        "p99": 99.0,
    }
    assert percentiles([0.5]) == {"count": 1, "p50": 500.0, "p95": 500.0, "p99": 500.0}


def test_workers_are_compared_with_one(loaded: Loaded) -> None:
    summary = loaded.summary()

    assert summary["workers_ratio"] == {"issuance": 1.2, "presentation": 1.2}
    assert summary["goals"]["issuance"]["y"] == 12.0
    assert summary["workers_ratio_where_nothing_is_shared"] == {"issuance": 1.2, "presentation": 1.2}
    assert summary["workers_ratio_of_sharing"] == {"issuance": 1.0, "presentation": 1.0}
    assert summary["walks_one"]["issuance"]["y_per_walk"]["issuer"] == 10.0


def test_a_ratio_is_of_cpu_time_whatever_the_yardstick_was() -> None:
    slower = replace(segment("issuance"), y=2 * Y)

    assert ratio([{"issuance": segment("issuance")}], [{"issuance": slower}], "issuance", "issuer") == 1.0


def test_systems_beside_each_other_are_added_up_but_what_they_share() -> None:
    both = beside([segment("issuance"), segment("issuance")])

    assert (both.done, both.seconds) == (200, 5.0)
    assert both.per_walk("issuer") == pytest.approx(10.0)
    assert both.per_walk("database") == pytest.approx(5.0)


async def test_laboratories_take_turns_there_and_back(capsys: pytest.CaptureFixture[str]) -> None:
    turns: list[tuple[str, str]] = []

    class Noting(Fleet):
        def __init__(self, name: str) -> None:
            self.name = name

        async def stock(self, seconds: float) -> Segment:
            return await self.walk("offer", seconds)

        async def walk(self, name: str, seconds: float) -> Segment:
            turns.append((self.name, name))
            return segment(name)

    rounds = await in_turns({ONE: Noting(ONE), MANY: Noting(MANY)}, 1.0)

    assert [name for name, walk in turns if walk == "issuance"] == [MANY, ONE, ONE, MANY, MANY, ONE]
    assert [list(each) for each in rounds[ONE]] == [list(STEPS)] * 3
    assert "presentation" in capsys.readouterr().err


def test_a_full_database_is_compared_with_an_empty_one() -> None:
    rounds = {name: [{walk: segment(walk, y_each=y) for walk in STEPS}] for name, y in (("empty", 10), ("full", 11))}

    summary = Grown(1000, 10, 400.0, 700.0, rounds).summary()

    assert summary["ratio"] == {"issuance": 1.1, "presentation": 1.1, "revocation": 1.1}


def test_growth_of_memory_is_the_last_quarter_against_the_second() -> None:
    measured = Measured(
        samples={"issuer 1": [(minute * 60.0, 100.0 + (10 if minute > 40 else 0)) for minute in range(61)]}
    )

    course = measured.summary()["under_load"]["issuer 1"]

    assert (course["minutes"], course["first"], course["last"], course["growth_percent"]) == (60.0, 100.0, 110.0, 10.0)


def test_figures_are_shown_on_a_page(loaded: Loaded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots, "OUTPUT", tmp_path)
    ledger = Ledger(finished=[(1.5, "issuance"), (2.5, "presentation")])
    run = Run(ledger, begin=1.0, outages=[Outage("database", 1.2, 2.0, 1)])

    page = plots.write_page("load", "Load", plots.draw_load(loaded) | plots.draw_chaos(run), loaded.summary())

    assert {path.name for path in page.parent.iterdir()} == {"cpu.png", "latency.png", "throughput.png", "index.html"}
    assert "<script" not in page.read_text("utf-8")
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in page.parent.glob("*.png"))


def test_the_account_of_a_chaos_is_one_json_object() -> None:
    run = Run(Ledger(), begin=0.0)

    summary = json.loads(json.dumps(run.summary()))

    expected = {"issued", "presented", "revoked", "kills", "lost", "duplicated", "unexplained_errors"}
    assert expected <= summary.keys()
    assert run.sound
