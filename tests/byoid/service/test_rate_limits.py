"""Limits that all workers count together, and guesses that cost more and more."""

import asyncio
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from byoid.service.database import Database, Expiry, service_metadata
from byoid.service.rate_limits import (
    Allowance,
    Exhausted,
    Lockout,
    LockoutPolicy,
    RateLimit,
    TooManyRequests,
    lockouts_table,
    rate_limits_table,
)
from byoid.service.seal import Sealer

METADATA = service_metadata()
LIMITS = rate_limits_table(METADATA)
LOCKOUTS = lockouts_table(METADATA)
MINUTE = timedelta(minutes=1)


@pytest.fixture
async def tables(database: Database) -> Database:
    await database.create_all(METADATA)
    return database


@pytest.fixture
def limit(sealer: Sealer) -> RateLimit:
    return RateLimit(LIMITS, sealer, kind="token", limit=3, window=MINUTE)


@pytest.fixture
def lockout(sealer: Sealer) -> Lockout:
    return Lockout(LOCKOUTS, sealer, kind="tx_code", policy=LockoutPolicy(free=2, most=5))


async def guess(lockout: Lockout, database: Database, *, now: datetime, guarded: str = "offer") -> None:
    async with database.transaction() as tx:
        await lockout.count_guess(tx, guarded, now=now)


async def test_the_limit_is_per_key_and_window(tables: Database, limit: RateLimit, now: datetime) -> None:
    for _ in range(3):
        await limit.spend(tables, "a", now=now + timedelta(seconds=20))
    await limit.spend(tables, "b", now=now)
    with pytest.raises(TooManyRequests) as caught:
        await limit.spend(tables, "a", now=now + timedelta(seconds=20))
    assert caught.value.headers == {"Retry-After": "40"}
    await limit.spend(tables, "a", now=now + MINUTE)


async def test_kinds_are_counted_apart(tables: Database, limit: RateLimit, sealer: Sealer, now: datetime) -> None:
    other = RateLimit(LIMITS, sealer, kind="offer", limit=1, window=MINUTE)
    await other.spend(tables, "a", now=now)
    await limit.spend(tables, "a", now=now)
    with pytest.raises(TooManyRequests):
        await other.spend(tables, "a", now=now)


async def test_rivals_are_counted_together(tables: Database, limit: RateLimit, now: datetime) -> None:
    results = await asyncio.gather(*(limit.spend(tables, "a", now=now) for _ in range(20)), return_exceptions=True)
    assert sum(each is None for each in results) == 3


async def test_who_asked_is_not_stored(tables: Database, limit: RateLimit, now: datetime) -> None:
    await limit.spend(tables, "203.0.113.9", now=now)
    (row,) = (await tables.fetch(select(LIMITS))).rows
    assert b"203.0.113.9" not in row.key
    assert await Expiry(LIMITS, expires_at=LIMITS.c.expires_at).run(tables, now=now + MINUTE) == 1


async def test_guesses_are_free_at_first_then_wait_longer(tables: Database, lockout: Lockout, now: datetime) -> None:
    await guess(lockout, tables, now=now)
    await guess(lockout, tables, now=now)
    for seconds in (5, 10, 20):
        with pytest.raises(TooManyRequests) as caught:
            await guess(lockout, tables, now=now)
        assert caught.value.headers == {"Retry-After": str(seconds)}
        with pytest.raises(TooManyRequests):
            await guess(lockout, tables, now=now + timedelta(seconds=seconds - 1))
        now += timedelta(seconds=seconds)
        await guess(lockout, tables, now=now)


async def test_guesses_run_out(tables: Database, lockout: Lockout, now: datetime) -> None:
    for _ in range(5):
        await guess(lockout, tables, now=now)
        now += timedelta(days=1)
    for _ in range(2):
        with pytest.raises(Exhausted):
            await guess(lockout, tables, now=now)
        now += timedelta(days=1)


@pytest.mark.hostile
async def test_guessing_all_at_once_does_not_help(tables: Database, lockout: Lockout, now: datetime) -> None:
    results = await asyncio.gather(*(guess(lockout, tables, now=now) for _ in range(30)), return_exceptions=True)
    assert sum(each is None for each in results) == 2
    assert sum(isinstance(each, TooManyRequests) for each in results) == 28


async def test_a_right_guess_forgets_the_wrong_ones(tables: Database, lockout: Lockout, now: datetime) -> None:
    await guess(lockout, tables, now=now, guarded="another")
    for _ in range(3):
        for _ in range(2):
            await guess(lockout, tables, now=now)
        async with tables.transaction() as tx:
            await lockout.forget(tx, "offer")


def test_the_longest_wait_is_a_day() -> None:
    assert LockoutPolicy().wait_after(10_000) == timedelta(days=1)


async def test_a_worker_counts_alone_first_and_takes_the_shared_ones_by_the_pack(
    tables: Database, sealer: Sealer, now: datetime
) -> None:
    limit = RateLimit(LIMITS, sealer, kind="address", limit=6, window=MINUTE)
    one, other = (Allowance(limit, free=2, pack=3) for _ in range(2))
    for _ in range(2):
        await one.spend(tables, "a", now=now)
    assert not (await tables.fetch(select(LIMITS))).rows  # no statement yet
    for _ in range(3):
        await one.spend(tables, "a", now=now)
    [row] = (await tables.fetch(select(LIMITS))).rows
    assert row.count == 3
    for _ in range(5):
        await other.spend(tables, "a", now=now)
    for worker in (one, other):
        with pytest.raises(TooManyRequests):
            await worker.spend(tables, "a", now=now)
    await one.spend(tables, "b", now=now)
    await one.spend(tables, "a", now=now + MINUTE)


async def test_who_is_refused_costs_no_more_statements(tables: Database, sealer: Sealer, now: datetime) -> None:
    worker = Allowance(RateLimit(LIMITS, sealer, kind="address", limit=1, window=MINUTE), free=0, pack=1)
    await worker.spend(tables, "a", now=now)
    for _ in range(5):
        with pytest.raises(TooManyRequests):
            await worker.spend(tables, "a", now=now)
    [row] = (await tables.fetch(select(LIMITS))).rows
    assert row.count == 2


async def test_a_dear_request_takes_as_many_packs_as_it_needs(tables: Database, sealer: Sealer, now: datetime) -> None:
    worker = Allowance(RateLimit(LIMITS, sealer, kind="address", limit=40, window=MINUTE), free=5, pack=10)
    await worker.spend(tables, "a", now=now, cost=30)
    [row] = (await tables.fetch(select(LIMITS))).rows
    assert row.count == 30
    with pytest.raises(TooManyRequests):
        await worker.spend(tables, "a", now=now, cost=30)


async def test_with_too_many_keys_nothing_is_free(tables: Database, sealer: Sealer, now: datetime) -> None:
    limit = RateLimit(LIMITS, sealer, kind="address", limit=2, window=MINUTE)
    worker = Allowance(limit, free=2, pack=1, most_keys=1)
    await worker.spend(tables, "known", now=now)
    for _ in range(2):
        await worker.spend(tables, "new", now=now)
    with pytest.raises(TooManyRequests):
        await worker.spend(tables, "new", now=now)
    await worker.spend(tables, "known", now=now)
