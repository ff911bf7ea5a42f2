"""What everybody needs: the keyboard alone, a focus that is seen, text twice as large, no motion, a wide screen."""

import asyncio

import pytest
from playwright.async_api import Route

from tests.wallet.browser.conftest import ARTIFACTS, TOO_WIDE, NewPhone, Phone

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
FOCUS = """() => { const one = document.activeElement, style = getComputedStyle(one), box = one.getBoundingClientRect();
    const label = one.closest("label");
    const seen = style.outlineStyle !== "none" || (label && getComputedStyle(label).outlineStyle !== "none");
    const onTop = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    return { id: one.id, name: one.name ?? "", seen, covered: Boolean(onTop?.closest(".tabs, .decide") && !one.closest(".tabs, .decide")) }; }"""  # noqa: E501
CUT_OFF = """() => [...document.querySelectorAll("h1, h2, p, dd, dt, button, .button, .tabs span, .card span, label")]
    .filter((one) => one.checkVisibility() && getComputedStyle(one).display !== "inline" && !one.matches(".visually-hidden"))
    .filter((one) => one.scrollWidth > one.clientWidth + 1 || one.scrollHeight > one.clientHeight + 2)
    .map((one) => one.outerHTML.slice(0, 120))"""  # noqa: E501
MOVING = """() => [...document.querySelectorAll("body *")]
    .filter((one) => parseFloat(getComputedStyle(one).transitionDuration) || getComputedStyle(one).animationName !== "none")
    .map((one) => one.outerHTML.slice(0, 80))"""  # noqa: E501
# As soon as a page says that it leaves; a test that does it from outside may come too late.
PRESSES_A_KEY = """setInterval(() => { const told = document.getElementById("going-back");
    if (told && !told.hidden) dispatchEvent(new KeyboardEvent("keydown")); }, 50)"""
PAGES = ("/", "/add", "/history", "/settings", "/settings/passkeys", "/settings/device", "/settings/move")


async def tab_to(phone: Phone, wanted: str) -> None:
    """Press Tab until an element has the focus; on the way each is seen, and none lies under a bar."""
    for _ in range(60):
        await phone.page.keyboard.press("Tab")
        focus = await phone.page.evaluate(FOCUS)
        assert focus["seen"], f"the focus is not seen at {focus}"
        assert not focus["covered"], f"the focus is covered at {focus}"
        if wanted in (focus["id"], focus["name"]):
            return
    raise AssertionError(f"Tab does not reach {wanted}")


async def test_the_keyboard_alone_makes_a_wallet_takes_a_card_and_shares_it(phone: Phone) -> None:
    page, places = phone.page, phone.places
    await phone.go("/start")
    await tab_to(phone, "create")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#later")
    await tab_to(phone, "later")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#add-first")
    offer = places.offer("pid_sd_jwt")
    await page.goto(places.offer_link(offer))
    await tab_to(phone, "fetch-offer")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#tx-code")
    await tab_to(phone, "tx-code")
    await page.keyboard.type(offer.tx_code or "")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#issuance-complete")

    await phone.ask("photo")
    await page.wait_for_selector("#request-form")
    await tab_to(phone, "accept-cautions")
    await page.keyboard.press("Space")
    await tab_to(phone, "approve")
    await page.keyboard.press("Enter")

    await page.wait_for_selector("#presentation-complete")


async def test_what_a_screen_reader_must_hear_is_live(phone: Phone) -> None:
    """Errors are alerts, and what comes later is a status: both are in the page from the beginning (WCAG 2.2 4.1.3)."""
    await phone.create_wallet()
    for path, state in (
        ("/scan", "scan-state"),
        ("/settings/device", "offline-state"),
        ("/settings/move", "import-result"),
    ):
        await phone.go(path)
        assert await phone.page.get_attribute("#message", "role") == "alert"
        assert await phone.page.get_attribute(f"#{state}", "role") == "status"


async def test_waiting_is_seen_and_heard_and_who_reads_on_stays(phone: Phone) -> None:
    """A tap shows that it counts (4.1.3); the way back to the service waits for whoever does something (2.2.1)."""
    page, gate = phone.page, asyncio.Event()

    async def hold(route: Route) -> None:
        await gate.wait()
        await route.continue_()

    await phone.create_wallet()
    await phone.take("pid_sd_jwt")
    await phone.ask("name")
    await page.add_init_script(PRESSES_A_KEY)
    await page.route("**/choice", hold)
    await page.click("#approve")
    await page.wait_for_selector("#approve[aria-busy=true]")
    assert await page.text_content("#working") == "One moment…"
    gate.set()

    await page.wait_for_selector("#presentation-complete")
    await page.wait_for_timeout(4000)  # longer than the page would wait
    assert await page.query_selector("#presentation-complete")


async def test_text_twice_as_large_loses_nothing(phone: Phone) -> None:
    """WCAG 2.2 1.4.4: as if the citizen had set the browser's text size to 200 %."""
    page = phone.page
    await phone.create_wallet()
    await phone.take("pid_sd_jwt", "pid_mdoc")
    await phone.go("/")
    card = await page.get_attribute("#cards .card", "href")
    for path in (*PAGES, card or ""):
        await phone.go(path)
        await page.evaluate("() => { document.documentElement.style.fontSize = '200%'; }")
        assert await page.evaluate(TOO_WIDE) == [], path
        assert await page.evaluate(CUT_OFF) == [], path
    await phone.ask("name")
    await page.evaluate("() => { document.documentElement.style.fontSize = '200%'; }")
    await page.screenshot(path=ARTIFACTS / f"{phone.language}-90-large-text.png")
    assert await page.evaluate(TOO_WIDE) == []
    assert await page.evaluate(CUT_OFF) == []


async def test_nothing_moves_where_no_motion_is_wanted(new_phone: NewPhone) -> None:
    phone = await new_phone(reduced_motion="reduce")
    await phone.create_wallet()
    for path in PAGES:
        await phone.go(path)
        assert await phone.page.evaluate(MOVING) == [], path


async def test_a_wide_screen_is_used_well(new_phone: NewPhone) -> None:
    """On a computer: no phone-wide column of cards, and no line that is too long to read."""
    phone = await new_phone(viewport={"width": 1280, "height": 800}, is_mobile=False, has_touch=False)
    await phone.create_wallet()
    await phone.take("residence_sd_jwt")
    await phone.take("residence_sd_jwt", person=phone.places.others[6])
    for path in PAGES:
        await phone.go(path)
        await phone.page.screenshot(path=ARTIFACTS / f"wide{path.replace('/', '-')}.png", full_page=True)
    await phone.go("/")
    first, second = [await each.bounding_box() for each in await phone.page.locator("#cards .card").all()]
    assert first
    assert second
    assert first["y"] == second["y"]  # side by side
