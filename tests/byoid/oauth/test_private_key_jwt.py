from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from byoid.errors import BadSignature, ByoidError, ClaimMismatch, Expired, MalformedInput, NotYetValid, WrongType
from byoid.jose import parse_jws
from byoid.keys import PrivateKey
from byoid.oauth.jwt import numeric_date
from byoid.oauth.private_key_jwt import prepare_client_assertion, verify_client_assertion
from byoid.signing import sign_now

SERVER = "https://issuer.example"
KEY = PrivateKey.generate()
OTHER = PrivateKey.generate()


def test_what_the_client_prepares_the_server_verifies(now: datetime) -> None:
    unsigned = prepare_client_assertion(
        client_id="wallet", audience=SERVER, jti="j1", now=now, algorithm="ES256", key_id="k1"
    )
    jwt = sign_now(unsigned, KEY)

    verified = verify_client_assertion(jwt, client_id="wallet", key=KEY.public, audience=SERVER, now=now)

    assert parse_jws(jwt).header["kid"] == "k1"
    assert (verified.client_id, verified.jti, verified.expires_at) == ("wallet", "j1", now + timedelta(minutes=1))


def test_the_key_id_may_be_left_out(now: datetime) -> None:
    unsigned = prepare_client_assertion(client_id="wallet", audience=SERVER, jti="j1", now=now, algorithm="ES256")

    assert "kid" not in parse_jws(sign_now(unsigned, KEY)).header


@pytest.mark.parametrize("typ", [None, "JWT", "client-authentication+jwt"])
def test_a_typ_may_be_missing_or_either_name(forge: Callable[..., str], now: datetime, typ: str | None) -> None:
    jwt = forge(claims(now), key=KEY, typ=typ)

    assert verify_client_assertion(jwt, client_id="wallet", key=KEY.public, audience=SERVER, now=now)


def claims(now: datetime, **changes: Any) -> dict[str, Any]:
    honest = {"iss": "wallet", "sub": "wallet", "aud": SERVER, "jti": "j1", "exp": numeric_date(now) + 60, **changes}
    return {name: value for name, value in honest.items() if value is not None}


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({"iss": None}, MalformedInput, id="no iss"),
        pytest.param({"sub": None}, MalformedInput, id="no sub"),
        pytest.param({"aud": None}, MalformedInput, id="no aud"),
        pytest.param({"exp": None}, MalformedInput, id="no exp"),
        pytest.param({"jti": None}, MalformedInput, id="no jti"),
        pytest.param({"iss": "other"}, ClaimMismatch, id="1 by another client"),
        pytest.param({"sub": "other"}, ClaimMismatch, id="2 about another client"),
        pytest.param({"aud": f"{SERVER}/token"}, ClaimMismatch, id="3 for the endpoint instead of the issuer"),
        pytest.param({"aud": [SERVER, "https://evil.example"]}, ClaimMismatch, id="3 for others too"),
        pytest.param({"exp": 1}, Expired, id="4 expired"),
        pytest.param({"exp": 9_999_999_999}, Expired, id="4 lives for ever"),
        pytest.param({"nbf": 9_999_999_999}, NotYetValid, id="5 not yet valid"),
        pytest.param({"iat": 9_999_999_999}, NotYetValid, id="6 from the future"),
    ],
)
def test_an_assertion_with_a_defect_is_refused(
    forge: Callable[..., str], now: datetime, changes: dict[str, Any], error: type[ByoidError]
) -> None:
    jwt = forge(claims(now, **changes), key=KEY, typ="JWT")

    with pytest.raises(error) as raised:
        verify_client_assertion(jwt, client_id="wallet", key=KEY.public, audience=SERVER, now=now)

    assert raised.type is error


@pytest.mark.hostile
def test_another_key_type_or_algorithm_is_refused(forge: Callable[..., str], now: datetime) -> None:
    for jwt, error in (
        (forge(claims(now), key=OTHER, typ="JWT"), BadSignature),
        (forge(claims(now), key=KEY, typ="dpop+jwt"), WrongType),
    ):
        with pytest.raises(error):
            verify_client_assertion(jwt, client_id="wallet", key=KEY.public, audience=SERVER, now=now)
    with pytest.raises(WrongType):
        verify_client_assertion(
            forge(claims(now), key=KEY, typ="JWT"),
            client_id="wallet",
            key=KEY.public,
            audience=SERVER,
            now=now,
            algorithms={"PS256"},
        )
