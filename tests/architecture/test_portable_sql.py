"""Every table and statement is one that PostgreSQL, YugabyteDB, CockroachDB and Citus run (decision 0014).

Statements are checked as they are compiled, in whatever test that is (`tests/conftest.py`); here are the tables, and
the check itself.
"""

import ast
from pathlib import Path

import pytest
from sqlalchemy import Column, DateTime, Integer, MetaData, Table, func, literal, select

from byoid.service.database import Database
from issuer.tables import IssuerTable
from tests.portable_sql import complaints, table_complaints
from verifier.tables import VerifierTable
from wallet.tables import VaultTable, WalletTable

ROOT = Path(__file__).parents[2]
TABLES = [
    table for base in (IssuerTable, VerifierTable, WalletTable, VaultTable) for table in base.metadata.sorted_tables
]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_table_can_be_spread_over_machines(table: Table) -> None:
    assert table_complaints(table) == []


@pytest.mark.parametrize(
    ("sql", "complaint"),
    [
        ("SELECT pg_advisory_xact_lock($1)", "advisory locks"),
        ("NOTIFY revoked", "LISTEN and NOTIFY"),
        ("LOCK TABLE offer", "table locks"),
        ("SELECT nextval('x')", "sequences"),
        ("SELECT ctid FROM offer", "the place of a row in storage"),
        ("WITH a AS (UPDATE offer SET id = $1 RETURNING id) SELECT * FROM a", "statements that change data inside"),
        ("SELECT * FROM offer WHERE id = ANY(ARRAY[$1])", "arrays"),
        ("SELECT gen_random_uuid()", "function gen_random_uuid"),
        ("SELECT DISTINCT ON (id) id FROM offer", "DISTINCT ON"),
        ("SAVEPOINT a", "savepoints"),
    ],
)
def test_what_not_every_engine_runs_is_found(sql: str, complaint: str) -> None:
    assert any(each.startswith(complaint) for each in complaints(sql))


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO spent (key) VALUES ($1::BYTEA) ON CONFLICT (key) DO UPDATE SET n = (spent.n + 1) RETURNING n",
        "DELETE FROM offer WHERE id IN (SELECT id FROM offer WHERE due <= $1::TIMESTAMP WITH TIME ZONE LIMIT 5)",
        "UPDATE offer SET code = 'LISTEN ' WHERE id = $1 AND coalesce(used, 0) = 0",
    ],
)
def test_what_every_engine_runs_passes(sql: str) -> None:
    assert complaints(sql) == []


def test_tables_that_one_machine_must_number_are_found() -> None:
    table = Table(
        "bad",
        MetaData(),
        Column("at", DateTime, primary_key=True),
        Column("n", Integer, primary_key=True, autoincrement=True),
    )
    assert len(table_complaints(table)) == 2
    assert table_complaints(Table("empty", MetaData(), Column("n", Integer))) == ["no primary key"]


async def test_every_test_checks_the_statements_that_it_compiles(database: Database) -> None:
    with pytest.raises(AssertionError, match="pg_sleep"):
        await database.fetch(select(func.pg_sleep(literal(0))))


def test_no_other_door_leads_to_the_database() -> None:
    """Only the two engines, and adapters to other people's databases, hold a driver."""
    drivers = {"asyncpg", "aiosqlite", "pysqlite3", "sqlite3", "psycopg"}
    allowed = {"byoid/service/sqlite.py", "byoid/service/postgres.py", "byoid/service/migrations.py"}
    found = set()
    for folder in ("byoid", "issuer", "verifier", "wallet"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                names = [a.name for a in node.names] if isinstance(node, ast.Import) else (
                    [node.module or ""] if isinstance(node, ast.ImportFrom) else [])  # fmt: skip
                if any(name.split(".")[0] in drivers for name in names):
                    found.add(str(path.relative_to(ROOT)))
    assert found <= allowed
