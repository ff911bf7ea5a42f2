"""The drop-in on a page of another site: same device, two devices, refusal, time-out; with strict policies."""

import re
from dataclasses import replace

import httpx2
import pytest
import zxingcpp
from PIL import Image
from playwright.async_api import Page, expect

from byoid.formats.status_list import StatusReference
from byoid.service.i18n import LANGUAGES
from tests.verifier.browser.conftest import ARTIFACTS, PHONE, Look, NewContext
from tests.verifier.browser.places import REVOKED, ROOT, Places
from tests.verifier.world import STATUS_URI, VCT

REPLACE = """(language) => {
  const element = document.querySelector("byoid-verify");
  document.documentElement.lang = language;
  element.replaceWith(element.cloneNode());
}"""
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
    await expect(page.get_by_role("link", name="Continue with wallet.localhost (last used)")).to_be_visible()


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


async def test_the_answer_of_another_browser_does_not_count(places: Places, new_context: NewContext) -> None:
    """Somebody starts, and gets somebody else to answer: the redirect arrives in a session that did not start."""
    attacker = await (await new_context()).new_page()
    victim = await (await new_context(quiet=False, **PHONE)).new_page()
    await opened(attacker, places)
    link = await attacker.get_by_role("link", name="Continue with wallet.localhost").get_attribute("href")

    await victim.goto(link)
    await victim.get_by_role("button", name="Share").click()

    await expect(victim.get_by_role("heading", name="Start again")).to_be_visible()
    await expect(attacker.get_by_role("status")).to_contain_text("Your wallet has answered.")
    for page in (victim, attacker):
        await page.goto(f"{places.shop}/welcome")
        await expect(page.get_by_role("heading", name="Who are you?")).to_be_visible()


async def test_the_person_declines_and_then_shares(places: Places, new_context: NewContext, look: Look) -> None:
    page = await (await new_context()).new_page()
    await opened(page, places)
    link = await page.locator("#byoid-link").text_content()

    await places.holder.decline(link)
    await expect(page.get_by_role("status")).to_contain_text("Your wallet declined, and nothing was shared.")
    await look(page, "drop-in-declined-desktop")
    await places.holder.share(link)

    await expect(page.locator("#country")).to_have_text("You live in DE.")


async def test_a_revoked_credential_is_refused_and_the_person_tries_again(
    places: Places, new_context: NewContext, look: Look
) -> None:
    page = await (await new_context(**PHONE)).new_page()
    await opened(page, places)
    revoked = replace(places.holder)
    status = StatusReference(STATUS_URI, REVOKED)
    revoked.sd_jwts[VCT] = places.holder.world.issuer.sd_jwt_vc(revoked.holder, status=status)

    with pytest.raises(AssertionError, match="invalid_request"):
        await revoked.share(await page.locator("#byoid-link").text_content())

    await expect(page.get_by_role("status")).to_contain_text("could not be accepted")
    await expect(page.get_by_role("button", name="Try again")).to_be_visible()
    await look(page, "drop-in-rejected-phone")
    await page.get_by_role("button", name="Try again").click()
    await places.holder.share(await page.locator("#byoid-link").text_content())
    await expect(page.locator("#country")).to_have_text("You live in DE.")


async def test_the_link_is_copied(places: Places, new_context: NewContext) -> None:
    context = await new_context(permissions=["clipboard-read", "clipboard-write"])
    page = await context.new_page()
    await opened(page, places)
    await page.get_by_text("The request as a link").click()
    await page.get_by_role("button", name="Copy the link").click()

    await expect(page.get_by_role("button", name="The link is copied.")).to_be_visible()
    copied = await page.evaluate("navigator.clipboard.readText()")
    assert copied == await page.locator("#byoid-link").text_content()


async def test_a_service_that_fails_is_asked_again(places: Places, new_context: NewContext) -> None:
    page = await (await new_context(quiet=False)).new_page()
    await page.goto(places.shop)
    await page.route("**/identify", lambda route: route.fulfill(status=502))
    await page.locator("#byoid-identify").click()
    await expect(page.get_by_role("status")).to_contain_text("That did not work.")

    await page.unroute("**/identify")
    await page.get_by_role("button", name="Try again").click()

    await expect(page.locator("#byoid-qr")).to_be_visible()


@pytest.mark.hostile
async def test_a_link_that_runs_a_script_is_not_offered_and_nobody_is_sent_elsewhere(
    places: Places, new_context: NewContext
) -> None:
    page = await (await new_context()).new_page()
    await page.goto(places.shop)
    started = {"id": "x", "expires_in": 600, "same_device": {"link": "javascript:alert(1)", "wallets": []}}
    await page.route("**/identify", lambda route: route.fulfill(json=started))
    await page.locator("#byoid-identify").click()
    await expect(page.get_by_role("status")).to_contain_text("That did not work.")

    started["same_device"] = {"link": "openid4vp://?client_id=x"}
    elsewhere = {"state": "accepted", "continue": "https://evil.example/"}
    await page.route("**/identify/x", lambda route: route.fulfill(json=elsewhere))
    async with page.expect_navigation():
        await page.get_by_role("button", name="Try again").click()

    assert page.url == f"{places.shop}/"


