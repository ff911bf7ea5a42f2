import json
from pathlib import Path
from typing import Any

import pytest

from byoid.errors import ByoidError, MalformedInput, PeerError
from byoid.issuance.credential import (
    CredentialRequest,
    CredentialResponse,
    parse_credential_request,
    select_configuration_id,
    verify_credential_response,
)
from byoid.issuance.deferred import (
    DeferredCredentialRequest,
    parse_deferred_credential_request,
    verify_deferred_credential_response,
)
from byoid.issuance.nonce import NonceResponse
from byoid.issuance.notification import NotificationRequest, parse_notification_request
from byoid.issuance.proofs import Proofs
from byoid.message import parse_message
from byoid.wire_errors import (
    InvalidCredentialRequest,
    InvalidEncryptionParameters,
    InvalidNotificationRequest,
    InvalidProof,
    UnknownCredentialConfiguration,
    UnknownCredentialIdentifier,
)

VECTORS = Path(__file__).parents[2] / "vectors" / "openid4vci"


def wire(message: Any) -> bytes:
    return json.dumps(message.to_wire()).encode()


def test_what_the_wallet_asks_the_issuer_understands() -> None:
    request = CredentialRequest(credential_configuration_id="pid", proofs=Proofs(jwt=("a.b.c",)))

    assert wire(request) == b'{"credential_configuration_id": "pid", "proofs": {"jwt": ["a.b.c"]}}'
    assert parse_credential_request(wire(request)) == request


def test_unknown_members_of_a_request_are_ignored() -> None:
    assert parse_credential_request(b'{"credential_identifier":"a","format":"x"}').credential_identifier == "a"


ENCRYPTION = {"jwk": {"kty": "EC"}, "enc": "A128GCM"}


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("members", "error"),
    [
        pytest.param({}, InvalidCredentialRequest, id="no name"),
        pytest.param(
            {"credential_identifier": "a", "credential_configuration_id": "b"}, InvalidCredentialRequest, id="two names"
        ),
        pytest.param({"credential_identifier": 1}, InvalidCredentialRequest, id="name as number"),
        pytest.param({"proofs": {"di_vp": [{}]}}, InvalidProof, id="di_vp"),
        pytest.param({"proofs": {"jwt": ["a"], "attestation": ["b"]}}, InvalidProof, id="two types of proof"),
        pytest.param({"proofs": {"jwt": []}}, InvalidProof, id="no proof in proofs"),
        pytest.param({"proofs": "text"}, InvalidProof, id="proofs no object"),
        pytest.param({"credential_response_encryption": {}}, InvalidEncryptionParameters, id="empty encryption"),
        pytest.param(
            {"credential_response_encryption": {**ENCRYPTION, "enc": None}}, InvalidEncryptionParameters, id="no enc"
        ),
        pytest.param(
            {"credential_response_encryption": {**ENCRYPTION, "jwk": "x"}},
            InvalidEncryptionParameters,
            id="jwk no object",
        ),
        pytest.param({"credential_response_encryption": []}, InvalidEncryptionParameters, id="encryption no object"),
    ],
)
def test_a_request_with_a_defect_gets_its_own_error(members: dict[str, Any], error: type[ByoidError]) -> None:
    name = {} if error is InvalidCredentialRequest else {"credential_configuration_id": "pid"}

    with pytest.raises(error) as raised:
        parse_credential_request(json.dumps({**name, **members}))

    assert raised.type is error


@pytest.mark.hostile
@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b'{"credential_identifier":"a","credential_identifier":"b"}'])
def test_a_body_that_is_no_object_is_an_invalid_request(body: bytes) -> None:
    with pytest.raises(InvalidCredentialRequest):
        parse_credential_request(body)


@pytest.mark.hostile
def test_the_old_shape_of_a_request_is_refused() -> None:
    with pytest.raises(InvalidCredentialRequest):  # as before 1.0: named by format, no configuration id
        parse_credential_request((VECTORS / "credential_request_iso_mdl.json").read_bytes())


def test_a_request_is_named_as_the_token_response_demands() -> None:
    by_identifier = CredentialRequest(credential_identifier="a")
    by_configuration = CredentialRequest(credential_configuration_id="pid")

    assert select_configuration_id(by_identifier, identifiers={"a": "pid"}, configuration_ids=()) == "pid"
    assert select_configuration_id(by_configuration, identifiers={}, configuration_ids=("pid",)) == "pid"
    with pytest.raises(UnknownCredentialIdentifier):
        select_configuration_id(by_identifier, identifiers={"b": "pid"}, configuration_ids=("pid",))
    with pytest.raises(UnknownCredentialIdentifier):
        select_configuration_id(by_identifier, identifiers={}, configuration_ids=("pid",))
    with pytest.raises(InvalidCredentialRequest):
        select_configuration_id(by_configuration, identifiers={"a": "pid"}, configuration_ids=("pid",))
    with pytest.raises(UnknownCredentialConfiguration):
        select_configuration_id(by_configuration, identifiers={}, configuration_ids=("mdl",))


