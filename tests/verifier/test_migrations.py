"""The verifier's migrations make the tables that the code expects, on both engines; its commands work."""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from typer.testing import CliRunner

from byoid.encoding import b64u_encode
from byoid.keys import PrivateKey
from byoid.message import parse_message
from byoid.relying_party.messages import QueryDefinition
from byoid.service.database import Database
from tests.verifier.logins import PERSON
from tests.verifier.world import World, definition
from verifier import login_commands
from verifier.__main__ import MIGRATIONS, app
from verifier.login_keys import make_keys
from verifier.policies import define_query
from verifier.store import Store

HOOK = ("--webhook-url", "https://shop.test/hook")
Command: TypeAlias = Callable[..., Any]  # what typer's runner returns has no public name


async def test_migrations_make_what_the_code_expects(database_url: str) -> None:
    await asyncio.to_thread(MIGRATIONS.upgrade, database_url)
    assert await asyncio.to_thread(MIGRATIONS.drift, database_url) == []


@pytest.fixture
def command(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run a command of the operator's, over a database that is still empty."""
    for name, value in {
        "PROFILE": "production", "PUBLIC_URL": "https://verifier.test", "DATABASE_URL": f"sqlite:///{tmp_path}/v.db",
        "SEALING_KEYS": "k1:" + b64u_encode(bytes(range(32))), "KEYS": str(world.folder),
        "TRUST": str(world.folder / "trust.toml"),
    }.items():  # fmt: skip
        monkeypatch.setenv(f"VERIFIER_{name}", value)
    return lambda *arguments: CliRunner().invoke(app, arguments)


def test_an_operator_adds_a_service_and_its_keys(command: Command) -> None:
    assert command("migrate").exit_code == 0
    assert command("add-service", "shop", "Shop", "--key-name", "access-shop").output.startswith("byoid_")
    assert command("add-key", "shop", "second").output.startswith("byoid_")
    assert "1 revoked" in command("revoke-key", "shop", "second").output
    assert "shop\tx509_hash\tShop" in command("services").output


def test_a_webhook_gets_a_secret_that_is_shown_once(command: Command) -> None:
    command("migrate")
    hook = ("--key-name", "access-shop", *HOOK)
    made = command("add-service", "shop", "Shop", *hook)
    secret = made.stderr.split()[-1]
    assert made.stdout.startswith("byoid_")
    assert command("add-service", "other", "Other", *hook, "--webhook-secret", secret).stderr == ""


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("no id", "Shop", "--key-name", "access-shop"), "expected an id"),
        (("other", "Shop", "--key-name", "access-shop", "--prefix", "x509"), "got x509"),
        (("other", "Shop"), "--key-name"),
        (("other", "Shop", "--key-name", "nothing"), "nothing.key"),
        (("other", "Shop", "--key-name", "bare"), "access certificate"),
        (("other", "Shop", "--key-name", "access-shop", "--prefix", "x509_san_dns"), "--client-name"),
        (("other", "Shop", "--key-name", "access-shop", "--webhook-url", "http://shop.test/hook"), "https"),
        (("other", "Shop", "--prefix", "redirect_uri", *HOOK, "--webhook-secret", "x"), "whsec_"),
        (("shop", "Shop", "--key-name", "access-shop"), "there is a service shop already"),
    ],
    ids=[
        "id", "prefix", "no key", "no such key", "no certificate", "no name", "webhook in clear", "secret", "twice",
    ],
)  # fmt: skip
def test_a_service_that_could_not_ask_is_not_added(
    command: Command, world: World, arguments: tuple[str, ...], complaint: str
) -> None:
    command("migrate")
    command("add-service", "shop", "Shop", "--key-name", "access-shop")
    (world.folder / "bare.key").write_bytes(PrivateKey.generate().to_pem())

    refused = command("add-service", *arguments)

    assert refused.exit_code == 2
    assert complaint in refused.output.replace("\n", " ")
    assert command("services").output.splitlines() == ["shop\tx509_hash\tShop"]


def test_a_key_is_for_a_service_that_there_is(command: Command) -> None:
    command("migrate")
    refused = command("add-key", "nobody", "first")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "there is no service nobody" in refused.stderr


