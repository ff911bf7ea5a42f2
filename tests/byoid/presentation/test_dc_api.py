"""The Digital Credentials API: OpenID4VP 1.0 appendix A."""

import json
from pathlib import Path
from typing import Any

import pytest

from byoid.encoding import b64u_encode, json_dumps
from byoid.errors import BadSignature, ByoidError, ClaimMismatch, Expired, MalformedInput, UntrustedIssuer, WrongType
from byoid.keys import PrivateKey
from byoid.message import parse_message
from byoid.presentation.client_id import ClientIdentifier
from byoid.presentation.dc_api import (
    MULTISIGNED,
    SIGNED,
    UNSIGNED,
    authenticate_dc_api_request,
    dc_api_response,
    join_signatures,
    parse_dc_api_response,
    prepare_multi_signed_payload,
    prepare_signature,
    unsigned_request_data,
)
from byoid.presentation.request import ClientMetadata
from byoid.presentation.request_object import AuthenticRequest, WalletAbilities, accept_request, prepare_request_object
from byoid.presentation.response import (
    AuthorizationResponse,
    EncryptedResponse,
    ErrorResponse,
    choose_response_encryption,
    decrypt_response,
)
from byoid.presentation.verifier_attestation import prepare_verifier_attestation
from byoid.signing import sign_now
from byoid.trust.x509 import ChainCache
from byoid.wire_errors import InvalidRequest
from tests.byoid.presentation.world import CLIENT_ID, NOW, World, authorization_request, registration

ORIGIN = "https://verifier.example"
RESPONSE = AuthorizationResponse(vp_token={"pid": ("a~",)}, state="s")


def request_of(**changes: Any) -> Any:
    members = {"response_mode": "dc_api", "response_uri": None, "state": None, "expected_origins": [ORIGIN], **changes}
    return authorization_request(**members)


def receive(world: World, protocol: str, data: dict[str, Any], **changes: Any) -> AuthenticRequest:
    arguments: dict[str, Any] = {"origin": ORIGIN, "trust": world.verifier_trust, "now": NOW, **changes}
    authenticated = authenticate_dc_api_request(protocol, data, **arguments)
    abilities = WalletAbilities(frozenset({"dc+sd-jwt"}))
    return accept_request(authenticated, trust=world.verifier_trust, abilities=abilities, now=NOW)


def signed(
    world: World, *, key: PrivateKey | None = None, audience: str | None = None, **changes: Any
) -> dict[str, Any]:
    unsigned = prepare_request_object(
        request_of(**changes), algorithm="ES256", issued_at=NOW, x5c=world.access_chain, audience=audience
    )
    return {"request": sign_now(unsigned, key or world.verifier)}


def multi_signed(world: World, *, first: PrivateKey | None = None, **changes: Any) -> dict[str, Any]:
    """Signed for a client that the wallet does not know, and for one that it does."""
    payload = prepare_multi_signed_payload(request_of(client_id=None, **changes))
    stranger = PrivateKey.generate()
    attestation = prepare_verifier_attestation(
        issuer="https://a.example",
        client_id="x",
        key=stranger.public.jwk,
        algorithm="ES256",
        issued_at=NOW,
        expires_at=NOW,
    )
    signatures = [
        sign_now(
            prepare_signature(
                payload,
                client_id="verifier_attestation:x",
                algorithm="ES256",
                attestation=sign_now(attestation, stranger),
                verifier_info=[{"format": "x", "data": "y"}],
            ),
            stranger,
        ),
        sign_now(
            prepare_signature(payload, client_id=CLIENT_ID, algorithm="ES256", x5c=world.access_chain),
            first or world.verifier,
        ),
    ]
    return join_signatures(payload, signatures)


def test_an_unsigned_request_is_known_by_its_origin_only(world: World) -> None:
    data = {
        **unsigned_request_data(request_of()),
        "client_id": "origin:https://evil.example",
        "expected_origins": ["x"],
    }

    authentic = receive(world, UNSIGNED, data)

    assert authentic.audience == f"origin:{ORIGIN}"
    assert authentic.client.identifier == ClientIdentifier(f"origin:{ORIGIN}", None, ORIGIN)
    assert (authentic.client.name, authentic.client.signed) == (ORIGIN, False)
    assert authentic.request.client_id is None
    assert authentic.request.expected_origins is None


