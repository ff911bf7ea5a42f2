"""The door to both engines: the same statements, the same answers, the same rules."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import (
    Boolean,
    Column,
    Integer,
    LargeBinary,
    String,
    Table,
    bindparam,
    func,
    select,
    update,
)

from byoid.service import sqlite
from byoid.service.database import (
    Conflict,
    Database,
    Expiry,
    Json,
    Lost,
    Unchanged,
    UtcDateTime,
    Write,
    insert,
    service_metadata,
)

METADATA = service_metadata()
NONCES = Table(
    "nonces",
    METADATA,
    Column("hash", String, primary_key=True),
    Column("used", Boolean, nullable=False),
    Column("expires_at", UtcDateTime(), index=True),
    Column("note", Json()),
    Column("raw", LargeBinary),
)
COUNTERS = Table(
    "counters", METADATA, Column("name", String, primary_key=True), Column("value", Integer, nullable=False)
)
NUMBERED = Table("numbered", METADATA, Column("id", Integer, primary_key=True), Column("name", String))
DEFAULTED = Table("defaulted", METADATA, Column("id", String, primary_key=True), Column("name", String, default="x"))

ADD = insert(NONCES).values(hash=bindparam("hash"), used=False)
ADD_FULL = insert(NONCES)
ADD_ONCE = insert(NONCES).values(hash=bindparam("hash"), used=False).on_conflict_do_nothing()
SPEND = update(NONCES).where(NONCES.c.hash == bindparam("value"), ~NONCES.c.used).values(used=True)
COUNT = select(func.count()).select_from(NONCES)
ONE = select(NONCES).where(NONCES.c.hash == bindparam("value"))
FIRST = select(NONCES.c.hash).order_by(NONCES.c.hash).limit(bindparam("n"))
SOME = select(NONCES.c.hash).where(NONCES.c.hash.in_(bindparam("hashes", expanding=True)))
COUNT_UP = (
    insert(COUNTERS)
    .values(name=bindparam("name"), value=1)
    .on_conflict_do_update(index_elements=[COUNTERS.c.name], set_={"value": COUNTERS.c.value + 1})
    .returning(COUNTERS.c.value)
)


@pytest.fixture
async def nonces(database: Database) -> Database:
    await database.create_all(METADATA)
    return database


async def count(database: Database) -> int:
    number = (await database.fetch(COUNT)).scalar()
    assert isinstance(number, int)
    return number


async def test_creating_the_tables_twice_changes_nothing(nonces: Database) -> None:
    await nonces.execute(ADD, {"hash": "a"})
    await nonces.create_all(METADATA)
    assert await count(nonces) == 1


async def test_values_come_back_as_they_went_in(nonces: Database) -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=timezone(timedelta(hours=2)))
    row = {"hash": "a", "used": True, "expires_at": moment, "note": {"é": [1, None]}, "raw": b"\x00\xff"}
    await nonces.execute(ADD_FULL, row)

    stored = (await nonces.fetch(ONE, {"value": "a"})).first()

    assert stored is not None
    assert stored._asdict() == row
    assert stored.used is True
    assert stored.expires_at.tzinfo is UTC


async def test_nothing_is_kept_as_null(nonces: Database) -> None:
    await nonces.execute(ADD_FULL, {"hash": "a", "used": False, "expires_at": None, "note": None, "raw": None})
    assert (await nonces.fetch(ONE, {"value": "a"})).rows == [("a", False, None, None, None)]


async def test_a_naive_time_is_refused(nonces: Database) -> None:
    row = {"hash": "a", "used": False, "expires_at": datetime(2026, 1, 1), "note": None, "raw": None}
    with pytest.raises(ValueError, match="aware"):
        await nonces.execute(ADD_FULL, row)


async def test_an_exception_rolls_back(nonces: Database) -> None:
    with pytest.raises(KeyError):
        async with nonces.transaction() as tx:
            await tx.execute(ADD, {"hash": "a"})
            raise KeyError
    assert await count(nonces) == 0


async def test_cancelling_rolls_back(nonces: Database) -> None:
    entered = asyncio.Event()

    async def wait_inside() -> None:
        async with nonces.transaction() as tx:
            await tx.execute(ADD, {"hash": "a"})
            entered.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(wait_inside())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await count(nonces) == 0
    await nonces.execute(ADD, {"hash": "a"})  # the connection is as good as before


async def test_a_broken_constraint_is_a_conflict_and_loses_the_transaction(nonces: Database) -> None:
    await nonces.execute(ADD, {"hash": "a"})
    with pytest.raises(Conflict):
        async with nonces.transaction() as tx:
            await tx.execute(ADD, {"hash": "b"})
            await tx.execute(ADD, {"hash": "a"})
    assert await count(nonces) == 1


async def test_an_error_that_the_body_swallows_loses_the_transaction_too(nonces: Database) -> None:
    with pytest.raises(Lost):
        async with nonces.transaction() as tx:
            await tx.execute(ADD, {"hash": "a"})
            with pytest.raises(Conflict):
                await tx.execute(ADD, {"hash": "a"})
    assert await count(nonces) == 0


async def test_insert_once_tells_who_was_first(nonces: Database) -> None:
    assert (await nonces.execute(ADD_ONCE, {"hash": "a"})).rowcount == 1
    assert (await nonces.execute(ADD_ONCE, {"hash": "a"})).rowcount == 0


async def test_returning_gives_the_row_that_was_changed(nonces: Database) -> None:
    assert [(await nonces.execute(COUNT_UP, {"name": "x"})).scalar() for _ in range(3)] == [1, 2, 3]


async def test_an_integer_key_is_chosen_by_the_engine(nonces: Database) -> None:
    result = await nonces.execute(insert(NUMBERED), {"name": "x"})
    assert (result.rows, result.rowcount) == ((), 1)
    assert (await nonces.fetch(select(NUMBERED))).rows == [(1, "x")]


async def test_a_value_is_spent_by_one_of_many_rivals(nonces: Database) -> None:
    await nonces.execute(ADD, {"hash": "a"})

    async def spend() -> int:
        async with nonces.transaction() as tx:
            return (await tx.execute(SPEND, {"value": "a"})).rowcount

    assert sorted(await asyncio.gather(*(spend() for _ in range(12)))) == [0] * 11 + [1]


async def test_transactions_of_one_group_fail_alone(nonces: Database) -> None:
    async def add(name: str, *, fail: bool) -> None:
        async with nonces.transaction() as tx:
            await tx.execute(ADD, {"hash": name})
            if fail:
                raise KeyError(name)

    tasks = [add(str(i), fail=i % 3 == 0) for i in range(9)]
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(each, KeyError) for each in results] == [i % 3 == 0 for i in range(9)]
    assert [row.hash for row in await nonces.fetch(FIRST, {"n": 99})] == ["1", "2", "4", "5", "7", "8"]


async def test_a_slow_transaction_does_not_mix_with_others(nonces: Database) -> None:
    async def slowly() -> None:
        async with nonces.transaction() as tx:
            await tx.execute(ADD, {"hash": "slow"})
            await asyncio.sleep(0.05)
            raise KeyError

    async def quickly(name: str) -> None:
        await asyncio.sleep(0.01)
        await nonces.execute(ADD, {"hash": name})

    results = await asyncio.gather(slowly(), *(quickly(str(i)) for i in range(5)), return_exceptions=True)
    assert [type(each) for each in results] == [KeyError, *[type(None)] * 5]
    assert await count(nonces) == 5


async def test_a_list_of_any_length_is_a_parameter(nonces: Database) -> None:
    async with nonces.transaction() as tx:
        await tx.execute_many(ADD, [{"hash": each} for each in "abcd"])
        await tx.execute_many(ADD, [])
    for wanted in (["a"], ["a", "d", "x"], []):
        found = [row.hash for row in await nonces.fetch(SOME, {"hashes": wanted})]
        assert sorted(found) == [each for each in wanted if each in "abcd"]


async def test_many_rows_stop_at_a_conflict(nonces: Database) -> None:
    with pytest.raises(Conflict):
        async with nonces.transaction() as tx:
            await tx.execute_many(ADD, [{"hash": each} for each in "aba"])
    assert await count(nonces) == 0


@pytest.mark.parametrize("parameters", [{}, {"hash": "a", "other": 1}, {"hahs": "a"}])
async def test_parameters_are_the_statements(nonces: Database, parameters: dict[str, object]) -> None:
    with pytest.raises(TypeError, match="expected the parameters"):
        await nonces.execute(ADD, parameters)


async def test_a_default_in_python_is_refused(nonces: Database) -> None:
    with pytest.raises(TypeError, match="default in Python"):
        await nonces.execute(insert(DEFAULTED).values(id=bindparam("id")), {"id": "a"})


async def test_a_transaction_cannot_be_used_when_it_is_over(nonces: Database) -> None:
    async with nonces.transaction() as tx:
        pass
    with pytest.raises(RuntimeError, match="over"):
        await tx.execute(ADD, {"hash": "a"})
    with pytest.raises(RuntimeError, match="over"):
        await tx.execute_many(ADD, [{"hash": "a"}])


async def test_a_reader_sees_what_is_committed(nonces: Database) -> None:
    async with nonces.transaction() as tx:
        await tx.execute(ADD, {"hash": "a"})
        assert await count(nonces) == 0
        assert (await tx.execute(COUNT)).scalar() == 1
    assert await count(nonces) == 1
    async with nonces.read() as connection:
        assert (await connection.execute(COUNT)).scalar() == 1
        assert (await connection.execute(ONE, {"value": "z"})).first() is None
        assert (await connection.execute(ONE, {"value": "z"})).scalar() is None


async def test_expiry_deletes_what_is_due_in_batches(
    nonces: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("byoid.service.database.EXPIRY_BATCH", 3)
    rows = [
        {"hash": str(i), "used": False, "expires_at": now + timedelta(seconds=i), "note": None, "raw": None}
        for i in range(-7, 3)
    ]
    async with nonces.transaction() as tx:
        await tx.execute_many(ADD_FULL, rows)

    expiry = Expiry(NONCES, expires_at=NONCES.c.expires_at)
    assert await expiry.run(nonces, now=now) == 8
    assert await count(nonces) == 2
    assert await expiry.run(nonces, now=now) == 0


async def test_another_kind_of_database_is_refused() -> None:
    with pytest.raises(ValueError, match="mysql"):
        await Database.open("mysql://localhost/x")


# --- SQLite alone ---


async def test_workers_that_start_together_make_the_tables_once(database_url: str) -> None:
    workers = [await Database.open(database_url) for _ in range(6)]
    try:
        for number in range(10):
            metadata = service_metadata()
            for name in ("first", "second"):
                Table(
                    f"{name}_{number}",
                    metadata,
                    Column("id", Integer, primary_key=True),
                    Column("n", Integer, index=True),
                )
            await asyncio.gather(*(each.create_all(metadata) for each in workers))
    finally:
        for each in workers:
            await each.close()


@pytest.fixture
async def file(tmp_path: Path) -> Path:
    database = await Database.open(f"sqlite:///{tmp_path}/a.db")
    await database.create_all(METADATA)
    await database.close()
    return tmp_path / "a.db"


async def test_transactions_that_end_together_share_one_commit(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commits = 0
    whole = sqlite.SqliteEngine._settle

    def counting(engine: sqlite.SqliteEngine, error: Exception | None) -> None:
        nonlocal commits
        commits += 1
        whole(engine, error)

    monkeypatch.setattr(sqlite.SqliteEngine, "_settle", counting)
    database = await Database.open(f"sqlite:///{file}")
    await asyncio.gather(*(database.execute(ADD, {"hash": str(i)}) for i in range(20)))
    await database.close()
    assert commits == 1


async def test_a_commit_that_fails_tells_everybody_in_the_group(tmp_path: Path) -> None:
    database = await Database.open("sqlite://")
    metadata = service_metadata()
    parents = Table("parents", metadata, Column("id", Integer, primary_key=True))
    await database.create_all(metadata)
    engine = database._engine
    assert isinstance(engine, sqlite.SqliteEngine)
    engine.writer.execute("CREATE TABLE children(p REFERENCES parents DEFERRABLE INITIALLY DEFERRED)")

    async def orphan() -> None:
        async with database.transaction():
            engine.writer.execute("INSERT INTO children VALUES (7)")

    async def innocent() -> None:
        await database.execute(insert(parents), {"id": 1})

    results = await asyncio.gather(orphan(), innocent(), return_exceptions=True)
    assert all(isinstance(each, engine.integrity_error) for each in results)
    assert (await database.fetch(select(parents))).rows == []
    await innocent()
    await database.close()


async def test_a_full_disk_loses_what_was_not_acknowledged_and_nothing_else(file: Path) -> None:
    database = await Database.open(f"sqlite:///{file}")
    engine = database._engine
    assert isinstance(engine, sqlite.SqliteEngine)
    await database.execute(ADD, {"hash": "before"})
    pages = engine.writer.execute("PRAGMA page_count").fetchone()[0]
    engine.writer.execute(f"PRAGMA max_page_count={pages}")

    large = {"used": False, "expires_at": None, "note": None, "raw": bytes(1 << 20)}
    small, too_large = database.execute(ADD, {"hash": "small"}), database.execute(ADD_FULL, {**large, "hash": "large"})
    first, second = await asyncio.gather(small, too_large, return_exceptions=True)
    assert isinstance(second, Exception)
    expected = {"before"} if isinstance(first, Exception) else {"before", "small"}
    assert {row.hash for row in await database.fetch(FIRST, {"n": 9})} == expected

    engine.writer.execute("PRAGMA max_page_count=100000")
    await database.execute(ADD_FULL, {**large, "hash": "large"})
    await database.close()


async def test_a_transaction_that_was_rolled_back_underneath_fails_its_whole_group(file: Path) -> None:
    database = await Database.open(f"sqlite:///{file}")
    engine = database._engine
    assert isinstance(engine, sqlite.SqliteEngine)

    async def lose_everything() -> None:
        async with database.transaction() as tx:
            engine.writer.execute("ROLLBACK")
            await tx.execute(ADD, {"hash": "later"})

    await asyncio.gather(database.execute(ADD, {"hash": "a"}), lose_everything(), return_exceptions=True)
    async with database.transaction() as tx:
        await tx.execute(ADD, {"hash": "b"})
    assert "b" in {row.hash for row in await database.fetch(FIRST, {"n": 9})}
    await database.close()


async def test_a_transaction_inside_a_transaction_is_refused_rather_than_waiting_forever(file: Path) -> None:
    database = await Database.open(f"sqlite:///{file}")
    with pytest.raises(RuntimeError, match="inside"):
        async with database.transaction():
            await database.execute(ADD, {"hash": "a"})
    await database.close()


async def test_a_writer_waits_for_another_process(file: Path) -> None:
    other = sqlite.sqlite_driver().connect(str(file), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    database = await Database.open(f"sqlite:///{file}")
    task = asyncio.create_task(database.execute(ADD, {"hash": "a"}))
    await asyncio.sleep(0.02)
    assert not task.done()
    other.execute("COMMIT")
    await task
    other.close()
    await database.close()


async def test_a_writer_gives_up_at_last(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_LIMIT_SECONDS", 0.02)
    driver = sqlite.sqlite_driver()
    other = driver.connect(str(file), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    database = await Database.open(f"sqlite:///{file}")
    with pytest.raises(driver.OperationalError, match="locked"):
        await database.execute(ADD, {"hash": "a"})
    other.execute("ROLLBACK")
    await database.execute(ADD, {"hash": "a"})
    other.close()
    await database.close()


async def test_a_waiting_transaction_may_be_cancelled(file: Path) -> None:
    database = await Database.open(f"sqlite:///{file}")

    async def add() -> None:
        async with database.transaction() as tx:
            await tx.execute(ADD, {"hash": "a"})

    task = asyncio.create_task(add())
    task.get_loop().call_soon(task.cancel)
    with pytest.raises(asyncio.CancelledError):
        await task
    await database.execute(ADD, {"hash": "b"})  # the group's commit did not trip over the cancelled member
    await database.close()


async def test_an_old_sqlite_is_for_one_process_only(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sqlite, "FIRST_SAFE_VERSION", (99, 0, 0))
    database = await Database.open(f"sqlite:///{file}")
    assert "install pysqlite3" in caplog.text
    with pytest.raises(RuntimeError, match="another process"):
        await Database.open(f"sqlite:///{file}")
    await database.close()
    await (await Database.open(f"sqlite:///{file}")).close()


async def test_the_standard_library_serves_where_pysqlite3_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pysqlite3", None)
    assert sqlite.sqlite_driver() is sqlite3


async def test_what_was_acknowledged_survives_kill_9(file: Path) -> None:
    """The process says a name only when its commit returned; after SIGKILL every name that it said is there."""
    program = textwrap.dedent(f"""
        import asyncio, sys
        sys.path[:0] = {sys.path!r}
        from sqlalchemy import Table, MetaData, Column, String, Boolean, bindparam
        from byoid.service.database import Database, insert
        table = Table("nonces", MetaData(), Column("hash", String), Column("used", Boolean))
        ADD = insert(table).values(hash=bindparam("hash"), used=False)
        async def work(database, worker):
            for i in range(10**6):
                await database.execute(ADD, {{"hash": f"{{worker}}-{{i}}"}})
                print(f"{{worker}}-{{i}}", flush=True)
        async def main():
            database = await Database.open("sqlite:///{file}")
            await asyncio.gather(*(work(database, k) for k in range(4)))
        asyncio.run(main())
    """)
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = [process.stdout.readline().strip() for _ in range(40)]
    os.kill(process.pid, signal.SIGKILL)
    said += process.stdout.read().split("\n")[:-1]
    process.wait()
    process.stdout.close()

    database = await Database.open(f"sqlite:///{file}")
    stored = {row.hash for row in await database.fetch(FIRST, {"n": 10**6})}
    await database.close()
    assert set(said) <= stored
    assert len(stored) <= len(said) + 4


ADD_TWO = insert(NONCES).values([{"hash": bindparam(f"hash_{n}"), "used": False} for n in range(2)])
ADD_TWO_ONCE = ADD_TWO.on_conflict_do_nothing()


@pytest.mark.parametrize("durable", [True, False])
async def test_writes_happen_together(nonces: Database, durable: bool) -> None:
    two = {"hash_0": "a", "hash_1": "b"}
    await nonces.write([Write(ADD_TWO, [two], changes=2), Write(SPEND, [{"value": "c"}], changes=0)], durable=durable)
    await nonces.write([Write(SPEND, [{"value": "a"}]), Write(ADD, [{"hash": "d"}])], durable=durable)
    assert await count(nonces) == 3
    assert (await nonces.fetch(ONE, {"value": "a"})).rows[0].used


@pytest.mark.parametrize("durable", [True, False])
async def test_a_write_that_changes_too_little_undoes_all(nonces: Database, durable: bool) -> None:
    await nonces.execute(ADD, {"hash": "a"})
    with pytest.raises(Unchanged) as unknown:
        await nonces.write([Write(ADD, [{"hash": "b"}]), Write(SPEND, [{"value": "z"}])], durable=durable)
    assert unknown.value.index == 1
    with pytest.raises(Unchanged) as used:
        one_of_two = Write(ADD_TWO_ONCE, [{"hash_0": "a", "hash_1": "b"}], changes=2)
        await nonces.write([one_of_two, Write(ADD, [{"hash": "c"}])], durable=durable)
    assert used.value.index == 0
    assert await count(nonces) == 1


async def test_a_write_that_breaks_a_constraint_undoes_all(nonces: Database) -> None:
    await nonces.execute(ADD, {"hash": "a"})
    with pytest.raises(Conflict):
        await nonces.write([Write(ADD, [{"hash": "b"}]), Write(ADD, [{"hash": "a"}])])
    with pytest.raises(Conflict):
        await nonces.write([Write(ADD, [{"hash": "b"}]), Write(ADD, [{"hash": "c"}, {"hash": "a"}])])
    assert await count(nonces) == 1


async def test_writes_of_many_rows_happen_together_too(nonces: Database) -> None:
    await nonces.write([Write(ADD, [{"hash": each} for each in "abc"]), Write(SPEND, [{"value": "a"}])])
    assert await count(nonces) == 3


async def test_one_of_many_rivals_writes(nonces: Database) -> None:
    await nonces.execute(ADD, {"hash": "a"})
    writes = [[Write(SPEND, [{"value": "a"}]), Write(ADD, [{"hash": f"of {n}"}])] for n in range(8)]
    answers = await asyncio.gather(*map(nonces.write, writes), return_exceptions=True)
    assert sorted(type(each).__name__ for each in answers) == ["NoneType", *["Unchanged"] * 7]
    assert await count(nonces) == 2


async def test_durable_and_other_writes_take_turns(nonces: Database) -> None:
    async def write(number: int) -> None:
        await nonces.write([Write(ADD, [{"hash": str(number)}])], durable=number % 2 == 0)

    await asyncio.gather(*map(write, range(20)))
    assert await count(nonces) == 20


async def test_only_a_durable_write_waits_for_the_disk(tmp_path: Path) -> None:
    database = await Database.open(f"sqlite:///{tmp_path}/a.db")
    try:
        await database.create_all(METADATA)
        engine = database._engine
        assert isinstance(engine, sqlite.SqliteEngine)
        levels = []
        for durable in (False, True, False):
            await database.write([Write(ADD, [{"hash": str(len(levels))}])], durable=durable)
            levels.append(engine.writer.execute("PRAGMA synchronous").fetchone()[0])
        await database.execute(ADD, {"hash": "d"})
        levels.append(engine.writer.execute("PRAGMA synchronous").fetchone()[0])
    finally:
        await database.close()
    assert levels == [1, 2, 1, 2]  # NORMAL, FULL


async def test_an_interrupted_write_leaves_a_good_connection(nonces: Database) -> None:
    await nonces.execute(ADD, {"hash": "a"})
    for _ in range(12):  # more than there are connections
        task = asyncio.create_task(nonces.write([Write(SPEND, [{"value": "a"}]), Write(ADD, [{"hash": "b"}])]))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await nonces.execute(ADD, {"hash": "c"})
    assert (await nonces.fetch(ONE, {"value": "c"})).rows


async def test_a_database_without_changes_inside_with_writes_in_transactions(
    nonces: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    whole = asyncpg.Connection.execute

    async def refusing(raw: asyncpg.Connection, sql: str, *arguments: object) -> str:
        if sql.startswith("WITH"):
            asked.append(sql)
            raise asyncpg.FeatureNotSupportedError("not of distributed tables")
        status: str = await whole(raw, sql, *arguments)
        return status

    monkeypatch.setattr(asyncpg.Connection, "execute", refusing)
    for number in range(3):
        await nonces.write([Write(ADD, [{"hash": f"{number} a"}]), Write(ADD, [{"hash": f"{number} b"}])])
    assert await count(nonces) == 6
    assert len(asked) <= 1  # none on SQLite
