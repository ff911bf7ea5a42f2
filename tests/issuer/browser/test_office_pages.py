"""The back office as clerks see it: on a phone and on a desk, in two languages, with and without scripts."""

from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.issuer.browser.conftest import CLERK, DESKTOP, LANGUAGES, PASSWORD
from tests.issuer.conftest import ADA

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def _sign_in(place: Any, page: Page) -> None:
    await page.goto(f"{place.url}/office")
    await page.fill("#username", CLERK)
    await page.fill("#password", PASSWORD)
    await page.click("#login")
    await expect(page.locator("#sign-out")).to_be_visible()


async def _offer(page: Page) -> tuple[str, str]:
    await page.locator("nav").first.locator('a[href$="/offers"]').click()
    await page.fill("#person", ADA)
    await page.check('input[value="pid_sd_jwt"]')
    await page.click("#make-offer")
    return await page.inner_text("#offer-link"), await page.inner_text("#offer-code")


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_page_of_the_office_can_be_used_by_everybody(place, new_page, look, language) -> None:
    page = await new_page(**LANGUAGES[language], **({} if language == "en" else DESKTOP))
    await page.goto(f"{place.url}/office")
    await look(page, f"{language}-office-sign-in")
    await _sign_in(place, page)
    await look(page, f"{language}-office-home")
    await page.goto(f"{place.url}/office/offers")
    await look(page, f"{language}-office-offers")
    await page.fill("#person", ADA)
    await page.click("#make-offer")
    await expect(page.locator("#office-problem")).to_be_visible()
    await look(page, f"{language}-office-offers-problem")
    link, code = await _offer(page)
    await look(page, f"{language}-office-offer-made")
    await place.take(link, code)
    await page.goto(f"{place.url}/office/bulk")
    await look(page, f"{language}-office-bulk")
    await page.set_input_files("#file", {"name": "p.csv", "mimeType": "text/csv", "buffer": b"number\n1\n2\n3\n"})
    await page.check('input[value="pid_mdoc"]')
    await page.click("#make-job")
    await expect(page.locator("#job-people")).to_have_text("3")
    await look(page, f"{language}-office-job")
    await page.click("#start-job")
    await look(page, f"{language}-office-job-running")
    await page.goto(f"{place.url}/office/letters")
    await look(page, f"{language}-office-letters")
    await page.goto(f"{place.url}/office/issued")
    await page.fill("#value", ADA)
    await page.click("#look-up")
    await page.locator("li details").first.locator("summary").click()
    await look(page, f"{language}-office-issued")
    await page.locator("li details[open] [id^=revoke-]").click()
    await look(page, f"{language}-office-status")
    await page.fill("#reason", "lost")
    await page.click("#status-confirm")
    await look(page, f"{language}-office-status-changed")
    await page.goto(f"{place.url}/office/journal")
    await look(page, f"{language}-office-journal")
    await page.goto(f"{place.url}/office/webhooks")
    await look(page, f"{language}-office-webhooks")
    await page.click("#sign-out")
    await expect(page.locator("#login")).to_be_visible()


async def test_a_clerk_without_scripts_makes_an_offer_and_revokes(place, new_page) -> None:
    page = await new_page(java_script_enabled=False)
    await _sign_in(place, page)
    link, code = await _offer(page)
    await place.take(link, code)
    await page.locator("nav").first.locator('a[href$="/issued"]').click()
    await page.fill("#value", ADA)
    await page.click("#look-up")
    await page.locator("details").first.locator("summary").click()
    await page.click("#revoke-all")
    await page.fill("#reason", "a test")
    await page.click("#status-confirm")
    await expect(page.locator("#status-changed")).to_contain_text("revoked")
