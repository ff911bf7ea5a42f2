"""An authentic source in any SQL database that SQLAlchemy speaks to, read by one query of the agency's own."""

import asyncio
from datetime import timedelta
from typing import Any

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from issuer.attributes import PersonUnknown, Record, SourceUnavailable
from issuer.sources.mapping import Mapping_


class SqlSource:
    """A register in a SQL database.

    Args:
        url: SQLAlchemy's URL of the database; give it a role that may only read.
        query: a SELECT with the parameter `:person` that returns at most one row.
        mapping: how the row becomes a record.
        patience: how long an answer may take.
    """

    def __init__(self, url: str, *, query: str, mapping: Mapping_, patience: timedelta = timedelta(seconds=10)) -> None:
        self._engine: Engine = create_engine(url, pool_pre_ping=True)
        self._query = text(query)
        self._mapping = mapping
        self._patience = patience.total_seconds()

    async def record(self, person: str, credential_type: str) -> Record:
        """Read a person's row; see `AttributeSource.record`."""
        try:
            row = await asyncio.wait_for(asyncio.to_thread(self._row, person), self._patience)
        except (SQLAlchemyError, TimeoutError) as error:
            raise SourceUnavailable(f"the register does not answer: {type(error).__name__}") from error
        if row is None:
            raise PersonUnknown("the register has nobody with this key")
        return self._mapping.record(row)

    def _row(self, person: str) -> dict[str, Any] | None:
        with self._engine.connect() as connection:
            row = connection.execute(self._query, {"person": person}).mappings().first()
            return dict(row) if row else None

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()
