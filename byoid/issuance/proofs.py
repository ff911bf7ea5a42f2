"""Key proofs: which keys a wallet holds, so that credentials can be bound to them.

OpenID4VCI 1.0 8.2 (`proofs`), Appendix F (proof types and their verification), D (key attestations), 3.3.2 (batches);
EUDI TS3. `di_vp` proofs and DIDs are not supported. Nonces are returned, not spent: spending is a write, and belongs to
the operation.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from pydantic import Field, model_validator

from byoid.errors import ClaimMismatch, HolderBindingError, MalformedInput, WrongType
from byoid.issuance.configuration import CredentialConfiguration, KeyAttestationsRequired, ProofType
from byoid.jose import SIGNATURE_ALGORITHMS, Jws, UnsignedJws, parse_jws, prepare_jws, verify_jws
from byoid.keys import PublicKey
from byoid.lazy import cached_property
from byoid.message import Message, NonEmptyArray, parse_message
from byoid.oauth.jwt import MAX_PROOF_AGE, NumericDate, Trust, numeric_date, require_recent
from byoid.oauth.key_attestation import VerifiedKeyAttestation, require_levels, verify_key_attestation
from byoid.trust.certificate import parse_certificate

TYP: Final = "openid4vci-proof+jwt"
PROOF_TYPES: Final = ("jwt", "attestation")


class Proofs(Message):
    """Proofs of exactly one type (8.2, F)."""

    jwt: NonEmptyArray[str] | None = None
    attestation: Annotated[NonEmptyArray[str], Field(max_length=1)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _exactly_one_type(cls, members: Any) -> Any:
        if not isinstance(members, Mapping):
            return members
        names = [name for name, value in members.items() if value is not None]
        if len(names) != 1:
            raise ValueError(f"expected proofs of exactly one type, got {len(names)}")
        if names[0] == "di_vp":
            raise ValueError("proofs of type di_vp are not supported")
        if names[0] not in PROOF_TYPES:
            raise ValueError("this type of proofs is not supported")
        return members


class KeyProofClaims(Message):
    """The claims of a `jwt` proof (F.1)."""

    aud: str
    iat: NumericDate
    iss: str | None = None
    nonce: str | None = None


@dataclass(frozen=True)
class ProofPolicy:
    """What the issuer accepts of proofs, beside what its metadata say.

    `max_keys` is the metadata's batch size. `attestation_nonce` says whether the attestation in a `jwt` proof's header
    needs the nonce as well (F.1); TS3 wallets put it into the proof only.
    """

    trust: Trust
    max_keys: int = 1
    nonce_required: bool = True
    attestation_nonce: bool = True
    max_age: timedelta = MAX_PROOF_AGE


@dataclass(frozen=True, slots=True)
class VerifiedKeyProof:
    """A key to bind one credential to. `nonce` is still to be spent, the attestation's status to be looked up."""

    key: PublicKey
    nonce: str | None
    attestation: VerifiedKeyAttestation | None


def prepare_key_proof(
    *,
    key: PublicKey,
    algorithm: str,
    issuer: str,
    now: datetime,
    nonce: str | None,
    client_id: str | None = None,
    key_attestation: str | None = None,
) -> UnsignedJws:
    """Prepare a `jwt` proof, as the wallet (F.1); `client_id` is None after anonymous access to the token endpoint."""
    claims = KeyProofClaims(iss=client_id, aud=issuer, iat=numeric_date(now), nonce=nonce)
    header = {"jwk": key.jwk, **({"key_attestation": key_attestation} if key_attestation is not None else {})}
    return prepare_jws(claims.to_wire(), algorithm=algorithm, typ=TYP, header=header)


