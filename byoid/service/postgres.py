"""PostgreSQL through asyncpg: a few connections that are kept, and statements that were compiled once.

No session state is ever left on a connection (no SET, no advisory locks, no LISTEN), so giving it back needs no query;
asyncpg's own pool costs as much CPU as a statement. Writes that happen together go as one statement, each a
data-changing `WITH` query; where one of them changes too little, or the database has no such queries, as a transaction.
"""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from types import TracebackType
from typing import Any, Final, Self

import asyncpg
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import Dialect

from byoid.service.connection import (
    Conflict,
    Connection,
    DatabaseUnavailable,
    Lost,
    Result,
    Transaction,
    Write,
    execute_writes,
)
from byoid.service.statements import NO_PARAMETERS, PreparedStatement, Statement, Statements

COMMAND_TIMEOUT_SECONDS: Final = 30
_STATEMENT_CACHE: Final = 512
_MAX_JOINED: Final = 500  # they are as few as the steps of a protocol; the bound only catches a mistake
_PARAMETER: Final = re.compile(r"\$(\d+)")
# What CREATE … IF NOT EXISTS may say when two of them run at the same time.
_MADE_MEANWHILE: Final = (asyncpg.UniqueViolationError, asyncpg.DuplicateObjectError, asyncpg.DuplicateTableError)


class PostgresConnection(Connection):
    """Executes on a connection of the engine, which it holds while it is entered."""

    def __init__(self, engine: "PostgresEngine") -> None:
        self._engine = engine
        self._raw: Any = None

    async def execute(self, statement: Statement, parameters: Mapping[str, Any] = NO_PARAMETERS) -> Result:
        """Execute one statement."""
        raw = self._require_open()
        prepared = self._engine.statements.prepare(statement, parameters)
        arguments = prepared.arguments(parameters)
        try:
            if prepared.returns_rows:
                rows = prepared.rows(await raw.fetch(prepared.sql, *arguments))
                return Result(rows, len(rows))
            status: str = await raw.execute(prepared.sql, *arguments)
        except asyncpg.IntegrityConstraintViolationError as error:
            raise _conflict(error) from error
        return Result((), int(status.rpartition(" ")[2]))  # "UPDATE 1", "INSERT 0 1", "DELETE 3"

    async def execute_many(self, statement: Statement, parameters: Sequence[Mapping[str, Any]]) -> None:
        """Execute one statement with many sets of parameters."""
        raw = self._require_open()
        if not parameters:
            return
        prepared = self._engine.statements.prepare(statement, parameters[0])
        try:
            await raw.executemany(prepared.sql, [prepared.arguments(each) for each in parameters])
        except asyncpg.IntegrityConstraintViolationError as error:
            raise _conflict(error) from error

    def _require_open(self) -> Any:
        if self._raw is None:
            raise RuntimeError("the transaction is over")
        return self._raw


class PostgresReader(PostgresConnection):
    """A connection that only reads; each statement sees what is committed when it runs."""

    async def __aenter__(self) -> Self:
        self._raw = await self._engine.connections.take()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        raw, self._raw = self._raw, None
        self._engine.connections.give_back(raw, error)


class PostgresTransaction(PostgresConnection, Transaction):
    """One transaction, READ COMMITTED: a compare-and-set waits for a rival's commit and then looks again."""

    async def __aenter__(self) -> Self:
        self._raw = await self._engine.connections.take()
        try:
            await self._raw.execute("BEGIN")
        except BaseException as error:
            self._give_back(error)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            status = await self._raw.execute("COMMIT" if kind is None else "ROLLBACK")
        except BaseException:
            self._raw.terminate()  # nobody knows its state: it must not be used again with an open transaction
            raise
        finally:
            self._give_back(None)
        if kind is None and status != "COMMIT":
            raise Lost("a statement of this transaction failed; nothing was committed")

    def _give_back(self, error: BaseException | None) -> None:
        raw, self._raw = self._raw, None
        self._engine.connections.give_back(raw, error)


class Connections:
    """The connections of one process: opened when they are needed, kept, and never more than so many at once."""

    def __init__(self, connect: Callable[[], Any], *, most: int) -> None:
        self._connect = connect
        self._idle: list[Any] = []
        self._turns = asyncio.Semaphore(most)

    async def take(self) -> Any:
        """Return a connection that nobody else uses until it is given back."""
        await self._turns.acquire()
        try:
            while self._idle:
                raw = self._idle.pop()
                if not raw.is_closed():  # the server may have gone away since
                    return raw
            return await self._connect()
        except BaseException:
            self._turns.release()
            raise

    def give_back(self, raw: Any, error: BaseException | None) -> None:
        """Keep a connection for the next, unless what was interrupted on it may still be running."""
        if error is not None and isinstance(error, asyncio.CancelledError | TimeoutError | OSError):
            raw.terminate()
        if not raw.is_closed():
            self._idle.append(raw)
        self._turns.release()

    async def close(self) -> None:
        """Close the connections that nobody uses."""
        while self._idle:
            await self._idle.pop().close()


