"""Migrations of the vault's tables: see `byoid.service.migrations`."""

from byoid.service.migrations import run

run()
