"""Every query of the vault, as intents. Statements are constants; one-shot values and states are compare-and-set.

Rows come back as named tuples of the tables in `wallet.tables`. The web part's queries are in other store files.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Delete, Table, and_, bindparam, delete, or_, select, update
from sqlalchemy.sql.elements import BindParameter
from sqlmodel import SQLModel

from byoid.errors import Replayed
from byoid.service.columns import UtcDateTime
from byoid.service.connection import Connection
from byoid.service.database import Conflict, Database, insert
from byoid.service.statements import Statement
from wallet.tables import Approval, Ceremony, HolderKey, JournalEntry, Passkey, Person, Recovery, Session
from wallet.vault.keys import PersonId

Row = Any  # a named tuple: the columns of one table


def _table(model: type[SQLModel]) -> Table:
    table = vars(model)["__table__"]
    assert isinstance(table, Table)  # noqa: S101  # what `table=True` makes
    return table


PERSON, PASSKEY, CEREMONY, SESSION = _table(Person), _table(Passkey), _table(Ceremony), _table(Session)
APPROVAL, HOLDER_KEY, RECOVERY, JOURNAL = _table(Approval), _table(HolderKey), _table(Recovery), _table(JournalEntry)
TABLES: Final[Sequence[Table]] = (PASSKEY, CEREMONY, SESSION, APPROVAL, HOLDER_KEY, RECOVERY, JOURNAL, PERSON)


def _at(name: str) -> BindParameter[datetime]:
    return bindparam(name, type_=UtcDateTime())


def _is(table: Table, *names: str) -> ColumnElement[bool]:
    """Return the condition that columns have the values of the parameters `of_<name>`."""
    return and_(*(table.c[name] == bindparam(f"of_{name}", type_=table.c[name].type) for name in names))


def _of(table: Table) -> Statement:
    return select(table).where(_is(table, "person_id"))


INSERT: Final = {table.name: insert(table) for table in TABLES}
DELETE_OF_PERSON: Final[Sequence[Delete]] = [
    delete(table).where(_is(table, "person_id" if table is not PERSON else "id")) for table in TABLES
]
PERSON_BY_ID: Final = select(PERSON).where(_is(PERSON, "id"))
PERSON_FOR_CHANGE: Final = PERSON_BY_ID.with_for_update()
SET_LOCK: Final = update(PERSON).where(_is(PERSON, "id")).values(locked_at=_at("locked_at"))

PASSKEY_BY_ID: Final = select(PASSKEY).where(_is(PASSKEY, "id"))
PASSKEYS_OF: Final = _of(PASSKEY)
# The count may stay only where the authenticator doesn't count at all.
USE_PASSKEY: Final = (
    update(PASSKEY)
    .where(
        _is(PASSKEY, "id", "person_id"),
        or_(
            PASSKEY.c.sign_count < bindparam("counted", type_=PASSKEY.c.sign_count.type),
            and_(PASSKEY.c.sign_count == 0, bindparam("counted", type_=PASSKEY.c.sign_count.type) == 0),
        ),
    )
    .values(
        sign_count=bindparam("counted", type_=PASSKEY.c.sign_count.type),
        backed_up=bindparam("backed_up"),
        used_at=_at("used_at"),
    )
)
RENAME_PASSKEY: Final = (
    update(PASSKEY).where(_is(PASSKEY, "id", "person_id")).values(name_sealed=bindparam("name_sealed"))
)
DELETE_PASSKEY: Final = delete(PASSKEY).where(_is(PASSKEY, "id", "person_id"))
DELETE_PASSKEYS_OF: Final = delete(PASSKEY).where(_is(PASSKEY, "person_id"))

CONSUME_CEREMONY: Final = delete(CEREMONY).where(_is(CEREMONY, "id", "kind", "session_id")).returning(CEREMONY)

SESSION_VIEW: Final = (
    select(SESSION, PERSON.c.locked_at, RECOVERY.c.usable_at)
    .join(PERSON, PERSON.c.id == SESSION.c.person_id)
    .outerjoin(RECOVERY, RECOVERY.c.person_id == SESSION.c.person_id)
    .where(_is(SESSION, "id"))
)
SESSIONS_OF: Final = _of(SESSION)
SESSION_OF: Final = select(SESSION.c.id).where(_is(SESSION, "id", "person_id"))
TOUCH_SESSION: Final = update(SESSION).where(_is(SESSION, "id")).values(used_at=_at("used_at"))
DELETE_SESSION: Final = delete(SESSION).where(_is(SESSION, "id", "person_id"))
DELETE_SESSIONS_OF: Final = delete(SESSION).where(_is(SESSION, "person_id"))
DELETE_SESSIONS_OF_PASSKEY: Final = delete(SESSION).where(_is(SESSION, "person_id", "passkey_id"))

# Answered means answered: a wrong assertion spends the approval too.
CONSUME_APPROVAL: Final = (
    update(APPROVAL)
    .where(_is(APPROVAL, "id", "session_id"), ~APPROVAL.c.answered, APPROVAL.c.expires_at > _at("now"))
    .values(answered=True)
    .returning(APPROVAL)
)
KEEP_GRANT: Final = (
    update(APPROVAL)
    .where(_is(APPROVAL, "id"))
    .values(keys_sealed=bindparam("keys_sealed"), expires_at=_at("expires_at"))
)
GRANT: Final = select(APPROVAL).where(
    _is(APPROVAL, "id", "session_id"), APPROVAL.c.keys_sealed.is_not(None), APPROVAL.c.expires_at > _at("now")
)
DELETE_APPROVAL: Final = delete(APPROVAL).where(_is(APPROVAL, "id", "session_id"))
DELETE_APPROVALS_OF: Final = delete(APPROVAL).where(_is(APPROVAL, "person_id"))

HOLDER_KEY_BY_ID: Final = select(HOLDER_KEY).where(_is(HOLDER_KEY, "id", "person_id"))
OLD_HOLDER_KEYS: Final = select(HOLDER_KEY.c.id).where(
    _is(HOLDER_KEY, "person_id"), HOLDER_KEY.c.created_at < _at("of_created_before")
)
DELETE_HOLDER_KEY: Final = delete(HOLDER_KEY).where(_is(HOLDER_KEY, "id", "person_id"))

RECOVERY_BY_FINGERPRINT: Final = select(RECOVERY).where(_is(RECOVERY, "fingerprint"))
RECOVERY_OF: Final = _of(RECOVERY)
BEGIN_RECOVERY: Final = (
    update(RECOVERY)
    .where(_is(RECOVERY, "fingerprint"), RECOVERY.c.usable_at.is_(None))
    .values(usable_at=_at("usable_at"))
)
CONSUME_RECOVERY: Final = delete(RECOVERY).where(_is(RECOVERY, "fingerprint"), RECOVERY.c.usable_at <= _at("now"))
DELETE_RECOVERY_OF: Final = delete(RECOVERY).where(_is(RECOVERY, "person_id"))

JOURNAL_OF: Final = select(JOURNAL).where(_is(JOURNAL, "person_id")).order_by(JOURNAL.c.at.desc()).limit(500)

EXPIRED: Final = [delete(table).where(table.c.expires_at <= _at("now")) for table in (CEREMONY, SESSION, APPROVAL)]


class VaultTransaction:
    """One transaction on the vault's tables."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def insert(self, row: SQLModel) -> None:
        """Insert a row of one of the vault's tables.

        Raises:
            Conflict: its id is taken.
        """
        await self._connection.execute(INSERT[_table(type(row)).name], row.model_dump())

    async def insert_many(self, rows: Sequence[SQLModel]) -> None:
        """Insert rows of one table.

        Raises:
            Conflict: an id is taken.
        """
        statement = INSERT[_table(type(rows[0])).name]
        await self._connection.execute_many(statement, [row.model_dump() for row in rows])

    async def insert_passkey(self, row: Passkey) -> None:
        """Insert a passkey.

        Raises:
            Replayed: it is registered already.
        """
        try:
            await self.insert(row)
        except Conflict:
            raise Replayed("this passkey is registered already") from None

    async def first(self, statement: Statement, **of: Any) -> Row | None:
        """Return the first row of a statement of this module, the parameters named without their `of_`."""
        return (await self._connection.execute(statement, _parameters(of))).first()

    async def all(self, statement: Statement, **of: Any) -> Sequence[Row]:
        """Return all rows."""
        return (await self._connection.execute(statement, _parameters(of))).rows

    async def change(self, statement: Statement, *, values: Mapping[str, Any] | None = None, **of: Any) -> int:
        """Run a change and return how many rows it touched: the caller judges compare-and-set by it."""
        return (await self._connection.execute(statement, {**_parameters(of), **(values or {})})).rowcount

    async def use_passkey(
        self, passkey_id: str, *, person: PersonId, sign_count: int, backed_up: bool, now: datetime
    ) -> None:
        """Remember that a passkey was used.

        Raises:
            Replayed: another assertion with this or a later count came first.
        """
        values = {"counted": sign_count, "backed_up": backed_up, "used_at": now}
        if not await self.change(USE_PASSKEY, values=values, id=passkey_id, person_id=person):
            raise Replayed("another assertion of this passkey came first")

    async def end_sessions(self, person: PersonId) -> int:
        """End all sessions of a person, with what waits for approval in them."""
        await self.change(DELETE_APPROVALS_OF, person_id=person)
        return await self.change(DELETE_SESSIONS_OF, person_id=person)

    async def forget(self, person: PersonId) -> None:
        """Delete every row of a person. Without the wrapped keys, what is sealed elsewhere can't be read any more."""
        await self.first(PERSON_FOR_CHANGE, id=person)  # or what is being added would stay behind
        for statement in DELETE_OF_PERSON:
            key = "of_id" if statement.table is PERSON else "of_person_id"
            await self.change(statement, values={key: person})


class VaultStore:
    """The vault's database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[VaultTransaction]:
        """Open a transaction; a normal exit commits."""
        async with self.database.transaction() as connection:
            yield VaultTransaction(connection)

    async def has_wallet(self, person: PersonId) -> bool:
        """Tell whether somebody has a wallet (still)."""
        return (await self.database.fetch(PERSON_BY_ID, {"of_id": person})).first() is not None

    async def expire(self, *, now: datetime) -> int:
        """Delete ceremonies, sessions and approvals whose time is over; nothing correct depends on it."""
        return sum([(await self.database.execute(statement, {"now": now})).rowcount for statement in EXPIRED])


def _parameters(of: Mapping[str, Any]) -> dict[str, Any]:
    return {name if name == "now" else f"of_{name}": value for name, value in of.items()}
