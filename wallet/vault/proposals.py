"""Proposals: what is put to the citizen before they agree, kept sealed to their session.

The challenge is SHA-256(32 fresh random bytes ‖ consent id ‖ chosen option ‖ digest of request, option and everything
that will be done). It isn't stored: when the answer comes, the vault computes it again from the proposal that it is
about to obey.
"""

import os
from typing import Final

from byoid.errors import MalformedInput
from wallet import passkeys, store
from wallet.tables import Approval
from wallet.vault.context import Vault
from wallet.vault.contract import Action, Ceremony, NotApproved, Proposal, SessionView, VaultMessage, WalletLocked
from wallet.vault.holder_keys import require_presentation
from wallet.vault.sessions import CookieSecret, open_session, random_id
from wallet.vault.wrapping import READING, SIGNING

_SALTS: Final = {READING: passkeys.READING_SALT, SIGNING: passkeys.SIGNING_SALT}
_UNWRAPS: Final = {
    Action.PRESENT: (SIGNING,),
    Action.RECEIVE: (SIGNING,),
    Action.ADD_PASSKEY: (READING, SIGNING),
    Action.NEW_RECOVERY_CODE: (READING, SIGNING),
}
_WHILE_LOCKED: Final = frozenset({Action.UNLOCK, Action.REMOVE_PASSKEY, Action.DELETE_ACCOUNT})


class SealedProposal(VaultMessage):
    """What a session keeps about a proposal until it is answered."""

    fresh: bytes
    proposal: Proposal


async def propose(vault: Vault, cookie: str, proposal: Proposal) -> Ceremony:
    """Put a proposal to the citizen, made after their choice; the answer goes to `approve`.

    Raises:
        NotSignedIn: the cookie has no live session.
        WalletLocked: the wallet is locked, and this is not what unlocks it.
        MalformedInput, NotApproved: the proposal is not what its action needs.
    """
    session = await open_session(vault, cookie)
    require_unlocked(session.locked, proposal.action)
    require_fitting(proposal)
    return await keep_proposal(vault, cookie, session=session, proposal=proposal)


def require_unlocked(locked: bool, action: Action) -> None:
    """Refuse what a locked wallet doesn't do."""
    if locked and action not in _WHILE_LOCKED:
        raise WalletLocked(f"the wallet is locked: unlock it before {action}")


def require_fitting(proposal: Proposal) -> None:
    """Refuse a proposal that asks for more, or for other signatures, than its action has."""
    if proposal.passkey is not None or proposal.action is Action.ADD_PASSKEY:
        raise NotApproved("a passkey is added by propose_passkey only")
    if (proposal.key_proofs is not None) != (proposal.action is Action.RECEIVE):
        raise MalformedInput("expected key proofs for receiving, and for nothing else")
    if proposal.inputs and proposal.action is not Action.PRESENT:
        raise MalformedInput("only a presentation has bytes to sign")
    for each in proposal.inputs:
        require_presentation(each.data)


async def keep_proposal(vault: Vault, cookie: str, *, session: SessionView, proposal: Proposal) -> Ceremony:
    """Keep a proposal, sealed to the session, and return what the page shows to the authenticator."""
    approval_id, fresh, secret = random_id(), os.urandom(passkeys.CHALLENGE_BYTES), CookieSecret.parse(cookie)
    sealed = SealedProposal(fresh=fresh, proposal=proposal).model_dump_json().encode()
    row = Approval(
        id=approval_id,
        person_id=session.person,
        session_id=session.id,
        proposal_sealed=secret.seal(sealed, column="proposal_sealed", row=approval_id),
        answered=False,
        expires_at=vault.clock() + vault.policy.approval_lifetime,
    )
    async with vault.store.transaction() as tx:
        await tx.insert(row)
        allowed = [passkey.id for passkey in await tx.all(store.PASSKEYS_OF, person_id=session.person)]
    secrets = _UNWRAPS.get(proposal.action, ())
    options = passkeys.assertion_options(
        vault.party,
        challenge=proposal.challenge(fresh),
        allowed=allowed,
        salts=[_SALTS[name] for name in secrets],
    )
    return Ceremony(ceremony=approval_id, options=options, secrets=secrets)
