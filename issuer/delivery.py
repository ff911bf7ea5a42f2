"""How offers and transaction codes reach people: by e-mail, by a letter to print, or by another system's webhook.

The code must go another way than the offer, so that who finds one has not the other (OpenID4VCI 3.5, 13.6.2). What is
on its way is sealed, and gone once it is delivered.
"""

import json
import logging
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator
from sqlalchemy import bindparam, delete, select, update

from byoid.encoding import b64u_encode, json_dumps
from byoid.errors import PeerError
from byoid.service.database import Connection, Expiry, UtcDateTime, insert
from byoid.service.smtp import REFUSED_FOR_GOOD
from byoid.wire_errors import InvalidRequest
from issuer.agency import Agency
from issuer.agency_store import table_of
from issuer.agency_tables import Delivery, DeliveryState
from issuer.mail import Mail
from issuer.offers import CreatedOffer
from issuer.recipients import Recipient

_logger = logging.getLogger(__name__)
_TRIES: Final = tuple(timedelta(minutes=each) for each in (1, 5, 30, 120, 720, 1440))
_TAKE: Final = 20
LETTERS: Final = 500
_LEASE: Final = timedelta(minutes=5)
_deliveries = table_of(Delivery)
_NOW: Final = bindparam("now", type_=UtcDateTime())
_INSERT = insert(_deliveries)
_DUE = (
    select(_deliveries.c.id)
    .where(
        _deliveries.c.channel == "email",
        _deliveries.c.state == DeliveryState.WAITING,
        _deliveries.c.due_at <= _NOW,
        _deliveries.c.expires_at > _NOW,
    )
    .limit(_TAKE)
    .with_for_update(skip_locked=True)
)
_TAKE_DUE = (
    update(_deliveries)
    .where(_deliveries.c.id.in_(_DUE.scalar_subquery()))
    .values(due_at=bindparam("later"), tries=_deliveries.c.tries + 1)
    .returning(_deliveries.c.id, _deliveries.c.content, _deliveries.c.tries)
)
_POSTPONE = update(_deliveries).where(_deliveries.c.id == bindparam("key")).values(due_at=bindparam("later"))
_GIVE_UP = update(_deliveries).where(_deliveries.c.id == bindparam("key")).values(state=DeliveryState.FAILED)
_DELETE = delete(_deliveries).where(_deliveries.c.id == bindparam("key"))
_WAITING_LETTERS = (
    select(_deliveries.c.id, _deliveries.c.content)
    .where(
        _deliveries.c.agency_id == bindparam("agency"),
        _deliveries.c.channel == "letter",
        _deliveries.c.expires_at > _NOW,
    )
    .order_by(_deliveries.c.due_at, _deliveries.c.id)
    .limit(LETTERS)
)
_EXPIRY: Final = Expiry(_deliveries, expires_at=_deliveries.c.expires_at)


class Channel(StrEnum):
    """A way to a person; `none`: who asked for the offer hands it over."""

    NONE = "none"
    EMAIL = "email"
    LETTER = "letter"
    WEBHOOK = "webhook"  # transaction codes only: another system, such as one that sends text messages


