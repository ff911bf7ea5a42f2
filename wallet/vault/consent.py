"""A consent that was given: what was proposed, in which session, and by which passkey."""

from dataclasses import dataclass
from typing import Any

from wallet import store
from wallet.store import VaultTransaction
from wallet.vault.contract import Approved, NotSignedIn, PagePost, Proposal, SessionView
from wallet.vault.sessions import CookieSecret


@dataclass(frozen=True, slots=True, repr=False)
class Consent:
    """A proposal whose assertion was verified. Only `wallet.vault.gate` makes one."""

    approval_id: str
    session: SessionView
    cookie: CookieSecret
    proposal: Proposal
    passkey: Any  # the row of the passkey that asserted
    person: Any  # the person's row
    post: PagePost

    async def require_standing(self, tx: VaultTransaction) -> None:
        """Demand that it still stands: a lock, recovery, removal or deletion since the assertion ended the session.

        None of these comes before the transaction ends, as it holds the person's row.

        Raises:
            NotSignedIn: the session was ended meanwhile.
        """
        await tx.first(store.PERSON_FOR_CHANGE, id=self.session.person)
        if await tx.first(store.SESSION_OF, id=self.session.id, person_id=self.session.person) is None:
            raise NotSignedIn("the session was ended meanwhile")

    def approved(self, **brought: Any) -> Approved:
        """Return the answer to the caller."""
        return Approved(
            consent_id=self.proposal.consent_id, action=self.proposal.action, person=self.session.person, **brought
        )
