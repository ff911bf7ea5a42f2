import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from byoid.errors import ClaimMismatch, MalformedInput
from byoid.issuance.metadata import CredentialIssuerMetadata
from byoid.issuance.offer import (
    HAIP_SCHEME,
    AuthorizationCodeGrant,
    CredentialOffer,
    Grants,
    OfferReference,
    PreAuthorizedCodeGrant,
    TransactionCode,
    credential_offer_link,
    parse_credential_offer,
    parse_credential_offer_link,
    parse_credential_offer_parameters,
    require_offered,
    select_authorization_servers,
)
from byoid.message import parse_message

VECTORS = Path(__file__).parents[2] / "vectors" / "openid4vci"
ISSUER = "https://issuer.example/tenant"
PRE_AUTHORIZED = "urn:ietf:params:oauth:grant-type:pre-authorized_code"


def offer(**changes: Any) -> CredentialOffer:
    members = {
        "credential_issuer": ISSUER,
        "credential_configuration_ids": ["pid", "mdl"],
        "grants": {
            "authorization_code": {"issuer_state": "i1"},
            PRE_AUTHORIZED: {"pre-authorized_code": "p1", "tx_code": {}},
            "urn:other:grant": {},
        },
        "other": 1,
        **changes,
    }
    return parse_message(CredentialOffer, json.dumps(members))


@pytest.mark.parametrize("name", sorted(path.name for path in VECTORS.glob("credential_offer_*")))
def test_the_examples_of_the_spec_are_understood_and_survive_a_link(name: str) -> None:
    text = (VECTORS / name).read_text()
    parsed = parse_credential_offer(text[text.index("{") :])

    assert parse_credential_offer_link(credential_offer_link(parsed)) == parsed


def test_a_transaction_code_is_needed_if_its_object_is_there_even_if_empty() -> None:
    grants = offer().grants
    assert grants is not None
    assert grants.pre_authorized_code is not None
    assert grants.pre_authorized_code.tx_code == TransactionCode(input_mode="numeric", length=None, description=None)
    assert grants.authorization_code == AuthorizationCodeGrant(issuer_state="i1")


@pytest.mark.parametrize("grants", [None, {}])
def test_grants_may_be_missing_or_empty(grants: object) -> None:
    assert offer(grants=grants).grants in (None, Grants())


@pytest.mark.parametrize(
    ("endpoint", "start"),
    [
        ("openid-credential-offer://", "openid-credential-offer://?credential_offer"),
        (HAIP_SCHEME, "haip-vci://?credential_offer"),
        ("https://wallet.example/offer", "https://wallet.example/offer?credential_offer"),
        ("https://wallet.example/offer?a=1", "https://wallet.example/offer?a=1&credential_offer"),
    ],
)
def test_a_link_is_made_for_schemes_and_wallet_endpoints(endpoint: str, start: str) -> None:
    reference = OfferReference("https://issuer.example/offers/1?x=1&y=2")

    for each in (offer(), reference):
        link = credential_offer_link(each, endpoint=endpoint)
        assert link.startswith(start)
        assert link.isascii()
        assert parse_credential_offer_link(link) == each


def test_the_example_link_of_the_spec_is_understood() -> None:
    link = (
        "openid-credential-offer://?credential_offer_uri=https%3A%2F%2Fserver%2Eexample%2Ecom%2Fcredential-offer"
        "%2FGkurKxf5T0Y-mnPFCHqWOMiZi4VS138cQO_V7PZHAdM"
    )

    assert parse_credential_offer_link(link) == OfferReference(
        "https://server.example.com/credential-offer/GkurKxf5T0Y-mnPFCHqWOMiZi4VS138cQO_V7PZHAdM"
    )


BY_VALUE = "credential_offer=" + quote(json.dumps({"credential_issuer": ISSUER, "credential_configuration_ids": ["a"]}))


@pytest.mark.hostile
@pytest.mark.parametrize(
    "query",
    [
        pytest.param("", id="nothing"),
        pytest.param("other=1", id="neither"),
        pytest.param(f"{BY_VALUE}&credential_offer_uri=https://issuer.example/1", id="both"),
        pytest.param(f"{BY_VALUE}&{BY_VALUE}", id="twice"),
        pytest.param("credential_offer=", id="empty"),
        pytest.param("credential_offer=text", id="no JSON"),
        pytest.param("credential_offer=%5B%5D", id="array"),
        pytest.param("credential_offer=eyJhbGciOiJub25lIn0.e30.", id="signed with none"),
        pytest.param("credential_offer_uri=http://issuer.example/1", id="reference without https"),
        pytest.param("credential_offer_uri=file:///etc/passwd", id="reference to a file"),
        pytest.param("credential_offer_uri=https://a@issuer.example/1", id="reference with user name"),
    ],
)
def test_a_link_with_a_defect_is_refused(query: str) -> None:
    with pytest.raises(MalformedInput):
        parse_credential_offer_link(f"openid-credential-offer://?{query}")


