"""Our side of the verifier's plans: an operator's files, the verifier as it is shipped, and a service that asks.

The service asks in two ways, each with a page to begin and a page to come back to: over the verifier's HTTP API
(`/shop`), and in its own process with the library's router and `Door` (`/library`).
"""

import base64
import secrets
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import cbor2
import httpx2
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import Depends, FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from byoid.encoding import b64u_decode, b64u_encode
from byoid.keys import PrivateKey
from byoid.presentation.issuer_trust import X509Trust
from byoid.relying_party import Client, Policy, RelyingParty, Transaction
from byoid.relying_party.client import VerifierClient
from byoid.relying_party.fastapi import Door, router
from byoid.relying_party.messages import QueryDefinition, StartTransaction, TrustRule
from byoid.relying_party.transaction import Mode
from byoid.service.settings import DEMO_KEY_ID
from byoid.service.trust_files import load_signer, load_trust
from byoid.trust.anchors import Purpose
from byoid.trust.pki import Authority, SubjectName, dns, make_leaf, make_root, to_pem
from conformance.suite import certificate_of
from demo.servers import running
from demo.tls import make_certificate
from verifier.app import create_app
from verifier.context import Verifier
from verifier.services import NewService, add_api_key, add_service
from verifier.settings import VerifierSettings

HOST: Final = "localhost"
VERIFIER: Final = f"https://{HOST}:9451"
SERVICE: Final = f"https://{HOST}:9452"
PREFIXES: Final = ("x509_hash", "x509_san_dns", "redirect_uri")
_ACCESS: Final = "access"
_COOKIE: Final = "__Host-shop"
_X5CHAIN: Final = 33  # COSE header parameter (RFC 9360)
_MDL: Final = "org.iso.18013.5.1"
_PID_CLAIMS: Final = (["family_name"], ["given_name"], ["birthdate"], ["nationalities", None], ["place_of_birth"])
_MDL_CLAIMS: Final = ("family_name", "given_name", "birth_date", "document_number", "portrait", "driving_privileges")
QUERIES: Final[Mapping[str, dict[str, Any]]] = {
    "sd_jwt_vc": {
        "id": "pid",
        "format": "dc+sd-jwt",
        "meta": {"vct_values": ["urn:eudi:pid:1"]},
        "claims": [{"path": path} for path in _PID_CLAIMS],
    },
    "iso_mdl": {
        "id": "mdl",
        "format": "mso_mdoc",
        "meta": {"doctype_value": f"{_MDL}.mDL"},
        "claims": [{"path": [_MDL, name]} for name in _MDL_CLAIMS],
    },
}


def definition(credential_format: str, *, encrypted: bool) -> QueryDefinition:
    """Return what a service asks: one credential, signed by whom the operator's file calls issuers."""
    query = {"credentials": [QUERIES[credential_format]]}
    return QueryDefinition(dcql_query=query, trust={"*": TrustRule(lists=("issuers",))}, encrypted=encrypted)


def query_name(credential_format: str, *, encrypted: bool) -> str:
    """Return what a service calls its query."""
    return f"{QUERIES[credential_format]['id']}-{'encrypted' if encrypted else 'clear'}"


@dataclass(frozen=True)
class Files:
    """What an operator has in a folder, and what the suite's configuration takes from it."""

    folder: Path
    tls: tuple[Path, Path]
    ca_file: Path
    signing_jwk: dict[str, Any]  # the suite's, as issuer of what its wallet shows
    access_root: str

    @property
    def trust(self) -> Path:
        """The trust file."""
        return self.folder / "trust.toml"

    def trust_document_signer(self, certificate: x509.Certificate) -> None:
        """Trust a document signer, which certifies itself."""
        (self.folder / "document-signer.pem").write_bytes(to_pem(certificate))
        with self.trust.open("a", encoding="utf-8") as file:
            file.write(_anchor("document-signer.pem", (Purpose.MDOC,), pinned=True))


def make_files(folder: Path, *, suite_url: str, now: datetime) -> Files:
    """Write https certificates, access certificate, trust file, and whom outgoing requests believe."""
    chain, key, ca_file = make_certificate(folder, host=HOST, now=now)
    with ca_file.open("a", encoding="ascii") as file:
        file.write(certificate_of(suite_url))
    access, issuer = _root("Access certificates", now), _root("Issuers", now)
    _write_leaf(folder / _ACCESS, access, now=now)
    (folder / "issuers.pem").write_bytes(to_pem(issuer.certificate))
    (folder / "trust.toml").write_text(_anchor("issuers.pem", (Purpose.PID, Purpose.MDOC), pinned=False), "utf-8")
    pem = to_pem(access.certificate).decode()
    return Files(folder, (chain, key), ca_file, _signing_jwk(issuer, now=now), pem)


