"""One renderer: every fault is a protocol error object, nothing of ours leaks, no client fault is a 500."""

import json
import logging
from collections.abc import AsyncIterator
from typing import Annotated

import httpx2
import pytest
from fastapi import FastAPI, Form, Request
from fastapi.responses import PlainTextResponse, StreamingResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from byoid.errors import BadSignature, MalformedInput, OAuthError, PeerError, ResponseRejected
from byoid.service import errors
from byoid.service.limits import BodyLimit
from byoid.wire_errors import InvalidClient, InvalidCredentialRequest


class Body(BaseModel):
    number: int


FAILURES = {
    "oauth": InvalidClient("Who are you?", detail="inside", headers={"WWW-Authenticate": "DPoP"}),
    "malformed": MalformedInput('expected "x", got é\\'),
    "verification": BadSignature("inside"),
    "rejected": ResponseRejected("inside"),
    "peer": PeerError("inside"),
    "http": HTTPException(415, "Unsupported media type", headers={"Accept": "text/plain"}),
    "unavailable": HTTPException(503, "Later"),
    "unexpected": RuntimeError("inside"),
    "left": ClientDisconnect(),
}


def make_app(**options: object) -> FastAPI:
    app = FastAPI()

    @app.post("/body")
    @app.post("/credential")
    async def body(body: Body) -> Body:
        return body

    @app.post("/form")
    async def form(number: Annotated[int, Form()]) -> int:
        return number

    @app.post("/raw")
    async def raw(request: Request) -> int:
        return len(await request.body())

    @app.get("/fail/{name}")
    async def fail(name: str) -> None:
        raise FAILURES[name]

    @app.get("/late")
    async def late() -> StreamingResponse:
        async def content() -> AsyncIterator[bytes]:
            yield b"begun"
            raise RuntimeError("inside")

        return StreamingResponse(content())

    errors.install(app, **options)  # type: ignore[arg-type]  # the tests' options
    app.add_middleware(BodyLimit, max_body_bytes=1000)
    return app


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(make_app(by_path={"/credential": InvalidCredentialRequest}))
    async with httpx2.AsyncClient(transport=transport, base_url="https://service.test") as client:
        yield client


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("oauth", 401, "invalid_client"),
        ("malformed", 400, "invalid_request"),
        ("verification", 400, "invalid_request"),
        ("rejected", 400, "invalid_request"),
        ("peer", 502, "server_error"),
        ("http", 415, "invalid_request"),
        ("unavailable", 503, "server_error"),
        ("unexpected", 500, "server_error"),
    ],
)
async def test_every_error_is_rendered(client: httpx2.AsyncClient, name: str, status: int, code: str) -> None:
    answer = await client.get(f"/fail/{name}")
    assert (answer.status_code, answer.json()["error"]) == (status, code)
    assert answer.headers["cache-control"] == "no-store"
    assert "inside" not in answer.text
    assert OAuthError(answer.json()["error_description"])  # its constructor refuses what the wire must not have


async def test_headers_of_an_error_are_kept(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/fail/oauth")).headers["www-authenticate"] == "DPoP"
    assert (await client.get("/fail/http")).headers["accept"] == "text/plain"


async def test_a_malformed_description_becomes_printable(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/fail/malformed")).json()["error_description"] == "expected 'x', got ?/"


async def test_an_unexpected_error_gives_the_id_that_the_log_has(
    client: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await client.get("/fail/unexpected")
    log_id = answer.json()["error_description"].rpartition(" ")[2]
    assert log_id in caplog.text
    assert "RuntimeError: inside" in caplog.text


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"{", "application/json"),
        (b"\xff", "application/json"),
        (b"[" * 900, "application/json"),
        (b"{}", "application/json"),
        (b'{"number": "hidden-value"}', "application/json"),
        (b"[]", "application/json"),
        (b"null", "application/json"),
        (b"", "application/json"),
        (b'{"number": 1}', "text/plain"),
        (b"number=1", "application/x-www-form-urlencoded"),
    ],
)
async def test_a_bad_body_is_a_bad_request(client: httpx2.AsyncClient, content: bytes, media_type: str) -> None:
    for path, code in (("/body", "invalid_request"), ("/credential", "invalid_credential_request")):
        answer = await client.post(path, content=content, headers={"Content-Type": media_type})
        assert answer.status_code in {400, 415}
        assert set(answer.json()) == {"error", "error_description"}
        assert "hidden" not in answer.text
        if answer.status_code == 400 and b"number" in content:
            assert answer.json()["error"] == code


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"number=x", "application/x-www-form-urlencoded"),
        (b"", "application/x-www-form-urlencoded"),
        (b"--x\r\nbroken", "multipart/form-data; boundary=x"),
        (b"broken", "multipart/form-data"),
    ],
)
async def test_a_bad_form_is_a_bad_request(client: httpx2.AsyncClient, content: bytes, media_type: str) -> None:
    answer = await client.post("/form", content=content, headers={"Content-Type": media_type})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_an_unknown_path_and_method_are_errors_of_the_protocol(client: httpx2.AsyncClient) -> None:
    nowhere = await client.get("/nowhere")
    assert (nowhere.status_code, nowhere.json()["error"]) == (404, "invalid_request")
    wrong = await client.get("/body")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")


@pytest.mark.hostile
@pytest.mark.parametrize("path", ["/body", "/raw", "/form"])
async def test_a_large_body_is_refused_while_it_arrives(client: httpx2.AsyncClient, path: str) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x" * 600

    media_type = "application/x-www-form-urlencoded" if path == "/form" else "application/json"
    answer = await client.post(path, content=endless(), headers={"Content-Type": media_type})
    assert (answer.status_code, answer.json()["error"]) == (413, "invalid_request")


async def test_a_body_within_the_limit_passes(client: httpx2.AsyncClient) -> None:
    assert (await client.post("/raw", content=b"x" * 1000)).json() == 1000


async def test_a_client_that_leaves_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    app = errors._Unexpected(_raise_disconnect, errors._Renderer({}, None))
    sent: list[object] = []

    async def send(message: object) -> None:
        sent.append(message)

    await app({"type": "http"}, _never, send)
    assert sent == []
    assert "went away" in caplog.text


async def test_an_error_after_the_answer_began_breaks_the_connection(client: httpx2.AsyncClient) -> None:
    with pytest.raises(RuntimeError, match="inside"):
        await client.get("/late")


async def test_a_person_gets_a_page() -> None:
    def page(request: Request, status: int, text: str) -> PlainTextResponse:
        return PlainTextResponse(f"page: {text}", status)

    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(make_app(page=page)), base_url="https://service.test"
    ) as client:
        as_page = await client.get("/fail/unexpected", headers={"Accept": "text/html,*/*"})
        as_json = await client.get("/fail/unexpected", headers={"Accept": "application/json"})
    assert as_page.text.startswith("page: Something went wrong")
    assert as_page.headers["cache-control"] == "no-store"
    assert json.loads(as_json.content)["error"] == "server_error"


async def _raise_disconnect(*_: object) -> None:
    raise ClientDisconnect


async def _never() -> dict[str, object]:
    return {"type": "http.disconnect"}
