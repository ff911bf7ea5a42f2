"""`python -m benchmarks.load.worker ROLE [PORT …]`: one process of a role, as an operator would run it.

ROLE: issuer, verifier, wallet, issuer-jobs, verifier-jobs, or together (the three roles in one process, on three
ports). Settings come from the environment. The only thing that is not as in production is the population register: it
is in memory and says the same of everybody, since what a register costs is not the issuer's. Prints `ready` when it is.
"""

import asyncio
import socket
import sys
from dataclasses import dataclass
from datetime import date
from typing import Final

import uvicorn
from fastapi import FastAPI

from byoid.service import logging as service_logging
from byoid.service.garbage import spare_application
from byoid.service.serving import OneWriteProtocol
from issuer.attributes import Record

_RECORD: Final[Record] = {
    "family_name": "Öztürk-Łukasiewicz", "given_name": "Zoë Katarzyna", "birth_date": date(1991, 4, 23),
    "birth_place": {"country": "PL", "locality": "Łódź"}, "nationalities": ["DE", "PL"], "sex": 2,
    "resident_street": "Lindenallee 4", "resident_postal_code": "12345", "resident_city": "Lindenmoor",
    "resident_country": "DE", "resident_address": "Lindenallee 4, 12345 Lindenmoor",
    "personal_administrative_number": "1000000076", "email": "zoe@lindenmoor.example",
}  # fmt: skip
HOST: Final = "127.0.0.1"


@dataclass(frozen=True)
class Remembered:
    """A register that says the same of everybody."""

    async def record(self, person: str, credential_type: str) -> Record:
        """Return the facts."""
        return _RECORD


def application(role: str) -> FastAPI:
    """Make the application of a role from the environment."""
    match role:
        case "issuer":
            from issuer.app import create_app
            from issuer.settings import IssuerSettings

            made = create_app(IssuerSettings.load(), source=Remembered())
            spare_application()  # as `issuer.app:from_environment` does
            return made
        case "verifier":
            from verifier.app import from_environment as verifier

            return verifier()
        case _:
            from wallet.app import from_environment as wallet

            return wallet()


async def run_jobs(role: str) -> None:
    """Run a service's jobs until killed."""
    if role == "issuer-jobs":
        from issuer.app import open_agency
        from issuer.jobs import run_jobs as run_issuer_jobs
        from issuer.settings import IssuerSettings

        async with open_agency(IssuerSettings.load(), source=Remembered()) as agency:
            _say_ready()
            await run_issuer_jobs(agency)
    from verifier.__main__ import run_jobs as run_verifier_jobs
    from verifier.settings import VerifierSettings

    _say_ready()
    await run_verifier_jobs(VerifierSettings.load())


async def serve(ports: dict[str, int]) -> None:
    """Serve roles by port until told to stop."""
    servers = [(_server(role), _listen(port)) for role, port in ports.items()]
    tasks = [asyncio.create_task(server.serve(sockets=[bound])) for server, bound in servers]
    while not all(server.started for server, _ in servers):
        if any(task.done() for task in tasks):
            break
        await asyncio.sleep(0.01)
    else:
        _say_ready()
    await asyncio.gather(*tasks)


def _server(role: str) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            application(role), access_log=False, log_config=None, timeout_graceful_shutdown=3, http=OneWriteProtocol
        )
    )


def _listen(port: int) -> socket.socket:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind((HOST, port))
    return bound


def _say_ready() -> None:
    print("ready", flush=True)


def main(role: str, *ports: str) -> None:
    """Run the role."""
    service_logging.configure(level="warning")
    if role.endswith("-jobs"):
        asyncio.run(run_jobs(role))
        return
    roles = ("issuer", "verifier", "wallet") if role == "together" else (role,)
    import uvloop

    uvloop.run(serve(dict(zip(roles, map(int, ports), strict=True))))


if __name__ == "__main__":
    main(*sys.argv[1:])
