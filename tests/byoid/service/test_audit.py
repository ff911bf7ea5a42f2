"""The journal: what was changed, removed or added is noticed, by whoever has the key."""

import asyncio
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Delete, Update, delete, update

from byoid.service.audit import AuditBroken, AuditHead, AuditLog, audit_tables
from byoid.service.database import Database, insert, service_metadata
from byoid.service.seal import Sealer

METADATA = service_metadata()
TABLES = audit_tables(METADATA)
ENTRIES, HEADS = TABLES


@pytest.fixture
async def log(database: Database, sealer: Sealer) -> AuditLog:
    await database.create_all(METADATA)
    return AuditLog(TABLES, sealer)


async def write(log: AuditLog, database: Database, number: int, *, now: datetime, writer: str = "w") -> AuditHead:
    async with database.transaction() as tx:
        return await log.append(tx, writer=writer, event="revoked", details={"n": number}, now=now)


@pytest.fixture
async def heads(log: AuditLog, database: Database, now: datetime) -> list[AuditHead]:
    return [await write(log, database, number, now=now + timedelta(seconds=number)) for number in range(1, 6)]


async def test_a_whole_journal_verifies(log: AuditLog, database: Database, heads: list[AuditHead]) -> None:
    assert await log.verify(database, writer="w") == heads[-1]
    for noted in heads:
        assert await log.verify(database, writer="w", noted=noted) == heads[-1]


async def test_an_empty_journal_has_no_head(log: AuditLog, database: Database) -> None:
    assert await log.verify(database, writer="nobody") is None


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("tampering", "broken_at"),
    [
        (update(ENTRIES).where(ENTRIES.c.sequence == 3).values(details={"n": 9}), 3),
        (update(ENTRIES).where(ENTRIES.c.sequence == 3).values(event="issued"), 3),
        (update(ENTRIES).where(ENTRIES.c.sequence == 3).values(mac=bytes(32)), 3),
        (update(ENTRIES).where(ENTRIES.c.sequence == 3).values(at=datetime.fromisoformat("2020-01-01T00:00Z")), 3),
        (update(ENTRIES).where(ENTRIES.c.sequence == 3).values(writer="x"), 3),
        (delete(ENTRIES).where(ENTRIES.c.sequence == 3), 3),
        (delete(ENTRIES).where(ENTRIES.c.sequence == 1), 1),
        (delete(ENTRIES).where(ENTRIES.c.sequence == 5), 5),
        (update(HEADS).values(sequence=4), 6),
        (delete(HEADS), 6),
    ],
)
async def test_tampering_is_noticed(
    log: AuditLog, database: Database, heads: list[AuditHead], tampering: Update | Delete, broken_at: int
) -> None:
    assert (await database.execute(tampering)).rowcount == 1
    with pytest.raises(AuditBroken) as caught:
        await log.verify(database, writer="w")
    assert caught.value.sequence == broken_at


@pytest.mark.hostile
async def test_an_entry_made_without_the_key_is_noticed(
    log: AuditLog, database: Database, heads: list[AuditHead], now: datetime
) -> None:
    forged = {"writer": "w", "sequence": 6, "at": now, "event": "revoked", "details": {}, "mac": bytes(32)}
    await database.execute(insert(ENTRIES), forged)
    await database.execute(update(HEADS).values(sequence=6, mac=bytes(32)))
    with pytest.raises(AuditBroken) as caught:
        await log.verify(database, writer="w")
    assert caught.value.sequence == 6


@pytest.mark.hostile
async def test_a_journal_that_was_cut_off_is_noticed_by_whoever_noted_its_head(
    log: AuditLog, database: Database, heads: list[AuditHead]
) -> None:
    await database.execute(delete(ENTRIES).where(ENTRIES.c.sequence > 2))
    await database.execute(update(HEADS).values(sequence=2, mac=heads[1].mac))
    assert await log.verify(database, writer="w") == heads[1]
    with pytest.raises(AuditBroken):
        await log.verify(database, writer="w", noted=heads[-1])


async def test_an_entry_belongs_to_the_transaction_that_it_reports(
    log: AuditLog, database: Database, heads: list[AuditHead], now: datetime
) -> None:
    with pytest.raises(KeyError):
        async with database.transaction() as tx:
            await log.append(tx, writer="w", event="revoked", details={}, now=now)
            raise KeyError
    assert await log.verify(database, writer="w") == heads[-1]


async def test_rivals_form_one_chain(log: AuditLog, database: Database, now: datetime) -> None:
    await asyncio.gather(*(write(log, database, number, now=now) for number in range(15)))
    await asyncio.gather(*(write(log, database, number, now=now, writer="v") for number in range(3)))
    head = await log.verify(database, writer="w")
    assert head is not None
    assert head.sequence == 15


