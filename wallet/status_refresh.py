"""Status lists that this process uses, fetched before their time is over, so that no page waits for an issuer.

Token Status List 13.7. Each worker has its own lists in memory, by their address alone: which card stands where is
sealed, so no job could do this for all. A list whose signer is not under an anchor for statuses is left to be fetched
when it is needed.
"""

import asyncio
import logging

from byoid.errors import ByoidError
from byoid.formats.status_list import parse_status_list_token, verify_status_list_token
from byoid.trust.anchors import Purpose
from byoid.trust.x509 import verify_chain
from wallet.context import Wallet

_logger = logging.getLogger(__name__)


async def keep_statuses_fresh(wallet: Wallet) -> None:
    """Fetch lists again and again, until cancelled."""
    while True:
        await asyncio.sleep(wallet.settings.status_refresh_interval.total_seconds())
        await refresh_statuses(wallet)


async def refresh_statuses(wallet: Wallet) -> int:
    """Fetch the lists whose time is over before this is called next; return how many are fresh again."""
    now, statuses, fresh = wallet.clock(), wallet.verifiers.statuses, 0
    for uri in statuses.due(by=now + wallet.settings.status_refresh_interval):
        try:
            token = parse_status_list_token(await statuses.fetch_anew(uri))
            chain = verify_chain(
                token.x5c, anchors=wallet.trust.anchors, purpose=Purpose.STATUS, now=now, cache=wallet.trust.cache
            )
            found = verify_status_list_token(token, uri=uri, key=chain.public_key, now=now)
        except ByoidError as error:
            _logger.warning("status list %s was not refreshed: %s", uri, error)
        else:
            statuses.keep({uri: found}, now=now)
            fresh += 1
    return fresh
