"""Notices: this browser and an e-mail address; what the service worker shows, in the citizen's language."""

import re

import pytest

from tests.wallet.browser.conftest import Phone

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
ADDRESS = "ada@example.org"
# Chromium without Google's push service can't subscribe; what it would say is said in its place.
PUSH_SERVICE = """PushManager.prototype.subscribe = async () => ({ toJSON: () => ({
    endpoint: "https://push.example/1", expirationTime: null, keys: {
        p256dh: "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
        auth: "BTBZMqHH6r4Tts7J_aSIgg" } }) })"""
SHOWN = """navigator.serviceWorker.ready.then((ready) => ready.getNotifications())
    .then((all) => all.map((each) => [each.title, each.body, each.lang]))"""
WORDS = {
    "en": "A card may be ready. Open your wallet to collect it.",
    "de": "Eine Karte ist vielleicht fertig. Öffnen Sie Ihre Wallet, um sie abzuholen.",
}


async def test_a_browser_shows_notices_in_the_citizens_language(phone: Phone) -> None:
    page = phone.page
    await phone.context.grant_permissions(["notifications"])
    await phone.context.add_init_script(PUSH_SERVICE)
    await phone.create_wallet()
    await phone.go("/settings/notifications")
    await page.click("#push-on")
    await page.wait_for_selector("#places [data-this-one]:not([hidden])")
    await phone.look("80-notices")

    await deliver(phone, '{"kind": "promise"}')
    await phone.eventually(f"{SHOWN}.then((all) => all.length)")
    assert await page.evaluate(SHOWN) == [["byoid wallet", WORDS[phone.language], phone.language]]

    await page.uncheck("#places [name=cards]")
    await page.wait_for_selector("#places [role=status]:not([hidden])")
    await phone.go("/settings/notifications")
    assert not await page.is_checked("#places [name=cards]")
    await page.click("#push-off")
    await page.wait_for_selector("#push-on:not([hidden])")
    assert await page.locator("#places").count() == 0


async def deliver(phone: Phone, text: str) -> None:
    """Let a message of the push service arrive."""
    registrations: list[str] = []
    phone.devtools.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda found: registrations.extend(each["registrationId"] for each in found["registrations"]),
    )
    await phone.devtools.send("ServiceWorker.enable")
    await phone.eventually("navigator.serviceWorker.ready.then((ready) => ready.active)")
    message = {"origin": phone.places.wallet, "registrationId": registrations[-1], "data": text}
    await phone.devtools.send("ServiceWorker.deliverPushMessage", message)


async def test_without_a_push_service_the_page_says_so(phone: Phone) -> None:
    await phone.create_wallet()
    await phone.go("/settings/notifications")
    await phone.page.click("#push-on")

    await phone.page.wait_for_selector("#message:not([hidden])")


async def test_an_e_mail_address_is_confirmed_by_a_code(phone: Phone) -> None:
    page = phone.page
    await phone.create_wallet()
    await phone.go("/settings/notifications")
    await page.fill("#mail", ADDRESS)
    await page.click("#mail-on")
    await page.wait_for_selector("[data-confirm]")
    await phone.look("81-e-mail-to-confirm")
    await page.fill("[data-confirm] input", "000000")
    await page.click("[data-confirm] button")
    await page.wait_for_selector("#message:not([hidden])")
    code = re.search(r"\b[0-9]{6}\b", phone.places.letters[-1])
    assert code
    await page.fill("[data-confirm] input", code[0])
    await page.click("[data-confirm] button")
    await page.wait_for_selector("[data-choose]")
    await phone.look("82-e-mail-confirmed")

    await page.click("[data-remove]")

    await page.wait_for_selector("#places", state="detached")
