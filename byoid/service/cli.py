"""The commands that every service has: `python -m issuer serve | migrate | jobs | settings | key | reseal`.

Wrong settings end a command with all mistakes on standard error and status 2, before anything is opened; a database,
key or file that cannot be opened ends it with one.
"""

import asyncio
import base64
import os
import signal
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Final, TypeVar

import typer
import uvicorn
from fastapi import FastAPI
from uvicorn.importer import import_from_string

from byoid.errors import ByoidError
from byoid.service import logging as service_logging
from byoid.service.database import Database
from byoid.service.migrations import Migrations
from byoid.service.reseal import Resealed, SealedColumn, reseal
from byoid.service.seal import Sealer
from byoid.service.serving import OneWriteProtocol
from byoid.service.settings import KEY_BYTES, ServiceSettings

GRACE_SECONDS: Final = 20  # what has begun is answered for so long after SIGTERM
S = TypeVar("S", bound=ServiceSettings)
T = TypeVar("T")


def commands(
    *,
    settings: type[S],
    factory: str,
    migrations: Migrations,
    jobs: Callable[[S], Awaitable[None]],
    sealed: Sequence[SealedColumn] = (),
) -> typer.Typer:
    """Return a service's commands, to which it may add its own.

    Args:
        settings: its class of settings.
        factory: where its application is made, such as `issuer.app:from_environment`.
        migrations: its migrations.
        jobs: runs its jobs until cancelled.
        sealed: what its key ring has sealed.
    """
    app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)

    @app.command()
    def serve(
        host: str = "127.0.0.1", port: int = 8000, workers: Annotated[int, typer.Option(help="processes")] = 1
    ) -> None:
        """Answer requests, until stopped: then no new ones, and what has begun is answered."""
        loaded = _ready(settings, migrations)
        service_logging.configure(level=loaded.log_level)
        _serve(factory, host=host, port=port, workers=workers)

    @app.command()
    def migrate(revision: str = "head") -> None:
        """Bring the database up to date."""
        url = _load(settings).database_url
        explained(lambda: migrations.upgrade(url, revision))

    @app.command(name="jobs")
    def run_jobs() -> None:
        """Run the jobs, until stopped. More than one process may."""
        loaded = _ready(settings, migrations)
        service_logging.configure(level=loaded.log_level)
        explained(lambda: asyncio.run(_until_stopped(jobs(loaded))))

    @app.command(name="settings")
    def check_settings() -> None:
        """Check the settings and name every mistake; in production also open what they name: database, keys, files."""
        if _load(settings).profile == "production":
            explained(lambda: asyncio.run(_start_and_stop(factory)))
            _ready(settings, migrations)
        typer.echo("the settings are good", err=True)

    @app.command()
    def key(key_id: str) -> None:
        """Print a new sealing key, for the setting `sealing_keys`."""
        typer.echo(f"{key_id}:{base64.urlsafe_b64encode(os.urandom(KEY_BYTES)).decode().rstrip('=')}")

    if sealed:
        _add_reseal(app, settings, migrations, sealed)
    return app


def _add_reseal(app: typer.Typer, settings: type[S], migrations: Migrations, sealed: Sequence[SealedColumn]) -> None:
    @app.command(name="reseal")
    def reseal_all() -> None:
        """Seal with the first key of `sealing_keys` what others have sealed, once every process has that first key."""
        loaded = _ready(settings, migrations)
        done = explained(lambda: asyncio.run(_reseal(loaded, sealed)))
        typer.echo(f"{done.count} values sealed anew; {done.unreadable} that no key of the ring opens", err=True)
        raise typer.Exit(1 if done.unreadable else 0)


async def _reseal(settings: ServiceSettings, sealed: Sequence[SealedColumn]) -> Resealed:
    database = await Database.open(settings.database_url)
    try:
        return await reseal(database, Sealer.from_settings(settings), sealed)
    finally:
        await database.close()


def _serve(factory: str, *, host: str, port: int, workers: int) -> None:
    try:
        uvicorn.run(
            factory, factory=True, host=host, port=port, workers=workers, access_log=False, log_config=None,
            http=OneWriteProtocol, proxy_headers=False, server_header=False, timeout_graceful_shutdown=GRACE_SECONDS,
        )  # fmt: skip
    except SystemExit:
        explained(lambda: asyncio.run(_start_and_stop(factory)))  # in one line what the log says in many
        raise


def _load(settings: type[S]) -> S:
    return explained(settings.load)


def _ready(settings: type[S], migrations: Migrations) -> S:
    """Load the settings; in production the database must be up to date, since nothing else makes its tables."""
    loaded = _load(settings)
    if loaded.profile == "production":
        explained(lambda: migrations.require_current(loaded.database_url))
    return loaded


def explained(act: Callable[[], T]) -> T:
    """Act; a mistake of the operator's ends the command with its reason and status 2."""
    try:
        return act()
    except (ByoidError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error


async def _start_and_stop(factory: str) -> None:
    """Open all that the application opens when it starts."""
    application: FastAPI = import_from_string(factory)()
    async with application.router.lifespan_context(application):
        pass


async def _until_stopped(work: Awaitable[None]) -> None:
    """Do the work until it ends or the process is told to stop; what is cancelled gives its leases back."""
    task = asyncio.ensure_future(work)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        typer.echo("stopped", err=True)
