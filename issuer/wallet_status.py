"""A credential lives no longer than the wallet and the keys that it is in: their status is asked again, daily at least.

ARF WUA_29, WURevocation_18, VCR_07c; TS3. What is revoked there is revoked here; where no answer comes, nothing is
changed, and the next run asks again.
"""

import logging
from collections.abc import Sequence
from typing import Any

from byoid.errors import ByoidError, StatusUnavailable
from byoid.formats.status_array import INVALID
from byoid.formats.status_list import StatusReference
from issuer.agency import Agency
from issuer.agency_store import Target
from issuer.attested_status import status_of
from issuer.revocation import Selection, change_status
from issuer.tables import CredentialStatus

_logger = logging.getLogger(__name__)
REASON = "the wallet provider has revoked the wallet or its keys"


async def check_wallets(agency: Agency) -> int:
    """Ask for the status of every wallet and key that live credentials are in; return how many were revoked. A job."""
    revoked, after, now = 0, "", agency.issuer.clock()
    while rows := await agency.store.live_with_wallet(after=after, now=now):
        for row in rows:
            if await _is_revoked(agency, row.wallet_status):
                selection = Selection(Target.CREDENTIAL, row.id)
                revoked += await change_status(
                    agency, selection, CredentialStatus.REVOKED, actor="jobs", reason=REASON, end_reissuance=True
                )
        after = rows[-1].id
    return revoked


async def _is_revoked(agency: Agency, claims: Sequence[dict[str, Any]]) -> bool:
    for claim in claims:
        try:
            reference = StatusReference.from_claim(claim)
            if reference is not None and await status_of(agency.issuer, reference) == INVALID:
                return True
        except StatusUnavailable as error:
            _logger.warning("the status of a wallet is unknown: %s", error)
        except ByoidError:
            _logger.exception("a kept reference to a wallet's status cannot be read")
    return False
