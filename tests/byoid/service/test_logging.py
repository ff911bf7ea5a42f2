"""Logs: JSON lines in which no token, code, key or claim can be found."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
import structlog
from fastapi import FastAPI
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from byoid.errors import BadSignature
from byoid.service import logging as service_logging
from byoid.service.logging import REDACTED, AccessLog, redact_text
from byoid.service.redaction import RedactingSpanProcessor

JWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJoaWRkZW4ifQ.c2lnbmF0dXJl"
CODE = "Zq8hiddenHIDDEN_-0123456789abcdefXYZ"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    service_logging.configure(stream=stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("uvicorn.access").propagate = True
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_json_with_level_logger_and_time(stream: io.StringIO) -> None:
    logging.getLogger("issuer").info("offer %s accepted", 7)
    structlog.get_logger("issuer").warning("late", seconds=1.5, ok=True, nothing=None)
    first, second = lines(stream)
    assert (first["event"], first["level"], first["logger"]) == ("offer 7 accepted", "info", "issuer")
    assert first["timestamp"].endswith("Z")
    assert (second["seconds"], second["ok"], second["nothing"]) == (1.5, True, None)


@pytest.mark.hostile
@pytest.mark.parametrize(
    "member",
    [
        {"access_token": "hidden"},
        {"tx_code": "hidden"},
        {"holder-key": "hidden"},
        {"claims": {"family_name": "hidden"}},
        {"vp_token": ["hidden"]},
        {"request": {"body": [{"client_secret": "hidden"}]}},
        {"a": [[[[[[[[[["hidden"]]]]]]]]]]},
        {"text": f"got {JWT}"},
        {"text": f"Authorization: Bearer {CODE}"},
        {"text": f"DPoP {CODE[:12]}"},
        {"text": f"code was {CODE}"},
        {"text": "https://issuer.test/cb?code=hidden&state=hidden"},
        {"raw": b"hidden"},
        {"listed": ("x", {"nonce": "hidden"})},
    ],
)
def test_secrets_are_replaced(stream: io.StringIO, member: dict[str, Any]) -> None:
    structlog.get_logger("issuer").info("event", **member)
    assert "hidden" not in stream.getvalue().lower()
    assert CODE[:12] not in stream.getvalue()
    assert REDACTED in stream.getvalue()


@pytest.mark.hostile
def test_the_standard_library_goes_through_the_same_net(stream: io.StringIO) -> None:
    logging.getLogger("library").warning("refused %s and ?code=hidden", JWT)
    assert lines(stream)[0]["event"] == f"refused {REDACTED} and ?{REDACTED}"


@pytest.mark.parametrize("text", ["offer accepted", "status 200 in 1.5 ms", "job expire: 7", "log id 0123456789abcdef"])
def test_ordinary_texts_stay_as_they_are(text: str) -> None:
    assert redact_text(text) == text


def test_of_an_exception_only_our_own_message_is_written(stream: io.StringIO) -> None:
    try:
        try:
            raise ValueError("input was hidden")
        except ValueError as error:
            raise BadSignature("the signature does not verify") from error
    except BadSignature:
        logging.getLogger("issuer").exception("unexpected")
    logged = lines(stream)[0]["exception"]
    assert "hidden" not in stream.getvalue()
    assert logged[0].startswith("BadSignature: the signature does not verify in test_of_an_exception_only_our_own")
    assert logged[1].startswith("ValueError in ")


async def test_the_access_log_has_routes_and_no_addresses(stream: io.StringIO) -> None:
    app = FastAPI()
    app.add_middleware(AccessLog)

    @app.get("/offers/{offer_id}")
    async def offer(offer_id: str) -> str:
        return offer_id

    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="https://issuer.test") as client:
        await client.get("/offers/hidden?code=hidden")
        await client.get("/hidden")
        logging.getLogger("byoid.access").setLevel(logging.WARNING)
        await client.get("/offers/quiet")
        logging.getLogger("byoid.access").setLevel(logging.NOTSET)
    events = [each["event"] for each in lines(stream) if each["logger"] == "byoid.access"]
    assert [each.rpartition(" 2")[0] or each.rpartition(" 4")[0] for each in events] == [
        "GET /offers/{offer_id}",
        "GET unmatched",
    ]
    assert "hidden" not in "".join(events)


async def test_traces_have_no_codes() -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(RedactingSpanProcessor())
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    app = FastAPI(telemetry={"tracer_provider": provider, "operation_spans": False, "logs": False})

    @app.get("/callback/{transaction}")
    async def callback(transaction: str, code: str) -> None:
        return None

    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="https://issuer.test") as client:
        await client.get("/callback/hidden?code=hidden")
    (span,) = exporter.get_finished_spans()
    assert "hidden" not in f"{span.name} {dict(span.attributes or {})}"
