from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from byoid.encoding import b64u_encode, json_dumps
from byoid.errors import (
    BadSignature,
    ByoidError,
    ClaimMismatch,
    Expired,
    HolderBindingError,
    MalformedInput,
    NotYetValid,
    WrongType,
)
from byoid.keys import PrivateKey
from byoid.oauth.dpop import access_token_hash, prepare_dpop_proof, verify_dpop_proof
from byoid.signing import sign_now
from byoid.wire_errors import UseDpopNonce

URL = "https://issuer.example/credential"
TOKEN = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"  # RFC 9449 7.1
KEY = PrivateKey.generate()
OTHER = PrivateKey.generate()

Proof = Callable[..., str]


@pytest.fixture
def proof(forge: Callable[..., str], now: datetime) -> Proof:
    """An honest proof for POST to URL with TOKEN, but for the changes; a claim that is None is left out."""

    def make(*, key: PrivateKey = KEY, typ: str | None = "dpop+jwt", jwk: Any = None, **changes: Any) -> str:
        claims = {
            "jti": "j1",
            "htm": "POST",
            "htu": URL,
            "iat": int(now.timestamp()),
            "ath": access_token_hash(TOKEN),
            "nonce": "n1",
            **changes,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        return forge(claims, key=key, typ=typ, jwk=KEY.public.jwk if jwk is None else jwk)

    return make


def test_the_access_token_hash_is_the_one_of_the_rfc() -> None:
    assert access_token_hash(TOKEN) == "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"  # RFC 9449 7.1


def test_a_proof_is_verified_and_tells_key_jti_and_nonce(now: datetime) -> None:
    unsigned = prepare_dpop_proof(
        key=KEY.public,
        algorithm="ES256",
        method="POST",
        url=f"{URL}?page=1#top",
        jti="j1",
        now=now,
        access_token=TOKEN,
        nonce="n1",
    )

    verified = verify_dpop_proof(
        sign_now(unsigned, KEY),
        method="POST",
        url=URL,
        now=now,
        access_token=TOKEN,
        expected_jkt=KEY.public.thumbprint_b64u,
        nonces={"n1"},
    )

    assert (verified.key, verified.jti, verified.nonce, verified.issued_at) == (KEY.public, "j1", "n1", now)


def test_a_proof_without_nonce_and_token_is_verified_where_neither_is_demanded(proof: Proof, now: datetime) -> None:
    verified = verify_dpop_proof(proof(ath=None, nonce=None), method="POST", url=URL, now=now)

    assert verified.nonce is None


@pytest.mark.parametrize(
    "htu",
    [
        "HTTPS://ISSUER.example/credential",
        "https://issuer.example:443/credential",
        "https://issuer.example/credential?query#fragment",
    ],
)
def test_urls_are_compared_after_normalisation_without_query_and_fragment(
    proof: Proof, now: datetime, htu: str
) -> None:
    assert verify_dpop_proof(proof(htu=htu), method="POST", url=URL, now=now).jti == "j1"


def test_an_empty_path_is_the_root(proof: Proof, now: datetime) -> None:
    assert verify_dpop_proof(proof(htu="https://a.example"), method="POST", url="https://a.example/", now=now)


@pytest.mark.parametrize(
    "key", [PrivateKey.generate("P-384"), PrivateKey.generate("Ed25519")], ids=["ES384", "Ed25519"]
)
def test_other_algorithms_are_accepted_where_the_server_lists_them(
    proof: Proof, now: datetime, key: PrivateKey
) -> None:
    jwt = proof(key=key, jwk=key.public.jwk)

    assert verify_dpop_proof(jwt, method="POST", url=URL, now=now).key == key.public
    with pytest.raises(WrongType):
        verify_dpop_proof(jwt, method="POST", url=URL, now=now, algorithms={"ES256"})


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({"jti": None}, MalformedInput, id="3 no jti"),
        pytest.param({"jti": ""}, MalformedInput, id="3 empty jti"),
        pytest.param({"jti": "j" * 257}, MalformedInput, id="3 jti that fills the store"),
        pytest.param({"htm": None}, MalformedInput, id="3 no htm"),
        pytest.param({"htu": None}, MalformedInput, id="3 no htu"),
        pytest.param({"iat": None}, MalformedInput, id="3 no iat"),
        pytest.param({"iat": "1700000000"}, MalformedInput, id="3 iat as text"),
        pytest.param({"iat": True}, MalformedInput, id="3 iat as boolean"),
        pytest.param({"iat": 1e300}, MalformedInput, id="3 iat beyond the calendar"),
        pytest.param({"jwk": "text"}, MalformedInput, id="3 jwk is no object"),
        pytest.param({"jwk": {}}, MalformedInput, id="3 jwk is empty"),
        pytest.param({"typ": "JWT"}, WrongType, id="4 another typ"),
        pytest.param({"typ": None}, WrongType, id="4 no typ"),
        pytest.param({"key": OTHER}, BadSignature, id="6 signed with another key"),
        pytest.param({"jwk": KEY.to_jwk()}, MalformedInput, id="7 private key in the header"),
        pytest.param({"htm": "GET"}, ClaimMismatch, id="8 another method"),
        pytest.param({"htm": "post"}, ClaimMismatch, id="8 method in another case"),
        pytest.param({"htu": "https://issuer.example/token"}, ClaimMismatch, id="9 another path"),
        pytest.param({"htu": "https://issuer.example:8443/credential"}, ClaimMismatch, id="9 another port"),
        pytest.param({"htu": "https://evil.example/credential"}, ClaimMismatch, id="9 another host"),
        pytest.param({"htu": "http://issuer.example/credential"}, ClaimMismatch, id="9 another scheme"),
        pytest.param({"htu": "https://issuer.example/Credential"}, ClaimMismatch, id="9 path in another case"),
        pytest.param({"htu": "https://a@issuer.example/credential"}, MalformedInput, id="9 user name"),
        pytest.param({"htu": "https://issuer.example:x/credential"}, MalformedInput, id="9 port that is none"),
        pytest.param({"nonce": None}, UseDpopNonce, id="10 no nonce"),
        pytest.param({"nonce": "old"}, UseDpopNonce, id="10 old nonce"),
        pytest.param({"ath": None}, ClaimMismatch, id="12 no ath"),
        pytest.param({"ath": access_token_hash("other")}, ClaimMismatch, id="12 another access token"),
        pytest.param({"key": OTHER, "jwk": OTHER.public.jwk}, HolderBindingError, id="12 another key than the token's"),
    ],
)
def test_a_proof_with_a_defect_is_refused(
    proof: Proof, now: datetime, changes: dict[str, Any], error: type[ByoidError]
) -> None:
    with pytest.raises(error) as raised:
        verify_dpop_proof(
            proof(**changes),
            method="POST",
            url=URL,
            now=now,
            access_token=TOKEN,
            expected_jkt=KEY.public.thumbprint_b64u,
            nonces={"n1"},
        )

    assert raised.type is error


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("age", "error"),
    [(timedelta(minutes=6, seconds=1), Expired), (timedelta(seconds=-61), NotYetValid)],
    ids=["11 too old", "11 from the future"],
)
def test_a_proof_outside_its_window_is_refused(
    proof: Proof, now: datetime, age: timedelta, error: type[ByoidError]
) -> None:
    with pytest.raises(error):
        verify_dpop_proof(proof(iat=(now - age).timestamp()), method="POST", url=URL, now=now)


