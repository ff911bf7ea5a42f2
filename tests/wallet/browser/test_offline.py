"""Without a connection: nothing but a page that says so, unless the citizen keeps a copy that their passkey opens."""

import json

import pytest

from tests.wallet.browser.conftest import NewPhone, Phone

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
READY = "navigator.serviceWorker.ready.then(() => caches.match('/offline')).then(Boolean)"
SEALED = "caches.match('/copy/cards').then((kept) => kept.text())"
KEPT = """caches.keys().then((names) => Promise.all(names.map(async (name) => {
    const cache = await caches.open(name);
    return Promise.all((await cache.matchAll()).map((answer) => answer.text()));
}))).then((texts) => texts.flat().join(""))"""


async def offline(phone: Phone, *, path: str = "/") -> None:
    await phone.context.set_offline(True)
    await phone.go(path)


async def with_copy(phone: Phone) -> str:
    """Make a wallet with a card, keep a copy of it, and return the holder's name."""
    await phone.create_wallet()
    await phone.take("residence_sd_jwt")
    await turn_on(phone)
    await phone.go("/")
    return await phone.page.inner_text("#cards .holder")


async def turn_on(phone: Phone) -> None:
    await phone.go("/settings/device")
    assert await phone.page.evaluate(READY)
    await phone.page.click("#offline-on")
    await phone.page.wait_for_selector("#offline-off:not([hidden])")


async def test_nothing_is_kept_that_was_not_asked_for(phone: Phone) -> None:
    await phone.create_wallet()
    await phone.take("residence_sd_jwt")
    await phone.go("/")
    assert await phone.page.evaluate(READY)

    await offline(phone)

    await phone.page.wait_for_selector("#copy-none")
    assert not await phone.page.is_visible("#open-copy")
    await phone.look("70-offline")
    await phone.context.set_offline(False)
    await phone.page.click("#copy-none [data-again]")
    await phone.page.wait_for_selector("#cards")


async def test_a_copy_is_opened_by_the_passkey_and_by_nothing_else(any_phone: Phone) -> None:
    phone, page = any_phone, any_phone.page
    name = await with_copy(phone)
    assert name not in await page.evaluate(KEPT)  # encrypted at rest

    await offline(phone)
    await phone.look("71-offline-locked")
    await page.click("#open-copy")

    await page.wait_for_selector("#copy .card")
    assert await page.inner_text("#copy .holder") == name
    await page.click("#copy summary")
    await phone.look("72-offline-cards")
    assert name not in await page.evaluate(KEPT)

    await phone.devtools.send("WebAuthn.clearCredentials", {"authenticatorId": phone.authenticator})
    await phone.go("/")
    await page.click("#open-copy")
    await page.wait_for_selector("#message:not([hidden])")
    assert not await page.is_visible("#copy .card")


async def test_a_copy_is_renewed_when_the_cards_are_opened(phone: Phone) -> None:
    await with_copy(phone)
    await phone.take("residence_sd_jwt", person=phone.places.others[5])
    before = await phone.page.evaluate(SEALED)
    await phone.go("/")
    await phone.eventually(f"{SEALED}.then((sealed) => sealed !== {json.dumps(before)})")

    await offline(phone)
    await phone.page.click("#open-copy")

    await phone.page.wait_for_selector("#copy .card >> nth=1")


async def test_turning_it_off_closing_locking_and_deleting_the_wallet_all_delete_the_copy(phone: Phone) -> None:
    page = phone.page
    await phone.create_wallet()
    for where, what, then in (
        ("/settings/device", "#offline-off", "#offline-on:not([hidden])"),
        ("/settings", "#sign-out", "#sign-in"),
        ("/settings", "#lock", "#sign-in"),
        ("/settings/deletion", "#confirm", "#account-deleted"),
    ):
        if then == "#account-deleted":
            await page.click("#sign-in")
            await page.click("#locked-notice button")
            await page.wait_for_selector("#locked-notice", state="detached")
        elif await page.locator("#sign-in").count():
            await phone.sign_in()
        await turn_on(phone)
        await phone.go(where)
        await page.click(what)
        await page.wait_for_selector(then)

        assert not await page.evaluate("caches.has('copy')")


async def test_a_copy_of_another_wallet_is_not_renewed_but_deleted(phone: Phone) -> None:
    """The next person at this browser: the copy was for somebody else's passkey."""
    await with_copy(phone)
    await phone.context.clear_cookies()
    await phone.devtools.send("WebAuthn.clearCredentials", {"authenticatorId": phone.authenticator})
    await phone.create_wallet()
    await phone.go("/")
    await phone.eventually("caches.has('copy').then((has) => !has)")


async def test_without_a_prf_no_copy_is_kept(new_phone: NewPhone) -> None:
    phone = await new_phone(authenticator={"hasPrf": False})
    await phone.create_wallet()
    await phone.go("/settings/device")
    await phone.page.click("#offline-on")
    await phone.page.wait_for_selector("#message:not([hidden])")

    assert not await phone.page.evaluate("caches.has('copy')")
