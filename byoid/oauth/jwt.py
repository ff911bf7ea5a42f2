"""What every JWT of OAuth and OpenID4VCI has in common: dates, audience, and a header field that comes exactly once.

RFC 7519 2 and 4.1. Signatures are `byoid.jose`; which claims a token needs is a message beside its verification.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, TypeAlias

from pydantic import Field

from byoid.errors import ClaimMismatch, Expired, MalformedInput, NotYetValid
from byoid.jose import VerifiedJws, parse_jws, verify_jws
from byoid.message import Array
from byoid.trust.anchors import Purpose, TrustAnchors
from byoid.trust.x509 import ChainCache, TrustedChain, verify_chain

_LATEST: Final = 253402300799  # the last second that datetime knows

NumericDate: TypeAlias = Annotated[int | float, Field(ge=0, le=_LATEST, allow_inf_nan=False)]
Audience: TypeAlias = str | Array[str]

MAX_CERTIFIED_BYTES: Final = 1 << 20  # issuer metadata with images inside
LEEWAY: Final = timedelta(seconds=60)
MAX_PROOF_AGE: Final = timedelta(minutes=5)


@dataclass(frozen=True)
class Trust:
    """Whom a signer's certificate must lead to: anchors, and what remembers chains that were built before."""

    anchors: TrustAnchors
    cache: ChainCache | None = None


def verify_certified_jwt(
    jwt: str, *, typ: str | Collection[str], algorithms: Collection[str], purpose: Purpose, trust: Trust, now: datetime
) -> tuple[VerifiedJws, TrustedChain]:
    """Verify a JWT by the certificate chain in its own header, which must lead to an anchor for `purpose` (HAIP 4.4.1).

    Raises:
        MalformedInput: not a JWT, or without `x5c`.
        UntrustedIssuer: the chain does not lead to an anchor, or holds the anchor, or breaks the profile.
        Expired: a certificate has expired.
        NotYetValid: a certificate is not valid yet.
        WrongType: another `typ`, or an algorithm that is not accepted.
        BadSignature: the signature does not verify with the leaf's key.
    """
    jws = parse_jws(jwt, max_bytes=MAX_CERTIFIED_BYTES)
    chain = verify_chain(jws.x5c, anchors=trust.anchors, purpose=purpose, now=now, cache=trust.cache)
    return verify_jws(jws, chain.public_key, algorithms=algorithms, typ=typ), chain


def numeric_date(moment: datetime) -> int:
    """Return whole seconds since the epoch."""
    return int(moment.timestamp())


def moment(date: float) -> datetime:
    """Return a NumericDate as an aware datetime."""
    return datetime.fromtimestamp(date, UTC)


def require_unexpired(expires: float, *, now: datetime, leeway: timedelta = LEEWAY) -> None:
    """Demand that `exp` lies in the future (RFC 7519 4.1.4).

    Raises:
        Expired: it does not.
    """
    if now.timestamp() >= expires + leeway.total_seconds():
        raise Expired("the token has expired")


def require_begun(begins: float, *, now: datetime, leeway: timedelta = LEEWAY) -> None:
    """Demand that `nbf` or `iat` does not lie in the future (RFC 7519 4.1.5).

    Raises:
        NotYetValid: it does.
    """
    if begins > now.timestamp() + leeway.total_seconds():
        raise NotYetValid("the token comes from the future")


def require_recent(
    issued: float, *, now: datetime, max_age: timedelta = MAX_PROOF_AGE, leeway: timedelta = LEEWAY
) -> None:
    """Demand that `iat` lies within the window that a proof may travel.

    Raises:
        NotYetValid: it lies in the future.
        Expired: it is older than `max_age`.
    """
    require_begun(issued, now=now, leeway=leeway)
    if issued < (now - max_age - leeway).timestamp():
        raise Expired(f"the token was made more than {max_age.total_seconds():.0f} seconds ago")


def require_audience(audience: str | Sequence[str], *, expected: str) -> None:
    """Demand that the token is for us, and for nobody else.

    Raises:
        ClaimMismatch: it is for somebody else, or for others too.
    """
    audiences = [audience] if isinstance(audience, str) else list(audience)
    if audiences != [expected]:
        raise ClaimMismatch(f"the token is not made for {expected} alone")


def sole_header(values: Sequence[str], *, name: str) -> str:
    """Return the value of a header field that must come exactly once (RFC 9449 4.3, attestation-based auth 6).

    Raises:
        MalformedInput: it is missing or came several times.
    """
    if len(values) != 1:
        raise MalformedInput(f"expected one {name} header field, got {len(values)}")
    return values[0]
