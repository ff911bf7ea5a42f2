"""What the agency's other systems may want to hear of: a plug, which writes in the transaction that it is about."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from byoid.service.database import Connection, Write


@dataclass(frozen=True)
class Issued:
    """Credentials of one answer: signed, about to be recorded, and delivered only after that."""

    batch_id: str
    credential_type: str
    ids: Sequence[str]
    grant: Any
    expires_at: datetime


class Events(Protocol):
    """Somebody who listens."""

    async def issued(self, issued: Issued) -> Sequence[Write]:
        """Return what is to be written together with the record of these credentials."""
        ...

    async def notified(self, tx: Connection, *, batch_id: str, event: str) -> None:
        """Hear for the first time what a wallet says of a batch: accepted, failed or deleted.

        Await the database only: the transaction is open.
        """
        ...


class NoEvents:
    """Nobody listens."""

    async def issued(self, issued: Issued) -> Sequence[Write]:
        """Write nothing."""
        return ()

    async def notified(self, tx: Connection, *, batch_id: str, event: str) -> None:
        """Do nothing."""