def document_signer(device_response: str) -> x509.Certificate:
    """Return the certificate of whoever signed a mdoc. Nothing of it is verified: an operator decides to trust it."""
    document = cbor2.loads(b64u_decode(device_response))["documents"][0]
    chain = document["issuerSigned"]["issuerAuth"][1][_X5CHAIN]
    return x509.load_der_x509_certificate(chain if isinstance(chain, bytes) else chain[0])


@dataclass(frozen=True)
class Verdict:
    """What our side makes of an answer. `shown` are the names of claims on the page to which the person came back."""

    state: str
    failures: int
    reason: str
    shown: Sequence[str] = ()


@dataclass(frozen=True)
class Places:
    """What runs: the shop's clients of the verifier by prefix, and the library's relying party."""

    clients: Mapping[str, VerifierClient]
    party: RelyingParty

    async def verdict(self, transaction_id: str, *, prefix: str) -> Verdict:
        """Look at a transaction as its service does."""
        found = await self.clients[prefix].transaction(transaction_id)
        return Verdict(found.state.value, found.failures, found.last_failure or "")

    async def library_verdict(self, transaction_id: str) -> Verdict:
        """Look at a transaction of the library."""
        found = await self.party.progress(transaction_id)
        return Verdict(found.state.value, found.failures, found.last_failure or "")


@asynccontextmanager
async def serving(files: Files, *, wallet: str) -> AsyncIterator[Places]:
    """Serve the verifier and the service, with the suite as the one web wallet that the operator lists."""
    verifier, service = create_app(_settings(files, wallet)), FastAPI()
    party = _relying_party(files)
    async with running({_port(VERIFIER): verifier, _port(SERVICE): service}, host=HOST, tls=files.tls):
        clients = {prefix: await _client(verifier.state.verifier, files, prefix) for prefix in PREFIXES}
        _add_shop(service, clients)
        _add_library(service, party)
        try:
            yield Places(clients, party)
        finally:
            for client in clients.values():
                await client.__aexit__(None, None, None)


def _settings(files: Files, wallet: str) -> VerifierSettings:
    return VerifierSettings.load(
        profile="demo",  # which has the playground
        public_url=VERIFIER,
        database_url=f"sqlite:///{files.folder / secrets.token_hex(4)}.db",
        sealing_keys=f"{DEMO_KEY_ID}-conformance:{b64u_encode(secrets.token_bytes(32))}",
        ca_file=files.ca_file,
        allowed_networks=("127.0.0.0/8",),
        keys=files.folder,
        trust=files.trust,
        wallet_endpoints=({"name": "Conformance suite", "endpoint": wallet},),
        playground_service=_service_id(PREFIXES[0]),
        log_level="warning",
    )


async def _client(verifier: Verifier, files: Files, prefix: str) -> VerifierClient:
    """Let the operator add a service, and the service define what it asks."""
    now, service_id = verifier.clock(), _service_id(prefix)
    name = HOST if prefix == "x509_san_dns" else None
    new = NewService(service_id, "Conformance", prefix, name, None if prefix == "redirect_uri" else _ACCESS)
    await add_service(verifier.store, verifier.sealer, new, now=now)
    key = await add_api_key(verifier.store, verifier.sealer, service_id=service_id, label="conformance", now=now)
    context = ssl.create_default_context(cafile=str(files.ca_file))
    client = VerifierClient(VERIFIER, api_key=key, transport=httpx2.AsyncHTTPTransport(verify=context))
    for each in QUERIES:
        for encrypted in (True, False):
            await client.define(query_name(each, encrypted=encrypted), definition(each, encrypted=encrypted))
    return client


def _relying_party(files: Files) -> RelyingParty:
    """Make the relying party of a service that verifies in its own process."""
    signer = load_signer(files.folder / f"{_ACCESS}.key", files.folder / f"{_ACCESS}.pem")
    trust = X509Trust(load_trust(files.trust))
    policies = {
        query_name(each, encrypted=encrypted): Policy.of({"credentials": [QUERIES[each]]}, trust, encrypted=encrypted)
        for each in QUERIES
        for encrypted in (True, False)
    }
    return RelyingParty(Client.x509_hash(signer), f"{SERVICE}/byoid", policies=policies)


