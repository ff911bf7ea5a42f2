"""Recovery with a printed code: 128 random bits that wrap a person's two keys.

The code is shown once and kept by nobody but the citizen; the server keeps a one-way fingerprint and the wrapped keys.
Whoever presents the code can lock the wallet at once; a new passkey they get only after a waiting time, while which the
citizen is told at each sign-in and by the journal, and may cancel. Alphabet: Crockford's base 32 (no I, L, O, U).
"""

import hashlib
import os
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self

from pydantic import Field

from byoid.encoding import b64u_encode
from byoid.errors import MalformedInput
from wallet import passkeys, store
from wallet.tables import Recovery
from wallet.vault import journal
from wallet.vault.ceremonies import Kind, begin_creation, consume_ceremony, passkey_row
from wallet.vault.context import Vault
from wallet.vault.contract import Ceremony, NotApproved, PagePost, SignedIn, TooEarly, VaultMessage
from wallet.vault.journal import Actor, Event
from wallet.vault.keys import KEY_BYTES, PersonId, ReadingKey, SigningKey, derive, fingerprint, place, seal, unseal
from wallet.vault.sessions import open_session, start_session
from wallet.vault.wrapping import Keys, wrap_keys

_CODE_BYTES: Final = 16
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_READ_AS: Final = str.maketrans("OIL", "011", " -\t\n")
_CHARACTERS: Final = 28  # 128 bits and a checksum of 12 bits
_CHECKSUM_BITS: Final = 12
_GROUP: Final = 4


@dataclass(frozen=True, slots=True, repr=False)
class RecoveryCode:
    """A recovery code."""

    secret: bytes

    @classmethod
    def generate(cls) -> Self:
        """Generate a code."""
        return cls(os.urandom(_CODE_BYTES))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what a citizen typed: case, spaces and hyphens don't matter, nor O for 0 or I and L for 1.

        Raises:
            MalformedInput: too short or long, a character that no code has, or a slip that the checksum finds.
        """
        characters = text.upper().translate(_READ_AS)
        if len(characters) != _CHARACTERS or not set(characters) <= set(_ALPHABET):
            raise MalformedInput(f"expected a recovery code of {_CHARACTERS} letters and digits")
        number = 0
        for character in characters:
            number = number << 5 | _ALPHABET.index(character)
        secret = (number >> _CHECKSUM_BITS).to_bytes(_CODE_BYTES, "big")
        if number & (1 << _CHECKSUM_BITS) - 1 != _checksum(secret):
            raise MalformedInput("the recovery code has a slip: its checksum does not fit")
        return cls(secret)

    @property
    def text(self) -> str:
        """The code as it is printed: seven groups of four."""
        number = int.from_bytes(self.secret, "big") << _CHECKSUM_BITS | _checksum(self.secret)
        characters = "".join(_ALPHABET[number >> 5 * at & 31] for at in reversed(range(_CHARACTERS)))
        return "-".join(characters[at : at + _GROUP] for at in range(0, _CHARACTERS, _GROUP))

    @property
    def fingerprint(self) -> str:
        """What the code's row is found by."""
        return b64u_encode(fingerprint(self.secret, "recovery fingerprint"))


class RecoveryBegun(VaultMessage):
    """A recovery under way; `new`: it began just now, and the citizen is to be told by every channel that they have."""

    person: PersonId
    usable_at: datetime
    new: bool


class Locked(VaultMessage):
    """A wallet that was locked with its code."""

    person: PersonId


class Recovered(VaultMessage):
    """A completed recovery: a session, and the next code, to show once."""

    signed_in: SignedIn
    recovery_code: str = Field(repr=False)


def recovery_row(code: RecoveryCode, keys: Keys, *, person: Any, now: datetime) -> Recovery:
    """Return the row of a new code: both keys wrapped under it."""
    both = keys.reading.secret + keys.signing.secret
    wrapped = seal(derive(code.secret, "wrap recovery"), both, at=place("vault_recovery", person.id))
    return Recovery(person_id=person.id, fingerprint=code.fingerprint, keys_wrapped=wrapped, created_at=now)


async def begin_recovery(vault: Vault, code: str) -> RecoveryBegun:
    """Begin a recovery, or tell when the one under way may be completed.

    Raises:
        MalformedInput: not a code.
        NotApproved: no wallet has this code, or not any more.
    """
    parsed, now = RecoveryCode.parse(code), vault.clock()
    usable_at = now + vault.policy.recovery_wait
    async with vault.store.transaction() as tx:
        row, person = await _by_code(tx, parsed)
        if await tx.change(store.BEGIN_RECOVERY, values={"usable_at": usable_at}, fingerprint=parsed.fingerprint):
            await journal.write(tx, person, actor=Actor.CODE, event=Event.RECOVERY_BEGUN, now=now)
            return RecoveryBegun(person=person.id, usable_at=usable_at, new=True)
        return RecoveryBegun(person=person.id, usable_at=row.usable_at, new=False)


async def lock_with_code(vault: Vault, code: str) -> Locked:
    """Lock a wallet at once, from any browser: every session ends, and nothing signs.

    Raises:
        MalformedInput: not a code.
        NotApproved: no wallet has this code.
    """
    parsed, now = RecoveryCode.parse(code), vault.clock()
    async with vault.store.transaction() as tx:
        _, person = await _by_code(tx, parsed)
        await tx.change(store.SET_LOCK, values={"locked_at": now}, id=person.id)
        await tx.end_sessions(person.id)
        await journal.write(tx, person, actor=Actor.CODE, event=Event.LOCKED, now=now)
    return Locked(person=person.id)


