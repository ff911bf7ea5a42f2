"""Commands of the vault's own process: serve, migrate, make the HSM key, examine the storage, lock a wallet.

`python -m wallet.vault serve`, or `python -m wallet vault serve`. Settings are `VAULT_…` in the environment.
"""

import asyncio
import os
import resource
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer
import uvicorn
from sqlalchemy.engine import make_url

from byoid.service.cli import explained
from byoid.service.database import Database
from wallet import store
from wallet.background import VAULT_MIGRATIONS
from wallet.tables import VaultTable
from wallet.vault import doctor, journal
from wallet.vault.keys import PersonId
from wallet.vault.remote import vault_app
from wallet.vault.settings import VaultSettings

app = typer.Typer(help="The vault: keys, passkeys and signing.", no_args_is_help=True)
_GROUP_ONLY: Final = 0o660
_BACKLOG: Final = 128


@app.command()
def serve() -> None:
    """Serve the vault on its Unix socket."""
    explained(lambda: asyncio.run(serve_vault(VaultSettings.load())))


@app.command()
def migrate(revision: str = "head") -> None:
    """Bring the vault's database up to date."""
    explained(lambda: VAULT_MIGRATIONS.upgrade(VaultSettings.load().database_url, revision))


@app.command()
def hsm_key() -> None:
    """Make the wrapping key inside the HSM, once."""
    settings = explained(VaultSettings.load)
    if settings.hsm_library is None:
        raise typer.BadParameter("VAULT_HSM_LIBRARY is not set")
    from wallet.vault.hsm import Pkcs11Kek  # the extra [hsm]

    Pkcs11Kek.generate(
        library=settings.hsm_library,
        token=settings.hsm_token,
        pin=settings.hsm_pin.get_secret_value(),
        label=settings.hsm_key,
    )


@app.command(name="doctor")
def examine(
    canary: Annotated[list[str] | None, typer.Option(help="A value of a person that must not be found.")] = None,
) -> None:
    """Read the raw storage; fail if anything personal lies there in clear."""
    findings = explained(lambda: asyncio.run(examine_vault(VaultSettings.load(), canaries=canary or [])))
    for each in findings:
        typer.echo(f"{each.table}.{each.column} {each.row}: {each.problem}")
    typer.echo(f"{len(findings)} findings", err=True)
    sys.exit(1 if findings else 0)


@app.command()
def lock(person: str, operator: Annotated[str, typer.Option()], reason: Annotated[str, typer.Option()]) -> None:
    """Lock a wallet; its owner reads by whom and why."""
    explained(
        lambda: asyncio.run(lock_wallet(VaultSettings.load(), PersonId(person), operator=operator, reason=reason))
    )


async def serve_vault(settings: VaultSettings) -> None:
    """Serve until the process is told to stop. Keys are in its memory: it leaves no core dump."""
    if settings.socket is None:
        raise typer.BadParameter("VAULT_SOCKET is not set")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    database = await Database.open(settings.database_url)
    if settings.profile == "demo":
        await database.create_all(VaultTable.metadata)
    listener = listen(settings.socket)
    try:
        application = vault_app(settings.vault(database))
        server = uvicorn.Server(uvicorn.Config(application, log_level="warning", lifespan="off", access_log=False))
        await server.serve([listener])
    finally:
        listener.close()
        settings.socket.unlink(missing_ok=True)
        await database.close()


def listen(path: Path) -> socket.socket:
    """Bind a Unix socket that owner and group may open, and that takes connections, from its first moment."""
    begun = path.with_name(f"{path.name}.new")
    begun.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o777 & ~_GROUP_ONLY)
    try:
        listener.bind(str(begun))
    finally:
        os.umask(before)
    listener.listen(_BACKLOG)
    begun.replace(path)
    return listener


async def examine_vault(settings: VaultSettings, *, canaries: Sequence[str]) -> list[doctor.Finding]:
    """Examine the vault's tables, and the files of a SQLite database."""
    database = await Database.open(settings.database_url)
    try:
        url = make_url(settings.database_url)
        path = Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None
        files = sorted(path.parent.glob(f"{path.name}*")) if path else []
        return await doctor.examine(database, store.TABLES, canaries=canaries, files=files)
    finally:
        await database.close()


async def lock_wallet(settings: VaultSettings, person: PersonId, *, operator: str, reason: str) -> None:
    """Lock a wallet in an operator's name."""
    database = await Database.open(settings.database_url)
    try:
        await journal.lock_by_operator(settings.vault(database), person, operator=operator, reason=reason)
    finally:
        await database.close()


if __name__ == "__main__":
    app()
