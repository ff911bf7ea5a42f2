"""What the verifier does without a request: forget what is over, deliver webhooks, keep status lists fresh."""

import asyncio
import logging
from datetime import timedelta
from typing import Final

from byoid.errors import ByoidError
from byoid.formats.status_list import parse_status_list_token, verify_status_list_token
from byoid.service import jobs
from byoid.service.database import Expiry
from byoid.trust.anchors import Purpose
from byoid.trust.x509 import verify_chain
from verifier.context import Verifier
from verifier.tables import rate_limits

_logger = logging.getLogger(__name__)
_WEBHOOKS_EVERY: Final = timedelta(seconds=2)
_RATE_LIMITS: Final = Expiry(rate_limits, expires_at=rate_limits.c.expires_at)


def verifier_jobs(verifier: Verifier) -> list[jobs.Job]:
    """Return what one worker does for all, once in each period."""
    interval = verifier.settings.expiry_interval
    return [
        jobs.every(interval, lambda: expire(verifier), name="expire transactions and queries"),
        jobs.every(_WEBHOOKS_EVERY, lambda: deliver(verifier), name="deliver webhooks"),
    ]


async def expire(verifier: Verifier) -> int:
    """Delete transactions, results, logins and queries whose time is over; return how many."""
    now = verifier.clock()
    gone = await verifier.transactions.expire(now=now)
    gone += await _RATE_LIMITS.run(verifier.store.database, now=now)
    gone += await verifier.logins.expire(now=now)
    return gone + await verifier.store.expire_queries(now=now)


async def deliver(verifier: Verifier) -> int:
    """Deliver webhooks that are due; return how many arrived."""
    return await verifier.outbox.deliver_due(verifier.store.database, now=verifier.clock())


async def keep_statuses_fresh(verifier: Verifier) -> None:
    """Fetch the status lists that this worker uses before their time is over, until cancelled.

    Each worker has its own cache, so this is no job that one does for all.
    """
    while True:
        await asyncio.sleep(verifier.settings.status_refresh_interval.total_seconds())
        try:
            await refresh_statuses(verifier)
        except Exception:  # the next round must come
            _logger.exception("status lists could not be refreshed")


async def refresh_statuses(verifier: Verifier) -> int:
    """Fetch the lists whose time is over before this is called next; return how many are fresh again.

    A list that does not verify under the operator's own anchors is left to be fetched when a presentation needs it.
    """
    now, fresh = verifier.clock(), 0
    for uri in verifier.statuses.due(by=now + verifier.settings.status_refresh_interval):
        try:
            token = parse_status_list_token(await verifier.statuses.fetch_anew(uri))
            chain = verify_chain(
                token.x5c, anchors=verifier.anchors, purpose=Purpose.STATUS, now=now, cache=verifier.cache
            )
            found = verify_status_list_token(token, uri=uri, key=chain.public_key, now=now)
        except ByoidError as error:
            _logger.warning("status list %s was not refreshed: %s", uri, error)
        else:
            verifier.statuses.keep({uri: found}, now=now)
            fresh += 1
    return fresh
