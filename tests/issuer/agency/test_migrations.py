"""The issuer's migrations make exactly the tables that its code has, on both engines."""

import asyncio

from issuer.migrations import MIGRATIONS


async def test_from_empty_to_head_and_nothing_is_missing(database_url: str) -> None:
    assert await asyncio.to_thread(MIGRATIONS.drift, database_url)
    await asyncio.to_thread(MIGRATIONS.upgrade, database_url)
    assert await asyncio.to_thread(MIGRATIONS.drift, database_url) == []
    await asyncio.to_thread(MIGRATIONS.upgrade, database_url)
    await asyncio.to_thread(MIGRATIONS.downgrade, database_url, "base")
    assert await asyncio.to_thread(MIGRATIONS.drift, database_url)
