"""Bulk offers: complete, resumable, idempotent for each person, and sealed."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from byoid.wire_errors import TemporarilyUnavailable
from issuer import bulk
from issuer.admin import Role
from issuer.attributes import SourceUnavailable
from issuer.jobs import issuer_jobs
from issuer.tables import IssuerTable
from tests.issuer.agency.conftest import Office
from tests.issuer.conftest import ADA

ORDER = {"configuration_ids": ["pid_sd_jwt"]}


async def _job(office: Office, people: list[str], **order: Any) -> str:
    made = await office.call("POST", "/bulk-offers", json={**ORDER, **order})
    assert made.status_code == 201, made.text
    job: str = made.json()["id"]
    for first in range(0, len(people), 400):
        part = {"first": first, "people": people[first : first + 400]}
        for _ in range(2):  # a part that is sent twice counts once
            assert (await office.call("POST", f"/bulk-offers/{job}/people", json=part)).status_code == 204
    return job


async def _start(office: Office, job: str) -> dict[str, Any]:
    answer = await office.call("POST", f"/bulk-offers/{job}/start")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def _results(office: Office, job: str) -> list[dict[str, Any]]:
    answer = await office.call("GET", f"/bulk-offers/{job}/results")
    return [json.loads(line) for line in answer.text.splitlines()]


async def test_everybody_in_a_file_gets_one_offer(office: Office) -> None:
    people = [f"person {number}" for number in range(700)] + [ADA]
    job = await _job(office, people)
    assert (await _start(office, job))["people"] == 701
    (work,) = [each for each in issuer_jobs(office.agency) if each.name == "bulk offers"]
    assert await work.run() == 701
    assert await work.run() == 0
    progress = (await office.call("GET", f"/bulk-offers/{job}", role=Role.AUDITOR)).json()
    assert (progress["state"], progress["offered"], progress["failed"]) == ("done", 701, 0)
    results = await _results(office, job)
    assert [each["person"] for each in results] == people
    assert len({each["link"] for each in results}) == 701
    assert await office.peer.count("offer") == 701


async def test_an_offer_of_a_job_can_be_redeemed(office: Office) -> None:
    job = await _job(office, [ADA])
    await _start(office, job)
    await bulk.work(office.agency)
    (result,) = await _results(office, job)
    from urllib.parse import parse_qs, urlsplit

    uri = parse_qs(urlsplit(result["link"]).query)["credential_offer_uri"][0]
    offer = (await office.peer.http.get(uri)).json()
    assert (await office.peer.wallet().redeem_offer(offer, result["tx_code"])).status_code == 200


class Killed(BaseException):
    """The process is gone: nothing of ours runs any more."""


async def test_a_worker_that_is_told_to_stop_lets_another_go_on_at_once(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await _job(office, [f"person {number}" for number in range(10)])
    await _start(office, job)

    async def stopped(*_: Any, **__: Any) -> Any:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(bulk, "_make", stopped)
        with pytest.raises(asyncio.CancelledError):
            await bulk.run(office.agency, job)
    assert await bulk.run(office.agency, job) == 10


async def test_people_come_after_the_last_number_that_there_is(office: Office) -> None:
    order = {"configuration_ids": ["pid_sd_jwt"]}
    job = (await office.call("POST", "/bulk-offers", json=order)).json()["id"]
    later = {"first": 5, "people": ["somebody"]}
    assert (await office.call("POST", f"/bulk-offers/{job}/people", json=later)).status_code == 204
    await bulk.append_people(office.agency, job, [f"person {number}" for number in range(7)])
    assert await bulk.count_people(office.agency, job) == 8


@pytest.mark.parametrize("moment", ["before the batch is written", "while it is written", "between two batches"])
async def test_a_killed_worker_leaves_no_double_offer(
    office: Office, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    people = [f"person {number}" for number in range(600)]
    job = await _job(office, people)
    await _start(office, job)
    calls = 0
    target = {"before the batch is written": "_settle", "while it is written": "_row", "between two batches": "_make"}
    real = getattr(bulk, target[moment])

    def dies(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == {"_settle": 2, "_row": 400, "_make": 3}[real.__name__]:
            raise Killed
        return real(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(bulk, target[moment], dies)
        with pytest.raises(Killed):
            await bulk.run(office.agency, job)
    made = await office.peer.count("offer")
    assert 0 < made < 600 and made % bulk.BATCH == 0
    assert await bulk.run(office.agency, job) == 0  # the dead worker's lease
    office.peer.clock.advance(timedelta(minutes=3))
    assert await bulk.run(office.agency, job) == 600 - made
    results = await _results(office, job)
    assert len({each["link"] for each in results}) == 600 == await office.peer.count("offer")


async def test_a_worker_that_lost_its_lease_writes_nothing(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    job = await _job(office, [f"person {number}" for number in range(10)])
    await _start(office, job)
    real = bulk._make

    async def slow(*arguments: Any) -> Any:
        made = await real(*arguments)
        with monkeypatch.context() as patch:
            patch.setattr(bulk, "_make", real)
            office.peer.clock.advance(timedelta(minutes=5))
            assert await bulk.run(office.agency, job) == 10
        return made

    monkeypatch.setattr(bulk, "_make", slow)
    assert await bulk.run(office.agency, job) == 0
    assert await office.peer.count("offer") == 10


async def test_a_source_that_is_down_stops_the_job_and_loses_nobody(office: Office) -> None:
    job = await _job(office, [ADA, "nobody"], delivery={"offer": "letter"})
    await _start(office, job)
    office.peer.source.fails = SourceUnavailable("down")
    with pytest.raises(TemporarilyUnavailable):
        await bulk.work(office.agency)
    assert await office.peer.count("offer") == await office.peer.count("delivery") == 0
    office.peer.source.fails = None
    assert await bulk.work(office.agency) == 1
    good, bad = await _results(office, job)
    assert (good["state"], bad["state"]) == ("offered", "failed")
    assert bad["error"] == "the register has nobody with this key" and bad["link"] is None
    assert await office.peer.count("delivery") == 1


async def test_a_cancelled_job_stops(office: Office) -> None:
    job = await _job(office, [ADA])
    await _start(office, job)
    assert (await office.call("DELETE", f"/bulk-offers/{job}")).status_code == 204
    assert await bulk.work(office.agency) == 0
    assert (await office.call("DELETE", f"/bulk-offers/{job}")).status_code == 400
    assert await office.peer.count("offer") == 0


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("defect", "path", "body"),
    [
        ("an unknown job", "/bulk-offers/none/people", {"first": 0, "people": ["a"]}),
        ("an unknown job to start", "/bulk-offers/none/start", None),
        ("nobody", "/bulk-offers/{job}/people", {"first": 0, "people": []}),
        ("an empty key", "/bulk-offers/{job}/people", {"first": 0, "people": [""]}),
        ("a number below zero", "/bulk-offers/{job}/people", {"first": -1, "people": ["a"]}),
        ("more than a million", "/bulk-offers/{job}/people", {"first": 1_000_000, "people": ["a"]}),
        ("a job without people", "/bulk-offers/{job}/start", None),
        ("an unknown configuration", "/bulk-offers", {"configuration_ids": ["x"]}),
    ],
)
async def test_a_wrong_bulk_call_is_refused(office: Office, defect: str, path: str, body: Any) -> None:
    job = (await office.call("POST", "/bulk-offers", json=ORDER)).json()["id"]
    answer = await office.call("POST", path.format(job=job), json=body)
    assert answer.status_code == 400, defect
    assert await office.peer.count("bulk_row") == 0


@pytest.mark.hostile
async def test_a_started_job_takes_nobody(office: Office) -> None:
    job = await _job(office, [ADA])
    await _start(office, job)
    answer = await office.call("POST", f"/bulk-offers/{job}/people", json={"first": 1, "people": ["late"]})
    assert answer.status_code == 400
    assert (await office.call("POST", f"/bulk-offers/{job}/start")).status_code == 400
    assert await office.peer.count("bulk_row") == 1


async def test_what_waits_and_what_came_of_it_is_sealed(office: Office, tmp_path: Path) -> None:
    job = await _job(office, [ADA])
    await _start(office, job)
    await bulk.work(office.agency)
    (result,) = await _results(office, job)
    (row,) = await office.agency.store.database.fetch(select(IssuerTable.metadata.tables["bulk_row"]))
    for secret in (ADA, result["tx_code"], result["link"]):
        assert secret.encode() not in row.person + row.result
