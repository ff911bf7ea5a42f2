"""A request that breaks a rule: the citizen reads that the wallet refused it, and decides whether the service hears."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from byoid.encoding import b64u_encode
from tests.peers.dishonest_verifier import URL, VerifierPeer
from wallet.app import create_app
from wallet.authenticator import SoftwareAuthenticator
from wallet.settings import WalletSettings

WALLET = "https://wallet.test"


@pytest.fixture
async def browser(pki: Path, tmp_path: Path, verifier: VerifierPeer, clock: Any) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser whose citizen is signed in."""
    settings = WalletSettings.load(
        profile="demo", public_url=WALLET, database_url=f"sqlite:///{tmp_path}/wallet.db", keys=pki,
        sealing_keys=f"demo:{b64u_encode(b'w' * 32)}", trust=pki / "trust.toml", kek=f"file:{tmp_path}/kek",
    )  # fmt: skip
    app = create_app(settings, clock=clock, mounts={URL: httpx2.MockTransport(lambda asked: verifier.handle(asked))})
    headers = {"Accept": "text/html", "Origin": WALLET}
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=WALLET, headers=headers) as client,
    ):
        authenticator = SoftwareAuthenticator(WALLET)
        ceremony = (await client.post("/passkeys/register/options", json={"account_name": "Ada"})).json()
        await client.post("/passkeys/register", json={**authenticator.create(ceremony), "name": "phone"})
        yield client


async def refused(browser: httpx2.AsyncClient, verifier: VerifierPeer, **changes: str) -> str:
    verifier.scheme = f"{WALLET}/authorize"
    verifier.claims.update(changes)
    page = await browser.get(verifier.link)
    assert page.status_code == 400
    assert 'id="wallet-error" data-code="error-bad-request"' in page.text
    assert verifier.posted == []
    return page.text


async def test_the_citizen_has_the_service_told(browser: httpx2.AsyncClient, verifier: VerifierPeer) -> None:
    page = await refused(browser, verifier, redirect_uri=f"{URL}/done")
    action = re.search(r'action="(/refusals/[^"]+)"', page)
    csrf = re.search(r'name="csrf" value="([0-9a-f]+)"', page)
    assert action
    assert csrf

    told = await browser.post(action[1], data={"csrf": csrf[1]})

    assert verifier.opened()["error"] == "invalid_request"
    assert "The service was told" in told.text
    assert f'href="{URL}/done#response_code=1"' in told.text


@pytest.mark.hostile
async def test_no_other_page_has_the_service_told(browser: httpx2.AsyncClient, verifier: VerifierPeer) -> None:
    page = await refused(browser, verifier, redirect_uri=f"{URL}/done")
    action = re.search(r'action="(/refusals/[^"]+)"', page)
    assert action

    assert (await browser.post(action[1], data={"csrf": "0" * 64})).status_code == 400
    assert verifier.posted == []


@pytest.mark.hostile
async def test_where_nobody_may_know_there_is_no_button(browser: httpx2.AsyncClient, verifier: VerifierPeer) -> None:
    assert "/refusals/" not in await refused(browser, verifier, response_uri="http://verifier.test/responses/1")
