"""The playground: a query from a template or one's own, the request as wallets get it, the verdict."""

import asyncio
import json
import re
from base64 import b64encode
from dataclasses import replace

import pytest
from playwright.async_api import Page, Route, expect

from tests.verifier.browser.conftest import PHONE, Look, NewContext
from tests.verifier.browser.places import Places

DRAWING = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><path fill="#d33" d="M0 0h8v8H0z"/></svg>'
LOGO = "data:image/svg+xml;base64," + b64encode(DRAWING).decode()
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def use(page: Page, places: Places, template: str) -> None:
    await page.goto(f"{places.verifier}/playground?template={template}")
    await page.locator("#use-query").click()
    await page.locator("#byoid-identify").click()
    await expect(page.locator("#byoid-qr")).to_be_visible()


async def test_a_template_becomes_a_request_and_a_verdict(places: Places, new_context: NewContext, look: Look) -> None:
    page = await (await new_context()).new_page()
    await page.goto(f"{places.verifier}/playground")
    await page.get_by_label("Personal ID and proof of residence of one person").check()
    await page.locator("#fill-query").click()
    await look(page, "playground-desktop")
    await page.locator("#use-query").click()
    await page.locator("#byoid-identify").click()
    await page.get_by_text("The request, as a wallet gets it").click()
    await expect(page.locator("#request-text")).to_contain_text("oauth-authz-req+jwt")
    request = json.loads(await page.locator("#request-text").text_content() or "")
    await look(page, "playground-query-desktop")

    await places.holder.share(await page.locator("#byoid-link").text_content() or "")

    await expect(page.get_by_role("heading", name="Accepted")).to_be_visible()
    await expect(page.locator(".credential")).to_have_count(2)
    await expect(page.get_by_text("Lindenmoor").first).to_be_visible()
    await look(page, "playground-verdict-desktop")
    assert request["payload"]["response_mode"] == "direct_post.jwt"
    assert [each["id"] for each in request["payload"]["dcql_query"]["credentials"]] == [
        "pid", "pid_mdoc", "residence", "residence_mdoc",
    ]  # fmt: skip


async def test_the_person_comes_back_from_a_web_wallet(places: Places, new_context: NewContext, look: Look) -> None:
    page = await (await new_context(**PHONE)).new_page()
    await page.goto(f"{places.verifier}/playground?template=residence")
    await look(page, "playground-phone")
    await use(page, places, "residence")
    await page.get_by_role("link", name="Continue with wallet.localhost").click()
    await page.get_by_role("button", name="Share").click()

    await expect(page.get_by_role("heading", name="Accepted")).to_be_visible()
    await look(page, "playground-verdict-phone")


async def test_credentials_of_two_people_are_refused_with_the_reason(
    places: Places, new_context: NewContext, look: Look
) -> None:
    page = await (await new_context()).new_page()
    await use(page, places, "person_and_residence")
    mixed = replace(places.holder)
    other = {
        "family_name": "Berg",
        "given_name": "Kim",
        "birthdate": "1990-05-01",
        "address": {"locality": "Lindenmoor"},
    }
    vct = "urn:byoid:residence:1"
    mixed.sd_jwts[vct] = mixed.world.issuer.residence(mixed.holder, vct=vct, claims=other)

    with pytest.raises(AssertionError, match="invalid_request"):
        await mixed.share(await page.locator("#byoid-link").text_content() or "")

    await page.get_by_role("link", name="Show why").click()
    await expect(page.get_by_role("heading", name="Refused")).to_be_visible()
    await expect(page.locator("#reasons")).to_contain_text("a claim that must be the same in all credentials is not")


async def test_an_answer_that_proves_nothing_is_told_with_the_reason(
    places: Places, new_context: NewContext, look: Look
) -> None:
    page = await (await new_context(**PHONE)).new_page()
    await use(page, places, "residence")
    forged = replace(places.holder)
    forged.sd_jwts = {
        vct: re.sub(r"\.[^.~]{20}([^.~]+~)", rf".{'A' * 20}\1", text, count=1) for vct, text in forged.sd_jwts.items()
    }

    with pytest.raises(AssertionError, match="invalid_request"):
        await forged.share(await page.locator("#byoid-link").text_content() or "")

    await expect(page.get_by_role("status")).to_contain_text("An answer came that could not be verified.")
    await look(page, "playground-unproven-phone")
    await page.get_by_role("link", name="Show why").click()
    await expect(page.get_by_role("heading", name="Refused")).to_be_visible()
    await expect(page.locator("#reasons")).to_contain_text("no presentation is authentic")
    await look(page, "playground-unproven-reason-phone")


async def test_a_query_that_cannot_be_used_comes_back_with_the_reason(
    places: Places, new_context: NewContext, look: Look
) -> None:
    page = await (await new_context(quiet=False, locale="de-DE")).new_page()
    await page.goto(f"{places.verifier}/playground")
    await page.locator("#definition").fill('{"dcql_query": {"credentials": []}}')
    await page.locator("#use-query").click()

    await expect(page.get_by_role("alert")).to_contain_text("Diese Abfrage kann nicht benutzt werden")
    await expect(page.locator("#definition")).to_have_value('{"dcql_query": {"credentials": []}}')
    await look(page, "playground-problem-desktop")


async def test_the_page_hears_of_the_answer_at_once_and_does_not_ask(places: Places, new_context: NewContext) -> None:
    page = await (await new_context()).new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.rpartition("/attempts")[2]))
    async with page.expect_response("**/events") as response:
        await use(page, places, "residence")
    assert (await response.value).headers["content-type"].startswith("text/event-stream")
    await asyncio.sleep(1.5)  # longer than the pause between two questions
    await places.holder.share(await page.locator("#byoid-link").text_content() or "")

    await expect(page.get_by_role("heading", name="Accepted")).to_be_visible()
    attempt = next(each for each in asked if each.endswith("/events")).removesuffix("/events")
    assert attempt not in asked


async def test_where_events_cannot_be_had_the_page_asks(places: Places, new_context: NewContext) -> None:
    page = await (await new_context(quiet=False)).new_page()
    await page.route("**/events", lambda route: route.fulfill(status=503))
    await use(page, places, "residence")
    await places.holder.share(await page.locator("#byoid-link").text_content() or "")

    await expect(page.get_by_role("heading", name="Accepted")).to_be_visible()


async def test_web_wallets_show_their_name_and_logo(places: Places, new_context: NewContext, look: Look) -> None:
    page = await (await new_context(**PHONE)).new_page()

    async def list_wallets(route: Route) -> None:
        answer = await (await route.fetch()).json()
        link = answer["same_device"]["wallets"][0]["link"]
        names = {"City Wallet": LOGO, "Bank Wallet": "data:image/png;base64,AAAA", "Plain Wallet": None}
        wallets = [{"name": name, "link": link, "logo": logo} for name, logo in names.items()]
        answer["same_device"]["wallets"] = wallets
        await route.fulfill(json=answer)

    await page.route("**/attempts", list_wallets)
    await use(page, places, "residence")
    city, bank, plain = [
        page.get_by_role("link", name=f"Continue with {name} Wallet") for name in ("City", "Bank", "Plain")
    ]

    await expect(city.locator("img")).to_be_visible()
    await expect(bank.locator("img")).to_have_count(0)  # it is no picture
    await expect(plain.locator("img")).to_have_count(0)
    await look(page, "drop-in-wallets-phone")
