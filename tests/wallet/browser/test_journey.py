"""The main journey: a citizen makes a wallet, takes an offer, looks at the card, and shares what a service asks for."""

import pytest

from tests.wallet.browser.conftest import Phone

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_a_citizen_gets_a_card_and_shares_it(phone: Phone) -> None:
    await make_wallet(phone)
    await take_offer(phone)
    await share_name(phone)
    await read_history(phone)


async def make_wallet(phone: Phone) -> None:
    page = phone.page
    await phone.go("/")
    await page.wait_for_url("**/welcome*")
    await phone.look("en-01-welcome")
    await page.click("#create")
    await phone.look("en-02-start")
    await page.click("#create")
    await page.wait_for_url("**/recovery-code*")
    await phone.look("en-03-recovery-code")
    await page.click("#make-code")
    await page.wait_for_selector("#after-code:not([hidden])")
    assert len(await page.inner_text("#recovery-code")) == 34
    await phone.look("en-04-recovery-code-shown")
    await page.click("#code-kept")
    await page.wait_for_selector("#add-first")
    await phone.look("en-05-no-cards")


async def take_offer(phone: Phone) -> None:
    page, places = phone.page, phone.places
    offer = places.offer("pid_sd_jwt")
    await page.goto(places.offer_link(offer))
    await phone.look("en-06-offer-asked")
    await page.click("#fetch-offer")
    await phone.look("en-07-offer")
    await page.fill("#tx-code", "000000" if offer.tx_code != "000000" else "111111")
    await page.click("#approve")
    await page.wait_for_selector("#tx-code-problem")
    await phone.look("en-08-offer-wrong-code")
    await page.fill("#tx-code", offer.tx_code or "")
    await page.click("#approve")
    await page.wait_for_selector("#issuance-complete")
    await phone.look("en-09-offer-done")
    await page.click("#to-cards")
    await page.wait_for_selector("#cards .card")
    await phone.look("en-10-dashboard")
    await page.click("#cards .card")
    await page.wait_for_selector(".portrait")
    await phone.look("en-11-card")


async def share_name(phone: Phone) -> None:
    page, places = phone.page, phone.places
    await page.goto(f"{places.service}/library/ask/name")
    await page.wait_for_selector("#request-form")
    await phone.look("en-12-request")
    await page.click("#approve")
    await page.wait_for_selector("#presentation-complete")
    await phone.look("en-13-request-done")
    await page.wait_for_selector("#welcome")  # back at the service by itself
    shared = places.results[-1]["credentials"]["pid"][0]["claims"]
    assert set(shared) >= {"family_name", "given_name"}
    assert "birthdate" not in shared


async def read_history(phone: Phone) -> None:
    page = phone.page
    await phone.go("/history")
    await page.wait_for_selector("#history")
    await phone.look("en-14-history")
    await page.click("#history a")
    await page.wait_for_selector("#ask-deletion")
    await phone.look("en-15-history-entry")
