from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from byoid.encoding import json_dumps
from byoid.errors import ByoidError, ClaimMismatch, MalformedInput, PeerError
from byoid.message import parse_message
from byoid.oauth.authorization import (
    AuthorizationRequest,
    AuthorizationResponse,
    PushedAuthorizationResponse,
    authorization_response_url,
    authorization_url,
    parse_authorization_request,
    require_redirect_uri,
    verify_authorization_response,
)
from byoid.oauth.authorization_details import AuthorizationDetail
from byoid.oauth.form import parse_form, to_form
from byoid.wire_errors import (
    InvalidAuthorizationDetails,
    InvalidRequest,
    RequestNotSupported,
    UnsupportedResponseType,
)

CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
SERVER = "https://issuer.example"


def parameters(**changes: Any) -> dict[str, Any]:
    honest = {
        "response_type": "code",
        "client_id": "wallet",
        "redirect_uri": "https://wallet.example/cb",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        "state": "s1",
        "scope": "pid other",
        "issuer_state": "i1",
        "unknown": "ignored",
        **changes,
    }
    return {name: value for name, value in honest.items() if value is not None}


def test_a_request_is_parsed_and_unknown_parameters_are_ignored() -> None:
    request = parse_authorization_request(parameters())

    assert request.scopes == ("pid", "other")
    assert (request.state, request.issuer_state, request.authorization_details) == ("s1", "i1", None)


def test_what_the_wallet_sends_the_server_understands() -> None:
    request = AuthorizationRequest(
        client_id="wallet",
        redirect_uri="org.example.wallet:/cb",
        code_challenge=CHALLENGE,
        authorization_details=(AuthorizationDetail(credential_configuration_id="pid", locations=(SERVER,)),),
        resource=(SERVER,),
        dpop_jkt=CHALLENGE,
    )

    assert parse_authorization_request(parse_form(urlencode(to_form(request), doseq=True))) == request
    assert request.scopes == ()


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({"response_type": None}, InvalidRequest, id="no response_type"),
        pytest.param({"response_type": "token"}, UnsupportedResponseType, id="implicit"),
        pytest.param({"client_id": None}, InvalidRequest, id="no client_id"),
        pytest.param({"redirect_uri": None}, InvalidRequest, id="no redirect_uri"),
        pytest.param({"redirect_uri": "/cb"}, InvalidRequest, id="relative redirect_uri"),
        pytest.param({"redirect_uri": "javascript:alert(1)"}, InvalidRequest, id="redirect_uri that runs"),
        pytest.param({"redirect_uri": "http://wallet.example/cb"}, InvalidRequest, id="redirect_uri in clear"),
        pytest.param({"redirect_uri": "http://localhost.example/cb"}, InvalidRequest, id="redirect_uri like loopback"),
        pytest.param({"redirect_uri": "https:///cb"}, InvalidRequest, id="redirect_uri without host"),
        pytest.param({"redirect_uri": "https://wallet.example@evil/cb"}, InvalidRequest, id="redirect_uri with user"),
        pytest.param({"redirect_uri": "mailto:ada@wallet.example"}, InvalidRequest, id="redirect_uri that sends"),
        pytest.param({"redirect_uri": "https://wallet.example/cb#x"}, InvalidRequest, id="redirect_uri with fragment"),
        pytest.param({"redirect_uri": "https://wallet.example/\n"}, InvalidRequest, id="redirect_uri with line end"),
        pytest.param({"redirect_uri": "https://[wallet/"}, InvalidRequest, id="redirect_uri that is none"),
        pytest.param({"code_challenge": None}, InvalidRequest, id="no PKCE"),
        pytest.param({"code_challenge": "short"}, InvalidRequest, id="challenge too short"),
        pytest.param({"code_challenge": CHALLENGE + "\n"}, InvalidRequest, id="challenge with line end"),
        pytest.param({"code_challenge_method": "plain"}, InvalidRequest, id="PKCE plain"),
        pytest.param({"code_challenge_method": None}, InvalidRequest, id="PKCE plain by default"),
        pytest.param({"request_uri": "urn:x"}, InvalidRequest, id="request_uri pushed"),
        pytest.param({"request": "a.b.c"}, RequestNotSupported, id="request object"),
        pytest.param({"resource": ["http://issuer.example"]}, InvalidRequest, id="resource without https"),
        pytest.param({"dpop_jkt": "short"}, InvalidRequest, id="dpop_jkt that is no thumbprint"),
        pytest.param({"authorization_details": "{}"}, InvalidAuthorizationDetails, id="details no array"),
        pytest.param(
            {"authorization_details": '[{"type":"x"}]'}, InvalidAuthorizationDetails, id="details of another type"
        ),
    ],
)
def test_a_request_with_a_defect_is_refused(changes: dict[str, Any], error: type[ByoidError]) -> None:
    with pytest.raises(error) as raised:
        parse_authorization_request(parameters(**changes))

    assert raised.type is error


