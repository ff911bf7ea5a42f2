"""What is to be done without a request; each once per period, however many workers there are (byoid.service.jobs)."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from byoid.service import jobs
from issuer import bulk, clerks, delivery, status_lists, updates, wallet_status
from issuer.agency import Agency
from issuer.agency_tables import jobs as jobs_table
from issuer.bulk_store import BulkStore
from issuer.journal import note_heads
from issuer.mail import Mail

_OFTEN: Final = timedelta(seconds=5)
_NOW_AND_THEN: Final = timedelta(minutes=5)


def issuer_jobs(agency: Agency) -> list[jobs.Job]:
    """Return all jobs of an issuer."""
    issuer, settings = agency.issuer, agency.issuer.settings
    compare_period = min(settings.compare_interval, timedelta(hours=1))
    found = [
        jobs.every(settings.publish_interval, lambda: status_lists.publish(issuer), name="publish status lists"),
        jobs.every(settings.nonce_lifetime, lambda: _expire(agency), name="expire"),
        jobs.every(_OFTEN, lambda: _within_lease(bulk.work(agency)), name="bulk offers"),
        jobs.every(_OFTEN, lambda: _deliver(agency), name="deliver webhooks"),
        jobs.every(compare_period, lambda: updates.compare(agency), name="compare with the source"),
        jobs.every(_NOW_AND_THEN, lambda: updates.revoke_outdated(agency), name="revoke outdated"),
        jobs.every(settings.wallet_check_interval, lambda: wallet_status.check_wallets(agency), name="check wallets"),
    ]
    found.append(
        jobs.every(settings.journal_heads_interval, lambda: note_heads(agency), name="note the journal's heads")
    )
    if settings.smtp_url is not None:
        mail = Mail(settings.smtp_url.get_secret_value(), sender=settings.mail_from, post=agency.post)
        found.append(jobs.every(_OFTEN, lambda: delivery.send_mails(agency, mail), name="send e-mails"))
    return found


async def run_jobs(agency: Agency) -> None:
    """Run all jobs until cancelled."""
    runner = jobs.JobRunner(agency.issuer.store.database, jobs_table, clock=agency.issuer.clock)
    await runner.run_forever(issuer_jobs(agency))


async def _within_lease(work: Awaitable[int]) -> int:
    """Do as much as a job may at a time; the next period goes on where this one stopped."""
    try:
        async with asyncio.timeout((jobs.LONGEST_RUN / 2).total_seconds()):
            return await work
    except TimeoutError:
        return 0


async def _expire(agency: Agency) -> int:
    now, store = agency.issuer.clock(), agency.issuer.store
    bulk_store = BulkStore(store.database, agency.issuer.settings.agency_id)
    steps: list[Callable[[], Awaitable[int]]] = [
        lambda: store.expire(now=now), lambda: agency.store.expire(now=now), lambda: bulk_store.expire(now=now),
        lambda: delivery.expire(agency), lambda: clerks.expire(agency),
    ]  # fmt: skip
    return sum([await step() for step in steps])


async def _deliver(agency: Agency) -> int:
    return await agency.outbox.deliver_due(agency.issuer.store.database, now=agency.issuer.clock())
