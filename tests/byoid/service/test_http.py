"""The guarded client: where it does not go, and what it does not read."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from ipaddress import ip_network
from typing import Any

import httpcore2
import httpx2
import pytest
import trustme
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from byoid.errors import PeerError
from byoid.fetch import fetch
from byoid.service import http
from byoid.service.http import AddressGuard, Forbidden, Outgoing, TooLarge, http_client
from byoid.service.settings import ServiceSettings

Respond = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


@pytest.fixture
def demo(values: dict[str, Any]) -> ServiceSettings:
    local = {"profile": "demo", "allow_loopback_http": True, "public_url": "http://localhost:1"}
    return ServiceSettings.load(**{**values, **local})


@pytest.fixture
async def serve() -> AsyncIterator[Callable[..., Coroutine[Any, Any, int]]]:
    servers: list[asyncio.Server] = []

    async def start(answer: bytes, context: ssl.SSLContext | None = None) -> int:
        async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(respond, "127.0.0.1", 0, ssl=context)
        servers.append(server)
        port: int = server.sockets[0].getsockname()[1]
        return port

    yield start
    for server in servers:
        server.close()
        await server.wait_closed()


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("address", "permitted"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("127.0.0.1", False),
        ("::1", False),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("172.16.3.4", False),
        ("192.168.1.1", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("fec0::1", False),
        ("224.0.0.1", False),
        ("ff02::1", False),
        ("255.255.255.255", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:127.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("64:ff9b:1::a9fe:a9fe", False),  # NAT64 of the local network (RFC 8215)
        ("::ffff:0:10.0.0.1", False),  # IPv4-translated (RFC 7915)
        ("::7f00:1", False),
        ("2606:4700::1111", True),
        ("2002:7f00:1::", False),
        ("2001:0:7f00:1::1", False),  # Teredo
        ("100::1", False),  # discard
        ("0.1.2.3", False),
        ("198.18.0.1", False),  # benchmarking
        ("240.0.0.1", False),
        ("192.0.2.1", False),
        ("10.1.2.3", True),  # in the allowed network
    ],
)
def test_addresses(address: str, permitted: bool) -> None:
    guard = AddressGuard([ip_network("10.1.0.0/16")], allow_loopback=False)
    assert guard.permits(address) is permitted


def test_loopback_where_it_is_allowed() -> None:
    guard = AddressGuard([], allow_loopback=True)
    assert guard.permits("127.0.0.1")
    assert guard.permits("::1")
    assert not guard.permits("10.0.0.1")


@pytest.mark.hostile
@pytest.mark.parametrize(
    "url",
    [
        "http://issuer.example/",
        "http://127.0.0.1/",
        "https://127.0.0.1/",
        "https://localhost/",
        "https://[::1]/",
        "https://[::]/",
        "https://[::ffff:169.254.169.254]/",
        "https://2130706433/",  # 127.0.0.1 as one number
        "https://0x7f.1/",
        "https://127.1/",
        "https://user:secret@127.0.0.1/",
        "https://127.0.0.1:22/",
        "ftp://issuer.example/",
        "file:///etc/passwd",
    ],
)
async def test_production_refuses_http_and_this_machine(settings: ServiceSettings, url: str) -> None:
    async with http_client(settings) as client:
        with pytest.raises(Forbidden):
            await client.get(url)


@pytest.mark.hostile
@pytest.mark.parametrize("url", ["https://localhost./", "https://0177.0.0.1/", "https://127.0.0.1.nip.invalid/"])
async def test_other_spellings_of_this_machine_lead_nowhere(settings: ServiceSettings, url: str) -> None:
    async with http_client(settings) as client:
        with pytest.raises((Forbidden, httpx2.InvalidURL, httpx2.ConnectError)):
            await client.get(url)


@pytest.mark.hostile
async def test_a_name_with_one_private_address_is_refused(
    settings: ServiceSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def getaddrinfo(*_: object, **__: object) -> list[Any]:
        return [(0, 0, 0, "", ("93.184.215.14", 443)), (0, 0, 0, "", ("10.0.0.1", 443))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    async with http_client(settings) as client:
        with pytest.raises(Forbidden):
            await client.get("https://rebinding.example/")


async def test_a_name_that_means_nothing_is_a_connection_error(
    settings: ServiceSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def getaddrinfo(*_: object, **__: object) -> list[Any]:
        raise OSError

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    async with http_client(settings) as client:
        with pytest.raises(httpx2.ConnectError):
            await client.get("https://nowhere.example/")


async def test_a_demo_reaches_this_machine(demo: ServiceSettings, serve: Callable[..., Any]) -> None:
    port = await serve(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    async with http_client(demo) as client:
        assert (await client.get(f"http://127.0.0.1:{port}/")).text == "ok"


async def test_tls_verifies_the_name_and_not_the_address(demo: ServiceSettings, serve: Callable[..., Any]) -> None:
    authority = trustme.CA()
    server, trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(server)
    authority.configure_trust(trusting)
    port = await serve(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", server)
    async with http_client(demo, ssl_context=trusting) as client:
        assert (await client.get(f"https://localhost:{port}/")).text == "ok"
        with pytest.raises(httpx2.ConnectError, match="certificate"):
            await client.get(f"https://127.0.0.1:{port}/")


async def test_redirects_are_not_followed(demo: ServiceSettings, serve: Callable[..., Any]) -> None:
    port = await serve(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")
    async with http_client(demo) as client:
        assert (await client.get(f"http://127.0.0.1:{port}/")).status_code == 302


@pytest.mark.hostile
@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + b"x" * 1001,
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 5000,
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nxx",
    ],
)
async def test_too_much_is_not_read(demo: ServiceSettings, serve: Callable[..., Any], answer: bytes) -> None:
    port = await serve(answer)
    async with http_client(demo, max_bytes=1000) as client:
        with pytest.raises(TooLarge):
            await client.get(f"http://127.0.0.1:{port}/")


@pytest.mark.hostile
async def test_an_answer_that_drips_is_given_up(settings: ServiceSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "TOTAL_SECONDS", 0.02)

    class Dripping(httpx2.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            return httpx2.Response(200, content=self._drip())

        async def _drip(self) -> AsyncIterator[bytes]:
            for _ in range(100):
                await asyncio.sleep(0.01)
                yield b"x"

    async with http_client(settings, mounts={"https://slow.test": Dripping()}) as client:
        with pytest.raises(httpx2.ReadTimeout):
            await client.get("https://slow.test/")


async def test_an_application_of_this_process_takes_a_names_place(settings: ServiceSettings) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x" * (1 if scope["path"] == "/small" else 2000)})

    mounts = {"https://issuer.test": httpx2.ASGITransport(app)}
    async with http_client(settings, mounts=mounts, max_bytes=1000) as client:
        assert (await client.get("https://issuer.test/small")).text == "x"
        with pytest.raises(TooLarge):
            await client.get("https://issuer.test/large")


@pytest.mark.hostile
@pytest.mark.parametrize(
    "target", ["http://issuer.test/", "https://127.0.0.1/", "https://[::1]/", "https://169.254.169.254/", "file:///"]
)
async def test_a_redirect_that_is_followed_leads_to_no_internal_address(settings: ServiceSettings, target: str) -> None:
    async def lead(_: Request) -> Response:
        return RedirectResponse(target)

    mounts = {"https://issuer.test": httpx2.ASGITransport(Starlette(routes=[Route("/list", lead)]))}
    async with http_client(settings, mounts=mounts) as client:
        with pytest.raises(PeerError):
            await fetch(client, "https://issuer.test/list", accept={"text/plain"}, max_redirects=3)


@pytest.mark.hostile
async def test_a_name_is_resolved_once_and_what_was_checked_is_connected_to(
    settings: ServiceSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rebinding: the second answer of the name server would be an internal address."""
    answers, connected = ["93.184.215.14", "127.0.0.1"], []

    async def getaddrinfo(*_: object, **__: object) -> list[Any]:
        return [(0, 0, 0, "", (answers.pop(0), 443))]

    async def connect(_: object, host: str, *__: object, **___: object) -> None:
        connected.append(host)
        raise httpcore2.ConnectError("no network here")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(httpcore2.AnyIOBackend, "connect_tcp", connect)
    async with http_client(settings) as client:
        with pytest.raises(httpx2.ConnectError):
            await client.get("https://rebinding.example/")
    assert connected == ["93.184.215.14"]
    assert answers == ["127.0.0.1"]


async def test_a_client_without_settings_asks_https_and_public_addresses_alone() -> None:
    async with http_client() as client:
        with pytest.raises(Forbidden):
            await client.get("http://localhost:1/")
        with pytest.raises(Forbidden):
            await client.get("https://127.0.0.1:1/")


async def test_a_developers_client_may_be_let_to_ask_this_machine() -> None:
    async with http_client(Outgoing(allow_loopback_http=True)) as client:
        with pytest.raises(httpx2.ConnectError):
            await client.get("http://127.0.0.1:1/")