def verify_proofs(
    proofs: Proofs | None,
    *,
    issuer: str,
    configuration: CredentialConfiguration,
    client_id: str | None,
    policy: ProofPolicy,
    now: datetime,
) -> list[VerifiedKeyProof]:
    """Verify the proofs of one credential request (F.4) and return the keys, all different, in the wallet's order.

    Args:
        proofs: as they came.
        issuer: this credential issuer's identifier.
        configuration: what is requested; says which types, algorithms and levels are acceptable.
        client_id: of the access token; None after anonymous access with a pre-authorized code.
        policy: what else is accepted.
        now: the time.

    Raises:
        MalformedInput: proofs are missing though this credential demands them, a proof lacks a claim or header, has a
            private key, or there are too many keys.
        WrongType: a proof type or algorithm that the configuration does not name, or another `typ`.
        BadSignature: a proof is not signed with the key that it names, or an attestation not by its certificate.
        UntrustedIssuer: an attestation is not by a trusted wallet provider.
        HolderBindingError: the nonce is missing, two proofs have different ones, or a proof is signed with a key that
            its attestation does not attest, or two proofs are by one key.
        ClaimMismatch: for another issuer, by another client, or below the level demanded.
        Expired: too old.
        NotYetValid: it comes from the future.
    """
    if proofs is None:
        if configuration.proof_types_supported:  # 8.2
            raise MalformedInput("proofs are missing, and this credential demands them")
        return []
    name = "jwt" if proofs.jwt is not None else "attestation"
    proof_type = (configuration.proof_types_supported or {}).get(name)
    if proof_type is None:
        raise WrongType(f"proofs of type {name} are not accepted for this credential")
    context = _Context(issuer, client_id, proof_type, policy, now)
    if proofs.jwt is not None:
        verified = _verify_jwt_proofs(proofs.jwt, context)
    else:
        verified = _verify_attestation_proof((proofs.attestation or ("",))[0], context)
    if len(verified) > policy.max_keys:
        raise MalformedInput(f"expected at most {policy.max_keys} keys, got {len(verified)}")
    if len({proof.nonce for proof in verified}) > 1:  # 3.3.2: one batch, one nonce
        raise HolderBindingError("the proofs of one request have different nonces")
    return verified


@dataclass(frozen=True)
class _Context:
    issuer: str
    client_id: str | None
    proof_type: ProofType
    policy: ProofPolicy
    now: datetime

    @cached_property
    def algorithms(self) -> Collection[str]:
        """What the metadata list and byoid knows."""
        return SIGNATURE_ALGORITHMS.intersection(self.proof_type.proof_signing_alg_values_supported)


def _verify_jwt_proofs(jwts: Collection[str], context: _Context) -> list[VerifiedKeyProof]:
    # Counted first: each proof costs a signature verification.
    if len(jwts) > context.policy.max_keys:
        raise MalformedInput(f"expected at most {context.policy.max_keys} proofs, got {len(jwts)}")
    found: dict[PublicKey, VerifiedKeyProof] = {}
    signers: set[PublicKey] = set()
    attestations: dict[str, VerifiedKeyAttestation] = {}  # wallets repeat one attestation in every proof
    for jwt in jwts:
        proof = _verify_jwt_proof(jwt, context, attestations)
        if proof.key in signers:
            raise HolderBindingError("two proofs are made with one key")
        signers.add(proof.key)
        for key in proof.attestation.keys if proof.attestation else (proof.key,):  # F.1: a credential for each of them
            found.setdefault(key, VerifiedKeyProof(key, proof.nonce, proof.attestation))
    return list(found.values())


def _verify_jwt_proof(jwt: str, context: _Context, attestations: dict[str, VerifiedKeyAttestation]) -> VerifiedKeyProof:
    jws = parse_jws(jwt)
    attestation = _header_attestation(jws, context, attestations)
    key = _header_key(jws, attestation)  # F.4: no private key
    verified = verify_jws(jws, key, algorithms=context.algorithms, typ=TYP)  # F.4: typ, alg, signature
    claims = parse_message(KeyProofClaims, verified.claims)  # F.4: all required claims
    if claims.aud != context.issuer:  # F.1
        raise ClaimMismatch("the key proof is not made for this credential issuer")
    if claims.iss is not None and claims.iss != context.client_id:  # F.1: also when there is no client_id
        raise ClaimMismatch("the key proof is made by another client than the access token's")
    _require_nonce(claims.nonce, context)  # F.4
    require_recent(claims.iat, now=context.now, max_age=context.policy.max_age)  # F.4
    if attestation is not None:
        if key not in attestation.keys:  # D.1
            raise HolderBindingError("the key proof is made with a key that its attestation does not attest")
        if attestation.nonce != claims.nonce and (attestation.nonce is not None or context.policy.attestation_nonce):
            raise HolderBindingError("the key attestation has another nonce than the key proof, or none")
    return VerifiedKeyProof(key=key, nonce=claims.nonce, attestation=attestation)


