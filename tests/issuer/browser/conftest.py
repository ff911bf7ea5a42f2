"""One Chromium and one issuer over HTTP for all tests of this folder; what a browser's console says fails a test."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright

from byoid.service.trust_files import load_signer
from issuer import clerks
from issuer.admin import Role
from issuer.app import create_app, open_agency
from issuer.settings import IssuerSettings
from issuer.sources.mapping import load_mapping
from issuer.sources.sql import SqlSource
from tests.conftest import NOW
from tests.issuer.conftest import ROOT, Accounts
from tests.issuer.serving import serve
from tests.peers.dishonest_wallet.wallet import Wallet, WalletProvider

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
DESKTOP = {"viewport": {"width": 1280, "height": 900}}
LANGUAGES: dict[str, dict[str, Any]] = {
    "en": {"locale": "en-GB"},
    "de": {"locale": "de-DE", "color_scheme": "dark", "reduced_motion": "reduce"},
}
PATIENCE_MS = 20_000
ARTIFACTS = ROOT / "tests" / ".artifacts" / "issuer"
CLERK, PASSWORD = "olga", "correct horse battery staple"
TOO_WIDE = """() => document.documentElement.scrollWidth <= innerWidth ? [] :
    [...document.querySelectorAll("body *")].filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
        .map((one) => one.outerHTML.slice(0, 120))"""


@dataclass(frozen=True)
class Place:
    """An issuer that listens, and wallets that use it."""

    url: str
    provider: WalletProvider

    async def pushed(self, **wish: str) -> str:
        """Return the address to which a wallet sends the browser."""
        async with httpx2.AsyncClient(timeout=30) as http:
            wallet = self._wallet(http)
            pushed = await wallet.push(**(wish or {"scope": "pid_sd_jwt pid_mdoc age_verification_mdoc"}))
            assert pushed.status_code == 201, pushed.text
            query = httpx2.QueryParams({"client_id": wallet.client_id, "request_uri": pushed.json()["request_uri"]})
            return f"{self.url}/authorize?{query}"

    async def take(self, link: str, tx_code: str) -> None:
        """Take an offer by its link."""
        async with httpx2.AsyncClient(timeout=30) as http:
            offer = (await http.get(httpx2.URL(link).params["credential_offer_uri"])).json()
            wallet = self._wallet(http)
            assert (await wallet.redeem_offer(offer, tx_code)).status_code == 200
            answer = await wallet.request({"credential_configuration_id": "pid_sd_jwt"}, keys=2)
            assert answer.status_code == 200, answer.text

    def _wallet(self, http: httpx2.AsyncClient) -> Wallet:
        back = f"{self.url}/static/shared/byoid.css?from=issuer"
        return Wallet(http=http, issuer=self.url, clock=lambda: NOW, provider=self.provider, redirect_uri=back)


@pytest.fixture(scope="session")
def place(agency: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("browser")
    settings = IssuerSettings.load(
        profile="demo", public_url=f"http://localhost:{port}", allow_loopback_http=True,
        database_url=f"sqlite:///{folder}/issuer.db", sealing_keys=f"demo:{'A' * 43}", keys=agency / "pki",
        trust=agency / "pki" / "trust.toml", agency_name="City of Lindenmoor",
    )  # fmt: skip
    source = SqlSource(
        f"sqlite:///{agency}/register.db", query="SELECT * FROM person WHERE person_number = :person",
        mapping=load_mapping(ROOT / "demo" / "register.toml"),
    )  # fmt: skip

    async def let_in() -> None:
        async with open_agency(settings, source=source, clock=lambda: NOW) as office:
            await clerks.add_clerk(office, CLERK, Role.OPERATOR, PASSWORD, actor="test")

    asyncio.run(let_in())
    key = load_signer(agency / "pki" / "wallet-provider.key", agency / "pki" / "wallet-provider.pem")
    with serve(create_app(settings, source=source, recognition=Accounts(), clock=lambda: NOW), port):
        yield Place(settings.public_url, WalletProvider(key.key, key.x5c))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        yield browser
        await browser.close()


NewPage = Callable[..., Awaitable[Page]]


@pytest_asyncio.fixture(loop_scope="session")
async def new_page(chromium: Browser) -> AsyncIterator[NewPage]:
    """Open a window of a browser of its own."""
    contexts, complaints = [], []

    async def make(**options: Any) -> Page:
        context = await chromium.new_context(**{**PHONE, **options})
        context.set_default_timeout(PATIENCE_MS)
        context.on("console", lambda message: complaints.append(message.text) if _is_complaint(message) else None)
        contexts.append(context)
        return await context.new_page()

    yield make
    for context in contexts:
        await context.close()
    assert complaints == []


def _is_complaint(message: ConsoleMessage) -> bool:
    refused = message.text.startswith("Failed to load resource")  # a refused form is an answer like any other
    return message.type == "error" and not refused


Look = Callable[[Page, str], Awaitable[None]]


@pytest.fixture
def look() -> Look:
    """Keep a picture of a page; nothing is wider than 320 pixels (WCAG 2.2 1.4.10), and axe finds nothing."""

    async def look(page: Page, name: str) -> None:
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        size = page.viewport_size or {"width": 390, "height": 844}
        await page.set_viewport_size({"width": 320, "height": 844})
        assert await page.evaluate(TOO_WIDE) == [], f"{name} is too wide"
        await page.set_viewport_size(size)
        await page.screenshot(path=ARTIFACTS / f"{name}.png", full_page=True)
        found = await Axe().run(page)
        assert found.violations_count == 0, f"{name}: {found.generate_report()}"

    return look
