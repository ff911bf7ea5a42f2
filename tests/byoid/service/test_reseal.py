"""Sealing anew, on both engines: all of it, nothing twice, and nothing that was changed meanwhile."""

import os
from typing import Any

import pytest
from sqlalchemy import Column, LargeBinary, MetaData, String, Table, bindparam, select, update

from byoid.service import reseal as module
from byoid.service.database import Database, insert
from byoid.service.reseal import Resealed, SealedColumn, reseal
from byoid.service.seal import Sealer

METADATA = MetaData()
NOTES = Table(
    "note",
    METADATA,
    Column("id", LargeBinary, primary_key=True),
    Column("owner", String, nullable=False),
    Column("body", LargeBinary, nullable=True),
)
SEALED = (SealedColumn(NOTES.c.body, place="letter.text", row=NOTES.c.owner),)


@pytest.fixture
def old(sealing_keys: dict[str, bytes]) -> Sealer:
    return Sealer({"old": sealing_keys["old"]})


async def _fill(database: Database, sealer: Sealer, count: int) -> None:
    await database.create_all(METADATA)
    for number in range(count):
        await database.execute(insert(NOTES), _row(sealer, number))


def _row(sealer: Sealer, number: int) -> dict[str, Any]:
    body = sealer.seal(b"%d" % number, table="letter", column="text", row_id=f"owner {number}")
    return {"id": number.to_bytes(2, "big"), "owner": f"owner {number}", "body": body}


async def test_what_an_older_key_sealed_opens_with_the_new_one_alone(
    database: Database, sealer: Sealer, old: Sealer, sealing_keys: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 3)
    await _fill(database, old, 7)
    await database.execute(insert(NOTES), {"id": b"nothing", "owner": "", "body": None})
    assert await reseal(database, sealer, SEALED) == Resealed(7, 0)
    new = Sealer({"new": sealing_keys["new"]})
    rows = (await database.fetch(select(NOTES).where(NOTES.c.body.is_not(None)))).rows
    opened = {new.open(row.body, table="letter", column="text", row_id=row.owner) for row in rows}
    assert opened == {b"%d" % number for number in range(7)}
    assert await reseal(database, sealer, SEALED) == Resealed(0, 0)


async def test_the_key_names_the_row_where_nothing_else_does(database: Database, sealer: Sealer, old: Sealer) -> None:
    await database.create_all(METADATA)
    body = old.seal(b"text", table="note", column="body", row_id=b"key".hex())
    await database.execute(insert(NOTES), {"id": b"key", "owner": "", "body": body})
    assert await reseal(database, sealer, [SealedColumn(NOTES.c.body)]) == Resealed(1, 0)


async def test_what_no_key_opens_is_counted_and_left(database: Database, sealer: Sealer, old: Sealer) -> None:
    stranger = _row(Sealer({"gone": os.urandom(32)}), 1)
    await _fill(database, old, 1)
    await database.execute(insert(NOTES), stranger)
    await database.execute(insert(NOTES), {"id": b"junk", "owner": "", "body": b"junk"})
    assert await reseal(database, sealer, SEALED) == Resealed(1, 2)
    kept = (
        await database.fetch(select(NOTES.c.body).where(NOTES.c.id == bindparam("it")), {"it": stranger["id"]})
    ).rows
    assert [row.body for row in kept] == [stranger["body"]]


async def test_what_was_changed_meanwhile_is_not_undone(database: Database, sealer: Sealer, old: Sealer) -> None:
    await _fill(database, old, 1)
    read = select(NOTES.c.id.label("key"), NOTES.c.body.label("sealed"), NOTES.c.owner.label("row"))
    async with database.transaction() as tx:
        (row,) = (await tx.execute(read)).rows
        await tx.execute(update(NOTES).values(body=bindparam("changed")), {"changed": b"by who was faster"})
        assert await module._Column(SEALED[0])._one(tx, sealer, row) == Resealed(0, 0)
        (kept,) = (await tx.execute(read)).rows
    assert kept.sealed == b"by who was faster"
