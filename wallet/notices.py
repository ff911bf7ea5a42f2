"""Notices: a word to the citizen while they are away, that there is something to look at. Never what.

Written at once or for later, sent by a job, at least once. A notice is taken by moving its time, so that a worker that
is killed only delays it. RFC 8030 5 (request), 7.3 (a subscription that is gone); content by `web_push` or `letters`.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from byoid.encoding import json_dumps
from byoid.errors import ByoidError, OAuthError, PeerError
from byoid.service.database import Database
from byoid.service.smtp import REFUSED_FOR_GOOD
from wallet import notice_store as store
from wallet.mail import Mail
from wallet.notice_tables import Channel, Notice
from wallet.push_client import PushClient
from wallet.subscriptions import Address, NoSuchSubscription, Subscribed, Subscriptions
from wallet.vault.keys import PersonId
from wallet.web_push import PushAddress

_logger = logging.getLogger(__name__)
LEASE: Final = timedelta(minutes=2)  # longer than a try can last
# Pauses before the tries after the first; after the last one the notice is dropped.
BACKOFF: Final = tuple(timedelta(minutes=each) for each in (1, 10, 60, 360, 1440))
_GONE: Final = frozenset({403, 404, 410})  # RFC 8030 7.3, RFC 8292 4.2: subscribed to another key
_URGENCY: Final[Mapping[Notice, str]] = {Notice.SECURITY: "high", Notice.PROMISE: "normal", Notice.EXPIRY: "low"}

# Returns subject and text: of a notice, or of the code for a new address.
Letters = Callable[[str, "Notice | str"], tuple[str, str]]


class MailNotOffered(OAuthError):
    """The operator has set no mail server."""

    code = "not_supported"
    status = 400


@dataclass(frozen=True)
class Notices:
    """Everything it takes to tell a citizen something."""

    database: Database
    subscriptions: Subscriptions
    push: PushClient
    letters: Letters
    mail: Mail | None = None

    async def tell(self, person: PersonId, *, now: datetime) -> None:
        """Tell a citizen that something about who can open their wallet has happened."""
        await self._put(person, Notice.SECURITY, now)

    async def remind(self, person: PersonId, kind: Notice, at: datetime | None) -> None:
        """Tell a citizen about their cards at a time; never, if nothing is to be told any more."""
        if at is None:
            await self.database.execute(store.WITHDRAW, {"of_person": person, "of_kind": kind})
        else:
            await self._put(person, kind, at)

    def require_mail(self) -> None:
        """Demand a mail server.

        Raises:
            MailNotOffered: this wallet sends none.
        """
        if self.mail is None:
            raise MailNotOffered("This wallet sends no e-mail.")

    async def send_code(self, subscription: Subscribed) -> None:
        """Send the code of a new e-mail address.

        Raises:
            PeerError: the mail server did not take it.
        """
        address = subscription.address
        await self._send_mail(address, self.letters(address.language, address.code or ""))

    async def deliver_due(self, *, now: datetime) -> int:
        """Try every notice that is due; return how many arrived."""
        arrived = 0
        while taken := (await self.database.execute(store.TAKE, {"now": now, "later": now + LEASE})).rows:
            arrived += sum(await asyncio.gather(*(self._deliver(row, now=now) for row in taken)))
        return arrived

    async def _put(self, person: PersonId, kind: Notice, at: datetime) -> None:
        wanted = store.FOR_SECURITY if kind is Notice.SECURITY else store.FOR_CARDS
        for row in (await self.database.fetch(wanted, {"of_person": person})).rows:
            values = {
                "new_id": secrets.token_urlsafe(16), "of_subscription": row.id, "of_person": person, "of_kind": kind,
                "due": at,
            }  # fmt: skip
            await self.database.execute(store.PUT, values)

    async def _deliver(self, row: Any, *, now: datetime) -> bool:
        target = (await self.database.fetch(store.TARGET, {"of_id": row.subscription_id})).first()
        counted = {"of_id": row.id, "counted": row.tries}
        if target is None or not (target.security if row.kind == Notice.SECURITY else target.cards):
            await self.database.execute(store.DONE, counted)
            return False
        try:
            await self._send(self.subscriptions.opened(target).address, Notice(row.kind), now=now)
        except ByoidError as error:
            _logger.info("notice %s by %s did not arrive: %s", row.kind, target.channel, error)
            await self._later(row, target, error, now=now)
            return False
        await self.database.execute(store.DONE, counted)
        return True

    async def _later(self, row: Any, target: Any, error: ByoidError, *, now: datetime) -> None:
        status = error.status if isinstance(error, PeerError) else None
        if status in _GONE if target.channel == Channel.PUSH else (status or 0) >= REFUSED_FOR_GOOD:
            with suppress(NoSuchSubscription):  # its owner was faster
                await self.subscriptions.remove(target.person_id, target.id)
        elif row.tries > len(BACKOFF):
            await self.database.execute(store.DONE, {"of_id": row.id, "counted": row.tries})
        else:
            later = now + BACKOFF[row.tries - 1]
            await self.database.execute(store.DELAY, {"of_id": row.id, "counted": row.tries, "later": later})

    async def _send(self, address: Address, notice: Notice, *, now: datetime) -> None:
        if address.channel is Channel.MAIL:
            await self._send_mail(address, self.letters(address.language, notice))
            return
        to = PushAddress.parse(address.endpoint or "", address.p256dh or "", address.auth or "")
        message = json_dumps({"kind": notice})
        await self.push.send(message, to, topic=notice, urgency=_URGENCY[notice], now=now)

    async def _send_mail(self, address: Address, letter: tuple[str, str]) -> None:
        if self.mail is None:
            raise PeerError("this wallet has no mail server")
        await self.mail.send(address.mail or "", subject=letter[0], text=letter[1])
