"""SD-JWT VC: a credential as SD-JWT. Issue, hold and present, verify.

Spec: draft-ietf-oauth-sd-jwt-vc-19 sections 2.2 (format, claims) and 2.4 (verification); OpenID4VP 1.0 appendix B.3;
HAIP 1.0 section 6.1 (compact serialisation, `cnf.jwk`). Which key an issuer signs with (`x5c`, issuer metadata, pinned)
is the caller's policy, and so is looking at the status.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Self

from byoid.claims import ClaimPath
from byoid.errors import HolderBindingError, MalformedInput
from byoid.formats.holder_binding import Binding, HolderBinding
from byoid.formats.sd_jwt import (
    ProcessedSdJwt,
    SdJwt,
    check_validity,
    numeric_date,
    parse_sd_jwt,
    process,
    verify_sd_jwt,
)
from byoid.formats.sd_jwt_held import DisclosureIndex
from byoid.formats.sd_jwt_issue import ALL, Paths
from byoid.formats.sd_jwt_key_binding import TRANSACTION_DATA_HASHES, prepare_key_binding, verify_key_binding
from byoid.formats.sd_jwt_vc_batch import ALWAYS_DISCLOSED, TYPE, SdJwtVcBatch, UnsignedSdJwtVc
from byoid.formats.status_list import StatusReference
from byoid.jose import SIGNATURE_ALGORITHMS
from byoid.keys import Jwk, PublicKey
from byoid.lazy import cached_property

__all__ = [
    "ALL",
    "TYPE",
    "HeldSdJwtVc",
    "SdJwtVc",
    "UnsignedSdJwtVc",
    "VerifiedSdJwtVc",
    "parse_sd_jwt_vc",
    "prepare_key_binding",
    "prepare_sd_jwt_vc",
    "verify_sd_jwt_vc",
]

FORMER_TYPE: Final = "vc+sd-jwt"  # of drafts before November 2024; accepted where a caller asks for it
LEEWAY: Final = timedelta(seconds=60)

SdJwtVc = SdJwt


def parse_sd_jwt_vc(text: str) -> SdJwtVc:
    """Take an SD-JWT VC apart: `.jws`, `.disclosures`, `.key_binding_jwt`, `.x5c`. Nothing is verified.

    Raises:
        MalformedInput: not an SD-JWT or SD-JWT+KB in compact serialisation.
    """
    return parse_sd_jwt(text)


# --- issuing


def prepare_sd_jwt_vc(  # noqa: PLR0913 (each is one claim or header parameter of the credential)
    claims: Mapping[str, Any],
    *,
    vct: str,
    disclosable: Paths,
    algorithm: str,
    holder_key: Jwk | None,
    x5c: Sequence[bytes] = (),
    kid: str | None = None,
    status: StatusReference | None = None,
    issued_at: datetime | None = None,
    expires_at: datetime | None = None,
    issuer: str | None = None,
    decoys: int = 0,
    header: Mapping[str, Any] | None = None,
) -> UnsignedSdJwtVc:
    """Prepare an SD-JWT VC for signing (section 2.2); `SdJwtVcBatch` prepares many of one dataset.

    Args:
        claims: JSON values about the subject; `nbf`, `vct#integrity` and `aka_vcts` may be among them and stay open.
        vct: the credential type.
        disclosable: paths that the holder may keep back, or `ALL`.
        algorithm: of the issuer's key.
        holder_key: public JWK to bind to; None for a credential that anyone may present.
        x5c: certificate chain, DER, leaf first, without the anchor.
        kid: key identifier, for issuers found by metadata.
        status: place in a status list.
        issued_at: rounded by the caller, lest it tell credentials apart (OpenID4VCI 15.4.1).
        expires_at: end of validity.
        issuer: `iss`; may be left out with `x5c`.
        decoys: digests without a claim, in every `_sd` array.
        header: further header parameters.

    Raises:
        ValueError: a claim that an argument sets, that is named like SD-JWT's own, or that must not be hidden.
    """
    batch = SdJwtVcBatch(
        claims, vct=vct, disclosable=disclosable, algorithm=algorithm, x5c=x5c, kid=kid, issued_at=issued_at,
        expires_at=expires_at, issuer=issuer, decoys=decoys, header=header,
    )  # fmt: skip
    return batch.prepare(holder_key=holder_key, status=status)


# --- verifying


@dataclass(frozen=True, slots=True)
class VerifiedSdJwtVc:
    """An SD-JWT VC that its issuer signed, that is within its dates, and whose presenter is the holder if demanded.

    Its status, whether the issuer may issue this type, and type metadata are still to be looked at.
    """

    vct: str
    claims: dict[str, Any] = field(repr=False)
    issuer: str | None
    aka_vcts: tuple[str, ...]
    status: StatusReference | None
    holder_key: PublicKey | None
    holder_proven: bool
    issued_at: datetime | None
    expires_at: datetime | None
    transaction_data_hashes: tuple[str, ...]
    processed: ProcessedSdJwt = field(repr=False)

    @property
    def types(self) -> tuple[str, ...]:
        """`vct`, and the other types that the credential is of (`aka_vcts`)."""
        return (self.vct, *self.aka_vcts)

    @property
    def disclosed_paths(self) -> frozenset[ClaimPath]:
        """Where the disclosures went; indices count elements that are not disclosed."""
        return frozenset(self.processed.disclosed)


def verify_sd_jwt_vc(
    credential: SdJwtVc | str,
    *,
    issuer_key: PublicKey,
    binding: Binding,
    now: datetime,
    leeway: timedelta = LEEWAY,
    algorithms: Collection[str] = SIGNATURE_ALGORITHMS,
    transaction_data: Sequence[str] = (),
    typ: str | Collection[str] = TYPE,
) -> VerifiedSdJwtVc:
    """Verify an SD-JWT VC, as its holder at receipt or as a verifier (section 2.4; RFC 9901 sections 7.1 and 7.3).

    With `NoHolderBinding`, a key binding JWT is neither demanded nor looked at: OpenID4VP B.3 lets a wallet send one
    all the same ("an SD-JWT without the Key Binding JWT MAY be returned"), and nothing is concluded from it.

    Args:
        credential: parsed, or as received.
        issuer_key: the key that policy accepts for this issuer (RFC 9901 7.1, step 2.3).
        binding: what the verifier demands as proof of the holder's key.
        now: the time.
        leeway: by how much clocks may differ.
        algorithms: acceptable signature algorithms, of the issuer and the holder.
        transaction_data: strings of the request that the holder must have signed for.
        typ: the credential's `typ`; `vc+sd-jwt` only where a caller asks for it.

    Raises:
        MalformedInput: not an SD-JWT VC: shape, payload, disclosures or registered claims.
        WrongType: another `typ`, signature or hash algorithm.
        BadSignature: the issuer's or the holder's signature does not verify.
        DigestMismatch: a disclosure that the issuer did not sign.
        Expired, NotYetValid: outside its dates.
        HolderBindingError: binding is demanded, and missing or not for this transaction.
    """
    if transaction_data and not isinstance(binding, HolderBinding):
        raise ValueError("transaction data need holder binding")  # OpenID4VP B.3.3
    sd_jwt = parse_sd_jwt_vc(credential) if isinstance(credential, str) else credential
    _, processed = verify_sd_jwt(
        sd_jwt, issuer_key=issuer_key, algorithms=algorithms, typ=typ, always_disclosed=ALWAYS_DISCLOSED
    )
    claims = processed.claims
    issued_at, expires_at = check_validity(claims, now=now, leeway=leeway)
    holder_key = _holder_key(claims)
    hashes: tuple[str, ...] = ()
    if isinstance(binding, HolderBinding):
        if holder_key is None:
            raise HolderBindingError("expected a credential that is bound to a key (cnf.jwk), this one is not")
        key_binding = verify_key_binding(
            sd_jwt,
            holder_key=holder_key,
            hash_name=processed.hash_name,
            binding=binding,
            now=now,
            leeway=leeway,
            algorithms=algorithms,
            transaction_data=transaction_data,
        )
        hashes = tuple(key_binding.claims[TRANSACTION_DATA_HASHES]) if transaction_data else ()
    return VerifiedSdJwtVc(
        vct=_vct(claims),
        claims=claims,
        issuer=_text(claims, "iss"),
        aka_vcts=_aka_vcts(claims),
        status=StatusReference.from_claim(claims.get("status")),
        holder_key=holder_key,
        holder_proven=isinstance(binding, HolderBinding),
        issued_at=issued_at,
        expires_at=expires_at,
        transaction_data_hashes=hashes,
        processed=processed,
    )


# --- holding


@dataclass(frozen=True)
class HeldSdJwtVc:
    """An SD-JWT VC in a wallet, with all its disclosures. It was verified at receipt; the text is all that is kept."""

    text: str = field(repr=False)
    sd_jwt: SdJwtVc = field(repr=False)
    vct: str
    processed: ProcessedSdJwt = field(repr=False)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read a credential that was verified before.

        Raises:
            MalformedInput: not an SD-JWT VC, or one with a key binding JWT (RFC 9901 section 7.2).
            WrongType, DigestMismatch: as in `verify_sd_jwt_vc`.
        """
        sd_jwt = parse_sd_jwt_vc(text)
        if sd_jwt.key_binding_jwt is not None:
            raise MalformedInput("an issuer sends an SD-JWT, got one with a key binding JWT")
        processed = process(sd_jwt.jws.claims(), sd_jwt.disclosures, always_disclosed=ALWAYS_DISCLOSED)
        return cls(text, sd_jwt, _vct(processed.claims), processed)

    @property
    def claims(self) -> dict[str, Any]:
        """All claims, as if everything were disclosed."""
        return self.processed.claims

    @property
    def types(self) -> tuple[str, ...]:
        """`vct`, and the other types that the credential is of (`aka_vcts`)."""
        return (self.vct, *_aka_vcts(self.claims))

    @property
    def hash_name(self) -> str:
        """The hash algorithm of its digests, which a key binding JWT uses too."""
        return self.processed.hash_name

    @property
    def x5c(self) -> tuple[bytes, ...]:
        """The issuer's certificate chain, DER, leaf first; empty if the credential has none."""
        return self.sd_jwt.x5c

    @property
    def status(self) -> StatusReference | None:
        """Where the credential's status is to be found."""
        return StatusReference.from_claim(self.claims.get("status"))

    @property
    def issued_at(self) -> datetime | None:
        """`iat`."""
        return numeric_date(self.claims, "iat")

    @property
    def expires_at(self) -> datetime | None:
        """`exp`."""
        return numeric_date(self.claims, "exp")

    @cached_property
    def holder_key(self) -> PublicKey | None:
        """The key that the credential is bound to."""
        return _holder_key(self.claims)

    @cached_property
    def disclosable_paths(self) -> frozenset[ClaimPath]:
        """The claims that the holder may keep back; indices count elements without a disclosure."""
        return frozenset(self.processed.disclosed)

    @cached_property
    def _index(self) -> DisclosureIndex:
        return DisclosureIndex.of(self.sd_jwt, self.processed)

    def present(self, paths: Collection[ClaimPath]) -> str:
        """Return the SD-JWT with what the paths select, their parents, and nothing else; it ends with a tilde.

        A path to an object or array takes everything in it along, since its value is what the path selects.

        Raises:
            ClaimMismatch: a path selects nothing in this credential.
        """
        return self._index.present(paths)


