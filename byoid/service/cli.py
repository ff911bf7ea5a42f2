"""The commands that every service has: `python -m issuer serve | migrate | jobs | settings | key`.

Wrong settings end a command with all mistakes on standard error and status 2, before anything is opened.
"""

import asyncio
import base64
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Annotated, Final, TypeVar

import typer
import uvicorn

from byoid.service import logging as service_logging
from byoid.service.migrations import Migrations
from byoid.service.serving import OneWriteProtocol
from byoid.service.settings import KEY_BYTES, ServiceSettings, SettingsError

GRACE_SECONDS: Final = 20  # what has begun is answered for so long after SIGTERM
S = TypeVar("S", bound=ServiceSettings)


def commands(
    *,
    settings: type[S],
    factory: str,
    migrations: Migrations,
    jobs: Callable[[S], Awaitable[None]],
) -> typer.Typer:
    """Return a service's commands, to which it may add its own.

    Args:
        settings: its class of settings.
        factory: where its application is made, such as `issuer.app:from_environment`.
        migrations: its migrations.
        jobs: runs its jobs until cancelled.
    """
    app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)

    @app.command()
    def serve(
        host: str = "127.0.0.1", port: int = 8000, workers: Annotated[int, typer.Option(help="processes")] = 1
    ) -> None:
        """Answer requests, until stopped: then no new ones, and what has begun is answered."""
        loaded = _load(settings)
        service_logging.configure(level=loaded.log_level)
        uvicorn.run(
            factory, factory=True, host=host, port=port, workers=workers, access_log=False, log_config=None,
            http=OneWriteProtocol, proxy_headers=False, server_header=False, timeout_graceful_shutdown=GRACE_SECONDS,
        )  # fmt: skip

    @app.command()
    def migrate(revision: str = "head") -> None:
        """Bring the database up to date."""
        migrations.upgrade(_load(settings).database_url, revision)

    @app.command(name="jobs")
    def run_jobs() -> None:
        """Run the jobs, until stopped. More than one process may."""
        loaded = _load(settings)
        service_logging.configure(level=loaded.log_level)
        asyncio.run(_until_stopped(jobs(loaded)))

    @app.command(name="settings")
    def check_settings() -> None:
        """Check the settings and name every mistake."""
        _load(settings)
        typer.echo("the settings are good", err=True)

    @app.command()
    def key(key_id: str) -> None:
        """Print a new sealing key, for the setting `sealing_keys`."""
        typer.echo(f"{key_id}:{base64.urlsafe_b64encode(os.urandom(KEY_BYTES)).decode().rstrip('=')}")

    return app


def _load(settings: type[S]) -> S:
    try:
        return settings.load()
    except SettingsError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error


async def _until_stopped(work: Awaitable[None]) -> None:
    """Do the work until it ends or the process is told to stop; what is cancelled gives its leases back."""
    task = asyncio.ensure_future(work)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        typer.echo("stopped", err=True)
