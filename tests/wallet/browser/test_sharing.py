"""Sharing: two taps at most, a no that is as easy, choices, warnings, and a device that does not confirm."""

import pytest

from tests.wallet.browser.conftest import Phone

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_warnings_must_be_accepted_and_a_no_is_as_easy(any_phone: Phone) -> None:
    page, places = any_phone.page, any_phone.places
    await any_phone.create_wallet()
    await any_phone.take("pid_sd_jwt", "pid_mdoc")
    await any_phone.ask("photo")
    await page.wait_for_selector("[data-caution=asks-more]")
    await any_phone.look("40-request-with-warnings")
    await page.click("#accept-cautions")
    await page.click("#approve")
    await page.wait_for_selector("#welcome")
    assert set(places.results[-1]["credentials"]["pid"][0]["claims"]) >= {"picture", "birthdate"}

    await any_phone.ask("either", service="stranger")
    await page.wait_for_selector("[data-caution=unsigned]")
    await any_phone.look("41-request-of-a-stranger")
    no, yes = [await page.locator(name).bounding_box() for name in ("#decline", "#approve")]
    assert no
    assert yes
    assert (no["width"], no["height"], no["y"]) == pytest.approx((yes["width"], yes["height"], yes["y"]), abs=1)
    await page.click("#decline")
    await page.wait_for_selector("#presentation-declined")
    await any_phone.look("42-declined")
    await page.click("#report")
    await page.wait_for_selector("#draft")

    await any_phone.ask("diploma")
    await page.wait_for_selector("#nothing-fits")
    await any_phone.look("43-nothing-fits")
    await page.click("#decline")
    await page.wait_for_selector("#presentation-declined")


async def test_one_of_several_cards_is_chosen_with_two_taps(any_phone: Phone) -> None:
    page, places = any_phone.page, any_phone.places
    await any_phone.create_wallet()
    await any_phone.take("pid_sd_jwt", person=places.others[3])
    await any_phone.take("pid_sd_jwt", person=places.others[4])
    await any_phone.ask("name")
    await any_phone.look("44-which-card")
    names = await page.locator(".which .choice .value").all_inner_texts()

    await page.click(".which .choice >> nth=1")
    await page.click("#approve")

    await page.wait_for_selector("#presentation-complete")
    await page.wait_for_selector("#welcome")
    shared = places.results[-1]["credentials"]["pid"][0]["claims"]
    assert [shared["family_name"], shared["given_name"]] == names[2:]


async def test_a_payment_is_shown_in_plain_words(any_phone: Phone) -> None:
    page = any_phone.page
    await any_phone.create_wallet()
    await any_phone.take("pid_sd_jwt")
    await any_phone.ask("payment")
    shown = await page.inner_text(".transaction")
    assert {"Stadtbücherei", "DE02120300000000202051", "8D8AC610"} <= set(shown.split("\n"))
    assert {"en": "12.50\u00a0EUR", "de": "12,50\u00a0EUR"}[any_phone.language] in shown
    await any_phone.look("47-payment")

    await page.click("#approve")

    await page.wait_for_selector("#welcome")


async def test_one_of_two_formats_is_chosen(phone: Phone) -> None:
    page, places = phone.page, phone.places
    await phone.create_wallet()
    await phone.take("pid_sd_jwt", "pid_mdoc")
    await phone.ask("either")

    await page.click(".alternative:nth-of-type(2) .choice")
    if await page.locator("#accept-cautions").count():
        await page.click("#accept-cautions")
    await page.click("#approve")

    await page.wait_for_selector("#welcome")
    assert list(places.results[-1]["credentials"]) == ["mdoc"]


async def test_one_tap_is_enough_where_one_card_fits_and_the_request_survives_the_sign_in(phone: Phone) -> None:
    """The citizen comes with a closed wallet: they are told why, open it, and find the request."""
    page = phone.page
    await phone.create_wallet()
    await phone.take("pid_sd_jwt")
    await phone.go("/settings")
    await page.click("#sign-out")
    await page.wait_for_selector("#sign-in")
    await phone.ask("name")
    await page.wait_for_selector("#asked")
    assert await page.locator("#ways-in > :first-child").get_attribute("id") == "sign-in"
    await phone.look("45-open-first")
    await page.click("#sign-in")
    await page.wait_for_selector("#request-form")

    await page.click("#approve")

    await page.wait_for_selector("#presentation-complete")


async def test_a_declining_authenticator_shares_nothing(phone: Phone) -> None:
    await phone.create_wallet()
    await phone.take("pid_sd_jwt")
    await phone.ask("name")
    before = len(phone.places.results)
    await phone.devtools.send(
        "WebAuthn.setUserVerified", {"authenticatorId": phone.authenticator, "isUserVerified": False}
    )

    await phone.page.click("#approve")
    await phone.page.wait_for_selector("#message:not([hidden])")
    await phone.look("46-not-confirmed")

    assert len(phone.places.results) == before