def test_our_own_unsigned_request_leaves_out_what_must_not_be_there() -> None:
    assert {"client_id", "expected_origins"}.isdisjoint(unsigned_request_data(request_of()))


@pytest.mark.parametrize("audience", [None, "https://self-issued.me/v2"])
def test_a_signed_request_proves_the_client_and_names_its_origins(world: World, audience: str | None) -> None:
    authentic = receive(world, SIGNED, signed(world, audience=audience))

    assert authentic.client.identifier.full == CLIENT_ID
    assert authentic.audience == f"origin:{ORIGIN}"


def test_a_multi_signed_request_is_believed_for_the_client_that_the_wallet_knows(world: World) -> None:
    authentic = receive(world, MULTISIGNED, multi_signed(world))

    assert authentic.client.identifier.full == CLIENT_ID
    assert authentic.request.verifier_info is None


def test_each_signature_may_bring_attestations_of_its_own(world: World) -> None:
    payload = prepare_multi_signed_payload(request_of(client_id=None))
    info = [{"format": "registration_cert", "data": registration(world)}]
    own = {"client_id": CLIENT_ID, "algorithm": "ES256", "x5c": world.access_chain, "verifier_info": info}
    data = join_signatures(payload, [sign_now(prepare_signature(payload, **own), world.verifier)])

    found = receive(world, MULTISIGNED, data).registration
    assert [each.name for each in found.registrations] == ["Shop"]


@pytest.mark.parametrize("protocol", [SIGNED, MULTISIGNED])
def test_the_chain_of_an_access_certificate_is_remembered(world: World, protocol: str) -> None:
    cache = ChainCache()
    receive(world, protocol, signed(world) if protocol == SIGNED else multi_signed(world), cache=cache)

    assert len(cache) == 1


def test_http_origins_need_permission(world: World) -> None:
    data = signed(world, expected_origins=["http://localhost:8002"])
    with pytest.raises(InvalidRequest):
        receive(world, SIGNED, data, origin="http://localhost:8002")
    assert receive(world, SIGNED, data, origin="http://localhost:8002", allow_http=True)


def _in_payload(world: World) -> dict[str, Any]:
    payload = json_dumps(request_of().to_wire())
    signature = prepare_signature(payload, client_id=CLIENT_ID, algorithm="ES256", x5c=world.access_chain)
    return join_signatures(payload, [sign_now(signature, world.verifier)])


def _nobody_known(world: World) -> dict[str, Any]:
    data = multi_signed(world)
    return {**data, "signatures": data["signatures"][:1]}


def _without_client_id(world: World) -> dict[str, Any]:
    data = multi_signed(world)
    header = b64u_encode(json_dumps({"alg": "ES256", "typ": "oauth-authz-req+jwt"}))
    return {**data, "signatures": [{**data["signatures"][0], "protected": header}]}


DEFECTS: list[tuple[str, str, Any, type[ByoidError]]] = [
    ("unknown protocol", "openid4vp-v2-unsigned", lambda w: {}, InvalidRequest),
    (
        "unsigned by redirect mode",
        UNSIGNED,
        lambda w: request_of(response_mode="direct_post").to_wire(),
        InvalidRequest,
    ),
    ("unsigned without nonce", UNSIGNED, lambda w: {"response_type": "vp_token"}, MalformedInput),
    (
        "signed for another origin",
        SIGNED,
        lambda w: signed(w, expected_origins=["https://other.example"]),
        InvalidRequest,
    ),
    (
        "signed for the origin with a slash",
        SIGNED,
        lambda w: signed(w, expected_origins=[ORIGIN + "/"]),
        InvalidRequest,
    ),
    ("signed for no origin", SIGNED, lambda w: signed(w, expected_origins=None), InvalidRequest),
    ("an unsafe origin beside", SIGNED, lambda w: signed(w, expected_origins=[ORIGIN, "javascript:x"]), InvalidRequest),
    ("another audience", SIGNED, lambda w: signed(w, audience="https://other.example"), ClaimMismatch),
    ("signed by another key", SIGNED, lambda w: signed(w, key=PrivateKey.generate()), BadSignature),
    ("no request object", SIGNED, lambda w: {}, MalformedInput),
    (
        "multi-signed for another origin",
        MULTISIGNED,
        lambda w: multi_signed(w, expected_origins=["https://o.example"]),
        InvalidRequest,
    ),
    ("multi-signed by another key", MULTISIGNED, lambda w: multi_signed(w, first=PrivateKey.generate()), BadSignature),
    ("client id in the payload", MULTISIGNED, _in_payload, InvalidRequest),
    ("nobody who is known", MULTISIGNED, _nobody_known, UntrustedIssuer),
    ("no client id", MULTISIGNED, _without_client_id, MalformedInput),
    ("no signatures", MULTISIGNED, lambda w: {**multi_signed(w), "signatures": []}, MalformedInput),
    (
        "too many signatures",
        MULTISIGNED,
        lambda w: {"payload": "", "signatures": [{"protected": "", "signature": ""}] * 9},
        MalformedInput,
    ),
]


