"""The database of one service: SQLite or PostgreSQL behind one `execute` door.

    INSERT_NONCE = insert(nonces).on_conflict_do_nothing()
    SPEND_NONCE = update(nonces).where(nonces.c.hash == bindparam("value"), ~nonces.c.used).values(used=True)

    async with database.transaction() as tx:
        spent = (await tx.execute(SPEND_NONCE, {"value": hash_})).rowcount == 1

Architecture section 8. Statements are SQLAlchemy Core, constants of a `store.py`, compiled at their first use.
One-shot values and changes of state are compare-and-set, judged by `rowcount`. Portable SQL only.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Self

from sqlalchemy import Column, ColumnElement, Delete, MetaData, Table, bindparam, delete, select
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.schema import CreateIndex, CreateTable

from byoid.service.columns import Json, UtcDateTime, service_metadata
from byoid.service.connection import Conflict, Connection, Lost, Result, Transaction, Unchanged, Write, execute_writes
from byoid.service.sqlite import SqliteEngine
from byoid.service.statements import NO_PARAMETERS, Statement, insert

if TYPE_CHECKING:
    from byoid.service.postgres import PostgresEngine

__all__ = [
    "Conflict",
    "Connection",
    "Database",
    "Expiry",
    "Json",
    "Lost",
    "Result",
    "Transaction",
    "Unchanged",
    "UtcDateTime",
    "Write",
    "execute_writes",
    "insert",
    "service_metadata",
    "some_of",
]

EXPIRY_BATCH: Final = 500


class Database:
    """One database. Open it in the application's lifespan; close it there."""

    def __init__(self, engine: "SqliteEngine | PostgresEngine") -> None:
        self._engine = engine

    @classmethod
    async def open(cls, url: str) -> Self:
        """Open `sqlite:///path`, `sqlite://` (in memory, for tests) or `postgresql://…`; a `+driver` is ignored.

        Raises:
            ValueError: another kind of database.
            DatabaseUnavailable: it cannot be opened.
        """
        parsed = make_url(url)
        match parsed.get_backend_name():
            case "sqlite":
                return cls(SqliteEngine(parsed))
            case "postgresql":
                from byoid.service.postgres import PostgresEngine  # asyncpg is the extra [postgres]

                return cls(await PostgresEngine.open(parsed))
            case other:
                raise ValueError(f"expected a sqlite or postgresql database, got {other}")

    @property
    def dialect(self) -> Dialect:
        """The SQL dialect, for tools that show or compare schemas."""
        return self._engine.dialect

    def transaction(self) -> Transaction:
        """Return a transaction for `async with`. Its exit returns when the changes are durable."""
        return self._engine.transaction()

    def read(self) -> AbstractAsyncContextManager[Connection]:
        """Return a reader for `async with`: no transaction, each statement sees what is committed when it runs."""
        return self._engine.read()

    async def execute(self, statement: Statement, parameters: Mapping[str, Any] = NO_PARAMETERS) -> Result:
        """Execute one statement as a transaction of its own."""
        return await self._engine.execute(statement, parameters)

    async def write(self, writes: Sequence[Write], *, durable: bool = True) -> None:
        """Execute writes as one transaction, in one round trip where the engine can: all of them, or nothing.

        Args:
            writes: in their order.
            durable: whether they must be on disk when this returns. Else they are there for everybody and survive the
                death of the process, but a power failure may undo them as long as no later durable write is back. For
                what only matters together with a later write, such as a nonce that was spent.

        Raises:
            Unchanged: one does not change as many rows as it must; nothing was written.
            Conflict: a constraint forbids one; nothing was written.
        """
        await self._engine.write(writes, durable=durable)

    async def fetch(self, statement: Statement, parameters: Mapping[str, Any] = NO_PARAMETERS) -> Result:
        """Execute one statement that only reads."""
        async with self._engine.read() as connection:
            return await connection.execute(statement, parameters)

    async def create_all(self, metadata: MetaData) -> None:
        """Create missing tables and their indexes: for tests and in-memory databases. Production migrates."""
        dialect = self.dialect
        script = []
        for table in metadata.sorted_tables:
            script.append(str(CreateTable(table, if_not_exists=True).compile(dialect=dialect)))
            indexes = sorted(table.indexes, key=lambda index: str(index.name))
            script += [str(CreateIndex(index, if_not_exists=True).compile(dialect=dialect)) for index in indexes]
        await self._engine.run_script(script)

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.close()


def some_of(table: Table, condition: ColumnElement[bool]) -> Delete:
    """Return a statement that deletes rows of a table, at most a batch of them."""
    (key,) = table.primary_key.columns
    return delete(table).where(key.in_(select(key).where(condition).limit(EXPIRY_BATCH).scalar_subquery()))


class Expiry:
    """Deletes the rows of a table whose time has come, in batches that keep each transaction short.

    Args:
        table: one whose primary key is one column.
        expires_at: the column that says until when a row is kept.
        only: what else must hold.
    """

    def __init__(self, table: Table, *, expires_at: Column[datetime], only: ColumnElement[bool] | None = None) -> None:
        due = expires_at <= bindparam("now", type_=UtcDateTime())
        self._delete = some_of(table, due if only is None else due & only)

    async def run(self, database: Database, *, now: datetime) -> int:
        """Delete, and return how many rows."""
        deleted = 0
        while count := (await database.execute(self._delete, {"now": now})).rowcount:
            deleted += count
        return deleted