def test_the_browser_is_sent_with_the_client_and_the_pushed_request_only() -> None:
    url = authorization_url(f"{SERVER}/authorize", client_id="wallet", request_uri="urn:x:1")

    assert url == f"{SERVER}/authorize?client_id=wallet&request_uri=urn%3Ax%3A1"
    assert authorization_url(f"{SERVER}/a?x=1", client_id="w", request_uri="u").startswith(f"{SERVER}/a?x=1&client_id=")


@pytest.mark.hostile
@pytest.mark.parametrize("changes", [{"expires_in": 0}, {"expires_in": "60"}, {"request_uri": ""}])
def test_a_pushed_response_with_a_defect_is_refused(changes: dict[str, Any]) -> None:
    members = {"request_uri": "urn:x:1", "expires_in": 60}

    assert parse_message(PushedAuthorizationResponse, json_dumps(members)).expires_in == 60
    with pytest.raises(MalformedInput):
        parse_message(PushedAuthorizationResponse, json_dumps({**members, **changes}))


def response(**changes: Any) -> AuthorizationResponse:
    return parse_message(AuthorizationResponse, {"code": "c1", "state": "s1", "iss": SERVER, **changes})


def test_the_code_of_our_own_request_is_returned() -> None:
    url = authorization_response_url("https://wallet.example/cb", response())
    again = parse_message(AuthorizationResponse, parse_form(urlsplit(url).query))

    assert url == "https://wallet.example/cb?code=c1&state=s1&iss=https%3A%2F%2Fissuer.example"
    assert verify_authorization_response(again, state="s1", issuer=SERVER) == "c1"
    assert authorization_response_url("https://w.example/?a=1", response()).startswith("https://w.example/?a=1&code=")


def test_iss_may_be_missing_only_where_the_server_does_not_announce_it() -> None:
    assert verify_authorization_response(response(iss=None), state="s1", issuer=SERVER, iss_supported=False) == "c1"


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({"state": None}, ClaimMismatch, id="no state"),
        pytest.param({"state": "s2"}, ClaimMismatch, id="another state"),
        pytest.param({"iss": None}, ClaimMismatch, id="no iss"),
        pytest.param({"iss": SERVER + "/"}, ClaimMismatch, id="nearly the issuer"),
        pytest.param({"iss": "https://evil.example", "error": "access_denied"}, ClaimMismatch, id="error of another"),
        pytest.param({"error": "access_denied"}, PeerError, id="error"),
        pytest.param({"code": None}, PeerError, id="no code"),
        pytest.param({"code": ""}, PeerError, id="empty code"),
    ],
)
def test_a_response_that_does_not_answer_our_request_is_refused(
    changes: dict[str, Any], error: type[ByoidError]
) -> None:
    with pytest.raises(error):
        verify_authorization_response(response(**changes), state="s1", issuer=SERVER)


@pytest.mark.hostile
def test_another_iss_is_refused_even_where_the_server_does_not_announce_it() -> None:
    with pytest.raises(ClaimMismatch):
        verify_authorization_response(
            response(iss="https://evil.example"), state="s1", issuer=SERVER, iss_supported=False
        )


def test_the_error_of_the_server_is_named() -> None:
    with pytest.raises(PeerError) as raised:
        verify_authorization_response(response(code=None, error="access_denied"), state="s1", issuer=SERVER)

    assert raised.value.code == "access_denied"


@pytest.mark.parametrize(
    "uri",
    [
        "https://wallet.example/cb?x=1",
        "http://127.0.0.1:5555/cb",
        "http://[::1]/cb",
        "org.example.wallet:/cb",
        "eudi://cb",
    ],
)
def test_a_code_may_go_to_https_to_an_application_or_to_this_machine(uri: str) -> None:
    assert require_redirect_uri(uri) == uri
