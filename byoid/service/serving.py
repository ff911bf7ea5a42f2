"""HTTP connections that send head and body of an answer at once.

uvicorn writes the head of an answer, then its body: two system calls, and a client that is
woken twice. That was a tenth of what a whole presentation cost the verifier.
"""

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_MOST_WAITING: Final = 1 << 16  # bytes; beyond, the transport holds back whoever writes faster than a client reads


class OneWriteProtocol(HttpToolsProtocol):
    """uvicorn's protocol, for its setting `http`: what is written in one turn of the event loop goes out together."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin a connection."""
        super().connection_made(_Gathering(transport, self.loop))  # type: ignore[arg-type]  # it only looks like a transport


class _Gathering:
    """A transport that writes at the end of the event loop's turn."""

    def __init__(self, transport: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._waiting: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        """Write soon, or at once where much waits."""
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append(data)
        self._size += len(data)
        if self._size > _MOST_WAITING:
            self._flush()

    def close(self) -> None:
        """Write what waits, and end the connection."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._waiting:
            self._transport.write(b"".join(self._waiting))
            self._waiting.clear()
            self._size = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
