"""Migrations: written, run up and down, and judged complete, on both engines."""

import asyncio
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import Column, ForeignKey, Integer, MetaData, String, Table

from byoid.service.connection import DatabaseUnavailable
from byoid.service.database import Database, Json, UtcDateTime, insert, service_metadata
from byoid.service.migrations import Migrations

TEMPLATE = '''"""${message}"""
import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = depends_on = None
def upgrade():
    ${upgrades}
def downgrade():
    ${downgrades}
'''


def first() -> MetaData:
    metadata = service_metadata()
    Table(
        "offers",
        metadata,
        Column("id", String(36), primary_key=True),
        Column("expires_at", UtcDateTime(), nullable=False, index=True),
        Column("details", Json()),
    )
    return metadata


def second() -> MetaData:
    metadata = first()
    metadata.tables["offers"].append_column(Column("tries", Integer, nullable=False, server_default="0"))
    Table("codes", metadata, Column("id", String, primary_key=True), Column("offer", ForeignKey("offers.id")))
    return metadata


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "migrations"
    (folder / "versions").mkdir(parents=True)
    (folder / "env.py").write_text("from byoid.service.migrations import run\nrun()\n")
    (folder / "script.py.mako").write_text(TEMPLATE)
    return folder


async def test_migrations_are_written_run_and_complete(database_url: str, folder: Path, now: datetime) -> None:
    old = Migrations(first(), folder, "issuer_version")
    new = Migrations(second(), folder, "issuer_version")

    assert await asyncio.to_thread(old.drift, database_url)
    await asyncio.to_thread(old.write_revision, database_url, "first")
    await asyncio.to_thread(old.upgrade, database_url)
    assert await asyncio.to_thread(old.drift, database_url) == []

    assert await asyncio.to_thread(new.drift, database_url)
    await asyncio.to_thread(new.write_revision, database_url, "second")
    await asyncio.to_thread(new.upgrade, database_url)
    assert await asyncio.to_thread(new.drift, database_url) == []

    database = await Database.open(database_url)
    row = {"id": "a", "expires_at": now, "details": {"x": 1}, "tries": 2}
    await database.execute(insert(new.metadata.tables["offers"]), row)
    await database.close()

    await asyncio.to_thread(new.downgrade, database_url, "-1")
    assert await asyncio.to_thread(old.drift, database_url) == []


async def test_two_services_keep_their_versions_apart(database_url: str, folder: Path) -> None:
    issuer = Migrations(first(), folder, "issuer_version")
    await asyncio.to_thread(issuer.write_revision, database_url, "first")
    await asyncio.to_thread(issuer.upgrade, database_url)
    await asyncio.to_thread(issuer.upgrade, database_url)  # again: nothing to do
    assert await asyncio.to_thread(issuer.drift, database_url) == []


async def test_tables_made_for_a_test_are_those_of_the_metadata(database_url: str, folder: Path) -> None:
    database = await Database.open(database_url)
    metadata = second()
    await database.create_all(metadata)
    await database.close()
    assert await asyncio.to_thread(Migrations(metadata, folder, "issuer_version").drift, database_url) == []


async def test_a_database_must_have_what_this_version_needs(database_url: str, folder: Path) -> None:
    old, new = (Migrations(metadata, folder, "issuer_version") for metadata in (first(), second()))
    await asyncio.to_thread(old.write_revision, database_url, "first")
    with pytest.raises(DatabaseUnavailable, match="run `migrate`"):
        await asyncio.to_thread(old.require_current, database_url)
    await asyncio.to_thread(old.upgrade, database_url)
    await asyncio.to_thread(old.require_current, database_url)
    await asyncio.to_thread(new.write_revision, database_url, "second")
    with pytest.raises(DatabaseUnavailable, match="run `migrate`"):
        await asyncio.to_thread(new.require_current, database_url)
    await asyncio.to_thread(new.upgrade, database_url)
    (latest,) = (folder / "versions").glob("*second.py")
    latest.unlink()  # the version before, on the tables of the next one
    await asyncio.to_thread(old.require_current, database_url)


@pytest.mark.parametrize(
    ("url", "said"),
    [("sqlite:////nowhere/x.db", "OperationalError: unable"), ("postgresql://a@127.0.0.1:1/b", "ConnectionRefused")],
)
async def test_a_database_that_cannot_be_opened_is_said_in_one_line(url: str, said: str, folder: Path) -> None:
    migrations = Migrations(first(), folder, "issuer_version")
    for act in (migrations.upgrade, migrations.require_current):
        with pytest.raises(DatabaseUnavailable, match=said):
            await asyncio.to_thread(act, url)
    with pytest.raises(DatabaseUnavailable, match=said):
        await Database.open(url)


@pytest.mark.postgres
async def test_a_role_that_does_not_exist_is_said_in_one_line(postgres_socket: Path, folder: Path) -> None:
    url = f"postgresql://nobody-we-know@/postgres?host={postgres_socket}"
    with pytest.raises(DatabaseUnavailable, match='role "nobody-we-know" does not exist'):
        await asyncio.to_thread(Migrations(first(), folder, "issuer_version").upgrade, url)
    with pytest.raises(DatabaseUnavailable, match='role "nobody-we-know" does not exist'):
        await Database.open(url)
