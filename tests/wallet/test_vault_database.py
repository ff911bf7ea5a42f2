"""The vault on both engines: races that only one may win, and a web role that may not touch the vault's tables."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from byoid.errors import Replayed
from byoid.keys import PublicKey
from byoid.service.database import Database
from wallet import recovery, store
from wallet.authenticator import SoftwareAuthenticator
from wallet.tables import VaultTable
from wallet.vault import actions, ceremonies, gate, proposals
from wallet.vault.context import Vault
from wallet.vault.contract import Action, LastPasskey, NotApproved, PagePost

ORIGIN = "https://wallet.test"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """The vault's tables, once for each engine."""
    found = await Database.open(database_url)
    await found.create_all(VaultTable.metadata)
    yield found
    await found.close()


async def outcomes(*attempts: Any) -> list[type]:
    return [type(each) for each in await asyncio.gather(*attempts, return_exceptions=True)]


async def test_the_whole_journey(vault: Vault, ada: Any, clock: Any, build_key_binding: Any) -> None:
    laptop, key, data = SoftwareAuthenticator(ORIGIN), await ada.holder_key(), build_key_binding()
    await ada.add_passkey(laptop)
    code = (await ada.act(Action.NEW_RECOVERY_CODE)).recovery_code
    await recovery.begin_recovery(vault, code)
    clock.advance(days=3)
    creation = await recovery.begin_recovery_passkey(vault, code, account_name="Ada")
    ada.authenticator = SoftwareAuthenticator(ORIGIN)
    post = PagePost(**ada.authenticator.create(creation.model_dump()))
    ada.cookie = (await recovery.recover(vault, code, post, name="New", label="")).signed_in.cookie
    ceremony = await proposals.propose(vault, ada.cookie, ada.proposal(key, data))
    approved = await gate.approve(vault, ada.cookie, ada.answer(ceremony))
    await ada.act(Action.DELETE_ACCOUNT)

    PublicKey.from_jwk(key.public_jwk).verify("ES256", data, *approved.signatures)


@pytest.mark.hostile
async def test_an_approval_is_answered_by_one_of_many_at_once(vault: Vault, ada: Any) -> None:
    ceremony = await proposals.propose(vault, ada.cookie, ada.proposal(await ada.holder_key()))
    posts = [ada.answer(ceremony) for _ in range(5)]

    found = await outcomes(*(gate.approve(vault, ada.cookie, post) for post in posts))

    assert found.count(NotApproved) == 4


@pytest.mark.hostile
async def test_a_sign_in_is_answered_by_one_of_many_at_once(vault: Vault, ada: Any) -> None:
    post = ada.answer(await ceremonies.begin_sign_in(vault))

    found = await outcomes(*(ceremonies.sign_in(vault, post, label="") for _ in range(5)))

    assert found.count(Replayed) == 4


@pytest.mark.hostile
async def test_the_last_two_passkeys_are_not_both_removed_at_once(vault: Vault, ada: Any) -> None:
    await ada.add_passkey(SoftwareAuthenticator(ORIGIN))
    passkeys = (await vault.store.database.fetch(store.PASSKEYS_OF, {"of_person_id": ada.person})).rows
    consents = [await removal_of(ada, row.id) for row in passkeys]

    found = await outcomes(*(actions.remove_passkey(vault, consent) for consent in consents))

    assert found.count(LastPasskey) == 1
    assert len((await vault.store.database.fetch(store.PASSKEYS_OF, {"of_person_id": ada.person})).rows) == 1


async def removal_of(citizen: Any, passkey_id: str) -> Any:
    """A consent whose assertion was verified: the race is in what comes after."""
    proposal = citizen.proposal(await citizen.holder_key(), action=Action.REMOVE_PASSKEY, option=passkey_id, inputs=())
    ceremony = await proposals.propose(citizen.vault, citizen.cookie, proposal)
    return await gate.verify_consent(citizen.vault, citizen.cookie, citizen.answer(ceremony))


@pytest.mark.postgres
@pytest.mark.hostile
async def test_the_web_parts_role_may_not_touch_the_vault(postgres_socket: Any) -> None:
    """What `wallet/README.md` tells operators to set up: two roles, the vault's tables owned by one."""
    admin = await asyncpg.connect(host=str(postgres_socket), user="postgres", database="postgres")
    for role in ("vault_owner", "wallet_web"):
        await admin.execute(f"CREATE ROLE {role} LOGIN")
    await admin.execute("CREATE DATABASE split OWNER vault_owner TEMPLATE template0")
    database = await Database.open(f"postgresql://vault_owner@/split?host={postgres_socket}")
    await database.create_all(VaultTable.metadata)
    await database.close()
    web = await asyncpg.connect(host=str(postgres_socket), user="wallet_web", database="split")
    try:
        for table in VaultTable.metadata.sorted_tables:
            for statement in (f"SELECT * FROM {table}", f"DELETE FROM {table}"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await web.execute(statement)
    finally:
        await web.close()
        await admin.execute("DROP DATABASE split WITH (FORCE)")
        for role in ("vault_owner", "wallet_web"):
            await admin.execute(f"DROP ROLE {role}")
        await admin.close()


@pytest.mark.hostile
async def test_a_recovery_leaves_one_passkey_whatever_is_added_meanwhile(vault: Vault, ada: Any, clock: Any) -> None:
    code = (await ada.act(Action.NEW_RECOVERY_CODE)).recovery_code
    await recovery.begin_recovery(vault, code)
    clock.advance(days=3)
    await ada.sign_in()
    posts = []
    for _ in range(3):
        creation = await actions.begin_adding_passkey(vault, ada.cookie, account_name="Eve")
        created = PagePost(**SoftwareAuthenticator(ORIGIN).create(creation.model_dump()))
        asked = await actions.propose_passkey(vault, ada.cookie, created, name="Eve's")
        posts.append(ada.answer(asked).model_copy(update={"new_secrets": created.secrets}))
    creation = await recovery.begin_recovery_passkey(vault, code, account_name="Ada")
    post = PagePost(**SoftwareAuthenticator(ORIGIN).create(creation.model_dump()))

    await outcomes(
        *(gate.approve(vault, ada.cookie, each) for each in posts[:2]),
        recovery.recover(vault, code, post, name="New", label=""),
        *(gate.approve(vault, ada.cookie, each) for each in posts[2:]),
    )

    rows = (await vault.store.database.fetch(store.PASSKEYS_OF, {"of_person_id": ada.person})).rows
    assert [row.id for row in rows] == [post.credential["id"]]