def _add_shop(app: FastAPI, clients: Mapping[str, VerifierClient]) -> None:
    """Add the pages that ask over the verifier's HTTP API."""

    @app.get("/shop/{prefix}/{query}")
    async def ask(prefix: str, query: str, wallet: str, method: str | None = None) -> RedirectResponse:
        session = secrets.token_urlsafe(32)
        wish = {
            "query": query, "mode": "same_device", "session": session, "redirect_uri": f"{SERVICE}/shop/done",
            "endpoint": wallet, "request_uri_method": method,
        }  # fmt: skip
        started = await clients[prefix].start(StartTransaction.model_validate(wish))
        response = RedirectResponse(started.link or "/", 303, headers={"x-transaction": started.id})
        response.set_cookie(_COOKIE, f"{prefix}/{started.id}/{session}", secure=True, httponly=True, samesite="lax")
        return response

    @app.get("/shop/done")
    async def done(request: Request, response_code: str) -> HTMLResponse:
        prefix, transaction_id, session = request.cookies[_COOKIE].split("/")
        result = await clients[prefix].result(transaction_id, session=session, response_code=response_code)
        shown = {name: [each.claims for each in all_] for name, all_ in result.credentials.items()}
        return _page(result.state.value, shown)

    # Before the page with two parameters, which it would be taken for otherwise.
    app.router.routes.insert(0, app.router.routes.pop())


def _add_library(app: FastAPI, party: RelyingParty) -> None:
    """Add the library's router, and the pages that ask in this process."""
    door = Door(party)
    app.include_router(router(party), prefix="/byoid")

    @app.get("/library/done")
    async def done(shown: Annotated[Transaction, Depends(door.result)]) -> HTMLResponse:
        found = shown.outcome.credentials if shown.outcome else {}
        state = shown.outcome.state.value if shown.outcome else "pending"
        return _page(state, {name: [each["claims"] for each in all_] for name, all_ in found.items()})

    @app.get("/library/{query}")
    async def ask(query: str, wallet: str, method: str | None = None) -> RedirectResponse:
        response = RedirectResponse("/", 303)
        begun = await door.begin(
            response, query, mode=Mode.SAME_DEVICE, redirect_uri=f"{SERVICE}/library/done", request_uri_method=method
        )
        response.headers["location"], response.headers["x-transaction"] = begun.link(wallet), begun.id
        return response


def _page(state: str, shown: Mapping[str, Any]) -> HTMLResponse:
    rows = "".join(
        f"<dt><code>{escape(name)}</code></dt><dd>{escape(str(value)[:200])}</dd>"
        for credentials in shown.values()
        for claims in credentials
        for name, value in _flat(claims)
    )
    return HTMLResponse(f"<!doctype html><title>{state}</title><h1>{state}</h1><dl>{rows}</dl>")


def _flat(claims: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Give the claims of an mdoc without their namespaces."""
    for name, value in claims.items():
        yield from value.items() if "." in name else ((name, value),)


def _service_id(prefix: str) -> str:
    return prefix.replace("_", "-")


def _port(url: str) -> int:
    return urlsplit(url).port or 443


def _root(name: str, now: datetime) -> Authority:
    subject = SubjectName(f"Conformance: {name}", "byoid", "NTRDE-0", "DE")
    return make_root(subject, key=PrivateKey.generate(), now=now, path_length=0)


def _write_leaf(path: Path, issuer: Authority, *, now: datetime) -> None:
    key, subject = PrivateKey.generate(), SubjectName("Conformance", "byoid", "NTRDE-1", "DE")
    leaf = make_leaf(issuer, subject, key=key.public, purpose=Purpose.ACCESS, now=now, names=dns(HOST))
    path.with_suffix(".key").write_bytes(key.to_pem())
    path.with_suffix(".pem").write_bytes(to_pem(leaf))


def _signing_jwk(issuer: Authority, *, now: datetime) -> dict[str, Any]:
    """Return the key that the suite signs SD-JWT VCs with, and its certificate."""
    key, subject = PrivateKey.generate(), SubjectName("Conformance suite", "OpenID Foundation", None, "DE")
    leaf = make_leaf(issuer, subject, key=key.public, purpose=Purpose.PID, now=now)
    der = leaf.public_bytes(Encoding.DER)
    return {**key.to_jwk(), "alg": "ES256", "use": "sig", "x5c": [base64.b64encode(der).decode()]}


def _anchor(file: str, purposes: Sequence[Purpose], *, pinned: bool) -> str:
    named = ", ".join(f'"{each}"' for each in purposes)
    told = f'file = "{file}"\npurposes = [{named}]\nsource = "issuers"\npinned = {str(pinned).lower()}'
    return f"[[anchor]]\n{told}\n\n"
