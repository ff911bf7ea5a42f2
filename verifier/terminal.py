"""What every command of the operator's does: settings, a database that is migrated, one line for what is wrong."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, TypeVar

import typer

from byoid.errors import ByoidError
from byoid.service.migrations import Migrations
from verifier.app import open_verifier
from verifier.context import Verifier
from verifier.settings import VerifierSettings
from verifier.tables import VerifierTable

MIGRATIONS: Final = Migrations(VerifierTable.metadata, Path(__file__).parent / "migrations", "verifier_version")
T = TypeVar("T")


def run(work: Callable[[Verifier], Awaitable[T]]) -> T:
    """Do some work with a verifier, and end the command if it cannot be done."""

    async def with_verifier(settings: VerifierSettings) -> T:
        async with open_verifier(settings) as verifier:
            return await work(verifier)

    try:
        settings = VerifierSettings.load()
        if settings.profile == "production":
            MIGRATIONS.require_current(settings.database_url)
        return asyncio.run(with_verifier(settings))
    except (ByoidError, ValueError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
