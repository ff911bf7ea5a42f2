"""Every page, in German too: pictures, axe, the budget of the first page; what else a citizen does."""

import gzip
import re

import pytest
from playwright.async_api import Response

from tests.wallet.browser.conftest import NewPhone, Phone

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
MAX_FIRST_PAGE = 100_000


async def test_the_first_page_is_light_and_asks_nobody_else(phone: Phone) -> None:
    answers: list[Response] = []
    phone.page.on("response", lambda response: answers.append(response))
    await phone.go("/welcome")
    await phone.page.wait_for_load_state("networkidle")
    bodies = [await answer.body() for answer in answers]

    assert len(bodies) >= 4
    assert sum(len(gzip.compress(body)) for body in bodies) < MAX_FIRST_PAGE


async def test_every_page_of_the_settings_is_clear_to_everybody(phone: Phone) -> None:
    await phone.create_wallet()
    for path in ("/add", "/settings", "/settings/passkeys", "/settings/journal", "/settings/privacy",
                 "/settings/device", "/settings/move", "/settings/deletion", "/offline"):  # fmt: skip
        await phone.go(path)
        await phone.look("en-20" + path.replace("/", "-"))
    await phone.go("/cards/nothing-here")
    await phone.page.wait_for_selector("#wallet-error")
    await phone.look("en-21-problem")
    await phone.go("/no-such-page")
    await phone.page.wait_for_selector("#wallet-error")


async def test_a_german_citizen_sees_german_in_the_dark(new_phone: NewPhone) -> None:
    phone = await new_phone(locale="de-DE", color_scheme="dark", reduced_motion="reduce")
    page, places = phone.page, phone.places
    await phone.go("/welcome")
    assert await page.get_attribute("html", "lang") == "de"
    await phone.look("de-01-welcome")
    await phone.create_wallet()
    await phone.look("de-02-no-cards")
    await phone.take("pid_sd_jwt", "pid_mdoc")
    await phone.look("de-03-offer-done")
    await phone.go("/")
    await phone.look("de-04-dashboard")
    await page.click("#cards .card >> nth=0")
    await page.wait_for_selector("#delete-card")
    await phone.look("de-05-card")
    await page.goto(f"{places.service}/library/ask/photo")
    await page.wait_for_selector("[data-caution=asks-more]")
    await phone.look("de-06-request-with-warnings")
    await page.click("#accept-cautions")
    await page.click("#approve")
    await page.wait_for_selector("#welcome")
    assert set(places.results[-1]["credentials"]["pid"][0]["claims"]) >= {"picture", "birthdate"}
    await page.goto(f"{places.service}/stranger/ask/either")
    await page.wait_for_selector("[data-caution=unsigned]")
    await phone.look("de-07-request-of-a-stranger")
    await page.click("#decline")
    await page.wait_for_selector("#presentation-declined")
    await phone.look("de-08-declined")
    await page.goto(f"{places.service}/library/ask/diploma")
    await page.wait_for_selector("#nothing-fits")
    await phone.look("de-09-nothing-fits")
    await phone.go("/history")
    await phone.look("de-10-history")
    await page.click("#history li:has(.sign.good):has-text('Daten geteilt') a")
    await page.click("#ask-deletion")
    await phone.look("de-11-delete-my-data")
    await page.click("#note-sent")
    await phone.look("de-12-noted")
    await phone.go("/settings")
    await phone.look("de-13-settings")


async def test_sharing_takes_one_tap_where_one_card_fits(phone: Phone) -> None:
    """Choose (where there is a choice) and approve: two taps at most; here there is nothing to choose."""
    await phone.create_wallet()
    await phone.take("pid_sd_jwt")
    await phone.page.goto(f"{phone.places.service}/library/ask/name")

    await phone.page.click("#approve")

    await phone.page.wait_for_selector("#presentation-complete")


async def test_without_a_prf_the_citizen_is_told_openly(new_phone: NewPhone) -> None:
    phone = await new_phone(authenticator={"hasPrf": False})
    await phone.go("/start")
    await phone.page.click("#create")

    await phone.page.wait_for_selector("#no-prf")
    await phone.look("en-22-no-prf")


