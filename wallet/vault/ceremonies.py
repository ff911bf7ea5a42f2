"""Registering and signing in: the two ceremonies that need no session.

Each begins with a challenge that is kept under a random id, and deleted when the answer comes: good or bad, an answer
spends its challenge. The passkey is verified before any key is unwrapped.
"""

import os
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from byoid.encoding import b64u_decode
from byoid.errors import Expired, HolderBindingError, Replayed
from wallet import passkeys, store
from wallet.tables import Ceremony as CeremonyRow
from wallet.tables import Passkey, Person
from wallet.vault import journal
from wallet.vault.context import Vault
from wallet.vault.contract import Ceremony, PagePost, SignedIn
from wallet.vault.journal import Actor, Event
from wallet.vault.keys import PersonId, ReadingKey
from wallet.vault.sessions import random_id, start_session
from wallet.vault.wrapping import READING, SIGNING, Keys, WrappedKeys, require_reading, unwrap_reading, wrap_keys

NO_SESSION: Final = ""
MAX_NAME: Final = 100


class Kind(StrEnum):
    """What a challenge was made for."""

    REGISTER = "register"
    SIGN_IN = "sign-in"
    ADD_PASSKEY = "add-passkey"
    RECOVER = "recover"


async def begin_registration(vault: Vault, *, account_name: str) -> Ceremony:
    """Begin a new wallet. `account_name` stays on the citizen's devices; the server forgets it."""
    return await begin_creation(vault, Kind.REGISTER, person=PersonId(random_id()), account_name=account_name)


async def begin_creation(
    vault: Vault,
    kind: Kind,
    *,
    person: PersonId,
    account_name: str,
    existing: Sequence[str] = (),
    session_id: str = NO_SESSION,
) -> Ceremony:
    """Begin the creation of a passkey for a person; the caller has judged who asks."""
    challenge = os.urandom(passkeys.CHALLENGE_BYTES)
    options = passkeys.registration_options(
        vault.party,
        challenge=challenge,
        user_handle=b64u_decode(person),
        account_name=account_name[:MAX_NAME],
        existing=existing,
    )
    ceremony = await _keep(vault, kind, challenge=challenge, person=person, session_id=session_id)
    return Ceremony(ceremony=ceremony, options=options, secrets=(READING, SIGNING))


async def register(vault: Vault, post: PagePost, *, name: str, label: str) -> SignedIn:
    """Finish a registration: make the person, their keys, their first passkey and a session.

    Raises:
        Replayed, Expired: the challenge was answered before, or too late.
        VerificationError, MalformedInput: see `passkeys.verify_registration`.
        Replayed: this passkey is registered already.
    """
    now = vault.clock()
    ceremony = await consume_ceremony(vault, post.ceremony, Kind.REGISTER, now=now)
    person = PersonId(ceremony.person_id)
    passkey = passkeys.verify_registration(post.credential, party=vault.party, challenge=ceremony.challenge)
    keys = Keys.generate()
    wrapped = await wrap_keys(
        keys,
        secrets=post.secrets,
        kek=vault.kek,
        person=person,
        passkey_id=passkey.id,
        public_key=passkey.public_key,
    )
    row = Person(id=person, inbox_public=keys.reading.inbox_public, signing_public=keys.signing.public, created_at=now)
    async with vault.store.transaction() as tx:
        await tx.insert(row)
        await tx.insert_passkey(passkey_row(passkey, wrapped, keys.reading, person=person, name=name, now=now))
        await journal.write(tx, row, actor=Actor.CITIZEN, event=Event.REGISTERED, now=now)
        return await start_session(
            vault,
            tx,
            keys.reading,
            person=person,
            passkey_id=passkey.id,
            protection=wrapped.protection,
            label=label,
            now=now,
        )


async def begin_sign_in(vault: Vault) -> Ceremony:
    """Begin a sign-in: the citizen chooses the passkey, we needn't know who they are."""
    challenge = os.urandom(passkeys.CHALLENGE_BYTES)
    options = passkeys.assertion_options(vault.party, challenge=challenge, allowed=(), salts=(passkeys.READING_SALT,))
    ceremony = await _keep(vault, Kind.SIGN_IN, challenge=challenge, person=PersonId(""), session_id=NO_SESSION)
    return Ceremony(ceremony=ceremony, options=options, secrets=(READING,))