async def cancel_recovery(vault: Vault, cookie: str) -> bool:
    """Cancel a recovery that somebody else began; their code is void. Return whether one was under way.

    Raises:
        NotSignedIn: the cookie has no live session.
    """
    session = await open_session(vault, cookie)
    async with vault.store.transaction() as tx:
        row = await tx.first(store.RECOVERY_OF, person_id=session.person)
        if row is None or row.usable_at is None:
            return False
        await tx.change(store.DELETE_RECOVERY_OF, person_id=session.person)
        person = await tx.first(store.PERSON_BY_ID, id=session.person)
        await journal.write(tx, person, actor=Actor.CITIZEN, event=Event.RECOVERY_CANCELLED, now=vault.clock())
        return True


async def begin_recovery_passkey(vault: Vault, code: str, *, account_name: str) -> Ceremony:
    """Begin the new passkey that a recovery gives, once its waiting time is over.

    Raises:
        MalformedInput: not a code.
        NotApproved: no wallet has this code, or its recovery was not begun.
        TooEarly: the waiting time is not over.
    """
    parsed = RecoveryCode.parse(code)
    async with vault.store.transaction() as tx:
        row, person = await _by_code(tx, parsed)
    require_usable(row, now=vault.clock())
    return await begin_creation(vault, Kind.RECOVER, person=person.id, account_name=account_name)


async def recover(vault: Vault, code: str, post: PagePost, *, name: str, label: str) -> Recovered:
    """Complete a recovery: the new passkey replaces all others, sessions end, the lock opens, the next code is made.

    Raises:
        NotApproved, TooEarly: see `begin_recovery_passkey`.
        Replayed, Expired, VerificationError, MalformedInput: see `ceremonies.register`.
    """
    parsed, now = RecoveryCode.parse(code), vault.clock()
    ceremony = await consume_ceremony(vault, post.ceremony, Kind.RECOVER, now=now)
    async with vault.store.transaction() as tx:
        row, person = await _by_code(tx, parsed)
    require_usable(row, now=now)
    if ceremony.person_id != person.id:
        raise NotApproved("this challenge was made for another wallet's recovery")
    passkey = passkeys.verify_registration(post.credential, party=vault.party, challenge=ceremony.challenge)
    keys = _unwrap(parsed, row).require(person)
    wrapped = await wrap_keys(
        keys,
        secrets=post.secrets,
        kek=vault.kek,
        person=person.id,
        passkey_id=passkey.id,
        public_key=passkey.public_key,
    )
    next_code = RecoveryCode.generate()
    async with vault.store.transaction() as tx:
        await tx.first(store.PERSON_FOR_CHANGE, id=person.id)  # or a passkey that is being added would stay
        if not await tx.change(store.CONSUME_RECOVERY, fingerprint=parsed.fingerprint, now=now):
            raise NotApproved("this recovery was completed or cancelled meanwhile")
        await tx.change(store.DELETE_PASSKEYS_OF, person_id=person.id)
        await tx.end_sessions(person.id)
        await tx.change(store.SET_LOCK, values={"locked_at": None}, id=person.id)
        await tx.insert_passkey(passkey_row(passkey, wrapped, keys.reading, person=person.id, name=name, now=now))
        await tx.insert(recovery_row(next_code, keys, person=person, now=now))
        await journal.write(tx, person, actor=Actor.CODE, event=Event.RECOVERED, now=now)
        signed_in = await start_session(
            vault,
            tx,
            keys.reading,
            person=person.id,
            passkey_id=passkey.id,
            protection=wrapped.protection,
            label=label,
            now=now,
        )
    return Recovered(signed_in=signed_in, recovery_code=next_code.text)


def require_usable(row: Any, *, now: datetime) -> None:
    """Refuse a recovery that was not begun, or whose waiting time is not over."""
    if row.usable_at is None:
        raise NotApproved("the recovery was not begun")
    if now < row.usable_at:
        raise TooEarly(f"this recovery may be completed from {row.usable_at.isoformat(timespec='minutes')}")


async def _by_code(tx: store.VaultTransaction, code: RecoveryCode) -> tuple[Any, Any]:
    """Return the rows of the code and of its person."""
    row = await tx.first(store.RECOVERY_BY_FINGERPRINT, fingerprint=code.fingerprint)
    person = await tx.first(store.PERSON_BY_ID, id=row.person_id) if row else None
    if row is None or person is None:
        raise NotApproved("no wallet has this recovery code")
    return row, person


def _unwrap(code: RecoveryCode, row: Any) -> Keys:
    both = unseal(derive(code.secret, "wrap recovery"), row.keys_wrapped, at=place("vault_recovery", row.person_id))
    return Keys(ReadingKey(both[:KEY_BYTES]), SigningKey(both[KEY_BYTES:]))


def _checksum(secret: bytes) -> int:
    digest = hashlib.sha256(b"byoid recovery code" + secret).digest()
    return int.from_bytes(digest[:2], "big") >> (16 - _CHECKSUM_BITS)
