"""Alembic's entry."""

from byoid.service.migrations import run

run()
