"""A credential lives no longer than the wallet and the keys that it is in: their status is asked again, daily at least.

ARF WUA_29, WURevocation_18, VCR_07c; TS3. What is revoked there is revoked here; what is suspended there is suspended
here, and reinstated with it (Token Status List 7.1). Where no answer comes, nothing is changed, and the next run asks
again.
"""

import logging
from collections.abc import Sequence
from typing import Any, Final

from byoid.errors import ByoidError, StatusUnavailable
from byoid.formats.status_array import INVALID
from byoid.formats.status_list import StatusReference
from issuer.agency import Agency
from issuer.agency_store import Target
from issuer.attested_status import status_of
from issuer.revocation import Selection, change_status
from issuer.tables import CredentialStatus

_logger = logging.getLogger(__name__)
_REVOKED, _SUSPENDED, _VALID = CredentialStatus.REVOKED, CredentialStatus.SUSPENDED, CredentialStatus.VALID
REASON: Final = "the wallet provider has revoked the wallet or its keys"
_REASONS: Final = {
    _REVOKED: REASON,
    _SUSPENDED: "the wallet provider has suspended the wallet or its keys",
    _VALID: "the wallet provider has ended the suspension of the wallet or its keys",
}


async def check_wallets(agency: Agency) -> int:
    """Ask for the status of every wallet and key that live credentials are in; return how many changed. A job."""
    changed, after, now = 0, "", agency.issuer.clock()
    while rows := await agency.store.live_with_wallet(after=after, now=now):
        for row in rows:
            wanted = _wanted(row, await _published(agency, row.wallet_status))
            if wanted is not None:
                changed += await _follow(agency, row.id, wanted)
        after = rows[-1].id
    return changed


def _wanted(row: Any, published: CredentialStatus | None) -> CredentialStatus | None:
    """Return what a credential must become, after what is published of its wallet and keys; None: what it is."""
    match published:
        case CredentialStatus.REVOKED:
            return _REVOKED
        case CredentialStatus.SUSPENDED if row.status == _VALID:
            return _SUSPENDED
        case CredentialStatus.VALID if row.status == _SUSPENDED and row.held:
            return _VALID
        case _:
            return None


async def _follow(agency: Agency, issuance_id: str, status: CredentialStatus) -> int:
    return await change_status(
        agency, Selection(Target.CREDENTIAL, issuance_id), status, actor="jobs", reason=_REASONS[status],
        end_reissuance=status is _REVOKED, with_wallet=True,
    )  # fmt: skip


async def _published(agency: Agency, claims: Sequence[dict[str, Any]]) -> CredentialStatus | None:
    """Return the worst that is published of a wallet and its keys; None where one is unknown and none is bad."""
    found = {await _status(agency, claim) for claim in claims}
    for status in (_REVOKED, _SUSPENDED, None):
        if status in found:
            return status
    return _VALID


async def _status(agency: Agency, claim: dict[str, Any]) -> CredentialStatus | None:
    try:
        reference = StatusReference.from_claim(claim)
        value = 0 if reference is None else await status_of(agency.issuer, reference)
    except StatusUnavailable as error:
        _logger.warning("the status of a wallet is unknown: %s", error)
        return None
    except ByoidError:
        _logger.exception("a kept reference to a wallet's status cannot be read")
        return None
    return _VALID if value == 0 else _REVOKED if value == INVALID else _SUSPENDED