def test_a_webhook_is_changed_and_ended(command: Command, tmp_path: Path) -> None:
    command("migrate")
    command("add-service", "shop", "Shop", "--key-name", "access-shop")

    def kept() -> tuple[Any, ...]:
        with closing(sqlite3.connect(tmp_path / "v.db")) as database:
            found: tuple[Any, ...] = database.execute("SELECT webhook_url, webhook_secret FROM service").fetchone()
            return found

    assert "whsec_" in command("set-webhook", "shop", "https://shop.test/hook").stderr
    assert kept()[0] == "https://shop.test/hook"
    assert b"whsec_" not in kept()[1]
    assert command("set-webhook", "shop", "http://shop.test/hook").exit_code == 2
    assert command("set-webhook", "shop").exit_code == 0
    assert kept() == (None, None)
    assert "there is no service nobody" in command("set-webhook", "nobody").stderr


def test_a_database_that_is_not_migrated_is_named(command: Command) -> None:
    refused = command("add-service", "shop", "Shop", "--key-name", "access-shop")
    assert refused.exit_code == 2
    assert "migrate" in refused.stderr


def test_files_that_there_are_not_are_wrong_settings(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VERIFIER_KEYS", "/nowhere")
    monkeypatch.setenv("VERIFIER_TRUST", "/nowhere/trust.toml")
    refused = command("settings")
    assert refused.exit_code == 2
    assert {"VERIFIER_KEYS:", "VERIFIER_TRUST:"} <= set(refused.stderr.split())


def test_an_operator_lets_people_sign_in(command: Command, world: World, tmp_path: Path, login_keys: Path) -> None:
    command("migrate")
    command("add-service", "shop", "Shop", "--key-name", "access-shop")
    told = ("--query", "person", "--redirect-uri", "https://shop.test/callback", "--subject", "birthdate")
    assert "login-keys" in command("add-login", "shop", "web", *told).stderr
    for path in login_keys.iterdir():
        (world.folder / path.name).write_bytes(path.read_bytes())
    assert command("login-keys").stderr == ""  # what is there stays
    assert "define it first" in command("add-login", "shop", "web", *told).stderr
    asyncio.run(define_person(tmp_path))

    secret = command("add-login", "shop", "web", *told)

    assert (secret.exit_code, len(secret.stdout.strip())) == (0, 43)
    assert command("logins").output == "web\tshop\tperson\tclient_secret_basic\thttps://shop.test/callback\n"
    keys = tmp_path / "jwks.json"
    keys.write_text(json.dumps({"keys": [PrivateKey.generate().public.jwk]}))
    rules = tmp_path / "claims.toml"
    rules.write_text('[claims]\nnickname = { credential = "pid", path = ["given_name"] }\n')
    signed = ("--auth", "private_key_jwt", "--jwks", str(keys), "--claims", str(rules), "--same-device-only")
    assert command("add-login", "shop", "other", *told[:4], *signed).output == ""
    assert "cannot be read" in command("add-login", "shop", "third", *told[:4], "--jwks", str(tmp_path)).stderr
    assert command("remove-login", "web").exit_code == 0
    assert "there is no login web" in command("remove-login", "web").stderr


def test_a_folder_of_keys_that_cannot_be_written_is_named(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> list[Path]:
        raise PermissionError(13, "Permission denied")

    command("migrate")
    monkeypatch.setattr(login_commands, "make_keys", refuse)
    refused = command("login-keys")
    assert (refused.exit_code, "cannot be written: Permission denied" in refused.stderr) == (2, True)


def test_keys_of_id_tokens_are_made_once(tmp_path: Path) -> None:
    made = make_keys(tmp_path)
    assert [path.name for path in made] == ["login.rs256.key", "login.es256.key"]
    assert all(path.stat().st_mode & 0o077 == 0 for path in made)
    assert make_keys(tmp_path) == []


async def define_person(folder: Path) -> None:
    database = await Database.open(f"sqlite:///{folder}/v.db")
    definition_ = parse_message(QueryDefinition, definition(PERSON))
    await define_query(Store(database), "shop", "person", definition_, now=datetime.now(UTC))
    await database.close()
