"""An append-only journal in which nothing can be changed, removed or put in between without notice.

Each writer has a chain: an entry's MAC covers the entry before it. The head of a chain is a row that is locked while an
entry is appended, so the journal belongs to the transaction that it reports. `anchor` writes the heads of all chains
into one of them, so that no chain can be cut off or begun anew alone; whoever notes the heads elsewhere can tell that
for all of them. Entries name what was done, never claim values.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, Integer, LargeBinary, MetaData, String, Table, bindparam, select, update

from byoid.encoding import json_dumps
from byoid.errors import ByoidError, MalformedInput
from byoid.service.database import Connection, Database, Json, UtcDateTime, insert
from byoid.service.seal import Sealer

ANCHORED: Final = "heads anchored"
_START: Final = bytes(32)
_PAGE: Final = 500


class AuditBroken(ByoidError):
    """The journal of a writer is not what was written. `sequence` is the first entry that is wrong or missing."""

    def __init__(self, writer: str, sequence: int) -> None:
        another = ", as it is under another sealing key than the last one that was set" if sequence == 1 else ""
        super().__init__(f"the journal of {writer} is broken at entry {sequence}{another}")
        self.sequence = sequence


@dataclass(frozen=True)
class AuditHead:
    """The last entry of a chain: note it elsewhere to notice a journal that was cut off."""

    sequence: int
    mac: bytes

    def __str__(self) -> str:
        return f"{self.sequence}:{self.mac.hex()}"

    @classmethod
    def parse(cls, text: str) -> "AuditHead":
        """Read a head that was noted as text.

        Raises:
            MalformedInput: it is none.
        """
        sequence, _, mac = text.partition(":")
        try:
            return cls(int(sequence), bytes.fromhex(mac))
        except ValueError as error:
            raise MalformedInput("expected the head of a journal: a number, a colon, and hexadecimal digits") from error


@dataclass(frozen=True)
class AuditPage:
    """Entries that follow each other, and the head of their chain."""

    entries: Sequence[Any]
    head: AuditHead | None


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
        self._heads = select(heads).order_by(heads.c.writer)
        self._page = (
            select(entries)
            .where(entries.c.writer == bindparam("of"), entries.c.sequence > bindparam("after"))
            .order_by(entries.c.sequence)
            .limit(bindparam("most"))
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

    async def head(self, database: Database, *, writer: str) -> AuditHead | None:
        """Return the last entry of a chain, as its head says."""
        return _or_none(await self._head_of(database, writer))

    async def heads(self, database: Database) -> dict[str, AuditHead]:
        """Return the head of every chain that has entries: what to note elsewhere."""
        rows = (await database.fetch(self._heads)).rows
        return {row.writer: AuditHead(row.sequence, row.mac) for row in rows if row.sequence}

    async def anchor(self, database: Database, *, writer: str, now: datetime) -> dict[str, AuditHead]:
        """Write the heads of the other chains into this writer's, and return all of them."""
        heads = {name: head for name, head in (await self.heads(database)).items() if name != writer}
        details = {name: [head.sequence, head.mac.hex()] for name, head in heads.items()}
        async with database.transaction() as tx:
            own = await self.append(tx, writer=writer, event=ANCHORED, details=details, now=now)
        return {**heads, writer: own}

    async def verify_all(self, database: Database, *, noted: Iterable[tuple[str, AuditHead]]) -> dict[str, AuditHead]:
        """Verify every chain, every head that one of them has of another, and heads noted elsewhere; return the heads.

        Raises:
            AuditBroken: an entry was changed, removed or added, or a chain has gone.
        """
        found: dict[str, AuditHead] = {}
        known = [*noted]
        for writer in await self.heads(database):
            async for row in self._chain(database, writer):
                found[writer] = AuditHead(row.sequence, row.mac)
                if row.event == ANCHORED:
                    known += [(name, AuditHead(at, bytes.fromhex(mac))) for name, (at, mac) in row.details.items()]
        for name, head in dict.fromkeys(known):
            await self._require(database, name, head)
        return found

    async def _require(self, database: Database, writer: str, head: AuditHead) -> None:
        """Find a head of a chain, which is verified already, in it."""
        rows = await self._rows(database, writer, after=head.sequence - 1, most=1)
        if not rows or AuditHead(rows[0].sequence, rows[0].mac) != head:
            raise AuditBroken(writer, head.sequence)

    async def page(self, database: Database, *, writer: str, after: int = 0, most: int = 100) -> AuditPage:
        """Return entries after a number, verified against the one before them: it costs a page, not the journal.

        Raises:
            AuditBroken: one of these entries was changed, removed or added, or the end is not where the head says.
        """
        head = await self._head_of(database, writer)
        if after > head.sequence:
            return AuditPage((), _or_none(head))
        rows = await self._rows(database, writer, after=max(after - 1, 0), most=most + (after > 0))
        last = AuditHead(0, _START)
        if after:
            if not rows or rows[0].sequence != after:
                raise AuditBroken(writer, after)
            last, rows = AuditHead(after, rows[0].mac), rows[1:]
        for row in rows:
            last = self._follow(last, row)
        ended = len(rows) < most  # what the head names must be here then
        if (ended and last.sequence < head.sequence) or (last.sequence == head.sequence and last != head):
            raise AuditBroken(writer, last.sequence + 1)
        return AuditPage(rows, _or_none(head))

    async def verify(self, database: Database, *, writer: str, noted: AuditHead | None = None) -> AuditHead | None:
        """Verify the whole chain of a writer, and that a head noted earlier is still in it; return its head.

        Raises:
            AuditBroken: an entry was changed, removed or added.
        """
        last = AuditHead(0, _START)
        async for row in self._chain(database, writer):
            last = AuditHead(row.sequence, row.mac)
            if noted is not None and noted.sequence == last.sequence and noted.mac != last.mac:
                raise AuditBroken(writer, last.sequence)
        if noted is not None and noted.sequence > last.sequence:
            raise AuditBroken(writer, last.sequence + 1)
        return _or_none(last)

    async def _chain(self, database: Database, writer: str) -> AsyncIterator[Any]:
        """Yield the entries of a chain, each verified, up to its head."""
        last, seen = AuditHead(0, _START), None
        while True:
            rows = await self._rows(database, writer, after=last.sequence, most=_PAGE)
            for row in rows:
                last = self._follow(last, row)
                yield row
            if rows:
                continue
            head = await self._head_of(database, writer)
            if head == last:
                return
            if head.sequence <= last.sequence or head == seen:
                raise AuditBroken(writer, last.sequence + 1)
            seen = head  # entries have come meanwhile: look once more

    async def _head_of(self, database: Database, writer: str) -> AuditHead:
        row = (await database.fetch(self._head, {"of": writer})).first()
        return AuditHead(0, _START) if row is None else AuditHead(row.sequence, row.mac)

    async def _rows(self, database: Database, writer: str, *, after: int, most: int) -> Sequence[Any]:
        return (await database.fetch(self._page, {"of": writer, "after": after, "most": most})).rows

    def _follow(self, last: AuditHead, row: Any) -> AuditHead:
        """Return the entry after `last`, if this row is it."""
        entry = {name: value for name, value in row._asdict().items() if name != "mac"}
        mac = self._mac(last.mac, entry)
        if row.sequence != last.sequence + 1 or row.mac != mac:
            raise AuditBroken(row.writer, last.sequence + 1)
        return AuditHead(row.sequence, mac)

    def _mac(self, previous: bytes, entry: Mapping[str, Any]) -> bytes:
        text = json_dumps({**entry, "at": entry["at"].isoformat(timespec="microseconds")})
        return self._sealer.keyed_hash(previous + text, purpose="audit")


def _or_none(head: AuditHead) -> AuditHead | None:
    return head if head.sequence else None
