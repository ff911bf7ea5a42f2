from typing import Any

import pytest

from byoid.errors import ByoidError, MalformedInput, PeerError
from byoid.message import parse_message
from byoid.oauth.authorization_details import AuthorizationDetail
from byoid.oauth.form import parse_form, to_form
from byoid.oauth.token import (
    PRE_AUTHORIZED_CODE,
    AuthorizationCodeTokenRequest,
    PreAuthorizedCodeTokenRequest,
    RefreshTokenRequest,
    TokenRequest,
    TokenResponse,
    parse_token_request,
    require_tx_code,
    verify_token_response,
)
from byoid.wire_errors import InvalidAuthorizationDetails, InvalidRequest, UnsupportedGrantType

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
DETAILS = (AuthorizationDetail(credential_configuration_id="pid"),)


@pytest.mark.parametrize(
    "request_",
    [
        AuthorizationCodeTokenRequest(
            code="c1", redirect_uri="https://w.example/cb", code_verifier=VERIFIER, client_id="wallet"
        ),
        PreAuthorizedCodeTokenRequest(pre_authorized_code="p1", tx_code="493536", authorization_details=DETAILS),
        RefreshTokenRequest(refresh_token="r1", client_id="wallet", scope="pid"),
    ],
    ids=lambda request: type(request).__name__,
)
def test_what_the_wallet_sends_the_server_understands(request_: TokenRequest) -> None:
    assert parse_token_request(to_form(request_)) == request_


def test_the_example_of_openid4vci_is_understood() -> None:
    request = parse_token_request(
        parse_form(
            "grant_type=urn:ietf:params:oauth:grant-type:pre-authorized_code&pre-authorized_code=SplxlOBeZQQYbYS6WxSbIA"
            "&tx_code=493536&authorization_details=%5B%7B%22type%22%3A%20%22openid_credential%22%2C%20%22"
            "credential_configuration_id%22%3A%20%22UniversityDegreeCredential%22%7D%5D"
        )
    )

    assert isinstance(request, PreAuthorizedCodeTokenRequest)
    assert (request.pre_authorized_code, request.tx_code, request.client_id) == (
        "SplxlOBeZQQYbYS6WxSbIA",
        "493536",
        None,
    )


def test_an_empty_tx_code_counts_as_none() -> None:
    request = parse_token_request(parse_form(f"grant_type={PRE_AUTHORIZED_CODE}&pre-authorized_code=p1&tx_code="))

    assert isinstance(request, PreAuthorizedCodeTokenRequest)
    require_tx_code(request, expected=False)


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        pytest.param({}, InvalidRequest, id="no grant_type"),
        pytest.param({"grant_type": "password"}, UnsupportedGrantType, id="another grant"),
        pytest.param({"grant_type": "authorization_code", "redirect_uri": "x"}, InvalidRequest, id="no code"),
        pytest.param({"grant_type": "authorization_code", "code": "c"}, InvalidRequest, id="no redirect_uri"),
        pytest.param({"grant_type": PRE_AUTHORIZED_CODE}, InvalidRequest, id="no pre-authorized code"),
        pytest.param({"grant_type": "refresh_token"}, InvalidRequest, id="no refresh token"),
        pytest.param(
            {"grant_type": "refresh_token", "refresh_token": "r", "tx_code": "1"},
            InvalidRequest,
            id="tx_code elsewhere",
        ),
        pytest.param(
            {"grant_type": "refresh_token", "refresh_token": "r", "authorization_details": "x"},
            InvalidAuthorizationDetails,
            id="broken details",
        ),
    ],
)
def test_a_request_with_a_defect_is_refused(parameters: dict[str, Any], error: type[ByoidError]) -> None:
    with pytest.raises(error) as raised:
        parse_token_request(parameters)

    assert raised.type is error


@pytest.mark.hostile
@pytest.mark.parametrize(("tx_code", "expected"), [(None, True), ("", True), ("1234", False)])
def test_a_transaction_code_comes_exactly_where_it_was_announced(tx_code: str | None, expected: bool) -> None:
    request = PreAuthorizedCodeTokenRequest(pre_authorized_code="p1", tx_code=tx_code)

    with pytest.raises(InvalidRequest):
        require_tx_code(request, expected=expected)


@pytest.mark.parametrize(("tx_code", "expected"), [("1234", True), (None, False), ("", False)])
def test_a_transaction_code_where_it_was_announced_is_accepted(tx_code: str | None, expected: bool) -> None:
    require_tx_code(PreAuthorizedCodeTokenRequest(pre_authorized_code="p1", tx_code=tx_code), expected=expected)


def response(**changes: Any) -> TokenResponse:
    return parse_message(TokenResponse, {"access_token": "t", "token_type": "DPoP", "expires_in": 300, **changes})


def test_the_token_type_counts_without_case() -> None:
    assert verify_token_response(response(token_type="dpop"), token_type="DPoP").access_token == "t"


def test_identifiers_must_come_where_details_were_requested() -> None:
    granted = {"type": "openid_credential", "credential_configuration_id": "pid", "credential_identifiers": ["a"]}

    assert verify_token_response(
        response(authorization_details=[granted]), token_type="DPoP", details_requested=True
    ).credential_identifiers == {"a": "pid"}
    with pytest.raises(PeerError):
        verify_token_response(response(), token_type="DPoP", details_requested=True)


@pytest.mark.hostile
def test_a_downgrade_to_bearer_is_refused() -> None:
    with pytest.raises(PeerError):
        verify_token_response(response(token_type="Bearer"), token_type="DPoP")


@pytest.mark.hostile
@pytest.mark.parametrize(
    "changes",
    [
        {"access_token": ""},
        {"access_token": None},
        {"token_type": None},
        {"expires_in": 0},
        {"expires_in": "300"},
        {"authorization_details": "text"},
        {"authorization_details": [1]},
        {"authorization_details": [{"type": "openid_credential", "credential_configuration_id": "pid"}]},
        {
            "authorization_details": [
                {"type": "openid_credential", "credential_configuration_id": "pid", "credential_identifiers": []}
            ]
        },
    ],
)
def test_a_response_with_a_defect_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedInput):
        response(**changes)
