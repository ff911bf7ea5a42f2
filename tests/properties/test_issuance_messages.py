"""Whatever comes over the wire: a message, or one of our own errors, and never anything else."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byoid.errors import ByoidError
from byoid.issuance.credential import CredentialResponse, parse_credential_request
from byoid.issuance.deferred import parse_deferred_credential_request
from byoid.issuance.metadata import CredentialIssuerMetadata
from byoid.issuance.notification import parse_notification_request
from byoid.issuance.offer import (
    CredentialOffer,
    Grants,
    OfferReference,
    PreAuthorizedCodeGrant,
    TransactionCode,
    credential_offer_link,
    parse_credential_offer,
    parse_credential_offer_link,
)
from byoid.issuance.reuse_policy import parse_reuse_policy
from byoid.jose import prepare_jws
from byoid.keys import PrivateKey
from byoid.message import parse_message
from byoid.oauth.authorization import parse_authorization_request
from byoid.oauth.authorization_details import parse_authorization_details
from byoid.oauth.dpop import verify_dpop_proof
from byoid.oauth.error_response import peer_error
from byoid.oauth.form import parse_form
from byoid.oauth.token import TokenResponse, parse_token_request
from byoid.signing import sign_now

NOW = datetime(2026, 11, 22, tzinfo=UTC)
KEY = PrivateKey.generate()
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
NAMES = st.sampled_from(
    """
    credential_issuer credential_configuration_ids grants credential_endpoint display proofs jwt attestation
    credential_identifier credential_configuration_id credential_response_encryption jwk enc credentials
    transaction_id interval notification_id event access_token token_type id options details
    credential_configurations_supported format type path claims authorization_details tx_code jti htm htu iat ath
    nonce grant_type code client_id redirect_uri response_type
    """.split()
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT | NAMES
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=6)

PARSERS: list[Callable[[str], object]] = [
    parse_credential_offer,
    parse_credential_request,
    parse_deferred_credential_request,
    parse_notification_request,
    parse_authorization_details,
    lambda text: parse_message(CredentialIssuerMetadata, text),
    lambda text: parse_message(CredentialResponse, text),
    lambda text: parse_message(TokenResponse, text),
    lambda text: parse_reuse_policy(json.loads(text)),
]


@pytest.mark.hostile
@given(OBJECTS)
def test_any_json_is_a_message_or_an_error_of_ours(members: dict[str, Any]) -> None:
    text = json.dumps(members)
    for parse in PARSERS:
        try:
            parse(text)
        except ByoidError as error:
            assert not any(
                len(value) > 12 and value in str(error) for value in members.values() if isinstance(value, str)
            )


@pytest.mark.hostile
@given(st.binary(max_size=80))
def test_any_bytes_are_a_form_or_an_error_of_ours(body: bytes) -> None:
    assert peer_error(status=400, body=body).status == 400
    try:
        form = parse_form(body)
    except ByoidError:
        return
    for parse in (parse_authorization_request, parse_token_request):
        try:
            parse(form)
        except ByoidError:
            continue


@pytest.mark.hostile
@given(OBJECTS, OBJECTS)
def test_any_signed_object_is_no_dpop_proof_and_raises_an_error_of_ours(
    header: dict[str, Any], claims: dict[str, Any]
) -> None:
    jwt = sign_now(
        prepare_jws(claims, algorithm="ES256", typ="dpop+jwt", header={"jwk": KEY.public.jwk, **header}), KEY
    )

    with pytest.raises(ByoidError):
        verify_dpop_proof(jwt, method="POST", url="https://issuer.example", now=NOW, nonces=())


@given(st.dictionaries(TEXT, TEXT, max_size=8))
def test_a_form_comes_back_as_it_went(members: dict[str, str]) -> None:
    members.pop("resource", None)

    assert parse_form(urlencode(members)) == members


@given(
    st.lists(TEXT, min_size=1, max_size=4, unique=True),
    TEXT,
    st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=300),
)
def test_an_offer_survives_its_link(ids: list[str], code: str, description: str | None) -> None:
    grant = PreAuthorizedCodeGrant(pre_authorized_code=code, tx_code=TransactionCode(description=description))
    offer = CredentialOffer(
        credential_issuer="https://issuer.example",
        credential_configuration_ids=tuple(ids),
        grants=Grants(pre_authorized_code=grant),
    )

    assert parse_credential_offer_link(credential_offer_link(offer)) == offer
    assert not isinstance(parse_credential_offer_link(credential_offer_link(offer)), OfferReference)
