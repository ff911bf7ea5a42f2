"""SQLite for an asyncio process: short statements on the event loop, one writer, commits in groups.

A statement costs less here than the hop to another thread would. What costs is making a commit durable (WAL with
synchronous=FULL: one fsync). So transactions that end in the same turn of the event loop share one COMMIT: each runs
in a savepoint of its own, and returns to its caller only when the shared commit is on disk. See specs/decisions/.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Mapping, Sequence
from types import ModuleType, TracebackType
from typing import Any, Final, Self

from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
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
from byoid.service.statements import NO_PARAMETERS, Statement, Statements

_logger = logging.getLogger(__name__)
FIRST_SAFE_VERSION: Final = (
    3,
    51,
    3,
)  # before it, two connections that write or checkpoint at once may lose WAL frames
BUSY_LIMIT_SECONDS: Final = 10.0
_BUSY_RETRY_SECONDS: Final = 0.002
_SQLITE_BUSY: Final = 5
_PRAGMAS: Final = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "trusted_schema=OFF",
    "secure_delete=ON",
    "cell_size_check=ON",
)


def sqlite_driver() -> ModuleType:
    """Return `pysqlite3`, which brings a current SQLite, or else the standard library's `sqlite3`."""
    try:
        from pysqlite3 import dbapi2
    except ImportError:
        return sqlite3
    driver: ModuleType = dbapi2
    return driver


class SqliteConnection(Connection):
    """Executes on one `sqlite3` connection, at once and in the calling thread."""

    def __init__(self, raw: sqlite3.Connection, statements: Statements, integrity_error: type[Exception]) -> None:
        self._raw = raw
        self._statements = statements
        self._integrity_error = integrity_error

    async def execute(self, statement: Statement, parameters: Mapping[str, Any] = NO_PARAMETERS) -> Result:
        """Execute one statement."""
        return self._run(statement, parameters)

    async def execute_many(self, statement: Statement, parameters: Sequence[Mapping[str, Any]]) -> None:
        """Execute one statement with many sets of parameters."""
        self._run_many(statement, parameters)

    def _run(self, statement: Statement, parameters: Mapping[str, Any]) -> Result:
        prepared = self._statements.prepare(statement, parameters)
        try:
            cursor = self._raw.execute(prepared.sql, prepared.arguments(parameters))
            if not prepared.returns_rows:
                return Result((), cursor.rowcount)
            rows = prepared.rows(cursor.fetchall())
        except self._integrity_error as error:
            raise Conflict(str(error)) from error
        return Result(rows, len(rows))

    def _run_many(self, statement: Statement, parameters: Sequence[Mapping[str, Any]]) -> None:
        if not parameters:
            return
        prepared = self._statements.prepare(statement, parameters[0])
        try:
            self._raw.executemany(prepared.sql, [prepared.arguments(each) for each in parameters])
        except self._integrity_error as error:
            raise Conflict(str(error)) from error


