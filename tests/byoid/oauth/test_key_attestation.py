from datetime import datetime, timedelta
from typing import Any

import pytest

from byoid.errors import (
    ByoidError,
    ClaimMismatch,
    Expired,
    MalformedInput,
    NotYetValid,
    StatusUnavailable,
    UntrustedIssuer,
    WrongType,
)
from byoid.formats.status_list import StatusReference
from byoid.jose import parse_jws, x5c_header
from byoid.keys import PrivateKey
from byoid.message import parse_message
from byoid.oauth.jwt import numeric_date
from byoid.oauth.key_attestation import (
    TYP,
    KeyAttestationClaims,
    VerifiedKeyAttestation,
    prepare_key_attestation,
    require_levels,
    verify_key_attestation,
)
from byoid.signing import sign_now

KEYS = [PrivateKey.generate() for _ in range(3)]
STATUS = {"status_list": {"idx": 3, "uri": "https://provider.example/lists/1"}}


def claims(now: datetime, **changes: Any) -> dict[str, Any]:
    honest = {
        "iat": numeric_date(now),
        "exp": numeric_date(now + timedelta(days=1)),
        "attested_keys": [{**KEYS[0].public.jwk, "kid": "first"}, KEYS[1].public.jwk],
        "key_storage": ["iso_18045_high"],
        "user_authentication": ["iso_18045_moderate", "https://example.org/level"],
        "certification": "https://provider.example/certificate",
        "nonce": "n1",
        "key_storage_status": {"status": STATUS, "exp": numeric_date(now + timedelta(days=40))},
        **changes,
    }
    return {name: value for name, value in honest.items() if value is not None}


def verify(wallet_provider: Any, now: datetime, typ: str = TYP, **changes: Any) -> VerifiedKeyAttestation:
    jwt = wallet_provider.sign(claims(now, **changes), typ)
    return verify_key_attestation(jwt, trust=wallet_provider.trust, now=now, max_keys=2)


def test_what_a_provider_prepares_the_issuer_verifies(wallet_provider: Any, now: datetime) -> None:
    message = parse_message(KeyAttestationClaims, claims(now))
    jwt = sign_now(prepare_key_attestation(message, algorithm="ES256", x5c=wallet_provider.x5c), wallet_provider.key)

    verified = verify_key_attestation(jwt, trust=wallet_provider.trust, now=now, max_keys=2)

    assert parse_jws(jwt).typ == "key-attestation+jwt"
    assert parse_jws(jwt).claims()["c_nonce"] == "n1"
    assert verified.keys == (KEYS[0].public, KEYS[1].public)
    assert verified.key_ids == ("first", None)
    assert verified.key_storage == ("iso_18045_high",)
    assert verified.nonce == "n1"
    assert verified.status == StatusReference("https://provider.example/lists/1", 3)
    assert verified.status_maintained_until == now + timedelta(days=40)
    assert (verified.algorithm, verified.provider) == ("ES256", "Wallet Provider")


def test_the_spelling_of_ts3_is_understood(wallet_provider: Any, now: datetime) -> None:
    assert verify(wallet_provider, now, "keyattestation+jwt", nonce=None, c_nonce="n2").nonce == "n2"


def test_optional_members_may_be_missing(wallet_provider: Any, now: datetime) -> None:
    optional = ("exp", "key_storage", "user_authentication", "certification", "nonce", "key_storage_status")

    verified = verify(wallet_provider, now, **dict.fromkeys(optional), status=STATUS)

    assert (verified.expires_at, verified.key_storage, verified.user_authentication, verified.nonce) == (
        None,
        (),
        (),
        None,
    )
    assert verified.status == StatusReference("https://provider.example/lists/1", 3)
    assert verified.status_maintained_until is None


