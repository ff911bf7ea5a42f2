"""A service's webhook receiver: it counts which message came for which transaction, under which id, and how often."""

import asyncio
import base64
import contextlib
import secrets
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

from benchmarks.load.worker import HOST
from byoid.encoding import json_object

_ANSWER = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"


class Receiver:
    """What has arrived: how often each message (`webhook-id`), by the transaction that it is about."""

    def __init__(self) -> None:
        self.arrived: dict[str, Counter[str]] = {}
        self.secret = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
        self.port = 0

    @classmethod
    @asynccontextmanager
    async def listening(cls) -> AsyncIterator[Self]:
        """Listen on a port of this machine."""
        receiver = cls()
        server = await asyncio.start_server(receiver._serve, HOST, 0)
        receiver.port = server.sockets[0].getsockname()[1]
        try:
            yield receiver
        finally:
            server.close()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{HOST}:{self.port}/"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
                headers = {name: value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
                body = json_object(await reader.readexactly(int(headers["content-length"])))
                self.arrived.setdefault(body["data"]["id"], Counter())[headers["webhook-id"]] += 1
                writer.write(_ANSWER)
        writer.close()
