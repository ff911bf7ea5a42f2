"""Migrations of the wallet's tables: see `byoid.service.migrations`."""

from byoid.service.migrations import run

run()
