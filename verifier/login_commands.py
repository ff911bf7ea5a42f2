"""The operator's commands for logins: `login-keys`, `add-login`, `logins`, `remove-login`."""

from pathlib import Path
from typing import Annotated, Final

import typer

from byoid.encoding import json_object
from byoid.errors import MalformedInput
from verifier.context import Verifier
from verifier.login_claims import load_rules
from verifier.login_keys import RS256, make_keys
from verifier.logins import BASIC, NewLogin, add_login
from verifier.terminal import run

_WAYS: Final = "client_secret_basic, client_secret_post, private_key_jwt, none"


def login_commands(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(name="login-keys")(make)
    app.command(name="add-login")(add)
    app.command(name="logins")(show)
    app.command(name="remove-login")(remove)


def make() -> None:
    """Make the keys that sign ID tokens, if they are missing: with them, the verifier is an OpenID Provider."""

    async def generate(verifier: Verifier) -> list[Path]:
        try:
            return make_keys(verifier.settings.keys)
        except OSError as error:
            raise ValueError(f"{verifier.settings.keys} cannot be written: {error.strerror}") from error

    for path in run(generate):
        typer.echo(f"made {path}; processes that run know it once they have been started anew", err=True)


def add(  # noqa: PLR0913, PLR0917  # each is an option of the command
    service_id: str,
    client_id: str,
    query: Annotated[str, typer.Option(help="of the service: what wallets are asked")],
    redirect_uri: Annotated[list[str], typer.Option(help="where people come back to, exactly so; may come again")],
    name: Annotated[str | None, typer.Option(help="as people know it, if not by the service's name")] = None,
    auth: Annotated[str, typer.Option(help=_WAYS)] = BASIC,
    jwks: Annotated[Path | None, typer.Option(help="public keys, for private_key_jwt")] = None,
    alg: Annotated[str, typer.Option(help="of ID tokens: RS256, ES256")] = RS256,
    claims: Annotated[Path | None, typer.Option(help="which claim comes from where (TOML)")] = None,
    subject: Annotated[list[str] | None, typer.Option(help="a claim that makes the sub; may come again")] = None,
    same_device_only: Annotated[bool, typer.Option("--same-device-only", help="offer no QR code")] = False,
) -> None:
    """Let people sign in to a service by OpenID Connect; prints the client's secret, if it has one."""

    async def register(verifier: Verifier) -> str | None:
        new = NewLogin(
            service_id,
            client_id,
            query,
            tuple(redirect_uri),
            name,
            auth,
            alg,
            jwks=None if jwks is None else json_object(_read(jwks)),
            rules=None if claims is None else load_rules(claims),
            subject=tuple(subject or ()),
            same_device_only=same_device_only,
        )
        return await add_login(verifier, new)

    if (secret := run(register)) is not None:
        typer.echo(secret)


def show() -> None:
    """List the logins."""

    async def rows(verifier: Verifier) -> list[str]:
        return [
            "\t".join((row.client_id, row.service_id, row.query_name, row.authentication, *row.redirect_uris))
            for row in await verifier.logins.logins()
        ]

    for line in run(rows):
        typer.echo(line)


def remove(client_id: str) -> None:
    """Remove a login; what it has begun ends with it."""

    async def delete(verifier: Verifier) -> None:
        if not await verifier.logins.delete_login(client_id):
            raise ValueError(f"there is no login {client_id}; `logins` lists those that there are")

    run(delete)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise MalformedInput(f"{path.name} cannot be read") from error
