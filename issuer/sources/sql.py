"""An authentic source in any SQL database that SQLAlchemy speaks to, read by one query of the agency's own.

PostgreSQL is asked with the driver of our own store; every other database with the driver that its URL names, in a
thread.
"""

import asyncio
from datetime import timedelta

from sqlalchemy import Engine, RowMapping, String, bindparam, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from issuer.attributes import PersonUnknown, Record, SourceUnavailable
from issuer.sources.mapping import Mapping_


class SqlSource:
    """A register in a SQL database.

    Args:
        url: SQLAlchemy's URL of the database; give it a role that may only read.
        query: a SELECT with the parameter `:person`, a text, that returns at most one row.
        mapping: how the row becomes a record.
        patience: how long an answer may take.

    Raises:
        ValueError: not a URL, a driver that is not installed, or a query without `:person`.
    """

    def __init__(self, url: str, *, query: str, mapping: Mapping_, patience: timedelta = timedelta(seconds=10)) -> None:
        self._engine = _engine(url)
        try:
            self._query = text(query).bindparams(bindparam("person", type_=String()))
        except ArgumentError:
            raise ValueError("query must say where the person's key stands: :person") from None
        self._mapping = mapping
        self._patience = patience.total_seconds()

    async def record(self, person: str, credential_type: str) -> Record:
        """Read a person's row; see `AttributeSource.record`."""
        try:
            row = await asyncio.wait_for(self._row(person), self._patience)
        except (SQLAlchemyError, OSError) as error:  # TimeoutError is one of the latter
            raise SourceUnavailable(f"the register does not answer: {_name(error)}") from error
        if row is None:
            raise PersonUnknown("the register has nobody with this key")
        return self._mapping.record({**row})

    async def _row(self, person: str) -> RowMapping | None:
        if isinstance(self._engine, AsyncEngine):
            async with self._engine.connect() as connection:
                return (await connection.execute(self._query, {"person": person})).mappings().first()
        return await asyncio.to_thread(self._row_in_thread, self._engine, person)

    def _row_in_thread(self, engine: Engine, person: str) -> RowMapping | None:
        with engine.connect() as connection:
            return connection.execute(self._query, {"person": person}).mappings().first()

    async def close(self) -> None:
        """Close the connections."""
        if isinstance(self._engine, AsyncEngine):
            await self._engine.dispose()
        else:
            self._engine.dispose()


def _engine(url: str) -> Engine | AsyncEngine:
    try:
        parsed = make_url(url)
        if parsed.drivername in {"postgresql", "postgresql+asyncpg"}:
            return create_async_engine(parsed.set(drivername="postgresql+asyncpg"), pool_pre_ping=True)
        return create_engine(parsed, pool_pre_ping=True)
    except ArgumentError:
        raise ValueError(
            "url: expected SQLAlchemy's URL of a database, such as postgresql://reader@host/name"
        ) from None
    except ImportError as error:
        raise ValueError(f"url: the driver of {parsed.drivername} is not installed: {error}") from None


def _name(error: BaseException) -> str:
    """Return what the driver calls it, such as UndefinedTableError; its text may hold what was asked."""
    while error.__cause__ is not None:
        error = error.__cause__
    return type(error).__name__
