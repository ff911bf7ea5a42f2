"""Migrations of a service's own tables with Alembic, the same on both engines.

A service has a folder of migrations, its metadata and its own version table. Its `env.py` is two lines:

    from byoid.service.migrations import run
    run()

Production migrates by a command, never at start-up. `drift` is what the metadata has and the migrations have not.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from alembic import command, context
from alembic.autogenerate import compare_metadata
from alembic.autogenerate.api import AutogenContext
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, create_engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine

from byoid.service import columns
from byoid.service.connection import DatabaseUnavailable
from byoid.service.sqlite import sqlite_driver

_KEY: Final = "byoid_migrations"


@dataclass(frozen=True)
class Migrations:
    """One service's migrations."""

    metadata: MetaData
    folder: Path
    version_table: str

    def upgrade(self, url: str, revision: str = "head") -> None:
        """Bring the database to `revision`. Blocks: call it outside the event loop."""
        self._with_connection(url, lambda config: command.upgrade(config, revision))

    def require_current(self, url: str) -> None:
        """Refuse a database without all that this version needs; a newer one has it, since migrations only add.

        Raises:
            DatabaseUnavailable: it was not migrated, or cannot be reached.
        """

        def look(connection: Connection) -> None:
            known = ScriptDirectory(str(self.folder))
            options = {"version_table": self.version_table}
            found = MigrationContext.configure(connection, opts=options).get_current_revision()
            earlier = {each.revision for each in known.walk_revisions()} - {known.get_current_head()}
            if found is None or found in earlier:
                raise DatabaseUnavailable("the database has not the tables of this version: run `migrate` first")

        _connect(url, look)

    def downgrade(self, url: str, revision: str) -> None:
        """Bring the database back to `revision`."""
        self._with_connection(url, lambda config: command.downgrade(config, revision))

    def write_revision(self, url: str, message: str) -> None:
        """Write a migration for what `drift` shows. Read it before you commit it."""
        self._with_connection(url, lambda config: command.revision(config, message=message, autogenerate=True))

    def drift(self, url: str) -> list[Any]:
        """Return how the database differs from the metadata; empty when the migrations are complete."""
        found: list[Any] = []

        def compare(connection: Connection) -> None:
            options = {"version_table": self.version_table, "compare_type": True, "target_metadata": self.metadata}
            found.extend(compare_metadata(MigrationContext.configure(connection, opts=options), self.metadata))

        _connect(url, compare)
        return found

    def _with_connection(self, url: str, act: Callable[[Config], object]) -> None:
        def run_with(connection: Connection) -> None:
            config = Config()
            config.set_main_option("script_location", str(self.folder).replace("%", "%%"))
            config.attributes[_KEY] = (self, connection)
            act(config)

        _connect(url, run_with)


def run() -> None:
    """Run the migrations that were asked for. Called by a service's `env.py`."""
    migrations, connection = context.config.attributes[_KEY]
    context.configure(
        connection=connection,
        target_metadata=migrations.metadata,
        version_table=migrations.version_table,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
        render_item=_render,
    )
    with context.begin_transaction():
        context.run_migrations()


def _render(kind: str, item: Any, autogen: AutogenContext) -> str | Literal[False]:
    """Write our column types by name into a migration."""
    if kind == "type" and isinstance(item, columns.UtcDateTime | columns.Json):
        autogen.imports.add("from byoid.service import columns")
        return f"columns.{type(item).__name__}()"
    return False


def _connect(url: str, act: Callable[[Connection], None]) -> None:
    try:
        _act(make_url(url), act)
    except (SQLAlchemyError, OSError) as error:
        raise DatabaseUnavailable.of(error) from error


def _act(parsed: URL, act: Callable[[Connection], None]) -> None:
    if parsed.get_backend_name() == "sqlite":
        engine = create_engine(parsed.set(drivername="sqlite"), module=sqlite_driver())
        try:
            with engine.begin() as connection:
                act(connection)
        finally:
            engine.dispose()
        return

    import asyncpg  # the extra [postgres]

    async def on_postgres() -> None:
        postgres = create_async_engine(parsed.set(drivername="postgresql+asyncpg"))
        try:
            async with postgres.begin() as connection:
                await connection.run_sync(act)
        finally:
            await postgres.dispose()

    try:
        asyncio.run(on_postgres())
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:  # its own, where SQLAlchemy connects
        raise DatabaseUnavailable.of(error) from error
