"""The issuer's migrations (Alembic), with a version table of their own."""

from pathlib import Path
from typing import Final

from byoid.service.migrations import Migrations
from issuer.agency_tables import outbox

# All tables are in one metadata; those of `tables.py` are there before those of `agency_tables.py`.
MIGRATIONS: Final = Migrations(outbox.metadata, Path(__file__).parent, "issuer_version")
