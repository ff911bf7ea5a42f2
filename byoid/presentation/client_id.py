"""Client identifiers: what a prefix says about a verifier, and how the wallet makes sure of it.

Spec: OpenID4VP 1.0 sections 5.9 and 12 (verifier attestation), HAIP 1.0 section 5 (`x509_hash`). `openid_federation`
and `decentralized_identifier` are refused by name; `origin` is reserved and always refused; so is any other prefix,
unless the whole identifier is registered with the wallet.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from byoid.encoding import b64u_encode, sha256
from byoid.errors import ClaimMismatch, UntrustedIssuer, WrongType
from byoid.jose import Jws, verify_jws
from byoid.keys import PublicKey
from byoid.presentation.request import AuthorizationRequest, ClientMetadata
from byoid.presentation.verifier_attestation import VerifierAttestation, verify_verifier_attestation
from byoid.trust.anchors import Purpose, TrustAnchors
from byoid.trust.x509 import ChainCache, TrustedChain, verify_chain

REQUEST_OBJECT_TYPE: Final = "oauth-authz-req+jwt"
REQUEST_ALGORITHMS: Final = frozenset({"ES256", "ES384", "ES512", "Ed25519", "EdDSA"})


class Prefix(StrEnum):
    """The Client Identifier Prefixes that OpenID4VP 1.0 defines (5.9.3)."""

    REDIRECT_URI = "redirect_uri"
    OPENID_FEDERATION = "openid_federation"
    DECENTRALIZED_IDENTIFIER = "decentralized_identifier"
    VERIFIER_ATTESTATION = "verifier_attestation"
    X509_SAN_DNS = "x509_san_dns"
    X509_HASH = "x509_hash"
    ORIGIN = "origin"


SUPPORTED: Final = frozenset({Prefix.REDIRECT_URI, Prefix.VERIFIER_ATTESTATION, Prefix.X509_SAN_DNS, Prefix.X509_HASH})


@dataclass(frozen=True)
class RegisteredClient:
    """A verifier that registered with the wallet beforehand. With a `key`, it must sign its requests.

    Without `metadata` the wallet knows none, and the verifier's requests may bring them (8.5, `invalid_client`).
    """

    name: str
    metadata: ClientMetadata | None
    redirect_uris: frozenset[str]
    key: PublicKey | None = None


@dataclass(frozen=True)
class VerifierTrust:
    """Whom a wallet believes to be a verifier.

    `anchors` certify access certificates; `attestation_issuers` are keys by `iss`; `trusted_clients` may send the
    response to another host than the one in their `x509_san_dns` certificate.
    """

    anchors: TrustAnchors
    registered: Mapping[str, RegisteredClient] = field(default_factory=dict)
    attestation_issuers: Mapping[str, PublicKey] = field(default_factory=dict)
    trusted_clients: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class ClientIdentifier:
    """A client identifier, taken apart at the first colon. `full` is what is compared and signed everywhere (14.8)."""

    full: str
    prefix: Prefix | None
    original: str


@dataclass(frozen=True)
class AuthenticClient:
    """A verifier that is who it says, as far as its prefix can show: `signed` False means that it showed nothing."""

    identifier: ClientIdentifier
    name: str
    signed: bool
    chain: TrustedChain | None = None
    registered: RegisteredClient | None = None
    attestation: VerifierAttestation | None = None


def parse_client_id(client_id: str, *, registered: Collection[str] = ()) -> ClientIdentifier:
    """Take a client identifier apart (5.9.1).

    Raises:
        UntrustedIssuer: a prefix that byoid does not support, or none and the client is not registered.
    """
    before, colon, original = client_id.partition(":")
    prefix = next((each for each in Prefix if colon and each == before), None)
    if prefix is None:
        if client_id not in registered:
            raise UntrustedIssuer("the client identifier has no known prefix, and is not registered")
        return ClientIdentifier(client_id, None, client_id)
    if prefix not in SUPPORTED:
        raise UntrustedIssuer(f"the client identifier prefix {prefix} is not supported")
    return ClientIdentifier(client_id, prefix, original)


def authenticate_unsigned(client_id: str, *, trust: VerifierTrust) -> AuthenticClient:
    """Accept a client that does not sign: `redirect_uri`, or one that registered without a key.

    Raises:
        UntrustedIssuer: the prefix, or the registration, demands a signature.
    """
    identifier = parse_client_id(client_id, registered=trust.registered)
    registered = trust.registered.get(client_id) if identifier.prefix is None else None
    if registered is not None and registered.key is None:
        return AuthenticClient(identifier, registered.name, signed=False, registered=registered)
    if identifier.prefix is not Prefix.REDIRECT_URI:
        raise UntrustedIssuer("expected a signed request from this client")
    return AuthenticClient(identifier, urlsplit(identifier.original).hostname or "", signed=False)


def authenticate_signed(
    client_id: str, jws: Jws, *, trust: VerifierTrust, now: datetime, cache: ChainCache | None = None
) -> AuthenticClient:
    """Verify a signed request object as the client's prefix demands (5.9.3).

    Raises:
        UntrustedIssuer: the prefix is not supported or forbids a signature, or nobody trusted stands for the client.
        ClaimMismatch: the client identifier is not the one that the certificate or attestation proves.
        WrongType: `typ` or the algorithm is not acceptable.
        BadSignature: the signature does not verify.
        MalformedInput, Expired, NotYetValid: of the certificate or attestation.
    """
    identifier = parse_client_id(client_id, registered=trust.registered)
    match identifier.prefix:
        case Prefix.X509_SAN_DNS | Prefix.X509_HASH:
            client = _by_certificate(identifier, jws, trust.anchors, now=now, cache=cache)
            key = client.chain.public_key if client.chain else None
        case Prefix.VERIFIER_ATTESTATION:
            client = _by_attestation(identifier, jws, trust, now=now)
            key = client.attestation.key if client.attestation else None
        case Prefix.REDIRECT_URI:
            raise UntrustedIssuer("a request of a redirect_uri client cannot be signed: nobody vouches for the key")
        case _:
            registered = trust.registered[client_id]
            client = AuthenticClient(identifier, registered.name, signed=True, registered=registered)
            key = registered.key
    if key is None:
        raise UntrustedIssuer("the client registered no key for its requests")
    verify_jws(jws, key, algorithms=REQUEST_ALGORITHMS, typ=REQUEST_OBJECT_TYPE)
    return client


def require_permitted_uri(client: AuthenticClient, request: AuthorizationRequest, *, trust: VerifierTrust) -> None:
    """Demand that the response goes where this client may send it (5.9.3, 8.2, 14.3.1).

    Raises:
        ClaimMismatch: the URI is not the client's, or not one that it registered.
    """
    uri = request.response_uri or ""
    match client.identifier.prefix:
        case Prefix.REDIRECT_URI:
            permitted = uri == client.identifier.original
        case Prefix.X509_SAN_DNS:
            host = urlsplit(uri).hostname or ""
            permitted = host == client.identifier.original.lower() or client.identifier.full in trust.trusted_clients
        case Prefix.VERIFIER_ATTESTATION:
            uris = client.attestation.redirect_uris if client.attestation else None
            permitted = uris is None or uri in uris
        case None:
            permitted = client.registered is not None and uri in client.registered.redirect_uris
        case _:
            permitted = True  # x509_hash: the signed request itself is what names the URI
    if not permitted:
        raise ClaimMismatch("the response URI does not belong to the client")


def _by_certificate(
    identifier: ClientIdentifier, jws: Jws, anchors: TrustAnchors, *, now: datetime, cache: ChainCache | None
) -> AuthenticClient:
    if not jws.x5c:
        raise WrongType("expected x5c in the header of the request object")
    chain = verify_chain(jws.x5c, anchors=anchors, purpose=Purpose.ACCESS, now=now, cache=cache)
    if identifier.prefix is Prefix.X509_HASH:
        proven = b64u_encode(sha256(jws.x5c[0])) == identifier.original
    else:
        proven = identifier.original.lower() in [name.lower() for name in chain.dns_names]
    if not proven:
        raise ClaimMismatch("the client identifier is not that of the certificate")
    return AuthenticClient(identifier, chain.subject_name, signed=True, chain=chain)


def _by_attestation(identifier: ClientIdentifier, jws: Jws, trust: VerifierTrust, *, now: datetime) -> AuthenticClient:
    attestation = verify_verifier_attestation(
        jws.header.get("jwt"), client_id=identifier.original, issuers=trust.attestation_issuers, now=now
    )
    return AuthenticClient(identifier, identifier.original, signed=True, attestation=attestation)
