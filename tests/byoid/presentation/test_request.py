"""Request messages and the forms in which they come by URL: OpenID4VP 1.0 sections 5.1, 5.2, 5.10."""

import json
from pathlib import Path
from typing import Any

import pytest

from byoid.errors import ByoidError, MalformedInput
from byoid.message import parse_message
from byoid.presentation.request import (
    MAX_URI,
    AuthorizationRequest,
    ClientMetadata,
    RequestByReference,
    RequestByValue,
    WalletMetadata,
    parse_json_parameter,
    parse_request_parameters,
    require_https,
)
from byoid.wire_errors import InvalidRequest, InvalidRequestUriMethod
from tests.byoid.presentation.world import CLIENT_ID, NONCE, PID_QUERY, RESPONSE_URI, authorization_request

REFERENCE = {"client_id": CLIENT_ID, "request_uri": "https://verifier.example/r/1"}


@pytest.mark.parametrize("name", ["mso_mdoc", "sd_jwt_vc", "w3c_jwt"])
def test_the_metadata_of_the_spec_are_read(name: str) -> None:
    path = Path(f"tests/vectors/openid4vp/client_metadata/{name}_verifier_metadata.json")
    metadata = parse_message(ClientMetadata, path.read_bytes())
    assert metadata.vp_formats_supported == json.loads(path.read_bytes())["vp_formats_supported"]
    assert metadata.response_encs == ("A128GCM",)
    assert "encrypted_response_enc_values_supported" not in metadata.to_wire()


@pytest.mark.parametrize(("method", "expected"), [(None, "get"), ("get", "get"), ("post", "post")])
def test_a_request_by_reference(method: str | None, expected: str) -> None:
    parameters = {**REFERENCE, **({"request_uri_method": method} if method else {})}
    found = parse_request_parameters(parameters)
    assert found == RequestByReference(CLIENT_ID, REFERENCE["request_uri"], expected)  # type: ignore[arg-type]  # str


def test_a_request_by_value() -> None:
    assert parse_request_parameters({"client_id": CLIENT_ID, "request": "a.b.c"}) == RequestByValue(CLIENT_ID, "a.b.c")


def test_objects_are_json_texts_in_a_url() -> None:
    members = authorization_request(client_metadata={"vp_formats_supported": {}}).to_wire()
    parameters = {name: value if isinstance(value, str) else json.dumps(value) for name, value in members.items()}

    found = parse_request_parameters({**parameters, "unknown": "ignored"})

    assert isinstance(found, AuthorizationRequest)
    assert found.to_wire() == members


def test_loopback_is_allowed_only_if_asked_for() -> None:
    for uri in ("http://localhost:8002/r", "http://127.0.0.1/r", "http://[::1]:80/r"):
        parse_request_parameters({**REFERENCE, "request_uri": uri}, allow_loopback_http=True)
        with pytest.raises(MalformedInput):
            parse_request_parameters({**REFERENCE, "request_uri": uri})


URL_DEFECTS: list[tuple[str, dict[str, Any], type[ByoidError]]] = [
    ("request and request_uri", {**REFERENCE, "request": "a.b.c"}, InvalidRequest),
    ("request_uri_method alone", {"client_id": CLIENT_ID, "request_uri_method": "post"}, InvalidRequest),
    ("method in capitals", {**REFERENCE, "request_uri_method": "POST"}, InvalidRequestUriMethod),
    ("unknown method", {**REFERENCE, "request_uri_method": "put"}, InvalidRequestUriMethod),
    ("no client id", {"request_uri": REFERENCE["request_uri"]}, InvalidRequest),
    ("empty client id", {**REFERENCE, "client_id": ""}, InvalidRequest),
    ("http", {**REFERENCE, "request_uri": "http://verifier.example/r"}, MalformedInput),
    ("no host", {**REFERENCE, "request_uri": "https:///r"}, MalformedInput),
    ("another scheme", {**REFERENCE, "request_uri": "javascript:alert(1)"}, MalformedInput),
    ("user in the URL", {**REFERENCE, "request_uri": "https://verifier.example@evil.example/r"}, MalformedInput),
    ("fragment", {**REFERENCE, "request_uri": "https://verifier.example/r#x"}, MalformedInput),
    ("backslash", {**REFERENCE, "request_uri": "https://verifier.example\\@evil.example"}, MalformedInput),
    ("line end", {**REFERENCE, "request_uri": "https://verifier.example/\nr"}, MalformedInput),
    ("bad port", {**REFERENCE, "request_uri": "https://verifier.example:99999/"}, MalformedInput),
    ("too long", {**REFERENCE, "request_uri": "https://a.example/" + "a" * 2048}, MalformedInput),
    ("query that is no JSON", {"client_id": CLIENT_ID, "dcql_query": "{"}, MalformedInput),
]


