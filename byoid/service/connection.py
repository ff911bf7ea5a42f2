"""What a store sees of a database, whichever engine it is: execute a statement, get rows or a count."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from byoid.errors import ByoidError
from byoid.service.statements import NO_PARAMETERS, Statement


class Conflict(ByoidError):
    """A row breaks a constraint (unique, foreign key, not null, check). The transaction is lost with it."""


class DatabaseUnavailable(ByoidError):
    """The database cannot be opened, or not be brought up to date; the message says why, in the driver's words."""

    @classmethod
    def of(cls, error: BaseException) -> Self:
        """Say what the driver said, in one line; only what it says of itself, not of a statement's values."""
        while error.__cause__ is not None:
            error = error.__cause__
        return cls(f"the database says {type(error).__name__}: {str(error).partition(chr(10))[0]}")


@dataclass(frozen=True, slots=True)
class Result:
    """What a statement did: its rows as named tuples, and how many rows it returned or changed."""

    rows: Sequence[Any]
    rowcount: int

    def __iter__(self) -> Iterator[Any]:
        return iter(self.rows)

    def first(self) -> Any | None:
        """Return the first row, or None."""
        return self.rows[0] if self.rows else None

    def scalar(self) -> Any | None:
        """Return the first row's first value, or None."""
        return self.rows[0][0] if self.rows else None


class Connection(ABC):
    """A place to execute statements: a transaction, or a view to read from."""

    @abstractmethod
    async def execute(self, statement: Statement, parameters: Mapping[str, Any] = NO_PARAMETERS) -> Result:
        """Execute one statement, which should be a constant of the caller's module.

        Raises:
            Conflict: a constraint forbids it.
            TypeError: the parameters are not the statement's.
        """

    @abstractmethod
    async def execute_many(self, statement: Statement, parameters: Sequence[Mapping[str, Any]]) -> None:
        """Execute one statement that returns no rows once for each set of parameters.

        Raises:
            Conflict: a constraint forbids one of them.
        """


class Transaction(Connection):
    """A connection that is entered with `async with`: a normal exit commits, an exception rolls back.

    When the exit has returned, the changes are on disk. An error that the body catches still loses the transaction.
    Inside, await the database only: never a peer, a signer or a lock, since on SQLite everybody else waits.
    """

    @abstractmethod
    async def __aenter__(self) -> Self: ...

    @abstractmethod
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Lost(ByoidError):
    """The body caught a database error and went on; nothing was committed."""


@dataclass(frozen=True, slots=True)
class Write:
    """One of several writes that happen together or not at all.

    Args:
        statement: an insert, update or delete that returns no rows.
        rows: its parameters, one set or several.
        changes: how many rows a single set must change. Several sets are not counted.
    """

    statement: Statement
    rows: Sequence[Mapping[str, Any]]
    changes: int = 1


class Unchanged(ByoidError):
    """A write did not change as many rows as it must, so nothing was written. `index` tells which."""

    def __init__(self, index: int) -> None:
        super().__init__(f"write {index} did not change what it must")
        self.index = index


async def execute_writes(tx: Connection, writes: Sequence[Write]) -> None:
    """Execute writes in a transaction, which is to be rolled back when this raises.

    Raises:
        Unchanged: one does not change as many rows as it must.
        Conflict: a constraint forbids one.
    """
    for index, write in enumerate(writes):
        if len(write.rows) > 1:
            await tx.execute_many(write.statement, write.rows)
        elif (await tx.execute(write.statement, write.rows[0])).rowcount != write.changes:
            raise Unchanged(index)
