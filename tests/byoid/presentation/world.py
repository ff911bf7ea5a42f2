"""A small world: an issuer of SD-JWT VCs and mdocs, a holder's wallet, and a verifier with its request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from byoid.claims import ClaimPath
from byoid.encoding import b64u_encode
from byoid.formats.mdoc.issue import prepare_mdoc
from byoid.formats.mdoc.present import HeldMdoc
from byoid.formats.sd_jwt_vc import ALL, HeldSdJwtVc, prepare_key_binding, prepare_sd_jwt_vc
from byoid.formats.status_array import StatusArray
from byoid.formats.status_list import StatusReference, prepare_status_list_token
from byoid.jose import prepare_jws, x5c_header
from byoid.keys import PrivateKey
from byoid.message import parse_message
from byoid.presentation.client_id import VerifierTrust
from byoid.presentation.dcql import DcqlQuery
from byoid.presentation.request import AuthorizationRequest
from byoid.presentation.request_object import (
    AuthenticRequest,
    WalletAbilities,
    prepare_request_object,
    verify_request,
)
from byoid.presentation.transaction_data import TransactionData
from byoid.presentation.verify import PresentationRequest, VerifiedResponse, X509Trust, verify_vp_token
from byoid.signing import sign_now
from byoid.trust.anchors import Purpose, TrustAnchors
from byoid.trust.pki import Authority, SubjectName, make_leaf, make_root, to_der
from byoid.trust.registration import RegistrationClaims, prepare_registration

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
NONCE = "n-0S6_WzA2Mjn-0S6_WzA2Mj"
VCT = "urn:eudi:pid:1"
DOCTYPE = "org.iso.18013.5.1.mDL"
NAMESPACE = "org.iso.18013.5.1"
LIST_URI = "https://issuer.example/status/1"
CLIENT_ID = "x509_san_dns:verifier.example"
RESPONSE_URI = "https://verifier.example/response"
CLAIMS = {
    "given_name": "Erika",
    "family_name": "Mustermann",
    "address": {"locality": "Köln", "country": "DE"},
    "nationalities": ["DE", "FR"],
    "age_equal_or_over": {"18": True},
}


class Payment(TransactionData):
    """A type of transaction data."""

    amount: str


@dataclass(frozen=True)
class World:
    """Issuer, holder and verifier; every key is made once."""

    root: Authority
    issuer: PrivateKey
    holder: PrivateKey
    verifier: PrivateKey
    pid_chain: tuple[bytes, ...]
    mdoc_chain: tuple[bytes, ...]
    access_chain: tuple[bytes, ...]
    status_chain: tuple[bytes, ...]
    registrar_chain: tuple[bytes, ...]

    @property
    def anchors(self) -> TrustAnchors:
        return self.root.anchor(*Purpose, source="https://lists.example/pid")

    @property
    def trust(self) -> dict[str, X509Trust]:
        return {
            "pid": X509Trust(self.anchors, Purpose.PID),
            "mdl": X509Trust(self.anchors, Purpose.MDOC),
            "second": X509Trust(self.anchors, Purpose.PID),
        }

    @property
    def verifier_trust(self) -> VerifierTrust:
        return VerifierTrust(self.anchors)

    def sd_jwt_vc(self, claims: Mapping[str, Any] = CLAIMS, **changes: Any) -> str:
        arguments: dict[str, Any] = {
            "vct": VCT,
            "disclosable": ALL,
            "algorithm": "ES256",
            "holder_key": self.holder.public.jwk,
            "x5c": self.pid_chain,
            "issued_at": NOW,
            "expires_at": NOW + timedelta(days=30),
            **changes,
        }
        key = arguments.pop("key", self.issuer)
        return sign_now(prepare_sd_jwt_vc(claims, **arguments), key)

    def show(
        self,
        credential: str,
        paths: Sequence[ClaimPath] = (("given_name",), ("family_name",)),
        *,
        key: PrivateKey | None = None,
        **changes: Any,
    ) -> str:
        arguments: dict[str, Any] = {
            "audience": CLIENT_ID,
            "nonce": NONCE,
            "issued_at": NOW,
            "algorithm": "ES256",
            **changes,
        }
        shown = HeldSdJwtVc.from_text(credential).present(paths)
        return sign_now(prepare_key_binding(shown, **arguments), key or self.holder)

    def mdoc(self, **changes: Any) -> bytes:
        arguments: dict[str, Any] = {
            "doctype": DOCTYPE,
            "device_key": self.holder.public,
            "x5chain": self.mdoc_chain,
            "algorithm": "ES256",
            "signed": NOW,
            "valid_from": NOW,
            "valid_until": NOW + timedelta(days=30),
            **changes,
        }
        namespaces = arguments.pop("namespaces", {NAMESPACE: {"given_name": "Erika", "age_over_18": True}})
        key = arguments.pop("key", self.issuer)
        return sign_now(prepare_mdoc(namespaces, **arguments), key)

    def show_mdoc(
        self,
        mdoc: bytes,
        request: PresentationRequest,
        elements: Sequence[tuple[str, str]] = ((NAMESPACE, "given_name"),),
        *,
        key: PrivateKey | None = None,
    ) -> str:
        held = HeldMdoc.from_bytes(mdoc)
        unsigned = held.prepare_response(elements, session_transcript=request.session_transcript, algorithm="ES256")
        return b64u_encode(sign_now(unsigned, key or self.holder))

    def status_list(self, value: int = 0, **changes: Any) -> str:
        array = StatusArray.of_size(64, bits=2)
        array.set_status(7, value)
        arguments: dict[str, Any] = {
            "uri": LIST_URI,
            "issued_at": NOW,
            "algorithm": "ES256",
            "expires_at": NOW + timedelta(hours=1),
            "x5c": self.status_chain,
            **changes,
        }
        key = arguments.pop("key", self.issuer)
        return sign_now(prepare_status_list_token(array, **arguments), key)


STATUS = StatusReference(LIST_URI, 7)
PID_QUERY: dict[str, Any] = {
    "id": "pid",
    "format": "dc+sd-jwt",
    "meta": {"vct_values": [VCT]},
    "claims": [{"path": ["given_name"]}, {"path": ["family_name"]}],
}
MDL_QUERY: dict[str, Any] = {
    "id": "mdl",
    "format": "mso_mdoc",
    "meta": {"doctype_value": DOCTYPE},
    "claims": [{"path": [NAMESPACE, "given_name"]}],
}


def query_of(*credentials: Mapping[str, Any], **members: Any) -> DcqlQuery:
    return parse_message(DcqlQuery, {"credentials": list(credentials), **members})


@dataclass(frozen=True)
class Asking:
    """Makes requests that differ in one thing."""

    request: PresentationRequest = field(
        default_factory=lambda: PresentationRequest(CLIENT_ID, NONCE, query_of(PID_QUERY), RESPONSE_URI)
    )

    def __call__(self, *credentials: Mapping[str, Any], **changes: Any) -> PresentationRequest:
        sets = {"credential_sets": changes.pop("credential_sets")} if "credential_sets" in changes else {}
        query = query_of(*(credentials or (PID_QUERY,)), **sets)
        return replace(self.request, dcql_query=query, **changes)


def authorization_request(**changes: Any) -> AuthorizationRequest:
    members: dict[str, Any] = {
        "response_type": "vp_token",
        "response_mode": "direct_post",
        "client_id": CLIENT_ID,
        "nonce": NONCE,
        "state": "s" * 22,
        "response_uri": RESPONSE_URI,
        "dcql_query": {"credentials": [PID_QUERY]},
        **changes,
    }
    return parse_message(AuthorizationRequest, {name: value for name, value in members.items() if value is not None})


def verify(world: World, vp_token: Any, request: PresentationRequest, **changes: Any) -> VerifiedResponse:
    arguments: dict[str, Any] = {"trust": world.trust, "statuses": {}, "same_person": (), "now": NOW, **changes}
    return verify_vp_token(vp_token, request=request, **arguments)


def foreign_chain(purpose: Purpose) -> tuple[PrivateKey, tuple[bytes, ...]]:
    root = make_root(SubjectName("Other root"), key=PrivateKey.generate(), now=NOW)
    key = PrivateKey.generate()
    leaf = make_leaf(root, SubjectName("Issuer", "Issuer Ltd"), key=key.public, purpose=purpose, now=NOW)
    return key, to_der(leaf)


def make_request_object(
    world: World, request: AuthorizationRequest, *, key: PrivateKey | None = None, **changes: Any
) -> str:
    arguments: dict[str, Any] = {"algorithm": "ES256", "issued_at": NOW, "x5c": world.access_chain, **changes}
    return sign_now(prepare_request_object(request, **arguments), key or world.verifier)


def make_raw_request_object(
    world: World, claims: dict[str, Any], *, typ: str = "oauth-authz-req+jwt", **header: Any
) -> str:
    members = {"aud": "https://self-issued.me/v2", **authorization_request().to_wire(), **claims}
    present = {name: value for name, value in members.items() if value is not None}
    full = {"x5c": x5c_header(world.access_chain), **header}
    return sign_now(prepare_jws(present, algorithm="ES256", typ=typ, header=full), world.verifier)


def verify_object(world: World, request: str | AuthorizationRequest, **changes: Any) -> AuthenticRequest:
    arguments: dict[str, Any] = {
        "client_id": CLIENT_ID,
        "trust": world.verifier_trust,
        "abilities": WalletAbilities(frozenset({"dc+sd-jwt"}), {"payment": Payment}),
        "now": NOW,
        **changes,
    }
    return verify_request(request, **arguments)


ALLOWED = [{"format": "dc+sd-jwt", "meta": {"vct_values": [VCT]}, "claim": [{"path": ["given_name"]}]}]


def registration(world: World, *, key: PrivateKey | None = None, **changes: Any) -> str:
    members = {
        "name": "Shop",
        "sub": "NTRUT-Verifier",
        "entitlements": ["https://uri.etsi.org/19475/Entitlement/Service_Provider"],
        "iat": int(NOW.timestamp()),
        "credentials": ALLOWED,
        **changes,
    }
    claims = parse_message(RegistrationClaims, members)
    return sign_now(prepare_registration(claims, algorithm="ES256", x5c=world.registrar_chain), key or world.issuer)
