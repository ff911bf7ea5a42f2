"""What a citizen keeps, read and written with the reading key of an open session.

    contents = Contents(store, session.person, session.reading_key)
    card_id = await contents.add(tx, Kind.CREDENTIAL, {"issuer": …})
    for card in await contents.all(Kind.CREDENTIAL): …

Values are JSON objects. A change is compare-and-set on the row's version, so that two browsers can't overwrite each
other unseen.
"""

import json
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeVar

from sqlalchemy import Table, bindparam, delete, func, select, update

from byoid.encoding import json_dumps
from byoid.errors import ByoidError
from byoid.service.connection import Connection, Transaction
from byoid.service.database import Database, Expiry, UtcDateTime, insert
from wallet.content_tables import Item, Kind
from wallet.vault.keys import PersonId, ReadingKey

T = TypeVar("T")
ITEM: Final[Table] = vars(Item)["__table__"]
_ID_BYTES: Final = 16
_MORE_TRIES: Final = 2
MAX_PENDING: Final = 50  # of a kind that waits for an answer, for one person

_INSERT = insert(ITEM)
_OF_PERSON = (ITEM.c.person_id == bindparam("of_person"), ITEM.c.kind == bindparam("of_kind"))
_ALL = select(ITEM).where(*_OF_PERSON)
_ONE = select(ITEM).where(ITEM.c.id == bindparam("of_id"), *_OF_PERSON)
_CHILDREN = select(ITEM).where(ITEM.c.parent_id == bindparam("of_parent"), *_OF_PERSON)
# Of each thing that has children of a kind, one of them: the last by id, which is random.
_SAMPLES = select(ITEM).where(
    ITEM.c.id.in_(
        select(func.max(ITEM.c.id)).where(*_OF_PERSON).group_by(ITEM.c.parent_id).scalar_subquery()
    ),
    *_OF_PERSON,
)  # fmt: skip
_PLACES = select(ITEM.c.id, ITEM.c.parent_id, ITEM.c.version).where(*_OF_PERSON)
_PLACES_OF = _PLACES.where(ITEM.c.parent_id == bindparam("of_parent"))
_CHANGE = (
    update(ITEM)
    .where(ITEM.c.id == bindparam("of_id"), ITEM.c.version == bindparam("of_version"), *_OF_PERSON)
    .values(sealed=bindparam("new_sealed"), version=ITEM.c.version + 1)
)
_DELETE = delete(ITEM).where(ITEM.c.id == bindparam("of_id"), *_OF_PERSON)
_NEWEST = select(ITEM.c.id).where(*_OF_PERSON).order_by(ITEM.c.expires_at.desc(), ITEM.c.id).limit(MAX_PENDING)
_DELETE_OLDEST = delete(ITEM).where(*_OF_PERSON, ITEM.c.id.not_in(_NEWEST.scalar_subquery()))
_DELETE_CHILDREN = delete(ITEM).where(ITEM.c.parent_id == bindparam("of_parent"), *_OF_PERSON)
_FORGET = delete(ITEM).where(ITEM.c.person_id == bindparam("of_person"))
_DUE = (ITEM.c.kind == Kind.LEAVING, ITEM.c.expires_at <= bindparam("now", type_=UtcDateTime()))
_LEAVING = select(ITEM.c.person_id).where(*_DUE)
_LOOKED_AT = delete(ITEM).where(ITEM.c.person_id == bindparam("of_person"), *_DUE)


class ItemNotFound(ByoidError):
    """The citizen keeps no such thing: it was deleted, has expired, or never was theirs."""


class ItemChanged(ByoidError):
    """Another browser has changed it meanwhile. Read it again."""


@dataclass(frozen=True)
class Kept:
    """Something that a citizen keeps, opened."""

    id: str
    kind: Kind
    parent_id: str | None
    version: int
    value: Mapping[str, Any] = field(repr=False)
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is, and how often it was changed since it was added."""

    id: str
    parent_id: str | None
    changes: int


class ContentStore:
    """The rows of all citizens; sealed."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._expiry = Expiry(ITEM, expires_at=ITEM.c.expires_at, only=ITEM.c.kind != Kind.LEAVING)

    def transaction(self) -> Transaction:
        """Return a transaction."""
        return self.database.transaction()

    async def forget(self, tx: Connection, person: PersonId) -> int:
        """Delete everything of a person."""
        return (await tx.execute(_FORGET, {"of_person": person})).rowcount

    async def leaving(self, *, now: datetime) -> set[PersonId]:
        """Return who was asked some time ago whether everything is to be deleted."""
        return {PersonId(row.person_id) for row in (await self.database.fetch(_LEAVING, {"now": now})).rows}

    async def looked_at(self, person: PersonId, *, now: datetime) -> None:
        """Forget that somebody was asked whether everything is to be deleted."""
        await self.database.execute(_LOOKED_AT, {"of_person": person, "now": now})

    async def expire(self, *, now: datetime) -> int:
        """Delete what has expired."""
        return await self._expiry.run(self.database, now=now)


async def retried(act: Callable[[], Awaitable[T]]) -> T:
    """Do something that reads and then changes; once more, and once again, if another browser came between.

    Raises:
        ItemChanged: every time.
    """
    for _ in range(_MORE_TRIES):
        with suppress(ItemChanged):
            return await act()
    return await act()


