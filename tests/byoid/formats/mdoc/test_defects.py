"""Responses with one defect each: what must not be believed (ISO/IEC 18013-5 9.1.3, 9.3.1)."""

from datetime import UTC, date, datetime

import cbor2
import pytest

from byoid.errors import (
    BadSignature,
    ByoidError,
    DigestMismatch,
    Expired,
    HolderBindingError,
    MalformedInput,
    NotYetValid,
    UntrustedIssuer,
    WrongType,
)
from byoid.formats.mdoc.session import session_transcript_redirect
from byoid.keys import PrivateKey

PID = "eu.europa.ec.eudi.pid.1"
DOMESTIC = "eu.europa.ec.eudi.pid.de.1"


def change_value(items):
    return {**items, PID: [{**items[PID][0], "elementValue": "Other"}, items[PID][1]]}


def change_salt(items):
    return {**items, PID: [{**items[PID][0], "random": b"\xee" * 16}, items[PID][1]]}


def rename_element(items):
    return {**items, PID: [{**items[PID][0], "elementIdentifier": "given_name"}, items[PID][1]]}


def take_the_digest_of_another(items):
    return {**items, PID: [{**items[PID][0], "digestID": 1}]}


def take_a_digest_that_is_not_there(items):
    return {**items, PID: [{**items[PID][0], "digestID": 99}]}


def move_to_another_namespace(items):
    return {DOMESTIC: [items[PID][0]]}


def invent_a_namespace(items):
    return {"org.example": items[PID]}


def first(change):
    """Edit the first item of the PID in place: it is signed like this."""
    return lambda items: change(items[PID][0])


def without(name):
    """Take a member away, in place."""

    def edit(structure):
        del structure[name]

    return edit


def with_(**members):
    return lambda structure: structure.update(members)


def of(name, change):
    return lambda structure: change(structure[name])


def key(label, value):
    return of("deviceKeyInfo", of("deviceKey", lambda cose_key: cose_key.update({label: value})))


def authorize(authorizations):
    return of("deviceKeyInfo", with_(keyAuthorizations=authorizations))


def tag_items(change):
    return lambda tagged: {**tagged, PID: [change(item) for item in tagged[PID]]}


EXPIRED = datetime(2026, 5, 31, tzinfo=UTC)
LATER = datetime(2026, 6, 2, tzinfo=UTC)

