"""The Digital Credentials API in Chromium: its virtual wallet hands over what our own code has computed.

OpenID4VP 1.0 appendix A: unsigned and signed requests, in the clear and encrypted, both formats.
"""

from dataclasses import replace
from typing import Any

import pytest
from playwright.async_api import BrowserContext, CDPSession, Page, Route, expect

from tests.verifier.browser.conftest import NewContext
from tests.verifier.browser.places import BrowserWallet, Places
from tests.verifier.world import definition, mdoc_query, sd_jwt_query

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
QUERIES = {"dc+sd-jwt": sd_jwt_query(["given_name"]), "mso_mdoc": mdoc_query("given_name")}
GET = """async (requests) => {
  const found = await navigator.credentials.get({ digital: { requests }, mediation: "required" });
  return { protocol: found.protocol, data: found.data };
}"""


async def virtual_wallet(context: BrowserContext, page: Page) -> CDPSession:
    return await context.new_cdp_session(page)


async def behave(devtools: CDPSession, action: str, **members: Any) -> None:
    await devtools.send("DigitalCredentials.setVirtualWalletBehavior", {"action": action, **members})


async def start(places: Places, *, signed: bool, encrypted: bool, format_: str) -> tuple[Any, dict[str, Any]]:
    """Begin a transaction at the API, as the shop (which signs) or the kiosk."""
    api = places.shop_api if signed else places.kiosk_api
    name = f"dc-{'jwt' if encrypted else 'clear'}-{format_[:2]}"
    made = await api.put(f"/queries/{name}", json=definition(QUERIES[format_], encrypted=encrypted))
    assert made.is_success, made.text
    begun = await api.post("/transactions", json={"query": name, "mode": "dc_api", "origin": places.shop})
    assert begun.status_code == 201, begun.text
    return api, begun.json()


@pytest.mark.parametrize("format_", ["dc+sd-jwt", "mso_mdoc"])
async def test_every_kind_of_request_is_answered_through_the_browser(
    places: Places, new_context: NewContext, format_: str
) -> None:
    context = await new_context()
    page = await context.new_page()
    await page.goto(f"{places.shop}/welcome")
    devtools = await virtual_wallet(context, page)
    holder = replace(places.holder, format=format_)

    for signed, encrypted in ((True, True), (True, False), (False, True), (False, False)):
        api, begun = await start(places, signed=signed, encrypted=encrypted, format_=format_)
        asked = begun["digital"]
        answer = holder.digital(asked, places.shop)
        await behave(devtools, "respond", protocol=asked["protocol"], response=answer)
        given = await page.evaluate(GET, [asked])
        view = await api.post(f"/transactions/{begun['id']}/response", json=given)
        result = (await api.get(f"/transactions/{begun['id']}/result")).json()

        assert asked["protocol"] == ("openid4vp-v1-signed" if signed else "openid4vp-v1-unsigned")
        assert ("response" in given["data"]) == encrypted
        assert view.json()["state"] == "accepted", view.text
        claims = result["credentials"]["pid"][0]["claims"]
        assert claims in ({"given_name": "Ada"}, {"eu.europa.ec.eudi.pid.1": {"given_name": "Ada"}})


@pytest.mark.hostile
async def test_an_answer_that_was_made_for_another_origin_is_refused(places: Places) -> None:
    api, begun = await start(places, signed=False, encrypted=True, format_="mso_mdoc")
    answer = replace(places.holder, format="mso_mdoc").digital(begun["digital"], "https://phishing.example")

    refused = await api.post(f"/transactions/{begun['id']}/response", json={"data": answer})
    view = (await api.get(f"/transactions/{begun['id']}")).json()

    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")
    assert (view["state"], view["failures"]) == ("pending", 1)


async def answer_when_asked(page: Page, devtools: CDPSession, holder: BrowserWallet, origin: str) -> None:
    """Compute the answer of the virtual wallet as soon as the page has the request."""

    async def handle(route: Route) -> None:
        response = await route.fetch(url=route.request.url.replace("shop.localhost", "127.0.0.1"))  # it asks the DNS
        (asked,) = (await response.json())["requests"]
        await behave(devtools, "respond", protocol=asked["protocol"], response=holder.digital(asked, origin))
        await route.fulfill(response=response)

    await page.route("**/digital", handle)


async def test_the_drop_in_lets_the_browser_find_the_wallet(places: Places, new_context: NewContext) -> None:
    context = await new_context()
    page = await context.new_page()
    await page.goto(places.shop)
    devtools = await virtual_wallet(context, page)
    await page.locator("#byoid-identify").click()
    await behave(devtools, "decline")
    await page.locator("#byoid-digital").click()
    await expect(page.get_by_role("status")).to_contain_text("The browser’s window was closed, and nothing was shared.")

    await answer_when_asked(page, devtools, replace(places.holder, format="mso_mdoc"), places.shop)
    await page.locator("#byoid-digital").click()

    await expect(page.locator("#country")).to_have_text("You live in DE.")


async def test_a_browser_without_the_interface_has_no_button_for_it(places: Places, new_context: NewContext) -> None:
    context = await new_context()
    await context.add_init_script("delete window.DigitalCredential")
    page = await context.new_page()
    await page.goto(places.shop)
    await page.locator("#byoid-identify").click()

    await expect(page.locator("#byoid-app")).to_be_visible()
    assert await page.locator("#byoid-digital").count() == 0
