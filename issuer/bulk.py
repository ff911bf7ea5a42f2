"""Bulk offers: a hundred thousand people from a file, in a job that survives every kill.

People are added in numbered rows, so a part that is sent twice counts once. A worker takes the job by a lease, makes
the offers of one batch, and settles batch and progress in one transaction that also renews the lease: either all of it
is there or nothing, and a worker that has lost its lease can write no more. Inputs and results are sealed.
"""

import asyncio
import json
import logging
import secrets
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from byoid.encoding import b64u_encode, json_dumps
from byoid.errors import ByoidError
from byoid.wire_errors import InvalidRequest, TemporarilyUnavailable
from issuer.agency import Agency
from issuer.agency_offers import OfferOrder, credential_types, find_recipient, require_possible, shown_code
from issuer.agency_tables import BulkState, RowState
from issuer.bulk_store import BulkStore
from issuer.delivery import deliver
from issuer.offers import CreatedOffer, prepare_offer
from issuer.recipients import Recipient

_logger = logging.getLogger(__name__)
BATCH: Final = 250
MAX_PEOPLE: Final = 1_000_000
_LEASE: Final = timedelta(minutes=2)
_RETENTION: Final = timedelta(days=30)  # after the offers have expired
_AT_ONCE: Final = 8  # questions to the register


class LeaseLost(ByoidError):
    """Another worker has the job by now, or it was cancelled; nothing of this batch was kept."""


@dataclass(frozen=True)
class _Settled:
    """One person, ready to be written: an offer with its row, or why there is none."""

    id: str
    offer: tuple[dict[str, Any], CreatedOffer] | None
    recipient: Recipient
    error: str | None = None


async def create(agency: Agency, order: OfferOrder, *, actor: str) -> str:
    """Make a job without people; return its id.

    Raises:
        InvalidRequest: what is wanted is not possible.
    """
    require_possible(agency, order)
    issuer, job_id = agency.issuer, b64u_encode(secrets.token_bytes(12))
    now = issuer.clock()
    row = {
        "id": job_id,
        "state": BulkState.COLLECTING,
        "wanted": order.model_dump(mode="json"),
        "people": 0,
        "offered": 0,
        "failed": 0,
        "holder": "",
        "held_until": now,
        "created_by": actor,
        "created_at": now,
        "expires_at": now + (order.lifetime or issuer.settings.offer_lifetime) + _RETENTION,
    }
    async with issuer.store.transaction() as tx:
        await _store(agency).add(tx, row)
        await agency.note(tx, "bulk.created", actor=actor, job=job_id, configurations=list(order.configuration_ids))
    return job_id


async def add_people(agency: Agency, job_id: str, people: Sequence[str], *, first: int) -> None:
    """Add people by the register's keys; `first` is the number of the first one, counted from 0 over the whole file.

    Raises:
        InvalidRequest: there is no such job, it was started, or a key is empty, or there are too many.
    """
    job = await require_job(agency, job_id)
    rows = _waiting(agency, job, people, first=first)
    async with agency.issuer.store.transaction() as tx:
        if not await _store(agency).add_rows(tx, job_id, rows):
            raise InvalidRequest("this job takes nobody any more")


async def append_people(agency: Agency, job_id: str, people: Sequence[str]) -> None:
    """Add people after those that are there already.

    Raises:
        InvalidRequest: as `add_people`.
    """
    job, store = await require_job(agency, job_id), _store(agency)
    async with agency.issuer.store.transaction() as tx:
        if not await store.lock_collecting(tx, job_id):
            raise InvalidRequest("this job takes nobody any more")
        await store.add_rows(tx, job_id, _waiting(agency, job, people, first=await store.next_number(tx, job_id)))


async def count_people(agency: Agency, job_id: str) -> int:
    """Return how many people a job has so far."""
    async with agency.issuer.store.transaction() as tx:
        return await _store(agency).count(tx, job_id)


