"""Revoke, suspend and reinstate: by credential, person, type or batch. Verifiers see it with the next publication.

Only the issuer does it, and a revocation is never reversed (ARF VCR_03, VCR_04). Each batch of at most 500 credentials
is one transaction with its entry in the journal and its webhooks, so a process that is killed has done a part of the
work and nothing by halves; the same call again does the rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from byoid.service.database import Connection
from byoid.wire_errors import InvalidRequest
from issuer.agency import Agency
from issuer.agency_store import Target
from issuer.offers import person_hash
from issuer.tables import CredentialStatus

_EVENT: Final = {
    CredentialStatus.REVOKED: "credential.revoked",
    CredentialStatus.SUSPENDED: "credential.suspended",
    CredentialStatus.VALID: "credential.reinstated",
}


@dataclass(frozen=True)
class Selection:
    """Which credentials: one by its id, all of a person (the register's key), of a type, or of a batch."""

    target: Target
    value: str

    def sought(self, agency: Agency) -> Any:
        """Return what the rows have: a person is there as a keyed hash only."""
        return person_hash(agency.issuer, self.value) if self.target is Target.PERSON else self.value

    def described(self, agency: Agency) -> dict[str, str]:
        """Return what the journal may say: of a person, the keyed hash."""
        sought = self.sought(agency)
        return {"target": self.target, "value": sought.hex() if isinstance(sought, bytes) else sought}


async def change_status(
    agency: Agency,
    selection: Selection,
    status: CredentialStatus,
    *,
    actor: str,
    reason: str,
    end_reissuance: bool = False,
    with_wallet: bool = False,
) -> int:
    """Change the status of every credential of a selection that may take it; return how many.

    Args:
        agency: whose.
        selection: which.
        status: revoked from valid or suspended, suspended from valid, valid (reinstated) from suspended.
        actor: who does it, for the journal.
        reason: why, for the journal; never a claim.
        end_reissuance: also end the refresh tokens, and withdraw open offers of a person.
        with_wallet: because the wallet's own status has changed; what is suspended so is reinstated with the wallet,
            unless somebody decides about it meanwhile.

    Raises:
        InvalidRequest: suspending or reinstating with the end of re-issuance, which would contradict each other.
    """
    if end_reissuance and status is not CredentialStatus.REVOKED:
        raise InvalidRequest("re-issuance can only be ended with a revocation")
    if not with_wallet:
        async with agency.issuer.store.transaction() as tx:
            await agency.store.release(tx, selection.target, selection.sought(agency))
    total = 0
    while changed := await _change_some(agency, selection, status, actor, reason, end_reissuance, with_wallet):
        total += changed
    if end_reissuance and selection.target is Target.PERSON:
        async with agency.issuer.store.transaction() as tx:
            await agency.store.end_reissuance(tx, selection.sought(agency))
    return total


async def _change_some(  # what `change_status` was asked
    agency: Agency, selection: Selection, status: CredentialStatus, actor: str, reason: str, end_reissuance: bool,
    with_wallet: bool,
) -> int:  # fmt: skip
    async with agency.issuer.store.transaction() as tx:
        reinstated = with_wallet and status is CredentialStatus.VALID
        if reinstated and not await agency.store.release(tx, selection.target, selection.sought(agency)):
            return 0  # somebody has decided about it meanwhile
        changed = await agency.store.change_status(
            tx, selection.target, selection.sought(agency), status, now=agency.issuer.clock()
        )
        if not changed:
            return 0
        if with_wallet and not reinstated:
            await _follow_wallet(agency, tx, [row.id for row in changed], status)
        if end_reissuance:
            await agency.store.end_grants(tx, {row.grant_id for row in changed})
        event = _EVENT[status]
        described = selection.described(agency)
        await agency.note(tx, event, actor=actor, reason=reason, count=len(changed), **described)
        for batch in sorted({(row.batch_id, row.credential_type) for row in changed}):
            ids = [row.id for row in changed if row.batch_id == batch[0]]
            await agency.tell(tx, event, {"batch": batch[0], "type": batch[1], "credentials": ids, "reason": reason})
    return len(changed)


async def _follow_wallet(agency: Agency, tx: Connection, ids: Sequence[str], status: CredentialStatus) -> None:
    """Remember what is suspended with its wallet, and forget it when that has ended."""
    for each in ids:
        if status is CredentialStatus.SUSPENDED:
            await agency.store.hold(tx, each)
        else:
            await agency.store.release(tx, Target.CREDENTIAL, each)