async def test_a_lost_device_is_locked_from_any_browser(phone: Phone, new_phone: NewPhone) -> None:
    await phone.go("/start")
    await phone.page.click("#create")
    await phone.page.click("#make-code")
    await phone.page.wait_for_selector("#after-code:not([hidden])")
    code = await phone.page.inner_text("#recovery-code")
    other = await new_phone()
    await other.go("/recover")
    await other.look("en-23-lost-device")
    await other.page.fill("#code", code)
    await other.page.click("#lock-now")
    await other.page.wait_for_selector("#locked")

    await phone.go("/")
    await phone.page.wait_for_url("**/welcome*")
    await phone.page.click("#sign-in")
    await phone.page.wait_for_selector("#locked-notice")
    await phone.look("en-24-locked")
    await phone.page.click("#locked-notice button")
    await phone.page.wait_for_selector("#locked-notice", state="detached")

    await other.page.fill("#code", code)
    await other.page.click("#begin-recovery")
    await other.page.wait_for_selector("#recovery-begun")
    await phone.go("/")
    await phone.page.wait_for_selector("#recovery-notice")
    await phone.look("en-25-recovery-under-way")
    await phone.page.click("#recovery-notice button")
    await phone.page.wait_for_selector("#make-code")
    assert await phone.page.query_selector("#recovery-notice") is None


async def test_a_card_and_the_whole_wallet_can_be_deleted(phone: Phone) -> None:
    await phone.create_wallet()
    await phone.take("pid_sd_jwt")
    await phone.go("/")
    await phone.page.click("#cards .card")
    await phone.page.click("#delete-card")
    await phone.look("en-26-delete-card")
    await phone.page.click("#confirm")
    await phone.page.wait_for_selector("#add-first")
    await phone.go("/settings/deletion")
    await phone.page.click("#confirm")
    await phone.page.wait_for_selector("#account-deleted")
    await phone.look("en-27-goodbye")

    await phone.go("/welcome")
    await phone.page.click("#sign-in")
    await phone.page.wait_for_selector("#message:not([hidden])")


async def test_a_declining_authenticator_shares_nothing(phone: Phone) -> None:
    await phone.create_wallet()
    await phone.take("pid_sd_jwt")
    await phone.page.goto(f"{phone.places.service}/library/ask/name")
    before = len(phone.places.results)
    found = await phone.devtools.send("WebAuthn.getCredentials", {"authenticatorId": phone.authenticator})
    assert found["credentials"]
    await phone.devtools.send(
        "WebAuthn.setUserVerified", {"authenticatorId": phone.authenticator, "isUserVerified": False}
    )

    await phone.page.click("#approve")
    await phone.page.wait_for_selector("#message:not([hidden])")
    await phone.look("en-28-not-confirmed")

    assert len(phone.places.results) == before


async def test_a_link_can_be_pasted(phone: Phone) -> None:
    await phone.create_wallet()
    await phone.go("/add")
    await phone.page.fill("#link", phone.places.offer("pid_mdoc").link())
    await phone.page.click("#open")

    await phone.page.wait_for_selector("#fetch-offer")


async def test_another_site_cannot_post_forms(phone: Phone) -> None:
    await phone.create_wallet()
    answer = await phone.context.request.post(
        phone.places.wallet + "/settings/lock", headers={"Origin": "https://evil.example"}, form={"csrf": "x"}
    )

    assert answer.status == 400
    assert re.search("wallet-error", await answer.text())
    await phone.go("/settings")
    assert await phone.page.query_selector("#lock")


async def test_cards_are_kept_on_the_device_only_if_that_was_turned_on(phone: Phone) -> None:
    """What the service worker answers with, where there is no connection, is what is in its cache."""
    paths = "caches.open('cards').then(cache => cache.keys()).then(all => all.map(one => new URL(one.url).pathname))"
    kept = f"caches.has('cards').then(has => has ? {paths} : [])"
    await phone.create_wallet()
    await phone.take("pid_sd_jwt")
    await phone.go("/")
    card = await phone.page.get_attribute("#cards .card", "href")
    await phone.go("/settings/device")
    assert await phone.page.evaluate(kept) == []

    await phone.page.click("#offline-on")
    await phone.page.wait_for_selector("#offline-off:not([hidden])")
    assert sorted(await phone.page.evaluate(kept)) == ["/", card]

    await phone.page.click("#offline-off")
    await phone.page.wait_for_selector("#offline-on:not([hidden])")
    assert await phone.page.evaluate(kept) == []
