"""Responses: OpenID4VP 1.0 sections 8.1 to 8.3 and 8.5, with the encrypted response of the spec."""

import json
from pathlib import Path
from typing import Any

import pytest

from byoid.encoding import json_dumps
from byoid.errors import BadSignature, ByoidError, ClaimMismatch, MalformedInput, WrongType
from byoid.jose import encrypt, parse_jwe
from byoid.keys import PrivateKey
from byoid.message import parse_message
from byoid.presentation.request import ClientMetadata
from byoid.presentation.response import (
    AuthorizationResponse,
    DirectPostAnswer,
    EncryptedResponse,
    ErrorResponse,
    choose_response_encryption,
    decrypt_response,
    encrypt_response,
    parse_encrypted_response,
    parse_form,
    require_state,
    to_form,
)
from byoid.wire_errors import InvalidRequest

VECTOR = json.loads(Path("tests/vectors/openid4vp/encrypted_response.json").read_bytes())
KEY = PrivateKey.generate()
JWK = {**KEY.public.jwk, "kid": "1", "alg": "ECDH-ES", "use": "enc"}
RESPONSE = AuthorizationResponse(vp_token={"pid": ("a~", "b~")}, state="s")


def metadata(*keys: dict[str, Any], **members: Any) -> ClientMetadata:
    return parse_message(ClientMetadata, {"jwks": {"keys": list(keys)}, **members})


def test_the_response_of_the_spec_opens_with_its_key() -> None:
    form = {"response": VECTOR["response"]}
    encrypted = parse_form(form, encrypted=True)
    assert isinstance(encrypted, EncryptedResponse)

    opened = decrypt_response(encrypted, PrivateKey.from_jwk(VECTOR["private_jwk"]), kid="ac", enc=["A128GCM"])

    assert opened == AuthorizationResponse(vp_token={"example_credential_id": ("eyJhb...YMetA",)})


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (None, "A128GCM"),
        (["A128GCM"], "A128GCM"),
        (["A128GCM", "A256GCM"], "A256GCM"),
        (["A256GCM"], "A256GCM"),
        (["A128CBC-HS256", "A128GCM"], "A128GCM"),
    ],
)
def test_a_wallet_encrypts_with_the_better_algorithm_and_names_the_key(offered: Any, chosen: str) -> None:
    members = {} if offered is None else {"encrypted_response_enc_values_supported": offered}
    encryption = choose_response_encryption(metadata(JWK, **members))

    jwe = encrypt_response(RESPONSE, encryption)

    header = parse_jwe(jwe).header
    assert (header["enc"], header["kid"], header["alg"]) == (chosen, "1", "ECDH-ES")
    assert encryption.thumbprint == KEY.public.thumbprint
    opened = decrypt_response(parse_encrypted_response(jwe), KEY, kid="1", enc=[chosen])
    assert opened == RESPONSE


def test_keys_that_are_for_another_use_are_passed_over() -> None:
    others = [
        {"kty": "OKP", "kid": "a", "crv": "X25519", "alg": "ECDH-ES", "x": "x"},
        {**JWK, "kid": "b", "use": "sig"},
        {**JWK, "kid": "c", "alg": "ECDH-ES+A256KW"},
        {name: value for name, value in {**JWK, "kid": "d"}.items() if name != "alg"},
        {**JWK, "kid": "e", "x": "AAAA"},
        {**PrivateKey.generate("P-384").public.jwk, "kid": "f", "alg": "ECDH-ES"},
    ]
    without_use = {name: value for name, value in JWK.items() if name != "use"}
    assert choose_response_encryption(metadata(*others, without_use)).key["kid"] == "1"
    with pytest.raises(InvalidRequest):
        choose_response_encryption(metadata(*others))


@pytest.mark.hostile
def test_there_must_be_a_key_and_an_algorithm() -> None:
    with pytest.raises(InvalidRequest):
        choose_response_encryption(ClientMetadata())
    with pytest.raises(InvalidRequest):
        choose_response_encryption(metadata(JWK, encrypted_response_enc_values_supported=["A128CBC-HS256"]))


def test_a_form_holds_json_texts() -> None:
    form = to_form(RESPONSE)
    assert form == {"vp_token": '{"pid":["a~","b~"]}', "state": "s"}
    assert parse_form(form, encrypted=False) == RESPONSE
    assert parse_form({**form, "unknown": "x"}, encrypted=False) == RESPONSE


@pytest.mark.parametrize("encrypted", [False, True])
def test_an_error_may_come_in_the_clear(encrypted: bool) -> None:
    error = ErrorResponse(error="access_denied", error_description="no", state="s")
    assert parse_form(to_form(error), encrypted=encrypted) == error


