"""Verifier attestations: a JWT by which a trusted party vouches for a verifier and its key.

Spec: OpenID4VP 1.0 section 12, 5.9.3 (`verifier_attestation`). The request object that carries one in its header `jwt`
is signed with the attested key: that is its proof of possession.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from byoid.errors import ClaimMismatch, MalformedInput, UntrustedIssuer
from byoid.jose import SIGNATURE_ALGORITHMS, UnsignedJws, parse_jws, prepare_jws, verify_jws
from byoid.keys import Jwk, PublicKey
from byoid.presentation.jwt_claims import require_period

VERIFIER_ATTESTATION_TYPE: Final = "verifier-attestation+jwt"


@dataclass(frozen=True)
class VerifierAttestation:
    """A verified attestation: who vouches, for which client and key, and where its responses may go."""

    issuer: str
    client_id: str
    key: PublicKey
    redirect_uris: frozenset[str] | None


def prepare_verifier_attestation(
    *,
    issuer: str,
    client_id: str,
    key: Jwk,
    algorithm: str,
    issued_at: datetime,
    expires_at: datetime,
    redirect_uris: Collection[str] | None = None,
) -> UnsignedJws:
    """Prepare an attestation; `client_id` is the identifier without its prefix."""
    claims: dict[str, Any] = {
        "iss": issuer,
        "sub": client_id,
        "iat": int(issued_at.timestamp()),
        "exp": int(expires_at.timestamp()),
        "cnf": {"jwk": dict(PublicKey.from_jwk(key).jwk)},
    }
    if redirect_uris is not None:
        claims["redirect_uris"] = sorted(redirect_uris)
    return prepare_jws(claims, algorithm=algorithm, typ=VERIFIER_ATTESTATION_TYPE)


def verify_verifier_attestation(
    jwt: object, *, client_id: str, issuers: Mapping[str, PublicKey], now: datetime
) -> VerifierAttestation:
    """Verify an attestation and return the key that it attests.

    Raises:
        MalformedInput: not a JWT, or a claim is missing or malformed.
        UntrustedIssuer: the issuer is not one that the wallet trusts with this.
        WrongType, BadSignature, Expired, NotYetValid: of the JWT.
        ClaimMismatch: the attestation is for another client.
    """
    if not isinstance(jwt, str):
        raise MalformedInput("expected a verifier attestation in the header jwt")
    jws = parse_jws(jwt)
    issuer = jws.claims().get("iss")
    if not isinstance(issuer, str) or issuer not in issuers:
        raise UntrustedIssuer("the issuer of the verifier attestation is not trusted")
    claims = verify_jws(jws, issuers[issuer], algorithms=SIGNATURE_ALGORITHMS, typ=VERIFIER_ATTESTATION_TYPE).claims
    require_period(claims, now=now, needs_expiry=True)
    if claims.get("sub") != client_id:
        raise ClaimMismatch("the verifier attestation is for another client")
    confirmation = claims.get("cnf")
    if not isinstance(confirmation, dict):
        raise MalformedInput("expected cnf in the verifier attestation")
    key = PublicKey.from_jwk(confirmation.get("jwk"))
    return VerifierAttestation(issuer, client_id, key, _redirect_uris(claims.get("redirect_uris")))


def _redirect_uris(value: object) -> frozenset[str] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(uri, str) for uri in value):
        raise MalformedInput("expected redirect_uris to be a list of URIs")
    return frozenset(value)
