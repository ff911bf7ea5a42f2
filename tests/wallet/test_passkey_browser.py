"""Real Chromium with a virtual authenticator that has PRF: register, sign in, approve, add a passkey."""

import asyncio
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from playwright.async_api import CDPSession, Page, async_playwright

from byoid.keys import PublicKey
from byoid.service import errors
from byoid.service.database import Database
from byoid.service.seal import Sealer
from wallet.limits import Limits
from wallet.passkeys import WebAuthnParty
from wallet.store import VaultStore
from wallet.tables import VaultTable, WalletTable
from wallet.vault import gate, holder_keys, proposals
from wallet.vault.context import Vault
from wallet.vault.contract import Action, Ceremony, LocalDoor, PagePost, Proposal, SigningInput
from wallet.vault.kek import FileKek
from wallet.web.passkey_routes import Cookie, passkey_routes

pytestmark = [pytest.mark.browser, pytest.mark.slow]

STATIC = Path(__file__).parents[2] / "wallet" / "web" / "static"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
AUTHENTICATOR = {
    "protocol": "ctap2", "ctap2Version": "ctap2_1", "transport": "internal", "hasResidentKey": True,
    "hasUserVerification": True, "automaticPresenceSimulation": True, "isUserVerified": True,
    "defaultBackupEligibility": True, "defaultBackupState": True,
}  # fmt: skip
PAGE = """<!doctype html><html lang="en"><title>Wallet</title><main><h1>Wallet</h1></main>
<script type="module" src="/static/passkey.js"></script></html>"""
POLICY = "default-src 'none'; script-src 'self'; connect-src 'self'"


def signing_app(door: LocalDoor, origin: str, key_binding: bytes) -> FastAPI:
    """The router of the wallet, and a flow that presents one key binding."""
    app = FastAPI()
    errors.install(app)
    app.include_router(passkey_routes(door, origin=origin))
    app.mount("/static", StaticFiles(directory=STATIC))

    @app.get("/")
    async def page() -> HTMLResponse:
        return HTMLResponse(PAGE, headers={"Content-Security-Policy": POLICY})

    @app.post("/present/options")
    async def options(cookie: Cookie, request: Request) -> Ceremony:
        (key,) = await door.run(holder_keys.create_holder_keys, cookie, count=1)
        app.state.public_jwk = key.public_jwk
        proposal = Proposal(
            action=Action.PRESENT, consent_id="c", option="o", shown=sha256(await request.body()).digest(),
            inputs=(SigningInput(key_id=key.id, data=key_binding),),
        )  # fmt: skip
        return await door.run(proposals.propose, cookie, proposal)

    @app.post("/present")
    async def present(post: PagePost, cookie: Cookie) -> dict[str, bool]:
        approved = await door.run(gate.approve, cookie, post)
        PublicKey.from_jwk(app.state.public_jwk).verify("ES256", key_binding, *approved.signatures)
        return {"presented": True}

    return app