async def test_a_page_follows_the_entry_before_it(log: AuditLog, database: Database, heads: list[AuditHead]) -> None:
    for after, most, sequences in [
        (0, 2, [1, 2]),
        (2, 2, [3, 4]),
        (4, 2, [5]),
        (5, 2, []),
        (9, 2, []),
        (0, 9, [1, 2, 3, 4, 5]),
    ]:
        page = await log.page(database, writer="w", after=after, most=most)
        assert [each.sequence for each in page.entries] == sequences
        assert page.head == heads[-1]
    empty = await log.page(database, writer="nobody")
    assert (list(empty.entries), empty.head) == ([], None)


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("tampering", "after"),
    [
        (update(ENTRIES).where(ENTRIES.c.sequence == 4).values(details={"n": 9}), 3),
        (update(ENTRIES).where(ENTRIES.c.sequence == 3).values(mac=bytes(32)), 3),
        (update(ENTRIES).where(ENTRIES.c.sequence == 5).values(mac=bytes(32)), 3),
        (delete(ENTRIES).where(ENTRIES.c.sequence == 4), 3),
        (delete(ENTRIES).where(ENTRIES.c.sequence == 3), 3),
        (delete(ENTRIES).where(ENTRIES.c.sequence == 5), 3),
        (delete(ENTRIES).where(ENTRIES.c.sequence == 1), 0),
        (update(HEADS).values(mac=bytes(32)), 3),
        (update(HEADS).values(sequence=7), 3),
    ],
)
async def test_tampering_is_noticed_on_its_page(
    log: AuditLog, database: Database, heads: list[AuditHead], tampering: Update | Delete, after: int
) -> None:
    assert (await database.execute(tampering)).rowcount == 1
    with pytest.raises(AuditBroken):
        await log.page(database, writer="w", after=after)


async def test_a_page_does_not_read_the_rest(log: AuditLog, database: Database, heads: list[AuditHead]) -> None:
    await database.execute(update(ENTRIES).where(ENTRIES.c.sequence == 1).values(event="issued"))
    assert [each.sequence for each in (await log.page(database, writer="w", after=3)).entries] == [4, 5]


@pytest.fixture
async def anchored(log: AuditLog, database: Database, heads: list[AuditHead], now: datetime) -> dict[str, AuditHead]:
    """Two more writers, and the heads of all in the chain of `jobs`."""
    await write(log, database, 1, now=now, writer="office")
    found = await log.anchor(database, writer="jobs", now=now)
    await write(log, database, 2, now=now, writer="office")
    return found


async def test_chains_are_anchored_in_each_other(
    log: AuditLog, database: Database, anchored: dict[str, AuditHead], heads: list[AuditHead]
) -> None:
    assert anchored.keys() == {"w", "office", "jobs"}
    assert anchored["w"] == heads[-1]
    found = await log.verify_all(database, noted=anchored.items())
    assert {name: head.sequence for name, head in found.items()} == {"w": 5, "office": 2, "jobs": 1}
    assert found == await log.heads(database)


async def forget(database: Database, writer: str, after: int = 0) -> None:
    """Do what somebody would who wants a chain to end earlier, and knows of its head."""
    await database.execute(delete(ENTRIES).where(ENTRIES.c.writer == writer, ENTRIES.c.sequence > after))
    await database.execute(delete(HEADS).where(HEADS.c.writer == writer))


@pytest.mark.hostile
async def test_a_chain_that_has_gone_altogether_is_missed(
    log: AuditLog, database: Database, anchored: dict[str, AuditHead]
) -> None:
    await forget(database, "w")
    with pytest.raises(AuditBroken, match="of w is broken at entry 5"):
        await log.verify_all(database, noted=[])


@pytest.mark.hostile
async def test_a_chain_that_was_begun_anew_is_noticed(
    log: AuditLog, database: Database, anchored: dict[str, AuditHead], now: datetime
) -> None:
    await forget(database, "w")
    for number in range(1, 7):  # by somebody who has the key
        await write(log, database, number + 10, now=now)
    assert await log.verify(database, writer="w") is not None
    with pytest.raises(AuditBroken, match="of w"):
        await log.verify_all(database, noted=[])


@pytest.mark.hostile
async def test_whoever_noted_the_heads_misses_the_anchors_too(
    log: AuditLog, database: Database, anchored: dict[str, AuditHead]
) -> None:
    for writer in anchored:
        await forget(database, writer)
    assert await log.verify_all(database, noted=[]) == {}
    with pytest.raises(AuditBroken):
        await log.verify_all(database, noted=anchored.items())


@pytest.mark.hostile
async def test_another_key_is_named_as_what_it_may_be(database: Database, heads: list[AuditHead]) -> None:
    other = AuditLog(TABLES, Sealer({"other": bytes(range(32))}))
    with pytest.raises(AuditBroken, match="broken at entry 1, as it is under another sealing key"):
        await other.verify(database, writer="w")