ISSUED = {"credentials": [{"credential": "a"}, {"credential": {"b": 1}}], "notification_id": "n1"}
DEFERRED = {"transaction_id": "t1", "interval": 5}


@pytest.mark.parametrize("name", ["credential_response_sd_jwt_vc.txt", "credential_response_mso_mdoc.txt"])
def test_the_examples_of_responses_are_understood(name: str) -> None:
    body = (VECTORS / name).read_text().split("\n\n", 1)[1].replace("\n", "")

    assert parse_message(CredentialResponse, body).status == 200


def test_a_response_tells_its_status() -> None:
    issued, deferred = parse_message(CredentialResponse, ISSUED), parse_message(CredentialResponse, DEFERRED)

    assert verify_credential_response(issued, status=200, keys=2) is issued
    assert verify_credential_response(issued, status=200, keys=None) is issued
    assert verify_credential_response(deferred, status=202, keys=1) is deferred


@pytest.mark.hostile
@pytest.mark.parametrize(
    "members",
    [
        {},
        {**ISSUED, **DEFERRED},
        {"credentials": []},
        {"credentials": [{}]},
        {"credentials": ["a"]},
        {"credentials": [{"credential": ""}]},
        {"credentials": [{"credential": "a"}], "interval": 5},
        {"transaction_id": "t1"},
        {"transaction_id": "t1", "interval": 0},
        {"transaction_id": "t1", "interval": -1},
        {"transaction_id": "t1", "interval": "5"},
        {"transaction_id": "", "interval": 5},
        {"transaction_id": "t1", "interval": 5, "notification_id": "n1"},
    ],
)
def test_a_response_with_a_defect_is_refused(members: dict[str, Any]) -> None:
    with pytest.raises(MalformedInput):
        parse_message(CredentialResponse, members)


@pytest.mark.hostile
def test_a_response_that_does_not_fit_its_request_is_refused() -> None:
    issued, deferred = parse_message(CredentialResponse, ISSUED), parse_message(CredentialResponse, DEFERRED)

    with pytest.raises(PeerError):
        verify_credential_response(issued, status=202, keys=2)
    with pytest.raises(PeerError):
        verify_credential_response(deferred, status=200, keys=2)
    with pytest.raises(PeerError, match="at most 1"):
        verify_credential_response(issued, status=200, keys=1)


def test_a_deferred_request_and_its_answer() -> None:
    request = DeferredCredentialRequest(transaction_id="t1")
    again, issued = parse_message(CredentialResponse, DEFERRED), parse_message(CredentialResponse, ISSUED)

    assert parse_deferred_credential_request(wire(request)) == request
    assert verify_deferred_credential_response(again, transaction_id="t1", status=202, keys=1) is again
    assert verify_deferred_credential_response(issued, transaction_id="t1", status=200, keys=2) is issued
    with pytest.raises(PeerError, match="another transaction"):
        verify_deferred_credential_response(again, transaction_id="t2", status=202, keys=1)


@pytest.mark.hostile
@pytest.mark.parametrize("body", [b"", b"{}", b'{"transaction_id":""}', b'{"transaction_id":1}'])
def test_a_deferred_request_with_a_defect_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidCredentialRequest):
        parse_deferred_credential_request(body)


def test_a_notification_is_understood() -> None:
    request = NotificationRequest(notification_id="n1", event="credential_deleted", event_description="No, thanks.")

    assert parse_notification_request(wire(request)) == request


@pytest.mark.hostile
@pytest.mark.parametrize(
    "members",
    [
        {"event": "credential_accepted"},
        {"notification_id": "", "event": "credential_accepted"},
        {"notification_id": "n1"},
        {"notification_id": "n1", "event": "credential_lost"},
        {"notification_id": "n1", "event": "Credential_Accepted"},
        {"notification_id": "n1", "event": "credential_failure", "event_description": 'a "quote"'},
        {"notification_id": "n1", "event": "credential_failure", "event_description": "ä"},
        {"notification_id": "n1", "event": "credential_failure", "event_description": "line\n"},
    ],
)
def test_a_notification_with_a_defect_is_refused(members: dict[str, Any]) -> None:
    with pytest.raises(InvalidNotificationRequest):
        parse_notification_request(json.dumps(members))


@pytest.mark.hostile
@pytest.mark.parametrize("members", [{}, {"c_nonce": ""}, {"c_nonce": 1}, {"c_nonce": "n" * 1025}])
def test_a_nonce_response_needs_a_nonce(members: dict[str, Any]) -> None:
    assert parse_message(NonceResponse, {"c_nonce": "n1", "c_nonce_expires_in": 5}).c_nonce == "n1"
    with pytest.raises(MalformedInput):
        parse_message(NonceResponse, members)
