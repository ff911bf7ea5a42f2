"""Metrics and health: what the operator sees of a running service."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import FastAPI
from prometheus_client.exposition import generate_latest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from byoid.service import health
from byoid.service.database import Database
from byoid.service.metrics import CountRequests, Metrics
from byoid.wire_errors import InvalidRequest


@pytest.fixture
def app() -> FastAPI:
    app, metrics = FastAPI(), Metrics()
    app.add_middleware(CountRequests, metrics=metrics)
    app.add_route("/metrics", metrics.endpoint)
    issued = metrics.counter("credentials_issued", "Credentials issued", ("format",))

    @app.get("/offers/{offer_id}")
    async def offer(offer_id: str) -> None:
        issued.labels("dc+sd-jwt").inc()

    return app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="https://issuer.test") as client:
        yield client


async def test_requests_are_counted_by_route(app: FastAPI, client: httpx2.AsyncClient) -> None:
    async def page(request: Request) -> Response:
        return Response()

    app.router.routes.append(Route("/pages/{page_id}", page))
    for path in ("/offers/secret-1", "/offers/secret-2", "/pages/secret", "/nowhere"):
        await client.get(path)
    text = (await client.get("/metrics")).text
    assert 'http_requests_total{method="GET",route="/pages/{page_id}",status="200"} 1.0' in text
    assert 'http_requests_total{method="GET",route="/offers/{offer_id}",status="200"} 2.0' in text
    assert 'http_requests_total{method="GET",route="unmatched",status="404"} 1.0' in text
    assert 'credentials_issued_total{format="dc+sd-jwt"} 2.0' in text
    assert 'http_request_duration_seconds_count{route="/offers/{offer_id}"} 2.0' in text
    assert "secret" not in text


@pytest.mark.parametrize(("error", "status"), [(RuntimeError("inside"), 500), (InvalidRequest("No."), 400)])
async def test_what_is_answered_further_out_is_counted_too(error: Exception, status: int) -> None:
    metrics = Metrics()

    async def fails(scope: Scope, receive: Receive, send: Send) -> None:
        raise error

    with pytest.raises(type(error)):
        await CountRequests(fails, metrics=metrics)({"type": "http", "method": "GET"}, no_message, take_message)
    assert f'status="{status}"}} 1.0' in generate_latest(metrics.registry).decode()


async def no_message() -> Message:
    raise AssertionError("nobody asks")


async def take_message(message: Message) -> None:
    raise AssertionError("nothing is sent")


@pytest.mark.hostile
async def test_methods_that_strangers_invent_make_no_new_series(client: httpx2.AsyncClient) -> None:
    for number in range(3):
        await client.request(f"INVENTED{number}", "/offers/1")
    text = (await client.get("/metrics")).text
    assert "INVENTED" not in text
    assert 'method="other"' in text


async def test_two_applications_count_apart() -> None:
    Metrics().counter("same", "Same name")
    Metrics().counter("same", "Same name")


async def test_a_service_is_ready_when_its_database_answers(database: Database) -> None:
    ready = True

    async def check() -> None:
        if not ready:
            raise RuntimeError("inside")

    app = FastAPI()
    app.include_router(health.router(lambda: database, {"signer": check}))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="https://issuer.test") as client:
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        answer = await client.get("/readyz")
        assert answer.json() == {"status": "ok", "checks": {"database": True, "signer": True}}
        ready = False
        answer = await client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json() == {"status": "unavailable", "checks": {"database": True, "signer": False}}
        assert (await client.get("/healthz")).status_code == 200