@pytest.mark.hostile
@pytest.mark.parametrize(("protocol", "make", "error"), [pytest.param(*case[1:], id=case[0]) for case in DEFECTS])
def test_a_request_that_breaks_a_rule_is_refused(
    world: World, protocol: str, make: Any, error: type[ByoidError]
) -> None:
    with pytest.raises(error):
        receive(world, protocol, make(world))


@pytest.mark.hostile
def test_a_signed_request_ages(world: World) -> None:
    from datetime import timedelta

    with pytest.raises(Expired):
        receive(world, SIGNED, signed(world), now=NOW + timedelta(hours=1))


def test_our_own_multi_signed_request_needs_origins() -> None:
    with pytest.raises(ValueError, match="expected_origins"):
        prepare_multi_signed_payload(request_of(expected_origins=None))


# --- responses


def test_a_response_has_no_state(world: World) -> None:
    assert dc_api_response(RESPONSE, None) == {"vp_token": {"pid": ["a~"]}}
    assert parse_dc_api_response({"vp_token": {"pid": ["a~"]}}, encrypted=False) == AuthorizationResponse(
        vp_token={"pid": ("a~",)}
    )


def test_an_encrypted_response_comes_as_response() -> None:
    key = PrivateKey.generate()
    jwk = {**key.public.jwk, "kid": "1", "alg": "ECDH-ES"}
    encryption = choose_response_encryption(parse_message(ClientMetadata, {"jwks": {"keys": [jwk]}}))

    found = parse_dc_api_response(dc_api_response(RESPONSE, encryption), encrypted=True)

    assert isinstance(found, EncryptedResponse)
    opened = decrypt_response(found, key, kid="1", enc=["A128GCM"])
    assert opened == AuthorizationResponse(vp_token={"pid": ("a~",)})


def test_an_error_is_its_code_alone() -> None:
    example = json.loads(
        Path("tests/vectors/openid4vp/digital_credentials_api/error_invalid_request.json").read_bytes()
    )
    error = ErrorResponse(error="invalid_request", error_description="why", state="s")
    assert dc_api_response(error, None) == example
    assert parse_dc_api_response(example, encrypted=True) == ErrorResponse(error="invalid_request")


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("data", "encrypted"),
    [
        ({}, False),
        ({}, True),
        ({"vp_token": {"pid": ["a~"]}}, True),
        ({"response": "x"}, False),
        ({"response": 1}, True),
        ({"response": "x"}, True),
    ],
)
def test_a_response_of_another_shape_is_malformed(data: dict[str, Any], encrypted: bool) -> None:
    with pytest.raises(MalformedInput):
        parse_dc_api_response(data, encrypted=encrypted)


def test_the_type_of_a_request_object_is_demanded_here_too(world: World) -> None:
    from byoid.jose import prepare_jws, x5c_header

    unsigned = prepare_jws(
        request_of().to_wire(), algorithm="ES256", typ="JWT", header={"x5c": x5c_header(world.access_chain)}
    )
    with pytest.raises(WrongType):
        receive(world, SIGNED, {"request": sign_now(unsigned, world.verifier)})
