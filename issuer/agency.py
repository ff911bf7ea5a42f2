"""What operations of the agency's side may use, beside the issuer itself: its store, journal, webhooks and channels."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from byoid.service.audit import AuditLog
from byoid.service.database import Connection
from byoid.service.outbox import Outbox
from issuer.agency_store import AgencyStore
from issuer.context import Issuer
from issuer.post import Post
from issuer.webhooks import Webhooks

WRITER: Final = "agency"  # whose chain of the journal the agency's doings are


@dataclass(frozen=True)
class Agency:
    """The agency's side of an issuer."""

    issuer: Issuer
    store: AgencyStore
    audit: AuditLog
    outbox: Outbox
    webhooks: Webhooks
    post: Post

    async def note(self, tx: Connection, event: str, *, actor: str, **details: Any) -> None:
        """Write into the journal, in the transaction that it reports. Never a claim, a code or a link."""
        now = self.issuer.clock()
        await self.audit.append(tx, writer=WRITER, event=event, details={"actor": actor, **details}, now=now)

    async def tell(self, tx: Connection, event: str, content: Mapping[str, Any]) -> None:
        """Tell the agency's other systems, in the transaction that it is about."""
        await self.webhooks.tell(tx, event, content, now=self.issuer.clock())
