"""Nothing acknowledged is lost, and nothing is there twice, whatever is killed; the audit sees a damaged database."""

import dataclasses
from pathlib import Path

import pytest

from benchmarks.load.audit import Fault
from benchmarks.load.chaos import EXPLAINS, Outage, Run, explained, inspect, run_chaos
from benchmarks.load.laboratory import Laboratory
from benchmarks.load.ledger import Failure
from benchmarks.load.postgres import Postgres

SECONDS = 60
WALLETS = 3
DELETE_AN_ISSUANCE = "DELETE FROM issuance WHERE status_list_id = $1 AND status_index = $2"
SHARE_A_PLACE = (
    "UPDATE issuance AS a SET status_list_id = b.status_list_id, status_index = b.status_index "
    "FROM (SELECT * FROM issuance ORDER BY id LIMIT 1) AS b WHERE a.id = (SELECT max(id) FROM issuance)"
)


@pytest.mark.slow
@pytest.mark.postgres
async def test_nothing_is_lost_and_nothing_is_there_twice_whatever_is_killed() -> None:
    """Two workers of each role, job workers and PostgreSQL itself are killed with -9 under load."""
    async with Postgres.running() as postgres, Laboratory.open(postgres, workers=2) as laboratory:
        run = await run_chaos(laboratory, seconds=SECONDS, wallets=WALLETS, pace=0.3)

        summary = run.summary()
        assert run.sound, run.complaints(laboratory)
        assert (summary["lost"], summary["duplicated"], summary["unexplained_errors"]) == (0, 0, 0)
        assert min(summary[each] for each in ("issued", "presented", "kills")) > 0
        assert "database" in summary["outages"]

        lost, duplicated = Fault("lost", "an issuance at"), Fault("duplicated", "a recorded place is there 2 times")
        delivered = next(place for issued in run.ledger.issued for place in issued.places)
        await damage(laboratory, SHARE_A_PLACE)
        assert await finds(laboratory, run, duplicated)
        await damage(laboratory, DELETE_AN_ISSUANCE, *delivered)
        assert await finds(laboratory, run, lost)
    assert left_behind() == []


def left_behind() -> list[str]:
    """Return the workers of a laboratory that outlive it."""
    children = [pid for each in Path("/proc/self/task").glob("*/children") for pid in each.read_text().split()]
    return [pid for pid in children if b"benchmarks.load.worker" in _command_line(pid)]


def _command_line(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
        return b""


async def damage(laboratory: Laboratory, statement: str, *values: str | int) -> None:
    async with laboratory.postgres.connected(laboratory.databases["issuer"]) as connection:
        await connection.execute(statement, *values)


async def finds(laboratory: Laboratory, run: Run, fault: Fault) -> bool:
    await inspect(laboratory, run)
    return any(each.verdict == fault.verdict and each.what.startswith(fault.what) for each in run.faults)


def test_an_error_is_explained_by_what_was_down_and_by_nothing_else() -> None:
    outage = Outage("database", begin=100.0, end=103.0, killed=1)
    failure = Failure(begin=101.0, end=101.5, component="issuer", step="token", kind="server_error")

    assert explained(failure, [outage])
    assert not explained(dataclasses.replace(failure, begin=98.0, end=99.0), [outage])
    assert not explained(dataclasses.replace(failure, begin=110.0, end=111.0), [outage])
    assert not explained(dataclasses.replace(failure, kind="refused"), [outage])
    for component in EXPLAINS.keys() - {"database"}:
        assert not explained(failure, [dataclasses.replace(outage, component=component)])


def test_a_verifier_that_could_not_have_a_status_list_is_explained_by_the_issuer() -> None:
    outage = Outage("issuer", begin=100.0, end=103.0, killed=2)
    failure = Failure(110.0, 110.1, "verifier", "result.read", "rejected", "StatusUnavailable: no token")

    assert explained(failure, [outage])
    assert not explained(dataclasses.replace(failure, said="Revoked"), [outage])
    assert not explained(failure, [dataclasses.replace(outage, component="verifier")])
    assert not explained(dataclasses.replace(failure, begin=130.0, end=130.1), [outage])
