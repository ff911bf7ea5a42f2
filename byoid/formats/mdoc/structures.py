"""The CBOR structures that carry an mdoc: IssuerSigned, DeviceSigned, Document, DeviceResponse.

Spec: ISO/IEC 18013-5 8.3.2.1.2.2 (mdoc response), 9.1.2.4 (IssuerAuth), 9.1.3 (DeviceAuth). Parsing looks at the shape
only: nothing here is believed. What was signed is kept as it came: items and payloads are bytes, and are never encoded
again. Unknown members are ignored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from byoid.cbor import EncodedCbor, cbor_loads, cbor_loads_each, encode_tag24, require_plain
from byoid.cose import Sign1, parse_sign1
from byoid.errors import MalformedInput
from byoid.formats.mdoc.mso import member, require_version

MIN_SALT_BYTES: Final = 16  # 9.1.2.5
MAX_DIGEST_ID: Final = 2**32 - 1  # the standard has 2^31 - 1, but @owf/mdoc issues 32 random bits
STATUS_OK: Final = 0
_EMPTY_MAP: Final = b"\xa0"


class IssuerSignedItem(NamedTuple):
    """One data element. `encoded` is IssuerSignedItemBytes as it came, with tag 24 and salt: what is hashed."""

    digest_id: int
    element_identifier: str
    element_value: Any
    encoded: bytes


@dataclass(frozen=True, slots=True)
class IssuerSigned:
    """The data elements that are there, by namespace, and the issuer's signature over the digests of all."""

    namespaces: Mapping[str, Mapping[str, IssuerSignedItem]]
    issuer_auth: Sign1

    @property
    def values(self) -> dict[str, dict[str, Any]]:
        """The elements' values."""
        return {
            namespace: {name: item.element_value for name, item in items.items()}
            for namespace, items in self.namespaces.items()
        }


@dataclass(frozen=True, slots=True)
class DeviceSigned:
    """What the device authenticates. `encoded_namespaces` is DeviceNameSpacesBytes as it came, with its tag 24.

    `device_auth` is the COSE_Sign1 or, if `is_mac`, the COSE_Mac0, not yet parsed.
    """

    namespaces: Mapping[str, Mapping[str, Any]]
    encoded_namespaces: bytes
    device_auth: list[Any]
    is_mac: bool


@dataclass(frozen=True, slots=True)
class Document:
    """One mdoc as it was presented."""

    doctype: str
    issuer_signed: IssuerSigned
    device_signed: DeviceSigned

    @property
    def x5chain(self) -> tuple[bytes, ...]:
        """The certificates of the document signer, DER, leaf first: not yet believed."""
        return self.issuer_signed.issuer_auth.x5chain


@dataclass(frozen=True, slots=True)
class DeviceResponse:
    """The answer of an mdoc: documents, and which document types it did not return, with a code (8.3.2.1.2.3)."""

    documents: tuple[Document, ...]
    document_errors: Mapping[str, int]


def parse_device_response(data: bytes) -> DeviceResponse:
    """Read a DeviceResponse.

    Raises:
        MalformedInput: not a DeviceResponse, one with a status that is not OK, or one without any document: there is
            nothing to verify in it.
    """
    response = _map(cbor_loads(data), "a DeviceResponse")
    require_version(response)
    if (status := member(response, "status", int)) != STATUS_OK:
        raise MalformedInput(f"expected a DeviceResponse with status {STATUS_OK}, got {status}")
    documents = member(response, "documents", list)
    if not documents:
        raise MalformedInput("expected a DeviceResponse with documents, got none")
    errors = member(response, "documentErrors", list) if "documentErrors" in response else []
    return DeviceResponse(tuple(map(_document, documents)), _document_errors(errors))


