"""A vault in memory, a clock that tests move, and citizens with software authenticators."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest

from byoid.encoding import b64u_encode, json_dumps
from byoid.service.database import Database
from byoid.service.seal import Sealer
from wallet.authenticator import SoftwareAuthenticator
from wallet.limits import Limits
from wallet.passkeys import WebAuthnParty
from wallet.store import VaultStore
from wallet.tables import VaultTable, WalletTable
from wallet.vault import actions, ceremonies, gate, holder_keys, proposals
from wallet.vault.context import Vault
from wallet.vault.contract import Action, Approved, HolderKeyView, KeyProofs, PagePost, Proposal, SigningInput
from wallet.vault.kek import FileKek

ORIGIN = "https://wallet.test"


@dataclass
class Clock:
    now: datetime = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass
class Citizen:
    """Somebody with a browser, an authenticator and a session."""

    vault: Vault
    authenticator: SoftwareAuthenticator
    cookie: str = ""
    person: str = ""
    keys: list[HolderKeyView] = field(default_factory=list)

    async def register(self, name: str = "Ada's phone") -> "Citizen":
        ceremony = await ceremonies.begin_registration(self.vault, account_name="Ada Lovelace")
        post = PagePost(**self.authenticator.create(ceremony.model_dump()))
        signed_in = await ceremonies.register(self.vault, post, name=name, label="Firefox on Android")
        self.cookie, self.person = signed_in.cookie, signed_in.session.person
        return self

    async def sign_in(self) -> "Citizen":
        ceremony = await ceremonies.begin_sign_in(self.vault)
        signed_in = await ceremonies.sign_in(self.vault, self.answer(ceremony), label="Firefox on Android")
        self.cookie, self.person = signed_in.cookie, signed_in.session.person
        return self

    def answer(self, ceremony: Any) -> PagePost:
        return PagePost(**self.authenticator.get(ceremony.model_dump()))

    def answer_as_sent(self, ceremony: Any) -> dict[str, Any]:
        return self.authenticator.get(ceremony.model_dump())

    async def holder_key(self) -> HolderKeyView:
        (key,) = await holder_keys.create_holder_keys(self.vault, self.cookie, count=1)
        self.keys.append(key)
        return key

    def proposal(self, key: HolderKeyView, data: bytes | None = None, **changes: Any) -> Proposal:
        found = Proposal(
            action=Action.PRESENT,
            consent_id="consent-1",
            option="option-1",
            shown=sha256(b"Ada's employer asks for her name").digest(),
            inputs=(SigningInput(key_id=key.id, data=data or key_binding()),),
        )
        return found.model_copy(update=changes)

    async def act(self, action: Action, *, option: str = "", **changes: Any) -> Approved:
        proposal = Proposal(
            action=action, consent_id="account-1", option=option, shown=sha256(action.encode()).digest(), **changes
        )
        ceremony = await proposals.propose(self.vault, self.cookie, proposal)
        return await gate.approve(self.vault, self.cookie, self.answer(ceremony))

    async def grant(self, *keys: HolderKeyView, audience: str = "https://issuer.test") -> str:
        terms = KeyProofs(audience=audience, key_ids=tuple(key.id for key in keys))
        approved = await self.act(Action.RECEIVE, option="pid", key_proofs=terms)
        assert approved.grant is not None
        return approved.grant

    async def add_passkey(self, other: SoftwareAuthenticator, name: str = "Ada's laptop") -> None:
        creation = await actions.begin_adding_passkey(self.vault, self.cookie, account_name="Ada Lovelace")
        created = other.create(creation.model_dump())
        ceremony = await actions.propose_passkey(self.vault, self.cookie, PagePost(**created), name=name)
        post = self.answer(ceremony).model_copy(update={"new_secrets": PagePost(**created).secrets})
        await gate.approve(self.vault, self.cookie, post)


def key_binding(**changes: Any) -> bytes:
    claims = {"iat": 1795334400, "aud": "x509_hash:abc", "nonce": "n-1", "sd_hash": "h", **changes}
    return signing_input({"typ": "kb+jwt", "alg": "ES256"}, claims)


def signing_input(header: dict[str, Any], claims: dict[str, Any]) -> bytes:
    return f"{b64u_encode(json_dumps(header))}.{b64u_encode(json_dumps(claims))}".encode()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def database() -> AsyncIterator[Database]:
    found = await Database.open("sqlite://")
    await found.create_all(VaultTable.metadata)
    yield found
    await found.close()


@pytest.fixture
def vault(database: Database, clock: Clock) -> Vault:
    party = WebAuthnParty(id="wallet.test", name="Wallet", origins=(ORIGIN,))
    return Vault(store=VaultStore(database), party=party, kek=FileKek(b"k" * 32), clock=clock)


@pytest.fixture
def new_citizen(vault: Vault) -> Callable[..., Awaitable[Citizen]]:
    async def make(**authenticator: Any) -> Citizen:
        return await Citizen(vault, SoftwareAuthenticator(ORIGIN, **authenticator)).register()

    return make


@pytest.fixture
async def ada(new_citizen: Callable[..., Awaitable[Citizen]]) -> Citizen:
    return await new_citizen()


@pytest.fixture
def wait_nothing(vault: Vault) -> Vault:
    return replace(vault, policy=replace(vault.policy, recovery_wait=timedelta(0)))


@pytest.fixture
async def limits(database: Database, clock: Clock) -> Limits:
    await database.create_all(WalletTable.metadata)
    return Limits.of(database, Sealer({"test": b"s" * 32}), clock=clock)


@pytest.fixture
def build_signing_input() -> Callable[..., bytes]:
    return signing_input


@pytest.fixture
def build_key_binding() -> Callable[..., bytes]:
    return key_binding
