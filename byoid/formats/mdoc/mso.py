"""The Mobile Security Object: what the issuer of an mdoc signs.

Spec: ISO/IEC 18013-5 9.1.2.4 (MobileSecurityObject, DeviceKeyInfo, KeyAuthorizations, ValidityInfo), 9.1.2.5 (digests);
second edition for `status` (status_list as in draft-ietf-oauth-status-list 6.3, identifier_list). Unknown members are
ignored.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Self, TypeVar

from byoid.cbor import EncodedCbor, cbor_loads
from byoid.cose import cose_key_to_public_key
from byoid.errors import HolderBindingError, MalformedInput
from byoid.formats.identifier_list import IdentifierReference
from byoid.formats.status_list import StatusReference
from byoid.keys import PublicKey

VERSION: Final = "1.0"
DIGEST_ALGORITHMS: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "SHA-256": lambda data: hashlib.sha256(data).digest(),
    "SHA-384": lambda data: hashlib.sha384(data).digest(),
    "SHA-512": lambda data: hashlib.sha512(data).digest(),
}

T = TypeVar("T")


def member(structure: Mapping[Any, Any], name: str, kind: type[T]) -> T:
    """Return a member that a structure must have.

    Raises:
        MalformedInput: it is absent, or of another type (a bool is no int).
    """
    value = structure.get(name)
    if type(value) is not kind:
        raise MalformedInput(f"expected {name} as {kind.__name__}, got {type(value).__name__}")
    return value


def require_version(structure: Mapping[Any, Any]) -> None:
    """Demand major version 1: a minor version only adds members, which are ignored.

    Raises:
        MalformedInput: another version, or none.
    """
    major, _, minor = member(structure, "version", str).partition(".")
    if major != "1" or not (minor.isascii() and minor.isdigit()):
        raise MalformedInput("expected version 1.0 of the structure, got one that byoid does not know")


@dataclass(frozen=True, slots=True)
class ValidityInfo:
    """When the issuer signed, and from when to when the mdoc may be used."""

    signed: datetime
    valid_from: datetime
    valid_until: datetime
    expected_update: datetime | None = None

    @classmethod
    def from_map(cls, value: Mapping[Any, Any]) -> Self:
        """Read a ValidityInfo.

        Raises:
            MalformedInput: a date that must be there is absent, or is no tdate.
        """
        update = member(value, "expectedUpdate", datetime) if "expectedUpdate" in value else None
        signed, valid_from, valid_until = (
            member(value, name, datetime) for name in ("signed", "validFrom", "validUntil")
        )
        return cls(signed, valid_from, valid_until, update)


@dataclass(frozen=True, slots=True)
class KeyAuthorizations:
    """What the device key may sign besides the session: whole namespaces, and single elements of other namespaces."""

    namespaces: frozenset[str] = frozenset()
    data_elements: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.namespaces.isdisjoint(self.data_elements):
            raise ValueError("a namespace is authorized as a whole and by its elements")

    @classmethod
    def from_map(cls, value: Mapping[Any, Any]) -> Self:
        """Read KeyAuthorizations.

        Raises:
            MalformedInput: not lists of texts, or a namespace that is there both as a whole and by its elements.
        """
        elements = member(value, "dataElements", dict) if "dataElements" in value else {}
        try:
            return cls(
                _texts(value.get("nameSpaces", [])),
                {namespace: _texts(names) for namespace, names in elements.items()},
            )
        except ValueError as error:
            raise MalformedInput(f"keyAuthorizations: {error}") from None

    def to_map(self) -> dict[str, Any]:
        """Return the structure to encode, without empty members."""
        names: dict[str, Any] = {"nameSpaces": sorted(self.namespaces)} if self.namespaces else {}
        if self.data_elements:
            names["dataElements"] = {namespace: sorted(elements) for namespace, elements in self.data_elements.items()}
        return names

    def require(self, namespaces: Mapping[str, Mapping[str, Any]]) -> None:
        """Demand that the device key may sign these elements.

        Raises:
            HolderBindingError: the issuer did not authorize it to sign one of them.
        """
        for namespace, elements in namespaces.items():
            if namespace not in self.namespaces and not self.data_elements.get(namespace, frozenset()).issuperset(
                elements
            ):
                raise HolderBindingError(
                    "the device key signed an element that the issuer did not authorize it to sign"
                )


@dataclass(frozen=True, slots=True)
class MobileSecurityObject:
    """What the issuer signed: digests of all elements, the device key, the document type, the validity, the status.

    `status` is the place in a status list, `identifier` the entry of an identifier list; usually there is one at most.
    `has_status` says that the issuer states something, by these or by other means.
    """

    digest_algorithm: str
    value_digests: Mapping[str, Mapping[int, bytes]]
    device_key: PublicKey
    key_authorizations: KeyAuthorizations
    doctype: str
    validity: ValidityInfo
    status: StatusReference | None
    identifier: IdentifierReference | None
    has_status: bool


def parse_mobile_security_object(payload: bytes | None) -> MobileSecurityObject:
    """Read the payload of an IssuerAuth: MobileSecurityObjectBytes, a tag 24 (9.1.2.4).

    Raises:
        MalformedInput: it is detached, or is not such a structure.
    """
    if payload is None:
        raise MalformedInput("expected the IssuerAuth to hold its payload, it is detached")
    encoded = cbor_loads(payload)
    value = cbor_loads(encoded.raw) if type(encoded) is EncodedCbor else None
    if type(value) is not dict:
        raise MalformedInput("expected the IssuerAuth's payload to be an encoded map in tag 24")
    require_version(value)
    device_key_info = member(value, "deviceKeyInfo", dict)
    status = member(value, "status", dict) if "status" in value else None
    return MobileSecurityObject(
        digest_algorithm=_digest_algorithm(value),
        value_digests=_value_digests(member(value, "valueDigests", dict)),
        device_key=cose_key_to_public_key(member(device_key_info, "deviceKey", dict)),
        key_authorizations=_key_authorizations(device_key_info),
        doctype=member(value, "docType", str),
        validity=ValidityInfo.from_map(member(value, "validityInfo", dict)),
        status=StatusReference.from_claim(status),
        identifier=IdentifierReference.from_claim(status),
        has_status=status is not None,
    )


def _digest_algorithm(value: Mapping[Any, Any]) -> str:
    algorithm = member(value, "digestAlgorithm", str)
    if algorithm not in DIGEST_ALGORITHMS:
        raise MalformedInput(f"expected a digestAlgorithm of {', '.join(DIGEST_ALGORITHMS)}, got another")
    return algorithm


def _value_digests(value: Mapping[Any, Any]) -> Mapping[str, Mapping[int, bytes]]:
    for namespace, digests in value.items():
        if type(namespace) is not str or type(digests) is not dict:
            raise MalformedInput("expected valueDigests to map namespaces to maps of digests")
        if set(map(type, digests)) - {int} or set(map(type, digests.values())) - {bytes}:
            raise MalformedInput("expected valueDigests to map digest IDs to byte strings")
    return value


def _key_authorizations(device_key_info: Mapping[Any, Any]) -> KeyAuthorizations:
    if "keyAuthorizations" not in device_key_info:
        return KeyAuthorizations()
    return KeyAuthorizations.from_map(member(device_key_info, "keyAuthorizations", dict))


def _texts(value: object) -> frozenset[str]:
    if type(value) is not list or not all(type(text) is str for text in value):
        raise ValueError("expected a list of texts")
    return frozenset(value)
