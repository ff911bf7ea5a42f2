"""Pages that only tell: the journal, verified page by page, and the webhooks with what waits for them."""

from typing import Final

from starlette.responses import Response

from byoid.service.audit import AuditBroken, AuditPage
from issuer.agency import WRITER
from issuer.web.office.visit import Visit
from issuer.webhooks import CODES

_ENTRIES: Final = 50


async def show_journal(visit: Visit) -> Response:
    """Show entries of the journal, the newest first; `before` is the number that they come before."""
    database, audit = visit.agency.issuer.store.database, visit.agency.audit
    head = await audit.head(database, writer=WRITER)
    newest = head.sequence if head else 0
    before = visit.request.query_params.get("before", "")
    end = min(int(before) - 1, newest) if before.isdecimal() and len(before) < 10 else newest  # noqa: PLR2004
    begin = max(end - _ENTRIES, 0)
    try:
        page, broken = await audit.page(database, writer=WRITER, after=begin, most=max(end - begin, 1)), None
    except AuditBroken as error:
        page, broken = AuditPage((), head), error.sequence
    return visit.page(
        "journal", entries=[each for each in reversed(page.entries) if each.sequence <= end], head=page.head,
        broken=broken, older=begin + 1 if begin else None, newer=end + _ENTRIES + 1 if end < newest else None,
    )  # fmt: skip


async def show_webhooks(visit: Visit) -> Response:
    """Show who is told what becomes of credentials, and how many messages wait for them."""
    waiting = {row.receiver: row for row in await visit.agency.store.waiting_messages()}
    return visit.page(
        "webhooks", webhooks=await visit.agency.store.webhooks(), waiting=waiting, codes=waiting.get(CODES),
    )  # fmt: skip
