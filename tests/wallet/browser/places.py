"""Three parties on three ports of localhost, in a thread of this process: a real issuer, the wallet, and services."""

import asyncio
import socket
import threading
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy import update

from byoid.encoding import b64u_encode
from byoid.fetch import StatusListCache
from byoid.message import parse_message
from byoid.presentation.dcql import DcqlQuery
from byoid.presentation.issuer_trust import X509Trust
from byoid.presentation.request import VerifierInfo
from byoid.relying_party import Client, Mode, Policy, RelyingParty, link
from byoid.relying_party.fastapi import Door, router
from byoid.service.http import http_client
from byoid.service.trust_files import load_signer, load_trust
from byoid.signing import sign
from byoid.trust.anchors import Purpose
from byoid.trust.registration import RegistrationClaims, prepare_registration
from demo.people import Person, generate, make_register
from demo.pki import LIBRARY, make_pki
from issuer import app as issuer_app
from issuer.agency_store import Target
from issuer.offers import CreatedOffer, create_offer
from issuer.recognition import NotRecognised
from issuer.revocation import Selection, change_status
from issuer.settings import IssuerSettings
from issuer.sources.mapping import load_mapping
from issuer.sources.sql import SqlSource
from issuer.status_lists import publish
from issuer.tables import CredentialStatus, StatusList
from tests.wallet.browser.letterbox import letterbox
from wallet import app as wallet_app
from wallet.settings import WalletSettings

ROOT = Path(__file__).parents[3]
VCT = "urn:eudi:pid:1"
PEOPLE = 30
PASSWORD = "known to the register"
T = TypeVar("T")
NAME = {"path": ["family_name"]}, {"path": ["given_name"]}
QUERIES: dict[str, dict[str, Any]] = {
    "name": {"credentials": [{"id": "pid", "format": "dc+sd-jwt", "meta": {"vct_values": [VCT]}, "claims": [*NAME]}]},
    "photo": {
        "credentials": [
            {
                "id": "pid", "format": "dc+sd-jwt", "meta": {"vct_values": [VCT]},
                "claims": [*NAME, {"path": ["birthdate"]}, {"path": ["picture"]}],
            }
        ]
    },
    "either": {
        "credentials": [
            {"id": "pid", "format": "dc+sd-jwt", "meta": {"vct_values": [VCT]}, "claims": [*NAME]},
            {
                "id": "mdoc", "format": "mso_mdoc", "meta": {"doctype_value": "eu.europa.ec.eudi.pid.1"},
                "claims": [{"path": ["eu.europa.ec.eudi.pid.1", "family_name"]}],
            },
        ],
        "credential_sets": [{"options": [["pid"], ["mdoc"]]}],
    },
    "diploma": {
        "credentials": [
            {"id": "d", "format": "dc+sd-jwt", "meta": {"vct_values": ["urn:example:diploma:1"]}, "claims": [*NAME]}
        ]
    },
}  # fmt: skip


PAYMENT: dict[str, Any] = {
    "type": "urn:eudi:sca:payment:1",
    "credential_ids": ["pid"],
    "payload": {
        "transaction_id": "8D8AC610", "payee": {"name": "Stadtbücherei", "id": "DE02120300000000202051"},
        "currency": "EUR", "amount": 12.5,
    },
}  # fmt: skip


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Clock:
    """The time of the issuer and the wallet; a test may go ahead of it."""

    ahead: timedelta = timedelta(0)

    def now(self) -> datetime:
        return utc_now() + self.ahead


class Desk:
    """The issuer's sign-in: whoever knows the password of the register is the person whose number they type."""

    async def recognise(self, username: str, password: str) -> str:
        if password != PASSWORD:
            raise NotRecognised("expected another password")
        return username


