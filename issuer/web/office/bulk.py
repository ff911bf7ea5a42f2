"""Pages for offers to many people: a file or a list of keys, the progress of the workers, and what became of each."""

import csv
import io
from collections.abc import AsyncIterator
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse

from byoid.errors import OAuthError
from byoid.wire_errors import InvalidRequest
from issuer import bulk
from issuer.sources.csv_file import read_csv_lines
from issuer.web.office.order_form import order_of, order_view
from issuer.web.office.visit import Visit

COLUMNS: Final = ("number", "person", "state", "link", "tx_code", "guardian", "error")
_PART: Final = 1000
_LONGEST_KEY: Final = 200  # as the admin API takes them
_NOBODY: Final = "Give the people: a file, or one number a line."
_NO_CSV: Final = (
    "This file cannot be read. It must be a CSV file in UTF-8 with one column, or with the column that you name."
)
_RISKY: Final = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would take what begins so for a formula


async def show_jobs(visit: Visit) -> Response:
    """Show the newest jobs, and the form for another one."""
    return await _jobs(visit)


async def make_job(visit: Visit) -> Response:
    """Make a job for the people of the form; it waits to be looked at and started."""
    try:
        people, order = people_of(visit), order_of(visit)
        job_id = await bulk.create(visit.agency, order, actor=visit.caller.actor)
        await _append(visit, job_id, people)
    except InvalidRequest as error:
        return await _jobs(visit, error)
    return visit.go(f"/bulk/{job_id}")


async def show_job(visit: Visit) -> Response:
    """Show how far a job has come."""
    return await _job(visit)


async def add_people(visit: Visit) -> Response:
    """Add people to a job that was not started."""
    try:
        await _append(visit, (await _found(visit)).id, people_of(visit))
    except InvalidRequest as error:
        return await _job(visit, error)
    return visit.go(f"/bulk/{visit.request.path_params['job']}")


async def start(visit: Visit) -> Response:
    """Let the workers begin."""
    job = await _found(visit)
    try:
        await bulk.start(visit.agency, job.id, actor=visit.caller.actor)
    except InvalidRequest as error:
        return await _job(visit, error)
    return visit.go(f"/bulk/{job.id}")


async def cancel(visit: Visit) -> Response:
    """Stop a job."""
    job = await _found(visit)
    try:
        await bulk.cancel(visit.agency, job.id, actor=visit.caller.actor)
    except InvalidRequest as error:
        return await _job(visit, error)
    return visit.go(f"/bulk/{job.id}")


async def results(visit: Visit) -> Response:
    """Give what became of each person as a CSV file: links, and codes that nobody else delivers."""
    job = await _found(visit)

    async def lines() -> AsyncIterator[str]:
        yield _csv(COLUMNS)
        async for each in bulk.results(visit.agency, job.id):
            yield _csv([_plain(each[name]) for name in COLUMNS])

    headers = {"Content-Disposition": f'attachment; filename="offers-{job.id}.csv"', "Cache-Control": "no-store"}
    return StreamingResponse(lines(), media_type="text/csv; charset=utf-8", headers=headers)


def people_of(visit: Visit) -> list[str]:
    """Return the keys of the form's people: of its lines, then of its file.

    Raises:
        InvalidRequest: there are none, or the file is of another kind.
    """
    found = [line.strip() for line in visit.fields.get("people", "").splitlines()]
    found += _of_file(visit.upload, column=visit.fields.get("column", "").strip())
    people = [each for each in found if each]
    if any(len(each) > _LONGEST_KEY for each in people):
        raise InvalidRequest(_NO_CSV)
    if not people:
        raise InvalidRequest(_NOBODY)
    return people


def _of_file(content: bytes, *, column: str) -> list[str]:
    if not content:
        return []
    try:
        text = content.decode("utf-8-sig")
        lines = text.splitlines()
        rows = list(read_csv_lines(lines))
        if not column and all(len(row) == 1 for row in rows):  # the first line names the only column
            return [str(cell) for row in rows for cell in row.values()]
        return [str(row[column]) for row in rows]
    except (ValueError, KeyError) as error:
        raise InvalidRequest(_NO_CSV) from error


async def _append(visit: Visit, job_id: str, people: list[str]) -> None:
    for begin in range(0, len(people), _PART):
        await bulk.append_people(visit.agency, job_id, people[begin : begin + _PART])


async def _found(visit: Visit) -> Any:
    try:
        return await bulk.require_job(visit.agency, visit.request.path_params["job"])
    except InvalidRequest as error:
        raise HTTPException(404, error.description) from error


async def _jobs(visit: Visit, problem: OAuthError | None = None) -> Response:
    status = problem.status if problem else 200
    return visit.page("bulk", status=status, jobs=await bulk.jobs(visit.agency), **order_view(visit, problem))


async def _job(visit: Visit, problem: OAuthError | None = None) -> Response:
    job = await _found(visit)
    people = job.people or await bulk.count_people(visit.agency, job.id)
    return visit.page(
        "bulk-job", status=problem.status if problem else 200, job=job, people=people, settled=job.offered + job.failed,
        problem=problem.description if problem else None,
    )  # fmt: skip


def _plain(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_RISKY) else value


def _csv(cells: Any) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()
