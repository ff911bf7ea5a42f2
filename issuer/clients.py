"""Who calls the token and PAR endpoints: client authentication and the keys that a request proves.

Attestation-based client authentication (drafts -07 to -10) with its DPoP-combined mode, and DPoP (RFC 9449). Registered
clients with `private_key_jwt` or mTLS are in `registered_clients.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from byoid.errors import ByoidError, VerificationError
from byoid.formats.status_list import StatusReference
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
from byoid.oauth.jwt import sole_header
from byoid.wire_errors import (
    InvalidClient,
    InvalidClientAttestation,
    InvalidDpopProof,
    UseAttestationChallenge,
    UseDpopNonce,
    UseFreshAttestation,
)
from issuer.context import Issuer
from issuer.nonces import CurrentNonces, NonceKind, create_nonce, spent_until

DPOP_HEADER: Final = "DPoP"
DPOP_NONCE_HEADER: Final = "DPoP-Nonce"


@dataclass(frozen=True)
class HttpRequest:
    """What a protocol step may know of an HTTP request; `headers` gives every value of a field, by lower-case name."""

    method: str
    url: str
    headers: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Client:
    """An authenticated client, or an anonymous one: then `client_id` is None."""

    client_id: str | None
    instance_jkt: str | None = None
    dpop_jkt: str | None = None
    status: StatusReference | None = None


ANONYMOUS: Final = Client(client_id=None)


async def authenticate_client(issuer: Issuer, request: HttpRequest, *, client_id: str | None) -> Client:
    """Authenticate the client of a token or PAR request and take its DPoP proof.

    Raises:
        InvalidClient: no authentication where it is demanded, or it does not verify.
        InvalidDpopProof: the proof does not verify, or was used before.
        UseDpopNonce: a nonce is needed; the answer's header has one.
        UseAttestationChallenge: a challenge is needed; the answer's header has one.
    """
    proof = await take_dpop_proof(issuer, request)
    dpop_jkt = proof.key.thumbprint_b64u if proof else None
    if ATTESTATION_HEADER.lower() not in request.headers:
        if issuer.settings.require_client_attestation:
            raise InvalidClient("client authentication by a wallet attestation is needed")
        return Client(client_id=client_id, dpop_jkt=dpop_jkt)
    attestation = _verify_attestation(issuer, request, client_id=client_id)
    await _take_pop(issuer, request, attestation, proof)
    return Client(attestation.client_id, attestation.key.thumbprint_b64u, dpop_jkt, attestation.status)


async def take_dpop_proof(
    issuer: Issuer, request: HttpRequest, *, access_token: str | None = None, expected_jkt: str | None = None
) -> VerifiedDpopProof | None:
    """Verify the request's DPoP proof, if it has one, and spend its `jti`.

    Raises:
        InvalidDpopProof: it does not verify, or was used before.
        UseDpopNonce: a nonce is needed; the answer's header has one.
    """
    if DPOP_HEADER.lower() not in request.headers:
        return None
    try:
        proof = verify_dpop_proof(
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
    if not await spend_once(issuer, "dpop jti", f"{proof.key.thumbprint_b64u} {proof.jti}"):
        raise InvalidDpopProof("the DPoP proof was used before")
    return proof


async def spend_once(issuer: Issuer, kind: str, value: str) -> bool:
    """Use a value that may be used once, in a transaction of its own; False if it was used before."""
    async with issuer.store.transaction() as tx:
        return await issuer.store.spend(tx, issuer.hash(kind, value.encode()), until=spent_until(issuer))


def _verify_attestation(issuer: Issuer, request: HttpRequest, *, client_id: str | None) -> VerifiedClientAttestation:
    try:
        return verify_client_attestation(
            sole_header(request.headers[ATTESTATION_HEADER.lower()], name=ATTESTATION_HEADER),
            trust=issuer.trust, now=issuer.clock(), client_id=client_id,
        )  # fmt: skip
    except UseFreshAttestation:
        raise
    except ByoidError as error:
        raise InvalidClientAttestation("the client attestation does not verify", detail=str(error)) from error


async def _take_pop(
    issuer: Issuer, request: HttpRequest, attestation: VerifiedClientAttestation, dpop: VerifiedDpopProof | None
) -> None:
    challenges = CurrentNonces(issuer, NonceKind.ATTESTATION)
    values = request.headers.get(POP_HEADER.lower())
    try:
        if values is None and dpop is not None:
            require_dpop_combined(attestation, proof=dpop)
            return
        pop = verify_client_attestation_pop(
            sole_header(values or (), name=POP_HEADER), attestation=attestation,
            audience=issuer.url, now=issuer.clock(),
        )  # fmt: skip
        if pop.challenge is not None and pop.challenge not in challenges:
            raise UseAttestationChallenge("the challenge is not current")
    except UseAttestationChallenge as error:
        challenge = {CHALLENGE_HEADER: create_nonce(issuer, NonceKind.ATTESTATION)}
        raise UseAttestationChallenge(error.description, headers=challenge) from error
    except (VerificationError, ByoidError) as error:
        raise InvalidClientAttestation("the proof of possession does not verify", detail=str(error)) from error
    if not await spend_once(issuer, "attestation jti", f"{attestation.key.thumbprint_b64u} {pop.jti}"):
        raise InvalidClientAttestation("the proof of possession was used before")