@dataclass
class Places:
    """Where everybody is, and how a test reaches into the issuer and the services."""

    issuer: str
    wallet: str
    service: str
    person: str
    loop: asyncio.AbstractEventLoop
    issuer_app: FastAPI
    wallet_app: FastAPI
    clock: Clock
    others: Sequence[str]
    results: list[dict[str, Any]] = field(default_factory=list)
    letters: list[str] = field(default_factory=list)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something in the thread of the servers."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def offer(self, *configuration_ids: str, person: str | None = None, **wishes: Any) -> CreatedOffer:
        """Make an offer for the demo's person or another one, as an official does."""
        issuer, person = self.issuer_app.state.issuer, person or self.person
        return self.run(create_offer(issuer, configuration_ids=configuration_ids, person=person, **wishes))

    @contextmanager
    def later(self, ahead: timedelta) -> Iterator[None]:
        """Let time pass at the issuer and the wallet."""
        self.clock.ahead = ahead
        self.run(publish(self.issuer_app.state.issuer))
        try:
            yield
        finally:
            self.clock.ahead = timedelta(0)
            self.run(self._publish_anew())
            self._forget_lists()

    async def _publish_anew(self) -> None:
        """Let the issuer sign its lists anew: those that it has seem to come from the future."""
        issuer = self.issuer_app.state.issuer
        await issuer.store.database.execute(update(StatusList).values(changed=StatusList.changed + 1))
        await publish(issuer)

    def _forget_lists(self) -> None:
        """Let the wallet look at status lists anew."""
        statuses = self.wallet_app.state.site.wallet.verifiers.statuses
        statuses._kept.clear()
        statuses._bytes = 0

    def set_status(self, person: str, status: CredentialStatus) -> None:
        """Change the status of all credentials of a person, as an official does, and publish it."""
        agency = self.issuer_app.state.agency
        self.run(change_status(agency, Selection(Target.PERSON, person), status, actor="test", reason="test"))
        self.run(publish(agency.issuer))

    def offer_link(self, offer: CreatedOffer) -> str:
        """Return the link that opens an offer in the wallet."""
        return offer.link(f"{self.wallet}/credential-offer")


@contextmanager
def open_places(folder: Path, **wallet_settings: Any) -> Iterator[Places]:
    """Start everybody, and stop them at the end."""
    loop, started, found = asyncio.new_event_loop(), threading.Event(), []

    async def live() -> None:
        async with _serving(folder, wallet_settings) as (places, stop):
            found.extend((places, stop))
            started.set()
            await stop.wait()

    def work() -> None:
        try:
            loop.run_until_complete(live())
        finally:
            started.set()
            loop.close()

    thread = threading.Thread(target=work, name="three servers")
    thread.start()
    started.wait(60)
    if not found:
        raise RuntimeError("the servers did not start")
    try:
        yield found[0]
    finally:
        loop.call_soon_threadsafe(found[1].set)
        thread.join(30)


@asynccontextmanager
async def _serving(folder: Path, wallet_settings: dict[str, Any]) -> Any:
    *listeners, post = [_listen() for _ in range(4)]
    wallet_settings = {"mail": f"smtp://127.0.0.1:{post.getsockname()[1]}", **wallet_settings}
    issuer, wallet, service = (f"http://localhost:{each.getsockname()[1]}" for each in listeners)
    make_pki(folder / "pki", host="localhost", now=utc_now() - timedelta(hours=1))
    make_register(folder / "register.db", count=PEOPLE)
    clock = Clock()
    apps = (
        issuer_app.create_app(
            _issuer_settings(folder, issuer), source=_source(folder), recognition=Desk(), clock=clock.now
        ),
        wallet_app.create_app(_wallet_settings(folder, wallet, issuer, wallet_settings), clock=clock.now),
        FastAPI(),
    )
    async with AsyncExitStack() as stack:
        people = generate(seed=1, count=PEOPLE)
        person, *others = (each.person_number for each in people if _has_every_card(each))
        loop = asyncio.get_running_loop()
        places = Places(issuer, wallet, service, person, loop, apps[0], apps[1], clock, others)
        await stack.enter_async_context(letterbox(post, places.letters))
        for app, listener in zip(apps, listeners, strict=True):
            await stack.enter_async_context(_served(app, listener))
        await _services(apps[2], places, folder)
        await publish(apps[0].state.issuer)
        yield places, asyncio.Event()


def _has_every_card(person: Person) -> bool:
    return bool(person.portrait and person.birth_country and not person.guardian and not person.deceased_on)


def _listen() -> socket.socket:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    return listener


@asynccontextmanager
async def _served(app: FastAPI, listener: socket.socket) -> Any:
    config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="on", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve([listener]))
    while not server.started:
        if task.done():
            await task
        await asyncio.sleep(0.02)
    try:
        yield
    finally:
        server.should_exit = True
        await task
        listener.close()


