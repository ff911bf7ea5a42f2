"""`python -m demo`: three servers, the main job once, then stay up. See demo/README.md."""

import asyncio
import signal
import sys
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import httpx2
import typer

from demo import scenario
from demo.account import Account, progress
from demo.agency import AgencyClient, create_issuer, publishing, staff_key
from demo.citizen import Citizen
from demo.pki import LIBRARY, PLAYGROUND, PLAYGROUND_NAME, SERVICES, Service
from demo.servers import running
from demo.services import QUERY, ServiceClient
from demo.state import DEFAULT_STATE, State, issuer_settings, make_state, verifier_settings, wallet_settings
from verifier.app import create_app as create_verifier
from verifier.context import Verifier
from verifier.logins import NewLogin, add_login
from verifier.services import NewService, add_api_key, add_service
from wallet.app import create_app as create_wallet


def main(
    once: Annotated[bool, typer.Option("--once", help="End after the account.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object for each step.")] = False,
    seed: Annotated[int, typer.Option(help="Of the register: another seed, other people.")] = 1,
    register: Annotated[Path | None, typer.Option(help="A register of your own, as SQLite.", exists=True)] = None,
    state: Annotated[Path, typer.Option(help="Where to keep everything.")] = DEFAULT_STATE,
    host: Annotated[str | None, typer.Option(help="Serve https under this name, for a phone.")] = None,
) -> None:
    """Issue, keep, show, verify, revoke: once, for real. Then open the wallet in a browser."""
    account = Account(as_json=as_json)
    made = make_state(state.resolve(), host=host, seed=seed, register=register, now=datetime.now(UTC))
    progress(f"state: {made.folder}")
    asyncio.run(_run(made, account, once=once, as_json=as_json))
    if not account.ok:
        progress("the demo did not do what it should: " + ", ".join(s.name for s in account.steps if not s.ok))
        sys.exit(1)


async def _run(state: State, account: Account, *, once: bool, as_json: bool) -> None:
    async with AsyncExitStack() as stack:
        issuer, verifier = create_issuer(issuer_settings(state), state), create_verifier(verifier_settings(state))
        apps = {
            state.ports["issuer"]: issuer,
            state.ports["verifier"]: verifier,
            state.ports["wallet"]: create_wallet(wallet_settings(state)),
        }
        address = "localhost" if not state.https else "0.0.0.0"  # noqa: S104 - a phone on this network is the point
        await stack.enter_async_context(running(apps, host=address, tls=state.tls))
        await stack.enter_async_context(publishing(issuer))
        http = await stack.enter_async_context(_client(state))
        await _add_playground(verifier.state.verifier)
        library, shop = [await _service(verifier.state.verifier, http, state, service) for service in SERVICES]
        agency = AgencyClient(http, state, await staff_key(issuer))
        person = scenario.choose_person(state)
        citizen = Citizen(http, state.url("wallet"))
        await scenario.run(scenario.Demo(state, http, agency, library, shop, citizen, account, person))
        if not once:
            login = await _add_login(verifier.state.verifier)
            await _stay(state, agency, (library, shop), login, as_json=as_json)


async def _add_playground(verifier: Verifier) -> None:
    """Let the verifier ask in its own name, on the page where queries are tried: `/playground`."""
    new = NewService(PLAYGROUND, PLAYGROUND_NAME, key_name=f"access-{PLAYGROUND}")
    await add_service(verifier.store, verifier.sealer, new, now=datetime.now(UTC))


async def _add_login(verifier: Verifier) -> str:
    """Let people sign in to the library by OpenID Connect; what the service in the verifier's README is run with."""
    new = NewLogin(LIBRARY.id, f"{LIBRARY.id}-web", QUERY, ("http://localhost:8005/callback",))
    secret = await add_login(verifier, new)
    return f"ISSUER={verifier.settings.public_url} CLIENT_ID={new.client_id} CLIENT_SECRET={secret}"


def _client(state: State) -> httpx2.AsyncClient:
    context = httpx2.create_ssl_context()
    if state.ca_file is not None:
        context.load_verify_locations(state.ca_file)
    return httpx2.AsyncClient(verify=context, timeout=30, trust_env=False)


async def _service(verifier: object, http: httpx2.AsyncClient, state: State, service: Service) -> ServiceClient:
    """Let the verifier's operator add a service, and the service define what it asks."""
    store, sealer, now = verifier.store, verifier.sealer, datetime.now(UTC)  # type: ignore[attr-defined]  # of the app's state
    await add_service(store, sealer, NewService(service.id, service.name, key_name=f"access-{service.id}"), now=now)
    key = await add_api_key(store, sealer, service_id=service.id, label="demo", now=now)
    client = ServiceClient(service, http, f"{state.url('verifier')}/api/v1", key)
    await client.define_queries()
    return client


async def _stay(
    state: State, agency: AgencyClient, services: tuple[ServiceClient, ...], login: str, *, as_json: bool
) -> None:
    """Stay up until interrupted, and say where to look."""
    if not as_json:
        await _invite(state, agency, services, login)
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await stopped.wait()


async def _invite(state: State, agency: AgencyClient, services: tuple[ServiceClient, ...], login: str) -> None:
    offer = await agency.offer(scenario.choose_person(state), [scenario.PID])
    print("\nThe servers stay up; Ctrl-C ends them. Open in a browser:")
    print(f"  your wallet    {state.url('wallet')}")
    print(f"  take a PID     {offer.wallet_link}")
    print(f"                 transaction code: {offer.tx_code}")
    for service in services:
        started = await service.ask()
        print(f"  {service.service.name} asks: {started['wallets'][0]['link']}")
    print(f"  issuer         {state.url('issuer')}/.well-known/openid-credential-issuer")
    print(f"  verifier       {state.url('verifier')}/api/v1/openapi.json")
    print(f"  try queries    {state.url('verifier')}/playground")
    for service in services:
        print(f"  API key of {service.service.name}: {service.key}")
    print("A sign-in by OpenID Connect, for the program in verifier/README.md or a client library:")
    print(f"  {login} node login.mjs")
    print("A shop of its own, at http://localhost:8004, which asks over the verifier's HTTP API:")
    shop = services[-1]
    print(
        f"  VERIFIER_URL={state.url('verifier')} VERIFIER_KEY={shop.key} node demo/http_service/service.mjs", flush=True
    )


if __name__ == "__main__":
    typer.run(main)
