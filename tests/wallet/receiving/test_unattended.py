"""Unattended: what the issuer's side of a conformance suite does to a wallet, by plain HTTP."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from fastapi import FastAPI

from byoid.encoding import b64u_encode
from tests.peers.dishonest_issuer import URL, DishonestIssuer, link, offer
from tests.wallet.world import WALLET_URL
from wallet.app import create_app
from wallet.settings import WalletSettings


@dataclass
class Ticking:
    """A clock that goes as fast as the tests' machine, from another beginning."""

    begin: datetime
    started: float = field(default_factory=time.monotonic)

    def __call__(self) -> datetime:
        return self.begin + timedelta(seconds=time.monotonic() - self.started)


@pytest.fixture
def issuer(pki: Path) -> DishonestIssuer:
    return DishonestIssuer(pki, Ticking(datetime.fromisoformat("2026-11-22T08:00:00+00:00")))


@pytest.fixture
async def app(pki: Path, issuer: DishonestIssuer, tmp_path: Path) -> AsyncIterator[FastAPI]:
    settings = WalletSettings.load(
        profile="demo", public_url=WALLET_URL, database_url=f"sqlite:///{tmp_path}/wallet.db", keys=pki,
        sealing_keys=f"demo:{b64u_encode(b'w' * 32)}", trust=pki / "trust.toml", kek=f"file:{tmp_path}/kek",
        issuers=(URL,), unattended_person="Conformance",
    )  # fmt: skip
    found = create_app(settings, clock=issuer.clock, mounts={URL: httpx2.ASGITransport(issuer.app)})
    async with found.router.lifespan_context(found):
        yield found


@pytest.fixture
async def tool(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=WALLET_URL) as client:
        yield client


async def follow(tool: httpx2.AsyncClient, page: httpx2.Response) -> httpx2.Response:
    """Follow redirects within the wallet."""
    while page.status_code == 303 and page.headers["location"].startswith("/"):
        page = await tool.get(page.headers["location"])
    return page


async def test_the_wallet_begins_by_itself_and_comes_back_from_the_login(
    tool: httpx2.AsyncClient, issuer: DishonestIssuer
) -> None:
    begun = await tool.get("/wallet-initiated", params={"credential_issuer": URL, "configuration_id": "pid"})
    assert begun.headers["location"].startswith(f"{URL}/")
    ((state,),) = [members["state"] for endpoint, members in issuer.seen if endpoint == "par"]
    back = {"code": "authorization-code", "state": state, "iss": URL}

    page = await follow(tool, await tool.get("/callback", params=back))

    assert 'id="issuance-complete"' in page.text


async def test_an_issuer_that_the_operator_does_not_list_is_not_asked(tool: httpx2.AsyncClient) -> None:
    page = await tool.get(
        "/wallet-initiated", params={"credential_issuer": "https://other.test", "configuration_id": "pid"}
    )

    assert 'id="wallet-error"' in page.text


async def test_a_deferred_card_is_waited_for(tool: httpx2.AsyncClient, issuer: DishonestIssuer) -> None:
    issuer.defer = 1
    page = await follow(tool, await tool.get(f"/credential-offer?{urlsplit(link(offer())).query}"))

    assert 'id="issuance-complete"' in page.text
    assert "/cards/" in (await tool.get("/")).text


async def test_a_deferred_card_that_is_bad_ends_at_the_error_page(
    tool: httpx2.AsyncClient, issuer: DishonestIssuer
) -> None:
    issuer.defer = 1
    issuer.finish = lambda credential: credential[:-8]
    page = await follow(tool, await tool.get(f"/credential-offer?{urlsplit(link(offer())).query}"))

    assert 'id="wallet-error"' in page.text
