"""Verification of mdocs: what is believed, and what a wallet accepts at receipt (ISO/IEC 18013-5 9.1.3, 9.3.1)."""

from datetime import UTC, date, datetime, timedelta

import cbor2
import pytest

from byoid.errors import (
    BadSignature,
    DigestMismatch,
    Expired,
    HolderBindingError,
    NotYetValid,
    UntrustedIssuer,
    WrongType,
)
from byoid.formats.identifier_list import IdentifierReference
from byoid.formats.mdoc.mso import KeyAuthorizations
from byoid.formats.mdoc.present import HeldMdoc
from byoid.formats.mdoc.structures import parse_device_response, parse_issuer_signed
from byoid.formats.mdoc.verify import verify_issuer_signed
from byoid.formats.status_list import StatusReference
from byoid.keys import PrivateKey

PID = "eu.europa.ec.eudi.pid.1"
DOMESTIC = "eu.europa.ec.eudi.pid.de.1"
DAY = timedelta(days=1)


def test_a_forged_response_without_defect_is_accepted(world, forge):
    verified = world.verify(forge.response(), issuer_certificate=world.certificate)

    assert verified.namespaces == {PID: {"family_name": "Garcia", "sex": 1}, DOMESTIC: {"adult": True}}


def test_the_result_holds_plain_values_and_what_the_caller_needs_next(world):
    status = StatusReference("https://issuer.example/status/1", 7)
    held = HeldMdoc.from_bytes(world.issue(status=status))
    elements = [(PID, name) for name in ("birth_date", "expiry_date", "portrait", "nationality", "place_of_birth")]

    verified = world.verify(world.present(elements, held))

    assert verified.doctype == PID
    assert verified.namespaces == {
        PID: {
            "birth_date": date(1980, 5, 23),
            "expiry_date": datetime(2031, 1, 1, tzinfo=UTC),
            "portrait": b"\xff\xd8\xff\xe0 portrait",
            "nationality": ["ES", "FR"],
            "place_of_birth": {"country": "ES", "locality": "Toledo"},
        }
    }
    assert verified.status == status
    assert verified.identifier is None
    assert verified.device_key == world.device_key.public
    assert verified.valid_until == world.now + 14 * DAY
    assert verified.device_namespaces == {}


def test_an_identifier_list_entry_is_returned(world):
    reference = IdentifierReference("https://issuer.example/identifiers/1", b"\x01\x02")
    held = HeldMdoc.from_bytes(world.issue(status=reference))

    verified = world.verify(world.present([], held))

    assert verified.identifier == reference
    assert verified.status is None
    assert verified.namespaces == {}


@pytest.mark.parametrize("digest_algorithm", ["SHA-256", "SHA-384", "SHA-512"])
@pytest.mark.parametrize("curve", ["P-256", "P-384", "P-521", "Ed25519"])
def test_every_algorithm_of_the_standard_that_byoid_has_verifies(world, digest_algorithm, curve):
    keys = type(world)(PrivateKey.generate(curve), PrivateKey.generate(curve), world.certificate, world.transcript)
    held = HeldMdoc.from_bytes(keys.issue(digest_algorithm=digest_algorithm))

    verified = keys.verify(keys.present([(PID, "sex")], held))

    assert verified.namespaces == {PID: {"sex": 1}}


def test_several_documents_in_one_response_are_verified_each(world, held):
    first = held.prepare_document([(PID, "sex")], session_transcript=world.transcript, algorithm="ES256")
    document = first.attach(world.device_key.sign(first.signing_input))
    response = b"\xa3\x67version\x631.0\x69documents\x82" + document + document + b"\x66status\x00"

    assert len(parse_device_response(response).documents) == 2


def test_document_errors_are_kept_beside_the_documents(world, forge):
    forge.edits["response"] = lambda response: response.update(documentErrors=[{"org.iso.18013.5.1.mDL": 0}])

    assert parse_device_response(forge.response()).document_errors == {"org.iso.18013.5.1.mDL": 0}


def test_a_later_minor_version_and_unknown_members_are_accepted(world, forge):
    forge.edits["response"] = lambda response: response.update(version="1.1", zkDocuments=[])
    forge.edits["mso"] = lambda mso: mso.update(version="1.1", other=1)

    assert world.verify(forge.response()).doctype == PID


def test_a_digest_id_may_have_32_bits(world, forge):
    forge.edits["items"] = lambda items: items[PID][0].update(digestID=2**32 - 1)

    assert world.verify(forge.response()).doctype == PID


