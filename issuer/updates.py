"""When a fact changes at the source: what states the old one is revoked, and the wallet renews it (ARF VCR_08, VCR_09).

The register says so by a call for one person, or a job asks it about everybody in turn. Only a keyed hash of the facts
was kept, so it can be told that something has changed, and not what. A register that does not answer changes nothing.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from byoid.errors import ByoidError
from byoid.wire_errors import TemporarilyUnavailable
from issuer.agency import Agency
from issuer.agency_store import Target
from issuer.attributes import NotReady, PersonUnknown, Refused, SourceUnavailable
from issuer.credentials import record_hash
from issuer.offers import person_hash
from issuer.revocation import Selection, change_status
from issuer.tables import CredentialStatus

_logger = logging.getLogger(__name__)
_AT_ONCE: Final = 8
_FEW: Final = 20  # people, of whom a share says nothing
_LIFE_LEFT: Final = timedelta(days=1)  # what expires sooner need not be revoked (VCR_09)
CHANGED: Final = "the facts have changed at the source"
ENDED: Final = "the source does not give this credential any more"


class ComparisonStopped(ByoidError):
    """So many people have changed at once that the register or its mapping is more likely to be wrong."""


@dataclass(frozen=True)
class Stale:
    """A live credential that is not what the source says now; `ended` if the source gives none at all."""

    issuance_id: str
    ended: bool


async def take_change(agency: Agency, person: str, *, actor: str) -> int:
    """Compare everything that a person has with what the source says now; return how many credentials are outdated.

    Raises:
        TemporarilyUnavailable: the source does not answer; nothing was changed.
    """
    stale = await _stale_of(agency, person, person_hash(agency.issuer, person))
    await outdate(agency, stale, actor=actor)
    return len(stale)


async def compare(agency: Agency) -> int:
    """Compare the people whose turn it is; return how many credentials are outdated. A job.

    Raises:
        ComparisonStopped: too many have changed at once; nothing was revoked.
    """
    issuer = agency.issuer
    before = issuer.clock() - issuer.settings.compare_interval
    people = await agency.store.subjects_to_compare(before=before, now=issuer.clock())
    turns = asyncio.Semaphore(_AT_ONCE)

    async def one(row: Any) -> list[Stale] | None:
        person = issuer.open(row.person, column="grant.person", row=row.grant_id).decode()
        try:
            async with turns:
                return await _stale_of(agency, person, row.person_hash)
        except TemporarilyUnavailable:
            return None

    found = await asyncio.gather(*map(one, people))
    compared = [(row, stale) for row, stale in zip(people, found, strict=True) if stale is not None]
    _require_plausible(agency, len(compared), sum(bool(stale) for _, stale in compared))
    total = 0
    for row, stale in compared:
        await outdate(agency, stale, actor="jobs")
        await agency.store.compared(row.person_hash, now=issuer.clock())
        total += len(stale)
    return total


async def outdate(agency: Agency, stale: Sequence[Stale], *, actor: str) -> None:
    """Revoke what the source gives no more, and what has changed: at once, or when the time of grace is over."""
    issuer, grace = agency.issuer, agency.issuer.settings.change_grace
    for each in stale:
        if each.ended or not grace:
            reason = ENDED if each.ended else CHANGED
            await _revoke(agency, each.issuance_id, reason=reason, actor=actor, for_good=each.ended)
            continue
        async with issuer.store.transaction() as tx:
            revoke_at = issuer.until(grace)
            if await agency.store.mark_outdated(tx, each.issuance_id, reason=CHANGED, revoke_at=revoke_at):
                await agency.note(tx, "credential.outdated", actor=actor, credential=each.issuance_id)
                content = {"credentials": [each.issuance_id], "revoked_at": revoke_at.isoformat()}
                await agency.tell(tx, "credential.outdated", content)


async def revoke_outdated(agency: Agency) -> int:
    """Revoke outdated credentials whose time of grace is over; return how many. A job."""
    total = 0
    while due := await agency.store.outdated_due(now=agency.issuer.clock()):
        for row in due:
            total += await _revoke(agency, row.issuance_id, reason=row.reason, actor="jobs", for_good=False)
            async with agency.issuer.store.transaction() as tx:
                await agency.store.forget_outdated(tx, row.issuance_id)
    return total


async def _stale_of(agency: Agency, person: str, hashed: bytes) -> list[Stale]:
    """Return which of a person's live credentials are outdated.

    Raises:
        TemporarilyUnavailable: the source does not answer for one of the types.
    """
    issuer = agency.issuer
    live = await agency.store.live_of(hashed, now=issuer.clock())
    facts = {kind: await _facts(agency, person, kind) for kind in sorted({row.credential_type for row in live})}
    soon = issuer.until(_LIFE_LEFT)
    return [
        Stale(row.id, ended=facts[row.credential_type] is None)
        for row in live
        if facts[row.credential_type] is None
        or (facts[row.credential_type] != row.record_hash and row.expires_at > soon)
    ]


async def _facts(agency: Agency, person: str, type_id: str) -> bytes | None:
    """Return the hash of the facts as they are now; None if the source gives this credential no more."""
    issuer = agency.issuer
    types = {each.type.id: each.type for each in issuer.configurations.values()}
    try:
        async with asyncio.timeout(issuer.settings.source_timeout.total_seconds()):
            record = await issuer.source.record(person, type_id)
    except (PersonUnknown, Refused):
        return None
    except (SourceUnavailable, NotReady, TimeoutError) as error:
        raise TemporarilyUnavailable("the register does not answer, try again later", detail=str(error)) from error
    return record_hash(issuer, types[type_id], record) if type_id in types else None


def _require_plausible(agency: Agency, people: int, changed: int) -> None:
    if people >= _FEW and changed * 100 > people * agency.issuer.settings.compare_alarm_percent:
        raise ComparisonStopped(
            f"{changed} of {people} people have changed at the source: nothing was revoked. If that is right, raise "
            "ISSUER_COMPARE_ALARM_PERCENT for a while"
        )


async def _revoke(agency: Agency, issuance_id: str, *, reason: str, actor: str, for_good: bool) -> int:
    selection = Selection(Target.CREDENTIAL, issuance_id)
    return await change_status(
        agency, selection, CredentialStatus.REVOKED, actor=actor, reason=reason, end_reissuance=for_good
    )
