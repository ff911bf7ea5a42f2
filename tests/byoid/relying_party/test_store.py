"""Transactions in memory and in both databases: one contract."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Column, String, Table, bindparam, delete, select, update

from byoid.relying_party import (
    InMemoryTransactions,
    Mode,
    Outcome,
    State,
    Transaction,
    TransactionStore,
    TransactionUnknown,
)
from byoid.relying_party.asking import create_response_key
from byoid.relying_party.sql import Change, SqlTransactions, transactions_table
from byoid.relying_party.transaction import Sent
from byoid.service.connection import Write
from byoid.service.database import Conflict, Database, insert, service_metadata
from byoid.service.seal import SealBroken, Sealer

METADATA = service_metadata()
TABLE = transactions_table(METADATA)
POLICIES = Table("policies", METADATA, Column("id", String(64), primary_key=True))
SEALER = Sealer({"test": bytes(range(32))})
ACCEPTED = Outcome(State.ACCEPTED, {"pid": [{"claims": {"given_name": "Ada"}}]}, (), "code")


@pytest.fixture(params=["memory", "sql"])
async def store(request: pytest.FixtureRequest, database: Database) -> TransactionStore:
    if request.param == "memory":
        return InMemoryTransactions()
    await database.create_all(METADATA)
    return SqlTransactions(database, TABLE, SEALER)


@pytest.fixture
def pending(now: datetime) -> Transaction:
    sent = Sent(
        "x509_hash:a", "nonce", "state", "direct_post.jwt", create_response_key("kid"), {"credentials": []}, ("x",)
    )
    return Transaction(
        "id", "request", "shop", "policy", Mode.CROSS_DEVICE, sent, "session", now, now + timedelta(minutes=10)
    )


async def test_what_is_added_is_found_by_both_names(
    store: TransactionStore, pending: Transaction, now: datetime
) -> None:
    await store.add(pending)
    assert await store.by_request("request", now=now) == pending
    assert await store.by_id("id", service_id="shop", now=now) == pending
    assert await store.by_request("id", now=now) is None
    assert await store.by_id("request", service_id="shop", now=now) is None


async def test_a_transaction_begins_only_if_what_it_needs_is_in_the_database(
    database: Database, pending: Transaction, now: datetime
) -> None:
    in_use = select(POLICIES.c.id).where(POLICIES.c.id == bindparam("new_policy_id")).exists()
    await database.create_all(METADATA)
    store = SqlTransactions(database, TABLE, SEALER, only_if=in_use)
    await database.execute(insert(POLICIES), {"id": "policy"})
    await store.add(pending)
    await database.execute(delete(POLICIES))
    with pytest.raises(TransactionUnknown):
        await store.add(replace(pending, id="later", request_id="later"))

    assert await store.by_id("id", service_id="shop", now=now) == pending
    assert await store.by_id("later", service_id="shop", now=now) is None


async def test_another_service_finds_nothing(store: TransactionStore, pending: Transaction, now: datetime) -> None:
    await store.add(pending)
    assert await store.by_id("id", service_id="library", now=now) is None
    assert await store.progress("id", service_id="library", now=now) is None
    assert not await store.forget("id", service_id="library")
    assert await store.by_id("id", service_id="shop", now=now)


async def test_what_is_expired_is_not_found(store: TransactionStore, pending: Transaction, now: datetime) -> None:
    await store.add(pending)
    later = pending.expires_at
    assert await store.by_request("request", now=later) is None
    assert await store.by_id("id", service_id="shop", now=later) is None
    assert not await store.conclude(replace(pending, sent=None, outcome=ACCEPTED), now=later)


async def test_an_outcome_is_kept_once_in_place_of_what_was_sent(
    store: TransactionStore, pending: Transaction, now: datetime
) -> None:
    await store.add(pending)
    concluded = replace(pending, sent=None, outcome=ACCEPTED, expires_at=now + timedelta(hours=1))
    rejected = replace(concluded, outcome=Outcome(State.REJECTED, reasons=("late",)))
    assert await store.conclude(concluded, now=now)
    assert not await store.conclude(rejected, now=now)
    assert await store.by_id("id", service_id="shop", now=now) == concluded
    await store.decline(pending, "access_denied", now=now)
    assert (await store.by_id("id", service_id="shop", now=now)) == concluded


async def test_of_many_answers_at_once_one_wins(store: TransactionStore, pending: Transaction, now: datetime) -> None:
    await store.add(pending)
    rivals = [
        replace(pending, sent=None, outcome=Outcome(State.REJECTED, reasons=(str(number),))) for number in range(8)
    ]
    won = await asyncio.gather(*(store.conclude(each, now=now) for each in rivals))
    assert won.count(True) == 1
    found = await store.by_id("id", service_id="shop", now=now)
    assert found is not None
    assert found.outcome == rivals[won.index(True)].outcome


async def test_refusals_and_failures_are_noted_and_leave_it_answerable(
    store: TransactionStore, pending: Transaction, now: datetime
) -> None:
    await store.add(pending)
    await store.count_failure(pending, "BadSignature: no")
    await store.count_failure(pending, "Expired: no")
    await store.decline(pending, "access_denied", now=now)
    progress = await store.progress("id", service_id="shop", now=now)
    assert progress is not None
    assert (progress.state, progress.failures, progress.last_failure) == (State.DECLINED, 2, "Expired: no")
    found = await store.by_request("request", now=now)
    assert found is not None
    assert (found.sent, found.declined_with) == (pending.sent, "access_denied")
    assert await store.conclude(replace(found, sent=None, outcome=ACCEPTED), now=now)


async def test_what_is_forgotten_is_gone(store: TransactionStore, pending: Transaction, now: datetime) -> None:
    await store.add(pending)
    assert await store.forget("id", service_id="shop")
    assert not await store.forget("id", service_id="shop")
    assert await store.by_request("request", now=now) is None


async def test_nothing_secret_lies_open_in_the_database(
    database: Database, pending: Transaction, now: datetime
) -> None:
    await database.create_all(METADATA)
    store = SqlTransactions(database, TABLE, SEALER)
    await store.add(pending)
    before = str((await database.fetch(select(TABLE))).first())
    await store.conclude(replace(pending, sent=None, outcome=ACCEPTED), now=now)
    after = str((await database.fetch(select(TABLE))).first())
    for secret in ("nonce", "'request'", "state'", "session", "Ada", "code"):
        assert secret not in before.replace("'state", "")
        assert secret not in after.replace("'state", "")


async def test_a_failure_while_the_outcome_is_announced_leaves_it_answerable(
    database: Database, pending: Transaction, now: datetime
) -> None:
    """Answered or answerable, never half: the announcement and the outcome are one transaction."""
    await database.create_all(METADATA)

    async def conflict(change: Change) -> Sequence[Write]:
        row = (await database.fetch(select(TABLE))).first()
        assert row is not None
        return [Write(insert(TABLE), [row._asdict()])]

    store = SqlTransactions(database, TABLE, SEALER, on_changed=conflict)
    await store.add(pending)
    with pytest.raises(Conflict):
        await store.conclude(replace(pending, sent=None, outcome=ACCEPTED), now=now)
    assert await store.by_request("request", now=now) == pending


async def test_expired_rows_are_deleted(database: Database, pending: Transaction, now: datetime) -> None:
    await database.create_all(METADATA)
    store = SqlTransactions(database, TABLE, SEALER)
    await store.add(pending)
    assert await store.expire(now=now) == 0
    assert await store.expire(now=pending.expires_at) == 1


async def test_every_change_is_told_once(database: Database, pending: Transaction, now: datetime) -> None:
    await database.create_all(METADATA)
    told: list[str] = []

    async def tell(change: Change) -> Sequence[Write]:
        assert (change.service_id, change.policy_id) == ("shop", "policy")
        told.append(f"{change.id} {change.state}")
        return ()

    store = SqlTransactions(database, TABLE, SEALER, on_changed=tell)
    for name in ("answered", "forgotten"):
        await store.add(replace(pending, id=name, request_id=name))
    answered = replace(pending, id="answered", sent=None, outcome=ACCEPTED)
    assert await store.conclude(answered, now=now)
    assert await store.expire(now=pending.expires_at) == 2
    assert told == ["answered accepted", "forgotten expired"]


async def test_only_the_first_refusal_is_kept(store: TransactionStore, pending: Transaction, now: datetime) -> None:
    await store.add(pending)
    await store.decline(pending, "access_denied", now=now)
    await store.decline(pending, "invalid_request", now=now)
    progress = await store.progress("id", service_id="shop", now=now)
    assert progress is not None
    assert progress.declined_with == "access_denied"


@pytest.mark.hostile
@pytest.mark.parametrize("column", ["service_id", "policy_id"])
async def test_a_row_that_was_given_to_another_owner_is_not_opened(
    database: Database, pending: Transaction, now: datetime, column: str
) -> None:
    await database.create_all(METADATA)
    store = SqlTransactions(database, TABLE, SEALER)
    await store.add(pending)
    await database.execute(update(TABLE).values({column: "library"}))
    with pytest.raises(SealBroken):
        await store.by_request("request", now=now)


async def test_memory_makes_room_for_what_is_new(pending: Transaction, now: datetime) -> None:
    store = InMemoryTransactions(max_transactions=2)
    for number in range(3):
        await store.add(replace(pending, id=f"id{number}", request_id=f"r{number}"))
    assert await store.by_request("r0", now=now) is None
    assert await store.by_request("r2", now=now)
