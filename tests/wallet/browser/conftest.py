"""One Chromium and one set of servers for all tests of this folder; each test has a phone of its own.

`phone` is a browser context at phone size with a virtual authenticator that has PRF. What its console complains about
and every request to anybody but the three servers fail the test. `phone.look(name)` keeps a picture and lets axe look.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, CDPSession, Page, async_playwright

from tests.wallet.browser.places import ROOT, Places, open_places

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--use-fake-ui-for-media-stream",
         "--use-fake-device-for-media-stream"]  # fmt: skip
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
AUTHENTICATOR = {
    "protocol": "ctap2", "ctap2Version": "ctap2_1", "transport": "internal", "hasResidentKey": True,
    "hasUserVerification": True, "hasPrf": True, "automaticPresenceSimulation": True, "isUserVerified": True,
    "defaultBackupEligibility": True, "defaultBackupState": True,
}  # fmt: skip
ARTIFACTS = ROOT / "tests" / ".artifacts" / "wallet"
AXE = Axe().axe_script
# Every rule of axe; what is in order is not reported, since that takes longer than the looking.
VIOLATIONS = """() => axe.run({ resultTypes: ["violations"] }).then((found) => found.violations.map(
    (each) => [each.id, each.help, each.nodes.map((node) => node.html.slice(0, 120))]))"""
# In the page: what is wider than it, and what is tapped and too small; links within a text may be (2.5.8, "inline").
TOO_WIDE = """() => document.documentElement.scrollWidth <= innerWidth ? [] :
    [...document.querySelectorAll("body *")].filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
        .map((one) => one.outerHTML.slice(0, 120))"""
TOO_SMALL = """() => [...document.querySelectorAll("a, button, summary, input:not([type=hidden])")]
    .filter((one) => one.checkVisibility() && !one.closest(".visually-hidden, .skip, p, dd") && !one.matches(".visually-hidden, .skip"))
    .filter((one) => { const box = (one.closest("label") ?? one).getBoundingClientRect();
                       return box.width < 24 || box.height < 24; })
    .map((one) => one.outerHTML.slice(0, 120))"""  # noqa: E501
LANGUAGES: dict[str, dict[str, Any]] = {
    "en": {"locale": "en-GB"},
    "de": {"locale": "de-DE", "color_scheme": "dark", "reduced_motion": "reduce"},
}
EXPECTED = ("Failed to load resource",)  # a refused form or API call is an answer like any other


@dataclass
class Phone:
    """A citizen's phone: its browser, and its authenticator."""

    context: BrowserContext
    page: Page
    devtools: CDPSession
    places: Places
    authenticator: str
    language: str
    complaints: list[str] = field(default_factory=list)

    async def go(self, path: str) -> None:
        """Open a page of the wallet."""
        await self.page.goto(self.places.wallet + path)

    async def create_wallet(self) -> None:
        """Make a wallet, and leave the recovery code for later."""
        await self.go("/start")
        await self.page.click("#create")
        await self.page.click("#later")
        await self.page.wait_for_selector("#add-first, #cards")

    async def sign_in(self) -> None:
        """Open the wallet that is closed."""
        await self.go("/welcome")
        await self.page.click("#sign-in")
        await self.page.wait_for_selector("#add-first, #cards")

    async def ask(self, what: str, service: str = "library") -> None:
        """Visit a service that asks for something, and be sent to the wallet."""
        await self.page.goto(f"{self.places.service}/{service}/ask/{what}")

    async def take(self, *configuration_ids: str, person: str | None = None) -> None:
        """Take an offer of the issuer."""
        offer = self.places.offer(*configuration_ids, person=person)
        await self.page.goto(self.places.offer_link(offer))
        await self.page.click("#fetch-offer")
        await self.page.fill("#tx-code", offer.tx_code or "")
        await self.page.click("#approve")
        await self.page.wait_for_selector("#issuance-complete")

    async def eventually(self, promise: str) -> None:
        """Wait until what a promise gives is true."""
        async with asyncio.timeout(30):
            await self.page.evaluate(
                f"async () => {{ while (!(await {promise})) await new Promise((done) => setTimeout(done, 50)); }}"
            )

    async def look(self, name: str) -> None:
        """Keep a picture of the page, and look for what people with disabilities would stumble over.

        Nothing is wider than a screen of 320 pixels (WCAG 2.2 1.4.10), what is tapped has 24 pixels (2.5.8), and axe
        finds nothing.
        """
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        await self.page.wait_for_load_state()
        await self.page.set_viewport_size({"width": 320, "height": 844})
        assert await self.page.evaluate(TOO_WIDE) == [], f"{name} is too wide"
        assert await self.page.evaluate(TOO_SMALL) == [], f"{name} has targets that are too small"
        height = await self.page.evaluate("document.documentElement.scrollHeight")
        await self.page.set_viewport_size({"width": 390, "height": max(844, height)})  # bars stay at the bottom
        await self.page.screenshot(path=ARTIFACTS / f"{self.language}-{name}.png")
        await self.page.set_viewport_size({"width": 390, "height": 844})
        await self.page.evaluate(AXE)
        assert await self.page.evaluate(VIOLATIONS) == [], f"{name} has barriers"


