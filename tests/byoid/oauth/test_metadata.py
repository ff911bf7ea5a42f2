from typing import Any

import pytest

from byoid.errors import ClaimMismatch, MalformedInput, PeerError
from byoid.message import parse_message
from byoid.oauth.metadata import AuthorizationServerMetadata, metadata_url, require_haip, require_issuer

SERVER = "https://issuer.example/tenant"


def metadata(**changes: Any) -> AuthorizationServerMetadata:
    members = {
        "issuer": SERVER,
        "authorization_endpoint": f"{SERVER}/authorize",
        "token_endpoint": f"{SERVER}/token",
        "pushed_authorization_request_endpoint": f"{SERVER}/par",
        "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256"],
        "dpop_signing_alg_values_supported": ["ES256"],
        "authorization_response_iss_parameter_supported": True,
        "unknown": {"ignored": True},
        **changes,
    }
    return parse_message(AuthorizationServerMetadata, members)


def test_metadata_are_where_the_issuer_says() -> None:
    assert metadata_url(SERVER) == "https://issuer.example/.well-known/oauth-authorization-server/tenant"


def test_metadata_of_the_server_that_was_asked_are_used() -> None:
    assert require_issuer(metadata(), issuer=SERVER).issuer == SERVER
    assert require_haip(metadata(grant_types_supported=["authorization_code", "refresh_token"]))


def test_grants_have_the_default_of_the_rfc() -> None:
    assert metadata().grant_types == ("authorization_code", "implicit")


@pytest.mark.hostile
@pytest.mark.parametrize("issuer", [SERVER + "/", "https://ISSUER.example/tenant", "https://issuer.example"])
def test_another_issuer_is_refused_without_normalisation(issuer: str) -> None:
    with pytest.raises(ClaimMismatch):
        require_issuer(metadata(), issuer=issuer)


@pytest.mark.hostile
@pytest.mark.parametrize(
    "changes",
    [
        {"token_endpoint": None},
        {"authorization_endpoint": None},
        {"pushed_authorization_request_endpoint": None},
        {"code_challenge_methods_supported": ["plain"]},
        {"code_challenge_methods_supported": None},
        {"dpop_signing_alg_values_supported": ["RS256"]},
        {"dpop_signing_alg_values_supported": None},
        {"authorization_response_iss_parameter_supported": False},
        {"grant_types_supported": ["client_credentials"]},
    ],
)
def test_a_server_that_lacks_what_haip_demands_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(PeerError):
        require_haip(metadata(**changes))


@pytest.mark.hostile
@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": None},
        {"issuer": "http://issuer.example"},
        {"issuer": "https://issuer.example?x=1"},
        {"issuer": "https://issuer.example#x"},
        {"token_endpoint": "http://issuer.example/token"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"scopes_supported": "pid"},
        {"require_pushed_authorization_requests": "yes"},
    ],
)
def test_metadata_with_a_defect_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedInput):
        metadata(**changes)
