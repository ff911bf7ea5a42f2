"""The account's HTTP API: cookies, requests from other sites, errors by code."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from byoid.service import errors
from wallet.authenticator import SoftwareAuthenticator
from wallet.limits import RATES, Limited, Limits
from wallet.vault.context import Vault
from wallet.vault.contract import LocalDoor
from wallet.web.passkey_routes import COOKIE, passkey_routes

ORIGIN = "https://wallet.test"


@pytest.fixture
async def api(vault: Vault, limits: Limits) -> AsyncIterator[httpx2.AsyncClient]:
    app = FastAPI()
    app.state.limits = limits
    errors.install(app)
    app.include_router(passkey_routes(LocalDoor(vault), origin=ORIGIN))
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url=ORIGIN, headers={"Origin": ORIGIN}) as client:
        yield client


@pytest.fixture
def authenticator() -> SoftwareAuthenticator:
    return SoftwareAuthenticator(ORIGIN)


async def post(api: httpx2.AsyncClient, path: str, body: Any, status: int = 200) -> Any:
    answer = await api.post(path, json=body)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


async def register(api: httpx2.AsyncClient, authenticator: SoftwareAuthenticator) -> Any:
    ceremony = await post(api, "/passkeys/register/options", {"account_name": "Ada"})
    return await api.post("/passkeys/register", json={**authenticator.create(ceremony), "name": "Phone"})


async def approve(api: httpx2.AsyncClient, authenticator: SoftwareAuthenticator, **body: str) -> Any:
    ceremony = await post(api, "/account/approvals/options", body)
    return await post(api, "/account/approvals", authenticator.get(ceremony))


async def test_the_session_is_in_a_host_cookie_that_no_script_reads(
    api: httpx2.AsyncClient, authenticator: SoftwareAuthenticator
) -> None:
    answer = await register(api, authenticator)
    cookie = answer.headers["set-cookie"]

    assert cookie.startswith(f"{COOKIE}=")
    assert {"HttpOnly", "Secure", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))
    assert "cookie" not in answer.json()
    assert "reading" not in answer.text


async def test_the_whole_account_is_an_api(api: httpx2.AsyncClient, authenticator: SoftwareAuthenticator) -> None:
    await register(api, authenticator)
    code = (await approve(api, authenticator, action="new-recovery-code"))["recovery_code"]
    account = (await api.get("/account")).json()
    await api.put(f"/account/passkeys/{account['passkeys'][0]['id']}/name", params={"name": "Old phone"})
    journal = (await api.get("/account/journal")).json()
    began = await post(api, "/recovery", {"code": code})
    early = await post(api, "/recovery/passkey/options", {"code": code, "account_name": "Ada"}, status=409)
    await api.post("/recovery/cancel")
    await api.delete(f"/sessions/{account['browsers'][0]['id']}")

    assert {entry["event"] for entry in journal} == {"recovery-code-made", "registered"}
    assert began["usable_at"].startswith("2026-11-25")
    assert early["error"] == "too_early"
    assert (await api.get("/account")).status_code == 401


@pytest.mark.parametrize("way_out", ["/session", "/sessions"])
async def test_signing_out_takes_the_cookie(
    api: httpx2.AsyncClient, authenticator: SoftwareAuthenticator, way_out: str
) -> None:
    await register(api, authenticator)
    await api.delete(way_out)

    assert COOKIE not in api.cookies
    ceremony = await post(api, "/passkeys/sign-in/options", {})
    assert (await post(api, "/passkeys/sign-in", authenticator.get(ceremony)))["protection"] == "passkey"


async def test_a_lost_wallet_is_locked_with_the_code_and_unlocked_with_a_passkey(
    api: httpx2.AsyncClient, authenticator: SoftwareAuthenticator
) -> None:
    await register(api, authenticator)
    code = (await approve(api, authenticator, action="new-recovery-code"))["recovery_code"]
    await post(api, "/recovery/lock", {"code": code}, status=204)
    ceremony = await post(api, "/passkeys/sign-in/options", {})
    signed_in = await post(api, "/passkeys/sign-in", authenticator.get(ceremony))
    refused = await post(api, "/account/approvals/options", {"action": "new-recovery-code"}, status=423)
    await approve(api, authenticator, action="unlock")

    assert signed_in["locked"]
    assert refused["error"] == "wallet_locked"
    assert not (await api.get("/account")).json()["locked"]


async def test_the_owner_locks_the_wallet(api: httpx2.AsyncClient, authenticator: SoftwareAuthenticator) -> None:
    await register(api, authenticator)

    assert (await api.post("/account/lock")).status_code == 204
    assert (await api.get("/account")).status_code == 401


async def test_recovery_over_the_api_gives_a_session_and_the_next_code(
    api: httpx2.AsyncClient, authenticator: SoftwareAuthenticator, clock: Any
) -> None:
    await register(api, authenticator)
    code = (await approve(api, authenticator, action="new-recovery-code"))["recovery_code"]
    await post(api, "/recovery", {"code": code})
    clock.advance(days=3)
    ceremony = await post(api, "/recovery/passkey/options", {"code": code, "account_name": "Ada"})
    created = SoftwareAuthenticator(ORIGIN).create(ceremony)
    recovered = await post(api, "/recovery/passkey", {**created, "code": code, "name": "New phone"})

    assert recovered["recovery_code"] != code
    assert [each["name"] for each in (await api.get("/account")).json()["passkeys"]] == ["New phone"]


@pytest.mark.hostile
@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.test"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}],
)
async def test_a_request_from_another_site_is_refused(api: httpx2.AsyncClient, headers: dict[str, str]) -> None:
    answer = await api.post("/passkeys/sign-in/options", headers=headers)

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/passkeys/sign-in", {"ceremony": "c", "credential": {}, "secrets": {}, "more": 1}),
        ("/passkeys/sign-in", {"ceremony": "c" * 65, "credential": {}}),
        ("/passkeys/sign-in", {"ceremony": "c", "credential": {}, "secrets": {"reading": "short"}}),
        ("/passkeys/register/options", {"account_name": ""}),
        ("/passkeys/register/options", {"account_name": "x" * 101}),
        ("/recovery", {"code": "short"}),
        ("/recovery", {"code": "A" * 28}),
    ],
)
async def test_junk_is_a_bad_request(api: httpx2.AsyncClient, path: str, body: dict[str, Any]) -> None:
    assert (await post(api, path, body, status=400))["error"] == "invalid_request"


@pytest.mark.hostile
@pytest.mark.parametrize("action", ["present", "receive", "add-passkey", "become-operator"])
async def test_the_account_api_proposes_nothing_else(
    api: httpx2.AsyncClient, authenticator: SoftwareAuthenticator, action: str
) -> None:
    await register(api, authenticator)

    await post(api, "/account/approvals/options", {"action": action}, status=400)


@pytest.mark.hostile
async def test_without_a_session_nothing_is_shown(api: httpx2.AsyncClient) -> None:
    answers = [await api.get("/account"), await api.get("/account/journal"), await api.delete("/session")]

    assert {(each.status_code, each.json()["error"]) for each in answers} == {(401, "not_signed_in")}


@pytest.mark.hostile
async def test_strangers_do_not_type_codes_for_ever(api: httpx2.AsyncClient, clock: Any) -> None:
    code = {"code": "0" * 28}
    allowed = [
        (await api.post("/recovery/lock", json=code)).status_code for _ in range(RATES[Limited.RECOVER][0])
    ]  # fmt: skip
    refused = await api.post("/recovery", json=code)
    clock.advance(hours=1)
    later = await api.post("/recovery", json=code)

    assert set(allowed) == {400}
    assert (refused.status_code, refused.json()["error"]) == (429, "temporarily_unavailable")
    assert 0 < int(refused.headers["retry-after"]) <= 3600
    assert later.status_code == 400
