"""Run by Alembic."""

from byoid.service.migrations import run

run()
