"""What an issuer of mdocs signs, byte by byte where the standard fixes it."""

import hashlib
from datetime import UTC, date, datetime, timedelta, timezone

import cbor2
import pytest

from byoid.cbor import cbor_dumps
from byoid.cose import parse_sign1, public_key_to_cose_key
from byoid.formats.mdoc.issue import prepare_mdoc
from byoid.formats.mdoc.mso import KeyAuthorizations, parse_mobile_security_object
from byoid.formats.status_list import StatusReference
from byoid.keys import PrivateKey

PID = "eu.europa.ec.eudi.pid.1"
NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


def mso_of(issued):
    return cbor2.loads(cbor2.loads(cbor2.loads(issued)["issuerAuth"][2]).value)


def test_every_item_is_tagged_salted_and_has_its_digest_in_the_mso(world, namespaces):
    issued = world.issue()
    digests = mso_of(issued)["valueDigests"]

    salts = []
    for namespace, tagged in cbor2.loads(issued)["nameSpaces"].items():
        items = [cbor2.loads(item.value) for item in tagged]
        assert all(item.tag == 24 for item in tagged)
        assert [*items[0]] == ["digestID", "random", "elementIdentifier", "elementValue"]
        assert {item["elementIdentifier"]: item["elementValue"] for item in items} == namespaces[namespace]
        assert sorted(item["digestID"] for item in items) == [*digests[namespace]] == [*range(len(items))]
        salts += [item["random"] for item in items]
    assert all(len(salt) == 32 for salt in salts)
    assert len(set(salts)) == len(salts)


@pytest.mark.parametrize("name", ["SHA-256", "SHA-384", "SHA-512"])
def test_digests_are_over_the_tagged_bytes(world, name):
    issued = world.issue(digest_algorithm=name)
    mso = mso_of(issued)

    assert mso["digestAlgorithm"] == name
    for namespace, tagged in cbor2.loads(issued)["nameSpaces"].items():
        for item in tagged:
            digest_id = cbor2.loads(item.value)["digestID"]
            expected = hashlib.new(name.replace("-", ""), cbor2.dumps(item)).digest()
            assert mso["valueDigests"][namespace][digest_id] == expected


def test_digest_ids_tell_nothing_about_the_order_of_elements(world):
    elements = {PID: {f"element_{number}": number for number in range(12)}}

    orders = set()
    for _ in range(20):
        tagged = cbor2.loads(world.issue(elements))["nameSpaces"][PID]
        orders.add(tuple(cbor2.loads(item.value)["digestID"] for item in tagged))

    assert len(orders) == 20


def test_dates_are_full_dates_and_tdates_in_utc_without_fractions(world):
    moment = datetime(2026, 6, 1, 14, 30, 5, 999999, tzinfo=timezone(timedelta(hours=2)))
    issued = world.issue({PID: {"birth_date": date(1980, 5, 23), "expiry_date": moment}}, signed=NOW - timedelta(1))

    assert b"\xd9\x03\xec\x6a1980-05-23" in issued
    assert b"\xc0\x742026-06-01T12:30:05Z" in issued
    assert mso_of(issued)["validityInfo"] == {
        "signed": NOW - timedelta(1),
        "validFrom": NOW,
        "validUntil": NOW + timedelta(14),
    }


def test_dates_inside_structures_are_encoded_alike():
    value = [{"issue_date": date(2020, 1, 2), "at": datetime(2020, 1, 2, tzinfo=UTC)}]

    assert cbor_dumps(value) == (b"\x81\xa2\x62at\xc0\x742020-01-02T00:00:00Z\x6aissue_date\xd9\x03\xec\x6a2020-01-02")


@pytest.mark.parametrize("value", ["é", b"\x00", 0, 2**40, -1, True, None, 1.5, ["a", {"b": [1]}], {}, "x" * 70000])
def test_values_come_back_as_they_were(value):
    assert cbor2.loads(cbor_dumps(value)) == value


