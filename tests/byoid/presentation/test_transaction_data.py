"""Transaction data: OpenID4VP 1.0 sections 5.1, 8.4, 8.5 and B.3.3."""

from typing import Any

import pytest

from byoid.encoding import b64u_encode, json_dumps
from byoid.errors import HolderBindingError, ResponseRejected
from byoid.presentation.transaction_data import RequestedTransaction, authorised_by, choose_hash, parse_transaction_data
from byoid.presentation.verify import verify_vp_token
from byoid.wire_errors import InvalidTransactionData
from tests.byoid.presentation.world import MDL_QUERY, NOW, PID_QUERY, Asking, Payment, World, query_of

TYPES = {"payment": Payment}


def encode(**changes: Any) -> str:
    members = {"type": "payment", "credential_ids": ["pid"], "amount": "10 EUR", **changes}
    return b64u_encode(json_dumps({name: value for name, value in members.items() if value is not None}))


def test_known_data_are_shown_and_the_string_is_kept() -> None:
    (found,) = parse_transaction_data([encode()], query=query_of(PID_QUERY), types=TYPES)
    assert isinstance(found.data, Payment)
    assert found.data.amount == "10 EUR"
    assert found.encoded == encode()


UNBOUND = {**PID_QUERY, "id": "unbound", "require_cryptographic_holder_binding": False}
DEFECTS: list[tuple[str, str]] = [
    ("not base64url", "%%%"),
    ("not JSON", b64u_encode(b"{")),
    ("no object", b64u_encode(b"[]")),
    ("no type", encode(type=None)),
    ("unknown type", encode(type="other")),
    ("type a number", encode(type=1)),
    ("no credential ids", encode(credential_ids=None)),
    ("empty credential ids", encode(credential_ids=[])),
    ("credential that is not asked for", encode(credential_ids=["pid", "other"])),
    ("credential without holder binding", encode(credential_ids=["unbound"])),
    ("mdoc", encode(credential_ids=["mdl"])),
    ("missing field", encode(amount=None)),
    ("field of another type", encode(amount=10)),
    ("unknown field", encode(tip="1 EUR")),
    ("empty hash names", encode(transaction_data_hashes_alg=[])),
]


@pytest.mark.hostile
@pytest.mark.parametrize("value", [pytest.param(case[1], id=case[0]) for case in DEFECTS])
def test_one_object_that_breaks_a_rule_refuses_the_request(value: str) -> None:
    query = query_of(PID_QUERY, UNBOUND, MDL_QUERY)
    with pytest.raises(InvalidTransactionData):
        parse_transaction_data([encode(), value], query=query, types=TYPES)


def requested(*names: list[str] | None) -> list[RequestedTransaction]:
    values = [encode(transaction_data_hashes_alg=each) for each in names]
    return list(parse_transaction_data(values, query=query_of(PID_QUERY), types=TYPES))


def test_the_hash_is_one_that_all_objects_allow() -> None:
    assert choose_hash(requested(None)) is None
    assert choose_hash(requested(["sha-512", "sha-256"], None)) == "sha-256"
    assert choose_hash(requested(["sha-512"])) == "sha-512"
    with pytest.raises(InvalidTransactionData):
        choose_hash(requested(["sha-512"], None))


def test_a_presentation_authorises_what_its_hashes_name(world: World, asking: Asking) -> None:
    first, second = encode(), encode(amount="20 EUR")
    shown = world.show(world.sd_jwt_vc(), transaction_data=[first, second])
    request = asking(transaction_data=(first, second))

    assert verify_vp_token({"pid": (shown,)}, request=request, trust=world.trust, statuses={}, now=NOW).credentials


def test_the_hash_algorithm_is_named_where_the_request_names_some(world: World, asking: Asking) -> None:
    value = encode(transaction_data_hashes_alg=["sha-512"])
    shown = world.show(world.sd_jwt_vc(), transaction_data=[value], transaction_data_hashes_alg="sha-512")
    request = asking(transaction_data=(value,))

    assert verify_vp_token({"pid": (shown,)}, request=request, trust=world.trust, statuses={}, now=NOW).credentials


def test_of_several_credentials_one_authorises(world: World, asking: Asking) -> None:
    value = encode(credential_ids=["pid", "second"])
    request = asking(PID_QUERY, {**PID_QUERY, "id": "second"}, transaction_data=(value,))
    credential = world.sd_jwt_vc()
    token = {"pid": (world.show(credential),), "second": (world.show(credential, transaction_data=[value]),)}

    assert verify_vp_token(token, request=request, trust=world.trust, statuses={}, same_person=(), now=NOW).credentials


@pytest.mark.hostile
@pytest.mark.parametrize(
    "sent",
    [
        pytest.param([], id="none"),
        pytest.param([encode(amount="1000 EUR")], id="another"),
        pytest.param([encode(credential_ids=["second"])], id="that of another credential"),
    ],
)
def test_a_transaction_that_nobody_authorised_rejects_the_response(
    world: World, asking: Asking, sent: list[str]
) -> None:
    request = asking(transaction_data=(encode(),))
    shown = world.show(world.sd_jwt_vc(), transaction_data=sent)
    with pytest.raises(ResponseRejected, match="1 of 1 transactions"):
        verify_vp_token({"pid": (shown,)}, request=request, trust=world.trust, statuses={}, now=NOW)


@pytest.mark.hostile
def test_a_hash_algorithm_that_was_not_asked_for_is_refused(world: World, asking: Asking) -> None:
    request = asking(transaction_data=(encode(),))
    shown = world.show(world.sd_jwt_vc(), transaction_data=[encode()], transaction_data_hashes_alg="sha-512")
    with pytest.raises(ResponseRejected) as rejected:
        verify_vp_token({"pid": (shown,)}, request=request, trust=world.trust, statuses={}, now=NOW)
    assert isinstance(rejected.value.discarded[0].error, HolderBindingError)


@pytest.mark.hostile
@pytest.mark.parametrize(
    "claims", [{"transaction_data_hashes": "x"}, {"transaction_data_hashes": [1], "transaction_data_hashes_alg": "md5"}]
)
def test_hashes_of_another_form_authorise_nothing(claims: dict[str, Any]) -> None:
    assert authorised_by(claims, [encode()]) == ()
