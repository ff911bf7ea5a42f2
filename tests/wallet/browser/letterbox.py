"""A mail server of this machine, just good enough to take letters (RFC 5321)."""

import asyncio
import email
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.policy import default


@asynccontextmanager
async def letterbox(listener: socket.socket, letters: list[str]) -> AsyncIterator[None]:
    """Serve, and put the text of each letter into `letters`."""

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        while line := await reader.readline():
            command = line[:4].upper()
            if command == b"DATA":
                writer.write(b"354 go on\r\n")
                letter = await reader.readuntil(b"\r\n.\r\n")
                letters.append(email.message_from_bytes(letter, policy=default).get_content())
            writer.write(b"221 bye\r\n" if command == b"QUIT" else b"250 fine\r\n")
        writer.close()

    async with await asyncio.start_server(take, sock=listener):
        yield
