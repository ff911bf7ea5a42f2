"""Key attestations: the wallet provider says where keys are kept and how their use is authorised.

Spec: OpenID4VCI 1.0 Appendix D, HAIP 1.0 4.5.1, EUDI TS3 1.5 (whose example spells the type `keyattestation+jwt` and
the nonce `c_nonce`; both are understood). Whether the nonce is current, and the status, are the caller's business.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from byoid.errors import ClaimMismatch, MalformedInput
from byoid.formats.status_list import StatusReference
from byoid.jose import SIGNATURE_ALGORITHMS, UnsignedJws, prepare_jws, x5c_header
from byoid.keys import PublicKey
from byoid.message import Message, NonEmptyArray, parse_message
from byoid.oauth.client_attestation import AttestedStatus
from byoid.oauth.jwt import NumericDate, Trust, moment, require_begun, require_unexpired, verify_certified_jwt
from byoid.trust.anchors import Purpose

TYP: Final = "key-attestation+jwt"
ACCEPTED_TYPS: Final = (TYP, "keyattestation+jwt")
ATTACK_POTENTIALS: Final = (  # D.2, best first
    "iso_18045_high",
    "iso_18045_moderate",
    "iso_18045_enhanced-basic",
    "iso_18045_basic",
)


class KeyAttestationClaims(Message):
    """The claims of a key attestation (D.1; TS3: `key_storage_status`, `c_nonce`)."""

    iat: NumericDate
    attested_keys: NonEmptyArray[dict[str, Any]]
    exp: NumericDate | None = None
    iss: str | None = None
    key_storage: NonEmptyArray[str] | None = None
    user_authentication: NonEmptyArray[str] | None = None
    certification: Any = None
    nonce: str | None = None
    c_nonce: str | None = None
    status: dict[str, Any] | None = None
    key_storage_status: AttestedStatus | None = None


@dataclass(frozen=True, slots=True)
class VerifiedKeyAttestation:
    """Keys that a trusted wallet provider vouches for, all different. Nonce and status are still to be judged.

    `key_ids` are the `kid` of the keys, in the same order. `status_maintained_until` is TS3's `key_storage_status.exp`:
    a PID may not live longer.
    """

    keys: tuple[PublicKey, ...]
    key_ids: tuple[str | None, ...]
    key_storage: tuple[str, ...]
    user_authentication: tuple[str, ...]
    nonce: str | None
    issued_at: datetime
    expires_at: datetime | None
    status: StatusReference | None
    status_maintained_until: datetime | None
    algorithm: str
    provider: str


def prepare_key_attestation(claims: KeyAttestationClaims, *, algorithm: str, x5c: Sequence[bytes]) -> UnsignedJws:
    """Prepare a key attestation, as a wallet provider; a nonce is sent under both of its names (D.1)."""
    nonce = claims.nonce or claims.c_nonce
    wire = {**claims.to_wire(), **({"nonce": nonce, "c_nonce": nonce} if nonce is not None else {})}
    return prepare_jws(wire, algorithm=algorithm, typ=TYP, header={"x5c": x5c_header(x5c)})


def verify_key_attestation(
    jwt: str,
    *,
    trust: Trust,
    now: datetime,
    max_keys: int,
    algorithms: Collection[str] = SIGNATURE_ALGORITHMS,
) -> VerifiedKeyAttestation:
    """Verify a key attestation by the chain in its header (D.1, HAIP 4.5.1).

    Raises:
        MalformedInput: a claim is missing, a key is private, comes twice, or there are more than `max_keys`.
        WrongType: another `typ`, or an algorithm that is not accepted.
        UntrustedIssuer: not by a trusted wallet provider.
        BadSignature: the signature does not verify.
        Expired: its time is over, or that of a certificate.
        NotYetValid: it comes from the future, or a certificate is not valid yet.
        ClaimMismatch: `nonce` and `c_nonce` differ.
        StatusUnavailable: it has a status of a kind that byoid cannot look up.
    """
    verified, chain = verify_certified_jwt(
        jwt, typ=ACCEPTED_TYPS, algorithms=algorithms, purpose=Purpose.WALLET_PROVIDER, trust=trust, now=now
    )
    claims = parse_message(KeyAttestationClaims, verified.claims)
    require_begun(claims.iat, now=now)
    if claims.exp is not None:
        require_unexpired(claims.exp, now=now)
    if len({claims.nonce, claims.c_nonce} - {None}) > 1:
        raise ClaimMismatch("the key attestation has two nonces")
    maintained = claims.key_storage_status
    return VerifiedKeyAttestation(
        keys=_attested_keys(claims, max_keys),
        key_ids=tuple(_key_id(jwk) for jwk in claims.attested_keys),
        key_storage=claims.key_storage or (),
        user_authentication=claims.user_authentication or (),
        nonce=claims.nonce if claims.nonce is not None else claims.c_nonce,
        issued_at=moment(claims.iat),
        expires_at=moment(claims.exp) if claims.exp is not None else None,
        status=StatusReference.stated(maintained.status if maintained else claims.status),
        status_maintained_until=moment(maintained.exp) if maintained else None,
        algorithm=verified.header["alg"],
        provider=chain.subject_name,
    )


def require_levels(
    attestation: VerifiedKeyAttestation,
    *,
    key_storage: Collection[str] | None,
    user_authentication: Collection[str] | None,
) -> None:
    """Demand one of the accepted levels of key storage and of user authentication (D.2, 12.2.4); None accepts any.

    Raises:
        ClaimMismatch: the attestation asserts none of them.
    """
    for name, accepted, asserted in (
        ("key_storage", key_storage, attestation.key_storage),
        ("user_authentication", user_authentication, attestation.user_authentication),
    ):
        if accepted is not None and set(accepted).isdisjoint(asserted):
            raise ClaimMismatch(f"expected a key attestation with {name} of {' or '.join(accepted)}")


def _attested_keys(claims: KeyAttestationClaims, max_keys: int) -> tuple[PublicKey, ...]:
    # Counted before loading: a key takes about a third of a signature verification to load.
    if len(claims.attested_keys) > max_keys:
        raise MalformedInput(f"expected at most {max_keys} attested keys, got {len(claims.attested_keys)}")
    keys = tuple(map(PublicKey.from_jwk, claims.attested_keys))
    if len(set(keys)) != len(keys):
        raise MalformedInput("the key attestation names a key twice")
    return keys


def _key_id(jwk: dict[str, Any]) -> str | None:
    key_id = jwk.get("kid")
    return key_id if isinstance(key_id, str) else None