def test_an_error_may_come_encrypted() -> None:
    encryption = choose_response_encryption(metadata(JWK))
    jwe = encrypt_response(ErrorResponse(error="access_denied"), encryption)
    opened = decrypt_response(parse_encrypted_response(jwe), KEY, kid="1", enc=["A128GCM"])
    assert opened == ErrorResponse(error="access_denied")


FORMS: list[tuple[str, dict[str, str], bool]] = [
    ("nothing", {}, False),
    ("state alone", {"state": "s"}, False),
    ("no JSON", {"vp_token": "{"}, False),
    ("an array", {"vp_token": "[]"}, False),
    ("empty", {"vp_token": "{}"}, False),
    ("no array of presentations", {"vp_token": '{"pid":"a~"}'}, False),
    ("an empty array", {"vp_token": '{"pid":[]}'}, False),
    ("a member twice", {"vp_token": '{"pid":["a~"],"pid":["b~"]}'}, False),
    ("in the clear", {"vp_token": '{"pid":["a~"]}'}, True),
    ("encrypted unasked", {"response": VECTOR["response"]}, False),
    ("not a JWE", {"response": "a.b.c"}, True),
    ("an error outside the alphabet", {"error": 'a"b'}, False),
    ("an empty error", {"error": ""}, False),
]


@pytest.mark.hostile
@pytest.mark.parametrize(("form", "encrypted"), [pytest.param(*case[1:], id=case[0]) for case in FORMS])
def test_a_form_of_another_shape_is_malformed(form: dict[str, str], encrypted: bool) -> None:
    with pytest.raises(MalformedInput):
        parse_form(form, encrypted=encrypted)


def _jwe(plaintext: bytes, **changes: Any) -> str:
    return encrypt(plaintext, {**JWK, **changes.pop("jwk", {})}, enc=changes.pop("enc", "A128GCM"))


GOOD = json_dumps({"vp_token": {"pid": ["a~"]}})
JWES: list[tuple[str, str, type[ByoidError]]] = [
    ("another key's name", _jwe(GOOD, jwk={"kid": "2"}), ClaimMismatch),
    ("another key", _jwe(GOOD, jwk=PrivateKey.generate().public.jwk), BadSignature),
    ("an algorithm that was not offered", _jwe(GOOD, enc="A256GCM"), WrongType),
    ("tampered with", _jwe(GOOD)[:-3] + "AAA", BadSignature),
    ("no JSON inside", _jwe(b"junk"), MalformedInput),
    ("no response inside", _jwe(b"{}"), MalformedInput),
]


@pytest.mark.hostile
@pytest.mark.parametrize(("jwe", "error"), [pytest.param(*case[1:], id=case[0]) for case in JWES])
def test_an_encrypted_response_that_breaks_a_rule_is_refused(jwe: str, error: type[ByoidError]) -> None:
    with pytest.raises(error):
        decrypt_response(parse_encrypted_response(jwe), KEY, kid="1", enc=["A128GCM"])


@pytest.mark.hostile
def test_an_encrypted_response_must_name_its_key() -> None:
    nameless = {name: value for name, value in JWK.items() if name != "kid"}
    with pytest.raises(MalformedInput):
        parse_encrypted_response(encrypt(GOOD, nameless, enc="A128GCM"))


def test_the_state_must_come_back() -> None:
    require_state(RESPONSE, "s")
    require_state(RESPONSE, None)
    for response in (AuthorizationResponse(vp_token={"pid": ("a~",)}), ErrorResponse(error="x", state="t")):
        with pytest.raises(ClaimMismatch):
            require_state(response, "s")


def test_the_answer_of_the_verifier_may_redirect() -> None:
    uri = "https://verifier.example/cb#response_code=091535f699ea575c7937fa5f0f454aee"
    assert parse_message(DirectPostAnswer, {"redirect_uri": uri, "unknown": 1}).redirect_uri == uri
    assert DirectPostAnswer().to_wire() == {}


def test_a_response_may_be_larger_than_other_messages() -> None:
    """Portraits make presentations large: 4 MiB are read, where a message has one."""
    large = AuthorizationResponse(vp_token={"pid": ("a" * (2 << 20),)})
    jwe = encrypt_response(large, choose_response_encryption(metadata(JWK)))

    assert parse_form(to_form(large), encrypted=False) == large
    assert decrypt_response(parse_encrypted_response(jwe), KEY, kid="1", enc=["A128GCM"]) == large