class SqliteReader(SqliteConnection):
    """A connection that only reads; each statement sees what is committed when it runs."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


class SqliteTransaction(SqliteConnection, Transaction):
    """One transaction; a savepoint where others wait in the same group for their commit."""

    def __init__(self, engine: "SqliteEngine", *, durable: bool = True) -> None:
        super().__init__(engine.writer, engine.statements, engine.integrity_error)
        self._engine = engine
        self._durable = durable
        self._lost = False
        self._open = False

    async def __aenter__(self) -> Self:
        await self._engine.begin(durable=self._durable)
        self._open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open = False
        if kind is not None or self._lost:
            self._engine.rollback()
            if kind is None:
                raise Lost("a statement of this transaction failed; nothing was committed")
            return
        await self._engine.commit()

    async def execute(self, statement: Statement, parameters: Mapping[str, Any] = NO_PARAMETERS) -> Result:
        """Execute one statement."""
        self._require_open()
        try:
            return self._run(statement, parameters)
        except BaseException:
            self._lost = True
            raise

    async def execute_many(self, statement: Statement, parameters: Sequence[Mapping[str, Any]]) -> None:
        """Execute one statement with many sets of parameters."""
        self._require_open()
        try:
            self._run_many(statement, parameters)
        except BaseException:
            self._lost = True
            raise

    def _require_open(self) -> None:
        if not self._open:
            raise RuntimeError("the transaction is over")


class SqliteEngine:
    """One file: a connection that writes, a connection that reads, and the group of transactions to commit next."""

    def __init__(self, url: URL) -> None:
        driver = sqlite_driver()
        self.statements = Statements(SQLiteDialect_pysqlite())
        self.dialect: Dialect = SQLiteDialect_pysqlite()
        self.integrity_error: type[Exception] = driver.IntegrityError
        self._operational_error: type[Exception] = driver.OperationalError
        self._error: type[Exception] = driver.Error
        memory = url.database in (None, "", ":memory:")
        path = ":memory:" if memory else str(url.database)
        self._guard = None if memory else _require_safe_version(driver, path)
        self.writer = _connect(driver, path)
        # A database in memory has one connection: there, a reader sees what an open transaction has written so far.
        self._reader = self.writer if memory else _connect(driver, path)
        if not memory:
            self._reader.execute("PRAGMA query_only=ON")
            self._reader.execute("PRAGMA busy_timeout=1000")
        self._turn = asyncio.Lock()
        self._owner: asyncio.Task[Any] | None = None
        self._finished: list[asyncio.Future[None]] = []
        self._commit_is_due = False
        self._syncs = True

    def transaction(self) -> SqliteTransaction:
        """Return a transaction to enter."""
        return SqliteTransaction(self)

    def read(self) -> SqliteReader:
        """Return a reader to enter."""
        return SqliteReader(self._reader, self.statements, self.integrity_error)

    async def execute(self, statement: Statement, parameters: Mapping[str, Any]) -> Result:
        """Execute one statement in a transaction of its own."""
        async with self.transaction() as tx:
            return await tx.execute(statement, parameters)

    async def write(self, writes: Sequence[Write], *, durable: bool) -> None:
        """Execute writes in one transaction."""
        async with SqliteTransaction(self, durable=durable) as tx:
            await execute_writes(tx, writes)

    async def run_script(self, statements: Sequence[str]) -> None:
        """Run data definitions in one transaction."""
        async with self.transaction():
            for statement in statements:
                self.writer.execute(statement)

    async def close(self) -> None:
        """Commit what is finished and close both connections."""
        async with self._turn:
            self._commit_group()
        self.writer.close()
        if self._reader is not self.writer:
            self._reader.close()
        if self._guard is not None:
            self._guard.close()

    async def begin(self, *, durable: bool = True) -> None:
        """Wait for the writer's turn, then begin a group or join the one that is open, which is durable."""
        task = asyncio.current_task()
        if self._owner is not None and self._owner is task:
            raise RuntimeError("a transaction inside a transaction")
        await self._turn.acquire()
        self._owner = task
        try:
            if self._finished:
                self.writer.execute("SAVEPOINT member")
            else:
                self._require_sync(durable)
                await self._begin_group()
        except BaseException:
            self._end_turn()
            raise

    async def commit(self) -> None:
        """End the turn, and return when the group's commit is on disk."""
        if not self._syncs:
            self._commit_alone()
            return
        if self._finished:
            try:
                self.writer.execute("RELEASE member")
            except self._error:
                self.rollback()
                raise
        loop = asyncio.get_running_loop()
        durable: asyncio.Future[None] = loop.create_future()
        self._finished.append(durable)
        self._end_turn()
        if len(self._finished) == 1:
            loop.call_soon(self._commit_group)
        await durable

    def _require_sync(self, durable: bool) -> None:
        """Say whether the next commit waits for the disk. One that does takes along all that did not before it."""
        if durable != self._syncs:
            self.writer.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            self._syncs = durable

    def _commit_alone(self) -> None:
        """Commit a transaction that needs no fsync: there is nothing to share with a group."""
        try:
            self.writer.execute("COMMIT")
        except self._error:
            self.rollback()
            raise
        self._end_turn()

    def rollback(self) -> None:
        """Undo this transaction only; the finished ones of its group stay."""
        try:
            if not self.writer.in_transaction:  # SQLite itself gave up the whole group: disk full, I/O error
                self._settle(RuntimeError("the database rolled the transaction back"))
            elif self._finished:
                self.writer.execute("ROLLBACK TO member")
                self.writer.execute("RELEASE member")
            else:
                self.writer.execute("ROLLBACK")
        finally:
            self._end_turn()

    async def _begin_group(self) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + BUSY_LIMIT_SECONDS
        while True:
            try:
                self.writer.execute("BEGIN IMMEDIATE")
            except self._operational_error as error:
                # Another process writes. SQLite's own waiting would stop the event loop.
                if getattr(error, "sqlite_errorcode", 0) & 0xFF != _SQLITE_BUSY or loop.time() > deadline:
                    raise
                await asyncio.sleep(_BUSY_RETRY_SECONDS)
            else:
                return

    def _end_turn(self) -> None:
        self._owner = None
        self._turn.release()
        if self._commit_is_due:
            self._commit_group()

    def _commit_group(self) -> None:
        if self._owner is not None:  # an open transaction is part of this group: commit when it ends
            self._commit_is_due = True
            return
        self._commit_is_due = False
        if not self._finished:
            return
        try:
            self.writer.execute("COMMIT")
        except self._error as error:
            if self.writer.in_transaction:
                self.writer.execute("ROLLBACK")
            self._settle(error)
        else:
            self._settle(None)

    def _settle(self, error: Exception | None) -> None:
        finished, self._finished = self._finished, []
        for durable in finished:
            if durable.done():  # its task was cancelled while it waited
                continue
            if error is None:
                durable.set_result(None)
            else:
                durable.set_exception(error)


def _connect(driver: ModuleType, path: str) -> sqlite3.Connection:
    try:
        connection: sqlite3.Connection = driver.connect(
            path, timeout=0, isolation_level=None, check_same_thread=False, cached_statements=512
        )
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
    except driver.Error as error:
        raise DatabaseUnavailable.of(error) from error
    return connection


def _require_safe_version(driver: ModuleType, path: str) -> Any:
    """Return None, or where SQLite has the WAL-reset bug: a lock that keeps every other process out of the file."""
    if driver.sqlite_version_info >= FIRST_SAFE_VERSION:
        return None
    import fcntl

    _logger.warning("SQLite %s may lose writes of two processes: install pysqlite3", driver.sqlite_version)
    guard = open(f"{path}.one-process", "w")
    try:
        fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        guard.close()
        raise RuntimeError(f"another process has {path} open, and this SQLite is not safe for two") from error
    return guard
