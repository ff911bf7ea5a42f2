"""An issuer of Lindenmoor in this process, honest wallets, browsers, and a wallet provider with status lists."""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport

from byoid.encoding import b64u_encode
from byoid.formats.status_array import StatusArray
from byoid.formats.status_list import JWT_MEDIA_TYPE, prepare_status_list_token
from byoid.service.trust_files import load_signer
from byoid.signing import SoftwareSigner, sign_now
from demo.people import make_register
from demo.pki import make_pki
from issuer.app import create_app
from issuer.attributes import AttributeSource, Record
from issuer.context import Issuer
from issuer.credential_types import CATALOGUE
from issuer.offers import create_offer
from issuer.recognition import NotRecognised
from issuer.settings import IssuerSettings
from issuer.sources.mapping import load_mapping
from issuer.sources.sql import SqlSource
from tests.conftest import NOW
from tests.peers.dishonest_wallet.wallet import Browser, Wallet, WalletProvider, query_of

URL = "https://issuer.test"
PROVIDER_URL = "https://provider.test"
ADA = "1000000076"  # an ordinary person of the register
PASSWORDS = {"ada": ("correct horse", ADA), "bob": ("battery staple", "1000000084")}
ROOT = Path(__file__).parents[2]

# A type whose keys must be attested as highly resistant; otherwise a residence certificate.
ATTESTED = """
id = "attested"
stability = "own"
name = { en = "Attested", de = "Bestätigt", fr = "Attesté", es = "Atestado" }
description = { en = "A", de = "B", fr = "C", es = "D" }
colours = { background = "#0b3d73", text = "#ffffff" }
validity_days = 30
status = true
[sd_jwt_vc]
configuration_id = "attested_sd_jwt"
vct = "{public_url}/types/attested"
[keys]
key_storage = ["iso_18045_high"]
user_authentication = ["iso_18045_high"]
[reuse]
methods = ["once_only"]
batch_size = 20
reissue_trigger_unused = 3
[[claims]]
attribute = "family_name"
kind = "text"
required = true
sd_jwt = "family_name"
label = { en = "Family name", de = "Familienname", fr = "Nom", es = "Apellidos" }
"""


class Accounts:
    """Local accounts for tests."""

    async def recognise(self, username: str, password: str) -> str:
        found = PASSWORDS.get(username)
        if found is None or found[0] != password:
            raise NotRecognised("wrong")
        return found[1]


@dataclass
class Source:
    """The register; a test may make it fail."""

    real: AttributeSource
    fails: Exception | None = None
    hangs: Callable[[], Awaitable[None]] | None = None

    async def record(self, person: str, credential_type: str) -> Record:
        if self.hangs is not None:
            await self.hangs()
        if self.fails is not None:
            raise self.fails
        return await self.real.record(person, credential_type)


