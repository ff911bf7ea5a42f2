"""The drop-in on a page of another site: same device, two devices, refusal, time-out; with strict policies."""

import pytest
import zxingcpp
from PIL import Image
from playwright.async_api import Page, expect

from tests.verifier.browser.conftest import ARTIFACTS, DESKTOP, PHONE, Look, NewContext
from tests.verifier.browser.places import Places

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def opened(page: Page, places: Places) -> None:
    """Go to the shop and press the button."""
    await page.goto(places.shop)
    await page.locator("#byoid-identify").click()
    await expect(page.get_by_role("heading", name="Where is your wallet?")).to_be_focused()


async def test_the_person_goes_to_a_web_wallet_and_comes_back(
    places: Places, new_context: NewContext, look: Look
) -> None:
    context = await new_context(**PHONE)
    page = await context.new_page()
    await page.goto(places.shop)
    await look(page, "drop-in-start-phone")
    await page.locator("#byoid-identify").click()
    await expect(page.get_by_role("status")).to_contain_text("Waiting for your wallet, until")
    await look(page, "drop-in-choice-phone")

    await page.get_by_role("link", name="Continue with wallet.localhost").click()
    await page.get_by_role("button", name="Share").click()

    await expect(page.locator("#country")).to_have_text("You live in DE.")
    assert page.url == f"{places.shop}/welcome"
    await opened(page, places)
    await expect(page.get_by_role("link", name="Last used: wallet.localhost")).to_be_visible()


async def test_the_person_scans_the_code_with_a_phone(places: Places, new_context: NewContext, look: Look) -> None:
    desktop, phone = await (await new_context()).new_page(), await (await new_context(**PHONE)).new_page()
    await opened(desktop, places)
    await look(desktop, "drop-in-choice-desktop")
    picture = ARTIFACTS / "drop-in-code.png"
    await desktop.locator("#byoid-qr").screenshot(path=picture)
    link = zxingcpp.read_barcode(Image.open(picture)).text
    assert link == await desktop.locator("#byoid-link").text_content()

    await phone.goto(link.replace("openid4vp://", f"{places.wallet}/authorize"))
    await phone.get_by_role("button", name="Share").click()

    await expect(phone.locator("#done")).to_be_visible()
    await expect(desktop.locator("#country")).to_have_text("You live in DE.")
    await phone.goto(f"{places.shop}/welcome")
    await expect(phone.get_by_role("heading", name="Who are you?")).to_be_visible()