DEFECTS = [
    # DeviceResponse
    ("the response is an array", "response", lambda _: [], MalformedInput),
    ("the response has no version", "response", without("version"), MalformedInput),
    ("the response is of version 2.0", "response", with_(version="2.0"), MalformedInput),
    ("the response is of version 1", "response", with_(version="1"), MalformedInput),
    ("the version is a number", "response", with_(version=1.0), MalformedInput),
    ("the response has no status", "response", without("status"), MalformedInput),
    ("the status is not OK", "response", with_(status=10), MalformedInput),
    ("the status is false", "response", with_(status=False), MalformedInput),
    ("there are no documents", "response", without("documents"), MalformedInput),
    ("the documents are empty", "response", with_(documents=[]), MalformedInput),
    ("the documents are a map", "response", with_(documents={}), MalformedInput),
    ("a document is text", "response", with_(documents=["document"]), MalformedInput),
    ("the document errors are a map", "response", with_(documentErrors={}), MalformedInput),
    ("a document error is text", "response", with_(documentErrors=["error"]), MalformedInput),
    ("the code of a document error is text", "response", with_(documentErrors=[{PID: "0"}]), MalformedInput),
    ("the document type of an error is a number", "response", with_(documentErrors=[{1: 0}]), MalformedInput),
    ("bytes follow the response", "bytes", lambda data: data + b"\x00", MalformedInput),
    ("the response is cut", "bytes", lambda data: data[:-1], MalformedInput),
    ("the response is empty", "bytes", lambda _: b"", MalformedInput),
    ("the response is of indefinite length", "bytes", lambda data: b"\xbf" + data[1:] + b"\xff", MalformedInput),
    ("a member is there twice", "bytes", lambda data: b"\xa4" + data[1:] + b"\x66status\x00", MalformedInput),
    # Document
    ("the document has no type", "document", without("docType"), MalformedInput),
    ("the document type is bytes", "document", with_(docType=b"x"), MalformedInput),
    ("the document type is not the MSO's", "document", with_(docType="org.iso.18013.5.1.mDL"), WrongType),
    ("nothing is issuer signed", "document", without("issuerSigned"), MalformedInput),
    ("nothing is device signed", "document", without("deviceSigned"), MalformedInput),
    # IssuerSigned
    ("there is no issuer auth", "issuer_signed", without("issuerAuth"), MalformedInput),
    ("the issuer auth is bytes", "issuer_signed", with_(issuerAuth=b"\x84"), MalformedInput),
    ("the namespaces are a list", "issuer_signed", with_(nameSpaces=[]), MalformedInput),
    ("a namespace is a number", "tagged", lambda tagged: {1: tagged[PID]}, MalformedInput),
    ("a namespace is empty", "tagged", lambda tagged: {PID: []}, MalformedInput),
    ("the items are a map", "tagged", lambda tagged: {PID: {}}, MalformedInput),
    ("an item is bare bytes", "tagged", tag_items(lambda item: item.value), MalformedInput),
    ("an item is in another tag", "tagged", tag_items(lambda item: cbor2.CBORTag(25, item.value)), MalformedInput),
    ("tag 24 holds text", "tagged", tag_items(lambda item: cbor2.CBORTag(24, "text")), MalformedInput),
    ("an item is no map", "tagged", tag_items(lambda item: cbor2.CBORTag(24, b"\x80")), MalformedInput),
    ("bytes follow an item", "tagged", tag_items(lambda item: cbor2.CBORTag(24, item.value + b"\x00")), MalformedInput),
    # IssuerSignedItem, signed like this
    ("an item has no digest ID", "disclosed", first(without("digestID")), MalformedInput),
    ("a digest ID is true", "items", first(with_(digestID=True)), MalformedInput),
    ("a digest ID is negative", "items", first(with_(digestID=-1)), MalformedInput),
    ("a digest ID is 2^32", "items", first(with_(digestID=2**32)), MalformedInput),
    ("an item has no random", "items", first(without("random")), MalformedInput),
    ("the random is of 15 bytes", "items", first(with_(random=b"\x00" * 15)), MalformedInput),
    ("the random is text", "items", first(with_(random="r" * 32)), MalformedInput),
    ("an item has no element identifier", "items", first(without("elementIdentifier")), MalformedInput),
    ("an element identifier is bytes", "items", first(with_(elementIdentifier=b"sex")), MalformedInput),
    ("an item has no element value", "items", first(without("elementValue")), MalformedInput),
    ("an element value is undefined", "items", first(with_(elementValue=cbor2.undefined)), MalformedInput),
    ("an element value holds no number", "items", first(with_(elementValue=[float("nan")])), MalformedInput),
    ("an element is there twice", "items", first(with_(elementIdentifier="sex")), MalformedInput),
    ("a digest ID is there twice", "items", first(with_(digestID=1)), MalformedInput),
    # what was signed is not what came
    ("a value was changed", "disclosed", change_value, DigestMismatch),
    ("a salt was changed", "disclosed", change_salt, DigestMismatch),
    ("an element was renamed", "disclosed", rename_element, DigestMismatch),
    ("an item points to another digest", "disclosed", take_the_digest_of_another, DigestMismatch),
    ("an item points to no digest", "disclosed", take_a_digest_that_is_not_there, DigestMismatch),
    ("an item was moved to another namespace", "disclosed", move_to_another_namespace, DigestMismatch),
    ("a namespace is not in the MSO", "disclosed", invent_a_namespace, DigestMismatch),
    ("a digest was cut", "mso", lambda mso: mso["valueDigests"][PID].update({0: b"\x00" * 31}), DigestMismatch),
    ("a digest is missing", "mso", lambda mso: mso["valueDigests"][PID].pop(0) and None, DigestMismatch),
    ("the digests are of another algorithm", "mso", with_(digestAlgorithm="SHA-512"), DigestMismatch),
    # Mobile Security Object, signed like this
    ("the MSO has no version", "mso", without("version"), MalformedInput),
    ("the MSO is of version 2.0", "mso", with_(version="2.0"), MalformedInput),
    ("the MSO is an array", "mso", lambda _: [], MalformedInput),
    ("the MSO is not in tag 24", "payload", lambda payload: cbor2.loads(payload).value, MalformedInput),
    ("the digest algorithm is missing", "mso", without("digestAlgorithm"), MalformedInput),
    ("the digest algorithm is SHA-1", "mso", with_(digestAlgorithm="SHA-1"), MalformedInput),
    ("the digests are a list", "mso", with_(valueDigests=[]), MalformedInput),
    ("the digests of a namespace are a list", "mso", with_(valueDigests={PID: []}), MalformedInput),
    ("a digest's namespace is a number", "mso", with_(valueDigests={1: {}}), MalformedInput),
    ("a digest's ID is text", "mso", with_(valueDigests={PID: {"0": b""}}), MalformedInput),
    ("a digest is text", "mso", with_(valueDigests={PID: {0: "digest"}}), MalformedInput),
    ("there is no device key info", "mso", without("deviceKeyInfo"), MalformedInput),
    ("there is no device key", "mso", with_(deviceKeyInfo={}), MalformedInput),
    ("the device key is private", "mso", key(-4, b"d"), MalformedInput),
    ("the device key is off its curve", "mso", key(-2, b"\x01" * 32), MalformedInput),
    ("the device key is of another curve", "mso", key(-1, 8), MalformedInput),
    ("the key authorizations are a list", "mso", authorize([]), MalformedInput),
    ("the authorized namespaces are text", "mso", authorize({"nameSpaces": PID}), MalformedInput),
    ("the authorized elements are a list", "mso", authorize({"dataElements": []}), MalformedInput),
    ("an authorized element is a number", "mso",
     authorize({"dataElements": {PID: [1]}}), MalformedInput),
    ("a namespace is authorized twice", "mso",
     authorize({"nameSpaces": [PID], "dataElements": {PID: ["sex"]}}), MalformedInput),
    ("the MSO has no document type", "mso", without("docType"), MalformedInput),
    ("the MSO is for another document type", "mso", with_(docType="org.iso.18013.5.1.mDL"), WrongType),
    ("there is no validity", "mso", without("validityInfo"), MalformedInput),
    ("signed is missing", "mso", of("validityInfo", without("signed")), MalformedInput),
    ("validFrom is text", "mso", of("validityInfo", with_(validFrom="2026-06-01T00:00:00Z")), MalformedInput),
    ("validUntil is a full-date", "mso", of("validityInfo", with_(validUntil=date(2027, 1, 1))), MalformedInput),
    ("expectedUpdate is a number", "mso", of("validityInfo", with_(expectedUpdate=1)), MalformedInput),
    ("the mdoc has expired", "mso", of("validityInfo", with_(validUntil=EXPIRED)), Expired),
    ("the mdoc is not yet valid", "mso", of("validityInfo", with_(validFrom=LATER)), NotYetValid),
    ("it was signed before its certificate was valid", "mso",
     of("validityInfo", with_(signed=datetime(2026, 5, 1, tzinfo=UTC))), UntrustedIssuer),
    ("it was signed after its certificate expired", "mso",
     of("validityInfo", with_(signed=datetime(2027, 5, 1, tzinfo=UTC))), UntrustedIssuer),
    ("the status is a list", "mso", with_(status=[]), MalformedInput),
    ("the status list has no index", "mso", with_(status={"status_list": {"uri": "https://i.example/1"}}),
     MalformedInput),
    ("the identifier is text", "mso",
     with_(status={"identifier_list": {"id": "1", "uri": "https://i.example/1"}}), MalformedInput),
    # IssuerAuth
    ("the issuer auth has five parts", "issuer_auth", lambda auth: [*auth, b""], MalformedInput),
    ("the MSO is detached", "issuer_auth", lambda auth: [auth[0], auth[1], None, auth[3]], MalformedInput),
    ("the issuer's signature is cut", "issuer_auth", lambda auth: [*auth[:3], auth[3][:-1]], BadSignature),
    ("the issuer's signature is of zeros", "issuer_auth", lambda auth: [*auth[:3], bytes(64)], BadSignature),
    ("the payload was changed", "issuer_auth", lambda auth: [*auth[:2], auth[2] + b"\x00", auth[3]], BadSignature),
    ("the issuer's header demands an extension", "issuer_protected", lambda _: {1: -7, 2: [99]}, MalformedInput),
    ("the issuer's algorithm is RS256", "issuer_protected", lambda _: {1: -257}, WrongType),
    ("the issuer's algorithm is PS256", "issuer_protected", lambda _: {1: -37}, WrongType),
    ("the issuer's algorithm is a MAC", "issuer_protected", lambda _: {1: 5}, WrongType),
    ("the issuer's algorithm does not fit the key", "issuer_protected", lambda _: {1: -35}, BadSignature),
    ("the issuer's algorithm is not protected", "issuer_protected", lambda _: {}, WrongType),
    # DeviceSigned
    ("the device's namespaces are not encoded", "device_signed", with_(nameSpaces={}), MalformedInput),
    ("the device's namespaces are a list", "device_namespaces", lambda _: [], MalformedInput),
    ("a device namespace is empty", "device_namespaces", lambda _: {PID: {}}, MalformedInput),
    ("a device namespace is a number", "device_namespaces", lambda _: {1: {"sex": 1}}, MalformedInput),
    ("a device namespace is a list", "device_namespaces", lambda _: {PID: ["sex"]}, MalformedInput),
    ("a device element is a number", "device_namespaces", lambda _: {PID: {1: 1}}, MalformedInput),
    ("a device element is undefined", "device_namespaces", lambda _: {PID: {"sex": cbor2.undefined}}, MalformedInput),
    ("the device may not sign anything", "device_namespaces", lambda _: {PID: {"sex": 2}}, HolderBindingError),
    ("there is no device auth", "device_signed", without("deviceAuth"), MalformedInput),
    ("the device auth is empty", "device_auth", lambda _: {}, MalformedInput),
    ("there are a signature and a MAC", "device_auth", lambda auth: auth.update(deviceMac=auth["deviceSignature"]),
     MalformedInput),
    ("the device signature is bytes", "device_auth", with_(deviceSignature=b""), MalformedInput),
    ("the device signature carries its payload", "device_signature", lambda s: [*s[:2], b"", s[3]], MalformedInput),
    ("the device signature has three parts", "device_signature", lambda s: s[:3], MalformedInput),
    ("the device's algorithm is unknown", "device_protected", lambda _: {1: -65535}, WrongType),
    ("the device's algorithm does not fit its key", "device_protected", lambda _: {1: -35}, HolderBindingError),
    ("the device signature is of zeros", "device_signature", lambda s: [*s[:3], bytes(64)], HolderBindingError),
    ("the device signed for another document type", "device_authentication", lambda a: [*a[:2], "other", a[3]],
     HolderBindingError),
    ("the device signed another structure", "device_authentication", lambda a: ["ReaderAuthentication", *a[1:]],
     HolderBindingError),
    ("the device signed other elements", "device_authentication",
     lambda a: [*a[:3], cbor2.CBORTag(24, b"\xa1\x61n\xa1\x61e\x01")], HolderBindingError),
    ("a MAC came and there is no key for it", "device_auth", lambda auth: {"deviceMac": auth["deviceSignature"]},
     HolderBindingError),
]  # fmt: skip


