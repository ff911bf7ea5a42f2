"""Three servers in one process, on three ports: each application as it is, with its own database."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import uvicorn
from fastapi import FastAPI

from byoid.service.serving import OneWriteProtocol

_START_SECONDS: Final = 30
# What BCP 195 recommends for TLS 1.2, and FAPI 2.0 5.2.2 demands; TLS 1.3 has no others.
_CIPHERS: Final = "ECDHE+AESGCM"


@asynccontextmanager
async def running(apps: Mapping[int, FastAPI], *, host: str, tls: tuple[Path, Path] | None) -> AsyncIterator[None]:
    """Serve applications by port until the block ends.

    Args:
        apps: the application of each port.
        host: the address to listen on.
        tls: certificate chain and key, for https.
    """
    servers = [uvicorn.Server(_config(app, port, host, tls)) for port, app in apps.items()]
    tasks = [asyncio.create_task(_serve(server), name=f"server {server.config.port}") for server in servers]
    try:
        async with asyncio.timeout(_START_SECONDS):
            while not all(server.started for server in servers):
                _raise_failed(tasks)
                await asyncio.sleep(0.02)
        yield
    finally:
        for server in servers:
            server.should_exit = True
        await asyncio.gather(*tasks, return_exceptions=True)


async def _serve(server: uvicorn.Server) -> None:
    try:
        await server.serve()
    except SystemExit as error:  # how uvicorn says that it could not start; it has logged why
        raise RuntimeError(f"no server on port {server.config.port}") from error


def _config(app: FastAPI, port: int, host: str, tls: tuple[Path, Path] | None) -> uvicorn.Config:
    certificate, key = tls or (None, None)
    return uvicorn.Config(
        app, host=host, port=port, log_level="warning", access_log=False, lifespan="on",
        ssl_certfile=certificate, ssl_keyfile=key, ssl_ciphers=_CIPHERS,
        timeout_graceful_shutdown=3, http=OneWriteProtocol,
    )  # fmt: skip


def _raise_failed(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        if task.done():
            error = task.exception()
            raise RuntimeError(f"{task.get_name()} did not start; is the port in use?") from error
