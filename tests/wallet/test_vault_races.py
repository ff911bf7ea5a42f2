"""Two things at once: an approval that was given is obeyed only if it still stands when it is obeyed.

A passkey's approval passes the gate; before it is obeyed, its owner recovers the wallet, locks it, removes that passkey
or deletes everything. The wrapping key waits at that moment, as an HSM does, and lets the other act come between.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from sqlalchemy import func, select

from byoid.encoding import b64u_encode
from wallet import accounts, recovery, store
from wallet.authenticator import SoftwareAuthenticator
from wallet.vault import actions, gate, journal, proposals
from wallet.vault.context import Vault
from wallet.vault.contract import Action, NotSignedIn, PagePost, Proposal
from wallet.vault.kek import FileKek, Protection
from wallet.vault.keys import PersonId

pytestmark = pytest.mark.hostile
NewCitizen = Callable[..., Awaitable[Any]]
ORIGIN = "https://wallet.test"


@dataclass
class SlowKek:
    """The wrapping key of a browser without PRF. Once, `meanwhile` happens while it works."""

    kek: FileKek
    meanwhile: Callable[[], Awaitable[None]] | None = None
    protection: Protection = Protection.HSM

    async def wrap(self, key: bytes, *, context: bytes) -> bytes:
        return await self.kek.wrap(key, context=context)

    async def unwrap(self, wrapped: bytes, *, context: bytes) -> bytes:
        if (meanwhile := self.meanwhile) is not None:
            self.meanwhile = None
            await meanwhile()
        return await self.kek.unwrap(wrapped, context=context)


@pytest.fixture
def kek() -> SlowKek:
    return SlowKek(FileKek(b"k" * 32))


@pytest.fixture
def vault(vault: Vault, kek: SlowKek, wait_nothing: Vault) -> Vault:
    return replace(wait_nothing, kek=kek)


@pytest.fixture
async def ada(new_citizen: NewCitizen) -> Any:
    return await new_citizen(prf=False)


async def _recover(vault: Vault, ada: Any, code: str) -> None:
    await recovery.begin_recovery(vault, code)
    ceremony = await recovery.begin_recovery_passkey(vault, code, account_name="Ada")
    post = PagePost(**SoftwareAuthenticator(ORIGIN, prf=False).create(ceremony.model_dump()))
    await recovery.recover(vault, code, post, name="New phone", label="")


async def _lock(vault: Vault, ada: Any, code: str) -> None:
    await accounts.lock_wallet(vault, ada.cookie)


async def _lock_with_code(vault: Vault, ada: Any, code: str) -> None:
    await recovery.lock_with_code(vault, code)


async def _lock_by_operator(vault: Vault, ada: Any, code: str) -> None:
    await journal.lock_by_operator(vault, PersonId(ada.person), operator="clerk 7", reason="reported stolen")


async def _delete(vault: Vault, ada: Any, code: str) -> None:
    await ada.act(Action.DELETE_ACCOUNT)


async def _remove_the_passkey(vault: Vault, ada: Any, code: str) -> None:
    """From another browser, by another passkey of hers."""
    stolen, own = ada.authenticator.passkeys[0], ada.authenticator.passkeys[1]
    phone = replace(ada, authenticator=SoftwareAuthenticator(ORIGIN, prf=False, passkeys=[own]))
    await phone.sign_in()
    await phone.act(Action.REMOVE_PASSKEY, option=b64u_encode(stolen.credential_id))


MEANWHILE = [_recover, _lock, _lock_with_code, _lock_by_operator, _delete, _remove_the_passkey]


async def _adding(vault: Vault, thief: Any) -> PagePost:
    creation = await actions.begin_adding_passkey(vault, thief.cookie, account_name="Eve")
    created = PagePost(**SoftwareAuthenticator(ORIGIN, prf=False).create(creation.model_dump()))
    return thief.answer(await actions.propose_passkey(vault, thief.cookie, created, name="Eve's"))  # type: ignore[no-any-return]  # a fixture's


async def _new_code(vault: Vault, thief: Any) -> PagePost:
    proposal = Proposal(action=Action.NEW_RECOVERY_CODE, consent_id="code", option="", shown=b"s" * 32)
    return thief.answer(await proposals.propose(vault, thief.cookie, proposal))  # type: ignore[no-any-return]  # a fixture's


async def _rows(vault: Vault, person: str) -> dict[str, Any]:
    tables = (store.PASSKEY, store.RECOVERY, store.SESSION)
    return {
        table.name: (
            await vault.store.database.fetch(select(func.count()).select_from(table).where(table.c.person_id == person))
        ).scalar()
        for table in tables
    }


@pytest.mark.parametrize("meanwhile", MEANWHILE)
@pytest.mark.parametrize("act", [_adding, _new_code])
async def test_whoever_held_a_passkey_leaves_no_way_in_behind(
    vault: Vault, kek: SlowKek, ada: Any, act: Callable[..., Any], meanwhile: Callable[..., Any]
) -> None:
    """A thief's approval is on its way while the owner ends what it rests on: it must bring nothing about."""
    code = (await ada.act(Action.NEW_RECOVERY_CODE)).recovery_code
    thief = replace(ada, authenticator=replace(ada.authenticator, passkeys=ada.authenticator.passkeys[:1]))
    await thief.sign_in()
    if meanwhile is _remove_the_passkey:
        await ada.add_passkey(ada.authenticator)
    post = await act(vault, thief)
    after: dict[str, Any] = {}

    async def owner() -> None:
        await meanwhile(vault, ada, code)
        after.update(await _rows(vault, ada.person))

    kek.meanwhile = owner
    with pytest.raises(NotSignedIn):
        await gate.approve(vault, thief.cookie, post)

    assert await _rows(vault, ada.person) == after
