"""The HTTP API for services: named queries, transactions, waiting, webhooks, and what it refuses."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from httpx2 import ASGITransport
from standardwebhooks import Webhook
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from byoid.errors import MalformedInput, PeerError
from byoid.relying_party import State
from byoid.relying_party.client import VerifierClient
from byoid.relying_party.messages import QueryDefinition, StartTransaction, TrustRule
from byoid.service.outbox import Outbox
from byoid.service.settings import SettingsError
from tests.conftest import Clock
from tests.verifier.conftest import URL, Run, Running
from tests.verifier.world import LIST, VCT, Wallet, World, definition, mdoc_query, sd_jwt_query
from verifier.jobs import deliver, expire, refresh_statuses
from verifier.settings import VerifierSettings
from verifier.tables import outbox

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def client(running: Running) -> VerifierClient:
    key = running.api.headers["authorization"].removeprefix("Bearer ")
    return VerifierClient(URL, api_key=key, transport=ASGITransport(running.app))


async def test_the_typed_client_does_it_all(client: VerifierClient, wallet: Wallet) -> None:
    async with client:
        asked = QueryDefinition(dcql_query=sd_jwt_query(), trust={"pid": TrustRule(lists=(LIST,))})
        assert (await client.define("mine", asked)).name == "mine"
        assert {each.name for each in await client.queries()} == {"mine", "pid", "pid-mdoc"}
        started = await client.start(StartTransaction(query="mine"))
        assert "<svg" in await client.qr_svg(started.id)
        waiting = asyncio.create_task(client.wait(started.id))
        assert started.link is not None
        await wallet.complete(started.link)
        assert (await waiting).state is State.ACCEPTED
        result = await client.result(started.id)
        assert result.credentials["pid"][0].claims["given_name"] == "Ada"
        await client.delete(started.id)
        await client.delete_query("mine")
        with pytest.raises(PeerError) as missing:
            await client.query("mine")
        assert (missing.value.status, missing.value.code) == (404, "not_found")


async def policy_of(running: Running, started: dict[str, Any]) -> str:
    found = await running.verifier.transactions.by_id(started["id"], service_id="shop", now=running.verifier.clock())
    assert found is not None
    return found.policy_id


@pytest.mark.parametrize("members", [{}, {"transaction_data": [{"type": "payment", "credential_ids": ["new"]}]}])
async def test_what_one_worker_defines_another_asks_from_then_on(
    run: Run, on_disk: VerifierSettings, members: dict[str, Any]
) -> None:
    new = sd_jwt_query()
    new["credentials"][0]["id"] = "new"
    async with run(on_disk) as first, run(on_disk) as second:
        await first.define("pid", definition(sd_jwt_query()))
        before = await policy_of(second, await second.start("pid"))
        await first.define("pid", {**definition(new), "trust": {"*": {"lists": [LIST]}}})
        after = await policy_of(second, await second.start("pid", **members))
        assert after == await second.verifier.store.query_id("shop", "pid") != before


async def test_what_one_worker_deletes_another_asks_no_more(run: Run, on_disk: VerifierSettings) -> None:
    async with run(on_disk) as first, run(on_disk) as second:
        await first.define("pid", definition(sd_jwt_query()))
        await second.start("pid")
        await first.api.delete("/api/v1/queries/pid")
        refused = await second.api.post("/api/v1/transactions", json={"query": "pid"})
    assert (refused.status_code, refused.json()["error"]) == (404, "not_found")


async def test_a_worker_remembers_names_up_to_a_bound(run: Run, settings: VerifierSettings) -> None:
    async with run(settings.model_copy(update={"max_policies": 2})) as running:
        for name in ("a", "b", "c", "a"):
            await running.define(name, definition(sd_jwt_query()))
            started = await running.start(name)
            assert await policy_of(running, started) == await running.verifier.store.query_id("shop", name)


async def test_web_wallets_have_names_and_logos(run: Run, settings: VerifierSettings) -> None:
    logo = "data:image/png;base64,AAAA"
    city = {"name": "City Wallet", "endpoint": "https://city.test/authorize?from=web", "logo": logo}
    loaded = VerifierSettings.load(**{**settings.model_dump(), "wallet_endpoints": [city, "https://wallet.test/go"]})
    async with run(loaded) as running:
        await running.define("pid", definition(sd_jwt_query()))
        first, second = (await running.start("pid"))["wallets"]
    assert (first["name"], first["logo"]) == ("City Wallet", logo)
    assert first["link"].startswith("https://city.test/authorize?from=web&client_id=")
    assert (second["name"], "logo" in second) == ("wallet.test", False)


@pytest.mark.parametrize(
    "wrong",
    [
        "openid4vp://",
        {"name": "", "endpoint": "https://wallet.test"},
        {"name": "City", "endpoint": "javascript:alert(1)"},
        {"name": "City", "endpoint": "https://wallet.test", "logo": "javascript:alert(1)"},
        {"name": "City", "endpoint": "https://wallet.test", "colour": "red"},
    ],
)
def test_a_web_wallet_that_cannot_be_offered_is_a_mistake(settings: VerifierSettings, wrong: object) -> None:
    with pytest.raises(SettingsError, match="WALLET_ENDPOINTS"):
        VerifierSettings.load(**{**settings.model_dump(), "wallet_endpoints": [wrong]})


async def test_links_for_installed_and_for_web_wallets(running: Running) -> None:
    started = await running.start("pid", endpoint="haip-vp://")
    assert started["link"].startswith("haip-vp://?client_id=x509_hash")
    (web,) = started["wallets"]
    assert web["name"] == "wallet.test"
    assert web["link"].startswith("https://wallet.test/authorize?client_id=")
    png = await running.api.get(f"/api/v1/transactions/{started['id']}/qr.png")
    assert png.content.startswith(b"\x89PNG")


@pytest.mark.hostile
@pytest.mark.parametrize(
    "wish",
    [
        {}, {"query": "pid", "more": 1}, {"query": "PID"}, {"query": "pid", "mode": "nowhere"},
        {"query": "pid", "session": "short"}, {"query": "pid", "session": "with space in it now"},
        {"query": "pid", "origin": "https://shop.test"}, {"query": "pid", "mode": "dc_api"},
        {"query": "pid", "endpoint": "javascript:alert(1)"}, {"query": "pid", "endpoint": "http://wallet.test"},
        {"query": "pid", "mode": "dc_api", "origin": "https://shop.test/path"},
        {"query": "pid", "mode": "dc_api", "origin": "http://shop.test"},
        {"query": "pid", "redirect_uri": "https://shop.test/done"},
        {"query": "pid", "redirect_uri": "javascript:alert(1)"}, {"query": "pid", "request_uri_method": "put"},
        {"query": "pid", "transaction_data": [{}]},
        {"query": "pid", "transaction_data": [{"type": "payment", "credential_ids": ["other"]}]},
    ],
)  # fmt: skip
async def test_a_wish_that_is_not_sound_starts_nothing(running: Running, wish: dict[str, Any]) -> None:
    refused = await running.api.post("/api/v1/transactions", json=wish)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")


ASKED = sd_jwt_query()["credentials"][0]


def _with(**members: Any) -> dict[str, Any]:
    return {**definition(sd_jwt_query()), **members}


@pytest.mark.hostile
@pytest.mark.parametrize(
    "body",
    [
        {},
        _with(more=1),
        _with(dcql_query={}),
        _with(dcql_query={"credentials": []}),
        _with(dcql_query=sd_jwt_query(["a"], ["a"])),
        _with(dcql_query={"credentials": [{**ASKED, "clams": [{"path": ["given_name"]}]}]}),
        _with(dcql_query={"credentials": [{**ASKED, "claims": [{"path": ["address", "country"], "vaules": ["DE"]}]}]}),
        _with(dcql_query={"credentials": [{**ASKED, "format": "vc+sd-jwt"}]}),
        _with(trust={}),
        _with(trust={"other": {"lists": [LIST]}}),
        _with(trust={"*": {}}),
        _with(trust={"*": {"lists": ["nobody"]}}),
        _with(trust={"*": {"lists": [LIST, "nobody"]}}),
        _with(trust={"*": {"lists": ["access"]}}),
        _with(trust={"*": {"pinned": ["junk"]}}),
        _with(trust={"*": {"lists": [LIST], "purposes": ["status"]}}),
        _with(trust={"*": {"lists": [LIST], "purpose": ["pid"]}}),
        _with(status={"accept_unavailable": ["other"]}),
        _with(same_person=[{"holder_key": ["pid", "other"]}]),
        _with(same_person=[{}]),
        _with(same_person=[{"claims": [{"pid": []}]}]),
        _with(transaction_data=[{"type": "payment", "credential_ids": ["other"]}]),
        _with(lifetime_seconds=1),
        _with(retention_seconds=10**9),
        _with(delete_on_read="yes"),
    ],
)
async def test_a_definition_that_is_not_sound_is_refused(running: Running, body: dict[str, Any]) -> None:
    refused = await running.api.put("/api/v1/queries/mine", json=body)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")
    assert (await running.api.get("/api/v1/queries/mine")).status_code == 404


async def test_a_transaction_goes_on_as_it_was_begun_when_its_query_changes(running: Running, wallet: Wallet) -> None:
    started = await running.start("pid")
    request = await wallet.fetch(started["link"])
    await running.define("pid", definition(mdoc_query()))
    assert (await wallet.post(request, wallet.answer(request).form())).status_code == 200
    result = await running.result(started["id"])
    assert (result["query"], result["credentials"]["pid"][0]["format"]) == ("pid", "dc+sd-jwt")
    assert (await running.api.delete("/api/v1/queries/pid")).status_code == 204
    assert (await running.api.post("/api/v1/transactions", json={"query": "pid"})).status_code == 404
    assert (await running.result(started["id"]))["state"] == "accepted"


async def test_a_result_that_is_read_once_is_gone(running: Running, wallet: Wallet) -> None:
    await running.define("once", definition(sd_jwt_query(), delete_on_read=True))
    started = await running.start("once")
    await wallet.complete(started["link"])
    assert (await running.result(started["id"]))["state"] == "accepted"
    assert (await running.api.get(f"/api/v1/transactions/{started['id']}/result")).status_code == 404


async def test_what_is_over_is_deleted(running: Running, wallet: Wallet, clock: Clock) -> None:
    started = await running.start("pid")
    await wallet.complete(started["link"])
    await running.start("pid")
    assert await expire(running.verifier) == 0
    clock.advance(timedelta(hours=1))
    assert await expire(running.verifier) == 2


async def test_events_tell_each_change_from_another_worker(run: Run, on_disk: VerifierSettings, world: World) -> None:
    async with run(on_disk) as first, run(on_disk) as second:
        await first.define("pid", definition(sd_jwt_query()))
        started = await first.start("pid")
        reading = asyncio.create_task(second.api.get(f"/api/v1/transactions/{started['id']}/events"))
        await asyncio.sleep(0.05)
        await Wallet(world, first.client).complete(started["link"])
        events = (await reading).text
    assert events.startswith("event: pending\ndata: {")
    assert "event: accepted\ndata: {" in events
    assert "Ada" not in events


async def test_events_end_when_the_transaction_expires(running: Running, clock: Clock) -> None:
    started = await running.start("pid")
    reading = asyncio.create_task(running.api.get(f"/api/v1/transactions/{started['id']}/events"))
    await asyncio.sleep(0.05)
    clock.advance(timedelta(hours=1))
    assert (await reading).text.endswith("event: expired\ndata: {}\n\n")


async def test_a_webhook_tells_that_it_is_over_and_no_claims(
    run: Run, settings: VerifierSettings, world: World, clock: Clock
) -> None:
    came: list[tuple[dict[str, str], bytes]] = []

    async def hook(request: Request) -> Response:
        came.append((dict(request.headers), await request.body()))
        return Response(status_code=204)

    receiver = ASGITransport(Starlette(routes=[Route("/hook", hook, methods=["POST"])]))
    async with (
        run(settings, webhook_url="https://shop.test/hook", webhook_secret=SECRET) as running,
        httpx2.AsyncClient(transport=receiver) as http,
    ):
        await running.define("pid", definition(sd_jwt_query()))
        started = await running.start("pid")
        await Wallet(world, running.client).complete(started["link"])
        verifier = running.verifier
        sending = Outbox(outbox, sealer=verifier.sealer, client=http, find=verifier.services.destination)
        assert await sending.deliver_due(verifier.store.database, now=clock()) == 1
        assert await deliver(verifier) == 0
    ((headers, body),) = came
    clock_free = Webhook(SECRET).sign(headers["webhook-id"], clock(), body.decode())
    assert headers["webhook-signature"] == clock_free
    assert b'"state":"accepted"' in body
    assert b"Ada" not in body


async def test_a_webhook_tells_of_the_first_refusal_and_of_a_request_that_nobody_answered(
    run: Run, settings: VerifierSettings, world: World, clock: Clock
) -> None:
    came: list[dict[str, Any]] = []

    async def hook(request: Request) -> Response:
        came.append(await request.json())
        return Response(status_code=204)

    receiver = ASGITransport(Starlette(routes=[Route("/hook", hook, methods=["POST"])]))
    async with (
        run(settings, webhook_url="https://shop.test/hook", webhook_secret=SECRET) as running,
        httpx2.AsyncClient(transport=receiver) as http,
    ):
        await running.define("pid", definition(sd_jwt_query()))
        started, verifier = await running.start("pid"), running.verifier
        wallet = Wallet(world, running.client)
        request = await wallet.fetch(started["link"])
        for error in ("access_denied", "invalid_request"):
            refusal = {"error": error, "state": str(request.state)}
            assert (await wallet.post(request, refusal)).status_code == 200
        clock.advance(timedelta(minutes=11))
        assert await expire(verifier) == 1
        sending = Outbox(outbox, sealer=verifier.sealer, client=http, find=verifier.services.destination)
        await sending.deliver_due(verifier.store.database, now=clock())
    about = {"id": started["id"], "query": "pid"}
    assert [(each["type"], each["data"]) for each in came] == [
        ("transaction.declined", {**about, "state": "declined"}),
        ("transaction.expired", {**about, "state": "expired"}),
    ]


async def test_what_is_over_is_deleted_also_where_its_service_cannot_be_told(
    run: Run, settings: VerifierSettings, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_: str) -> Any:
        raise MalformedInput("the key file of this service cannot be read")

    async with run(settings, webhook_url="https://shop.test/hook", webhook_secret=SECRET) as running:
        await running.define("pid", definition(sd_jwt_query()))
        await running.start("pid")
        monkeypatch.setattr(running.verifier.services, "get", broken)
        clock.advance(timedelta(minutes=11))
        assert await expire(running.verifier) == 1
        assert await expire(running.verifier) == 0


async def test_status_lists_are_fetched_once_and_anew_before_their_time_is_over(
    running: Running, wallet: Wallet, world: World, clock: Clock
) -> None:
    for _ in range(3):
        assert (await wallet.complete((await running.start("pid"))["link"])).status_code == 200
    assert world.issuer.fetched == 1
    assert await refresh_statuses(running.verifier) == 0
    clock.advance(timedelta(minutes=14, seconds=30))
    world.issuer.array.set_status(1, 1)
    assert await refresh_statuses(running.verifier) == 1
    assert world.issuer.fetched == 2
    assert (await wallet.complete((await running.start("pid"))["link"])).status_code == 400
    assert world.issuer.fetched == 2


async def test_where_a_status_cannot_be_had_the_query_decides(running: Running, wallet: Wallet, world: World) -> None:
    world.issuer.token = b"junk"
    await running.define("lenient", definition(sd_jwt_query(), status={"accept_unavailable": ["pid"]}))
    started = await running.start("lenient")
    assert (await wallet.complete(started["link"])).status_code == 200
    assert (await running.result(started["id"]))["credentials"]["pid"][0]["status"] == "unavailable"


REGISTERED = [
    {"format": "dc+sd-jwt", "meta": {"vct_values": [VCT]}, "claim": [{"path": ["given_name"]}, {"path": ["address"]}]}
]


async def test_more_than_is_registered_is_not_asked(run: Run, settings: VerifierSettings, world: World) -> None:
    world.register("shop", "NTRUT-shop", REGISTERED)
    async with run(settings) as running:
        await running.define("pid", definition(sd_jwt_query()))
        for beyond in (sd_jwt_query(["birthdate"]), mdoc_query()):
            refused = await running.api.put("/api/v1/queries/more", json=definition(beyond))
            assert (refused.status_code, refused.json()["error"]) == (403, "not_registered")
        odd = await running.api.put("/api/v1/queries/more", json=definition(sd_jwt_query(["straße"], ['say "hi"'])))
        assert odd.json()["error_description"].endswith("not registered: pid: stra&#223;e, pid: say 'hi'")
        wallet = Wallet(world, running.client)
        request = await wallet.fetch((await running.start("pid"))["link"])
        assert request.verifier_info is not None
        assert request.verifier_info[0].format == "registration_cert"


async def test_a_request_that_has_no_link_says_which_would(running: Running) -> None:
    started = await running.start("pid", mode="dc_api", origin="https://shop.test")
    refused = await running.api.get(f"/api/v1/transactions/{started['id']}/qr.svg")
    assert refused.status_code == 400
    assert "cross_device" in refused.json()["error_description"]


async def test_a_forgotten_response_code_is_told_from_a_wrong_session(running: Running, wallet: Wallet) -> None:
    session, back = "a-session-of-the-shop", "https://shop.test/done"
    started = await running.start("pid", mode="same_device", session=session, redirect_uri=back)
    await wallet.complete(started["link"])
    result = f"/api/v1/transactions/{started['id']}/result"
    without_code = await running.api.get(result, params={"session": session})
    elsewhere = await running.api.get(result, params={"session": "another-session-of-it"})
    assert without_code.status_code == elsewhere.status_code == 403
    assert "response code" in without_code.json()["error_description"]
    assert "browser session" in elsewhere.json()["error_description"]


async def test_lists_are_named_where_another_was_meant(running: Running) -> None:
    refused = await running.api.put("/api/v1/queries/mine", json=_with(trust={"*": {"lists": ["issuer"]}}))
    assert f"no list of trust anchors is called issuer; there are access, {LIST}" in refused.json()["error_description"]


@pytest.mark.hostile
@pytest.mark.parametrize(
    "wish",
    [
        {"mode": "same_device", "session": "a-session-of-the-shop", "redirect_uri": "http://shop.test/done"},
        {"mode": "dc_api", "origin": "http://shop.test"},
    ],
    ids=["redirect", "origin"],
)
async def test_http_on_a_developers_machine_does_not_reach_others(
    run: Run, settings: VerifierSettings, wish: dict[str, str]
) -> None:
    local = {**settings.model_dump(), "profile": "demo", "allow_loopback_http": True}
    async with run(VerifierSettings.load(**local)) as running:
        await running.define("pid", definition(sd_jwt_query()))
        refused = await running.api.post("/api/v1/transactions", json={"query": "pid", **wish})
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")
        assert "expected https" in refused.json()["error_description"]
        here = {name: value.replace("shop.test", "localhost:8004") for name, value in wish.items()}
        await running.start("pid", **here)


async def test_anothers_registration_is_refused(run: Run, settings: VerifierSettings, world: World) -> None:
    world.register("shop", "NTRUT-somebody-else", REGISTERED)
    async with run(settings) as running:
        refused = await running.api.put("/api/v1/queries/pid", json=definition(sd_jwt_query()))
        assert refused.status_code == 400
        assert "registration certificate" in refused.json()["error_description"]


async def test_a_posted_request_repeats_the_wallets_nonce(running: Running, wallet: Wallet) -> None:
    started = await running.start("pid", request_uri_method="post")
    assert "request_uri_method=post" in started["link"]
    parameters = httpx2.URL(started["link"]).params
    response = await running.client.post(parameters["request_uri"], data={"wallet_nonce": "abc", "unknown": "x"})
    assert response.headers["content-type"] == "application/oauth-authz-req+jwt"
    request = wallet.read(response.text, parameters["client_id"], wallet_nonce="abc")
    assert request.wallet_nonce == "abc"
