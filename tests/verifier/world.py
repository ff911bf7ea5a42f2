"""A world around the verifier: certificates, an issuer with a status list, and a wallet that is honest unless told."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from byoid.encoding import b64u_encode
from byoid.formats.mdoc.issue import prepare_mdoc
from byoid.formats.mdoc.present import HeldMdoc
from byoid.formats.sd_jwt_vc import ALL, HeldSdJwtVc, prepare_key_binding, prepare_sd_jwt_vc
from byoid.formats.status_array import StatusArray
from byoid.formats.status_list import StatusReference, prepare_status_list_token
from byoid.keys import PrivateKey
from byoid.presentation.authentication import PresentationRequest
from byoid.presentation.client_id import VerifierTrust
from byoid.presentation.request import AuthorizationRequest
from byoid.presentation.request_object import authenticate_request
from byoid.presentation.response import AuthorizationResponse, choose_response_encryption, encrypt_response, to_form
from byoid.service.trust_files import load_trust
from byoid.signing import sign_now
from byoid.trust.anchors import Purpose
from byoid.trust.pki import Authority, SubjectName, dns, make_leaf, make_root, to_der, to_pem
from byoid.trust.registration import RegistrationClaims, prepare_registration

VCT = "urn:eudi:pid:1"
RESIDENCE_VCT = "urn:example:residence:1"
DOCTYPE = NAMESPACE = "eu.europa.ec.eudi.pid.1"
STATUS_URI = "https://issuer.test/status/1"
LIST = "issuers"
CLAIMS: dict[str, Any] = {
    "family_name": "Dahl",
    "given_name": "Ada",
    "birthdate": "1990-05-01",
    "age_equal_or_over": {"18": True},
    "address": {"country": "DE", "locality": "Lindenmoor"},
}
ELEMENTS: dict[str, Any] = {"family_name": "Dahl", "given_name": "Ada", "age_over_18": True, "resident_country": "DE"}


@dataclass
class Issuer:
    """An issuer of both formats, and the keeper of one status list, which it serves."""

    root: Authority
    pid: PrivateKey
    pid_chain: tuple[bytes, ...]
    mdoc: PrivateKey
    mdoc_chain: tuple[bytes, ...]
    attestation: PrivateKey
    attestation_chain: tuple[bytes, ...]
    status: PrivateKey
    status_chain: tuple[bytes, ...]
    clock: Callable[[], datetime]
    array: StatusArray = field(default_factory=lambda: StatusArray.of_size(64, bits=2))
    fetched: int = 0
    token: bytes | None = None  # in place of an honest one

    def sd_jwt_vc(self, holder: PrivateKey | None, **changes: Any) -> str:
        """Issue a PID."""
        options: dict[str, Any] = {
            "vct": VCT, "disclosable": ALL, "algorithm": "ES256", "x5c": self.pid_chain,
            "holder_key": holder.public.jwk if holder else None, "status": StatusReference(STATUS_URI, 1),
            "issued_at": self.clock(), "expires_at": self.clock() + timedelta(days=14),
        }  # fmt: skip
        claims = changes.pop("claims", CLAIMS)
        key = changes.pop("key", self.pid)
        return sign_now(prepare_sd_jwt_vc(claims, **{**options, **changes}), key)

    def residence(self, holder: PrivateKey, **changes: Any) -> str:
        """Issue a certificate of residence."""
        given = {"key": self.attestation, "x5c": self.attestation_chain, "vct": RESIDENCE_VCT}
        return self.sd_jwt_vc(holder, **{**given, **changes})

    def mdoc_pid(self, holder: PrivateKey, **changes: Any) -> bytes:
        """Issue a PID as mdoc."""
        options: dict[str, Any] = {
            "doctype": DOCTYPE, "device_key": holder.public, "x5chain": self.mdoc_chain, "algorithm": "ES256",
            "signed": self.clock(), "valid_from": self.clock(), "valid_until": self.clock() + timedelta(days=14),
            "status": StatusReference(STATUS_URI, 2),
        }  # fmt: skip
        elements = changes.pop("elements", ELEMENTS)
        key = changes.pop("key", self.mdoc)
        return sign_now(prepare_mdoc({NAMESPACE: elements}, **{**options, **changes}), key)

    def status_token(self, key: PrivateKey | None = None, **changes: Any) -> bytes:
        """Publish the status list."""
        options: dict[str, Any] = {
            "uri": STATUS_URI, "issued_at": self.clock(), "expires_at": self.clock() + timedelta(days=1),
            "ttl": timedelta(minutes=15), "algorithm": "ES256", "x5c": self.status_chain,
        }  # fmt: skip
        return sign_now(prepare_status_list_token(self.array, **{**options, **changes}), key or self.status).encode()

    def app(self) -> Starlette:
        """Serve the status list."""

        async def status(_: Request) -> Response:
            self.fetched += 1
            return Response(self.token or self.status_token(), media_type="application/statuslist+jwt")

        return Starlette(routes=[Route("/status/1", status)])


@dataclass
class World:
    """Everybody but the verifier."""

    folder: Path
    issuer: Issuer
    clock: Callable[[], datetime]
    registrar: PrivateKey
    registrar_chain: tuple[bytes, ...]

    @property
    def trust(self) -> VerifierTrust:
        return VerifierTrust(load_trust(self.folder / "trust.toml"))

    def register(self, service: str, identifier: str, credentials: list[dict[str, Any]]) -> None:
        """Give a service a registration certificate."""
        claims = RegistrationClaims(
            name=service, sub=identifier, entitlements=("https://uri.etsi.org/19475/Entitlement/Service_Provider",),
            iat=int(self.clock().timestamp()), credentials=credentials,
        )  # fmt: skip
        jwt = sign_now(prepare_registration(claims, algorithm="ES256", x5c=self.registrar_chain), self.registrar)
        (self.folder / f"access-{service}.registration.jwt").write_text(jwt)


def make_world(folder: Path, clock: Callable[[], datetime]) -> World:
    """Make keys and certificates; those of the services go into the folder, with the trust file."""
    past = clock() - timedelta(days=1)
    purposes = {
        "issuers": ("pid", "mdoc", "status"),
        "offices": ("attestation",),
        "access": ("access",),
        "registrars": ("registration",),
    }
    roots = {name: make_root(SubjectName(name), key=PrivateKey.generate(), now=past) for name in purposes}

    def leaf(root: str, name: str, purpose: Purpose, host: str) -> tuple[PrivateKey, tuple[bytes, ...]]:
        key = PrivateKey.generate()
        subject = SubjectName(name, f"{name} Ltd", f"NTRUT-{name}")
        certificate = make_leaf(roots[root], subject, key=key.public, purpose=purpose, now=past, names=dns(host))
        if root == "access":
            (folder / f"access-{name}.key").write_bytes(key.to_pem())
            (folder / f"access-{name}.pem").write_bytes(to_pem(certificate))
        return key, to_der(certificate)

    entries = []
    for name, root in roots.items():
        (folder / f"{name}.pem").write_bytes(to_pem(root.certificate))
        source = LIST if name == "offices" else name
        entries.append(f'[[anchor]]\nfile = "{name}.pem"\npurposes = {list(purposes[name])}\nsource = "{source}"\n')
    (folder / "trust.toml").write_text("\n".join(entries))
    for service in ("shop", "library"):
        leaf("access", service, Purpose.ACCESS, "verifier.test")
    kinds = (
        ("issuers", "pid", Purpose.PID),
        ("issuers", "mdoc", Purpose.MDOC),
        ("offices", "residence", Purpose.ATTESTATION),
        ("issuers", "status", Purpose.STATUS),
    )
    pid, mdoc, attestation, status = (leaf(root, name, purpose, "issuer.test") for root, name, purpose in kinds)
    issuer = Issuer(roots["issuers"], *pid, *mdoc, *attestation, *status, clock)
    return World(folder, issuer, clock, *leaf("registrars", "registrar", Purpose.REGISTRATION, "registrar.test"))


@dataclass(frozen=True)
class Answer:
    """What a wallet is about to post: each part may still be changed by a dishonest one."""

    request: AuthorizationRequest
    vp_token: Mapping[str, Any]
    state: str | None

    def form(self, **changes: Any) -> dict[str, str]:
        """Return the form, encrypted as the request demands."""
        response = AuthorizationResponse(vp_token=self.vp_token, state=self.state)
        if not self.request.encrypted:
            return to_form(response)
        encryption = replace(choose_response_encryption(self.request.client_metadata), **changes)
        return {"response": encrypt_response(response, encryption)}


@dataclass
class Wallet:
    """A wallet with one person's credentials."""

    world: World
    client: httpx2.AsyncClient
    holder: PrivateKey = field(default_factory=PrivateKey.generate)

    def __post_init__(self) -> None:
        issuer = self.world.issuer
        self.sd_jwts = {VCT: issuer.sd_jwt_vc(self.holder), RESIDENCE_VCT: issuer.residence(self.holder)}
        self.mdocs = {DOCTYPE: issuer.mdoc_pid(self.holder)}

    async def fetch(self, link: str) -> AuthorizationRequest:
        """Fetch and authenticate the request of a link."""
        parameters = dict(parse_qsl(urlsplit(link).query))
        response = await self.client.get(parameters["request_uri"])
        assert response.status_code == 200, response.text
        return self.read(response.text, parameters["client_id"])

    def read(self, request_object: str, client_id: str, **expected: Any) -> AuthorizationRequest:
        """Authenticate a request object."""
        return authenticate_request(
            request_object, client_id=client_id, trust=self.world.trust, now=self.world.clock(), **expected
        ).request

    def bound(self, request: AuthorizationRequest, *, origin: str | None = None) -> PresentationRequest:
        """Return what presentations are bound to."""
        key = choose_response_encryption(request.client_metadata).key if request.encrypted else None
        return PresentationRequest.of(request, origin=origin, encryption_key=key)

    def present(self, bound: PresentationRequest, query_id: str) -> str:
        """Make the presentation that a credential query asks for."""
        query = bound.dcql_query.credential(query_id)
        paths = list(query.paths)
        if query.format == "mso_mdoc":
            held_mdoc = HeldMdoc.from_bytes(self.mdocs[query.meta["doctype_value"]])
            unsigned = held_mdoc.prepare_response(
                [(str(p[0]), str(p[1])) for p in paths], session_transcript=bound.session_transcript, algorithm="ES256"
            )
            return b64u_encode(sign_now(unsigned, self.holder))
        shown = HeldSdJwtVc.from_text(self.sd_jwts[query.meta["vct_values"][0]]).present(paths)
        unsigned_kb = prepare_key_binding(
            shown, audience=bound.binding.audience, nonce=bound.nonce, issued_at=self.world.clock(),
            algorithm="ES256", transaction_data=bound.transaction_data,
        )  # fmt: skip
        return sign_now(unsigned_kb, self.holder)

    def answer(self, request: AuthorizationRequest) -> Answer:
        """Answer every credential query."""
        bound = self.bound(request)
        vp_token = {each.id: (self.present(bound, each.id),) for each in request.query.credentials}
        return Answer(request, vp_token, request.state)

    async def post(self, request: AuthorizationRequest, form: Mapping[str, str]) -> httpx2.Response:
        """Post an answer."""
        assert request.response_uri is not None
        return await self.client.post(request.response_uri, data=dict(form))

    async def complete(self, link: str) -> httpx2.Response:
        """Do all of it."""
        request = await self.fetch(link)
        return await self.post(request, self.answer(request).form())


def sd_jwt_query(*paths: list[Any], **members: Any) -> dict[str, Any]:
    """Ask for claims of a PID as SD-JWT VC."""
    claims = [{"path": path} for path in paths or (["given_name"], ["address", "country"])]
    credential = {"id": "pid", "format": "dc+sd-jwt", "meta": {"vct_values": [VCT]}, "claims": claims, **members}
    return {"credentials": [credential]}


def mdoc_query(*names: str, **members: Any) -> dict[str, Any]:
    """Ask for elements of a PID as mdoc."""
    claims = [{"path": [NAMESPACE, name]} for name in names or ("given_name", "age_over_18")]
    credential = {"id": "pid", "format": "mso_mdoc", "meta": {"doctype_value": DOCTYPE}, "claims": claims, **members}
    return {"credentials": [credential]}


def definition(dcql_query: dict[str, Any], **members: Any) -> dict[str, Any]:
    """Define a named query that trusts the world's issuers."""
    return {"dcql_query": dcql_query, "trust": {"*": {"lists": [LIST]}}, **members}
