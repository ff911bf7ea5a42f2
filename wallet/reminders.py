"""Reminders: when a citizen who is away should look at their cards, told once and without saying which card.

Reckoned whenever cards or promises change while the citizen is here; what is sealed can't be read at another time. Only
for citizens who want notices about cards: nobody else's dates leave the seal.
"""

from datetime import datetime
from typing import Final

from wallet.card_status import SOON
from wallet.cards import load_cards
from wallet.content_tables import Kind
from wallet.context import Visit, Wallet
from wallet.keeping import DeferredContent
from wallet.notice_tables import Notice

_FAR: Final = 366 * 5  # days: a reminder beyond that is not worth a row


async def remind(wallet: Wallet, visit: Visit) -> None:
    """Set the reminders of a citizen by what they keep now."""
    if not any(each.cards and each.confirmed for each in await wallet.notices.subscriptions.all(visit.person)):
        return
    promises = [DeferredContent.model_validate(kept.value).next_at for kept in await visit.contents.all(Kind.DEFERRED)]
    ends = [each.content.expires_at for each in await load_cards(visit.contents)]
    warnings = [each - SOON for each in ends if each is not None]
    await wallet.notices.remind(visit.person, Notice.PROMISE, min(promises, default=None))
    await wallet.notices.remind(visit.person, Notice.EXPIRY, _next(warnings, wallet.clock()))


def _next(times: list[datetime], now: datetime) -> datetime | None:
    """Return the next of the times; those that are over were told or seen."""
    return min((each for each in times if each > now and (each - now).days < _FAR), default=None)