def test_the_mso_holds_all_members_that_were_given(world):
    authorized = KeyAuthorizations(frozenset({"b", "a"}), {"c": frozenset({"y", "x"})})
    status = StatusReference("https://issuer.example/status/1", 7)

    mso = mso_of(
        world.issue(
            status=status, key_authorizations=authorized, expected_update=NOW + timedelta(7), doctype="org.example"
        )
    )

    assert mso["version"] == "1.0"
    assert mso["docType"] == "org.example"
    assert mso["status"] == {"status_list": {"idx": 7, "uri": "https://issuer.example/status/1"}}
    assert mso["validityInfo"]["expectedUpdate"] == NOW + timedelta(7)
    assert mso["deviceKeyInfo"] == {
        "deviceKey": public_key_to_cose_key(world.device_key.public),
        "keyAuthorizations": {"nameSpaces": ["a", "b"], "dataElements": {"c": ["x", "y"]}},
    }


def test_what_is_not_given_is_not_there(world):
    mso = mso_of(world.issue(key_authorizations=KeyAuthorizations()))

    assert [*mso] == ["version", "digestAlgorithm", "valueDigests", "deviceKeyInfo", "docType", "validityInfo"]
    assert [*mso["deviceKeyInfo"]] == ["deviceKey"]


def test_the_mso_can_be_read_back(world):
    authorized = KeyAuthorizations(frozenset({"a"}), {"c": frozenset({"x"})})
    issued = world.issue(key_authorizations=authorized, expected_update=NOW + timedelta(7))

    mso = parse_mobile_security_object(parse_sign1(cbor2.loads(issued)["issuerAuth"]).payload)

    assert mso.key_authorizations == authorized
    assert mso.validity.expected_update == NOW + timedelta(7)
    assert mso.device_key == world.device_key.public


def test_the_certificates_are_in_the_unprotected_header(world):
    one = cbor2.loads(world.issue(x5chain=[b"leaf"]))["issuerAuth"]
    two = cbor2.loads(world.issue(x5chain=[b"leaf", b"intermediate"]))["issuerAuth"]

    assert one[:2] == [b"\xa1\x01\x26", {33: b"leaf"}]
    assert two[1] == {33: [b"leaf", b"intermediate"]}


@pytest.mark.parametrize(
    "change",
    [
        {"namespaces": {}},
        {"namespaces": {PID: {}}},
        {"namespaces": {PID: {"at": datetime(2026, 1, 1)}}},
        {"x5chain": []},
        {"digest_algorithm": "SHA-1"},
        {"signed": datetime(2026, 6, 1)},
        {"valid_until": datetime(2027, 6, 1)},
        {"expected_update": datetime(2026, 6, 2)},
        {"signed": NOW + timedelta(seconds=1)},
        {"valid_until": NOW},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_no_verifier_would_accept_is_not_issued(world, change):
    with pytest.raises(ValueError, match="expected"):
        world.issue(**change)


def test_a_namespace_is_authorized_either_as_a_whole_or_by_elements():
    with pytest.raises(ValueError, match="as a whole and by its elements"):
        KeyAuthorizations(frozenset({PID}), {PID: frozenset({"sex"})})


def test_the_signature_may_come_from_elsewhere(world):
    unsigned = prepare_mdoc(
        {PID: {"sex": 1}},
        doctype=PID,
        device_key=PrivateKey.generate().public,
        x5chain=[b"leaf"],
        algorithm="ES256",
        signed=NOW,
        valid_from=NOW,
        valid_until=NOW + timedelta(1),
    )
    signature = world.issuer_key.sign(unsigned.signing_input)

    protected, _, payload, attached = cbor2.loads(unsigned.attach(signature))["issuerAuth"]

    assert attached == signature
    assert unsigned.signing_input == cbor2.dumps(["Signature1", protected, b"", payload])
