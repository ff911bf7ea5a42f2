"""The account: passkeys, recovery, a lost device, the language, saving and moving the wallet, deletion."""

from datetime import timedelta
from pathlib import Path

import pytest
from playwright.async_api import Route

from tests.wallet.browser.conftest import AUTHENTICATOR, NewPhone, Phone

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
SETTINGS = ("passkeys", "journal", "privacy", "device", "notifications", "move", "deletion")
PASSPHRASE = "correct horse battery staple"


async def test_every_page_of_the_settings_is_clear_to_everybody(any_phone: Phone) -> None:
    phone = any_phone
    await phone.create_wallet()
    for path in ("/scan", "/settings", *(f"/settings/{name}" for name in SETTINGS)):
        await phone.go(path)
        await phone.look("50" + path.replace("/", "-"))
    await phone.go("/cards/nothing-here")
    await phone.page.wait_for_selector("#wallet-error")
    await phone.look("51-problem")
    await phone.go("/no-such-page")
    await phone.page.wait_for_selector("#wallet-error")


async def test_the_language_is_changed_by_a_tap(phone: Phone) -> None:
    await phone.go("/recover")
    for language in ("fr", "es", "de"):
        await phone.page.click(f"a[lang={language}]")
        await phone.page.wait_for_selector(f"html[lang={language}]")
        assert phone.page.url.endswith("/recover")


async def test_a_second_passkey_is_added_and_the_first_removed(any_phone: Phone) -> None:
    """The second is a key that is plugged in; between making it and agreeing to it, the citizen changes hands."""
    phone, page, first = any_phone, any_phone.page, any_phone.authenticator
    await phone.create_wallet()
    key = {"options": {**AUTHENTICATOR, "transport": "usb"}}
    second = (await phone.devtools.send("WebAuthn.addVirtualAuthenticator", key))["authenticatorId"]
    await hold(phone, second, instead_of=first)

    async def change_hands(route: Route) -> None:
        await hold(phone, first, instead_of=second)
        await route.continue_()

    await page.route("**/passkeys/add/proposal", change_hands)
    await phone.go("/settings/passkeys")
    await page.fill("#new-name", "Key")
    await page.click("#add")
    await page.wait_for_selector("#passkeys > li:nth-child(2)")
    await phone.look("52-two-passkeys")

    await page.click("#passkeys > li:last-child summary")
    await page.click("#passkeys > li:last-child a.bad")
    await phone.look("53-remove-passkey")
    await page.click("#confirm")
    await page.wait_for_url("**/settings/passkeys")
    assert await page.locator("#passkeys > li").count() == 1


async def hold(phone: Phone, authenticator: str, *, instead_of: str) -> None:
    for each, held in ((authenticator, True), (instead_of, False)):
        wish = {"authenticatorId": each, "enabled": held}
        await phone.devtools.send("WebAuthn.setAutomaticPresenceSimulation", wish)


async def test_a_lost_device_is_locked_and_the_wallet_recovered(any_phone: Phone, new_phone: NewPhone) -> None:
    lost, found = any_phone, await new_phone()
    code = await print_code(lost)
    await found.go("/recover")
    await found.look("54-lost-device")
    await found.page.fill("#code", code)
    await found.page.click("#lock-now")
    await found.page.wait_for_selector("#locked")
    await found.look("55-locked-from-elsewhere")

    await lost.go("/")
    await lost.page.wait_for_url("**/welcome*")  # signed out
    await lost.page.click("#sign-in")
    await lost.page.wait_for_selector("#locked-notice")
    await lost.look("56-locked")
    await lost.page.click("#locked-notice button")
    await lost.page.wait_for_selector("#locked-notice", state="detached")

    await found.page.fill("#code", code)
    await found.page.click("#begin-recovery")
    await found.page.wait_for_selector("#recovery-begun")
    await lost.go("/")
    await lost.page.wait_for_selector("#recovery-notice")
    await lost.look("57-recovery-under-way")
    await found.page.fill("#code", code)
    await found.page.click("#finish-recovery")
    await found.page.wait_for_selector("#message:not([hidden])")  # too early
    await found.look("58-too-early")

    with lost.places.later(timedelta(days=3, minutes=1)):
        await found.page.click("#finish-recovery")
        await found.page.wait_for_url("**/recovery-code*")
        await found.go("/")
        await found.page.wait_for_selector("#add-first")
        await lost.go("/welcome")
        await lost.page.click("#sign-in")
        await lost.page.wait_for_selector("#message:not([hidden])")  # its passkey opens nothing any more


