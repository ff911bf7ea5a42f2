"""What the agency's other systems may want to hear of: a plug, called inside the transaction that it is about."""

from collections.abc import Sequence
from typing import Protocol

from byoid.service.database import Connection


class Events(Protocol):
    """Somebody who listens. Await the database only: the transaction is open."""

    async def issued(self, tx: Connection, *, batch_id: str, credential_type: str, ids: Sequence[str]) -> None:
        """Hear that credentials were signed and recorded, and are about to be delivered."""
        ...

    async def notified(self, tx: Connection, *, batch_id: str, event: str) -> None:
        """Hear for the first time what a wallet says of a batch: accepted, failed or deleted."""
        ...


class NoEvents:
    """Nobody listens."""

    async def issued(self, tx: Connection, *, batch_id: str, credential_type: str, ids: Sequence[str]) -> None:
        """Do nothing."""

    async def notified(self, tx: Connection, *, batch_id: str, event: str) -> None:
        """Do nothing."""
