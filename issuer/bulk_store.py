"""The statements of bulk jobs. A worker holds a job by a lease, which each of its transactions renews or misses."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import bindparam, func, select, update

from byoid.service.database import Connection, Database, Expiry, UtcDateTime, insert
from issuer.agency_store import table_of
from issuer.agency_tables import BulkJob, BulkRow, BulkState, RowState

PAGE: Final = 500
_jobs, _rows = table_of(BulkJob), table_of(BulkRow)
_TIME: Final = UtcDateTime()
_NOW: Final = bindparam("now", type_=_TIME)
_INSERT_JOB = insert(_jobs)
_JOB = select(_jobs).where(_jobs.c.id == bindparam("job"), _jobs.c.agency_id == bindparam("agency"))
_JOBS = select(_jobs).where(_jobs.c.agency_id == bindparam("agency")).order_by(_jobs.c.created_at.desc()).limit(PAGE)
_INSERT_ROW = insert(_rows).on_conflict_do_nothing()
_COUNT = select(func.count()).select_from(_rows).where(_rows.c.job_id == bindparam("job"))
_LAST = select(func.max(_rows.c.number)).where(_rows.c.job_id == bindparam("job"))
_SET_STATE = (
    update(_jobs)
    .where(
        _jobs.c.id == bindparam("job"), _jobs.c.agency_id == bindparam("agency"), _jobs.c.state == bindparam("old")
    )
    .values(state=bindparam("new"), people=bindparam("count"))
)  # fmt: skip
_LOCK_COLLECTING = (
    update(_jobs)
    .where(
        _jobs.c.id == bindparam("job"), _jobs.c.agency_id == bindparam("agency"),
        _jobs.c.state == BulkState.COLLECTING,
    )
    .values(state=BulkState.COLLECTING)
)  # fmt: skip
_WAITING_JOBS = select(_jobs.c.id).where(
    _jobs.c.agency_id == bindparam("agency"), _jobs.c.state == BulkState.RUNNING, _jobs.c.held_until <= _NOW
)
_TAKE = (
    update(_jobs)
    .where(_jobs.c.id == bindparam("job"), _jobs.c.state == BulkState.RUNNING, _jobs.c.held_until <= _NOW)
    .values(holder=bindparam("me"), held_until=bindparam("lease_end", type_=_TIME))
)
_PROGRESS = (
    update(_jobs)
    .where(_jobs.c.id == bindparam("job"), _jobs.c.holder == bindparam("me"), _jobs.c.state == BulkState.RUNNING)
    .values(
        offered=_jobs.c.offered + bindparam("more_offered"),
        failed=_jobs.c.failed + bindparam("more_failed"),
        held_until=bindparam("lease_end", type_=_TIME),
    )
)
_FINISH = (
    update(_jobs)
    .where(_jobs.c.id == bindparam("job"), _jobs.c.holder == bindparam("me"), _jobs.c.state == BulkState.RUNNING)
    .values(state=BulkState.DONE)
)
_RELEASE = (
    update(_jobs)
    .where(_jobs.c.id == bindparam("job"), _jobs.c.holder == bindparam("me"))
    .values(held_until=bindparam("lease_end", type_=_TIME))
)
_WAITING_ROWS = (
    select(_rows.c.id, _rows.c.person)
    .where(_rows.c.job_id == bindparam("job"), _rows.c.state == RowState.WAITING)
    .order_by(_rows.c.number)
    .limit(bindparam("most"))
)
_SETTLE = (
    update(_rows)
    .where(_rows.c.id == bindparam("key"), _rows.c.state == RowState.WAITING)
    .values(state=bindparam("new"), result=bindparam("sealed"))
)
_RESULTS = (
    select(_rows.c.id, _rows.c.number, _rows.c.state, _rows.c.person, _rows.c.result)
    .where(_rows.c.job_id == bindparam("job"), _rows.c.number > bindparam("after"))
    .order_by(_rows.c.number)
    .limit(PAGE)
)
_EXPIRIES: Final = tuple(Expiry(table, expires_at=table.c.expires_at) for table in (_rows, _jobs))


class BulkStore:
    """The statements of bulk jobs, over one database, for one agency."""

    def __init__(self, database: Database, agency_id: str) -> None:
        self.database = database
        self._agency = agency_id

    async def add(self, tx: Connection, row: Mapping[str, Any]) -> None:
        """Keep a new job."""
        await tx.execute(_INSERT_JOB, {**row, "agency_id": self._agency})

    async def job(self, job_id: str) -> Any | None:
        """Return a job."""
        return (await self.database.fetch(_JOB, {"job": job_id, "agency": self._agency})).first()

    async def jobs(self) -> Sequence[Any]:
        """Return the newest jobs."""
        return (await self.database.fetch(_JOBS, {"agency": self._agency})).rows

    async def add_rows(self, tx: Connection, job_id: str, rows: Sequence[Mapping[str, Any]]) -> bool:
        """Keep people of a job; those that are there already stay. False if the job takes nobody any more."""
        if not await self.lock_collecting(tx, job_id):
            return False
        await tx.execute_many(_INSERT_ROW, rows)
        return True

    async def lock_collecting(self, tx: Connection, job_id: str) -> bool:
        """Let nobody else add people until the end of the transaction; False if the job takes nobody any more."""
        return (await tx.execute(_LOCK_COLLECTING, {"job": job_id, "agency": self._agency})).rowcount == 1

    async def count(self, connection: Connection, job_id: str) -> int:
        """Return how many people a job has."""
        return int((await connection.execute(_COUNT, {"job": job_id})).scalar() or 0)

    async def next_number(self, connection: Connection, job_id: str) -> int:
        """Return the number after the last one that a job has: parts may have come out of order."""
        last = (await connection.execute(_LAST, {"job": job_id})).scalar()
        return 0 if last is None else int(last) + 1

    async def set_state(self, tx: Connection, job_id: str, *, old: BulkState, new: BulkState, people: int) -> bool:
        """Move a job on; False if it is not in the old state."""
        parameters = {"job": job_id, "agency": self._agency, "old": old, "new": new, "count": people}
        return (await tx.execute(_SET_STATE, parameters)).rowcount == 1

    async def waiting_jobs(self, *, now: datetime) -> list[str]:
        """Return the jobs that nobody works on."""
        return [row.id for row in await self.database.fetch(_WAITING_JOBS, {"agency": self._agency, "now": now})]

    async def take(self, job_id: str, *, holder: str, now: datetime, until: datetime) -> bool:
        """Take a job that nobody holds."""
        parameters = {"job": job_id, "me": holder, "now": now, "lease_end": until}
        return (await self.database.execute(_TAKE, parameters)).rowcount == 1

    async def progress(
        self, tx: Connection, job_id: str, *, holder: str, offered: int, failed: int, until: datetime
    ) -> bool:
        """Count, and renew the lease; False if another worker holds the job by now, or it was cancelled."""
        counts = {"more_offered": offered, "more_failed": failed}
        parameters = {"job": job_id, "me": holder, "lease_end": until, **counts}
        return (await tx.execute(_PROGRESS, parameters)).rowcount == 1

    async def finish(self, tx: Connection, job_id: str, *, holder: str) -> bool:
        """End a job whose people are all settled."""
        return (await tx.execute(_FINISH, {"job": job_id, "me": holder})).rowcount == 1

    async def release(self, job_id: str, *, holder: str, until: datetime) -> None:
        """Let another worker take the job from a time on."""
        await self.database.execute(_RELEASE, {"job": job_id, "me": holder, "lease_end": until})

    async def waiting_rows(self, job_id: str, *, most: int) -> Sequence[Any]:
        """Return people who have no offer yet, in the order of the file."""
        return (await self.database.fetch(_WAITING_ROWS, {"job": job_id, "most": most})).rows

    async def settle(self, tx: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Keep what became of people."""
        await tx.execute_many(_SETTLE, rows)

    async def results(self, job_id: str, *, after: int) -> Sequence[Any]:
        """Return a page of a job's people with what became of them."""
        return (await self.database.fetch(_RESULTS, {"job": job_id, "after": after})).rows

    async def expire(self, *, now: datetime) -> int:
        """Delete what has expired, in batches."""
        return sum([await expiry.run(self.database, now=now) for expiry in _EXPIRIES])
