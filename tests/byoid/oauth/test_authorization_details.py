from pathlib import Path

import pytest

from byoid.message import parse_message
from byoid.oauth.authorization_details import (
    authorization_details_parameter,
    parse_authorization_details,
    require_location,
)
from byoid.oauth.token import TokenResponse
from byoid.wire_errors import InvalidAuthorizationDetails

VECTORS = Path(__file__).parents[2] / "vectors" / "openid4vci"


@pytest.mark.parametrize("name", sorted(path.name for path in VECTORS.glob("authorization_details*.json")))
def test_the_examples_of_the_spec_are_understood(name: str) -> None:
    details = parse_authorization_details((VECTORS / name).read_text())

    assert parse_authorization_details(authorization_details_parameter(details)) == details


def test_unknown_members_never_make_details_invalid() -> None:
    text = '[{"type":"openid_credential","credential_configuration_id":"pid","other":{"a":1}}]'

    assert parse_authorization_details(text)[0].credential_configuration_id == "pid"


@pytest.mark.hostile
@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        "[1]",
        "[null]",
        '["openid_credential"]',
        '[{"credential_configuration_id":"pid"}, {"type":"payment"}]',
        '[{"type":"openid_credential"}]',
        '[{"type":"openid_credential","credential_configuration_id":1}]',
        '[{"type":"openid_credential","credential_configuration_id":"pid","claims":[]}]',
        '[{"type":"openid_credential","credential_configuration_id":"pid","claims":[{"path":[]}]}]',
        '[{"type":"openid_credential","credential_configuration_id":"pid","claims":[{"path":["a"]},{"path":["a"]}]}]',
        '[{"type":"openid_credential","credential_configuration_id":"pid","locations":[]}]',
        '[{"type":"openid_credential","type":"openid_credential","credential_configuration_id":"pid"}]',
    ],
)
def test_details_with_a_defect_are_refused(text: str) -> None:
    with pytest.raises(InvalidAuthorizationDetails):
        parse_authorization_details(text)


def test_locations_name_the_issuer_where_metadata_list_servers() -> None:
    details = parse_authorization_details((VECTORS / "authorization_details_with_as.json").read_text())

    require_location(details, credential_issuer="https://credential-issuer.example.com")
    with pytest.raises(InvalidAuthorizationDetails):
        require_location(details, credential_issuer="https://other.example")


@pytest.mark.hostile
def test_missing_locations_are_refused_where_metadata_list_servers() -> None:
    details = parse_authorization_details((VECTORS / "authorization_details.json").read_text())

    with pytest.raises(InvalidAuthorizationDetails):
        require_location(details, credential_issuer="https://credential-issuer.example.com")


def test_details_of_other_types_are_ignored_in_a_token_response() -> None:
    granted = {"type": "openid_credential", "credential_configuration_id": "pid", "credential_identifiers": ["a", "b"]}
    members = {"access_token": "t", "token_type": "DPoP", "authorization_details": [{"type": "payment"}, granted]}

    assert parse_message(TokenResponse, members).credential_identifiers == {"a": "pid", "b": "pid"}
    assert (
        parse_message(TokenResponse, {**members, "authorization_details": [{"type": "payment"}]}).credential_identifiers
        == {}
    )