def parse_issuer_signed(value: object) -> IssuerSigned:
    """Read an IssuerSigned, encoded or as a map that was decoded before.

    Raises:
        MalformedInput: not such a structure, or an element or a digest ID that is there twice.
    """
    structure = _map(cbor_loads(value) if isinstance(value, bytes) else value, "IssuerSigned")
    namespaces = member(structure, "nameSpaces", dict) if "nameSpaces" in structure else {}
    return IssuerSigned(
        {_text(namespace, "a namespace"): _items(items) for namespace, items in namespaces.items()},
        parse_sign1(member(structure, "issuerAuth", list)),
    )


def _document(value: object) -> Document:
    document = _map(value, "a Document")
    return Document(
        member(document, "docType", str),
        parse_issuer_signed(member(document, "issuerSigned", dict)),
        _device_signed(member(document, "deviceSigned", dict)),
    )


def _items(value: object) -> dict[str, IssuerSignedItem]:
    if type(value) is not list or not value:
        raise MalformedInput("expected the items of a namespace as a list that is not empty")
    if not all(type(encoded) is EncodedCbor for encoded in value):
        raise MalformedInput("expected IssuerSignedItems encoded in tag 24")
    raw = [encoded.raw for encoded in value]
    found = {item.element_identifier: item for item in map(_item, cbor_loads_each(raw), raw)}
    if len(found) != len(value):
        raise MalformedInput("an element is in a namespace twice")
    if len({item.digest_id for item in found.values()}) != len(found):
        raise MalformedInput("a digest ID is in a namespace twice")
    return found


def _item(value: object, raw: bytes) -> IssuerSignedItem:
    match value:
        case {"digestID": digest_id, "random": salt, "elementIdentifier": name, "elementValue": element_value}:
            pass
        case _:
            raise MalformedInput("expected digestID, random, elementIdentifier and elementValue in an IssuerSignedItem")
    if type(digest_id) is not int or not 0 <= digest_id <= MAX_DIGEST_ID:
        raise MalformedInput("expected a digestID of at most 32 bits")
    if type(salt) is not bytes or len(salt) < MIN_SALT_BYTES:
        raise MalformedInput(f"expected a random of at least {MIN_SALT_BYTES} bytes")
    if type(name) is not str:
        raise MalformedInput("expected an elementIdentifier that is text")
    require_plain(element_value)
    return IssuerSignedItem(digest_id, name, element_value, encode_tag24(raw))


def _device_signed(value: Mapping[Any, Any]) -> DeviceSigned:
    encoded = value.get("nameSpaces")
    if not isinstance(encoded, EncodedCbor):
        raise MalformedInput("expected the device's nameSpaces encoded in tag 24")
    # Few devices assert anything, and the decoder costs more than the comparison.
    namespaces = {} if encoded.raw == _EMPTY_MAP else _map(cbor_loads(encoded.raw), "DeviceNameSpaces")
    for namespace, elements in namespaces.items():
        _text(namespace, "a namespace")
        if not _map(elements, "the elements of a namespace"):
            raise MalformedInput("expected a device namespace with elements, got an empty one")
        require_plain(elements)
        for name in elements:
            _text(name, "an element identifier")
    device_auth = member(value, "deviceAuth", dict)
    is_mac = "deviceMac" in device_auth
    if is_mac == ("deviceSignature" in device_auth):
        raise MalformedInput("expected either a deviceSignature or a deviceMac")
    device_auth_of_kind = member(device_auth, "deviceMac" if is_mac else "deviceSignature", list)
    return DeviceSigned(namespaces, encoded.encoded, device_auth_of_kind, is_mac)


def _document_errors(value: list[Any]) -> dict[str, int]:
    errors: dict[str, int] = {}
    for error in value:
        for doctype, code in _map(error, "a DocumentError").items():
            if type(code) is not int:
                raise MalformedInput("expected an integer as the code of a DocumentError")
            errors[_text(doctype, "a document type")] = code
    return errors


def _map(value: object, what: str) -> dict[Any, Any]:
    if type(value) is not dict:
        raise MalformedInput(f"expected {what} as a map, got {type(value).__name__}")
    return value


def _text(value: object, what: str) -> str:
    if type(value) is not str:
        raise MalformedInput(f"expected {what} as text, got {type(value).__name__}")
    return value