@pytest.mark.parametrize("age", [timedelta(minutes=6), timedelta(seconds=-60)])
def test_a_proof_at_the_edge_of_its_window_is_accepted(proof: Proof, now: datetime, age: timedelta) -> None:
    assert verify_dpop_proof(proof(iat=(now - age).timestamp()), method="POST", url=URL, now=now)


@pytest.mark.hostile
@pytest.mark.parametrize(
    "jwt", ["", "a.b", "a.b.c.d", "x" * 9000], ids=["empty", "two parts", "four parts", "too long"]
)
def test_what_is_no_single_jwt_is_refused(now: datetime, jwt: str) -> None:
    with pytest.raises(MalformedInput):
        verify_dpop_proof(jwt, method="POST", url=URL, now=now)


@pytest.mark.hostile
def test_a_symmetric_or_missing_algorithm_is_refused(proof: Proof, now: datetime) -> None:
    _, payload, signature = proof().split(".")
    for algorithm in ("none", "HS256", "RS256"):
        forged = b64u_encode(json_dumps({"alg": algorithm, "typ": "dpop+jwt", "jwk": KEY.public.jwk}))
        with pytest.raises(WrongType):
            verify_dpop_proof(f"{forged}.{payload}.{signature}", method="POST", url=URL, now=now)


@pytest.mark.hostile
def test_an_access_token_outside_ascii_is_refused(proof: Proof, now: datetime) -> None:
    with pytest.raises(MalformedInput):
        verify_dpop_proof(proof(), method="POST", url=URL, now=now, access_token="tökén")
