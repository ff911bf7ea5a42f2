"""What a signed-in citizen sees and does about their account: passkeys, browsers, the lock.

Everything that needs a fresh assertion (adding and removing passkeys, recovery code, unlocking, deletion) goes through
the vault's gate; what is here only lessens what can be done, or names things.
"""

from datetime import datetime
from typing import Any

from byoid.errors import MalformedInput
from wallet import store
from wallet.vault import journal
from wallet.vault.ceremonies import seal_name
from wallet.vault.context import Vault
from wallet.vault.contract import VaultMessage
from wallet.vault.journal import Actor, Event
from wallet.vault.kek import Protection
from wallet.vault.keys import PersonId
from wallet.vault.sessions import open_session


class PasskeyView(VaultMessage):
    """A passkey, as its owner sees it. Say `protection` openly: with `hsm` the operator's HSM could open the wallet."""

    id: str
    name: str
    protection: Protection
    backed_up: bool
    created_at: datetime
    used_at: datetime
    current: bool  # this browser signed in with it


class BrowserView(VaultMessage):
    """A signed-in browser, as its owner sees it."""

    id: str
    label: str
    created_at: datetime
    used_at: datetime
    current: bool


class AccountView(VaultMessage):
    """The account page."""

    passkeys: tuple[PasskeyView, ...]
    browsers: tuple[BrowserView, ...]
    locked: bool
    recovery_code_made_at: datetime | None
    recovery_usable_at: datetime | None


async def view_account(vault: Vault, cookie: str) -> AccountView:
    """Return passkeys, signed-in browsers and the state of lock and recovery.

    Raises:
        NotSignedIn: the cookie has no live session.
    """
    session, database = await open_session(vault, cookie), vault.store.database
    of, key = {"of_person_id": session.person}, session.reading_key
    recovery = (await database.fetch(store.RECOVERY_OF, of)).first()

    def opened(row: Any, table: str, column: str) -> str:
        return key.open(getattr(row, column), table=table, column=column, row=row.id).decode()

    return AccountView(
        passkeys=tuple(
            PasskeyView(
                id=row.id,
                name=opened(row, "vault_passkey", "name_sealed"),
                protection=Protection(row.protection),
                backed_up=row.backed_up,
                created_at=row.created_at,
                used_at=row.used_at,
                current=row.id == session.passkey_id,
            )
            for row in await database.fetch(store.PASSKEYS_OF, of)
        ),
        browsers=tuple(
            BrowserView(
                id=row.id,
                label=opened(row, "vault_session", "label_sealed"),
                created_at=row.created_at,
                used_at=row.used_at,
                current=row.id == session.id,
            )
            for row in await database.fetch(store.SESSIONS_OF, of)
        ),
        locked=session.locked,
        recovery_code_made_at=recovery.created_at if recovery else None,
        recovery_usable_at=session.recovery_usable_at,
    )


async def rename_passkey(vault: Vault, cookie: str, passkey_id: str, *, name: str) -> None:
    """Give a passkey another name.

    Raises:
        NotSignedIn: the cookie has no live session.
        MalformedInput: this person has no such passkey.
    """
    session = await open_session(vault, cookie)
    values = {"name_sealed": seal_name(session.reading_key, passkey_id, name)}
    async with vault.store.transaction() as tx:
        if not await tx.change(store.RENAME_PASSKEY, values=values, id=passkey_id, person_id=session.person):
            raise MalformedInput("there is no such passkey")


async def has_wallet(vault: Vault, person: PersonId) -> bool:
    """Tell whether somebody has a wallet (still)."""
    return await vault.store.has_wallet(person)


async def lock_wallet(vault: Vault, cookie: str) -> None:
    """Lock the wallet: every session ends, this one too, and nothing signs until a passkey unlocks it.

    Raises:
        NotSignedIn: the cookie has no live session.
    """
    session, now = await open_session(vault, cookie), vault.clock()
    async with vault.store.transaction() as tx:
        person = await tx.first(store.PERSON_BY_ID, id=session.person)
        await tx.change(store.SET_LOCK, values={"locked_at": now}, id=session.person)
        await tx.end_sessions(session.person)
        await journal.write(tx, person, actor=Actor.CITIZEN, event=Event.LOCKED, now=now)
