"""Commands of the wallet: `python -m wallet serve | migrate | jobs | doctor | vault …`. Settings are `WALLET_…`."""

import asyncio
import os
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.engine import make_url

from byoid.encoding import json_dumps
from byoid.keys import PrivateKey
from byoid.service.cli import commands, explained
from byoid.service.trust_files import load_signer
from wallet.app import open_database, run_jobs
from wallet.background import KEPT, MIGRATIONS, VAULT_MIGRATIONS
from wallet.provider import CLIENT_KEY
from wallet.sealed import SEALED
from wallet.settings import WalletSettings
from wallet.store import TABLES
from wallet.vault import __main__ as vault_commands
from wallet.vault import doctor

app = commands(
    settings=WalletSettings, factory="wallet.app:from_environment", migrations=MIGRATIONS, jobs=run_jobs, sealed=SEALED
)
app.add_typer(vault_commands.app, name="vault")


@app.command()
def migrate_vault(revision: str = "head") -> None:
    """Bring the database of a vault in this process up to date; one of its own has `python -m wallet.vault migrate`."""
    settings = explained(WalletSettings.load)
    explained(lambda: VAULT_MIGRATIONS.upgrade(settings.vault_database_url or settings.database_url, revision))


@app.command()
def client_key() -> None:
    """Print the wallet's client key (a JWK set) for servers that register clients; make it the first time."""
    path = WalletSettings.load().keys / CLIENT_KEY
    if not path.exists():
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(PrivateKey.generate().to_pem())
    key = load_signer(path).key.public
    jwk = {**key.jwk, "kid": key.thumbprint_b64u, "use": "sig", "alg": "ES256"}
    typer.echo(json_dumps({"keys": [jwk]}).decode())


@app.command(name="doctor")
def examine(
    canary: Annotated[list[str] | None, typer.Option(help="A value of a person that must not be found.")] = None,
) -> None:
    """Read the raw storage, the vault's too; fail if anything personal lies there in clear."""
    findings = asyncio.run(examine_storage(WalletSettings.load(), canaries=canary or []))
    for each in findings:
        typer.echo(f"{each.table}.{each.column} {each.row}: {each.problem}")
    typer.echo(f"{len(findings)} findings", err=True)
    sys.exit(1 if findings else 0)


async def examine_storage(settings: WalletSettings, *, canaries: list[str]) -> list[doctor.Finding]:
    """Examine the wallet's tables, and the vault's where they are within reach."""
    kept = [vars(model)["__table__"] for model in KEPT]
    own = settings.vault_database_url
    reach = [] if settings.vault_socket is not None else list(TABLES)
    async with AsyncExitStack() as stack:
        database = await open_database(stack, settings.database_url)
        tables = kept if own is not None else [*kept, *reach]
        found = await doctor.examine(database, tables, canaries=canaries, files=_files(settings.database_url))
        if own is not None and reach:
            vault = await open_database(stack, own)
            found += await doctor.examine(vault, reach, canaries=canaries, files=_files(own))
        return found


def _files(url: str) -> list[Path]:
    parsed = make_url(url)
    path = Path(parsed.database) if parsed.get_backend_name() == "sqlite" and parsed.database else None
    return sorted(path.parent.glob(f"{path.name}*")) if path else []


if __name__ == "__main__":
    app()
