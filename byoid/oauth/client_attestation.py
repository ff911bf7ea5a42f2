"""Attestation-based client authentication: the wallet provider vouches for the wallet, the wallet proves its key.

Spec: draft-ietf-oauth-attestation-based-client-auth (-07, which OpenID4VCI pins, to -10; sections of -10),
OpenID4VCI 1.0 Appendix E, HAIP 1.0 4.4.1, EUDI TS3 1.5 (wallet instance attestation). `jti` values and challenges are
kept by the operation that calls.
"""

from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from pydantic import Field

from byoid.errors import ClaimMismatch, HolderBindingError
from byoid.formats.status_list import StatusReference
from byoid.jose import SIGNATURE_ALGORITHMS, UnsignedJws, parse_jws, prepare_jws, verify_jws, x5c_header
from byoid.keys import PublicKey
from byoid.message import Array, Message, parse_message
from byoid.oauth.dpop import VerifiedDpopProof
from byoid.oauth.jwt import (
    MAX_PROOF_AGE,
    NumericDate,
    Trust,
    moment,
    numeric_date,
    require_audience,
    require_begun,
    require_recent,
    require_unexpired,
    verify_certified_jwt,
)
from byoid.trust.anchors import Purpose
from byoid.wire_errors import UseAttestationChallenge, UseFreshAttestation

ATTESTATION_TYP: Final = "oauth-client-attestation+jwt"
POP_TYP: Final = "oauth-client-attestation-pop+jwt"
ATTESTATION_HEADER: Final = "OAuth-Client-Attestation"
POP_HEADER: Final = "OAuth-Client-Attestation-PoP"
CHALLENGE_HEADER: Final = "OAuth-Client-Attestation-Challenge"
AUTH_METHOD: Final = "attest_jwt_client_auth"  # of the authorization server's metadata (8)
AUTH_METHOD_DPOP: Final = "attest_jwt_client_auth_dpop"
MAX_POP_BYTES: Final = 8 << 10


class Confirmation(Message):
    """The key that a token is bound to (RFC 7800 3.2)."""

    jwk: dict[str, Any]


class AttestedStatus(Message):
    """A status, and until when the wallet provider maintains it (TS3 `client_status`, `key_storage_status`)."""

    status: dict[str, Any]
    exp: NumericDate


class ClientAttestationClaims(Message):
    """The claims of a client attestation (section 4), a wallet attestation (Appendix E) and a TS3 one."""

    sub: Annotated[str, Field(min_length=1)]
    exp: NumericDate
    cnf: Confirmation
    iss: str | None = None  # required up to draft -07
    iat: NumericDate | None = None
    nbf: NumericDate | None = None
    wallet_name: str | None = None
    wallet_link: str | None = None
    wallet_version: str | None = None
    wallet_solution_certification_information: Any = None
    status: dict[str, Any] | None = None
    client_status: AttestedStatus | None = None


class ClientAttestationPopClaims(Message):
    """The claims of the proof of possession (5.1)."""

    aud: str | Array[str]
    jti: Annotated[str, Field(min_length=1, max_length=256)]
    iat: NumericDate
    iss: str | None = None  # the client id up to draft -07
    exp: NumericDate | None = None  # required up to draft -05
    challenge: str | None = None


