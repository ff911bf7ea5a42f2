"""What the tokens of status lists and identifier lists have in common: subject, times, and their labels in a CWT.

Spec: draft-ietf-oauth-status-list 5.1, 5.2, 8.3; ISO/IEC 18013-5 second edition 12.3.6 uses the same claims.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from byoid.errors import ClaimMismatch, Expired, MalformedInput, NotYetValid

SUBJECT, EXPIRES, NOT_BEFORE, ISSUED = 2, 4, 5, 6  # claims of a CWT (RFC 8392)
IDENTIFIER_LIST, STATUS_LIST, TTL = 65530, 65533, 65534
NAMES: Final = {
    SUBJECT: "sub", EXPIRES: "exp", NOT_BEFORE: "nbf", ISSUED: "iat", TTL: "ttl",
    STATUS_LIST: "status_list", IDENTIFIER_LIST: "identifier_list",
}  # fmt: skip
LEEWAY: Final = timedelta(seconds=60)
_MAX_TIME: Final = 253_402_300_799  # the end of the year 9999
_MAX_TTL: Final = timedelta(days=3650)


def without_none(members: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return the members that are there."""
    return {name: value for name, value in members.items() if value is not None}


def list_claims(uri: str, issued_at: datetime, expires_at: datetime | None, ttl: timedelta | None) -> dict[int, Any]:
    """Return the claims that every list has, by their labels in a CWT; ValueError for a ttl that is not positive."""
    expires = int(expires_at.timestamp()) if expires_at is not None else None
    seconds = int(ttl.total_seconds()) if ttl is not None else None
    if seconds is not None and seconds <= 0:
        raise ValueError("the ttl of a status list must be positive")
    return without_none({SUBJECT: uri, ISSUED: int(issued_at.timestamp()), EXPIRES: expires, TTL: seconds})


def require_subject(claims: Mapping[str, Any], uri: str) -> None:
    """Demand a list about this URI (8.3, 4a); MalformedInput without `sub`, ClaimMismatch for another."""
    if "sub" not in claims:
        raise MalformedInput("expected sub in the status list token")
    if claims["sub"] != uri:
        raise ClaimMismatch("the status list is about another URI than the one that the credential names")


def require_current(
    claims: Mapping[str, Any], *, now: datetime, leeway: timedelta, max_age: timedelta | None
) -> tuple[datetime, datetime | None]:
    """Return `iat` and `exp` of a list that speaks about now (8.3, 4b, 4c).

    Raises:
        MalformedInput: no `iat`, or a time that is no numeric date.
        NotYetValid: `iat` or `nbf` lies ahead.
        Expired: `exp` is past, or `iat` further back than `max_age`, the caller's policy.
    """
    issued_at, expires_at, not_before = (_time(claims, name) for name in ("iat", "exp", "nbf"))
    if issued_at is None:
        raise MalformedInput("expected iat in the status list token")
    if max(issued_at, not_before or issued_at) > now + leeway:
        raise NotYetValid("the status list comes from the future")
    if expires_at is not None and expires_at <= now - leeway:
        raise Expired("the status list is expired")
    if max_age is not None and issued_at + max_age < now - leeway:
        raise Expired(f"the status list is older than {max_age}")
    return issued_at, expires_at


def _time(claims: Mapping[str, Any], name: str) -> datetime | None:
    if name not in claims:
        return None
    value: Any = claims[name]
    if type(value) not in (int, float) or not 0 <= value <= _MAX_TIME:
        raise MalformedInput(f"expected a numeric date as {name} of the status list token")
    return datetime.fromtimestamp(value, UTC)


def time_to_live(claims: Mapping[str, Any]) -> timedelta | None:
    """Return `ttl`, ten years at most, None without the claim; MalformedInput unless it is a positive number."""
    if "ttl" not in claims:
        return None
    ttl = claims["ttl"]
    if type(ttl) not in (int, float) or not ttl > 0:
        raise MalformedInput("expected a positive number as ttl of the status list token")
    return timedelta(seconds=min(ttl, _MAX_TTL.total_seconds()))
