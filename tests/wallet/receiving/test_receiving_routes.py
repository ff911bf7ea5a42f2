"""The JSON API for receiving: the whole journey over HTTP, and what it refuses."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from fastapi import FastAPI

from byoid.formats.status_list import JWT_MEDIA_TYPE
from byoid.service import errors
from tests.peers.dishonest_issuer import URL, DishonestIssuer, link, offer
from tests.wallet.world import WALLET_URL
from wallet.context import Wallet
from wallet.offers import open_link
from wallet.vault.contract import Ceremony
from wallet.web import api_errors
from wallet.web.passkey_routes import COOKIE
from wallet.web.receiving_routes import receiving_routes, status_routes


@pytest.fixture
async def api(wallet: Wallet, citizen: Any) -> AsyncIterator[httpx2.AsyncClient]:
    app = FastAPI()
    app.state.wallet = wallet
    app.include_router(receiving_routes(origin=WALLET_URL))
    app.include_router(status_routes())
    errors.install(app)
    api_errors.install(app)
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url=WALLET_URL, cookies={COOKIE: citizen.cookie}) as client:
        yield client


async def approved(api: httpx2.AsyncClient, citizen: Any, receipt_id: str) -> dict[str, Any]:
    ceremony = Ceremony.model_validate((await api.post(f"/api/offers/{receipt_id}/proposal", json={})).json())
    post = citizen.answer(ceremony).model_dump(mode="json")
    found: dict[str, Any] = (await api.post(f"/api/offers/{receipt_id}/approve", json={"post": post})).json()
    return found


async def test_an_offer_is_opened_looked_at_approved_and_kept(api: httpx2.AsyncClient, citizen: Any) -> None:
    opened = (await api.post("/api/offers", json={"link": link(offer())})).json()
    assert opened["stage"] == "offered"
    assert (await api.get(f"/api/offers/{opened['receipt_id']}")).json()["cards"][0]["copies"] == 3

    outcome = await approved(api, citizen, opened["receipt_id"])

    assert len(outcome["card_ids"]) == 1
    assert (await citizen.holdings())["cards"] == 1
    assert (await api.get(f"/api/offers/{opened['receipt_id']}")).json()["message"] == "error-not-found"


async def test_an_offer_by_reference_is_fetched_on_demand(api: httpx2.AsyncClient, issuer: DishonestIssuer) -> None:
    text = f"openid-credential-offer://?credential_offer_uri={URL}/offer"
    opened = (await api.post("/api/offers", json={"link": text})).json()
    assert (opened["stage"], issuer.seen) == ("asked", [])

    assert (await api.post(f"/api/offers/{opened['receipt_id']}/fetch")).json()["stage"] == "offered"


async def test_the_catalogue_leads_to_a_login_and_back(api: httpx2.AsyncClient, citizen: Any) -> None:
    (entry,) = (await api.get("/api/catalogue")).json()
    choice = {"credential_issuer": entry["credential_issuer"], "configuration_ids": ["pid"]}
    opened = (await api.post("/api/catalogue", json=choice)).json()
    assert opened["needs_login"]
    go_to = (await approved(api, citizen, opened["receipt_id"]))["go_to"]
    assert parse_qs(urlsplit(go_to).query)["client_id"] == ["byoid-wallet"]
    state = (await citizen.receipts())[0]["conversation"]["state"]

    back = {"parameters": {"code": "c", "state": state, "iss": URL}}
    assert len((await api.post("/api/callback", json=back)).json()["card_ids"]) == 1


async def test_declining_is_as_easy(api: httpx2.AsyncClient, citizen: Any) -> None:
    opened = (await api.post("/api/offers", json={"link": link(offer())})).json()

    assert (await api.delete(f"/api/offers/{opened['receipt_id']}")).status_code == 204
    assert await citizen.receipts() == []


async def test_promises_and_renewals(
    api: httpx2.AsyncClient, citizen: Any, issuer: DishonestIssuer, clock: Any
) -> None:
    issuer.defer, issuer.refresh_token = 1, "refresh"
    await citizen.receive()
    (promise,) = (await api.get("/api/promises")).json()
    assert promise["configuration_id"] == "pid"
    clock.advance(seconds=6)
    (collected,) = (await api.post("/api/promises/collect")).json()
    assert collected["message"] is None
    assert (await api.get("/api/renewals")).json() == []

    renewal = (await api.post(f"/api/cards/{collected['card_ids'][0]}/renewal")).json()
    assert (renewal["stage"], renewal["needs_login"]) == ("offered", False)


async def test_status_lists_are_there_for_everybody(api: httpx2.AsyncClient, citizen: Any) -> None:
    await citizen.receive()
    found = await api.get("/attestations/status/client-2026-11-1", headers={"Cookie": ""})

    assert found.headers["content-type"] == JWT_MEDIA_TYPE
    assert (await api.get("/attestations/status/nothing")).status_code == 404


@pytest.mark.hostile
async def test_a_request_from_another_site_is_refused(api: httpx2.AsyncClient) -> None:
    headers = {"Origin": "https://evil.test"}

    assert (await api.post("/api/offers", json={"link": link(offer())}, headers=headers)).status_code == 400


@pytest.mark.hostile
async def test_nothing_is_done_without_a_session(api: httpx2.AsyncClient, issuer: DishonestIssuer) -> None:
    api.cookies.clear()

    assert (await api.post("/api/offers", json={"link": link(offer())})).status_code == 401
    assert issuer.seen == []


@pytest.mark.hostile
async def test_unknown_members_are_refused(api: httpx2.AsyncClient) -> None:
    assert (await api.post("/api/offers", json={"link": link(offer()), "force": True})).status_code == 400


@pytest.mark.hostile
async def test_a_receipt_of_somebody_else_is_not_there(api: httpx2.AsyncClient, citizen: Any, stranger: Any) -> None:
    receipt = await open_link(stranger.wallet, await stranger.visit(), link(offer()))

    assert (await api.get(f"/api/offers/{receipt.id}")).status_code == 404
    assert (await api.post(f"/api/offers/{receipt.id}/proposal", json={})).status_code == 404