@pytest.fixture
async def origin(build_key_binding: Any) -> Any:
    """The wallet on a free port of localhost."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    origin = f"http://localhost:{listener.getsockname()[1]}"
    database = await Database.open("sqlite://")
    await database.create_all(VaultTable.metadata)
    party = WebAuthnParty(id="localhost", name="Wallet", origins=(origin,))
    vault = Vault(VaultStore(database), party, FileKek(b"k" * 32), lambda: datetime.now(UTC))
    app = signing_app(LocalDoor(vault), origin, build_key_binding())
    await database.create_all(WalletTable.metadata)
    app.state.limits = Limits.of(database, Sealer({"test": b"s" * 32}), clock=vault.clock)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    task = asyncio.create_task(server.serve([listener]))
    yield origin
    server.should_exit = True
    await task
    listener.close()
    await database.close()


@dataclass
class Browser:
    page: Page
    devtools: CDPSession
    authenticator: str

    async def call(self, expression: str) -> Any:
        """Run an expression on the module `passkey.js`, here `p`; an error comes back as its code."""
        script = f"import('/static/passkey.js').then(p => {expression}).catch(e => ({{error: e.code ?? String(e)}}))"
        return await self.page.evaluate(script)

    async def use(self, **changes: Any) -> None:
        """Go on with another authenticator."""
        await self.devtools.send("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": self.authenticator})
        await self.add(**changes)

    async def add(self, **changes: Any) -> None:
        options = {"options": {**AUTHENTICATOR, "hasPrf": True, **changes}}
        self.authenticator = (await self.devtools.send("WebAuthn.addVirtualAuthenticator", options))["authenticatorId"]


@pytest.fixture
async def browser(origin: str) -> Any:
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        context = await chromium.new_context(viewport={"width": 390, "height": 844})
        page = await context.new_page()
        devtools = await context.new_cdp_session(page)
        await devtools.send("WebAuthn.enable", {"enableUI": False})
        await page.goto(origin)
        browser = Browser(page, devtools, "")
        await browser.add()
        yield browser
        await chromium.close()


REGISTER = "p.register({accountName: 'Ada', name: 'Phone'})"
PRESENT = "p.approve({options: '/present/options', body: {choice: 1}, url: '/present'})"


async def test_a_citizen_registers_signs_in_and_approves(browser: Browser) -> None:
    registered = await browser.call(REGISTER)
    presented = await browser.call(PRESENT)
    signed_in = await browser.call("p.signIn()")
    again = await browser.call(PRESENT)

    assert registered["protection"] == signed_in["protection"] == "passkey"
    assert presented == again == {"presented": True}


async def test_without_a_prf_the_citizen_is_told_and_can_go_on(browser: Browser) -> None:
    await browser.use(hasPrf=False)

    registered = await browser.call(REGISTER)

    assert registered["protection"] == "key-file"
    assert (await browser.call("p.signIn()"))["protection"] == "key-file"
    assert await browser.call(PRESENT) == {"presented": True}


async def test_without_user_verification_nothing_is_approved(browser: Browser) -> None:
    await browser.call(REGISTER)
    setting = {"authenticatorId": browser.authenticator, "isUserVerified": False}
    await browser.devtools.send("WebAuthn.setUserVerified", setting)

    assert await browser.call(PRESENT) == {"error": "passkey_declined"}


async def test_a_recovery_code_is_made_by_an_approval(browser: Browser) -> None:
    await browser.call(REGISTER)

    made = await browser.call(
        "p.approve({options: '/account/approvals/options', body: {action: 'new-recovery-code'}, "
        "url: '/account/approvals'})"
    )

    assert len(made["recovery_code"]) == 34


async def test_signing_out_ends_the_session(browser: Browser) -> None:
    await browser.call(REGISTER)
    await browser.page.evaluate("fetch('/session', {method: 'DELETE'})")

    assert await browser.call(PRESENT) == {"error": "not_signed_in"}


async def test_a_second_passkey_is_added_with_an_assertion_of_the_first(browser: Browser) -> None:
    """The steps of `addPasskey`, one by one: between them the citizen takes the other device into their hand."""
    await browser.call(REGISTER)
    first = {"authenticatorId": browser.authenticator}
    await browser.devtools.send("WebAuthn.setAutomaticPresenceSimulation", {**first, "enabled": False})
    await browser.add(transport="usb")
    second = {"authenticatorId": browser.authenticator}
    await browser.call(
        "p.post('/passkeys/add/options', {account_name: 'Ada'}).then(p.create).then(c => { window.created = c })"
    )
    await browser.devtools.send("WebAuthn.setAutomaticPresenceSimulation", {**first, "enabled": True})
    await browser.devtools.send("WebAuthn.setAutomaticPresenceSimulation", {**second, "enabled": False})

    added = await browser.call(
        "p.post('/passkeys/add/proposal', {...window.created, name: 'Key'}).then(p.get)"
        ".then(answer => p.post('/passkeys/add', {...answer, new_secrets: window.created.secrets}))"
    )
    await browser.devtools.send("WebAuthn.removeVirtualAuthenticator", first)
    await browser.devtools.send("WebAuthn.setAutomaticPresenceSimulation", {**second, "enabled": True})
    signed_in = await browser.call("p.signIn()")

    assert added == {"action": "add-passkey", "recovery_code": None}
    assert signed_in["protection"] == "passkey"
    assert await browser.call(PRESENT) == {"presented": True}