class ChallengeResponse(Message):
    """The answer of the challenge endpoint (6.1)."""

    attestation_challenge: Annotated[str, Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class VerifiedClientAttestation:
    """A client that a trusted wallet provider vouches for. Its status is still to be looked up.

    `status_maintained_until` is TS3's `client_status.exp`: a PID may not live longer.
    """

    client_id: str
    key: PublicKey
    provider: str
    expires_at: datetime
    status: StatusReference | None
    status_maintained_until: datetime | None
    claims: ClientAttestationClaims


@dataclass(frozen=True, slots=True)
class VerifiedClientAttestationPop:
    """A proof that the client holds the attested key. `jti` must still be seen for the first time."""

    jti: str
    issued_at: datetime
    challenge: str | None


def prepare_client_attestation(claims: ClientAttestationClaims, *, algorithm: str, x5c: Sequence[bytes]) -> UnsignedJws:
    """Prepare a client attestation, as a wallet provider (section 4)."""
    return prepare_jws(claims.to_wire(), algorithm=algorithm, typ=ATTESTATION_TYP, header={"x5c": x5c_header(x5c)})


def prepare_client_attestation_pop(
    *, client_id: str, audience: str, jti: str, now: datetime, algorithm: str, challenge: str | None = None
) -> UnsignedJws:
    """Prepare the proof of possession for one authorization server (5.1); `iss` and `exp` serve older drafts."""
    claims = ClientAttestationPopClaims(
        iss=client_id,
        aud=audience,
        jti=jti,
        iat=numeric_date(now),
        exp=numeric_date(now + MAX_PROOF_AGE),
        challenge=challenge,
    )
    return prepare_jws(claims.to_wire(), algorithm=algorithm, typ=POP_TYP)


def verify_client_attestation(
    jwt: str,
    *,
    trust: Trust,
    now: datetime,
    client_id: str | None = None,
    max_age: timedelta | None = None,
    algorithms: Collection[str] = SIGNATURE_ALGORITHMS,
) -> VerifiedClientAttestation:
    """Verify a client attestation (7.1; the caller has seen to step 1, a single header field, with `sole_header`).

    Args:
        jwt: the value of the header field.
        trust: the wallet providers.
        now: the time.
        client_id: the parameter of the request, where it has one.
        max_age: policy: how long ago the attestation may have been issued, by `iat`.
        algorithms: what is accepted.

    Raises:
        MalformedInput: a claim or header is missing, or `cnf` holds no public key.
        WrongType: another `typ`, or an algorithm that is not accepted.
        UntrustedIssuer: not by a trusted wallet provider.
        BadSignature: the signature does not verify.
        Expired: its time is over, or that of a certificate.
        NotYetValid: its time has not come, or that of a certificate.
        UseFreshAttestation: valid, but issued longer ago than `max_age`.
        ClaimMismatch: for another client than `client_id`.
        StatusUnavailable: it has a status of a kind that byoid cannot look up.
    """
    verified, chain = verify_certified_jwt(  # 3: alg; 4: signature of a trusted attester
        jwt, typ=ATTESTATION_TYP, algorithms=algorithms, purpose=Purpose.WALLET_PROVIDER, trust=trust, now=now
    )
    claims = parse_message(ClientAttestationClaims, verified.claims)  # 2: all required claims
    key = PublicKey.from_jwk(claims.cnf.jwk)  # 5: not a private key
    require_unexpired(claims.exp, now=now)  # 6: fresh enough
    require_begun(max(claims.nbf or 0, claims.iat or 0), now=now)
    if max_age is not None and (claims.iat or 0) < (now - max_age).timestamp():
        raise UseFreshAttestation("the client attestation was issued too long ago")
    if client_id is not None and claims.sub != client_id:  # 7
        raise ClaimMismatch("the client attestation is for another client_id")
    return _verified(claims, key=key, provider=chain.subject_name)


def verify_client_attestation_pop(
    jwt: str,
    *,
    attestation: VerifiedClientAttestation,
    audience: str,
    now: datetime,
    challenges: Container[str] | None = None,
    max_age: timedelta = MAX_PROOF_AGE,
    algorithms: Collection[str] = SIGNATURE_ALGORITHMS,
) -> VerifiedClientAttestationPop:
    """Verify the proof of possession (7.2; the caller has seen to step 1, a single header field).

    Args:
        jwt: the value of the header field.
        attestation: that came with it.
        audience: the issuer identifier of this authorization server.
        now: the time.
        challenges: the values that this server would accept now; None if it does not demand one.
        max_age: how old a proof may be.
        algorithms: what is accepted.

    Raises:
        MalformedInput: a claim or header is missing.
        WrongType: another `typ`, or an algorithm that is not accepted.
        BadSignature: not signed with the attested key.
        UseAttestationChallenge: no challenge, or not one that is current. The caller adds the header field.
        Expired: too old.
        NotYetValid: it comes from the future.
        ClaimMismatch: for another server, or by another client.
    """
    jws = parse_jws(jwt, max_bytes=MAX_POP_BYTES)
    verified = verify_jws(jws, attestation.key, algorithms=algorithms, typ=POP_TYP)  # 3: alg; 4: signature
    claims = parse_message(ClientAttestationPopClaims, verified.claims)  # 2: all required claims
    if challenges is not None and claims.challenge not in challenges:  # 5, 8
        raise UseAttestationChallenge("a current challenge is needed in the proof of possession")
    require_recent(claims.iat, now=now, max_age=max_age)  # 6
    if claims.exp is not None:
        require_unexpired(claims.exp, now=now)
    require_audience(claims.aud, expected=audience)  # 7
    if claims.iss is not None and claims.iss != attestation.client_id:  # draft -07 5.2
        raise ClaimMismatch("the proof of possession is by another client than the attestation is for")
    return VerifiedClientAttestationPop(claims.jti, moment(claims.iat), claims.challenge)


def require_dpop_combined(
    attestation: VerifiedClientAttestation, *, proof: VerifiedDpopProof, challenges: Container[str] | None = None
) -> None:
    """Take a DPoP proof as the proof of possession, where the request has no other (7.3).

    Raises:
        HolderBindingError: the DPoP proof is made with another key than the attested one (step 4).
        UseAttestationChallenge: its nonce is not a current challenge (step 5).
    """
    if proof.key != attestation.key:
        raise HolderBindingError("the DPoP proof is made with another key than the attested one")
    if challenges is not None and proof.nonce not in challenges:
        raise UseAttestationChallenge("a current challenge is needed as nonce of the DPoP proof")


def _verified(claims: ClientAttestationClaims, *, key: PublicKey, provider: str) -> VerifiedClientAttestation:
    maintained = claims.client_status
    status: Mapping[str, Any] | None = maintained.status if maintained else claims.status
    return VerifiedClientAttestation(
        client_id=claims.sub,
        key=key,
        provider=provider,
        expires_at=moment(claims.exp),
        status=StatusReference.stated(status),
        status_maintained_until=moment(maintained.exp) if maintained else None,
        claims=claims,
    )
