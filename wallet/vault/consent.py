"""A consent that was given: what was proposed, in which session, and by which passkey."""

from dataclasses import dataclass
from typing import Any

from wallet.vault.contract import Approved, PagePost, Proposal, SessionView
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

    def approved(self, **brought: Any) -> Approved:
        """Return the answer to the caller."""
        return Approved(
            consent_id=self.proposal.consent_id, action=self.proposal.action, person=self.session.person, **brought
        )
