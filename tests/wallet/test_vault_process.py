"""The vault as a process of its own: the same journeys through its socket, and its commands."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import ValidationError
from sqlalchemy import update
from typer.testing import CliRunner

from byoid.encoding import b64u_encode
from byoid.errors import HolderBindingError, MalformedInput, PeerError
from byoid.keys import PublicKey
from byoid.service.database import Database
from byoid.service.settings import SettingsError
from wallet import accounts, store
from wallet.authenticator import SoftwareAuthenticator
from wallet.background import VAULT_MIGRATIONS
from wallet.settings import WalletSettings
from wallet.tables import VaultTable
from wallet.vault import ceremonies, gate, holder_keys, journal, proposals, remote, sessions
from wallet.vault.__main__ import app
from wallet.vault.context import Vault
from wallet.vault.contract import Action, NotApproved, NotSignedIn, PagePost, Proposal, SigningInput
from wallet.vault.remote import RemoteDoor, vault_app
from wallet.vault.settings import VaultSettings

ORIGIN = "https://wallet.test"
ROOT = Path(__file__).parents[2]


@pytest.fixture
async def door(vault: Vault) -> AsyncIterator[RemoteDoor]:
    """The remote door with the socket replaced by ASGI."""
    transport = httpx2.ASGITransport(app=vault_app(vault))
    found = RemoteDoor(httpx2.AsyncClient(transport=transport, base_url="http://vault"))
    yield found
    await found.close()


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {
        "VAULT_PROFILE": "demo",
        "VAULT_PUBLIC_URL": ORIGIN,
        "VAULT_DATABASE_URL": f"sqlite:///{tmp_path}/vault.db",
        "VAULT_KEY_FILE": f"{tmp_path}/kek",
        "VAULT_SOCKET": f"{tmp_path}/vault.socket",
    }


async def present(door: RemoteDoor, data: bytes) -> None:
    """Register and present, all through the door."""
    authenticator = SoftwareAuthenticator(ORIGIN)
    creation = await door.run(ceremonies.begin_registration, account_name="Ada")
    post = PagePost(**authenticator.create(creation.model_dump()))
    signed_in = await door.run(ceremonies.register, post, name="Phone", label="Firefox")
    (key,) = await door.run(holder_keys.create_holder_keys, signed_in.cookie, count=1)
    proposal = Proposal(
        action=Action.PRESENT,
        consent_id="c",
        option="o",
        shown=sha256(b"shown").digest(),
        inputs=(SigningInput(key_id=key.id, data=data),),
    )
    ceremony = await door.run(proposals.propose, signed_in.cookie, proposal)
    answer = PagePost(**authenticator.get(ceremony.model_dump()))
    approved = await door.run(gate.approve, signed_in.cookie, answer)
    PublicKey.from_jwk(key.public_jwk).verify("ES256", data, *approved.signatures)
    account = await door.run(accounts.view_account, signed_in.cookie)
    assert [each.name for each in account.passkeys] == ["Phone"]


async def test_everything_works_through_the_remote_door(door: RemoteDoor, build_key_binding: Any) -> None:
    await present(door, build_key_binding())


async def test_the_vault_serves_in_a_process_of_its_own(
    environment: dict[str, str], tmp_path: Path, build_key_binding: Any
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "wallet.vault", "serve", cwd=ROOT, env={**os.environ, **environment}
    )
    socket = tmp_path / "vault.socket"
    door = RemoteDoor.at(socket)
    try:
        async with asyncio.timeout(30):
            while not socket.exists():
                await asyncio.sleep(0.05)
        await present(door, build_key_binding())
        assert socket.stat().st_mode & 0o777 == 0o660
    finally:
        await door.close()
        process.terminate()
        await process.wait()
    with pytest.raises(PeerError):
        await RemoteDoor.at(socket).run(ceremonies.begin_sign_in)


@pytest.mark.hostile
async def test_errors_cross_by_class(door: RemoteDoor, ada: Any) -> None:
    with pytest.raises(NotSignedIn):
        await door.run(sessions.open_session, "x")
    with pytest.raises(MalformedInput):
        await door.run(holder_keys.create_holder_keys, ada.cookie, count=0)
    with pytest.raises(NotApproved):
        await door.run(gate.sign_key_proofs, ada.cookie, "grant", [])
    ada.authenticator.passkeys[-1].user_handle = b"x" * 16
    ceremony = await door.run(ceremonies.begin_sign_in)
    with pytest.raises(HolderBindingError):
        await door.run(ceremonies.sign_in, ada.answer(ceremony), label="")


@pytest.mark.hostile
async def test_operators_acts_are_not_for_the_web_part(door: RemoteDoor, ada: Any) -> None:
    with pytest.raises(PeerError):
        await door.run(journal.lock_by_operator, ada.person, operator="web", reason="because")


@pytest.mark.hostile
@pytest.mark.parametrize("body", [b"", b"[]", b'{"cookie": 5}', b'{"cookie": "c", "more": 1}'])
async def test_junk_on_the_socket_is_refused(vault: Vault, body: bytes) -> None:
    transport = httpx2.ASGITransport(app=vault_app(vault))
    async with httpx2.AsyncClient(transport=transport, base_url="http://vault") as client:
        answer = await client.post("/open_session", content=body)

    assert answer.status_code == 422
    assert answer.json()["error"] == "MalformedInput"


def test_the_vault_makes_its_own_tables(environment: dict[str, str]) -> None:
    result = CliRunner().invoke(app, ["migrate"], env=environment)
    assert result.exit_code == 0, result.output
    VAULT_MIGRATIONS.require_current(environment["VAULT_DATABASE_URL"])


@pytest.mark.hostile
@pytest.mark.parametrize("command", [["serve"], ["migrate"], ["hsm-key"], ["doctor"]])
def test_wrong_settings_of_the_vault_are_named_without_a_value(environment: dict[str, str], command: list[str]) -> None:
    changed = {**environment, "VAULT_PUBLIC_URL": "http://secret.test", "VAULT_HSM_PIN": "secret"}
    result = CliRunner().invoke(app, command, env=changed)
    assert (result.exit_code, "secret" in result.output) == (2, False)
    assert "expected an https address" in result.stderr


def test_the_doctor_command_finds_nothing_in_an_honest_vault(environment: dict[str, str]) -> None:
    asyncio.run(_fill(VaultSettings(**{name[6:].lower(): value for name, value in environment.items()})))

    result = CliRunner().invoke(app, ["doctor", "--canary", "Ada Lovelace"], env=environment)

    assert (result.exit_code, result.stdout) == (0, "")


def test_the_doctor_command_fails_when_a_name_lies_in_clear(environment: dict[str, str]) -> None:
    settings = VaultSettings(**{name[6:].lower(): value for name, value in environment.items()})
    asyncio.run(_fill(settings, protection="Ada Lovelace"))

    result = CliRunner().invoke(app, ["doctor", "--canary", "Ada Lovelace"], env=environment)

    assert result.exit_code == 1
    assert "vault_passkey.protection" in result.stdout
    assert "vault.db" in result.stdout
    assert "Lovelace" not in result.stdout


def test_the_lock_command_locks(environment: dict[str, str]) -> None:
    settings = VaultSettings(**{name[6:].lower(): value for name, value in environment.items()})
    person = asyncio.run(_fill(settings))

    result = CliRunner().invoke(
        app, ["lock", "--operator", "clerk 7", "--reason", "why", "--", person], env=environment
    )

    assert result.exit_code == 0
    assert asyncio.run(_is_locked(settings, person))


async def _is_locked(settings: VaultSettings, person: str) -> bool:
    database = await Database.open(settings.database_url)
    row = (await database.fetch(store.PERSON_BY_ID, {"of_id": person})).first()
    await database.close()
    return row is not None and row.locked_at is not None


async def _fill(settings: VaultSettings, **passkey: str) -> str:
    database = await Database.open(settings.database_url)
    await database.create_all(VaultTable.metadata)
    vault = settings.vault(database)
    ceremony = await ceremonies.begin_registration(vault, account_name="Ada Lovelace")
    post = PagePost(**SoftwareAuthenticator(ORIGIN).create(ceremony.model_dump()))
    signed_in = await ceremonies.register(vault, post, name="Ada Lovelace", label="Ada Lovelace")
    if passkey:
        await database.execute(update(store.PASSKEY).values(passkey))
    await database.close()
    return signed_in.session.person


@pytest.mark.hostile
@pytest.mark.parametrize(
    "changes",
    [
        {"profile": "production"},
        {"hsm_library": "/lib/hsm.so"},
        {"key_file": None},
        {"public_url": "http://wallet.test"},
        {"public_url": "https://wallet.test/path"},
        {"public_url": "http://localhost:8003", "profile": "production", "key_file": None, "hsm_library": "x"},
    ],
    ids=["key file in production", "two keys", "no key", "http", "a path", "http in production"],
)
def test_settings_that_weaken_the_vault_are_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    honest = {
        "profile": "demo", "public_url": ORIGIN, "database_url": "sqlite://", "key_file": tmp_path / "kek",
    }  # fmt: skip

    assert VaultSettings(**honest).party().id == "wallet.test"
    with pytest.raises(ValidationError):
        VaultSettings(**{**honest, **changes})


def test_every_operation_can_cross(door: RemoteDoor) -> None:
    for operation in remote._OPERATIONS.values():
        arguments, result = remote._messages(operation)
        assert "vault" not in arguments.model_fields
        assert "result" in result.model_fields


@pytest.mark.hostile
def test_a_wallet_says_how_it_reaches_its_vault(tmp_path: Path) -> None:
    known: dict[str, Any] = {
        "public_url": "https://wallet.test", "database_url": "sqlite:///wallet.db", "trust": tmp_path, "keys": tmp_path,
        "sealing_keys": f"a:{b64u_encode(bytes(range(32)))}",
    }  # fmt: skip
    with pytest.raises(SettingsError, match="set WALLET_VAULT_SOCKET, or WALLET_KEK"):
        WalletSettings.load(**known)
    assert WalletSettings.load(**known, vault_socket=tmp_path / "vault.sock").kek == ""


@pytest.mark.hostile
async def test_what_is_over_goes_although_the_vault_is_a_process_of_its_own(
    door: RemoteDoor, vault: Vault, clock: Any
) -> None:
    """Strangers begin as many ceremonies as they like; their rows must not stay."""
    for _ in range(3):
        await door.run(ceremonies.begin_sign_in)
    clock.advance(minutes=6)

    assert await door.run(sessions.forget_what_is_over) == 3
    assert (await vault.store.database.fetch(store.CEREMONY.select(), {})).rows == []
