"""The doctor finds what lies in clear; and a dump of everything but passkeys and HSM gives nobody anything."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from byoid.encoding import b64u_encode
from byoid.errors import BadSignature, MalformedInput
from byoid.service.database import Database
from wallet import store
from wallet.tables import VaultTable
from wallet.vault import ceremonies, doctor, journal, proposals
from wallet.vault.context import Vault
from wallet.vault.contract import Action, Secrets
from wallet.vault.kek import FileKek
from wallet.vault.keys import ReadingKey, SigningKey, place, seal_to, unseal
from wallet.vault.sessions import open_session
from wallet.vault.wrapping import unwrap_reading, unwrap_signing

CANARIES = ("Lovelace", "Ada's phone", "Firefox on Android", "clerk seven", "x509_hash:abc", "n-canary-1")


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    found = await Database.open(f"sqlite:///{tmp_path}/wallet.db")
    await found.create_all(VaultTable.metadata)
    yield found
    await found.close()


async def live(citizen: Any, build_key_binding: Any) -> None:
    """Leave something in every table, as a busy wallet has it."""
    key = await citizen.holder_key()
    await citizen.act(Action.NEW_RECOVERY_CODE)
    await citizen.grant(key)
    await citizen.sign_in()
    await journal.note_by_operator(citizen.vault, citizen.person, operator="clerk seven", note="looked at Lovelace")
    await ceremonies.begin_registration(citizen.vault, account_name="Ada Lovelace")
    await proposals.propose(citizen.vault, citizen.cookie, citizen.proposal(key, build_key_binding(nonce="n-canary-1")))


async def test_nothing_personal_lies_in_clear(
    database: Database, ada: Any, tmp_path: Path, build_key_binding: Any
) -> None:
    await live(ada, build_key_binding)
    files = list(tmp_path.glob("wallet.db*"))

    assert files
    assert all([(await database.fetch(select(table))).rows for table in store.TABLES])  # every table was looked at
    assert await doctor.examine(database, store.TABLES, canaries=CANARIES, files=files) == []


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("name_sealed", b"Ada's phone"),
        ("name_sealed", b"\x01" + b'{"given_name":"Ada"}' * 20),
        ("reading_wrapped", b64u_encode(b"x Ada's phone x").encode()),
        ("public_key", "Ada's phone".encode("utf-16-le")),
        ("protection", "Ada's phone"),
        ("person_id", "ada@example.test"),
    ],
    ids=["plain", "plain behind a version", "base64url", "utf-16", "a text as a code", "a mail address as an id"],
)
async def test_the_doctor_finds_what_a_careless_change_leaves(
    database: Database, ada: Any, column: str, value: object
) -> None:
    await database.execute(update(store.PASSKEY).values({column: value}))

    found = await doctor.examine(database, store.TABLES, canaries=CANARIES)

    assert {(each.table, each.column) for each in found} == {("vault_passkey", column)}


def test_a_column_that_does_not_say_what_it_holds_is_found() -> None:
    assert list(doctor._problems(None, "x", set())) == ["the column does not say what it holds"]


def test_a_canary_that_is_too_short_is_refused() -> None:
    with pytest.raises(ValueError, match="at least"):
        doctor.encodings("Ada")


@pytest.mark.hostile
async def test_the_database_and_every_server_secret_give_neither_claims_nor_keys(
    vault: Vault, database: Database, ada: Any, build_key_binding: Any
) -> None:
    """The thief has every row, the code, and the server's own key file; not the passkeys, cookies and printed code.

    They try each stored secret-looking value, and every public half, as the key of each sealed value.
    """
    await live(ada, build_key_binding)
    rows = {table: (await database.fetch(select(table))).rows for table in store.TABLES}
    material = [value for found in rows.values() for row in found for value in row if isinstance(value, bytes)]
    material += [str(value).encode() for found in rows.values() for row in found for value in row]
    keys = {piece for value in material for piece in (value[:32], value[-32:], value[1:33])} | {b"k" * 32}
    keys = {key for key in keys if len(key) == 32}
    (passkey,), (holder_key,) = rows[store.PASSKEY], rows[store.HOLDER_KEY]

    for key in keys:
        guess = b64u_encode(key)
        secrets = Secrets(reading=guess, signing=guess)
        with pytest.raises((BadSignature, MalformedInput)):
            ReadingKey(key).open(passkey.name_sealed, table="vault_passkey", column="name_sealed", row=passkey.id)
        with pytest.raises((BadSignature, MalformedInput)):
            SigningKey(key).open_holder_key(holder_key.sealed, person=holder_key.person_id, key_id=holder_key.id)
        for name, wrapped in (("reading", passkey.reading_wrapped), ("signing", passkey.signing_wrapped)):
            with pytest.raises(BadSignature):
                unseal(key, wrapped, at=place("vault_passkey", name, passkey.person_id, passkey.id))
        for unwrap in (unwrap_reading, unwrap_signing):
            with pytest.raises(BadSignature):
                await unwrap(passkey, secrets=secrets, kek=vault.kek)
    assert len(keys) > 50


@pytest.mark.hostile
async def test_a_database_with_the_protection_of_a_passkey_rewritten_is_not_opened_by_the_hsm(
    vault: Vault, database: Database, ada: Any
) -> None:
    await database.execute(update(store.PASSKEY).values(protection="hsm"))

    with pytest.raises(BadSignature):
        await ada.sign_in()


@pytest.mark.hostile
async def test_a_public_key_put_into_the_row_of_another_does_not_make_the_hsm_open_their_wallet(
    vault: Vault, database: Database, new_citizen: Any
) -> None:
    """Whoever writes into the database asserts with a key of their own, in the name of a passkey without PRF."""
    bob, eve = await new_citizen(prf=False), await new_citizen(prf=False)
    (his,), (hers,) = bob.authenticator.passkeys, eve.authenticator.passkeys
    found = (await database.fetch(store.PASSKEY_BY_ID, {"of_id": b64u_encode(hers.credential_id)})).first()
    await database.execute(
        update(store.PASSKEY).where(store.PASSKEY.c.person_id == bob.person).values(public_key=found.public_key)
    )
    bob.authenticator.passkeys = [replace(his, key=hers.key)]

    with pytest.raises(BadSignature):
        await bob.sign_in()


async def test_without_a_prf_another_hsm_key_opens_nothing(vault: Vault, new_citizen: Any) -> None:
    bob = await new_citizen(prf=False)
    bob.vault = replace(vault, kek=FileKek(b"another key of 32 bytes........."))

    with pytest.raises(BadSignature):
        await bob.sign_in()


async def test_the_server_adds_to_the_inbox_and_reads_nothing(database: Database, ada: Any) -> None:
    person = (await database.fetch(store.PERSON_BY_ID, {"of_id": ada.person})).first()
    sealed = seal_to(person.inbox_public, b"a deferred credential", at=place("inbox", "sealed", "row-1"))
    session = await open_session(ada.vault, ada.cookie)

    assert session.reading_key.open(sealed, table="inbox", column="sealed", row="row-1") == b"a deferred credential"
    with pytest.raises(BadSignature):
        session.reading_key.open(sealed, table="inbox", column="sealed", row="row-2")
