"""Databases of earlier versions, with what a demo left in them, come to today's tables and lose nothing.

`frozen/<version>/<service>.<engine>.sql` is a dump of that version's database, made once and never edited. A row
counts as kept when it is there with every value of the columns that both versions have.
"""

import asyncio
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from byoid.service.migrations import Migrations
from issuer.migrations import MIGRATIONS as ISSUER
from verifier.__main__ import MIGRATIONS as VERIFIER
from wallet.background import MIGRATIONS as WALLET
from wallet.background import VAULT_MIGRATIONS as VAULT

FROZEN = Path(__file__).parent / "frozen"
ROOT = Path(__file__).parents[2]
SERVICES: dict[str, tuple[Migrations, ...]] = {"issuer": (ISSUER,), "verifier": (VERIFIER,), "wallet": (WALLET, VAULT)}
MOVED: dict[str, set[str]] = {}  # version → tables that a later migration took away on purpose, with its content
Rows = dict[str, list[dict[str, Any]]]


def test_every_released_version_has_its_dumps() -> None:
    released = re.findall(r"^## \[(\d+\.\d+\.\d+)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    expected = {f"{v}/{s}.{e}.sql" for v in released for s in SERVICES for e in ("sqlite", "postgresql")}
    assert {str(path.relative_to(FROZEN)) for path in FROZEN.glob("*/*.sql")} == expected


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("version", sorted(path.name for path in FROZEN.iterdir()))
async def test_an_old_database_comes_to_today_and_loses_nothing(database_url: str, version: str, service: str) -> None:
    engine = make_url(database_url).get_backend_name()
    await _restore(database_url, (FROZEN / version / f"{service}.{engine}.sql").read_text("utf-8"))
    before = await _rows(database_url)
    assert sum(map(len, before.values())) > 10

    for migrations in SERVICES[service]:
        await asyncio.to_thread(migrations.upgrade, database_url)
    for migrations in SERVICES[service]:
        assert [
            each for each in await asyncio.to_thread(migrations.drift, database_url) if _is_own(each, service)
        ] == []

    after = await _rows(database_url)
    for table in before.keys() - MOVED.get(version, set()):
        if not table.endswith("_version"):
            _same(table, before[table], after[table])


def _is_own(difference: Any, service: str) -> bool:
    """Tell whether a difference is more than that wallet and vault, in one database, see each other's tables."""
    kind, item = difference[:2] if isinstance(difference, tuple) else ("", None)
    tables = {
        name for migrations in SERVICES[service] for name in (*migrations.metadata.tables, migrations.version_table)
    }
    table = getattr(item, "table", item)
    return not (kind in {"remove_table", "remove_index"} and getattr(table, "name", "") in tables)


def _same(table: str, before: list[dict[str, Any]], after: list[dict[str, Any]]) -> None:
    if not before:
        return
    assert len(after) == len(before), table
    common = before[0].keys() & after[0].keys()
    assert common, table
    assert _values(before, common) == _values(after, common), table


def _values(rows: list[dict[str, Any]], columns: Any) -> list[str]:
    return sorted(repr([(name, row[name]) for name in sorted(columns)]) for row in rows)


async def _restore(url: str, script: str) -> None:
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(make_url(url).database or "")) as connection:
            connection.executescript(script)
        return
    connection = await _connect(url)
    try:
        await connection.execute(script)
    finally:
        await connection.close()


async def _rows(url: str) -> Rows:
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(make_url(url).database or "")) as connection:
            connection.row_factory = sqlite3.Row
            names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            return {name: [dict(row) for row in connection.execute(f'SELECT * FROM "{name}"')] for name in names}
    connection = await _connect(url)
    try:
        listed = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        names = [row["tablename"] for row in listed]
        return {name: [dict(row) for row in await connection.fetch(f'SELECT * FROM "{name}"')] for name in names}
    finally:
        await connection.close()


async def _connect(url: str) -> asyncpg.Connection:
    parsed = make_url(url)
    host = parsed.query["host"]
    return await asyncpg.connect(host=host, user=parsed.username, database=parsed.database)
