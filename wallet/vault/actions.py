"""What a citizen approves about their own account: passkeys, recovery code, lock, deletion.

Each function gets a `Consent`: the assertion was verified for exactly this, by a passkey of this person. What opens a
way into the wallet demands in its transaction that the consent still stands.
"""

from hashlib import sha256

from byoid.encoding import b64u_decode
from byoid.errors import MalformedInput
from wallet import passkeys, store
from wallet.recovery import RecoveryCode, recovery_row
from wallet.vault import journal
from wallet.vault.ceremonies import MAX_NAME, Kind, begin_creation, consume_ceremony, passkey_row
from wallet.vault.consent import Consent
from wallet.vault.context import Vault
from wallet.vault.contract import Action, Approved, Ceremony, LastPasskey, NewPasskey, NotApproved, PagePost, Proposal
from wallet.vault.journal import Actor, Event
from wallet.vault.keys import place
from wallet.vault.proposals import keep_proposal, require_unlocked
from wallet.vault.sessions import open_session, random_id
from wallet.vault.wrapping import Keys, unwrap_reading, unwrap_signing, wrap_keys


async def begin_adding_passkey(vault: Vault, cookie: str, *, account_name: str) -> Ceremony:
    """Begin a further passkey: first it is created, then an existing one must agree (`propose_passkey`).

    Raises:
        NotSignedIn: the cookie has no live session.
        WalletLocked: the wallet is locked.
        MalformedInput: there are too many passkeys.
    """
    session = await open_session(vault, cookie)
    require_unlocked(session.locked, Action.ADD_PASSKEY)
    rows = (await vault.store.database.fetch(store.PASSKEYS_OF, {"of_person_id": session.person})).rows
    if len(rows) >= vault.policy.max_passkeys:
        raise MalformedInput(f"expected at most {vault.policy.max_passkeys} passkeys")
    return await begin_creation(
        vault,
        Kind.ADD_PASSKEY,
        person=session.person,
        account_name=account_name,
        existing=[row.id for row in rows],
        session_id=session.id,
    )


async def propose_passkey(vault: Vault, cookie: str, post: PagePost, *, name: str) -> Ceremony:
    """Verify the new passkey and ask for an assertion of an existing one, which names it; then `approve`.

    The page keeps the new passkey's secrets and posts them as `new_secrets` with the approval.

    Raises:
        NotSignedIn: the cookie has no live session.
        WalletLocked: the wallet is locked.
        Replayed, Expired, VerificationError, MalformedInput: see `ceremonies.register`.
    """
    session = await open_session(vault, cookie)
    require_unlocked(session.locked, Action.ADD_PASSKEY)
    ceremony = await consume_ceremony(vault, post.ceremony, Kind.ADD_PASSKEY, now=vault.clock(), session_id=session.id)
    passkey = passkeys.verify_registration(post.credential, party=vault.party, challenge=ceremony.challenge)
    new = NewPasskey(
        id=passkey.id,
        public_key=passkey.public_key,
        sign_count=passkey.sign_count,
        backup_eligible=passkey.backup_eligible,
        name=name[:MAX_NAME],
    )
    shown = sha256(place("add a passkey", new.name)).digest()
    proposal = Proposal(action=Action.ADD_PASSKEY, consent_id=random_id(), option=new.id, shown=shown, passkey=new)
    return await keep_proposal(vault, cookie, session=session, proposal=proposal)


async def add_passkey(vault: Vault, consent: Consent) -> Approved:
    """Wrap both keys for the new passkey.

    Raises:
        BadSignature, MalformedInput: the secrets are not right.
        Replayed: this passkey is registered already.
    """
    new = consent.proposal.passkey
    if new is None:
        raise NotApproved("the proposal names no passkey")
    keys, person = await _unwrap_both(vault, consent), consent.session.person
    secrets = consent.post.new_secrets
    wrapped = await wrap_keys(
        keys, secrets=secrets, kek=vault.kek, person=person, passkey_id=new.id, public_key=new.public_key
    )
    registered = passkeys.RegisteredPasskey(b64u_decode(new.id), new.public_key, new.sign_count, new.backup_eligible)
    now = vault.clock()
    async with vault.store.transaction() as tx:
        await consent.require_standing(tx)
        await tx.insert_passkey(passkey_row(registered, wrapped, keys.reading, person=person, name=new.name, now=now))
        await journal.write(
            tx, consent.person, actor=Actor.CITIZEN, event=Event.PASSKEY_ADDED, now=now, detail=new.name
        )
    return consent.approved()


async def remove_passkey(vault: Vault, consent: Consent) -> Approved:
    """Remove the passkey that the proposal's option names, and end its sessions.

    Raises:
        NotApproved: this person has no such passkey.
        LastPasskey: it is the last one.
    """
    person, target = consent.session.person, consent.proposal.option
    async with vault.store.transaction() as tx:
        await tx.first(store.PERSON_FOR_CHANGE, id=person)  # or two removals at once would each see the other's passkey
        rows = {row.id: row for row in await tx.all(store.PASSKEYS_OF, person_id=person)}
        if target not in rows:
            raise NotApproved("this person has no such passkey")
        if len(rows) == 1:
            raise LastPasskey("the last passkey can't be removed: add another one before, or delete the account")
        await tx.change(store.DELETE_PASSKEY, id=target, person_id=person)
        await tx.change(store.DELETE_SESSIONS_OF_PASSKEY, passkey_id=target, person_id=person)
        name = consent.session.reading_key.open(
            rows[target].name_sealed, table="vault_passkey", column="name_sealed", row=target
        )
        await journal.write(
            tx,
            consent.person,
            actor=Actor.CITIZEN,
            event=Event.PASSKEY_REMOVED,
            now=vault.clock(),
            detail=name.decode(),
        )
    return consent.approved()


async def make_recovery_code(vault: Vault, consent: Consent) -> Approved:
    """Make a recovery code, to be shown once and printed; an older one stops working."""
    keys, person, now = await _unwrap_both(vault, consent), consent.session.person, vault.clock()
    code = RecoveryCode.generate()
    async with vault.store.transaction() as tx:
        await consent.require_standing(tx)
        await tx.change(store.DELETE_RECOVERY_OF, person_id=person)
        await tx.insert(recovery_row(code, keys, person=consent.person, now=now))
        await journal.write(tx, consent.person, actor=Actor.CITIZEN, event=Event.RECOVERY_CODE_MADE, now=now)
    return consent.approved(recovery_code=code.text)


async def unlock(vault: Vault, consent: Consent) -> Approved:
    """Unlock the wallet."""
    async with vault.store.transaction() as tx:
        await consent.require_standing(tx)
        await tx.change(store.SET_LOCK, values={"locked_at": None}, id=consent.session.person)
        await journal.write(tx, consent.person, actor=Actor.CITIZEN, event=Event.UNLOCKED, now=vault.clock())
    return consent.approved()


async def delete_account(vault: Vault, consent: Consent) -> Approved:
    """Delete every row of this person in the vault. What the web part keeps can't be read from now on."""
    async with vault.store.transaction() as tx:
        await tx.forget(consent.session.person)
    return consent.approved()


async def _unwrap_both(vault: Vault, consent: Consent) -> Keys:
    secrets = consent.post.secrets
    reading = await unwrap_reading(consent.passkey, secrets=secrets, kek=vault.kek)
    signing = await unwrap_signing(consent.passkey, secrets=secrets, kek=vault.kek)
    return Keys(reading, signing).require(consent.person)
