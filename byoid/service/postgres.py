"""PostgreSQL through asyncpg: a pool without reset queries, and statements that were compiled once.

No session state is ever left on a connection (no SET, no advisory locks, no LISTEN), so releasing it needs no query.
"""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

import asyncpg
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import Dialect

from byoid.service.connection import Conflict, Connection, Lost, Result, Transaction
from byoid.service.statements import NO_PARAMETERS, Statement, Statements

COMMAND_TIMEOUT_SECONDS: Final = 30
_STATEMENT_CACHE: Final = 512


class PostgresConnection(Connection):
    """Executes on a connection of the pool, which it holds while it is entered."""

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
            raise Conflict(f"constraint {error.constraint_name} of {error.table_name}") from error
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
            raise Conflict(f"constraint {error.constraint_name} of {error.table_name}") from error

    def _require_open(self) -> Any:
        if self._raw is None:
            raise RuntimeError("the transaction is over")
        return self._raw

    async def _release(self) -> None:
        raw, self._raw = self._raw, None
        await self._engine.pool.release(raw)


class PostgresReader(PostgresConnection):
    """A connection that only reads; each statement sees what is committed when it runs."""

    async def __aenter__(self) -> Self:
        self._raw = await self._engine.pool.acquire()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._release()


class PostgresTransaction(PostgresConnection, Transaction):
    """One transaction, READ COMMITTED: a compare-and-set waits for a rival's commit and then looks again."""

    async def __aenter__(self) -> Self:
        self._raw = await self._engine.pool.acquire()
        try:
            await self._raw.execute("BEGIN")
        except BaseException:
            await self._release()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            status = await self._raw.execute("COMMIT" if kind is None else "ROLLBACK")
        except BaseException:
            self._raw.terminate()  # nobody knows its state: it must not go back to the pool with an open transaction
            raise
        finally:
            await self._release()
        if kind is None and status != "COMMIT":
            raise Lost("a statement of this transaction failed; nothing was committed")


class PostgresEngine:
    """A pool of connections to one database."""

    def __init__(self, pool: Any) -> None:
        self.pool = pool
        self.dialect: Dialect = PGDialect_asyncpg()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped
        self.statements = Statements(self.dialect)

    @classmethod
    async def open(cls, url: URL, *, max_connections: int = 10) -> Self:
        """Connect. `?host=` in the URL names a directory with a socket, `?ssl=` is asyncpg's."""
        pool = await asyncpg.create_pool(
            host=url.query.get("host") or url.host,
            port=url.port,
            user=url.username,
            password=url.password,
            database=url.database,
            ssl=url.query.get("ssl"),
            min_size=1,
            max_size=max_connections,
            reset=_keep,
            command_timeout=COMMAND_TIMEOUT_SECONDS,
            statement_cache_size=_STATEMENT_CACHE,
        )
        return cls(pool)

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

    async def run_script(self, statements: Sequence[str]) -> None:
        """Run data definitions, each by itself: over all tables at once, they could deadlock with who works on them."""
        async with self.pool.acquire() as raw:
            for statement in statements:
                await raw.execute(statement)

    async def close(self) -> None:
        """Close the connections."""
        await self.pool.close()


async def _keep(connection: object) -> None:
    """Leave a released connection as it is."""
