"""Fixtures: an issuer that a test can bend, a wallet that reaches it, a citizen, and what they do together."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from demo.pki import make_pki
from tests.peers.dishonest_issuer import URL, DishonestIssuer, link, offer
from tests.wallet.world import Citizen, open_wallet
from wallet.cards import load_cards
from wallet.content_tables import Kind
from wallet.context import Visit, Wallet
from wallet.offers import open_link, start_from_catalogue
from wallet.receiving import GoTo, Outcome, approve, complete_authorization, propose
from wallet.tables import HolderKey

BEGIN = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
HOLDER_KEYS = vars(HolderKey)["__table__"]


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("receiving") / "pki"
    make_pki(folder, host="dishonest.test", now=BEGIN - timedelta(hours=1))
    return folder


@pytest.fixture
def issuer(pki: Path, clock: Any) -> DishonestIssuer:
    return DishonestIssuer(pki, clock)


@pytest.fixture
async def wallet(pki: Path, issuer: DishonestIssuer, clock: Any) -> AsyncIterator[Wallet]:
    mounts = {URL: httpx2.ASGITransport(issuer.app)}
    async with open_wallet(pki, clock=clock, mounts=mounts, issuers=(URL,)) as wallet:
        yield wallet


@dataclass
class Receiver(Citizen):
    """A citizen who receives."""

    async def receive(self, members: dict[str, Any] | None = None, *, tx_code: str | None = None) -> Outcome:
        """Open an offer, approve it, and return what came of it."""
        visit = await self.visit()
        receipt = await open_link(self.wallet, visit, link(members or offer()))
        return await self.approve(visit, receipt.id, tx_code=tx_code)

    async def approve(self, visit: Visit, receipt_id: str, *, tx_code: str | None = None) -> Outcome:
        """Approve what was opened."""
        ceremony = await propose(self.wallet, visit, receipt_id)
        return await approve(self.wallet, visit, receipt_id, self.answer(ceremony), tx_code=tx_code)

    async def log_in(self, *configuration_ids: str) -> dict[str, str]:
        """Start from the catalogue, approve, go to the login, and return the parameters of an honest way back."""
        visit = await self.visit()
        wanted = configuration_ids or ("pid",)
        receipt = await start_from_catalogue(self.wallet, visit, credential_issuer=URL, configuration_ids=wanted)
        outcome = await self.approve(visit, receipt.id)
        assert isinstance(outcome, GoTo)
        assert parse_qs(urlsplit(outcome.url).query)["request_uri"]
        state = (await self.receipts())[-1]["conversation"]["state"]
        return {"code": "authorization-code", "state": state, "iss": URL}

    async def come_back(self, parameters: dict[str, str]) -> Outcome:
        """Come back from the login."""
        return await complete_authorization(self.wallet, await self.visit(), parameters)

    async def receipts(self) -> list[dict[str, Any]]:
        """What is on its way."""
        return [dict(kept.value) for kept in await (await self.visit()).contents.all(Kind.RECEIPT)]

    async def holdings(self) -> dict[str, int]:
        """Count what the wallet keeps that could be used: cards, copies, promises, holder keys."""
        contents = (await self.visit()).contents
        keys = await contents.store.database.fetch(HOLDER_KEYS.select(), {})
        return {
            "cards": len(await load_cards(contents)),
            "copies": len(await contents.all(Kind.COPY)),
            "promises": len(await contents.all(Kind.DEFERRED)),
            "keys": len(keys.rows),
        }


@pytest.fixture
async def citizen(wallet: Wallet) -> Receiver:
    found = Receiver(wallet)
    await found.register()
    return found


@pytest.fixture
async def stranger(wallet: Wallet) -> Receiver:
    found = Receiver(wallet)
    await found.register()
    return found
