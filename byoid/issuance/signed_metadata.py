"""Signed credential issuer metadata (OpenID4VCI 1.0 12.2.3, HAIP 1.0 4.1): a JWT with the metadata as its claims.

Its signer is known by `x5c`, whose chain leads to an anchor for issuer metadata, or for access certificates (EUDI).
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Annotated, Final

from pydantic import Field

from byoid.errors import ClaimMismatch
from byoid.issuance.metadata import CredentialIssuerMetadata, require_credential_issuer
from byoid.jose import SIGNATURE_ALGORITHMS, UnsignedJws, prepare_jws, x5c_header
from byoid.message import Message, parse_message
from byoid.oauth.jwt import NumericDate, Trust, numeric_date, require_begun, require_unexpired, verify_certified_jwt
from byoid.trust.anchors import Purpose

TYP: Final = "openidvci-issuer-metadata+jwt"


class SignedMetadataClaims(Message):
    """The claims beside the metadata."""

    sub: Annotated[str, Field(min_length=1)]
    iat: NumericDate
    exp: NumericDate | None = None
    iss: str | None = None


def prepare_signed_metadata(
    metadata: CredentialIssuerMetadata,
    *,
    issued_at: datetime,
    expires_at: datetime | None = None,
    algorithm: str,
    x5c: Sequence[bytes],
) -> UnsignedJws:
    """Prepare the `application/jwt` form of the metadata."""
    claims = SignedMetadataClaims(
        sub=metadata.credential_issuer,
        iat=numeric_date(issued_at),
        exp=numeric_date(expires_at) if expires_at is not None else None,
    )
    payload = {**metadata.to_wire(), **claims.to_wire()}
    return prepare_jws(payload, algorithm=algorithm, typ=TYP, header={"x5c": x5c_header(x5c)})


def verify_signed_metadata(
    jwt: str,
    *,
    credential_issuer: str,
    trust: Trust,
    now: datetime,
    purpose: Purpose = Purpose.ISSUER_METADATA,
    algorithms: Collection[str] = SIGNATURE_ALGORITHMS,
) -> CredentialIssuerMetadata:
    """Verify signed metadata and return them. What cannot be trusted must be refused, not used unsigned.

    Raises:
        MalformedInput: a claim is missing, or the metadata break a rule.
        WrongType: another `typ`, or an algorithm that is not accepted.
        UntrustedIssuer: not by a signer that is trusted for this purpose.
        BadSignature: the signature does not verify.
        ClaimMismatch: about another issuer.
        Expired: their time is over, or that of a certificate.
        NotYetValid: they come from the future, or a certificate is not valid yet.
    """
    verified, _ = verify_certified_jwt(jwt, typ=TYP, algorithms=algorithms, purpose=purpose, trust=trust, now=now)
    claims = parse_message(SignedMetadataClaims, verified.claims)
    if claims.sub != credential_issuer:
        raise ClaimMismatch(f"expected signed metadata about {credential_issuer}, got another sub")
    require_begun(claims.iat, now=now)
    if claims.exp is not None:
        require_unexpired(claims.exp, now=now)
    metadata = parse_message(CredentialIssuerMetadata, verified.claims)
    return require_credential_issuer(metadata, credential_issuer=credential_issuer)
