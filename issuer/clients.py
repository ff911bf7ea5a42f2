"""Who calls the token and PAR endpoints: client authentication, and the keys that a request proves.

Attestation-based client authentication (drafts -07 to -10) with its DPoP-combined mode, `private_key_jwt` (RFC 7523),
mTLS behind a proxy (RFC 8705, RFC 9440), and DPoP (RFC 9449).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hmac import compare_digest
from typing import Final

from cryptography import x509

from byoid.errors import ByoidError, StatusUnavailable
from byoid.formats.status_list import StatusReference
from byoid.jose import parse_jws
from byoid.keys import certificate_hash_b64u
from byoid.oauth.client_attestation import (
    ATTESTATION_HEADER,
    CHALLENGE_HEADER,
    POP_HEADER,
    VerifiedClientAttestation,
    require_dpop_combined,
    verify_client_attestation,
    verify_client_attestation_pop,
)
from byoid.oauth.dpop import VerifiedDpopProof, verify_dpop_proof
from byoid.oauth.jwt import LEEWAY, sole_header
from byoid.oauth.private_key_jwt import CLIENT_ASSERTION_TYPE, MAX_ASSERTION_BYTES, verify_client_assertion
from byoid.wire_errors import (
    InvalidClient,
    InvalidClientAttestation,
    InvalidDpopProof,
    InvalidResourceDpopProof,
    TemporarilyUnavailable,
    UseAttestationChallenge,
    UseDpopNonce,
    UseFreshAttestation,
)
from issuer.attested_status import require_valid_status
from issuer.context import Issuer
from issuer.nonces import CurrentNonces, NonceKind, create_nonce, spent_until
from issuer.once import Once
from issuer.registered_clients import RegisteredClient

DPOP_HEADER: Final = "DPoP"
DPOP_NONCE_HEADER: Final = "DPoP-Nonce"
_TLS: Final = frozenset({"tls_client_auth", "self_signed_tls_client_auth"})


@dataclass(frozen=True)
class HttpRequest:
    """What a protocol step may know of an HTTP request.

    `headers` gives every value of the fields that steps read, by lower-case name; `certificate` is the client's, from a
    trusted proxy, which also says whether it has verified the chain.
    """

    method: str
    url: str
    headers: Mapping[str, Sequence[str]]
    certificate: x509.Certificate | None = None
    chain_verified: bool = False


@dataclass(frozen=True)
class Assertion:
    """The `client_assertion` parameters of a request."""

    type: str | None
    value: str | None


NO_ASSERTION: Final = Assertion(None, None)


@dataclass(frozen=True)
class Client:
    """A client, and the keys that its request has proved. `authenticated` is False after anonymous access.

    The operation must spend `once`, with whatever it does for this client.
    """

    client_id: str | None
    authenticated: bool = False
    instance_jkt: str | None = None
    dpop_jkt: str | None = None
    certificate_hash: str | None = None
    status: StatusReference | None = None
    status_maintained_until: datetime | None = None
    once: tuple[Once, ...] = ()


async def authenticate_client(
    issuer: Issuer, request: HttpRequest, *, client_id: str | None, assertion: Assertion = NO_ASSERTION
) -> Client:
    """Authenticate the client of a token or PAR request, and verify its DPoP proof.

    Raises:
        InvalidClient: no authentication where it is demanded, or it does not verify.
        InvalidClientAttestation: the attestation does not verify, or its wallet is revoked.
        InvalidDpopProof: the proof does not verify.
        UseDpopNonce: a nonce is needed; the answer's header has one.
        UseAttestationChallenge: a challenge is needed; the answer's header has one.
    """
    proof = verify_dpop(issuer, request)
    if ATTESTATION_HEADER.lower() in request.headers:
        return await _attested(issuer, request, client_id=client_id, proof=proof)
    dpop_jkt = proof.key.thumbprint_b64u if proof else None
    once = (dpop_once(issuer, proof),) if proof else ()
    client_id = client_id or _asserted_id(assertion)
    registered = issuer.clients.get(client_id or "")
    if registered is None or registered.authentication == "attest_jwt_client_auth":
        if registered is not None or assertion.value or issuer.settings.require_client_attestation:
            raise InvalidClient("client authentication by a wallet attestation is needed")
        return Client(client_id, dpop_jkt=dpop_jkt, once=once)
    if registered.authentication in _TLS:
        _require_certificate(registered, request)
    else:
        once = (*once, _verify_assertion(issuer, registered, assertion))
    return Client(
        registered.client_id, authenticated=True, dpop_jkt=dpop_jkt, certificate_hash=_certificate_hash(request),
        once=once,
    )  # fmt: skip


def verify_dpop(
    issuer: Issuer, request: HttpRequest, *, access_token: str | None = None, expected_jkt: str | None = None
) -> VerifiedDpopProof | None:
    """Verify the request's DPoP proof, if it has one. Its `jti` is still to be spent: `dpop_once`.

    Raises:
        InvalidDpopProof: it does not verify.
        UseDpopNonce: a nonce is needed; the answer's header has one.
    """
    if DPOP_HEADER.lower() not in request.headers:
        return None
    try:
        return verify_dpop_proof(
            sole_header(request.headers[DPOP_HEADER.lower()], name=DPOP_HEADER),
            method=request.method, url=request.url, now=issuer.clock(),
            access_token=access_token, expected_jkt=expected_jkt,
            nonces=CurrentNonces(issuer, NonceKind.DPOP) if issuer.settings.require_dpop_nonce else None,
        )  # fmt: skip
    except UseDpopNonce as error:
        nonce = {DPOP_NONCE_HEADER: create_nonce(issuer, NonceKind.DPOP)}
        raise UseDpopNonce(error.description, detail=error.detail, headers=nonce) from error
    except ByoidError as error:
        raise InvalidDpopProof("the DPoP proof does not verify", detail=str(error)) from error


def dpop_once(
    issuer: Issuer,
    proof: VerifiedDpopProof,
    *,
    refusal: type[InvalidDpopProof | InvalidResourceDpopProof] = InvalidDpopProof,
) -> Once:
    """Return what is to be spent of a DPoP proof (RFC 9449 11.1)."""
    value = f"{proof.key.thumbprint_b64u} {proof.jti}".encode()
    return Once(issuer.hash("dpop jti", value), spent_until(issuer), refusal("the DPoP proof was used before"))


async def _attested(
    issuer: Issuer, request: HttpRequest, *, client_id: str | None, proof: VerifiedDpopProof | None
) -> Client:
    attestation = _verify_attestation(issuer, request, client_id=client_id)
    once = _verify_pop(issuer, request, attestation, proof)
    registered = issuer.clients.get(attestation.client_id)
    if registered is not None and registered.authentication != "attest_jwt_client_auth":
        raise InvalidClient("this client is registered with another way of authentication")
    try:
        await require_valid_status(issuer, [attestation.status])
    except StatusUnavailable as error:
        raise TemporarilyUnavailable("the wallet provider does not answer", detail=str(error)) from error
    except ByoidError as error:
        raise InvalidClientAttestation("the wallet was revoked by its provider", detail=str(error)) from error
    return Client(
        attestation.client_id,
        authenticated=True,
        instance_jkt=attestation.key.thumbprint_b64u,
        dpop_jkt=proof.key.thumbprint_b64u if proof else None,
        certificate_hash=_certificate_hash(request),
        status=attestation.status,
        status_maintained_until=attestation.status_maintained_until,
        once=(dpop_once(issuer, proof), *once) if proof else once,
    )


def _verify_attestation(issuer: Issuer, request: HttpRequest, *, client_id: str | None) -> VerifiedClientAttestation:
    try:
        return verify_client_attestation(
            sole_header(request.headers[ATTESTATION_HEADER.lower()], name=ATTESTATION_HEADER),
            trust=issuer.trust, now=issuer.clock(), client_id=client_id, max_age=issuer.settings.max_attestation_age,
        )  # fmt: skip
    except UseFreshAttestation:
        raise
    except ByoidError as error:
        raise InvalidClientAttestation("the client attestation does not verify", detail=str(error)) from error


def _verify_pop(
    issuer: Issuer, request: HttpRequest, attestation: VerifiedClientAttestation, dpop: VerifiedDpopProof | None
) -> tuple[Once, ...]:
    current = CurrentNonces(issuer, NonceKind.ATTESTATION)
    demanded = current if issuer.settings.require_attestation_challenge else None
    values = request.headers.get(POP_HEADER.lower())
    try:
        if values is None and dpop is not None:
            require_dpop_combined(attestation, proof=dpop, challenges=demanded)
            return ()
        pop = verify_client_attestation_pop(
            sole_header(values or (), name=POP_HEADER), attestation=attestation,
            audience=issuer.url, now=issuer.clock(), challenges=demanded,
        )  # fmt: skip
        if pop.challenge is not None and pop.challenge not in current:
            raise UseAttestationChallenge("the challenge is not current")
    except UseAttestationChallenge as error:
        challenge = {CHALLENGE_HEADER: create_nonce(issuer, NonceKind.ATTESTATION)}
        raise UseAttestationChallenge(error.description, headers=challenge) from error
    except ByoidError as error:
        raise InvalidClientAttestation("the proof of possession does not verify", detail=str(error)) from error
    value = issuer.hash("attestation jti", f"{attestation.key.thumbprint_b64u} {pop.jti}".encode())
    return (Once(value, spent_until(issuer), InvalidClientAttestation("the proof of possession was used before")),)


def _asserted_id(assertion: Assertion) -> str | None:
    """Return whom an assertion is about, not believed: it only says whose key to try (RFC 7521 4.2)."""
    if assertion.value is None:
        return None
    try:
        subject = parse_jws(assertion.value, max_bytes=MAX_ASSERTION_BYTES).claims().get("sub")
    except ByoidError as error:
        raise InvalidClient("the client assertion is malformed", detail=str(error)) from error
    return subject if isinstance(subject, str) else None


def _verify_assertion(issuer: Issuer, client: RegisteredClient, assertion: Assertion) -> Once:
    if assertion.value is None or assertion.type != CLIENT_ASSERTION_TYPE:
        raise InvalidClient("this client must authenticate with private_key_jwt")
    try:
        key = client.key(parse_jws(assertion.value, max_bytes=MAX_ASSERTION_BYTES).header.get("kid"))
        if key is None:
            raise InvalidClient("the client assertion names no key of this client")
        verified = verify_client_assertion(
            assertion.value, client_id=client.client_id, key=key, audience=issuer.url, now=issuer.clock()
        )
    except ByoidError as error:
        raise InvalidClient("the client assertion does not verify", detail=str(error)) from error
    value = issuer.hash("assertion jti", f"{client.client_id} {verified.jti}".encode())
    until = max(verified.expires_at + 2 * LEEWAY, spent_until(issuer))
    return Once(value, until, InvalidClient("the client assertion was used before"))


def _certificate_hash(request: HttpRequest) -> str | None:
    return certificate_hash_b64u(request.certificate) if request.certificate else None


def _require_certificate(client: RegisteredClient, request: HttpRequest) -> None:
    if (certificate := request.certificate) is None:
        raise InvalidClient("this client must authenticate with its certificate")
    shown = certificate_hash_b64u(certificate)
    listed = any(compare_digest(shown, each) for each in client.certificates)
    # Whoever signs their own certificate chooses its subject: a name counts only where the proxy verified a chain.
    by_name = client.authentication == "tls_client_auth" and client.subject is not None
    named = by_name and request.chain_verified and certificate.subject.rfc4514_string() == client.subject
    if not listed and not named:
        raise InvalidClient("the certificate is not one of this client")
