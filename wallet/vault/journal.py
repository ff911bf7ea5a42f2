"""The journal of a wallet: what was done to it and by whom, for the citizen to read.

Details are sealed to the citizen's inbox, so that an operator can add an entry and can't read one.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

from byoid.errors import MalformedInput
from wallet import store
from wallet.store import VaultTransaction
from wallet.tables import JournalEntry
from wallet.vault.context import Vault
from wallet.vault.contract import VaultMessage
from wallet.vault.keys import PersonId, place, seal_to
from wallet.vault.sessions import open_session, random_id


class Actor(StrEnum):
    """Who acted."""

    CITIZEN = "citizen"
    OPERATOR = "operator"
    CODE = "recovery-code"  # whoever holds the printed code


class Event(StrEnum):
    """What happened."""

    REGISTERED = "registered"
    PASSKEY_ADDED = "passkey-added"
    PASSKEY_REMOVED = "passkey-removed"
    RECOVERY_CODE_MADE = "recovery-code-made"
    RECOVERY_BEGUN = "recovery-begun"
    RECOVERY_CANCELLED = "recovery-cancelled"
    RECOVERED = "recovered"
    LOCKED = "locked"
    UNLOCKED = "unlocked"
    SESSIONS_ENDED = "sessions-ended"
    OPERATOR_NOTE = "operator-note"


class JournalView(VaultMessage):
    """An entry, opened."""

    at: datetime
    actor: Actor
    event: Event
    detail: str


async def write(
    tx: VaultTransaction, person: Any, *, actor: Actor, event: Event, now: datetime, detail: str = ""
) -> None:
    """Add an entry for a person's row, in the transaction of what it tells."""
    entry_id = random_id()
    at = place("vault_journal", "detail_sealed", entry_id)
    sealed = seal_to(person.inbox_public, detail.encode(), at=at)
    await tx.insert(
        JournalEntry(id=entry_id, person_id=person.id, at=now, actor=actor, action=event, detail_sealed=sealed)
    )


async def read_journal(vault: Vault, cookie: str) -> list[JournalView]:
    """Return the newest entries, newest first.

    Raises:
        NotSignedIn: the cookie has no live session.
    """
    session = await open_session(vault, cookie)
    rows = await vault.store.database.fetch(store.JOURNAL_OF, {"of_person_id": session.person})
    key = session.reading_key
    return [
        JournalView(
            at=row.at,
            actor=Actor(row.actor),
            event=Event(row.action),
            detail=key.open(row.detail_sealed, table="vault_journal", column="detail_sealed", row=row.id).decode(),
        )
        for row in rows
    ]


async def lock_by_operator(vault: Vault, person: PersonId, *, operator: str, reason: str) -> None:
    """Lock a wallet (a report of theft by telephone, a court); the citizen reads who did it and why.

    Raises:
        MalformedInput: no such person, or no operator or reason is given.
    """
    if not operator or not reason:
        raise MalformedInput("expected who locks, and why")
    now = vault.clock()
    async with vault.store.transaction() as tx:
        if (row := await tx.first(store.PERSON_BY_ID, id=person)) is None:
            raise MalformedInput("there is no such person")
        await tx.change(store.SET_LOCK, values={"locked_at": now}, id=person)
        await tx.end_sessions(person)
        await write(tx, row, actor=Actor.OPERATOR, event=Event.LOCKED, now=now, detail=f"{operator}: {reason}")


async def note_by_operator(vault: Vault, person: PersonId, *, operator: str, note: str) -> None:
    """Put any other act of an operator into the citizen's journal.

    Raises:
        MalformedInput: no such person, or no operator or note is given.
    """
    if not operator or not note:
        raise MalformedInput("expected who acts, and what is done")
    async with vault.store.transaction() as tx:
        if (row := await tx.first(store.PERSON_BY_ID, id=person)) is None:
            raise MalformedInput("there is no such person")
        detail = f"{operator}: {note}"
        await write(tx, row, actor=Actor.OPERATOR, event=Event.OPERATOR_NOTE, now=vault.clock(), detail=detail)
