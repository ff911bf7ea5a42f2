"""Commands of key ceremonies: they need no database, and belong on a machine that is offline."""

import getpass
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from cryptography import x509

from byoid.errors import ByoidError
from byoid.keys import PrivateKey, PublicKey
from byoid.trust.anchors import Purpose
from issuer import ceremony
from issuer.agency_setup import hsm_opener
from issuer.keys import NAMES
from issuer.rotation import write_secret
from issuer.settings import IssuerSettings

T = TypeVar("T")
_PASSWORD = "BYOID_AUTHORITY_PASSWORD"  # noqa: S105  # the name of a variable
_KEY_PASSWORD = "ISSUER_KEY_PASSWORD"  # noqa: S105  # the name of a variable

Organization = Annotated[str, typer.Option(help="as the certificates name it")]
Country = Annotated[str, typer.Option(help="two letters")]
Contact = Annotated[str, typer.Option(help="https or mailto URI")]
Host = Annotated[str | None, typer.Option(help="the issuer's host name")]


def ceremony_commands(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(name="ceremony")(make)
    app.command(name="rotate-keys")(rotate)
    app.command(name="authority")(make_authority)
    app.command(name="certify")(certify)
    app.command(name="import-anchor")(import_anchor)


def make(  # each is an option of the command
    authority: Annotated[Path, typer.Argument(help="folder for roots and intermediate: keep it offline")],
    keys: Annotated[Path, typer.Argument(help="folder for the issuer's four keys")],
    organization: Organization,
    country: Country,
    contact: Contact,
    host: Host = None,
) -> None:
    """Make an authority (once) and the issuer's keys with their certificates; what is there stays."""
    owner = ceremony.Owner(organization, country, contact, host=host)
    password, now = _password(_PASSWORD, "Password of the authority"), datetime.now(UTC)
    made = [] if authority.exists() else ceremony.make_authority(authority, owner, password=password, now=now)
    key_password = os.environ.get(_KEY_PASSWORD, "").encode() or None
    made += _or_exit(
        lambda: ceremony.make_keys(
            keys, authority, owner, password=password, key_password=key_password, now=now
        )
    )  # fmt: skip
    _report(made)
    for anchor in ceremony.anchors_for_others(authority):
        typer.echo(f"verifiers must trust {anchor}")


def rotate(  # each is an option of the command
    name: Annotated[str, typer.Argument(help=", ".join(NAMES))],
    authority: Annotated[Path, typer.Option(help="folder of the authority")],
    organization: Organization,
    country: Country,
    contact: Contact,
    host: Host = None,
    hsm: Annotated[bool, typer.Option(help="make the new key in the HSM of the settings")] = False,
) -> None:
    """Make a new key for one purpose and take it into use; running servers notice."""
    if name not in NAMES:
        raise typer.BadParameter(f"expected one of {', '.join(NAMES)}")
    settings = _or_exit(IssuerSettings.load)
    owner = ceremony.Owner(organization, country, contact, host=host)
    password, now = _password(_PASSWORD, "Password of the authority"), datetime.now(UTC)
    ending, secret, public = _in_hsm(settings, name, now) if hsm else _in_file(settings)
    chain = _or_exit(lambda: ceremony.certify(authority, name, public, owner, password=password, now=now))
    write_secret(settings.keys / f"{name}.{ending}", secret)
    write_secret(settings.keys / f"{name}.pem", chain)
    if not hsm:
        (settings.keys / f"{name}.hsm").unlink(missing_ok=True)
    _report([ceremony.certified(name, x509.load_pem_x509_certificates(chain)[0])])


def make_authority(
    authority: Annotated[Path, typer.Argument(help="folder for roots and intermediate: keep it offline")],
    organization: Organization,
    country: Country,
    contact: Contact,
) -> None:
    """Make an authority alone, such as one for wallet providers or for services; see `certify`."""
    password, now = _password(_PASSWORD, "Password of the authority"), datetime.now(UTC)
    owner = ceremony.Owner(organization, country, contact)
    _report(_or_exit(lambda: ceremony.make_authority(authority, owner, password=password, now=now)))


def certify(  # each is an option of the command
    authority: Annotated[Path, typer.Argument(help="folder of the authority")],
    key: Annotated[Path, typer.Argument(help="file to write, without its ending: NAME.key (not encrypted), NAME.pem")],
    purpose: Annotated[Purpose, typer.Option(help="what it signs: wallet_provider, status, access, …")],
    organization: Organization,
    country: Country,
    contact: Contact,
    identifier: Annotated[str | None, typer.Option(help="the organization's, such as NTRDE-HRB100")] = None,
    host: Annotated[str | None, typer.Option(help="the host name of who asks, for `access`")] = None,
) -> None:
    """Make a key of another service than the issuer, and certify it: a wallet provider's, a verifier's."""
    password, now = _password(_PASSWORD, "Password of the authority"), datetime.now(UTC)
    owner = ceremony.Owner(organization, country, contact, identifier=identifier, host=host)
    made = _or_exit(
        lambda: ceremony.make_key(key, authority, owner, purpose=purpose, password=password, now=now)
    )  # fmt: skip
    _report([made])


def import_anchor(
    trust: Annotated[Path, typer.Argument(help="trust file (TOML), made if it is not there")],
    pem: Annotated[Path, typer.Argument(help="certificates")],
    purpose: Annotated[list[Purpose], typer.Option(help="what they are trusted for")],
    source: Annotated[str, typer.Option(help="who says so")],
    pinned: Annotated[bool, typer.Option(help="trusted as signers themselves; they certify nobody")] = False,
) -> None:
    """Trust certificates of others: a wallet provider's, a list's, a single client attester's."""
    _report(_or_exit(lambda: ceremony.import_anchor(trust, pem, purposes=purpose, source=source, pinned=pinned)))


def _in_file(settings: IssuerSettings) -> tuple[str, bytes, PublicKey]:
    key = PrivateKey.generate()
    password = settings.key_password.get_secret_value().encode() if settings.key_password else None
    return "key", key.to_pem(password), key.public


def _in_hsm(settings: IssuerSettings, name: str, now: datetime) -> tuple[str, bytes, PublicKey]:
    opener = hsm_opener(settings)
    if opener is None:
        raise typer.BadParameter("the settings have no HSM: ISSUER_HSM_LIBRARY, ISSUER_HSM_PIN")
    label = f"{name}-{now:%Y%m%d%H%M%S}"
    public = _or_exit(lambda: opener().generate(label))
    return "hsm", f'label = "{label}"\n'.encode(), public


def _password(variable: str, prompt: str) -> bytes:
    found = os.environ.get(variable) or getpass.getpass(f"{prompt}: ")
    if not found:
        raise typer.BadParameter("expected a password")
    return found.encode()


def _or_exit(act: Callable[[], T]) -> T:
    try:
        return act()
    except (ByoidError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error


def _report(made: Sequence[ceremony.Certified]) -> None:
    for each in made:
        typer.echo(f"{each.name}: SHA-256 {each.fingerprint}, valid until {each.until:%Y-%m-%d}")
