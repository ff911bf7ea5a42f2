"""Sign-in, consent, refusal and errors as people see them: on a phone, in two languages, with and without scripts."""

import pytest
from playwright.async_api import expect

from tests.issuer.browser.conftest import LANGUAGES
from tests.issuer.conftest import PASSWORDS

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_pages_of_the_authorization_endpoint_can_be_used_by_everybody(
    place, new_page, look, language
) -> None:
    page = await new_page(**LANGUAGES[language])
    await page.goto(await place.pushed())
    await look(page, f"{language}-sign-in")
    await page.fill("#username", "ada")
    await page.fill("#password", "wrong")
    await page.click("#login")
    await expect(page.locator("#sign-in-problem")).to_be_visible()
    await look(page, f"{language}-sign-in-wrong")
    await page.fill("#password", PASSWORDS["ada"][0])
    await page.click("#login")
    await expect(page.locator("#consent-approve")).to_be_visible()
    await look(page, f"{language}-consent")
    await page.click("#consent-approve")
    await page.wait_for_url("**/byoid.css?from=issuer&*code=*")
    await page.goto(f"{place.url}/authorize?client_id=a&request_uri=b")
    await expect(page.get_by_role("alert")).to_be_visible()
    await look(page, f"{language}-error")


async def test_a_person_without_scripts_and_without_a_mouse_says_no(place, new_page) -> None:
    page = await new_page(java_script_enabled=False)
    await page.goto(await place.pushed())
    await page.locator("#username").focus()
    await page.keyboard.type("ada")
    await page.keyboard.press("Tab")
    await page.keyboard.type(PASSWORDS["ada"][0])
    await page.keyboard.press("Enter")
    await page.locator("#consent-deny").focus()
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/byoid.css?from=issuer&*error=access_denied*")


async def test_who_cancels_the_sign_in_goes_back_to_the_wallet(place, new_page) -> None:
    page = await new_page(java_script_enabled=False)
    await page.goto(await place.pushed(scope="pid_mdoc"))
    await page.click("#sign-in-cancel")
    await page.wait_for_url("**/byoid.css?from=issuer&*error=access_denied*")