def _waiting(agency: Agency, job: Any, people: Sequence[str], *, first: int) -> list[dict[str, Any]]:
    if first < 0 or first + len(people) > MAX_PEOPLE or not all(people):
        raise InvalidRequest(f"expected keys of at most {MAX_PEOPLE} people, none of them empty")
    return [
        {
            "id": (row_id := f"{job.id}.{number}"),
            "job_id": job.id,
            "number": number,
            "state": RowState.WAITING,
            "person": agency.issuer.seal(person.encode(), column="bulk_row.person", row=row_id),
            "result": None,
            "expires_at": job.expires_at,
        }
        for number, person in enumerate(people, first)
    ]


async def start(agency: Agency, job_id: str, *, actor: str) -> int:
    """Let the workers begin; return for how many people.

    Raises:
        InvalidRequest: there is no such job, or it was started before, or it has no people.
    """
    await require_job(agency, job_id)
    store = _store(agency)
    async with agency.issuer.store.transaction() as tx:
        people = await store.count(tx, job_id)
        moved = people and await store.set_state(
            tx, job_id, old=BulkState.COLLECTING, new=BulkState.RUNNING, people=people
        )
        if not moved:
            raise InvalidRequest("this job has no people, or was started before")
        await agency.note(tx, "bulk.started", actor=actor, job=job_id, people=people)
    return people


async def cancel(agency: Agency, job_id: str, *, actor: str) -> None:
    """Stop a job; what was offered stays offered.

    Raises:
        InvalidRequest: there is no such job, or it is over.
    """
    job = await require_job(agency, job_id)
    store = _store(agency)
    async with agency.issuer.store.transaction() as tx:
        if job.state not in {BulkState.COLLECTING, BulkState.RUNNING} or not await store.set_state(
            tx, job_id, old=BulkState(job.state), new=BulkState.CANCELLED, people=job.people
        ):
            raise InvalidRequest("this job is over")
        await agency.note(tx, "bulk.cancelled", actor=actor, job=job_id)


async def jobs(agency: Agency) -> Sequence[Any]:
    """Return the newest jobs."""
    return await _store(agency).jobs()


async def require_job(agency: Agency, job_id: str) -> Any:
    """Return a job.

    Raises:
        InvalidRequest: there is none with this id.
    """
    job = await _store(agency).job(job_id)
    if job is None:
        raise InvalidRequest("there is no such job")
    return job


async def work(agency: Agency) -> int:
    """Go on with every job that nobody works on; return how many offers were made. A job of the workers."""
    made = 0
    for job_id in await _store(agency).waiting_jobs(now=agency.issuer.clock()):
        made += await run(agency, job_id)
    return made


async def run(agency: Agency, job_id: str, *, report: Callable[[int], None] = lambda _: None) -> int:
    """Work on a job until it is done, as its only worker; return how many offers were made.

    Args:
        agency: whose.
        job_id: which.
        report: hears of each batch how many people it had.

    Raises:
        TemporarilyUnavailable: the register does not answer; the job can go on later.
    """
    store, holder, issuer = _store(agency), str(uuid.uuid4()), agency.issuer
    if not await store.take(job_id, holder=holder, now=issuer.clock(), until=issuer.until(_LEASE)):
        return 0
    job, made = await require_job(agency, job_id), 0
    order = OfferOrder.model_validate(job.wanted)
    try:
        while rows := await store.waiting_rows(job_id, most=BATCH):
            settled = await _make(agency, order, job_id, rows)
            await _settle(agency, order, job_id, settled, holder=holder)
            made += sum(each.offer is not None for each in settled)
            report(len(settled))
    except LeaseLost:
        _logger.warning("bulk job %s is worked on elsewhere, or was cancelled", job_id)
        return made
    except (TemporarilyUnavailable, asyncio.CancelledError):  # another worker may go on at once
        await store.release(job_id, holder=holder, until=issuer.clock())
        raise
    async with issuer.store.transaction() as tx:
        if await store.finish(tx, job_id, holder=holder):
            await agency.note(tx, "bulk.done", actor=job.created_by, job=job_id)
    return made


