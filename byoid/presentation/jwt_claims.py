"""Checks on registered claims of the JWTs of this protocol: periods and audience.

Spec: RFC 7519 section 4.1. Numbers only; booleans and texts are refused.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from byoid.errors import ClaimMismatch, Expired, MalformedInput, NotYetValid

LEEWAY: Final = timedelta(seconds=60)


def require_period(
    claims: Mapping[str, Any], *, now: datetime, leeway: timedelta = LEEWAY, needs_expiry: bool = False
) -> None:
    """Demand that `exp`, `nbf` and `iat`, as far as they are there, allow use now.

    Raises:
        MalformedInput: one of them is no number, or `exp` is missing where it is needed.
        Expired: `exp` is past.
        NotYetValid: `nbf` or `iat` lies in the future.
    """
    moment, slack = now.timestamp(), leeway.total_seconds()
    if needs_expiry and "exp" not in claims:
        raise MalformedInput("expected exp in the token")
    for name in ("exp", "nbf", "iat"):
        if name in claims and type(claims[name]) not in (int, float):
            raise MalformedInput(f"expected {name} to be a number")
    # The claims are compared as they are: a number of any size has no sum with a leeway.
    if "exp" in claims and moment - slack >= claims["exp"]:
        raise Expired("the token has expired")
    if any(name in claims and moment + slack < claims[name] for name in ("nbf", "iat")):
        raise NotYetValid("the token is not valid yet, or comes from the future")


def require_audience(claims: Mapping[str, Any], audience: str) -> None:
    """Demand that `aud` is, or contains, `audience`.

    Raises:
        ClaimMismatch: it is not.
    """
    found = claims.get("aud")
    if audience not in (found if isinstance(found, list) else [found]):
        raise ClaimMismatch("the token is meant for another audience")
