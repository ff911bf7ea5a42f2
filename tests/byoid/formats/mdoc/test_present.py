"""What a holder keeps and shows: the chosen elements as the issuer signed them, and nothing of the others."""

from datetime import timedelta

import cbor2
import pytest

from byoid.errors import ClaimMismatch, HolderBindingError, MalformedInput
from byoid.formats.mdoc.mso import KeyAuthorizations
from byoid.formats.mdoc.present import HeldMdoc, encode_device_response
from byoid.formats.mdoc.structures import parse_device_response
from byoid.formats.status_list import StatusReference
from byoid.keys import PrivateKey

PID = "eu.europa.ec.eudi.pid.1"
DOMESTIC = "eu.europa.ec.eudi.pid.de.1"


def test_a_held_mdoc_tells_what_is_in_it(world, namespaces):
    status = StatusReference("https://issuer.example/status/1", 7)
    held = HeldMdoc.from_bytes(world.issue(status=status))

    assert held.doctype == PID
    assert held.namespaces == namespaces
    assert held.x5chain == tuple(world.x5chain)
    assert held.device_key == world.device_key.public
    assert held.status == status
    assert held.validity.valid_until == world.now + timedelta(days=14)


def test_the_raw_bytes_are_the_truth(world):
    raw = world.issue()

    assert HeldMdoc.from_bytes(raw).raw == raw
    assert HeldMdoc.from_bytes(raw).namespaces == HeldMdoc.from_bytes(raw).namespaces


def test_items_and_issuer_auth_are_sent_as_they_were_signed(world):
    raw = world.issue()
    issued = cbor2.loads(raw)

    response = cbor2.loads(world.present([(PID, "sex"), (DOMESTIC, "adult")], HeldMdoc.from_bytes(raw)))

    [document] = response["documents"]
    sent = document["issuerSigned"]
    assert sent["issuerAuth"] == issued["issuerAuth"]
    assert sent["nameSpaces"][PID][0] in issued["nameSpaces"][PID]
    assert {namespace: len(items) for namespace, items in sent["nameSpaces"].items()} == {PID: 1, DOMESTIC: 1}
    assert [*response] == ["version", "documents", "status"]
    assert document["deviceSigned"]["nameSpaces"] == cbor2.CBORTag(24, b"\xa0")


def test_the_device_signature_is_detached_and_has_only_the_algorithm_in_its_header(world):
    [document] = cbor2.loads(world.present([(PID, "sex")]))["documents"]

    protected, unprotected, payload, _ = document["deviceSigned"]["deviceAuth"]["deviceSignature"]

    assert (protected, unprotected, payload) == (b"\xa1\x01\x26", {}, None)


def test_an_element_asked_for_twice_is_sent_once(world):
    [document] = cbor2.loads(world.present([(PID, "sex"), (PID, "sex")]))["documents"]

    assert len(document["issuerSigned"]["nameSpaces"][PID]) == 1


def test_without_any_element_there_are_no_namespaces(world):
    [document] = cbor2.loads(world.present([]))["documents"]

    assert [*document["issuerSigned"]] == ["issuerAuth"]


def test_several_documents_go_into_one_response(world, held):
    unsigned = [
        held.prepare_document([(PID, name)], session_transcript=world.transcript, algorithm="ES256")
        for name in ("sex", "family_name")
    ]

    response = encode_device_response([u.attach(world.device_key.sign(u.signing_input)) for u in unsigned])

    shown = [document.issuer_signed.values for document in parse_device_response(response).documents]
    assert shown == [{PID: {"sex": 1}}, {PID: {"family_name": "Garcia"}}]


@pytest.mark.parametrize("element", [(PID, "age_over_18"), ("org.example", "sex"), (DOMESTIC, "sex")])
def test_an_element_that_is_not_held_cannot_be_shown(world, element):
    with pytest.raises(ClaimMismatch):
        world.present([element])


def test_transaction_data_is_signed_where_the_issuer_allowed_it(world):
    held = HeldMdoc.from_bytes(world.issue(key_authorizations=KeyAuthorizations(frozenset({"transaction"}))))

    [document] = cbor2.loads(world.present([], held, device_namespaces={"transaction": {"hash": b"h"}}))["documents"]

    assert cbor2.loads(document["deviceSigned"]["nameSpaces"].value) == {"transaction": {"hash": b"h"}}


@pytest.mark.parametrize(
    "authorized",
    [
        KeyAuthorizations(),
        KeyAuthorizations(frozenset({PID})),
        KeyAuthorizations(frozenset(), {"transaction": frozenset({"x"})}),
    ],
    ids=["nothing", "another namespace", "another element"],
)
def test_transaction_data_that_the_issuer_did_not_allow_is_refused(world, authorized):
    held = HeldMdoc.from_bytes(world.issue(key_authorizations=authorized))

    with pytest.raises(HolderBindingError):
        world.present([], held, device_namespaces={"transaction": {"hash": b"h"}})


def test_a_device_mac_has_the_form_of_the_standard(world, held):
    response = held.respond_with_mac(
        [(PID, "sex")],
        session_transcript=world.transcript,
        device_key=world.device_key,
        reader_key=PrivateKey.generate().public,
    )

    [document] = cbor2.loads(response)["documents"]
    protected, unprotected, payload, tag = document["deviceSigned"]["deviceAuth"]["deviceMac"]
    assert (cbor2.loads(protected), unprotected, payload, len(tag)) == ({1: 5}, {}, None, 32)


@pytest.mark.hostile
def test_an_mdoc_without_its_mso_is_not_held(world):
    issued = cbor2.loads(world.issue())
    issued["issuerAuth"][2] = None

    with pytest.raises(MalformedInput):
        HeldMdoc.from_bytes(cbor2.dumps(issued))


@pytest.mark.hostile
@pytest.mark.parametrize("raw", [b"", b"\xa0", b"\x80", b"\xa1\x6aissuerAuth\x80", b"\x01"])
def test_what_is_no_issuer_signed_is_not_held(raw):
    with pytest.raises(MalformedInput):
        HeldMdoc.from_bytes(raw)
