"""One Chromium and one set of servers for all tests of this folder; each test has its own browser contexts."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright, expect

from tests.verifier.browser.places import ROOT, Places, open_places

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
DESKTOP = {"viewport": {"width": 1280, "height": 900}}
PATIENCE_MS = 45_000  # for a machine that does much else; nothing waits for it to pass
expect.set_options(timeout=PATIENCE_MS)
ARTIFACTS = ROOT / "tests" / ".artifacts" / "verifier"

NewContext = Callable[..., Awaitable[BrowserContext]]
Look = Callable[[Page, str], Awaitable[None]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def places(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Places]:
    async with open_places(tmp_path_factory.mktemp("places")) as places:
        yield places


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def new_context(chromium: Browser) -> AsyncIterator[NewContext]:
    """A browser with its own cookies; what its console complains about fails the test."""
    contexts, complaints = [], []

    async def make(*, quiet: bool = True, **options: object) -> BrowserContext:
        context = await chromium.new_context(**{"locale": "en-GB", **DESKTOP, **options})
        context.set_default_timeout(PATIENCE_MS)
        if quiet:
            context.on("console", lambda message: complaints.append(message.text) if is_complaint(message) else 0)
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        contexts.append(context)
        return context

    yield make
    for context in contexts:
        await context.close()
    assert complaints == []


def is_complaint(message: ConsoleMessage) -> bool:
    url = message.location["url"]
    answered = url.endswith("/qr.svg") and "409 (Conflict)" in message.text  # before the page had drawn its code
    return message.type == "error" and not answered and not url.endswith("/favicon.ico")


@pytest.fixture
def look() -> Look:
    """Keep a picture of a page, and let axe look for what people with disabilities would stumble over."""

    async def look(page: Page, name: str) -> None:
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        await page.screenshot(path=ARTIFACTS / f"{name}.png", full_page=True)
        found = await Axe().run(page)
        assert found.violations_count == 0, f"{name}: {found.generate_report()}"

    return look
