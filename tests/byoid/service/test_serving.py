"""An answer leaves in one piece, whole and in order, over real connections."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from byoid.service.serving import OneWriteProtocol, _Gathering


async def application(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    if scope["path"] == "/parts":
        for part in (b"one ", b"two ", b"three"):
            await send({"type": "http.response.body", "body": part, "more_body": True})
            await asyncio.sleep(0.05)
        await send({"type": "http.response.body", "body": b""})
    else:
        await send({"type": "http.response.body", "body": b"whole"})


@asynccontextmanager
async def connection() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    server = uvicorn.Server(
        uvicorn.Config(application, port=0, http=OneWriteProtocol, log_config=None, access_log=False, lifespan="off")
    )
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        await writer.wait_closed()
    server.should_exit = True
    await task


async def test_head_and_body_arrive_together() -> None:
    async with connection() as (reader, writer):
        for _ in range(20):
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            first = await reader.read(65536)
            assert first.startswith(b"HTTP/1.1 200 OK")
            assert first.endswith(b"whole\r\n0\r\n\r\n")


async def test_what_comes_in_parts_is_not_held_back() -> None:
    async with connection() as (reader, writer):
        writer.write(b"GET /parts HTTP/1.1\r\nHost: x\r\n\r\n")
        first = await reader.read(65536)
        assert b"one " in first
        assert b"two " not in first
        rest = await reader.readuntil(b"0\r\n\r\n")
        assert rest.index(b"two ") < rest.index(b"three")


def test_what_grows_large_is_handed_over_at_once() -> None:
    """The transport tells who writes to wait, which it can only once it has something."""
    written: list[bytes] = []

    class Transport:
        def write(self, data: bytes) -> None:
            written.append(data)

    class Loop:
        def call_soon(self, *_: Any) -> None:
            pass

    gathering = _Gathering(Transport(), Loop())  # type: ignore[arg-type]  # what is used of it
    for _ in range(3):
        gathering.write(b"x" * 30_000)
    assert [len(each) for each in written] == [90_000]
    gathering.write(b"y")
    assert len(written) == 1
    gathering._flush()
    assert written[1] == b"y"


@pytest.mark.parametrize("request_", [b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"nonsense\r\n\r\n"])
async def test_what_ends_the_connection_is_still_written(request_: bytes) -> None:
    async with connection() as (reader, writer):
        writer.write(request_)
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 ")
        assert answer.rstrip().endswith((b"0", b"received."))