@pytest.mark.hostile
@pytest.mark.parametrize(("parameters", "error"), [pytest.param(*case[1:], id=case[0]) for case in URL_DEFECTS])
def test_a_url_that_breaks_a_rule_is_refused(parameters: dict[str, str], error: type[ByoidError]) -> None:
    with pytest.raises(error):
        parse_request_parameters(parameters)


MESSAGE_DEFECTS: list[tuple[str, dict[str, Any]]] = [
    ("no nonce", {"nonce": None}),
    ("empty nonce", {"nonce": ""}),
    ("nonce outside the alphabet", {"nonce": "a b"}),
    ("nonce with a plus", {"nonce": "a+b"}),
    ("nonce too long", {"nonce": "a" * 1025}),
    ("state outside the alphabet", {"state": "a/b"}),
    ("another response type", {"response_type": "code"}),
    ("no response mode", {"response_mode": None}),
    ("neither query nor scope", {"dcql_query": None}),
    ("query and scope", {"scope": "x"}),
    ("empty transaction data", {"transaction_data": []}),
    ("transaction data a text", {"transaction_data": "x"}),
    ("empty verifier info", {"verifier_info": []}),
    ("verifier info without data", {"verifier_info": [{"format": "x"}]}),
    (
        "verifier info for another credential",
        {"verifier_info": [{"format": "x", "data": "y", "credential_ids": ["z"]}]},
    ),
    ("verifier info for no credential", {"verifier_info": [{"format": "x", "data": "y", "credential_ids": []}]}),
    ("keys without kid", {"client_metadata": {"jwks": {"keys": [{"kty": "EC"}]}}}),
    ("kid twice", {"client_metadata": {"jwks": {"keys": [{"kid": "1"}, {"kid": "1"}]}}}),
    ("no keys", {"client_metadata": {"jwks": {"keys": []}}}),
    ("empty enc list", {"client_metadata": {"encrypted_response_enc_values_supported": []}}),
    ("expected origins empty", {"expected_origins": []}),
    ("client id too long", {"client_id": "a" * 2049}),
]


@pytest.mark.hostile
@pytest.mark.parametrize("changes", [pytest.param(case[1], id=case[0]) for case in MESSAGE_DEFECTS])
def test_a_request_that_breaks_a_rule_is_malformed(changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedInput):
        authorization_request(**changes)


def test_iss_and_other_unknown_members_are_ignored() -> None:
    members = {**authorization_request().to_wire(), "iss": "https://somebody.example", "x": 1}
    assert parse_message(AuthorizationRequest, members) == authorization_request()


@pytest.mark.hostile
def test_a_request_by_scope_has_no_query() -> None:
    with pytest.raises(InvalidRequest):
        _ = authorization_request(dcql_query=None, scope="x").query


def test_wallet_metadata_come_as_a_form_parameter() -> None:
    form = {"wallet_metadata": json.dumps({"vp_formats_supported": {}, "unknown": 1}), "wallet_nonce": NONCE}
    metadata = parse_json_parameter(WalletMetadata, form, "wallet_metadata")
    assert metadata is not None
    assert metadata.client_id_prefixes_supported == ("pre-registered",)
    assert parse_json_parameter(WalletMetadata, {}, "wallet_metadata") is None
    assert (
        parse_message(AuthorizationRequest, {**authorization_request().to_wire(), "wallet_nonce": "x"}).encrypted
        is False
    )


def test_an_https_url_is_accepted_with_port_and_path() -> None:
    require_https("https://verifier.example:8443/a?b=c&X=Y", what="uri")
    require_https("https://verifier.example/".ljust(MAX_URI, "a"), what="uri")
    with pytest.raises(MalformedInput):
        require_https("https://verifier.example/".ljust(MAX_URI + 1, "a"), what="uri")
    with pytest.raises(MalformedInput):
        require_https("http://localhost/r", what="uri")
    with pytest.raises(MalformedInput):
        require_https(None, what="uri")
    with pytest.raises(MalformedInput):
        require_https("http://internal.example", what="uri", allow_loopback_http=True)
    with pytest.raises(MalformedInput):
        require_https("http://[::1", what="uri", allow_loopback_http=True)


def test_the_example_of_a_signed_dc_api_request_is_read() -> None:
    for name in ("signed_request_payload", "signed_request_payload_compact"):
        text = Path(f"tests/vectors/openid4vp/digital_credentials_api/{name}.json").read_text()
        members = json.loads(text.replace("{...}", json.dumps({"credentials": [PID_QUERY]})))
        assert parse_message(AuthorizationRequest, members).expected_origins == (
            "https://origin1.example.com",
            "https://origin2.example.com",
        )
    assert RESPONSE_URI