class DeliveryOrder(BaseModel):
    """How an offer and its transaction code are delivered, and in which language."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    offer: Literal[Channel.NONE, Channel.EMAIL, Channel.LETTER] = Channel.NONE
    code: Channel = Channel.NONE
    language: Literal["en", "de", "fr", "es"] = "en"

    @model_validator(mode="after")
    def _on_two_ways(self) -> Self:
        if self.offer == self.code != Channel.NONE:
            raise ValueError("the code must go another way than the offer")
        return self

    @property
    def needs_recipient(self) -> bool:
        """Whether somebody must be found in the register."""
        return self.offer != Channel.NONE or self.code != Channel.NONE


def require_channels(agency: Agency, order: DeliveryOrder) -> None:
    """Refuse ways that this issuer has no settings for.

    Raises:
        InvalidRequest: e-mail without a mail server, or a webhook without an address.
    """
    settings = agency.issuer.settings
    if Channel.EMAIL in {order.offer, order.code} and settings.smtp_url is None:
        raise InvalidRequest("this issuer has no mail server (ISSUER_SMTP_URL)")
    if order.code is Channel.WEBHOOK and settings.code_webhook_url is None:
        raise InvalidRequest("this issuer has no webhook for codes (ISSUER_CODE_WEBHOOK_URL)")


def require_reachable(order: DeliveryOrder, recipient: Recipient) -> None:
    """Refuse to send an e-mail to somebody without an address.

    Raises:
        InvalidRequest: the register has no e-mail address.
    """
    if Channel.EMAIL in {order.offer, order.code} and not recipient.email:
        raise InvalidRequest("the register has no e-mail address of the recipient")


async def deliver(  # what an offer is, to whom, how
    agency: Agency,
    tx: Connection,
    created: CreatedOffer,
    *,
    order: DeliveryOrder,
    recipient: Recipient,
    types: Sequence[str],
    expires_at: datetime,
) -> None:
    """Put an offer and its code on their ways, in the transaction that keeps the offer."""
    common = {
        "to": recipient.to_json(), "language": order.language, "types": list(types),
        "expires_at": expires_at.isoformat(), "tries": agency.issuer.settings.tx_code_attempts,
    }  # fmt: skip
    await _send(agency, tx, order.offer, {**common, "part": "offer", "link": created.link()}, expires_at)
    if created.tx_code is not None:
        await _send(agency, tx, order.code, {**common, "part": "code", "code": created.tx_code}, expires_at)


async def _send(
    agency: Agency, tx: Connection, channel: Channel, content: dict[str, Any], expires_at: datetime
) -> None:
    issuer, now = agency.issuer, agency.issuer.clock()
    match channel:
        case Channel.NONE:
            return
        case Channel.WEBHOOK:
            await agency.webhooks.send_code(tx, content, now=now)
        case Channel.EMAIL | Channel.LETTER:
            delivery_id = b64u_encode(secrets.token_bytes(16))
            row = {
                "id": delivery_id,
                "agency_id": issuer.settings.agency_id,
                "channel": channel,
                "state": DeliveryState.WAITING,
                "content": issuer.seal(json_dumps(content), column="delivery.content", row=delivery_id),
                "tries": 0,
                "due_at": now,
                "expires_at": expires_at,
            }
            await tx.execute(_INSERT, row)


async def send_mails(agency: Agency, mail: Mail) -> int:
    """Send the e-mails that are due; return how many went out. A job: a killed worker's mails are sent later."""
    issuer, sent = agency.issuer, 0
    while rows := (await _take(agency)).rows:
        for row in rows:
            content = _content(agency, row)
            try:
                await mail.send(content["to"]["email"], content)
            except PeerError as error:
                _logger.warning("mail %s was not accepted: %s", row.id, error)
                await _postpone(agency, row, for_good=(error.status or 0) >= REFUSED_FOR_GOOD)
            else:
                await issuer.store.database.execute(_DELETE, {"key": row.id})
                sent += 1
    return sent


async def _take(agency: Agency) -> Any:
    now = agency.issuer.clock()
    return await agency.issuer.store.database.execute(_TAKE_DUE, {"now": now, "later": now + _LEASE})


async def _postpone(agency: Agency, row: Any, *, for_good: bool) -> None:
    database = agency.issuer.store.database
    if for_good or row.tries > len(_TRIES):
        async with database.transaction() as tx:
            await tx.execute(_GIVE_UP, {"key": row.id})
            await agency.note(tx, "delivery.failed", actor="jobs", delivery=row.id)
    else:
        await database.execute(_POSTPONE, {"key": row.id, "later": agency.issuer.clock() + _TRIES[row.tries - 1]})


async def waiting_letters(agency: Agency) -> list[dict[str, Any]]:
    """Return the letters that wait to be printed, at most 500, the oldest first."""
    issuer = agency.issuer
    found = await issuer.store.database.fetch(
        _WAITING_LETTERS, {"agency": issuer.settings.agency_id, "now": issuer.clock()}
    )
    return [{**_content(agency, row), "id": row.id} for row in found]


async def letters_printed(agency: Agency, ids: Sequence[str], *, actor: str) -> None:
    """Forget letters that were printed."""
    async with agency.issuer.store.transaction() as tx:
        await tx.execute_many(_DELETE, [{"key": each} for each in ids])
        await agency.note(tx, "letters.printed", actor=actor, count=len(ids))


def _content(agency: Agency, row: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(agency.issuer.open(row.content, column="delivery.content", row=row.id))
    return found


async def expire(agency: Agency) -> int:
    """Delete what nobody can use any more, in batches."""
    return await _EXPIRY.run(agency.issuer.store.database, now=agency.issuer.clock())