async def results(agency: Agency, job_id: str) -> AsyncIterator[dict[str, Any]]:
    """Yield what became of each person: number, person, state, and link and code, or the reason.

    Raises:
        InvalidRequest: there is no such job.
    """
    await require_job(agency, job_id)
    after = -1
    while rows := await _store(agency).results(job_id, after=after):
        for row in rows:
            person = agency.issuer.open(row.person, column="bulk_row.person", row=row.id).decode()
            found = {"link": None, "tx_code": None, "guardian": False, "error": None}
            if row.result is not None:
                found |= json.loads(agency.issuer.open(row.result, column="bulk_row.result", row=row.id))
            yield {"number": row.number, "person": person, "state": row.state, **found}
        after = rows[-1].number


async def _make(agency: Agency, order: OfferOrder, job_id: str, rows: Sequence[Any]) -> list[_Settled]:
    """Make the offers of a batch. The register is asked here, outside of any transaction."""
    types = credential_types(agency.issuer, order.configuration_ids)
    turns = asyncio.Semaphore(_AT_ONCE)

    async def one(row: Any) -> _Settled:
        person = agency.issuer.open(row.person, column="bulk_row.person", row=row.id).decode()
        try:
            async with turns:
                recipient = await find_recipient(agency, order, person, types)
        except InvalidRequest as error:
            return _Settled(row.id, None, Recipient(), error.description)
        offer = prepare_offer(
            agency.issuer, configuration_ids=order.configuration_ids, person=person, tx_code=order.tx_code,
            lifetime=order.lifetime, job_id=job_id,
        )  # fmt: skip
        return _Settled(row.id, offer, recipient)

    if order.delivery.needs_recipient:
        return list(await asyncio.gather(*map(one, rows)))
    return [await one(row) for row in rows]


async def _settle(agency: Agency, order: OfferOrder, job_id: str, settled: Sequence[_Settled], *, holder: str) -> None:
    """Keep a batch, all of it or nothing.

    Raises:
        LeaseLost: the job is not ours any more.
    """
    issuer, offers = agency.issuer, [each for each in settled if each.offer is not None]
    types = credential_types(issuer, order.configuration_ids)
    rows = [_row(agency, order, each) for each in settled]
    async with issuer.store.transaction() as tx:
        mine = await _store(agency).progress(
            tx, job_id, holder=holder, offered=len(offers), failed=len(settled) - len(offers),
            until=issuer.until(_LEASE),
        )  # fmt: skip
        if not mine:
            raise LeaseLost("the job is not ours any more")
        if offers:
            await issuer.store.add_offers(tx, [each.offer[0] for each in offers if each.offer])
        await _store(agency).settle(tx, rows)
        for each in offers if order.delivery.needs_recipient else ():
            row, created = each.offer or ({}, None)
            if created is not None:
                await deliver(
                    agency, tx, created, order=order.delivery, recipient=each.recipient, types=types,
                    expires_at=row["expires_at"],
                )  # fmt: skip


def _row(agency: Agency, order: OfferOrder, settled: _Settled) -> dict[str, Any]:
    if settled.offer is None:
        state: RowState = RowState.FAILED
        result: dict[str, Any] = {"error": settled.error}
    else:
        created = settled.offer[1]
        code = shown_code(created, order)
        state, result = (
            RowState.OFFERED,
            {"link": created.link(), "tx_code": code, "guardian": settled.recipient.guardian},
        )
    sealed = agency.issuer.seal(json_dumps(result), column="bulk_row.result", row=settled.id)
    return {"key": settled.id, "new": state, "sealed": sealed}


def _store(agency: Agency) -> BulkStore:
    return BulkStore(agency.issuer.store.database, agency.issuer.settings.agency_id)