class PostgresEngine:
    """A few connections to one database."""

    def __init__(self, connections: Connections) -> None:
        self.connections = connections
        self.dialect: Dialect = PGDialect_asyncpg()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped
        self.statements = Statements(self.dialect)
        self._joins = True
        self._joined: dict[tuple[tuple[PreparedStatement, int], ...], str] = {}

    @classmethod
    async def open(cls, url: URL, *, max_connections: int = 10) -> Self:
        """Connect. `?host=` in the URL names a directory with a socket, `?ssl=` is asyncpg's.

        Raises:
            DatabaseUnavailable: no such server, role, password or database.
        """

        async def connect() -> Any:
            return await asyncpg.connect(
                host=url.query.get("host") or url.host,
                port=url.port,
                user=url.username,
                password=url.password,
                database=url.database,
                ssl=url.query.get("ssl"),
                command_timeout=COMMAND_TIMEOUT_SECONDS,
                statement_cache_size=_STATEMENT_CACHE,
            )

        engine = cls(Connections(connect, most=max_connections))
        try:
            async with engine.read():
                return engine
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise DatabaseUnavailable.of(error) from error

    def transaction(self) -> PostgresTransaction:
        """Return a transaction to enter."""
        return PostgresTransaction(self)

    def read(self) -> PostgresReader:
        """Return a reader to enter."""
        return PostgresReader(self)

    async def execute(self, statement: Statement, parameters: Mapping[str, Any]) -> Result:
        """Execute one statement, which PostgreSQL commits by itself: one round trip."""
        async with self.read() as connection:
            return await connection.execute(statement, parameters)

    async def write(self, writes: Sequence[Write], *, durable: bool) -> None:
        """Execute writes together. Every commit is durable here: what it waits for costs no CPU of ours."""
        if self._joins and all(len(write.rows) == 1 for write in writes) and await self._write_at_once(writes):
            return
        async with self.transaction() as tx:
            await execute_writes(tx, writes)  # which of them changes too little is told here

    async def run_script(self, statements: Sequence[str]) -> None:
        """Run data definitions, each by itself: over all tables at once, they could deadlock with who works on them."""
        raw = await self.connections.take()
        try:
            for statement in statements:
                try:
                    await raw.execute(statement)
                except _MADE_MEANWHILE:  # by another worker that starts too; now IF NOT EXISTS sees it
                    await raw.execute(statement)
        finally:
            self.connections.give_back(raw, None)

    async def close(self) -> None:
        """Close the connections."""
        await self.connections.close()

    async def _write_at_once(self, writes: Sequence[Write]) -> bool:
        """Execute writes as one statement; False if nothing was written and a transaction must tell why."""
        prepared = [self.statements.prepare(write.statement, write.rows[0]) for write in writes]
        arguments = [prepared.arguments(write.rows[0]) for prepared, write in zip(prepared, writes, strict=True)]
        key = tuple(zip(prepared, [write.changes for write in writes], strict=True))
        sql = self._joined.get(key)
        if sql is None:
            if len(self._joined) >= _MAX_JOINED:
                self._joined.clear()
            sql = self._joined[key] = _join(key)
        raw, failure = await self.connections.take(), None
        try:
            await raw.execute(sql, *chain.from_iterable(arguments))
        except asyncpg.IntegrityConstraintViolationError as error:
            raise _conflict(error) from error
        except asyncpg.DivisionByZeroError:
            return False
        except asyncpg.FeatureNotSupportedError:  # such as Citus, of distributed tables: ask no more
            self._joins = False
            return False
        except BaseException as error:
            failure = error
            raise
        finally:
            self.connections.give_back(raw, failure)
        return True


def _join(writes: Sequence[tuple[PreparedStatement, int]]) -> str:
    """Write statements as one, which fails by a division by zero where one does not change as many rows as it must."""
    queries, conditions, before = [], [], 0
    for number, (statement, changes) in enumerate(writes):
        queries.append(f"w{number} AS ({_shifted(statement.sql, before)} RETURNING 1)")
        conditions.append(f"(SELECT count(*) FROM w{number}) = {changes}")  # noqa: S608  # our own number
        before += statement.parameters
    return f"WITH {', '.join(queries)} SELECT 1 / CASE WHEN {' AND '.join(conditions)} THEN 1 ELSE 0 END"


def _shifted(sql: str, by: int) -> str:
    """Number the parameters of a statement on from those before it."""
    return _PARAMETER.sub(lambda found: f"${int(found[1]) + by}", sql)


def _conflict(error: Any) -> Conflict:
    return Conflict(f"constraint {error.constraint_name} of {error.table_name}")
