"""The HTTP API of presenting: what pages and apps use, with the same rules."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from byoid.service import errors
from tests.peers.dishonest_verifier import VerifierPeer
from tests.wallet.world import WALLET_URL
from wallet import portability
from wallet.web import api_errors
from wallet.web.passkey_routes import COOKIE
from wallet.web.presenting_routes import presenting_routes


@pytest.fixture
async def api(holder: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx2.AsyncClient]:
    """A native app of the holder."""
    monkeypatch.setattr(portability, "ROUNDS", 1000)
    app = FastAPI()
    app.state.wallet = holder.wallet
    errors.install(app)
    api_errors.install(app)
    app.include_router(presenting_routes(origin=WALLET_URL))
    headers = {"Cookie": f"{COOKIE}={holder.citizen.cookie}", "Origin": WALLET_URL}
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=WALLET_URL, headers=headers) as client:
        yield client


async def test_a_request_is_opened_chosen_and_approved(
    api: httpx2.AsyncClient, holder: Any, verifier: VerifierPeer
) -> None:
    view = (await api.post("/api/requests", json={"link": verifier.link})).json()
    assert view["asker"]["party"]["name"] == "Stadtbücherei"
    assert (await api.get(f"/api/requests/{view['id']}")).json() == view
    choice = {"cards": view["suggested"], "accepted_cautions": view["cautions"]}
    ceremony = (await api.post(f"/api/requests/{view['id']}/choice", json=choice)).json()

    post = holder.citizen.authenticator.get(ceremony)
    presented = (await api.post(f"/api/requests/{view['id']}/approve", json=post)).json()

    assert presented["delivered"] is True
    assert presented["go_to"] == "https://verifier.test/done#response_code=1"
    entry = (await api.get(f"/api/history/{presented['history_id']}")).json()
    assert entry["entry"]["transactionResult"] == "Completed"
    assert (await api.get("/api/history", params={"search": "bücherei"})).json() == [entry]
    assert (await api.get(f"/api/requests/{view['id']}")).status_code == 404


async def test_a_request_is_declined(api: httpx2.AsyncClient, verifier: VerifierPeer) -> None:
    view = (await api.post("/api/requests", json={"link": verifier.link})).json()
    answer = await api.post(f"/api/requests/{view['id']}/decline", json={"tell": True})
    assert answer.json() == {"go_to": "https://verifier.test/done#response_code=1"}
    assert verifier.opened()["error"] == "access_denied"


async def test_a_refused_request_is_told_to_the_verifier_only_on_demand(
    api: httpx2.AsyncClient, verifier: VerifierPeer
) -> None:
    verifier.claims["redirect_uri"] = "https://verifier.test/done"
    refused = await api.post("/api/requests", json={"link": verifier.link})
    assert refused.status_code == 400
    body = refused.json()
    assert (body["error"], body["message"]) == ("invalid_request", "error-bad-request")
    assert verifier.posted == []

    told = await api.post(f"/api/refusals/{body['refusal_id']}")
    assert told.json() == {"go_to": "https://verifier.test/done#response_code=1"}
    assert verifier.opened()["error"] == "invalid_request"
    assert (await api.post(f"/api/refusals/{body['refusal_id']}")).status_code == 404


async def test_a_refusal_that_nobody_may_know_of_cannot_be_told(
    api: httpx2.AsyncClient, verifier: VerifierPeer
) -> None:
    verifier.claims["response_uri"] = "http://verifier.test/responses/1"
    body = (await api.post("/api/requests", json={"link": verifier.link})).json()
    assert body["error"] == "invalid_request"
    assert "refusal_id" not in body


async def test_rights_are_used(api: httpx2.AsyncClient, holder: Any, verifier: VerifierPeer) -> None:
    item = (await holder.present(await holder.propose(verifier.link))).item
    for right in ("deletion-request", "report"):
        found = (await api.get(f"/api/history/{item.id}/{right}")).json()
        assert found["contacts"]
        assert (await api.post(f"/api/history/{item.id}/{right}")).status_code == 204
    assert "transaction" in (await api.get(f"/api/history/{item.id}/evidence")).json()
    assert (await api.delete(f"/api/history/{item.id}")).status_code == 204
    assert len((await api.get("/api/history")).json()) == 2


async def test_states_export_import_and_deletion(api: httpx2.AsyncClient, holder: Any) -> None:
    states = {each["card_id"]: each["state"] for each in (await api.get("/api/cards/states")).json()}
    assert states == dict.fromkeys(holder.cards.values(), "valid")
    assert (await api.delete(f"/api/cards/{holder.cards['mdoc']}")).status_code == 204
    exported = await api.post("/api/export", json={"passphrase": "correct horse battery"})
    assert exported.headers["content-type"] == "application/jose"
    assert exported.headers["cache-control"] == "no-store"
    given = {"file": exported.text, "passphrase": "correct horse battery"}
    imported = (await api.post("/api/import", json=given)).json()
    assert (imported["history"], imported["skipped"]) == (0, 1)
    assert (await api.post("/api/history/export", json={"passphrase": "correct horse battery"})).status_code == 200


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/requests", {"link": "openid4vp://?x"}),
        ("GET", "/api/requests/x", None),
        ("POST", "/api/requests/x/choice", {"cards": {}}),
        ("POST", "/api/requests/x/approve", {"ceremony": "x", "credential": {}}),
        ("POST", "/api/requests/x/decline", {}),
        ("GET", "/api/history", None),
        ("GET", "/api/history/x", None),
        ("DELETE", "/api/history/x", None),
        ("GET", "/api/history/x/evidence", None),
        ("GET", "/api/cards/states", None),
        ("DELETE", "/api/cards/x", None),
        ("POST", "/api/export", {"passphrase": "correct horse battery"}),
        ("POST", "/api/import", {"file": "x", "passphrase": "y"}),
    ],
)
async def test_nothing_is_given_without_a_session(
    api: httpx2.AsyncClient, method: str, path: str, body: dict[str, Any] | None
) -> None:
    del api.headers["Cookie"]
    answer = await api.request(method, path, json=body)
    assert (answer.status_code, answer.json()["error"]) == (401, "not_signed_in")


@pytest.mark.hostile
async def test_other_sites_and_unknown_members_are_refused(
    api: httpx2.AsyncClient, holder: Any, verifier: VerifierPeer
) -> None:
    unknown = await api.post("/api/requests", json={"link": verifier.link, "consent": "yes"})
    assert unknown.status_code == 400
    foreign = await api.delete(f"/api/cards/{holder.cards['mdoc']}", headers={"Origin": "https://evil.test"})
    assert foreign.status_code in (400, 403)
    assert len((await api.get("/api/cards/states")).json()) == 2