@pytest.mark.parametrize("days", [-30, 300], ids=["first moment", "last moment"])
def test_an_mdoc_may_be_signed_until_its_certificate_expires(world, forge, days):
    signed = world.now + timedelta(days=days)
    forge.edits["mso"] = lambda mso: mso["validityInfo"].update(signed=signed)

    assert world.verify(forge.response(), issuer_certificate=world.certificate).validity.signed == signed


def test_a_chain_of_certificates_is_read_from_an_array(world, forge):
    forge.edits["issuer_auth"] = lambda auth: auth[1].update({33: [b"leaf", b"intermediate"]})

    assert parse_device_response(forge.response()).documents[0].x5chain == (b"leaf", b"intermediate")


def test_device_signed_elements_come_back_apart_from_the_issuers(world):
    authorized = KeyAuthorizations(frozenset({"transaction"}), {PID: frozenset({"note"})})
    held = HeldMdoc.from_bytes(world.issue(key_authorizations=authorized))
    asserted = {"transaction": {"hash": b"\x01"}, PID: {"note": "by the device"}}

    verified = world.verify(world.present([(PID, "sex")], held, device_namespaces=asserted))

    assert verified.device_namespaces == asserted
    assert verified.namespaces == {PID: {"sex": 1}}


def test_a_device_mac_is_verified_with_the_readers_key(world, held):
    reader = PrivateKey.generate()
    response = held.respond_with_mac(
        [(PID, "sex")], session_transcript=world.transcript, device_key=world.device_key, reader_key=reader.public
    )

    assert world.verify(response, mac_key=reader).namespaces == {PID: {"sex": 1}}


def test_the_leeway_counts_on_both_ends_even_at_the_end_of_time(world):
    held = HeldMdoc.from_bytes(world.issue(valid_until=datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)))
    response = world.present([], held)

    assert world.verify(response, now=world.now - timedelta(seconds=60)).doctype == PID
    with pytest.raises(NotYetValid):
        world.verify(response, now=world.now - timedelta(seconds=61))
    soon = world.present([], HeldMdoc.from_bytes(world.issue(valid_until=world.now + timedelta(seconds=1))))
    assert world.verify(soon, now=world.now + timedelta(seconds=61)).doctype == PID
    with pytest.raises(Expired):
        world.verify(soon, now=world.now + timedelta(seconds=62))


# ------------------------------------------------------------------------------------------------------- at receipt


def receive(world, issued, **changes):
    members = {
        "issuer_key": world.issuer_key.public,
        "doctype": PID,
        "device_key": world.device_key.public,
        "now": world.now,
    }
    return verify_issuer_signed(issued, **members | changes)


def test_a_wallet_accepts_what_it_asked_for(world, namespaces):
    issued = world.issue()

    assert receive(world, issued, issuer_certificate=world.certificate).namespaces == namespaces
    assert receive(world, parse_issuer_signed(issued)).device_namespaces == {}


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"issuer_key": PrivateKey.generate().public}, BadSignature),
        ({"doctype": "org.iso.18013.5.1.mDL"}, WrongType),
        ({"device_key": PrivateKey.generate().public}, HolderBindingError),
        ({"now": datetime(2027, 1, 1, tzinfo=UTC)}, Expired),
        ({"now": datetime(2026, 1, 1, tzinfo=UTC)}, NotYetValid),
        ({"algorithms": {"ES512"}}, WrongType),
    ],
    ids=["issuer", "document type", "device key", "expired", "not yet valid", "algorithm"],
)
def test_a_wallet_refuses_what_it_did_not_ask_for(world, changes, error):
    with pytest.raises(error):
        receive(world, world.issue(), **changes)


@pytest.mark.hostile
def test_a_wallet_refuses_an_mdoc_with_one_element_that_was_not_signed(world, forge):
    forge.edits["disclosed"] = lambda items: items[PID][0].update(elementValue="Other")
    issued = cbor2.dumps(forge._issuer_signed())

    with pytest.raises(DigestMismatch):
        receive(world, issued)


@pytest.mark.hostile
def test_a_wallet_refuses_an_mdoc_signed_before_its_certificate_was_valid(world):
    issued = world.issue(signed=world.now - timedelta(days=31))

    with pytest.raises(UntrustedIssuer):
        receive(world, issued, issuer_certificate=world.certificate)
