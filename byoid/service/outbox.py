"""Webhooks that are not lost: written in the transaction that caused them, delivered afterwards, at least once.

Signed as Standard Webhooks demands (`webhook-id`, `webhook-timestamp`, `webhook-signature`). A delivery is taken by
moving its due time, so a worker that is killed only delays it; the id lets the receiver notice a second copy. Bodies
may say something about a person, so they are sealed. Messages end when they are delivered, or when all tries failed.
"""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

import httpx2
from sqlalchemy import Column, Integer, LargeBinary, MetaData, String, Table, bindparam, delete, select, update
from standardwebhooks import Webhook

from byoid.encoding import json_dumps
from byoid.service.database import Connection, Database, UtcDateTime, Write, insert
from byoid.service.seal import Sealer

_logger = logging.getLogger(__name__)
BATCH: Final = 20
LEASE: Final = timedelta(minutes=2)  # longer than a try can last; a killed worker's messages wait for its end
# Pauses before the tries after the first; Standard Webhooks' own schedule. After the last one the message is dropped.
BACKOFF: Final = tuple(timedelta(seconds=each) for each in (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400))
_GONE: Final = 410


@dataclass(frozen=True)
class Destination:
    """Where a receiver's webhooks go, and the secret that signs them (`whsec_` and base64)."""

    url: str
    secret: str


FindDestination: TypeAlias = Callable[[str], Awaitable[Destination | None]]


def outbox_table(metadata: MetaData) -> Table:
    """Add the table of messages to a service's metadata."""
    return Table(
        "outbox",
        metadata,
        Column("id", String(36), primary_key=True),
        Column("receiver", String(64), nullable=False),
        Column("sealed_body", LargeBinary, nullable=False),
        Column("tries", Integer, nullable=False),
        Column("due_at", UtcDateTime(), nullable=False, index=True),
    )


class Outbox:
    """Messages to other services."""

    def __init__(self, table: Table, *, sealer: Sealer, client: httpx2.AsyncClient, find: FindDestination) -> None:
        self._sealer = sealer
        self._client = client
        self._find = find
        columns = table.c
        due = (
            select(columns.id)
            .where(columns.due_at <= bindparam("now", type_=UtcDateTime()))
            .order_by(columns.due_at)
            .limit(BATCH)
            .with_for_update(skip_locked=True)
        )
        self._insert = insert(table)
        self._take = (
            update(table)
            .where(columns.id.in_(due.scalar_subquery()))
            .values(due_at=bindparam("later"), tries=columns.tries + 1)
            .returning(columns.id, columns.receiver, columns.sealed_body, columns.tries)
        )
        self._delay = (
            update(table)
            .where(columns.id == bindparam("message"), columns.tries == bindparam("counted"))
            .values(due_at=bindparam("later"))
        )
        self._delete = delete(table).where(columns.id == bindparam("message"))

    async def enqueue(self, tx: Connection, *, receiver: str, type_: str, content: Any, now: datetime) -> str:
        """Write a message in the caller's transaction; return its id."""
        write = self.message(receiver=receiver, type_=type_, content=content, now=now)
        await tx.execute(write.statement, write.rows[0])
        return str(write.rows[0]["id"])

    def message(self, *, receiver: str, type_: str, content: Any, now: datetime) -> Write:
        """Return a message, to be written in the transaction that causes it."""
        message_id = str(uuid.uuid4())
        body = json_dumps({"type": type_, "timestamp": now.isoformat(), "data": content})
        sealed = self._sealer.seal(body, table="outbox", column="sealed_body", row_id=message_id)
        row = {"id": message_id, "receiver": receiver, "sealed_body": sealed, "tries": 0, "due_at": now}
        return Write(self._insert, [row])

    async def deliver_due(self, database: Database, *, now: datetime) -> int:
        """Try every message that is due; return how many arrived."""
        arrived = 0
        while taken := (await database.execute(self._take, {"now": now, "later": now + LEASE})).rows:
            arrived += sum(await asyncio.gather(*(self._deliver(database, row, now=now) for row in taken)))
        return arrived

    async def _deliver(self, database: Database, row: Any, *, now: datetime) -> bool:
        destination = await self._find(row.receiver)
        status = None if destination is None else await self._post(destination, row, now=now)
        if status is not None and httpx2.codes.is_success(status):
            await database.execute(self._delete, {"message": row.id})
            return True
        if destination is None or status == _GONE or row.tries > len(BACKOFF):
            _logger.warning("webhook %s to %s is dropped after %d tries", row.id, row.receiver, row.tries)
            await database.execute(self._delete, {"message": row.id})
            return False
        later = now + BACKOFF[row.tries - 1]
        await database.execute(self._delay, {"message": row.id, "counted": row.tries, "later": later})
        return False

    async def _post(self, destination: Destination, row: Any, *, now: datetime) -> int | None:
        body = self._sealer.open(row.sealed_body, table="outbox", column="sealed_body", row_id=row.id).decode()
        headers = {
            "content-type": "application/json",
            "webhook-id": row.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(destination.secret).sign(row.id, now, body),
        }
        try:
            response = await self._client.post(destination.url, content=body, headers=headers)
        except httpx2.HTTPError as error:
            _logger.info("webhook %s to %s did not arrive: %s", row.id, row.receiver, type(error).__name__)
            return None
        return response.status_code
