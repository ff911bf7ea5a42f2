"""Periods and audiences of JWTs: RFC 7519 section 4.1."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from byoid.errors import ByoidError, ClaimMismatch, Expired, MalformedInput, NotYetValid
from byoid.presentation.jwt_claims import require_audience, require_period

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
SECONDS = NOW.timestamp()


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"exp": SECONDS + 1, "nbf": SECONDS, "iat": SECONDS},
        {"exp": SECONDS - 59},
        {"nbf": SECONDS + 60},
        {"exp": 10**400},
        {"exp": SECONDS + 0.5},
    ],
)
def test_clocks_may_differ_by_a_minute(claims: dict[str, Any]) -> None:
    require_period(claims, now=NOW)


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("claims", "error"),
    [
        ({"exp": SECONDS - 60}, Expired),
        ({"exp": -(10**400)}, Expired),
        ({"nbf": SECONDS + 61}, NotYetValid),
        ({"iat": SECONDS + 61}, NotYetValid),
        ({"nbf": 10**400}, NotYetValid),
        ({"exp": "1"}, MalformedInput),
        ({"nbf": True}, MalformedInput),
        ({"iat": None}, MalformedInput),
    ],
)
def test_a_token_outside_its_period_is_refused(claims: dict[str, Any], error: type[ByoidError]) -> None:
    with pytest.raises(error):
        require_period(claims, now=NOW)


@pytest.mark.hostile
def test_an_expiry_can_be_demanded() -> None:
    with pytest.raises(MalformedInput):
        require_period({}, now=NOW, needs_expiry=True)
    require_period({}, now=NOW, leeway=timedelta(0))


@pytest.mark.parametrize("audience", ["me", ["you", "me"]])
def test_an_audience_is_one_or_among_several(audience: Any) -> None:
    require_audience({"aud": audience}, "me")


@pytest.mark.hostile
@pytest.mark.parametrize("claims", [{}, {"aud": "you"}, {"aud": []}, {"aud": {"me": 1}}, {"aud": "me "}])
def test_another_audience_is_refused(claims: dict[str, Any]) -> None:
    with pytest.raises(ClaimMismatch):
        require_audience(claims, "me")
