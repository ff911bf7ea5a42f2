"""An append-only journal in which nothing can be changed, removed or put in between without notice.

Each writer has a chain: an entry's MAC covers the entry before it. The head of a chain is a row that is locked while an
entry is appended, so the journal belongs to the transaction that it reports. Whoever notes a head elsewhere can also
tell that the end was cut off. Entries name what was done, never claim values.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, Integer, LargeBinary, MetaData, String, Table, bindparam, select, update

from byoid.encoding import json_dumps
from byoid.errors import ByoidError
from byoid.service.database import Connection, Database, Json, UtcDateTime, insert
from byoid.service.seal import Sealer

_START: Final = bytes(32)
_PAGE: Final = 500


class AuditBroken(ByoidError):
    """The journal of a writer is not what was written. `sequence` is the first entry that is wrong or missing."""

    def __init__(self, writer: str, sequence: int) -> None:
        super().__init__(f"the journal of {writer} is broken at entry {sequence}")
        self.sequence = sequence


@dataclass(frozen=True)
class AuditHead:
    """The last entry of a chain: note it elsewhere to notice a journal that was cut off."""

    sequence: int
    mac: bytes


def audit_tables(metadata: MetaData) -> tuple[Table, Table]:
    """Add the journal and its heads to a service's metadata."""
    entries = Table(
        "audit_entries",
        metadata,
        Column("writer", String(64), primary_key=True),
        Column("sequence", Integer, primary_key=True, autoincrement=False),
        Column("at", UtcDateTime(), nullable=False),
        Column("event", String(64), nullable=False),
        Column("details", Json(), nullable=False),
        Column("mac", LargeBinary(32), nullable=False),
    )
    heads = Table(
        "audit_heads",
        metadata,
        Column("writer", String(64), primary_key=True),
        Column("sequence", Integer, nullable=False),
        Column("mac", LargeBinary(32), nullable=False),
    )
    return entries, heads


class AuditLog:
    """The journal of a service."""

    def __init__(self, tables: tuple[Table, Table], sealer: Sealer) -> None:
        entries, heads = tables
        self._sealer = sealer
        self._begin = insert(heads).on_conflict_do_nothing()
        self._lock_head = (
            update(heads)
            .where(heads.c.writer == bindparam("of"))
            .values(sequence=heads.c.sequence + 1)
            .returning(heads.c.sequence, heads.c.mac)
        )
        self._move_head = update(heads).where(heads.c.writer == bindparam("of")).values(mac=bindparam("new"))
        self._append = insert(entries)
        self._head = select(heads.c.sequence, heads.c.mac).where(heads.c.writer == bindparam("of"))
        self._page = (
            select(entries)
            .where(entries.c.writer == bindparam("of"), entries.c.sequence > bindparam("after"))
            .order_by(entries.c.sequence)
            .limit(_PAGE)
        )

    async def append(
        self, tx: Connection, *, writer: str, event: str, details: Mapping[str, Any], now: datetime
    ) -> AuditHead:
        """Write an entry in the caller's transaction."""
        await tx.execute(self._begin, {"writer": writer, "sequence": 0, "mac": _START})
        head = (await tx.execute(self._lock_head, {"of": writer})).first()
        if head is None:
            raise AuditBroken(writer, 0)
        entry = {"writer": writer, "sequence": head.sequence, "at": now, "event": event, "details": dict(details)}
        mac = self._mac(head.mac, entry)
        await tx.execute(self._append, {**entry, "mac": mac})
        await tx.execute(self._move_head, {"of": writer, "new": mac})
        return AuditHead(head.sequence, mac)

    async def verify(self, database: Database, *, writer: str, noted: AuditHead | None = None) -> AuditHead | None:
        """Verify the whole chain of a writer, and that a head noted earlier is still in it; return its head.

        Raises:
            AuditBroken: an entry was changed, removed or added.
        """
        sequence, mac = 0, _START
        while rows := (await database.fetch(self._page, {"of": writer, "after": sequence})).rows:
            for row in rows:
                sequence += 1
                entry = {name: value for name, value in row._asdict().items() if name != "mac"}
                mac = self._mac(mac, entry)
                if row.sequence != sequence or row.mac != mac:
                    raise AuditBroken(writer, sequence)
                if noted is not None and noted.sequence == sequence and noted.mac != mac:
                    raise AuditBroken(writer, sequence)
        head = (await database.fetch(self._head, {"of": writer})).first()
        found = (0, _START) if head is None else (head.sequence, head.mac)
        if found != (sequence, mac) or (noted is not None and noted.sequence > sequence):
            raise AuditBroken(writer, sequence + 1)
        return AuditHead(sequence, mac) if sequence else None

    def _mac(self, previous: bytes, entry: Mapping[str, Any]) -> bytes:
        text = json_dumps({**entry, "at": entry["at"].isoformat(timespec="microseconds")})
        return self._sealer.keyed_hash(previous + text, purpose="audit")