async def test_a_recovery_by_somebody_else_is_stopped(phone: Phone, new_phone: NewPhone) -> None:
    code, thief = await print_code(phone), await new_phone()
    await thief.go("/recover")
    await thief.page.fill("#code", code)
    await thief.page.click("#begin-recovery")
    await thief.page.wait_for_selector("#recovery-begun")

    await phone.go("/")
    await phone.page.click("#recovery-notice button")

    await phone.page.wait_for_selector("#make-code")
    assert await phone.page.query_selector("#recovery-notice") is None


async def test_who_locks_the_wallet_is_told_and_unlocks_it_where_a_service_waits(any_phone: Phone) -> None:
    phone, page = any_phone, any_phone.page
    await phone.create_wallet()
    await phone.take("pid_sd_jwt")
    await phone.go("/settings")
    await page.click("#lock")
    await page.wait_for_selector("#locked")
    await phone.look("58-locked-by-oneself")
    await page.click("#sign-in")
    await page.wait_for_selector("#locked-notice")

    await phone.ask("name")
    await page.click("#locked-notice button")
    await page.wait_for_selector("#locked-notice", state="detached")
    await page.click("#approve")

    await page.wait_for_selector("#presentation-complete")


async def print_code(phone: Phone) -> str:
    await phone.go("/start")
    await phone.page.click("#create")
    await phone.page.click("#make-code")
    await phone.page.wait_for_selector("#after-code:not([hidden])")
    return await phone.page.inner_text("#recovery-code")


async def test_a_wallet_moves_as_an_encrypted_file(any_phone: Phone, new_phone: NewPhone, tmp_path: Path) -> None:
    old, new, path = any_phone, await new_phone(), tmp_path / "wallet.jwe"
    await old.create_wallet()
    await old.take("residence_sd_jwt")
    for form, button, name in (("#export", "#save", "wallet.jwe"), ("#export-history", "#save-history", "history.jwe")):
        await old.go("/settings/move")
        await old.page.fill(f"{form} [type=password]", PASSPHRASE)
        async with old.page.expect_download() as download:
            await old.page.click(button)
        assert (await download.value).suggested_filename == name
        if name == path.name:
            await (await download.value).save_as(path)
    assert b"residence" not in path.read_bytes()

    await new.create_wallet()
    await new.go("/settings/move")
    await new.page.set_input_files("#import-file", path)
    await new.page.fill("#import-passphrase", "not this one")
    await new.page.click("#bring")
    await new.page.wait_for_selector("#message:not([hidden])")
    await new.page.fill("#import-passphrase", PASSPHRASE)
    await new.page.click("#bring")
    await new.page.wait_for_selector("#import-result:not([hidden])")
    assert await new.page.get_attribute("#ask-again", "href") == "/add"
    await new.look("59-moved")
    await new.go("/history")
    assert await new.page.locator("#history li").count() == 1


async def test_without_a_prf_the_citizen_is_told_openly(new_phone: NewPhone) -> None:
    phone = await new_phone(authenticator={"hasPrf": False})
    await phone.go("/start")
    await phone.page.click("#create")

    await phone.page.wait_for_selector("#no-prf")
    await phone.look("60-no-prf")


async def test_a_card_and_the_whole_wallet_can_be_deleted(any_phone: Phone) -> None:
    phone, page = any_phone, any_phone.page
    await phone.create_wallet()
    await phone.take("residence_sd_jwt")
    await phone.go("/")
    await page.click("#cards .card")
    await page.click("#delete-card")
    await phone.look("61-delete-card")
    await page.click("#confirm")
    await page.wait_for_selector("#add-first")
    await phone.go("/settings/deletion")
    await page.click("#confirm")
    await page.wait_for_selector("#account-deleted")
    await phone.look("62-goodbye")

    await phone.go("/welcome")
    await page.click("#sign-in")
    await page.wait_for_selector("#message:not([hidden])")
