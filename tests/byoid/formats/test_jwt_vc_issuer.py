"""JWT VC Issuer Metadata: where it is, whose it is, and which key is meant."""

from typing import Any

import pytest

from byoid.encoding import json_dumps
from byoid.errors import ClaimMismatch, MalformedInput, UntrustedIssuer
from byoid.formats.jwt_vc_issuer import JwkSet, issuer_key, issuer_metadata_url, parse_issuer_metadata
from byoid.keys import PrivateKey

ISSUER = "https://example.com"


@pytest.fixture(scope="module")
def keys() -> list[PrivateKey]:
    return [PrivateKey.generate(), PrivateKey.generate()]


@pytest.mark.parametrize(
    ("issuer", "url"),
    [
        ("https://example.com", "https://example.com/.well-known/jwt-vc-issuer"),
        ("https://example.com/", "https://example.com/.well-known/jwt-vc-issuer"),
        ("https://example.com/tenant/1234", "https://example.com/.well-known/jwt-vc-issuer/tenant/1234"),
        ("https://example.com/X", "https://example.com/.well-known/jwt-vc-issuer/X"),
        ("https://example.com:8443/a/", "https://example.com:8443/.well-known/jwt-vc-issuer/a"),
    ],
)
def test_metadata_are_between_host_and_path(issuer, url):
    assert issuer_metadata_url(issuer) == url


@pytest.mark.hostile
@pytest.mark.parametrize(
    "issuer",
    [
        "http://example.com", "example.com", "https://example.com?a=1", "https://example.com?", "https://example.com#",
        "https://user@example.com", "https://", "https://[::1", "urn:issuer", "",
    ],
)  # fmt: skip
def test_what_is_no_plain_https_url_has_no_metadata(issuer):
    with pytest.raises(MalformedInput):
        issuer_metadata_url(issuer)


def test_keys_come_by_value_or_by_reference():
    by_value = parse_issuer_metadata(json_dumps({"issuer": ISSUER, "jwks": {"keys": []}, "other": 1}), issuer=ISSUER)
    by_reference = parse_issuer_metadata({"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys"}, issuer=ISSUER)

    assert by_value.jwks is not None
    assert by_reference.jwks_uri == "https://example.com/keys"


@pytest.mark.hostile
@pytest.mark.parametrize("issuer", ["https://example.com/", "https://Example.com", "https://evil.example"])
def test_metadata_of_another_issuer_are_refused(issuer):
    with pytest.raises(ClaimMismatch):
        parse_issuer_metadata({"issuer": issuer, "jwks": {"keys": []}}, issuer=ISSUER)


@pytest.mark.hostile
@pytest.mark.parametrize(
    "members",
    [
        {},
        {"jwks": {"keys": []}, "jwks_uri": "https://example.com/keys"},
        {"jwks_uri": "http://example.com/keys"},
        {"jwks_uri": "https://[::1"},
        {"jwks": {}},
        {"jwks": []},
        {"jwks": {"keys": {}}},
        {"jwks": {"keys": ["key"]}},
        {"jwks": {"keys": []}, "issuer": 1},
    ],
    ids=str,
)
def test_metadata_against_the_rules_are_refused(members):
    with pytest.raises(MalformedInput):
        parse_issuer_metadata({"issuer": ISSUER} | members, issuer=ISSUER)


def test_kid_chooses_the_key(keys):
    jwks = JwkSet(keys=tuple(dict(key.public.jwk, kid=f"k{number}") for number, key in enumerate(keys)))

    assert issuer_key(jwks, kid="k1") == keys[1].public


@pytest.mark.parametrize("members", [{}, {"kid": "k"}], ids=["key without kid", "key with kid"])
def test_a_single_signing_key_needs_no_kid(members, keys):
    jwks = JwkSet(keys=(dict(keys[0].public.jwk, use="enc"), dict(keys[1].public.jwk, **members)))

    assert issuer_key(jwks, kid=None) == keys[1].public


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("kids", "kid"),
    [([], None), ([], "k"), (["a", "b"], None), (["a", "b"], "c"), (["a", "a"], "a"), ([None], "a")],
    ids=["no keys", "no keys for a kid", "no telling which", "unknown kid", "kid twice", "key without kid"],
)
def test_a_key_that_cannot_be_told_is_refused(kids, kid, keys):
    jwk: dict[str, Any] = dict(keys[0].public.jwk)
    jwks = JwkSet(keys=tuple(jwk | ({"kid": each} if each else {}) for each in kids))

    with pytest.raises(UntrustedIssuer):
        issuer_key(jwks, kid=kid)


@pytest.mark.hostile
def test_a_key_of_an_unknown_kind_is_not_used():
    with pytest.raises(MalformedInput):
        issuer_key(JwkSet(keys=({"kty": "oct", "k": "c2VjcmV0"},)), kid=None)
