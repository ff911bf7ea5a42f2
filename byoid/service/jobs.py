"""Work without a request: each job runs once per period, however many workers there are.

A job is `async () -> int`: idempotent, bounded, returning how many rows it touched. A row per job says when it is due
and who holds it until when; taking it is a compare-and-set. Whoever runs a job renews its lease; a worker that dies is
missed when it ends, and another one goes on. Who cannot renew stops. Nothing correct may depend on a job having run:
expiry is also checked where a value is read.
"""

import asyncio
import logging
import random
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Column, MetaData, String, Table, bindparam, update

from byoid.errors import ByoidError
from byoid.service.database import Database, UtcDateTime, insert

_logger = logging.getLogger(__name__)
LEASE: Final = timedelta(seconds=20)  # how long a worker that has died is not missed
LONGEST_RUN: Final = timedelta(minutes=5)
_RENEWALS: Final = 4  # in the time of a lease
_LONGEST_PAUSE: Final = timedelta(seconds=30)
_BEGINNING: Final = datetime(2000, 1, 1, tzinfo=UTC)


class LeaseLost(ByoidError):
    """This worker was slower than its lease, and another one has begun; what it had done stays done."""


@dataclass(frozen=True)
class Job:
    """Something to do once in each period."""

    name: str
    period: timedelta
    run: Callable[[], Awaitable[int]]


def every(period: timedelta, run: Callable[[], Awaitable[int]], *, name: str) -> Job:
    """Return a job; its name is what workers agree on, so it must not change."""
    return Job(name=name, period=period, run=run)


def jobs_table(metadata: MetaData) -> Table:
    """Add the table of jobs to a service's metadata."""
    return Table(
        "jobs",
        metadata,
        Column("name", String(64), primary_key=True),
        Column("due_at", UtcDateTime(), nullable=False),
        Column("held_until", UtcDateTime(), nullable=False),
        Column("holder", String(36), nullable=False),
    )


class JobRunner:
    """One worker's view of the jobs."""

    def __init__(self, database: Database, table: Table, *, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        columns = table.c
        self._register = insert(table).on_conflict_do_nothing()
        self._take = (
            update(table)
            .where(
                columns.name == bindparam("job"),
                columns.due_at <= bindparam("now", type_=UtcDateTime()),
                columns.held_until <= bindparam("now", type_=UtcDateTime()),
            )
            .values(holder=bindparam("me"), held_until=bindparam("lease_end"))
        )
        self._renew = (
            update(table)
            .where(columns.name == bindparam("job"), columns.holder == bindparam("me"))
            .values(held_until=bindparam("lease_end"))
        )
        self._finish = (
            update(table)
            .where(columns.name == bindparam("job"), columns.holder == bindparam("me"))
            .values(due_at=bindparam("next"), held_until=bindparam("released"))
        )

    async def run_once(self, job: Job) -> int | None:
        """Run `job` if it is due and nobody else has it; None if not."""
        now, holder = self._clock(), str(uuid.uuid4())
        row = {"name": job.name, "due_at": _BEGINNING, "held_until": _BEGINNING, "holder": ""}
        await self._database.execute(self._register, row)
        taken = await self._database.execute(
            self._take, {"job": job.name, "now": now, "me": holder, "lease_end": now + LEASE}
        )
        if taken.rowcount == 0:
            return None
        due = now + job.period  # also after a failure: a job that fails is tried again in its next period, not at once
        try:
            async with asyncio.timeout(LONGEST_RUN.total_seconds()):
                touched = await self._while_held(job, holder)
        except asyncio.CancelledError:
            due = now  # this worker is told to stop: another goes on at once
            raise
        finally:
            times = {"next": due, "released": _BEGINNING}
            await self._database.execute(self._finish, {"job": job.name, "me": holder, **times})
        _logger.log(logging.INFO if touched else logging.DEBUG, "job %s touched %d", job.name, touched)
        return touched

    async def _while_held(self, job: Job, holder: str) -> int:
        """Run the job and renew its lease, or stop: another worker may have begun."""
        work = asyncio.ensure_future(job.run())
        try:
            while True:
                await asyncio.wait({work}, timeout=LEASE.total_seconds() / _RENEWALS)
                if work.done():
                    return work.result()
                lease = {"job": job.name, "me": holder, "lease_end": self._clock() + LEASE}
                if (await self._database.execute(self._renew, lease)).rowcount == 0:
                    raise LeaseLost(f"job {job.name} was taken over by another worker")
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    async def run_forever(self, jobs: Sequence[Job]) -> None:
        """Run all jobs until cancelled. A job that fails is logged and tried again in its next period."""
        async with asyncio.TaskGroup() as group:
            for job in jobs:
                group.create_task(self._repeat(job), name=f"job {job.name}")

    async def _repeat(self, job: Job) -> None:
        pause = min(job.period, _LONGEST_PAUSE).total_seconds()
        while True:
            try:
                await self.run_once(job)
            except Exception:
                _logger.exception("job %s failed", job.name)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - only to spread workers
