"""Registers that come as a table of text: CSV and Excel files, read once and again when the file has changed."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from issuer.attributes import PersonUnknown, Record, SourceUnavailable
from issuer.sources.mapping import Mapping_

Row: TypeAlias = Mapping[str, Any]
ReadRows: TypeAlias = Callable[[Path], Iterable[Row]]


@dataclass(frozen=True)
class _Table:
    version: tuple[int, int]
    rows: Mapping[str, Row]


class FileSource:
    """A register in a file that somebody replaces now and then: put the new one in its place with a rename.

    Args:
        path: the file.
        read: yields its rows by column name.
        key: the column with the register's key of a person.
        mapping: how a row becomes a record.
    """

    def __init__(self, path: Path, *, read: ReadRows, key: str, mapping: Mapping_) -> None:
        self._path = path
        self._read = read
        self._key = key
        self._mapping = mapping
        self._table: _Table | None = None

    async def record(self, person: str, credential_type: str) -> Record:
        """Find a person's row; see `AttributeSource.record`."""
        rows = (await asyncio.to_thread(self._current)).rows
        if person not in rows:
            raise PersonUnknown("the register has nobody with this key")
        return self._mapping.record(rows[person])

    def _current(self) -> _Table:
        try:
            stat = self._path.stat()
            version = (stat.st_mtime_ns, stat.st_size)
            if self._table is None or self._table.version != version:
                self._table = _Table(version, self._by_key())
            return self._table
        except (OSError, ValueError) as error:
            raise SourceUnavailable(f"{self._path.name} cannot be read: {type(error).__name__}") from error

    def _by_key(self) -> dict[str, Row]:
        rows: dict[str, Row] = {}
        for row in self._read(self._path):
            key = str(row.get(self._key) or "").strip()
            if not key:
                raise SourceUnavailable(f"{self._path.name} has a row without a value in column {self._key!r}")
            if key in rows:
                raise SourceUnavailable(f"{self._path.name} has two rows for one person")
            rows[key] = row
        return rows