@pytest.mark.hostile
@pytest.mark.parametrize(("stage", "edit", "error"), [d[1:] for d in DEFECTS], ids=[d[0] for d in DEFECTS])
def test_a_response_with_a_defect_is_refused(world, forge, stage, edit, error):
    forge.edits[stage] = edit

    with pytest.raises(ByoidError) as refused:
        world.verify(forge.response(), issuer_certificate=world.certificate)

    assert refused.type is error
    assert "Garcia" not in str(refused.value)


@pytest.mark.hostile
def test_another_issuers_signature_is_refused(world, forge):
    forge.signer = PrivateKey.generate()

    with pytest.raises(BadSignature):
        world.verify(forge.response())


@pytest.mark.hostile
def test_another_devices_signature_is_refused(world, forge):
    forge.device = PrivateKey.generate()

    with pytest.raises(HolderBindingError):
        world.verify(forge.response())


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("client_id", "nonce", "response_uri", "thumbprint"),
    [
        ("x509_san_dns:verifier.example", "nonce-2", "https://v.example/r", None),
        ("x509_san_dns:other.example", "nonce-1", "https://v.example/r", None),
        ("verifier.example", "nonce-1", "https://v.example/r", None),
        ("x509_san_dns:verifier.example", "nonce-1", "https://v.example/s", None),
        ("x509_san_dns:verifier.example", "nonce-1", "https://v.example/r", bytes(32)),
    ],
    ids=["nonce", "client", "prefix", "response uri", "response key"],
)
def test_an_answer_to_another_request_is_refused(world, forge, client_id, nonce, response_uri, thumbprint):
    transcript = session_transcript_redirect(client_id, nonce, response_uri, thumbprint)

    with pytest.raises(HolderBindingError):
        world.verify(forge.response(), session_transcript=transcript)


