"""The main journey, in two languages: make a wallet, take an offer, look at the card, share, and look back."""

from datetime import timedelta

import pytest

from tests.wallet.browser.conftest import Phone

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_a_citizen_gets_a_card_and_shares_it(any_phone: Phone) -> None:
    await make_wallet(any_phone)
    await take_offer(any_phone)
    await share_name(any_phone)
    await read_history(any_phone)
    await use_rights(any_phone)


async def make_wallet(phone: Phone) -> None:
    page = phone.page
    await phone.go("/")
    await page.wait_for_url("**/welcome*")
    await phone.look("01-welcome")
    await page.click("#create")
    await phone.look("02-start")
    await page.click("#create")
    await page.wait_for_url("**/recovery-code*")
    await phone.look("03-recovery-code")
    await page.click("#make-code")
    await page.wait_for_selector("#after-code:not([hidden])")
    assert len(await page.inner_text("#recovery-code")) == 34
    await phone.look("04-recovery-code-shown")
    await page.click("#code-kept")
    await page.wait_for_selector("#add-first")
    await phone.look("05-no-cards")


async def take_offer(phone: Phone) -> None:
    page, places = phone.page, phone.places
    offer = places.offer("pid_sd_jwt")
    await page.goto(places.offer_link(offer))
    await phone.look("06-offer-asked")
    await page.click("#fetch-offer")
    await phone.look("07-offer")
    await page.fill("#tx-code", "000000" if offer.tx_code != "000000" else "111111")
    await page.click("#approve")
    await page.wait_for_selector("#tx-code-problem")
    await phone.look("08-offer-wrong-code")
    await page.fill("#tx-code", offer.tx_code or "")
    await page.click("#approve")
    await page.wait_for_selector("#issuance-complete")
    await phone.look("09-offer-done")
    await page.click("#to-cards")
    await page.wait_for_selector("#cards .card")
    await phone.look("10-dashboard")
    await page.click("#cards .card")
    await page.wait_for_selector(".portrait")
    await phone.look("11-card")


async def share_name(phone: Phone) -> None:
    page, places = phone.page, phone.places
    await phone.ask("name")
    await page.wait_for_selector("#request-form")
    await page.click("#who summary")
    await phone.look("12-request")
    await page.click("#approve")
    await page.wait_for_selector("#presentation-complete")
    await phone.look("13-request-done")
    await page.wait_for_selector("#welcome")  # back at the service by itself
    shared = places.results[-1]["credentials"]["pid"][0]["claims"]
    assert set(shared) >= {"family_name", "given_name"}
    assert "birthdate" not in shared


async def read_history(phone: Phone) -> None:
    page = phone.page
    await phone.go("/history")
    await page.wait_for_selector("#history")
    await phone.look("14-history")
    name = {"en": "Family name", "de": "Familienname"}[phone.language]
    await page.fill("#search", f"Stadtbücherei {name}")
    await page.press("#search", "Enter")
    await page.wait_for_url("**search=Stadt*")
    assert await page.locator("#history li").count() == 1
    await page.click("#history a")
    await page.wait_for_selector("#ask-deletion")
    assert name in await page.inner_text(".names")
    await phone.look("15-history-entry")
    await page.click("#all-with-party")
    await page.wait_for_url("**party=*")
    assert await page.locator("#history li").count() == 1


async def use_rights(phone: Phone) -> None:
    page = phone.page
    await page.click("#history a")
    await page.click("#ask-deletion")
    await page.wait_for_selector("#draft")
    await phone.look("16-delete-my-data")
    await page.click("#note-sent")
    await page.wait_for_url("**/history/*")
    await phone.go("/history")
    assert await page.locator("#history li").count() == 3
    await page.click("#history li >> nth=1")
    await page.click("#report")
    await page.wait_for_selector("#draft")
    await phone.look("17-report")
    await page.click("#note-sent")
    await page.wait_for_selector("#delete-entry")
    await phone.look("18-reported")
    await page.click("#delete-entry")
    await phone.look("18-delete-entry")
    await page.click("#confirm")
    await page.wait_for_selector("#history")
    assert await page.locator("#history li").count() == 3


async def test_what_ends_is_told_in_time_and_in_plain_words(any_phone: Phone) -> None:
    """A card that is about to expire, and that has expired: on the card, with what to do."""
    page, places = any_phone.page, any_phone.places
    await any_phone.create_wallet()
    await any_phone.take("pid_sd_jwt", person=places.others[0])
    for days, state in ((12, "expiring"), (15, "expired")):
        with places.later(timedelta(days=days)):
            await any_phone.sign_in()
            await page.wait_for_selector(f"#cards .card.{state} .tag")
            await any_phone.look(f"19-{state}-dashboard")
            await page.click("#cards .card")
            await page.wait_for_selector("#card-state")
            await any_phone.look(f"19-{state}")