async def sign_in(vault: Vault, post: PagePost, *, label: str) -> SignedIn:
    """Finish a sign-in: verify the assertion, unwrap the reading key, start a session.

    Raises:
        Replayed, Expired: the challenge was answered before, or too late.
        VerificationError, MalformedInput: see `passkeys.verify_assertion`.
    """
    now = vault.clock()
    ceremony = await consume_ceremony(vault, post.ceremony, Kind.SIGN_IN, now=now)
    async with vault.store.transaction() as tx:
        passkey = await tx.first(store.PASSKEY_BY_ID, id=passkeys.credential_id(post.credential))
        person = await tx.first(store.PERSON_BY_ID, id=passkey.person_id) if passkey else None
    if passkey is None or person is None:
        raise HolderBindingError("no wallet has this passkey")
    assertion = verify_by(vault, post, challenge=ceremony.challenge, passkey=passkey, identified=False)
    reading = require_reading(await unwrap_reading(passkey, secrets=post.secrets, kek=vault.kek), person)
    async with vault.store.transaction() as tx:
        await tx.use_passkey(
            passkey.id, person=person.id, sign_count=assertion.sign_count, backed_up=assertion.backed_up, now=now
        )
        return await start_session(
            vault,
            tx,
            reading,
            person=person.id,
            passkey_id=passkey.id,
            protection=passkey.protection,
            label=label,
            now=now,
        )


def verify_by(
    vault: Vault, post: PagePost, *, challenge: bytes, passkey: Any, identified: bool
) -> passkeys.VerifiedAssertion:
    """Verify an assertion by the passkey of a row, which the caller has found by the credential's id."""
    return passkeys.verify_assertion(
        post.credential,
        party=vault.party,
        challenge=challenge,
        passkey=passkeys.RegisteredPasskey(
            b64u_decode(passkey.id), passkey.public_key, passkey.sign_count, bool(passkey.backup_eligible)
        ),
        user_handle=b64u_decode(passkey.person_id),
        identified=identified,
    )


async def consume_ceremony(
    vault: Vault, ceremony_id: str, kind: Kind, *, now: datetime, session_id: str = NO_SESSION
) -> Any:
    """Return the row of a ceremony and delete it.

    Raises:
        Replayed: answered before, never begun, begun for something else or in another session.
        Expired: answered too late.
    """
    async with vault.store.transaction() as tx:
        row = await tx.first(store.CONSUME_CEREMONY, id=ceremony_id, kind=kind, session_id=session_id)
    if row is None:
        raise Replayed(f"no challenge for {kind} waits for this answer")
    if row.expires_at <= now:
        raise Expired(f"the challenge ended at {row.expires_at.isoformat(timespec='seconds')}")
    return row


def passkey_row(
    passkey: passkeys.RegisteredPasskey,
    wrapped: WrappedKeys,
    reading: ReadingKey,
    *,
    person: PersonId,
    name: str,
    now: datetime,
) -> Passkey:
    """Return the row of a new passkey, its name sealed."""
    return Passkey(
        id=passkey.id,
        person_id=person,
        public_key=passkey.public_key,
        sign_count=passkey.sign_count,
        backup_eligible=passkey.backup_eligible,
        backed_up=False,
        protection=wrapped.protection,
        reading_wrapped=wrapped.reading,
        signing_wrapped=wrapped.signing,
        name_sealed=seal_name(reading, passkey.id, name),
        created_at=now,
        used_at=now,
    )


def seal_name(reading: ReadingKey, passkey_id: str, name: str) -> bytes:
    """Seal the name that a citizen gave to a passkey."""
    return reading.seal(name[:MAX_NAME].encode(), table="vault_passkey", column="name_sealed", row=passkey_id)


async def _keep(vault: Vault, kind: Kind, *, challenge: bytes, person: PersonId, session_id: str) -> str:
    row = CeremonyRow(
        id=random_id(),
        kind=kind,
        challenge=challenge,
        person_id=person,
        session_id=session_id,
        expires_at=vault.clock() + vault.policy.ceremony_lifetime,
    )
    async with vault.store.transaction() as tx:
        await tx.insert(row)
    return row.id
