"""Health, counters and the limit of each address, as one application has them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy import select

from byoid.encoding import b64u_encode
from byoid.errors import OAuthError
from byoid.service import errors, operating
from byoid.service.address_limits import FAILURE_COST
from byoid.service.database import Database, service_metadata
from byoid.service.rate_limits import rate_limits_table
from byoid.service.redaction import RedactingSpanProcessor
from byoid.service.settings import ServiceSettings
from byoid.service.tracing import telemetry, tracer_provider
from tests.conftest import Clock

METADATA = service_metadata()
LIMITS = rate_limits_table(METADATA)
PROXY = "10.0.0.1"


class Refused(OAuthError):
    code = "invalid_grant"


def make_settings(**changes: Any) -> ServiceSettings:
    values = {
        "profile": "demo", "public_url": "https://service.test", "database_url": "sqlite://",
        "sealing_keys": "demo:" + b64u_encode(bytes(range(32))), "requests_per_minute": 100,
        "trusted_proxies": "10.0.0.0/24",
    }  # fmt: skip
    return ServiceSettings.load(**{**values, **changes})


@pytest.fixture
async def tables(database: Database) -> Database:
    await database.create_all(METADATA)
    return database


def make_app(database: Database, clock: Clock, **changes: Any) -> FastAPI:
    app = FastAPI()

    @app.get("/good")
    async def good() -> dict[str, str]:
        return {}

    @app.get("/bad")
    async def bad() -> None:
        raise Refused("no")

    @app.get("/api/keyed")
    async def keyed() -> dict[str, str]:
        return {}

    settings = make_settings(**changes)
    operating.install(app, settings, database=lambda: database, rate_limits=LIMITS, clock=clock, costs={"/api/": 0})
    errors.install(app)
    return app


@asynccontextmanager
async def client(app: FastAPI, address: str = "192.0.2.1", **headers: str) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=app, client=(address, 1))
    async with httpx2.AsyncClient(transport=transport, base_url="https://service.test", headers=headers) as http:
        yield http


async def ask(http: httpx2.AsyncClient, path: str, times: int) -> list[int]:
    return [(await http.get(path)).status_code for _ in range(times)]


@pytest.fixture
def app(tables: Database, clock: Clock) -> FastAPI:
    return make_app(tables, clock)


async def test_an_address_that_asks_too_often_is_told_when_to_come_back(app: FastAPI) -> None:
    async with client(app) as http, client(app, "192.0.2.2") as other:
        assert set(await ask(http, "/good", 105)) == {200}  # 100 shared and 5 that the worker counts alone
        refused = await http.get("/good")
        assert refused.status_code == 429
        assert refused.json()["error"] == "temporarily_unavailable"
        assert refused.headers["retry-after"] == "60"
        assert await ask(other, "/good", 1) == [200]


async def test_two_workers_share_one_limit(tables: Database, clock: Clock) -> None:
    answers = []
    for _ in range(2):
        async with client(make_app(tables, clock)) as http:
            answers += await ask(http, "/good", 100)
    assert answers.count(200) == 110


async def test_a_failure_counts_as_many_requests(app: FastAPI) -> None:
    async with client(app) as http:
        answers = await ask(http, "/bad", 10)
    assert answers.count(400) == -(-105 // FAILURE_COST)
    assert set(answers) == {400, 429}


async def test_callers_with_keys_pay_for_failures_only(app: FastAPI) -> None:
    async with client(app) as http:
        assert set(await ask(http, "/api/keyed", 200)) == {200}
        assert 429 in await ask(http, "/api/unknown", 10)


async def test_health_is_never_refused(app: FastAPI) -> None:
    async with client(app) as http:
        assert 429 in await ask(http, "/bad", 10)
        assert await ask(http, "/healthz", 2) == [200, 200]
        assert await ask(http, "/readyz", 2) == [200, 200]


@pytest.mark.parametrize(
    ("address", "named", "same_as"),
    [
        (PROXY, "192.0.2.1", "192.0.2.1"),
        (f"::ffff:{PROXY}", "192.0.2.1", "192.0.2.1"),  # as a socket for both families shows it
        (PROXY, "203.0.113.9, 192.0.2.1", "192.0.2.1"),  # what a client claims stands before what the proxy saw
        (PROXY, "192.0.2.1, 10.0.0.2", "192.0.2.1"),  # two proxies of our own
        ("2001:db8:1:2::1", "", "2001:db8:1:2:ffff::2"),
        ("::ffff:192.0.2.1", "", "192.0.2.1"),
    ],
)  # fmt: skip
async def test_who_asks_is_the_subscriber(app: FastAPI, address: str, named: str, same_as: str) -> None:
    headers = {"X-Forwarded-For": named} if named else {}
    async with client(app, address, **headers) as http:
        assert 429 in await ask(http, "/bad", 10)
    async with client(app, same_as) as http:
        assert await ask(http, "/good", 1) == [429]


@pytest.mark.hostile
async def test_a_client_cannot_name_itself_another(app: FastAPI) -> None:
    async with client(app) as http:
        answers = [
            (await http.get("/bad", headers={"X-Forwarded-For": f"198.51.100.{n}"})).status_code for n in range(10)
        ]
    assert 429 in answers


async def test_addresses_are_stored_as_hashes_and_logged_never(
    app: FastAPI, tables: Database, caplog: pytest.LogCaptureFixture
) -> None:
    async with client(app) as http:
        await ask(http, "/bad", 10)
    stored = repr(await tables.fetch(select(LIMITS)))
    assert "192.0.2.1" not in stored
    assert "asks too often" in caplog.text
    assert "192.0.2.1" not in caplog.text


async def test_counters_are_for_the_operator_only(app: FastAPI) -> None:
    async with client(app, "127.0.0.1") as http:
        await ask(http, "/good", 3)
        text = (await http.get("/metrics")).text
        assert 'http_requests_total{method="GET",route="/good",status="200"} 3.0' in text
    async with client(app) as http:
        assert (await http.get("/metrics")).status_code == 404


async def test_a_demo_has_no_limit(tables: Database, clock: Clock) -> None:
    app = make_app(tables, clock, requests_per_minute=None)
    async with client(app) as http:
        assert 429 not in await ask(http, "/bad", 50)
    production = {"profile": "production", "database_url": "sqlite:///x.db", "requests_per_minute": None}
    assert make_settings(**production, sealing_keys="a:" + b64u_encode(bytes(range(32)))).address_limit == 3000


async def test_spans_name_routes_and_nothing_secret(tables: Database) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(RedactingSpanProcessor())
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    app = FastAPI(telemetry=telemetry(provider))

    @app.get("/callback/{transaction}")
    async def callback(transaction: str, code: str) -> dict[str, str]:
        if code == "SECRET-raise":
            raise Refused(f"{code} is SECRET")
        return {}

    errors.install(app)
    async with client(app) as http:
        await http.get("/callback/SECRET-transaction?code=SECRET-code")
        await http.get("/callback/SECRET-transaction?code=SECRET-raise")
        await http.get("/callback/SECRET-transaction")
    spans = exporter.get_finished_spans()
    assert [span.name for span in spans] == ["GET /callback/{transaction}"] * 3
    assert "SECRET" not in "".join(span.to_json() for span in spans)


def test_without_a_collector_nothing_is_traced() -> None:
    assert tracer_provider(make_settings(), name="x") is None
    assert telemetry(None) == {"tracing": False, "metrics": False, "logs": False}


def test_with_a_collector_a_share_is_traced() -> None:
    provider = tracer_provider(make_settings(otlp_endpoint="http://localhost:9", trace_share=0), name="byoid-test")
    assert provider is not None
    assert provider.resource.attributes["service.name"] == "byoid-test"
    with provider.get_tracer("x").start_as_current_span("y") as span:
        assert not span.is_recording()
    provider.shutdown()