class Contents:
    """What one citizen keeps, with the key that opens it."""

    def __init__(self, store: ContentStore, person: PersonId, key: ReadingKey) -> None:
        self.store = store
        self.person = person
        self._key = key

    async def add(
        self,
        tx: Connection,
        kind: Kind,
        value: Mapping[str, Any],
        *,
        parent_id: str | None = None,
        expires_at: datetime | None = None,
    ) -> str:
        """Keep something, and return its id."""
        row = self._row(kind, value, parent_id=parent_id, expires_at=expires_at)
        await tx.execute(_INSERT, row)
        return str(row["id"])

    async def add_pending(self, tx: Connection, kind: Kind, value: Mapping[str, Any], *, expires_at: datetime) -> str:
        """Keep something that waits for the citizen, and return its id.

        What was kept longest ago makes room: whoever sends links chooses how many there are, and how long each is.
        """
        item_id = await self.add(tx, kind, value, expires_at=expires_at)
        await tx.execute(_DELETE_OLDEST, self._of(kind))
        return item_id

    async def add_children(
        self, tx: Connection, kind: Kind, values: Sequence[Mapping[str, Any]], *, parent_id: str
    ) -> None:
        """Keep things that belong to another one."""
        if values:
            await tx.execute_many(_INSERT, [self._row(kind, value, parent_id=parent_id) for value in values])

    def _row(
        self, kind: Kind, value: Mapping[str, Any], *, parent_id: str | None, expires_at: datetime | None = None
    ) -> dict[str, object]:
        id_ = secrets.token_urlsafe(_ID_BYTES)
        return {
            "id": id_, "person_id": self.person, "kind": kind, "parent_id": parent_id, "version": 1,
            "sealed": self._seal(id_, value), "expires_at": expires_at,
        }  # fmt: skip

    async def all(self, kind: Kind) -> list[Kept]:
        """Return everything of a kind, in no order."""
        rows = await self.store.database.fetch(_ALL, {"of_person": self.person, "of_kind": kind})
        return self._opened(rows.rows)

    async def get(self, kind: Kind, item_id: str, *, now: datetime) -> Kept:
        """Return one thing.

        Raises:
            ItemNotFound: there is none, or it has expired.
        """
        found = await self.store.database.fetch(_ONE, {"of_id": item_id, "of_person": self.person, "of_kind": kind})
        row = found.first()
        if row is None or (row.expires_at is not None and row.expires_at <= now):
            raise ItemNotFound(f"there is no such {kind}")
        return self._open(row)

    async def children(self, kind: Kind, parent_id: str) -> list[Kept]:
        """Return what belongs to another thing, such as the copies of a credential."""
        rows = await self.store.database.fetch(
            _CHILDREN, {"of_parent": parent_id, "of_person": self.person, "of_kind": kind}
        )
        return self._opened(rows.rows)

    async def samples(self, kind: Kind) -> list[Kept]:
        """Return one child of each thing that has children of a kind: always the same one."""
        return self._opened((await self.store.database.fetch(_SAMPLES, self._of(kind))).rows)

    async def places(self, kind: Kind, *, parent_id: str | None = None) -> list[Place]:
        """Return where everything of a kind is, or what belongs to another thing, without opening anything."""
        if parent_id is None:
            found = await self.store.database.fetch(_PLACES, self._of(kind))
        else:
            found = await self.store.database.fetch(_PLACES_OF, {**self._of(kind), "of_parent": parent_id})
        return [Place(row.id, row.parent_id, row.version - 1) for row in found.rows]

    def _of(self, kind: Kind) -> dict[str, str]:
        return {"of_person": self.person, "of_kind": kind}

    async def change(self, tx: Connection, kept: Kept, value: Mapping[str, Any]) -> None:
        """Replace a value that was read before.

        Raises:
            ItemChanged: somebody else has changed or deleted it since.
        """
        parameters = {
            "of_id": kept.id, "of_version": kept.version, "of_person": self.person, "of_kind": kept.kind,
            "new_sealed": self._seal(kept.id, value),
        }  # fmt: skip
        if (await tx.execute(_CHANGE, parameters)).rowcount != 1:
            raise ItemChanged(f"this {kept.kind} was changed meanwhile")

    async def delete(self, tx: Connection, kind: Kind, item_id: str) -> bool:
        """Delete one thing; False if it was gone already."""
        parameters = {"of_id": item_id, "of_person": self.person, "of_kind": kind}
        return (await tx.execute(_DELETE, parameters)).rowcount == 1

    async def delete_children(self, tx: Connection, kind: Kind, parent_id: str) -> int:
        """Delete what belongs to another thing."""
        parameters = {"of_parent": parent_id, "of_person": self.person, "of_kind": kind}
        return (await tx.execute(_DELETE_CHILDREN, parameters)).rowcount

    def _seal(self, item_id: str, value: Mapping[str, Any]) -> bytes:
        return self._key.seal(json_dumps(value), table=ITEM.name, column="sealed", row=item_id)

    def _open(self, row: Any) -> Kept:
        plain = self._key.open(row.sealed, table=ITEM.name, column="sealed", row=row.id)
        value = json.loads(plain)  # ours, as the seal shows: it was written as an object
        return Kept(row.id, Kind(row.kind), row.parent_id, row.version, value, row.expires_at)

    def _opened(self, rows: Sequence[Any]) -> list[Kept]:
        return [self._open(row) for row in rows]
