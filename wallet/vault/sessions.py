"""Sessions: a signed-in browser holds a secret, the server only what that secret encrypts.

The row is found by a one-way fingerprint of the cookie's secret, and holds the reading key encrypted under another key
derived from it. So workers keep no state, and a dump of the database opens no session.
"""

import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from byoid.encoding import b64u_decode, b64u_encode
from byoid.errors import BadSignature, MalformedInput
from wallet import store
from wallet.store import VaultTransaction
from wallet.tables import Session
from wallet.vault.context import Vault
from wallet.vault.contract import NotSignedIn, SessionView, SignedIn
from wallet.vault.kek import Protection
from wallet.vault.keys import KEY_BYTES, PersonId, ReadingKey, derive, fingerprint, place, seal, unseal

_TOUCH_AFTER: Final = timedelta(minutes=1)  # idle time is known to the minute; not every page view is a write
_MAX_LABEL: Final = 200


def random_id() -> str:
    """Return a new id of 128 random bits."""
    return b64u_encode(os.urandom(16))


@dataclass(frozen=True, slots=True, repr=False)
class CookieSecret:
    """The secret of a session, as its cookie carries it."""

    secret: bytes

    @classmethod
    def parse(cls, cookie: str) -> "CookieSecret":
        """Parse a cookie.

        Raises:
            NotSignedIn: not a cookie of ours.
        """
        try:
            secret = b64u_decode(cookie)
        except MalformedInput:
            raise NotSignedIn("the session's cookie is malformed") from None
        if len(secret) != KEY_BYTES:
            raise NotSignedIn("the session's cookie is malformed")
        return cls(secret)

    @property
    def session_id(self) -> str:
        """The id of the session's row."""
        return b64u_encode(fingerprint(self.secret, "session id"))

    def seal(self, plaintext: bytes, *, column: str, row: str) -> bytes:
        """Encrypt what only this session may open again."""
        return seal(derive(self.secret, column), plaintext, at=place("session", column, row))

    def unseal(self, sealed: bytes, *, column: str, row: str) -> bytes:
        """Decrypt what this session sealed."""
        return unseal(derive(self.secret, column), sealed, at=place("session", column, row))


async def start_session(
    vault: Vault,
    tx: VaultTransaction,
    reading: ReadingKey,
    *,
    person: PersonId,
    passkey_id: str,
    protection: Protection,
    label: str,
    now: datetime,
) -> SignedIn:
    """Start a session in a transaction of the caller, who has verified an assertion or a registration."""
    secret = os.urandom(KEY_BYTES)
    cookie = CookieSecret(secret)
    expires_at = now + vault.policy.session_lifetime
    row = Session(
        id=cookie.session_id,
        person_id=person,
        passkey_id=passkey_id,
        reading_sealed=cookie.seal(reading.secret, column="reading_sealed", row=person),
        label_sealed=reading.seal(
            label[:_MAX_LABEL].encode(), table="vault_session", column="label_sealed", row=cookie.session_id
        ),
        created_at=now,
        used_at=now,
        expires_at=expires_at,
    )
    await tx.insert(row)
    person_row = await tx.first(store.PERSON_BY_ID, id=person)
    recovery = await tx.first(store.RECOVERY_OF, person_id=person)
    view = SessionView(
        id=row.id,
        person=person,
        passkey_id=passkey_id,
        reading_secret=reading.secret,
        expires_at=expires_at,
        locked=bool(person_row and person_row.locked_at),
        recovery_usable_at=recovery.usable_at if recovery else None,
    )
    return SignedIn(cookie=b64u_encode(secret), session=view, protection=protection)


async def open_session(vault: Vault, cookie: str) -> SessionView:
    """Return the live session of a cookie.

    Raises:
        NotSignedIn: there is none, it was ended, was idle for too long, or is too old.
    """
    secret, now = CookieSecret.parse(cookie), vault.clock()
    row = (await vault.store.database.fetch(store.SESSION_VIEW, {"of_id": secret.session_id})).first()
    if row is None:
        raise NotSignedIn("there is no such session")
    if now >= row.expires_at or now - row.used_at >= vault.policy.session_idle:
        await vault.store.database.execute(store.DELETE_SESSION, {"of_id": row.id, "of_person_id": row.person_id})
        raise NotSignedIn("the session is over")
    try:
        reading = secret.unseal(row.reading_sealed, column="reading_sealed", row=row.person_id)
    except BadSignature:
        raise NotSignedIn("the session's row was changed") from None
    if now - row.used_at >= _TOUCH_AFTER:
        await vault.store.database.execute(store.TOUCH_SESSION, {"of_id": row.id, "used_at": now})
    return SessionView(
        id=row.id,
        person=PersonId(row.person_id),
        passkey_id=row.passkey_id,
        reading_secret=reading,
        expires_at=row.expires_at,
        locked=row.locked_at is not None,
        recovery_usable_at=row.usable_at,
    )


async def end_session(vault: Vault, cookie: str, *, session_id: str | None = None) -> None:
    """End this session, or another one of the same person (sign out, lock this browser, lock that one).

    Raises:
        NotSignedIn: the cookie has no live session.
    """
    session = await open_session(vault, cookie)
    async with vault.store.transaction() as tx:
        await tx.change(store.DELETE_SESSION, id=session_id or session.id, person_id=session.person)


async def forget_what_is_over(vault: Vault) -> int:
    """Delete ceremonies, sessions and approvals whose time is over; return how many."""
    return await vault.store.expire(now=vault.clock())


async def end_all_sessions(vault: Vault, cookie: str) -> int:
    """End every session of this person, this one too; whatever waited for approval is gone with them.

    Raises:
        NotSignedIn: the cookie has no live session.
    """
    session = await open_session(vault, cookie)
    async with vault.store.transaction() as tx:
        return await tx.end_sessions(session.person)
