"""The gate: nothing is signed, and nothing about an account changes, without an assertion for exactly that.

    propose   the caller says what will be done if the citizen agrees; the vault answers with a challenge,
              SHA-256(32 fresh random bytes ‖ consent id ‖ chosen option ‖ digest of request, option and signing inputs)
    approve   the vault verifies the assertion for that challenge itself, unwraps the signing key, does what was
              proposed, byte for byte, and forgets the key

An approval is spent by the first answer, good or bad; it ends after minutes, and belongs to one session of one person.
For a presentation the exact bytes are in the proposal. For receiving they can't be (the issuer's nonce comes later):
such an approval is a grant to sign key proofs, by the keys it names, for that issuer, in that session, for half an
hour.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from pydantic import Field

from byoid.errors import BadSignature, HolderBindingError
from wallet import passkeys, store
from wallet.vault import actions
from wallet.vault.ceremonies import verify_by
from wallet.vault.consent import Consent
from wallet.vault.context import Vault
from wallet.vault.contract import Action, Approved, KeyProofs, NotApproved, PagePost, SigningInput, VaultMessage
from wallet.vault.holder_keys import from_grant, open_holder_keys, require_key_proof, to_grant
from wallet.vault.proposals import SealedProposal, require_unlocked
from wallet.vault.sessions import CookieSecret, open_session
from wallet.vault.wrapping import require_signing, unwrap_signing


class _Grant(VaultMessage):
    """What a session keeps about an approval to receive."""

    terms: KeyProofs
    keys: dict[str, str] = Field(repr=False)


async def approve(vault: Vault, cookie: str, post: PagePost) -> Approved:
    """Verify the assertion for a proposal, and do what was proposed: exactly that, once.

    Raises:
        NotSignedIn: the cookie has no live session.
        NotApproved: no proposal of this session waits for this answer.
        WalletLocked: the wallet was locked meanwhile.
        VerificationError, MalformedInput: the assertion or its secrets are not right; the proposal is spent.
    """
    consent = await verify_consent(vault, cookie, post)
    return await _DO[consent.proposal.action](vault, consent)


async def sign_key_proofs(vault: Vault, cookie: str, grant: str, inputs: Sequence[SigningInput]) -> list[bytes]:
    """Sign key proofs under an approval to receive; again, if the issuer wants another nonce.

    Raises:
        NotSignedIn: the cookie has no live session.
        WalletLocked: the wallet was locked meanwhile.
        NotApproved: no such grant in this session, or the bytes are no key proof of its keys for its issuer.
    """
    session, now, secret = await open_session(vault, cookie), vault.clock(), CookieSecret.parse(cookie)
    require_unlocked(session.locked, Action.RECEIVE)
    async with vault.store.transaction() as tx:
        row = await tx.first(store.GRANT, id=grant, session_id=session.id, now=now)
    if row is None:
        raise NotApproved("no approval of this session covers key proofs")
    found = _Grant.model_validate_json(secret.unseal(row.keys_sealed, column="keys_sealed", row=grant))
    signatures = []
    for each in inputs:
        if each.key_id not in found.keys:
            raise NotApproved("the approval doesn't cover this holder key")
        key = from_grant(found.keys[each.key_id])
        require_key_proof(each.data, key=key, terms=found.terms, now=now)
        signatures.append(key.sign(each.data))
    return signatures


async def withdraw(vault: Vault, cookie: str, approval_id: str) -> None:
    """End a proposal or a grant: the citizen declined, or everything is received.

    Raises:
        NotSignedIn: the cookie has no live session.
    """
    session = await open_session(vault, cookie)
    async with vault.store.transaction() as tx:
        await tx.change(store.DELETE_APPROVAL, id=approval_id, session_id=session.id)


async def verify_consent(vault: Vault, cookie: str, post: PagePost) -> Consent:
    """Verify an answer, in this order: session, proposal, whose passkey, assertion, still unlocked.

    Raises:
        as `approve`.
    """
    session, now, secret = await open_session(vault, cookie), vault.clock(), CookieSecret.parse(cookie)
    async with vault.store.transaction() as tx:  # committed before anything is judged: one answer spends it
        row = await tx.first(store.CONSUME_APPROVAL, id=post.ceremony, session_id=session.id, now=now)
        passkey = await tx.first(store.PASSKEY_BY_ID, id=passkeys.credential_id(post.credential))
    if row is None:
        raise NotApproved("no proposal of this session waits for this answer")
    try:
        kept = secret.unseal(row.proposal_sealed, column="proposal_sealed", row=row.id)
    except BadSignature:
        raise NotApproved("the proposal was changed") from None
    sealed = SealedProposal.model_validate_json(kept)
    if passkey is None or passkey.person_id != session.person:
        raise HolderBindingError("the assertion was made by a passkey of somebody else")
    assertion = verify_by(
        vault, post, challenge=sealed.proposal.challenge(sealed.fresh), passkey=passkey, identified=True
    )
    async with vault.store.transaction() as tx:
        person = await tx.first(store.PERSON_BY_ID, id=session.person)
        require_unlocked(person is None or person.locked_at is not None, sealed.proposal.action)
        await tx.use_passkey(
            passkey.id,
            person=session.person,
            sign_count=assertion.sign_count,
            backed_up=assertion.backed_up,
            now=now,
        )
    return Consent(row.id, session, secret, sealed.proposal, passkey, person, post)


async def _present(vault: Vault, consent: Consent) -> Approved:
    inputs = consent.proposal.inputs
    signing = await unwrap_signing(consent.passkey, secrets=consent.post.secrets, kek=vault.kek)
    keys = await open_holder_keys(
        vault,
        require_signing(signing, consent.person),
        person=consent.session.person,
        key_ids=[each.key_id for each in inputs],
    )
    return consent.approved(signatures=tuple(keys[each.key_id].sign(each.data) for each in inputs))


async def _grant(vault: Vault, consent: Consent) -> Approved:
    """Open the new keys and keep them sealed to the session, for key proofs only."""
    terms = consent.proposal.key_proofs
    if terms is None:
        raise NotApproved("the proposal names no key proofs")
    signing = await unwrap_signing(consent.passkey, secrets=consent.post.secrets, kek=vault.kek)
    keys = await open_holder_keys(
        vault, require_signing(signing, consent.person), person=consent.session.person, key_ids=terms.key_ids
    )
    grant = _Grant(terms=terms, keys=to_grant(keys)).model_dump_json().encode()
    values = {
        "keys_sealed": consent.cookie.seal(grant, column="keys_sealed", row=consent.approval_id),
        "expires_at": vault.clock() + vault.policy.grant_lifetime,
    }
    async with vault.store.transaction() as tx:
        await tx.change(store.KEEP_GRANT, values=values, id=consent.approval_id)
    return consent.approved(grant=consent.approval_id)


_DO: Final[Mapping[Action, Callable[[Vault, Consent], Awaitable[Approved]]]] = {
    Action.PRESENT: _present,
    Action.RECEIVE: _grant,
    Action.ADD_PASSKEY: actions.add_passkey,
    Action.REMOVE_PASSKEY: actions.remove_passkey,
    Action.NEW_RECOVERY_CODE: actions.make_recovery_code,
    Action.UNLOCK: actions.unlock,
    Action.DELETE_ACCOUNT: actions.delete_account,
}