@pytest.mark.hostile
def test_what_is_no_link_or_no_text_is_refused() -> None:
    with pytest.raises(MalformedInput):
        parse_credential_offer_link("https://[::1?credential_offer={}")
    with pytest.raises(MalformedInput):
        parse_credential_offer_parameters({"credential_offer": ["{}"]})
    with pytest.raises(MalformedInput):
        parse_credential_offer(" " * (64 << 10) + "{}")


@pytest.mark.hostile
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"credential_issuer": None}, id="no issuer"),
        pytest.param({"credential_issuer": "http://issuer.example"}, id="issuer without https"),
        pytest.param({"credential_issuer": "https://issuer.example?x"}, id="issuer with query"),
        pytest.param({"credential_configuration_ids": None}, id="no ids"),
        pytest.param({"credential_configuration_ids": []}, id="empty ids"),
        pytest.param({"credential_configuration_ids": ["a", "a"]}, id="id twice"),
        pytest.param({"credential_configuration_ids": [1]}, id="id as number"),
        pytest.param({"grants": []}, id="grants as array"),
        pytest.param({"grants": {PRE_AUTHORIZED: {}}}, id="no pre-authorized code"),
        pytest.param({"grants": {PRE_AUTHORIZED: {"pre-authorized_code": ""}}}, id="empty pre-authorized code"),
        pytest.param(
            {"grants": {PRE_AUTHORIZED: {"pre-authorized_code": "p", "tx_code": {"input_mode": "voice"}}}},
            id="unknown input mode",
        ),
        pytest.param(
            {"grants": {PRE_AUTHORIZED: {"pre-authorized_code": "p", "tx_code": {"length": 0}}}}, id="length of zero"
        ),
        pytest.param(
            {"grants": {PRE_AUTHORIZED: {"pre-authorized_code": "p", "tx_code": {"description": "x" * 301}}}},
            id="description too long",
        ),
        pytest.param(
            {"grants": {PRE_AUTHORIZED: {"pre-authorized_code": "p", "tx_code": True}}}, id="tx_code as boolean"
        ),
    ],
)
def test_an_offer_with_a_defect_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedInput):
        offer(**changes)


@pytest.fixture
def metadata(metadata_members: dict[str, Any]) -> CredentialIssuerMetadata:
    metadata_members["authorization_servers"] = ["https://as1.example", "https://as2.example"]
    return parse_message(CredentialIssuerMetadata, metadata_members)


def test_an_offer_that_fits_its_issuer_is_accepted(metadata: CredentialIssuerMetadata) -> None:
    grants = Grants(
        pre_authorized_code=PreAuthorizedCodeGrant(pre_authorized_code="p1", authorization_server="https://as2.example")
    )

    assert require_offered(offer(), metadata=metadata)
    assert require_offered(offer(grants=None), metadata=metadata)
    assert require_offered(offer().model_copy(update={"grants": grants}), metadata=metadata)


@pytest.mark.hostile
@pytest.mark.parametrize(
    "changes",
    [
        {"credential_issuer": ISSUER + "/"},
        {"credential_configuration_ids": ["pid", "unknown"]},
        {"grants": {"authorization_code": {"authorization_server": "https://evil.example"}}},
        {"grants": {PRE_AUTHORIZED: {"pre-authorized_code": "p", "authorization_server": "https://as1.example/"}}},
    ],
    ids=["another issuer", "unknown configuration", "server not listed", "server nearly listed"],
)
def test_an_offer_that_does_not_fit_its_issuer_is_refused(
    metadata: CredentialIssuerMetadata, changes: dict[str, Any]
) -> None:
    with pytest.raises(ClaimMismatch):
        require_offered(offer(**changes), metadata=metadata)


def test_the_issuer_is_its_own_authorization_server_where_it_names_none(metadata_members: dict[str, Any]) -> None:
    metadata = parse_message(CredentialIssuerMetadata, metadata_members)

    assert select_authorization_servers(metadata, hint=None) == (ISSUER,)
    assert select_authorization_servers(metadata, hint=ISSUER) == (ISSUER,)


def test_the_hint_chooses_among_several_servers(metadata: CredentialIssuerMetadata) -> None:
    assert select_authorization_servers(metadata, hint=None) == ("https://as1.example", "https://as2.example")
    assert select_authorization_servers(metadata, hint="https://as2.example") == ("https://as2.example",)
