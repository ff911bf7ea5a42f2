"""Ways to a card: the catalogue with a sign-in at the issuer, a pasted link, several formats at once."""

import pytest

from tests.wallet.browser.conftest import Phone
from tests.wallet.browser.places import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
CARD = "form:has([value~=pid_sd_jwt]) button, form:has([value*=pid_sd_jwt]) button"


async def test_a_card_comes_from_the_catalogue_after_a_sign_in_at_the_issuer(any_phone: Phone) -> None:
    """Both formats in one go; to the citizen it is one card."""
    page, places = any_phone.page, any_phone.places
    await any_phone.create_wallet()
    await any_phone.go("/add")
    await any_phone.look("20-add")
    await page.click(CARD)
    await page.wait_for_selector("#approve")
    await any_phone.look("21-offer-with-sign-in")
    await page.click("#approve")
    await page.wait_for_selector("#username")
    await page.fill("#username", places.others[2])
    await page.fill("#password", PASSWORD)
    await page.click("#login")
    await page.click("#consent-approve")
    await page.wait_for_selector("#issuance-complete")
    assert await page.locator(".card").count() == 1
    await page.click(".card")
    await page.wait_for_selector("#formats")
    await any_phone.look("22-card-in-two-formats")
    await page.click("#formats a:not([aria-current])")
    await page.wait_for_selector("#formats a:last-of-type")
    await page.click("#delete-card")
    await page.click("#confirm")
    await page.wait_for_selector("#add-first")  # both are gone


async def test_who_says_no_at_the_issuer_has_no_card(phone: Phone) -> None:
    await phone.create_wallet()
    await phone.go("/add")
    await phone.page.click(CARD)
    await phone.page.click("#approve")
    await phone.page.click("#sign-in-cancel")

    await phone.page.wait_for_selector("#wallet-error")
    await phone.look("23-issuer-denied")


async def test_a_link_can_be_pasted(phone: Phone) -> None:
    await phone.create_wallet()
    await phone.go("/add")
    await phone.page.fill("#link", phone.places.offer("pid_mdoc").link())
    await phone.page.click("#open")
    await phone.page.wait_for_selector("#fetch-offer")
    await phone.page.click("#fetch-offer")
    await phone.page.click("#decline")

    await phone.page.wait_for_selector("#add-first")


async def test_a_damaged_link_is_explained(phone: Phone) -> None:
    await phone.create_wallet()
    await phone.go("/add")
    await phone.page.fill("#link", "https://issuer.example/nothing")
    await phone.page.click("#open")

    await phone.page.wait_for_selector("#wallet-error")
    await phone.look("24-damaged-link")
