"""What the verifier's operator sees of it, and what strangers who guess come up against."""

import httpx2
import pytest

from tests.verifier.conftest import URL, Run, Running
from tests.verifier.world import Wallet
from verifier.settings import VerifierSettings


async def test_answers_are_counted_by_route_and_the_health_is_told(running: Running, wallet: Wallet) -> None:
    started = await running.start("pid")
    await wallet.complete(started["link"])
    counters = (await running.client.get("/metrics")).text

    assert 'route="/api/v1/transactions",status="201"} 1.0' in counters
    assert 'route="/w/{service_id}/responses/{request_id}",status="200"} 1.0' in counters
    assert started["id"] not in counters
    assert (await running.client.get("/readyz")).json() == {"status": "ok", "checks": {"database": True}}


def client_at(address: str, running: Running) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(running.app, client=(address, 4711))
    return httpx2.AsyncClient(transport=transport, base_url=URL)


@pytest.mark.hostile
async def test_a_stranger_sees_no_counters(running: Running) -> None:
    async with client_at("192.0.2.7", running) as stranger:
        assert (await stranger.get("/metrics")).status_code == 404


@pytest.mark.hostile
async def test_an_address_that_guesses_requests_is_slowed_down_alone(run: Run, settings: VerifierSettings) -> None:
    async with run(settings.model_copy(update={"requests_per_minute": 90})) as running:
        async with client_at("192.0.2.7", running) as stranger:
            seen = [(await stranger.get(f"/w/shop/requests/{number}")).status_code for number in range(6)]
            answer = await stranger.get("/w/shop/requests/6")

        assert seen[:3] == [404, 404, 404]
        assert (answer.status_code, answer.json()["error"]) == (429, "temporarily_unavailable")
        assert int(answer.headers["retry-after"]) > 0
        assert (await running.api.get("/api/v1/queries")).status_code == 200
        assert 'route="unmatched",status="429"} 3.0' in (await running.client.get("/metrics")).text
