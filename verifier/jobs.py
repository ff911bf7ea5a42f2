"""What the verifier does without a request: forget what is over, deliver webhooks, keep status lists fresh."""

import asyncio
import logging
from datetime import timedelta
from typing import Final

from byoid.service import jobs
from verifier.context import Verifier

_logger = logging.getLogger(__name__)
_WEBHOOKS_EVERY: Final = timedelta(seconds=2)


def verifier_jobs(verifier: Verifier) -> list[jobs.Job]:
    """Return what one worker does for all, once in each period."""
    interval = verifier.settings.expiry_interval
    return [
        jobs.every(interval, lambda: expire(verifier), name="expire transactions and queries"),
        jobs.every(_WEBHOOKS_EVERY, lambda: deliver(verifier), name="deliver webhooks"),
    ]


async def expire(verifier: Verifier) -> int:
    """Delete transactions, results and queries whose time is over; return how many."""
    now = verifier.clock()
    gone = await verifier.transactions.expiry.run(verifier.store.database, now=now)
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
