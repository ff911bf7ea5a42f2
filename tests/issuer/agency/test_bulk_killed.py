"""A bulk job whose worker is killed with -9, again and again: everybody gets one offer, on both engines."""

import asyncio
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from demo.pki import make_pki
from issuer import bulk
from issuer.agency import WRITER
from issuer.agency_offers import OfferOrder
from issuer.tables import IssuerTable
from tests.issuer.agency import bulk_process
from tests.issuer.conftest import ROOT

PEOPLE = 3000
KILLS = 2
_OFFERS = IssuerTable.metadata.tables["offer"]
_COUNT = select(func.count()).select_from(_OFFERS)
_PEOPLE = select(func.count(_OFFERS.c.person_hash.distinct())).select_from(_OFFERS)


@pytest.mark.slow
async def test_kill_9_in_the_middle_of_a_bulk_job(tmp_path: Path, database_url: str) -> None:
    make_pki(tmp_path / "pki", host="localhost", now=datetime.now(UTC) - timedelta(hours=1))
    async with bulk_process.opened(tmp_path, database_url) as agency:
        job = await bulk.create(agency, OfferOrder(configuration_ids=("pid_sd_jwt",)), actor="test")
        for first in range(0, PEOPLE, 1000):
            await bulk.add_people(agency, job, [f"person {n}" for n in range(first, first + 1000)], first=first)
        await bulk.start(agency, job, actor="test")
        made = 0
        for kill in range(KILLS):
            before = made
            process = await _worker(tmp_path, database_url, job, later=timedelta(minutes=3 * kill))
            while made == before:
                assert process.returncode is None, "the worker was faster than its end"
                await asyncio.sleep(0.005)
                made = (await agency.store.database.fetch(_COUNT)).scalar()
            process.kill()
            await process.wait()
            made = (await agency.store.database.fetch(_COUNT)).scalar()
            assert 0 < made < PEOPLE and made % bulk.BATCH == 0
    async with bulk_process.opened(tmp_path, database_url, later=timedelta(minutes=3 * KILLS)) as agency:
        assert await bulk.run(agency, job) == PEOPLE - made
        done = await bulk.require_job(agency, job)
        assert (done.state, done.offered, done.failed) == ("done", PEOPLE, 0)
        links = {each["link"] async for each in bulk.results(agency, job)}
        counts = [(await agency.store.database.fetch(statement)).scalar() for statement in (_COUNT, _PEOPLE)]
        assert [len(links), *counts] == [PEOPLE] * 3
        assert await agency.audit.verify(agency.store.database, writer=WRITER)


async def _worker(folder: Path, url: str, job: str, *, later: timedelta) -> asyncio.subprocess.Process:
    command = (sys.executable, bulk_process.__file__, str(folder), url, job, str(later.total_seconds()))
    return await asyncio.create_subprocess_exec(*command, env={**os.environ, "PYTHONPATH": str(ROOT)})
