"""Presenting an mdoc: the elements that the holder chose, and the device's signature or MAC over the session.

Spec: ISO/IEC 18013-5 8.3.2.1.2.2 (DeviceResponse), 9.1.3 (mdoc authentication); OpenID4VP 1.0 B.2 (one DeviceResponse
per credential, transaction data as device-signed elements). Items and IssuerAuth are sent as the issuer signed them.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from byoid.cbor import cbor_dumps, cbor_head, encode_tag24, encode_text
from byoid.cose import UnsignedSign1, create_mac0, prepare_sign1
from byoid.errors import ClaimMismatch
from byoid.formats.mdoc.issue import encode_issuer_signed
from byoid.formats.mdoc.mso import MobileSecurityObject, ValidityInfo, parse_mobile_security_object
from byoid.formats.mdoc.session import agree_mac_key, device_authentication_bytes
from byoid.formats.mdoc.structures import IssuerSigned, parse_issuer_signed
from byoid.formats.status_list import StatusReference
from byoid.keys import PrivateKey, PublicKey
from byoid.lazy import cached_property

Element = tuple[str, str]


@dataclass(frozen=True, slots=True)
class UnsignedDocument:
    """A document that waits for the signature of the device."""

    head: bytes
    device_signature: UnsignedSign1

    @property
    def signing_input(self) -> bytes:
        """The bytes to sign."""
        return self.device_signature.signing_input

    def attach(self, signature: bytes) -> bytes:
        """Return the Document, encoded."""
        return self.head + b"\xa1\x6fdeviceSignature" + self.device_signature.attach(signature)


@dataclass(frozen=True, slots=True)
class UnsignedResponse:
    """A DeviceResponse with one document that waits for the signature of the device."""

    document: UnsignedDocument

    @property
    def signing_input(self) -> bytes:
        """The bytes to sign."""
        return self.document.signing_input

    def attach(self, signature: bytes) -> bytes:
        """Return the DeviceResponse, encoded."""
        return encode_device_response([self.document.attach(signature)])


@dataclass(frozen=True)
class HeldMdoc:
    """An mdoc as its holder keeps it. `raw` is the truth; the rest is an index into it, made once.

    It was verified at receipt (`verify.verify_issuer_signed`); here it is only read.
    """

    raw: bytes
    issuer_signed: IssuerSigned
    mso: MobileSecurityObject

    @classmethod
    def from_bytes(cls, raw: bytes) -> Self:
        """Read an IssuerSigned.

        Raises:
            MalformedInput: not such a structure.
        """
        issuer_signed = parse_issuer_signed(raw)
        return cls(raw, issuer_signed, parse_mobile_security_object(issuer_signed.issuer_auth.payload))

    @property
    def doctype(self) -> str:
        """The document type."""
        return self.mso.doctype

    @cached_property
    def namespaces(self) -> dict[str, dict[str, Any]]:
        """The values of all elements."""
        return self.issuer_signed.values

    @property
    def x5chain(self) -> tuple[bytes, ...]:
        """The certificates of the document signer, DER, leaf first."""
        return self.issuer_signed.issuer_auth.x5chain

    @property
    def device_key(self) -> PublicKey:
        """The key that the holder must prove."""
        return self.mso.device_key

    @property
    def validity(self) -> ValidityInfo:
        """When it was signed, and from when to when it may be used."""
        return self.mso.validity

    @property
    def status(self) -> StatusReference | None:
        """The place in a status list."""
        return self.mso.status

    def prepare_response(
        self,
        elements: Collection[Element],
        *,
        session_transcript: bytes,
        algorithm: str,
        device_namespaces: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> UnsignedResponse:
        """Prepare a DeviceResponse with this document alone (HAIP 5.3.1) for the signature of the device.

        Args, Raises: as `prepare_document`.
        """
        return UnsignedResponse(
            self.prepare_document(
                elements,
                session_transcript=session_transcript,
                algorithm=algorithm,
                device_namespaces=device_namespaces,
            )
        )

    def prepare_document(
        self,
        elements: Collection[Element],
        *,
        session_transcript: bytes,
        algorithm: str,
        device_namespaces: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> UnsignedDocument:
        """Prepare a document for the signature of the device.

        Args:
            elements: pairs of namespace and element identifier: exactly what is disclosed. None at all is possible.
            session_transcript: of this request (`session`).
            algorithm: JOSE name of the device key's algorithm.
            device_namespaces: elements that the device itself asserts, such as answers to transaction data.

        Raises:
            ClaimMismatch: the mdoc does not hold one of the elements.
            HolderBindingError: the issuer did not authorize the device key to sign one of `device_namespaces`.
        """
        head, authentication = self._device_signed(elements, session_transcript, device_namespaces or {})
        return UnsignedDocument(head, prepare_sign1(authentication, algorithm=algorithm, detached=True))

    def respond_with_mac(
        self,
        elements: Collection[Element],
        *,
        session_transcript: bytes,
        device_key: PrivateKey,
        reader_key: PublicKey,
        device_namespaces: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> bytes:
        """Return a DeviceResponse with a device MAC instead of a signature (9.1.3.5): deniable to third parties.

        Raises:
            MalformedInput: the reader's key is not on the curve of the device key.
            ClaimMismatch, HolderBindingError: as `prepare_document`.
        """
        head, authentication = self._device_signed(elements, session_transcript, device_namespaces or {})
        mac = create_mac0(authentication, agree_mac_key(device_key, reader_key, session_transcript), detached=True)
        return encode_device_response([head + b"\xa1\x69deviceMac" + mac])

    def _device_signed(
        self,
        elements: Collection[Element],
        session_transcript: bytes,
        device_namespaces: Mapping[str, Mapping[str, Any]],
    ) -> tuple[bytes, bytes]:
        """Return the Document up to the value of its deviceAuth, and what the device has to authenticate."""
        self.mso.key_authorizations.require(device_namespaces)
        signed_by_device = encode_tag24(cbor_dumps(device_namespaces))
        head = (
            b"\xa3\x67docType" + encode_text(self.doctype)
            + b"\x6cissuerSigned" + encode_issuer_signed(self._select(elements), self._issuer_auth)
            + b"\x6cdeviceSigned\xa2\x6anameSpaces" + signed_by_device + b"\x6adeviceAuth"
        )  # fmt: skip
        return head, device_authentication_bytes(session_transcript, self.doctype, signed_by_device)

    def _select(self, elements: Collection[Element]) -> bytes:
        """Return IssuerNameSpaces with the chosen items, each as it was received; nothing if none is chosen."""
        chosen: dict[str, dict[str, bytes]] = {}
        for namespace, name in elements:
            item = self.issuer_signed.namespaces.get(namespace, {}).get(name)
            if item is None:
                raise ClaimMismatch(f"the mdoc holds no element {name!r} in {namespace!r}")
            chosen.setdefault(namespace, {})[name] = item.encoded
        if not chosen:
            return b""
        parts = [cbor_head(5, len(chosen))]
        for namespace, items in chosen.items():
            parts += [encode_text(namespace), cbor_head(4, len(items)), *items.values()]
        return b"".join(parts)

    @cached_property
    def _issuer_auth(self) -> bytes:
        auth = self.issuer_signed.issuer_auth
        return UnsignedSign1(b"", auth.protected_bytes, auth.unprotected, auth.payload, False).attach(auth.signature)


def encode_device_response(documents: Sequence[bytes]) -> bytes:
    """Return a DeviceResponse with encoded documents and status OK (8.3.2.1.2.2)."""
    count = cbor_head(4, len(documents))
    return b"\xa3\x67version\x631.0\x69documents" + count + b"".join(documents) + b"\x66status\x00"