def _verify_attestation_proof(jwt: str, context: _Context) -> list[VerifiedKeyProof]:
    attestation = _verify_attestation(jwt, context)
    _require_nonce(attestation.nonce, context)  # F.3
    if attestation.nonce is None:
        require_recent(attestation.issued_at.timestamp(), now=context.now, max_age=context.policy.max_age)
    return [VerifiedKeyProof(key, attestation.nonce, attestation) for key in attestation.keys]


def _verify_attestation(jwt: str, context: _Context) -> VerifiedKeyAttestation:
    policy = context.policy
    attestation = verify_key_attestation(
        jwt, trust=policy.trust, now=context.now, max_keys=policy.max_keys, algorithms=context.algorithms
    )
    demanded = context.proof_type.key_attestations_required or KeyAttestationsRequired()
    require_levels(attestation, key_storage=demanded.key_storage, user_authentication=demanded.user_authentication)
    return attestation


def _header_attestation(
    jws: Jws, context: _Context, attestations: dict[str, VerifiedKeyAttestation]
) -> VerifiedKeyAttestation | None:
    jwt = jws.header.get("key_attestation")
    if jwt is None:
        if context.proof_type.key_attestations_required is not None:
            raise MalformedInput("the key proof has no key_attestation, and this credential demands one")
        return None
    if not isinstance(jwt, str):
        raise MalformedInput("expected key_attestation to be a JWT")
    if jwt not in attestations:
        attestations[jwt] = _verify_attestation(jwt, context)
    if attestations[jwt].expires_at is None:  # D.1
        raise MalformedInput("a key attestation in a key proof needs exp")
    return attestations[jwt]


def _header_key(jws: Jws, attestation: VerifiedKeyAttestation | None) -> PublicKey:
    """Return the key that the header names by exactly one of `jwk`, `x5c` and `kid` (F.1)."""
    named = [name for name in ("jwk", "x5c", "kid") if name in jws.header]
    if len(named) != 1:
        raise MalformedInput(f"expected exactly one of jwk, x5c and kid in the key proof's header, got {len(named)}")
    if named[0] == "jwk":
        return PublicKey.from_jwk(jws.header["jwk"])
    if named[0] == "x5c":
        return _certified_key(jws.x5c)
    if attestation is None:
        raise MalformedInput("a kid names a key of the key attestation, and there is none; DIDs are not supported")
    return _attested_key(jws.header["kid"], attestation)


def _certified_key(x5c: tuple[bytes, ...]) -> PublicKey:
    # The chain is not followed: the certificate only carries the key; what the issuer trusts is the attestation.
    if not x5c:
        raise MalformedInput("the key proof's x5c does not begin with a certificate")
    return PublicKey.from_certificate(parse_certificate(x5c[0]))


def _attested_key(key_id: str, attestation: VerifiedKeyAttestation) -> PublicKey:
    """Find a key by its `kid`, else by its place, as the example of F.1 has it."""
    for own_id, key in zip(attestation.key_ids, attestation.keys, strict=True):
        if own_id is not None and own_id == key_id:
            return key
    places = {str(place): key for place, key in enumerate(attestation.keys)}
    if key_id not in places:
        raise HolderBindingError("the key proof names a key that its attestation does not attest")
    return places[key_id]


def _require_nonce(nonce: str | None, context: _Context) -> None:
    if nonce is None and context.policy.nonce_required:
        raise HolderBindingError("the key proof has no nonce")
