"""Sign-in in a browser: at the service of the verifier's README, run by Node as it stands there."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from byoid.formats.status_list import StatusReference
from tests.verifier.browser.conftest import PHONE, Look, NewContext
from tests.verifier.browser.places import REVOKED, ROOT, Places, listen
from tests.verifier.logins import PERSON
from tests.verifier.world import STATUS_URI, VCT, definition
from verifier.app import open_verifier
from verifier.logins import NewLogin, add_login

README = (ROOT / "verifier" / "README.md").read_text("utf-8")
Service = Callable[[], Awaitable[str]]
pytestmark = [pytest.mark.browser, pytest.mark.peers, pytest.mark.asyncio(loop_scope="session")]


def program() -> str:
    return next(text for text in re.findall(r"```js\n(.*?)```", README, re.DOTALL) if "authorization_endpoint" in text)


@asynccontextmanager
async def service(places: Places, folder: Path) -> AsyncIterator[str]:
    """Run the README's service; its address."""
    probe, port = listen()
    probe.close()
    trust = {"trust": {"*": {"lists": ["issuers"]}}}
    asked = await places.shop_api.put("/queries/person", json={**definition(PERSON), **trust})
    assert asked.status_code in (200, 201), asked.text
    async with open_verifier(places.settings) as verifier:
        new = NewLogin("shop", f"web-{port}", "person", (f"http://localhost:{port}/callback",), algorithm="ES256")
        secret = await add_login(verifier, new)
    (folder / "login.mjs").write_text(program(), "utf-8")
    environment = {
        **os.environ, "ISSUER": places.verifier, "CLIENT_ID": new.client_id, "CLIENT_SECRET": str(secret),
        "PORT": str(port),
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        "node", folder / "login.mjs", env=environment, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), 20)
        assert line.startswith(b"open"), "the README's service did not start"
        yield f"http://localhost:{port}/"
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def offered(page: Page) -> str:
    """Press the button; the link of the code."""
    await page.locator("#byoid-identify").click()
    await expect(page.locator("#byoid-qr")).to_be_visible()
    return await page.locator("#byoid-link").text_content() or ""


async def test_a_person_signs_in_at_a_service(
    places: Places, new_context: NewContext, look: Look, tmp_path: Path
) -> None:
    async with service(places, tmp_path) as address:
        desktop = await (await new_context()).new_page()
        await desktop.goto(address)
        await expect(desktop.get_by_role("heading", name="Sign in to Shop")).to_be_visible()
        revoked = replace(places.holder)
        revoked.sd_jwts = {
            VCT: places.holder.world.issuer.sd_jwt_vc(revoked.holder, status=StatusReference(STATUS_URI, REVOKED))
        }
        with pytest.raises(AssertionError, match="invalid_request"):
            await revoked.share(await offered(desktop))
        await expect(desktop.get_by_role("alert")).to_contain_text("The issuer has revoked this card.")
        await look(desktop, "login-refused-desktop")

        await places.holder.share(await offered(desktop))
        await expect(desktop.get_by_text("Welcome, Ada")).to_be_visible()

        phone = await (await new_context(locale="de-DE", **PHONE)).new_page()
        await phone.goto(address)
        await look(phone, "login-phone")
        await phone.locator("#byoid-identify").click()
        await phone.get_by_role("link", name="Weiter mit wallet.localhost").click()
        await phone.get_by_role("button", name="Share").click()
        await expect(phone.get_by_text("Welcome, Ada")).to_be_visible()

        plain = await (await new_context(java_script_enabled=False, **PHONE)).new_page()
        await plain.goto(address)
        await plain.get_by_role("button", name="Identify with your wallet").click()
        await plain.screenshot(path=ROOT / "tests/.artifacts/verifier/login-without-scripts-phone.png", full_page=True)
        await plain.get_by_role("link", name="Continue with wallet.localhost").click()
        await plain.get_by_role("button", name="Share").click()
        await expect(plain.get_by_text("Welcome, Ada")).to_be_visible()

        await desktop.goto(address)
        await desktop.get_by_role("button", name="Cancel and go back to Shop").click()
        await expect(desktop.get_by_text("Not signed in: access_denied")).to_be_visible()
