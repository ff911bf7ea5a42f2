"""Notices: a word to the citizen while they are away, that there is something to look at. Never what.

Written at once or for later, sent by a job, at least once. A notice is taken by moving its time, so that a worker that
is killed only delays it. RFC 8030 5 (request), 7.3 (a subscription that is gone); content by `web_push` or `letters`.
"""

import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import bindparam, delete, select, update

from byoid.encoding import json_dumps
from byoid.errors import OAuthError, PeerError
from byoid.service.columns import UtcDateTime
from byoid.service.database import Database, insert
from wallet.mail import Mail
from wallet.notice_tables import Channel, Notice
from wallet.push_client import PushClient
from wallet.subscriptions import NOTICE, SUBSCRIPTION, Address, Subscribed, Subscriptions
from wallet.vault.keys import PersonId
from wallet.web_push import PushAddress

_logger = logging.getLogger(__name__)
BATCH: Final = 50
LEASE: Final = timedelta(minutes=2)  # longer than a try can last
# Pauses before the tries after the first; after the last one the notice is dropped.
BACKOFF: Final = tuple(timedelta(minutes=each) for each in (1, 10, 60, 360, 1440))
_GONE: Final = frozenset({403, 404, 410})  # RFC 8030 7.3, RFC 8292 4.2: subscribed to another key
_NEVER: Final = 500  # SMTP: for good
_URGENCY: Final[Mapping[Notice, str]] = {Notice.SECURITY: "high", Notice.PROMISE: "normal", Notice.EXPIRY: "low"}

_IN_TIME = bindparam("due", type_=UtcDateTime())
_FOR_SECURITY = (
    select(SUBSCRIPTION.c.id)
    .where(SUBSCRIPTION.c.person_id == bindparam("of_person"), SUBSCRIPTION.c.confirmed, SUBSCRIPTION.c.security)
)  # fmt: skip
_FOR_CARDS = (
    select(SUBSCRIPTION.c.id)
    .where(SUBSCRIPTION.c.person_id == bindparam("of_person"), SUBSCRIPTION.c.confirmed, SUBSCRIPTION.c.cards)
)  # fmt: skip
_PUT = (
    insert(NOTICE)
    .values(
        id=bindparam("new_id"), subscription_id=bindparam("of_subscription"), person_id=bindparam("of_person"),
        kind=bindparam("of_kind"), tries=0, due_at=_IN_TIME,
    )
    .on_conflict_do_update(
        index_elements=[NOTICE.c.subscription_id, NOTICE.c.kind], set_={"due_at": _IN_TIME, "tries": 0}
    )
)  # fmt: skip
_WITHDRAW = delete(NOTICE).where(NOTICE.c.person_id == bindparam("of_person"), NOTICE.c.kind == bindparam("of_kind"))
_DUE = (
    select(NOTICE.c.id)
    .where(NOTICE.c.due_at <= bindparam("now", type_=UtcDateTime()))
    .order_by(NOTICE.c.due_at)
    .limit(BATCH)
    .with_for_update(skip_locked=True)
)
_TAKE = (
    update(NOTICE)
    .where(NOTICE.c.id.in_(_DUE.scalar_subquery()))
    .values(due_at=bindparam("later", type_=UtcDateTime()), tries=NOTICE.c.tries + 1)
    .returning(NOTICE)
)
_COUNTED = (NOTICE.c.id == bindparam("of_id"), NOTICE.c.tries == bindparam("counted"))
_DONE = delete(NOTICE).where(*_COUNTED)
_DELAY = update(NOTICE).where(*_COUNTED).values(due_at=bindparam("later", type_=UtcDateTime()))
_TARGET = select(SUBSCRIPTION).where(SUBSCRIPTION.c.id == bindparam("of_id"))

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
            await self.database.execute(_WITHDRAW, {"of_person": person, "of_kind": kind})
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
        while taken := (await self.database.execute(_TAKE, {"now": now, "later": now + LEASE})).rows:
            arrived += sum([await self._deliver(row, now=now) for row in taken])
        return arrived

    async def _put(self, person: PersonId, kind: Notice, at: datetime) -> None:
        wanted = _FOR_SECURITY if kind is Notice.SECURITY else _FOR_CARDS
        for row in (await self.database.fetch(wanted, {"of_person": person})).rows:
            values = {
                "new_id": secrets.token_urlsafe(16), "of_subscription": row.id, "of_person": person, "of_kind": kind,
                "due": at,
            }  # fmt: skip
            await self.database.execute(_PUT, values)

    async def _deliver(self, row: Any, *, now: datetime) -> bool:
        target = (await self.database.fetch(_TARGET, {"of_id": row.subscription_id})).first()
        counted = {"of_id": row.id, "counted": row.tries}
        if target is None:
            await self.database.execute(_DONE, counted)
            return False
        try:
            await self._send(self.subscriptions.opened(target).address, Notice(row.kind), now=now)
        except PeerError as error:
            _logger.info("notice %s by %s did not arrive: %s", row.kind, target.channel, error)
            await self._later(row, target, error, now=now)
            return False
        await self.database.execute(_DONE, counted)
        return True

    async def _later(self, row: Any, target: Any, error: PeerError, *, now: datetime) -> None:
        push = target.channel == Channel.PUSH
        if error.status in _GONE if push else (error.status or 0) >= _NEVER:
            await self.subscriptions.remove(target.person_id, target.id)
        elif row.tries > len(BACKOFF):
            await self.database.execute(_DONE, {"of_id": row.id, "counted": row.tries})
        else:
            later = now + BACKOFF[row.tries - 1]
            await self.database.execute(_DELAY, {"of_id": row.id, "counted": row.tries, "later": later})

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
