"""`python -m verifier serve | migrate | jobs | settings | key | reseal | add-service | add-login | …`."""

from typing import Annotated

import typer

from byoid.service import cli
from byoid.service.connection import Conflict
from byoid.service.jobs import JobRunner
from verifier.app import open_verifier
from verifier.context import Verifier
from verifier.jobs import verifier_jobs
from verifier.login_commands import login_commands
from verifier.sealed import SEALED
from verifier.services import (
    NewService,
    add_api_key,
    add_service,
    create_webhook_secret,
    require_usable,
    set_webhook,
)
from verifier.settings import VerifierSettings
from verifier.tables import jobs
from verifier.terminal import MIGRATIONS, run


async def run_jobs(settings: VerifierSettings) -> None:
    """Run the jobs until cancelled."""
    async with open_verifier(settings) as verifier:
        runner = JobRunner(verifier.store.database, jobs, clock=verifier.clock)
        await runner.run_forever(verifier_jobs(verifier))


app = cli.commands(
    settings=VerifierSettings,
    factory="verifier.app:from_environment",
    migrations=MIGRATIONS,
    jobs=run_jobs,
    sealed=SEALED,
)


@app.command(name="add-service")
def add_service_command(
    service_id: str,
    name: str,
    prefix: Annotated[str, typer.Option(help="x509_hash, x509_san_dns, redirect_uri, …")] = "x509_hash",
    client_name: Annotated[str | None, typer.Option(help="what follows the prefix, if no certificate says it")] = None,
    key_name: Annotated[str | None, typer.Option(help="of the files in the folder of keys")] = None,
    webhook_url: Annotated[str | None, typer.Option(help="is told when transactions are over")] = None,
    webhook_secret: Annotated[
        str | None,
        typer.Option(envvar="VERIFIER_WEBHOOK_SECRET", help="signs webhooks; made and shown if there is none"),
    ] = None,
) -> None:
    """Add a service, and print its first API key."""
    secret = create_webhook_secret() if webhook_url and webhook_secret is None else webhook_secret
    service = NewService(service_id, name, prefix, client_name, key_name, webhook_url, secret)

    async def add(verifier: Verifier) -> str:
        now = verifier.clock()
        require_usable(service, verifier.settings)
        try:
            await add_service(verifier.store, verifier.sealer, service, now=now)
        except Conflict as error:
            raise ValueError(f"there is a service {service_id} already") from error
        return await add_api_key(verifier.store, verifier.sealer, service_id=service_id, label="first", now=now)

    typer.echo(run(add))
    if secret != webhook_secret:
        typer.echo(f"the secret of its webhooks, not shown again: {secret}", err=True)


@app.command(name="set-webhook")
def set_webhook_command(
    service_id: str,
    url: Annotated[str | None, typer.Argument(help="without it, nobody is told any more")] = None,
    webhook_secret: Annotated[
        str | None, typer.Option(envvar="VERIFIER_WEBHOOK_SECRET", help="made and shown if there is none")
    ] = None,
) -> None:
    """Change where a service is told that transactions are over, and the secret that signs it."""
    secret = create_webhook_secret() if url and webhook_secret is None else webhook_secret

    async def change(verifier: Verifier) -> None:
        loopback_http = verifier.settings.allow_loopback_http
        await set_webhook(
            verifier.store, verifier.sealer, service_id, url, secret if url else None, loopback_http=loopback_http
        )

    run(change)
    if secret != webhook_secret:
        typer.echo(f"the secret of its webhooks, not shown again: {secret}", err=True)


@app.command()
def add_key(service_id: str, label: str) -> None:
    """Make an API key for a service and print it; it is not shown again."""

    async def add(verifier: Verifier) -> str:
        if await verifier.store.service(service_id) is None:
            raise ValueError(f"there is no service {service_id}; `services` lists those that there are")
        return await add_api_key(
            verifier.store, verifier.sealer, service_id=service_id, label=label, now=verifier.clock()
        )

    typer.echo(run(add))


@app.command()
def revoke_key(service_id: str, label: str) -> None:
    """Revoke the API keys of a service that have this label."""

    async def revoke(verifier: Verifier) -> int:
        return await verifier.store.delete_keys(service_id, label)

    typer.echo(f"{run(revoke)} revoked", err=True)


@app.command()
def services() -> None:
    """List the services."""

    async def names(verifier: Verifier) -> list[str]:
        return [f"{row.id}\t{row.prefix}\t{row.name}" for row in await verifier.store.services()]

    for line in run(names):
        typer.echo(line)


login_commands(app)

if __name__ == "__main__":
    app()