def _issuer_settings(folder: Path, url: str) -> IssuerSettings:
    return IssuerSettings.load(
        profile="demo", public_url=url, allow_loopback_http=True, database_url=f"sqlite:///{folder}/issuer.db",
        sealing_keys=f"demo:{b64u_encode(b'i' * 32)}", keys=folder / "pki", trust=folder / "pki/trust.toml",
        agency_name="Gemeinde Lindenmoor",
    )  # fmt: skip


def _wallet_settings(folder: Path, url: str, issuer: str, others: dict[str, Any]) -> WalletSettings:
    return WalletSettings.load(
        **{
            "profile": "demo", "public_url": url, "allow_loopback_http": True,
            "database_url": f"sqlite:///{folder}/wallet.db", "sealing_keys": f"demo:{b64u_encode(b'w' * 32)}",
            "keys": folder / "pki", "trust": folder / "pki/trust.toml", "kek": f"file:{folder}/kek",
            "issuers": (issuer,), **others,
        }
    )  # fmt: skip


def _source(folder: Path) -> SqlSource:
    query = "SELECT * FROM person WHERE person_number = :person"
    mapping = load_mapping(ROOT / "demo" / "register.toml")
    return SqlSource(f"sqlite:///{folder}/register.db", query=query, mapping=mapping)


async def _services(app: FastAPI, places: Places, folder: Path) -> None:
    """Three services: one that is registered for the name, the same asking for more, and one that nobody knows."""
    keys, anchors = folder / "pki", load_trust(folder / "pki" / "trust.toml")
    signer = load_signer(keys / "access-library.key", keys / "access-library.pem")
    info = (VerifierInfo(format="registration_cert", data=await _registration(keys)),)
    trust = X509Trust(anchors, (Purpose.PID, Purpose.ATTESTATION, Purpose.MDOC))
    wallet_settings = places.wallet_app.state.site.settings
    statuses = StatusListCache(http_client(wallet_settings))

    def party(client: Client, path: str, **policy: Any) -> RelyingParty:
        policies = {name: Policy(parse_message(DcqlQuery, query), trust, **policy) for name, query in QUERIES.items()}
        policies["payment"] = replace(policies["name"], transaction_data=(PAYMENT,))
        return RelyingParty(client, f"{places.service}/{path}", policies=policies, statuses=statuses)

    honest = party(Client.x509_hash(signer), "library", verifier_info=info)
    unknown = party(Client.unsigned(), "stranger", encrypted=False)
    for name, each in (("library", honest), ("stranger", unknown)):
        app.include_router(router(each), prefix=f"/{name}")
        _pages(app, name, Door(each, cookie=f"__Host-{name}"), places)


def _pages(app: FastAPI, name: str, door: Door, places: Places) -> None:
    @app.get(f"/{name}/ask/{{policy}}")
    async def ask(policy: str) -> Response:
        answer = RedirectResponse("/", 303)
        begun = await door.begin(answer, policy, mode=Mode.SAME_DEVICE, redirect_uri=f"{places.service}/{name}/done")
        answer.headers["location"] = link(begun.parameters, f"{places.wallet}/authorize")
        return answer

    @app.get(f"/{name}/done")
    async def done(request: Request) -> Response:
        shown = await door.result(request)
        if shown.outcome is not None:
            places.results.append(shown.outcome.to_wire())
        return HTMLResponse(f'<!doctype html><html lang="en"><title>{name}</title><h1 id="welcome">Thank you</h1>')


async def _registration(keys: Path) -> str:
    registrar = load_signer(keys / "registrar.key", keys / "registrar.pem")
    now = utc_now()
    claims = parse_message(RegistrationClaims, _claims(now))
    unsigned = prepare_registration(claims, algorithm=registrar.algorithm, x5c=registrar.x5c)
    return await sign(unsigned, registrar)


def _claims(now: datetime) -> dict[str, Any]:
    wanted = QUERIES["name"]["credentials"][0]
    return {
        "name": LIBRARY.name, "sub": LIBRARY.identifier, "country": "DE", "iat": int(now.timestamp()),
        "exp": int((now + timedelta(days=30)).timestamp()),
        "purpose": [
            {"lang": "en", "value": "Set up your library card."},
            {"lang": "de", "value": "Ihren Bibliotheksausweis ausstellen."},
        ],
        "privacy_policy": "https://library.lindenmoor.example/privacy",
        "entitlements": ["https://uri.etsi.org/19475/Entitlement/Service_Provider"],
        "credentials": [{"format": wanted["format"], "meta": wanted["meta"], "claim": [*NAME]}],
    }  # fmt: skip