NewPhone = Callable[..., Awaitable[Phone]]


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    with open_places(tmp_path_factory.mktemp("places")) as found:
        yield found


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def new_phone(chromium: Browser, places: Places) -> AsyncIterator[NewPhone]:
    """Make phones; options as of `make_phone`."""
    phones: list[Phone] = []

    async def make(**options: Any) -> Phone:
        phones.append(await make_phone(chromium, places, **options))
        return phones[-1]

    yield make
    for phone in phones:
        await phone.context.close()
    assert [each for phone in phones for each in phone.complaints] == []


@pytest_asyncio.fixture(loop_scope="session")
async def phone(new_phone: NewPhone) -> Phone:
    return await new_phone()


@pytest_asyncio.fixture(loop_scope="session", params=LANGUAGES)
async def any_phone(new_phone: NewPhone, request: pytest.FixtureRequest) -> Phone:
    """A phone that speaks English, by day; and one that speaks German, at night."""
    phone = await new_phone(**LANGUAGES[request.param])
    await phone.go("/welcome")
    assert await phone.page.get_attribute("html", "lang") == request.param
    return phone


async def make_phone(
    chromium: Browser, places: Places, *, authenticator: dict[str, Any] | None = None, **options: Any
) -> Phone:
    """Make a phone; options are those of the browser's context, `authenticator` changes the authenticator's."""
    context = await chromium.new_context(**{"locale": "en-GB", "timezone_id": "Europe/Berlin", **PHONE, **options})
    context.set_default_timeout(60_000)
    page = await context.new_page()
    devtools = await context.new_cdp_session(page)
    await devtools.send("WebAuthn.enable", {"enableUI": False})
    wishes = {"options": {**AUTHENTICATOR, **(authenticator or {})}}
    added = await devtools.send("WebAuthn.addVirtualAuthenticator", wishes)
    language = options.get("locale", "en-GB").partition("-")[0]
    phone = Phone(context, page, devtools, places, added["authenticatorId"], language)
    context.on("console", lambda message: note(phone, message.type, message.text))
    context.on("weberror", lambda error: phone.complaints.append(str(error.error)))
    context.on("request", lambda request: watch(phone, request.url))
    return phone


def note(phone: Phone, kind: str, text: str) -> None:
    if kind == "error" and not text.startswith(EXPECTED):
        phone.complaints.append(text)


def watch(phone: Phone, url: str) -> None:
    known = (phone.places.issuer, phone.places.wallet, phone.places.service, "data:", "blob:")
    if not url.startswith(known):
        phone.complaints.append(f"asked a third party: {url}")


@pytest.fixture
def artifacts() -> Path:
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    return ARTIFACTS