@pytest.mark.hostile
def test_a_device_element_that_is_not_among_the_authorized_ones_is_refused(world, forge):
    authorizations = {"nameSpaces": [DOMESTIC], "dataElements": {PID: ["note"]}}
    forge.edits["mso"] = lambda mso: mso["deviceKeyInfo"].update(keyAuthorizations=authorizations)
    forge.edits["device_namespaces"] = lambda _: {DOMESTIC: {"any": 1}, PID: {"note": 1, "sex": 2}}

    with pytest.raises(HolderBindingError):
        world.verify(forge.response())


@pytest.mark.hostile
@pytest.mark.parametrize("defect", ["other reader", "other session", "other curve"])
def test_a_device_mac_for_somebody_else_is_refused(world, held, defect):
    reader = PrivateKey.generate()
    transcript = session_transcript_redirect("other", "n", "u", None) if defect == "other session" else world.transcript
    response = held.respond_with_mac(
        [], session_transcript=transcript, device_key=world.device_key, reader_key=reader.public
    )
    key = {"other reader": PrivateKey.generate(), "other curve": PrivateKey.generate("P-384")}.get(defect, reader)

    with pytest.raises(MalformedInput if defect == "other curve" else HolderBindingError):
        world.verify(response, mac_key=key)


@pytest.mark.hostile
def test_a_device_mac_with_another_algorithm_is_refused(world, forge):
    forge.edits["device_auth"] = lambda auth: {"deviceMac": [cbor2.dumps({1: 4}), {}, None, bytes(8)]}

    with pytest.raises(WrongType):
        world.verify(forge.response(), mac_key=PrivateKey.generate())


@pytest.mark.hostile
def test_an_algorithm_that_the_verifier_does_not_accept_is_refused(world, forge):
    with pytest.raises(WrongType):
        world.verify(forge.response(), algorithms={"ES384"})