@dataclass
class ProviderServer:
    """The wallet provider's status list, served at `PROVIDER_URL`; `revoked` and `down` are for tests."""

    signer: SoftwareSigner
    clock: Callable[[], datetime]
    revoked: set[int] = field(default_factory=set)
    suspended: set[int] = field(default_factory=set)
    down: bool = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        array = StatusArray.of_size(1024, bits=2)
        for index in self.revoked:
            array.set_status(index, 1)
        for index in self.suspended:
            array.set_status(index, 2)
        unsigned = prepare_status_list_token(
            array, uri=f"{PROVIDER_URL}/status", issued_at=self.clock(), expires_at=self.clock() + timedelta(hours=1),
            ttl=timedelta(seconds=1), algorithm="ES256", x5c=self.signer.x5c,
        )  # fmt: skip
        body = sign_now(unsigned, self.signer.key).encode()
        status = 503 if self.down else 200
        headers = [(b"content-type", JWT_MEDIA_TYPE.encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@dataclass
class Peer:
    """The issuer under test, and what a test needs around it."""

    app: FastAPI
    issuer: Issuer
    http: httpx2.AsyncClient
    source: Source
    provider: WalletProvider
    provider_server: ProviderServer
    clock: Any

    def wallet(self, **changes: Any) -> Wallet:
        changes.setdefault("provider", self.provider)
        return Wallet(http=self.http, issuer=self.issuer.url, clock=self.clock, **changes)

    @asynccontextmanager
    async def browser(self) -> AsyncIterator[Browser]:
        transport = ASGITransport(self.app)
        async with httpx2.AsyncClient(transport=transport, base_url=self.issuer.url, timeout=30) as http:
            yield Browser(http)

    async def offer(self, *configuration_ids: str, **arguments: Any) -> tuple[dict[str, Any], str | None]:
        """Make an offer; return it as a wallet fetches it, and its transaction code."""
        arguments.setdefault("person", ADA)
        made = await create_offer(self.issuer, configuration_ids=configuration_ids, **arguments)
        return (await self.http.get(made.uri)).json(), made.tx_code

    async def wallet_with_token(self, *configuration_ids: str, **changes: Any) -> Wallet:
        wallet = self.wallet(**changes)
        offer, tx_code = await self.offer(*(configuration_ids or ("pid_sd_jwt",)))
        answer = await wallet.redeem_offer(offer, tx_code)
        assert answer.status_code == 200, answer.text
        return wallet

    async def consent(self, wallet: Wallet, *, username: str = "ada", **wish: Any) -> dict[str, str]:
        """Go through the pages; return what the redirect brings back."""
        pushed = await wallet.push(**(wish or {"scope": "pid_sd_jwt"}))
        assert pushed.status_code == 201, pushed.text
        async with self.browser() as browser:
            await browser.open(authorize_url(wallet, pushed))
            await browser.press("login", username=username, password=PASSWORDS[username][0])
            await browser.follow()
            return query_of(await browser.press("consent-approve"))

    async def count(self, table: str) -> int:
        from sqlalchemy import func, select

        from issuer.tables import IssuerTable

        statement = select(func.count()).select_from(IssuerTable.metadata.tables[table])
        found = (await self.issuer.store.database.fetch(statement)).scalar()
        return int(found or 0)


def authorize_url(wallet: Wallet, pushed: httpx2.Response) -> str:
    query = {"client_id": wallet.client_id, "request_uri": pushed.json()["request_uri"]}
    return f"{wallet.issuer}/authorize?{urlencode(query)}"


@pytest.fixture(scope="session")
def agency(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Register, certificates and catalogue of an agency."""
    folder = tmp_path_factory.mktemp("agency")
    make_register(folder / "register.db")
    make_pki(folder / "pki", host="localhost", now=NOW - timedelta(days=1))
    shutil.copytree(CATALOGUE, folder / "catalogue")
    (folder / "catalogue" / "attested.toml").write_text(ATTESTED, "utf-8")
    return folder


@pytest.fixture
def issuer_settings(agency: Path, tmp_path: Path) -> dict[str, Any]:
    """Settings of a test's issuer; a test changes what it is about."""
    return {
        "profile": "demo",
        "public_url": URL,
        "database_url": f"sqlite:///{tmp_path}/issuer.db",
        "sealing_keys": f"demo:{b64u_encode(bytes(range(32)))}",
        "keys": agency / "pki",
        "trust": agency / "pki" / "trust.toml",
        "catalogue": agency / "catalogue",
    }


@pytest.fixture
def open_issuer(agency: Path, issuer_settings: dict[str, Any], clock: Any) -> Callable[..., Any]:
    """Open an issuer with other settings: `async with open_issuer(encryption="required") as peer`."""

    @asynccontextmanager
    async def open_(**changes: Any) -> AsyncIterator[Peer]:
        settings = IssuerSettings.load(**{**issuer_settings, **changes})
        source = Source(SqlSource(
            f"sqlite:///{agency}/register.db", query="SELECT * FROM person WHERE person_number = :person",
            mapping=load_mapping(ROOT / "demo" / "register.toml"),
        ))  # fmt: skip
        key = load_signer(agency / "pki" / "wallet-provider.key", agency / "pki" / "wallet-provider.pem")
        status = load_signer(agency / "pki" / "wallet-status.key", agency / "pki" / "wallet-status.pem")
        server = ProviderServer(status, clock)
        app = create_app(
            settings, source=source, recognition=Accounts(), clock=clock,
            mounts={PROVIDER_URL: ASGITransport(server)},
        )  # fmt: skip
        async with app.router.lifespan_context(app):
            transport = ASGITransport(app)
            async with httpx2.AsyncClient(transport=transport, base_url=settings.public_url, timeout=30) as http:
                provider = WalletProvider(key.key, key.x5c)
                yield Peer(app, app.state.issuer, http, source, provider, server, clock)

    return open_


@pytest.fixture
async def peer(open_issuer: Callable[..., Any]) -> AsyncIterator[Peer]:
    """An issuer as HAIP wants it."""
    async with open_issuer() as found:
        yield found
