"""HTTP/1.1 over one connection, for many requests at little cost: the generator must not be what is measured.

What a wallet's HTTP library would do, and no more: the connection is kept open, opened anew when it was lost or idle,
and nothing is tried a second time here. `NoAnswer` says that nobody knows whether the request was carried out.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.load.worker import HOST
from byoid.encoding import json_object

_IDLE_SECONDS: Final = 3.0  # servers close a connection after five
JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"


class NoAnswer(Exception):
    """The connection failed before a whole answer came: after `since`, when it was known to live."""

    def __init__(self, kind: str, *, since: float) -> None:
        super().__init__(kind)
        self.since = since


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """Return the body as an object; an empty one where there is none."""
        return json_object(self.body) if self.body else {}


class Connection:
    """A connection to a port of this machine."""

    def __init__(self, port: int, *, timeout: float = 30.0) -> None:
        self._port = port
        self._timeout = timeout
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._asked = self._answered = 0.0

    async def request(
        self, method: str, path: str, body: bytes = b"", *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send a request and return the answer.

        Raises:
            NoAnswer: none came; what the server did, nobody knows.
        """
        lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST}:{self._port}"]
        if body or method == "POST":
            lines.append(f"Content-Length: {len(body)}")
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        message = "\r\n".join((*lines, "", "")).encode() + body
        since = time.monotonic() if self._writer is None else self._answered
        try:
            async with asyncio.timeout(self._timeout):
                return await self._exchange(message)
        except TimeoutError:
            self.close()
            raise NoAnswer("timeout", since=since) from None
        except (OSError, EOFError) as error:
            self.close()
            raise NoAnswer("connection", since=since) from error

    def close(self) -> None:
        """Let the connection go."""
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None

    async def _exchange(self, message: bytes) -> Answer:
        # Since it asked: whoever waits long for a turn of the processor reads an answer late, and the server counts on.
        if self._writer is not None and time.monotonic() - self._asked > _IDLE_SECONDS:
            self.close()
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(HOST, self._port)
        self._asked = time.monotonic()
        self._writer.write(message)
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])}
        if "transfer-encoding" in headers:
            raise EOFError("an answer of unknown length was not expected")
        body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        self._answered = time.monotonic()
        return Answer(int(head[0].split(" ", 2)[1]), headers, body)
