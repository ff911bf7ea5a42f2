"""Webhooks (Standard Webhooks): the agency's systems hear what became of credentials. No claims, no names, no keys.

Messages are written in the transaction that they are about, and delivered by a job. Who listens is read at most every
half minute, since each issuance asks.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from byoid.service.database import Connection, Write, execute_writes
from byoid.service.outbox import Destination, Outbox
from byoid.service.seal import Sealer
from issuer.agency_store import AgencyStore
from issuer.events import Issued

EVENTS: Final = (
    "credential.issued", "credential.accepted", "credential.failed", "credential.deleted",
    "credential.revoked", "credential.suspended", "credential.reinstated", "credential.outdated",
)  # fmt: skip
CODES: Final = "transaction-codes"  # the receiver of transaction codes, which settings name
_OF_NOTIFICATION: Final = {
    "credential_accepted": "credential.accepted",
    "credential_failure": "credential.failed",
    "credential_deleted": "credential.deleted",
}
_KEPT: Final = timedelta(seconds=30)


@dataclass
class _Known:
    rows: Sequence[Any]
    until: datetime


class Webhooks:
    """Who listens to what, and the way there."""

    def __init__(self, store: AgencyStore, sealer: Sealer, outbox: Outbox, *, codes: Destination | None = None) -> None:
        self._store = store
        self._sealer = sealer
        self._outbox = outbox
        self._codes = codes
        self._known: _Known | None = None

    async def tell(self, tx: Connection, event: str, content: Mapping[str, Any], *, now: datetime) -> None:
        """Write a message to everybody who listens to this event."""
        await execute_writes(tx, await self.messages(event, content, now=now))

    async def messages(self, event: str, content: Mapping[str, Any], *, now: datetime) -> list[Write]:
        """Return a message to everybody who listens to this event, to be written by the caller."""
        listeners = [row.id for row in await self._rows(now) if event in row.events]
        return [self._outbox.message(receiver=each, type_=event, content=dict(content), now=now) for each in listeners]

    async def send_code(self, tx: Connection, content: Mapping[str, Any], *, now: datetime) -> None:
        """Write a message to the system that hands transaction codes to people."""
        await self._outbox.enqueue(tx, receiver=CODES, type_="transaction_code", content=dict(content), now=now)

    async def destination(self, receiver: str) -> Destination | None:
        """Return where a receiver's messages go."""
        if receiver == CODES:
            return self._codes
        for row in await self._store.webhooks():
            if row.id == receiver:
                return Destination(row.url, open_secret(self._sealer, row))
        return None

    def forget(self) -> None:
        """Read anew who listens, at once in this process."""
        self._known = None

    async def _rows(self, now: datetime) -> Sequence[Any]:
        if self._known is None or now >= self._known.until:
            self._known = _Known(await self._store.webhooks(), now + _KEPT)
        return self._known.rows


class WebhookEvents:
    """Turns what happens at the protocol's endpoints into webhooks, and remembers whom credentials are about."""

    def __init__(self, store: AgencyStore, webhooks: Webhooks, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._webhooks = webhooks
        self._clock = clock

    async def issued(self, issued: Issued) -> Sequence[Write]:
        """Return what is to be written together with the record of these credentials."""
        now, grant = self._clock(), issued.grant
        subject = self._store.subject(
            person_hash=grant.person_hash, person=grant.person, grant_id=grant.id, expires_at=issued.expires_at, now=now
        )
        content = {"batch": issued.batch_id, "type": issued.credential_type, "credentials": list(issued.ids)}
        return [subject, *await self._webhooks.messages("credential.issued", content, now=now)]

    async def notified(self, tx: Connection, *, batch_id: str, event: str) -> None:
        """Hear for the first time what a wallet says of a batch."""
        await self._webhooks.tell(tx, _OF_NOTIFICATION[event], {"batch": batch_id}, now=self._clock())


def seal_secret(sealer: Sealer, webhook_id: str, secret: str) -> bytes:
    """Encrypt a webhook's secret for its row."""
    return sealer.seal(secret.encode(), table="webhook", column="secret", row_id=webhook_id)


def open_secret(sealer: Sealer, row: Any) -> str:
    """Decrypt a webhook's secret."""
    return sealer.open(row.secret, table="webhook", column="secret", row_id=row.id).decode()