async def test_the_time_runs_out(places: Places, new_context: NewContext) -> None:
    page = await (await new_context()).new_page()
    await page.clock.install()
    await opened(page, places)

    await page.clock.fast_forward("10:01")

    await expect(page.get_by_role("status")).to_contain_text("The time for this request is over.")
    await expect(page.get_by_role("button", name="Try again")).to_be_visible()


async def test_the_connection_is_interrupted_for_a_while(places: Places, new_context: NewContext) -> None:
    context = await new_context(quiet=False)
    page = await context.new_page()
    await opened(page, places)
    await page.locator("#byoid-app").click()
    await expect(page.get_by_role("status")).to_contain_text("If nothing happens, there is none on this device")

    await context.set_offline(True)
    await expect(page.get_by_role("status")).to_contain_text("The connection is interrupted.")
    await context.set_offline(False)

    await expect(page.get_by_role("status")).to_contain_text("Waiting for your wallet")


async def test_with_the_keyboard_alone_one_starts_and_cancels(places: Places, new_context: NewContext) -> None:
    page = await (await new_context()).new_page()
    await page.goto(places.shop)
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Where is your wallet?")).to_be_focused()
    link = await page.locator("#byoid-link").text_content()

    names = []
    for _ in range(5):
        await page.keyboard.press("Tab")
        names.append(await page.evaluate("document.querySelector('byoid-verify').shadowRoot.activeElement.textContent"))
    async with page.expect_response(lambda response: response.request.method == "DELETE"):
        await page.keyboard.press("Enter")

    assert names == [
        "The request as a link", "Continue with wallet.localhost", "Open the wallet app",
        "Let the browser find my wallet", "Cancel",
    ]  # fmt: skip
    await expect(page.locator("#byoid-identify")).to_be_focused()
    await expect(page.get_by_role("status")).to_have_text("Cancelled.")
    with pytest.raises(AssertionError):  # the request is gone
        await places.holder.fetch(link)


async def test_the_drop_in_speaks_the_language_of_the_page_or_the_browser(
    places: Places, new_context: NewContext, look: Look
) -> None:
    narrow = {**PHONE, "viewport": {"width": 320, "height": 640}}
    page = await (await new_context(**narrow, locale="de-AT", color_scheme="dark")).new_page()
    await page.goto(places.shop)
    buttons = {
        "": "Mit Ihrer Wallet ausweisen",  # the page doesn't say: the browser's
        "fr-CA": "S’identifier avec votre portefeuille",
        "es": "Identificarse con su cartera",
        "fi": "Mit Ihrer Wallet ausweisen",  # one that the script has not
        "de": "Mit Ihrer Wallet ausweisen",
    }

    for language, button in buttons.items():
        await page.evaluate(REPLACE, language)
        await expect(page.get_by_role("button", name=button)).to_be_visible()
    await page.locator("#byoid-identify").click()

    await expect(page.locator("#byoid-qr")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") == 320
    await look(page, "drop-in-choice-320-dark")


async def test_every_text_is_there_in_every_language() -> None:
    script = (ROOT / "verifier/web/static/byoid-verify.js").read_text("utf-8")
    texts = script[script.index("const TEXTS") : script.index("const STYLE")]
    names = {
        language: set(re.findall(r"[{,]\s*(\w+): \"", block))
        for language, block in re.findall(r"\n    (\w\w): (\{.*?\n    \}),", texts, re.DOTALL)
    }
    states = {"answered", "rejected", "expired", "accepted", "declined", "refused"}
    used = set(re.findall(r"#words\.(\w+)", script)) | states

    assert set(names) == set(LANGUAGES)
    assert all(each == used for each in names.values()), names


async def test_without_scripts_the_page_says_what_else_to_do(places: Places, new_context: NewContext) -> None:
    page = await (await new_context(java_script_enabled=False)).new_page()
    await page.goto(places.shop)

    await expect(page.get_by_text("You can also bring your ID card to our shop.")).to_be_visible()


async def test_the_script_is_for_every_page_and_the_api_for_none(places: Places) -> None:
    async with httpx2.AsyncClient(base_url=places.verifier, headers={"Origin": places.shop}) as client:
        script = await client.get("/static/byoid-verify.js")
        api = await client.get("/api/v1/queries")

    assert script.headers["access-control-allow-origin"] == "*"
    assert script.headers["cross-origin-resource-policy"] == "cross-origin"
    assert "access-control-allow-origin" not in api.headers
    assert len(script.content) < 30_000
