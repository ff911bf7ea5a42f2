"""A whole wallet in this process for tests, and a citizen with a software authenticator."""

import os
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx2

from byoid.encoding import b64u_encode
from byoid.oauth.jwt import Trust
from byoid.service.database import Database
from byoid.service.http import http_client
from byoid.service.seal import Sealer
from byoid.service.trust_files import load_signer, load_trust
from byoid.trust.x509 import ChainCache
from wallet.app import make_notices
from wallet.authenticator import SoftwareAuthenticator
from wallet.contents import ContentStore
from wallet.context import Visit, Wallet
from wallet.issuer_client import IssuerClient
from wallet.limits import Limits
from wallet.passkeys import WebAuthnParty
from wallet.provider import WalletProvider
from wallet.settings import WalletSettings
from wallet.store import VaultStore
from wallet.tables import VaultTable, WalletTable
from wallet.telling import TellingDoor
from wallet.vault import ceremonies
from wallet.vault.context import Vault
from wallet.vault.contract import Ceremony, LocalDoor, PagePost, Proposal, VaultDoor
from wallet.vault.kek import FileKek
from wallet.verifier_client import VerifierClient
from wallet.verifier_files import load_verifiers

WALLET_URL = "https://wallet.test"


@asynccontextmanager
async def open_wallet(
    keys: Path,
    *,
    clock: Callable[[], datetime],
    mounts: Mapping[str, httpx2.AsyncBaseTransport],
    database_url: str = "sqlite://",
    **settings: Any,
) -> AsyncIterator[Wallet]:
    """Open a wallet whose keys and trust are those of a demo PKI, and that reaches its peers through `mounts`."""
    made = WalletSettings.load(
        profile="demo",
        public_url=WALLET_URL,
        database_url=database_url,
        sealing_keys=f"demo:{b64u_encode(os.urandom(32))}",
        trust=keys / "trust.toml",
        keys=keys,
        kek="file:unused",
        **settings,
    )
    database = await Database.open(database_url)
    await database.create_all(VaultTable.metadata)
    await database.create_all(WalletTable.metadata)
    nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # peers are in this process; reading the system's roots is slow
    client = http_client(made, mounts=mounts, ssl_context=nobody)
    trust = Trust(load_trust(made.trust), ChainCache())
    party = WebAuthnParty(id="wallet.test", name="Wallet", origins=(WALLET_URL,))
    vault = Vault(store=VaultStore(database), party=party, kek=FileKek(b"k" * 32), clock=clock)
    provider = WalletProvider(
        settings=made,
        signer=load_signer(keys / "wallet-provider.key", keys / "wallet-provider.pem"),
        status_signer=load_signer(keys / "wallet-status.key", keys / "wallet-status.pem"),
        database=database,
        clock=clock,
    )
    notices = make_notices(made, database, client)
    try:
        yield Wallet(
            settings=made,
            contents=ContentStore(database),
            door=TellingDoor(LocalDoor(vault), notices, clock=clock),
            issuers=IssuerClient(client, trust=trust, clock=clock),
            verifiers=VerifierClient(client, trust=load_verifiers(trust.anchors)),
            provider=provider,
            trust=trust,
            notices=notices,
            limits=Limits.of(database, Sealer.from_settings(made), clock=clock),
            clock=clock,
        )
    finally:
        await client.aclose()
        await database.close()


@dataclass
class Citizen:
    """Somebody with a browser, an authenticator and a session in a wallet."""

    wallet: Wallet
    authenticator: SoftwareAuthenticator = field(default_factory=lambda: SoftwareAuthenticator(WALLET_URL))
    cookie: str = ""

    async def register(self) -> "Citizen":
        """Make a wallet."""
        ceremony = await self.wallet.door.run(ceremonies.begin_registration, account_name="Zoë")
        post = PagePost(**self.authenticator.create(ceremony.model_dump()))
        signed_in = await self.wallet.door.run(ceremonies.register, post, name="Phone", label="Firefox")
        self.cookie = signed_in.cookie
        return self

    async def sign_in(self) -> "Citizen":
        """Sign in again."""
        ceremony = await self.wallet.door.run(ceremonies.begin_sign_in)
        signed_in = await self.wallet.door.run(ceremonies.sign_in, self.answer(ceremony), label="Firefox")
        self.cookie = signed_in.cookie
        return self

    def answer(self, ceremony: Ceremony) -> PagePost:
        """Touch the authenticator."""
        return PagePost(**self.authenticator.get(ceremony.model_dump()))

    async def visit(self) -> Visit:
        """Open the wallet."""
        return await self.wallet.visit(self.cookie)


@dataclass
class WatchedDoor:
    """The way into the vault, which remembers what was proposed to it."""

    door: VaultDoor
    proposals: list[Proposal] = field(default_factory=list)

    async def run(self, operation: Any, *args: Any, **kwargs: Any) -> Any:
        """Run one of the vault's operations."""
        self.proposals += [each for each in args if isinstance(each, Proposal)]
        return await self.door.run(operation, *args, **kwargs)
