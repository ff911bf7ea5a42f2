"""Jobs: once per period for all workers, and not lost with the worker that had them."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from datetime import timedelta
from typing import Any

import pytest

from byoid.service import jobs
from byoid.service.database import Database, service_metadata
from byoid.service.jobs import Job, JobRunner, every, jobs_table

METADATA = service_metadata()
TABLE = jobs_table(METADATA)
HOUR = timedelta(hours=1)


class Work:
    """Something to do that counts how often it was done."""

    def __init__(self) -> None:
        self.done = 0
        self.fails = False

    async def __call__(self) -> int:
        self.done += 1
        await asyncio.sleep(0.001)
        if self.fails:
            raise KeyError
        return 7


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def job(work: Work) -> Job:
    return every(HOUR, work, name="expire")


@pytest.fixture
async def runner(database: Database, clock: Any) -> JobRunner:
    await database.create_all(METADATA)
    return JobRunner(database, TABLE, clock=clock)


async def test_a_job_runs_once_in_its_period(runner: JobRunner, job: Job, clock: Any) -> None:
    assert await runner.run_once(job) == 7
    assert await runner.run_once(job) is None
    clock.advance(HOUR - timedelta(seconds=1))
    assert await runner.run_once(job) is None
    clock.advance(timedelta(seconds=1))
    assert await runner.run_once(job) == 7


async def test_one_of_many_workers_runs_it(runner: JobRunner, database: Database, job: Job, clock: Any) -> None:
    workers = [JobRunner(database, TABLE, clock=clock) for _ in range(10)]
    results = await asyncio.gather(*(each.run_once(job) for each in workers))
    assert sorted(str(each) for each in results) == ["7"] + ["None"] * 9


async def test_a_job_that_fails_is_tried_again_in_its_next_period(
    runner: JobRunner, work: Work, job: Job, clock: Any
) -> None:
    work.fails = True
    with pytest.raises(KeyError):
        await runner.run_once(job)
    assert await runner.run_once(job) is None
    clock.advance(HOUR)
    work.fails = False
    assert await runner.run_once(job) == 7


async def hang() -> int:
    await asyncio.sleep(60)
    return 0


async def test_a_job_that_takes_too_long_is_stopped(runner: JobRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "LONGEST_RUN", timedelta(milliseconds=20))
    with pytest.raises(TimeoutError):
        await runner.run_once(every(HOUR, hang, name="hang"))


async def test_who_works_renews_the_lease(
    runner: JobRunner, database: Database, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "LEASE", timedelta(milliseconds=40))
    other = JobRunner(database, TABLE, clock=clock)

    async def outlast_the_lease() -> int:
        for _ in range(5):
            clock.advance(jobs.LEASE * 0.9)
            await asyncio.sleep(0.1)  # several renewals
            assert await other.run_once(long) is None
        return 5

    long = every(HOUR, outlast_the_lease, name="long")
    assert await runner.run_once(long) == 5


async def test_who_has_lost_the_lease_stops(
    runner: JobRunner, database: Database, job: Job, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "LEASE", timedelta(milliseconds=100))
    slow = asyncio.create_task(runner.run_once(every(HOUR, hang, name=job.name)))
    await asyncio.sleep(0.01)
    clock.advance(jobs.LEASE)
    assert await JobRunner(database, TABLE, clock=clock).run_once(job) == 7
    with pytest.raises(jobs.LeaseLost):
        await slow


async def test_all_jobs_run_and_a_failure_stops_none(
    runner: JobRunner, work: Work, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    failing = Work()
    failing.fails = True
    period = timedelta(milliseconds=10)
    task = asyncio.create_task(runner.run_forever([every(period, failing, name="a"), every(period, work, name="b")]))
    for _ in range(100):
        await asyncio.sleep(0.01)
        clock.advance(period)
        if work.done > 2 and failing.done > 2:
            break
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert "job a failed" in caplog.text
    assert work.done > 2
    assert failing.done > 2


async def test_a_job_goes_on_elsewhere_after_kill_9(database_url: str, runner: JobRunner, job: Job, clock: Any) -> None:
    program = textwrap.dedent(f"""
        import asyncio, datetime, sys
        sys.path[:0] = {sys.path!r}
        from byoid.service.database import Database, service_metadata
        from byoid.service.jobs import JobRunner, every, jobs_table
        async def hang():
            print("begun", flush=True)
            await asyncio.sleep(600)
        async def main():
            database = await Database.open({database_url!r})
            now = datetime.datetime.fromisoformat({clock().isoformat()!r})
            runner = JobRunner(database, jobs_table(service_metadata()), clock=lambda: now)
            await runner.run_once(every(datetime.timedelta(hours=1), hang, name="expire"))
        asyncio.run(main())
    """)
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert await asyncio.to_thread(process.stdout.readline) == "begun\n"
    assert await runner.run_once(job) is None  # the other one has it
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert await runner.run_once(job) is None  # nobody knows yet that it is dead
    clock.advance(jobs.LEASE)
    assert await runner.run_once(job) == 7