def test_an_attestation_without_nonce_is_prepared_without_one(wallet_provider: Any, now: datetime) -> None:
    message = parse_message(KeyAttestationClaims, claims(now, nonce=None))
    jwt = sign_now(prepare_key_attestation(message, algorithm="ES256", x5c=wallet_provider.x5c), wallet_provider.key)

    assert not {"nonce", "c_nonce"} & parse_jws(jwt).claims().keys()


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({"iat": None}, MalformedInput, id="no iat"),
        pytest.param({"attested_keys": None}, MalformedInput, id="no keys"),
        pytest.param({"attested_keys": []}, MalformedInput, id="empty keys"),
        pytest.param({"attested_keys": [KEYS[0].to_jwk()]}, MalformedInput, id="private key"),
        pytest.param({"attested_keys": [{"kty": "oct", "k": "AAAA"}]}, MalformedInput, id="symmetric key"),
        pytest.param({"attested_keys": [KEYS[0].public.jwk] * 2}, MalformedInput, id="key twice"),
        pytest.param(
            {"attested_keys": [key.public.jwk for key in KEYS]}, MalformedInput, id="more keys than the batch"
        ),
        pytest.param({"key_storage": []}, MalformedInput, id="empty key_storage"),
        pytest.param({"key_storage": "iso_18045_high"}, MalformedInput, id="key_storage as text"),
        pytest.param({"exp": 1}, Expired, id="expired"),
        pytest.param({"iat": 9_999_999_999}, NotYetValid, id="from the future"),
        pytest.param({"c_nonce": "n2"}, ClaimMismatch, id="two nonces"),
        pytest.param({"typ": "JWT"}, WrongType, id="another typ"),
        pytest.param({"key_storage_status": {"exp": 1}}, MalformedInput, id="key_storage_status without status"),
        pytest.param(
            {"key_storage_status": {"status": {"other_list": {"id": "x"}}, "exp": 9_999_999_999}},
            StatusUnavailable,
            id="key_storage_status by other means",
        ),
    ],
)
def test_an_attestation_with_a_defect_is_refused(
    wallet_provider: Any, now: datetime, changes: dict[str, Any], error: type[ByoidError]
) -> None:
    with pytest.raises(error) as raised:
        verify(wallet_provider, now, **changes)

    assert raised.type is error


@pytest.mark.hostile
def test_only_a_trusted_provider_can_attest_keys(wallet_provider: Any, stranger: Any, now: datetime) -> None:
    with pytest.raises(UntrustedIssuer):
        verify_key_attestation(stranger.sign(claims(now), TYP), trust=wallet_provider.trust, now=now, max_keys=2)
    with pytest.raises(UntrustedIssuer):  # HAIP 4.5.1: the anchor stays out of x5c
        chain = x5c_header([*wallet_provider.x5c, wallet_provider.root.der])
        jwt = wallet_provider.sign(claims(now), TYP, x5c=chain)
        verify_key_attestation(jwt, trust=wallet_provider.trust, now=now, max_keys=2)
    with pytest.raises(WrongType):
        jwt = wallet_provider.sign(claims(now), TYP)
        verify_key_attestation(jwt, trust=wallet_provider.trust, now=now, max_keys=2, algorithms={"ES384"})


@pytest.mark.parametrize(
    ("key_storage", "user_authentication"),
    [
        (None, None),
        (["iso_18045_moderate", "iso_18045_high"], None),
        (["iso_18045_high"], ["https://example.org/level"]),
    ],
)
def test_one_accepted_level_is_enough(
    wallet_provider: Any, now: datetime, key_storage: list[str] | None, user_authentication: list[str] | None
) -> None:
    require_levels(verify(wallet_provider, now), key_storage=key_storage, user_authentication=user_authentication)


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("key_storage", "user_authentication"),
    [(["iso_18045_basic"], None), (None, ["iso_18045_high"]), (["ISO_18045_HIGH"], None)],
    ids=["key storage", "user authentication", "case"],
)
def test_a_level_that_is_not_accepted_is_refused(
    wallet_provider: Any, now: datetime, key_storage: list[str] | None, user_authentication: list[str] | None
) -> None:
    with pytest.raises(ClaimMismatch):
        require_levels(verify(wallet_provider, now), key_storage=key_storage, user_authentication=user_authentication)
