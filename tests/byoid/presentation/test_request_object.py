"""Request objects and clients: OpenID4VP 1.0 sections 5, 5.8 to 5.10, 8.2, 12; HAIP 1.0 section 5."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from byoid.encoding import b64u_encode, json_dumps, sha256
from byoid.errors import (
    BadSignature,
    ByoidError,
    ClaimMismatch,
    Expired,
    MalformedInput,
    NotYetValid,
    UntrustedIssuer,
    WrongType,
)
from byoid.jose import parse_jwe, parse_jws
from byoid.keys import PrivateKey
from byoid.message import parse_message
from byoid.presentation.client_id import (
    ClientIdentifier,
    Prefix,
    RegisteredClient,
    VerifierTrust,
    authenticate_unsigned,
    parse_client_id,
)
from byoid.presentation.request import ClientMetadata, WalletMetadata
from byoid.presentation.request_object import (
    WalletAbilities,
    decrypt_request_object,
    encrypt_request_object,
    require_sound,
)
from byoid.trust.anchors import Purpose
from byoid.trust.pki import SubjectName, dns, make_leaf, make_root, to_der
from byoid.trust.registration import Excess
from byoid.trust.x509 import ChainCache
from byoid.wire_errors import (
    InvalidClient,
    InvalidRequest,
    InvalidScope,
    InvalidTransactionData,
    VpFormatsNotSupported,
)
from tests.byoid.presentation.world import (
    CLIENT_ID,
    NOW,
    PID_QUERY,
    RESPONSE_URI,
    Payment,
    World,
    authorization_request,
)
from tests.byoid.presentation.world import (
    make_raw_request_object as make_raw,
)
from tests.byoid.presentation.world import (
    make_request_object as make,
)
from tests.byoid.presentation.world import registration as registration_certificate
from tests.byoid.presentation.world import (
    verify_object as verify,
)

REGISTERED = RegisteredClient("Shop", ClientMetadata(), frozenset({RESPONSE_URI}))


def x509_hash(world: World) -> str:
    return f"x509_hash:{b64u_encode(sha256(world.access_chain[0]))}"


# --- honest requests, one for each prefix


def test_x509_san_dns(world: World) -> None:
    authentic = verify(world, make(world, authorization_request()))

    assert authentic.client.name == "Verifier Ltd"
    assert authentic.client.identifier.prefix is Prefix.X509_SAN_DNS
    assert authentic.audience == CLIENT_ID
    assert authentic.request.response_uri == RESPONSE_URI


def test_x509_hash_may_name_any_response_uri(world: World) -> None:
    request = authorization_request(client_id=x509_hash(world), response_uri="https://elsewhere.example/r")
    assert verify(world, make(world, request), client_id=x509_hash(world)).client.signed


def test_a_trusted_client_may_choose_its_response_uri(world: World) -> None:
    trust = replace(world.verifier_trust, trusted_clients={CLIENT_ID})
    request = authorization_request(response_uri="https://elsewhere.example/r")
    assert verify(world, make(world, request), trust=trust)


@pytest.mark.parametrize("uri", [RESPONSE_URI, None])
def test_redirect_uri_is_unsigned_and_may_leave_out_the_uri(world: World, uri: str | None) -> None:
    client_id = f"redirect_uri:{RESPONSE_URI}"
    authentic = verify(world, authorization_request(client_id=client_id, response_uri=uri), client_id=client_id)

    assert authentic.request.response_uri == RESPONSE_URI
    assert not authentic.client.signed
    assert authentic.client.name == "verifier.example"


def test_a_redirect_uri_that_names_no_host_gives_the_client_no_name(world: World) -> None:
    client = authenticate_unsigned("redirect_uri:nowhere", trust=world.verifier_trust)
    assert (client.name, client.signed) == ("", False)


def test_a_registered_client_is_known_by_its_registration(world: World) -> None:
    trust = VerifierTrust(world.anchors, registered={"https://shop.example": REGISTERED})
    request = authorization_request(client_id="https://shop.example")
    authentic = verify(world, request, client_id="https://shop.example", trust=trust)

    assert authentic.client.identifier == ClientIdentifier("https://shop.example", None, "https://shop.example")
    assert (authentic.client.name, authentic.client.signed) == ("Shop", False)
    assert authentic.metadata is REGISTERED.metadata


def test_a_client_that_registered_no_metadata_brings_them(world: World) -> None:
    trust = VerifierTrust(world.anchors, registered={"shop": replace(REGISTERED, metadata=None)})
    bare = authorization_request(client_id="shop")
    assert verify(world, bare, client_id="shop", trust=trust).metadata == ClientMetadata()
    metadata = {"encrypted_response_enc_values_supported": ["A256GCM"]}
    request = authorization_request(client_id="shop", client_metadata=metadata)
    assert verify(world, request, client_id="shop", trust=trust).metadata.response_encs == ("A256GCM",)


def test_a_registered_client_with_a_key_signs(world: World) -> None:
    trust = VerifierTrust(world.anchors, registered={"shop": replace(REGISTERED, key=world.verifier.public)})
    request = authorization_request(client_id="shop")
    client = verify(world, make(world, request, x5c=()), client_id="shop", trust=trust).client
    assert (client.name, client.signed) == ("Shop", True)
    with pytest.raises(UntrustedIssuer):
        verify(world, request, client_id="shop", trust=trust)


# --- dishonest requests


def test_a_prefix_is_what_stands_before_the_first_colon() -> None:
    identifier = parse_client_id("redirect_uri:https://a.example/b:c")
    assert (identifier.prefix, identifier.original) == (Prefix.REDIRECT_URI, "https://a.example/b:c")


@pytest.mark.hostile
@pytest.mark.parametrize(
    "client_id",
    [
        "origin:https://verifier.example",
        "openid_federation:https://verifier.example",
        "decentralized_identifier:did:example:123",
        "unknown:x",
        "X509_HASH:x",
        "https://verifier.example",
        "unregistered",
        "",
    ],
)
def test_a_client_identifier_that_is_not_supported_is_refused(world: World, client_id: str) -> None:
    with pytest.raises(UntrustedIssuer):
        parse_client_id(client_id)
    with pytest.raises(UntrustedIssuer):
        verify(world, make_raw(world, {"client_id": client_id}), client_id=client_id)


def _foreign(purpose: Purpose, host: str = "verifier.example") -> tuple[PrivateKey, tuple[bytes, ...]]:
    root, key = make_root(SubjectName("Other"), key=PrivateKey.generate(), now=NOW), PrivateKey.generate()
    leaf = make_leaf(root, SubjectName("V"), key=key.public, purpose=purpose, now=NOW, names=dns(host))
    return key, to_der(leaf)


def _under_another_root(world: World) -> str:
    key, chain = _foreign(Purpose.ACCESS)
    return make(world, authorization_request(), key=key, x5c=chain)


Make = Callable[[World], str]
OBJECTS: list[tuple[str, Make, type[ByoidError]]] = [
    ("another typ", lambda w: make_raw(w, {}, typ="JWT"), WrongType),
    ("no x5c", lambda w: make(w, authorization_request(), x5c=()), WrongType),
    ("another root", _under_another_root, UntrustedIssuer),
    (
        "anchor in the chain",
        lambda w: make(w, authorization_request(), x5c=(*w.access_chain, w.root.der)),
        UntrustedIssuer,
    ),
    ("self-signed", lambda w: make(w, authorization_request(), x5c=(w.root.der,)), UntrustedIssuer),
    (
        "another host in the certificate",
        lambda w: make(w, authorization_request(), x5c=w.pid_chain, key=w.issuer),
        ClaimMismatch,
    ),
    ("another key", lambda w: make(w, authorization_request(), key=PrivateKey.generate()), BadSignature),
    ("another client id inside", lambda w: make_raw(w, {"client_id": "x509_san_dns:other.example"}), ClaimMismatch),
    ("no client id inside", lambda w: make_raw(w, {"client_id": None}), ClaimMismatch),
    ("no audience", lambda w: make_raw(w, {"aud": None}), ClaimMismatch),
    ("another audience", lambda w: make_raw(w, {"aud": "https://other.example"}), ClaimMismatch),
    ("expired", lambda w: make(w, authorization_request(), issued_at=NOW - timedelta(hours=1)), Expired),
    ("from the future", lambda w: make(w, authorization_request(), issued_at=NOW + timedelta(hours=1)), NotYetValid),
    ("not yet valid", lambda w: make_raw(w, {"nbf": NOW.timestamp() + 3600}), NotYetValid),
    ("not valid for ages", lambda w: make_raw(w, {"nbf": 10**15}), NotYetValid),
    ("exp a text", lambda w: make_raw(w, {"exp": "never"}), MalformedInput),
    ("exp a boolean", lambda w: make_raw(w, {"exp": True}), MalformedInput),
    ("no nonce", lambda w: make_raw(w, {"nonce": None}), MalformedInput),
    ("not a JWT", lambda _: "junk", MalformedInput),
    ("by scope", lambda w: make_raw(w, {"dcql_query": None, "scope": "pid"}), InvalidScope),
    ("redirect_uri with direct_post", lambda w: make_raw(w, {"redirect_uri": RESPONSE_URI}), InvalidRequest),
    ("no response_uri", lambda w: make_raw(w, {"response_uri": None}), InvalidRequest),
    ("response_uri of another host", lambda w: make_raw(w, {"response_uri": "https://evil.example"}), InvalidRequest),
    (
        "response_uri of a subdomain",
        lambda w: make_raw(w, {"response_uri": "https://a.verifier.example"}),
        InvalidRequest,
    ),
    ("response_uri by http", lambda w: make_raw(w, {"response_uri": "http://verifier.example/r"}), InvalidRequest),
    ("response mode fragment", lambda w: make_raw(w, {"response_mode": "fragment"}), InvalidRequest),
    ("response mode of the DC API", lambda w: make_raw(w, {"response_mode": "dc_api"}), InvalidRequest),
    (
        "no state without holder binding",
        lambda w: make_raw(
            w,
            {
                "state": None,
                "dcql_query": {"credentials": [{**PID_QUERY, "require_cryptographic_holder_binding": False}]},
            },
        ),
        InvalidRequest,
    ),
    ("encryption without a key", lambda w: make_raw(w, {"response_mode": "direct_post.jwt"}), InvalidRequest),
    (
        "formats that are not supported",
        lambda w: make_raw(w, {"dcql_query": {"credentials": [{"id": "a", "format": "ldp_vc", "meta": {}}]}}),
        VpFormatsNotSupported,
    ),
    (
        "unknown transaction data",
        lambda w: make_raw(
            w, {"transaction_data": [b64u_encode(json_dumps({"type": "x", "credential_ids": ["pid"]}))]}
        ),
        InvalidTransactionData,
    ),
]


@pytest.mark.hostile
@pytest.mark.parametrize(("make_object", "error"), [pytest.param(*case[1:], id=case[0]) for case in OBJECTS])
def test_a_request_object_that_breaks_a_rule_is_refused(
    world: World, make_object: Make, error: type[ByoidError]
) -> None:
    with pytest.raises(error):
        verify(world, make_object(world))


@pytest.mark.hostile
def test_the_hash_of_another_certificate_is_refused(world: World) -> None:
    client_id = f"x509_hash:{b64u_encode(sha256(b'other'))}"
    with pytest.raises(ClaimMismatch):
        verify(world, make(world, authorization_request(client_id=client_id)), client_id=client_id)


@pytest.mark.hostile
def test_a_redirect_uri_client_cannot_sign_and_cannot_send_elsewhere(world: World) -> None:
    client_id = f"redirect_uri:{RESPONSE_URI}"
    with pytest.raises(UntrustedIssuer):
        verify(world, make_raw(world, {"client_id": client_id}), client_id=client_id)
    with pytest.raises(InvalidRequest):
        request = authorization_request(client_id=client_id, response_uri="https://evil.example")
        verify(world, request, client_id=client_id)


@pytest.mark.hostile
def test_a_client_whose_prefix_demands_it_must_sign(world: World) -> None:
    for client_id in (CLIENT_ID, x509_hash(world), "verifier_attestation:x"):
        with pytest.raises(UntrustedIssuer):
            verify(world, authorization_request(client_id=client_id), client_id=client_id)


@pytest.mark.hostile
def test_a_registration_frees_no_client_of_what_its_prefix_demands(world: World) -> None:
    for client_id in (CLIENT_ID, x509_hash(world)):
        trust = VerifierTrust(world.anchors, registered={client_id: REGISTERED})
        with pytest.raises(UntrustedIssuer):
            verify(world, authorization_request(client_id=client_id), client_id=client_id, trust=trust)


@pytest.mark.hostile
def test_an_unsigned_request_is_of_the_client_that_is_expected(world: World) -> None:
    with pytest.raises(ClaimMismatch):
        request = authorization_request(client_id="redirect_uri:https://evil.example")
        verify(world, request, client_id=f"redirect_uri:{RESPONSE_URI}")


@pytest.mark.hostile
def test_a_registered_client_cannot_bring_metadata_another_uri_or_an_unknown_key(world: World) -> None:
    trust = VerifierTrust(world.anchors, registered={"shop": REGISTERED})
    with pytest.raises(InvalidClient):
        request = authorization_request(client_id="shop", client_metadata={})
        verify(world, request, client_id="shop", trust=trust)
    with pytest.raises(InvalidRequest):
        request = authorization_request(client_id="shop", response_uri="https://evil.example")
        verify(world, request, client_id="shop", trust=trust)
    with pytest.raises(UntrustedIssuer):
        verify(world, make(world, authorization_request(client_id="shop")), client_id="shop", trust=trust)


def test_the_wallet_nonce_must_come_back(world: World) -> None:
    request = authorization_request()
    assert verify(world, make(world, request, wallet_nonce="w1"), wallet_nonce="w1")
    for found in (None, "w2"):
        with pytest.raises(ClaimMismatch):
            verify(world, make(world, request, wallet_nonce=found), wallet_nonce="w1")


def test_a_discovered_wallet_is_addressed_by_its_issuer_identifier(world: World) -> None:
    jwt = make(world, authorization_request(), audience="https://wallet.example")
    assert verify(world, jwt, audience="https://wallet.example")


# --- what a verifier prepares


def test_a_request_object_has_the_type_and_lives_for_minutes(world: World) -> None:
    jws = parse_jws(make(world, authorization_request()))
    claims = jws.claims()
    assert jws.typ == "oauth-authz-req+jwt"
    assert claims["exp"] - claims["iat"] == 300
    assert "iss" not in claims
    assert jws.x5c == world.access_chain
    assert "x5c" not in parse_jws(make(world, authorization_request(), x5c=())).header


def test_a_nonce_and_a_state_of_128_bits_are_enough() -> None:
    require_sound(authorization_request(nonce="n" * 22, state="s" * 22))
    for weak in ({"nonce": "n" * 21}, {"state": "s" * 21}):
        with pytest.raises(ValueError, match="22 characters"):
            require_sound(authorization_request(**weak))


def test_state_is_needed_only_where_nothing_else_binds_the_response(world: World) -> None:
    unbound = {"credentials": [{**PID_QUERY, "require_cryptographic_holder_binding": False}]}
    assert verify(world, make(world, authorization_request(dcql_query=unbound))).request.state
    assert verify(world, make(world, authorization_request(state=None))).request.state is None
    require_sound(authorization_request(dcql_query=unbound, state=None, response_mode="dc_api"))


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": None},
        {"client_id": f"redirect_uri:{RESPONSE_URI}"},
        {"client_id": "origin:https://verifier.example"},
        {"nonce": "short"},
        {"state": "short"},
        {"response_mode": "fragment"},
        {"redirect_uri": RESPONSE_URI},
        {"dcql_query": {"credentials": [{**PID_QUERY, "claims": [{"path": ["a"]}, {"path": ["a"]}]}]}},
        {"state": None, "dcql_query": {"credentials": [{**PID_QUERY, "require_cryptographic_holder_binding": False}]}},
        {"dcql_query": None, "scope": "x"},
    ],
)
def test_our_own_request_must_be_sound(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        require_sound(authorization_request(**changes))


def test_a_request_object_is_encrypted_to_the_wallets_key(world: World) -> None:
    jwt, key = make(world, authorization_request()), PrivateKey.generate()
    jwk = {**key.public.jwk, "kid": "w", "alg": "ECDH-ES", "use": "enc"}
    metadata = parse_message(WalletMetadata, {"vp_formats_supported": {}, "jwks": {"keys": [jwk]}})

    encrypted = encrypt_request_object(jwt, metadata)

    assert parse_jwe(encrypted).header["cty"] == "oauth-authz-req+jwt"
    assert decrypt_request_object(encrypted, {"w": key}) == jwt
    assert decrypt_request_object(jwt, {}) == jwt
    with pytest.raises(MalformedInput):
        decrypt_request_object(encrypted, {"other": key})
    assert encrypt_request_object(jwt, parse_message(WalletMetadata, {"vp_formats_supported": {}})) == jwt
    assert verify(world, decrypt_request_object(encrypted, {"w": key}))


@pytest.mark.hostile
def test_what_was_encrypted_must_be_a_jwt(world: World) -> None:
    from byoid.jose import encrypt

    key = PrivateKey.generate()
    jwe = encrypt("ä".encode(), {**key.public.jwk, "kid": "w", "alg": "ECDH-ES"}, enc="A128GCM")
    with pytest.raises(MalformedInput):
        decrypt_request_object(jwe, {"w": key})


def test_transaction_data_are_read_for_the_person(world: World, abilities: WalletAbilities) -> None:
    payment = Payment(type="payment", credential_ids=("pid",), amount="10 EUR")
    jwt = make(world, authorization_request(transaction_data=[payment.encode()]))

    assert verify(world, jwt, abilities=abilities).transactions[0].data == payment
    with pytest.raises(InvalidTransactionData):
        verify(world, jwt, abilities=replace(abilities, transaction_data_types={}))


def test_loopback_response_uris_need_permission(world: World, abilities: WalletAbilities) -> None:
    uri = "http://localhost:8002/r"
    client_id = f"redirect_uri:{uri}"
    request = authorization_request(client_id=client_id, response_uri=uri)
    with pytest.raises(InvalidRequest):
        verify(world, request, client_id=client_id)
    assert verify(world, request, client_id=client_id, abilities=replace(abilities, allow_loopback_http=True))


def test_the_registration_that_came_along_is_verified(world: World) -> None:
    cache = ChainCache()
    info = [{"format": "registration_cert", "data": registration_certificate(world)}]
    authentic = verify(world, make(world, authorization_request(verifier_info=info)), cache=cache)

    assert [each.name for each in authentic.registration.registrations] == ["Shop"]
    assert authentic.registration.beyond == (Excess("pid", ("family_name",)),)
    assert len(cache) == 2  # of the access certificate, and of the registrar's