# --- registered claims


def _vct(claims: Mapping[str, Any]) -> str:
    vct = claims.get("vct")
    if not isinstance(vct, str) or not vct:
        raise MalformedInput("an SD-JWT VC must have a vct")
    return vct


def _aka_vcts(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """Read `aka_vcts` (section 2.2.2.2): a non-empty array of texts without the `vct` itself."""
    if "aka_vcts" not in claims:
        return ()
    types = claims["aka_vcts"]
    if not isinstance(types, list) or not types or not all(isinstance(each, str) and each for each in types):
        raise MalformedInput("expected aka_vcts to be a non-empty array of texts")
    if claims.get("vct") in types:
        raise MalformedInput("aka_vcts repeats the vct")
    return tuple(types)


def _text(claims: Mapping[str, Any], name: str) -> str | None:
    value = claims.get(name)
    if value is not None and not isinstance(value, str):
        raise MalformedInput(f"expected {name} to be text, got {type(value).__name__}")
    return value


def _holder_key(claims: Mapping[str, Any]) -> PublicKey | None:
    """Load `cnf.jwk` (RFC 7800 section 3.2), the only confirmation method of HAIP; None without it."""
    confirmation = claims.get("cnf", {})
    if not isinstance(confirmation, dict):
        raise MalformedInput(f"expected cnf to be an object, got {type(confirmation).__name__}")
    return PublicKey.from_jwk(confirmation["jwk"]) if "jwk" in confirmation else None
