"""Sealing anew what older keys of the ring have sealed, so that they open nothing that is kept.

Rows are read in the order of their key, a batch at a time, and written only as they were read: whoever changes a row
meanwhile seals with the current key. Each batch is a transaction, so that it may be stopped and begun again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Column, LargeBinary, bindparam, select, update

from byoid.service.database import Connection, Database
from byoid.service.seal import SealBroken, Sealer

BATCH: Final = 500


@dataclass(frozen=True)
class SealedColumn:
    """A column of sealed values, in a table whose primary key is one column of text or bytes.

    Args:
        column: where they are.
        place: the names that they are sealed for, `table.column`, where these are others than the database's.
        row: the column that names the row that they are sealed for, if that is not the primary key.
    """

    column: Column[Any]
    place: str | None = None
    row: Column[Any] | None = None


@dataclass(frozen=True)
class Resealed:
    """How many values were sealed anew, and how many no key of the ring opens."""

    count: int
    unreadable: int

    def __add__(self, other: "Resealed") -> "Resealed":
        return Resealed(self.count + other.count, self.unreadable + other.unreadable)


async def reseal(database: Database, sealer: Sealer, columns: Iterable[SealedColumn]) -> Resealed:
    """Seal with the ring's current key what another one has sealed; what no key opens is left as it is."""
    total = Resealed(0, 0)
    for column in columns:
        total += await _Column(column).reseal(database, sealer)
    return total


class _Column:
    def __init__(self, sealed: SealedColumn) -> None:
        column, table = sealed.column, sealed.column.table
        (key,) = table.primary_key.columns
        row = key if sealed.row is None else sealed.row
        self._first: str | bytes = b"" if isinstance(key.type, LargeBinary) else ""
        self._table, _, self._name = (sealed.place or f"{table.name}.{column.name}").partition(".")
        self._read = (
            select(key.label("key"), column.label("sealed"), row.label("row"))
            .where(key > bindparam("after", type_=key.type), column.is_not(None))
            .order_by(key)
            .limit(BATCH)
        )
        self._write = (
            update(table)
            .where(key == bindparam("of_key", type_=key.type), column == bindparam("old", type_=column.type))
            .values({column.name: bindparam("new", type_=column.type)})
        )

    async def reseal(self, database: Database, sealer: Sealer) -> Resealed:
        total, after = Resealed(0, 0), self._first
        while True:
            async with database.transaction() as tx:
                rows = (await tx.execute(self._read, {"after": after})).rows
                for row in rows:
                    total += await self._one(tx, sealer, row)
            if len(rows) < BATCH:
                return total
            after = rows[-1].key

    async def _one(self, tx: Connection, sealer: Sealer, row: Any) -> Resealed:
        row_id: str = row.row if isinstance(row.row, str) else row.row.hex()
        try:
            if not sealer.needs_reseal(row.sealed):
                return Resealed(0, 0)
            plain = sealer.open(row.sealed, table=self._table, column=self._name, row_id=row_id)
        except SealBroken:
            return Resealed(0, 1)
        new = sealer.seal(plain, table=self._table, column=self._name, row_id=row_id)
        result = await tx.execute(self._write, {"of_key": row.key, "old": row.sealed, "new": new})
        return Resealed(result.rowcount, 0)
