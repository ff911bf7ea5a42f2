"""Issuing an mdoc: salted items, their digests, and the Mobile Security Object that the issuer signs.

Spec: ISO/IEC 18013-5 9.1.2.4 (IssuerAuth, Mobile Security Object), 9.1.2.5 (digests and salts); OpenID4VCI 1.0 A.2.
The credential is IssuerSigned, encoded; OpenID4VCI sends it as base64url.
"""

import os
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from byoid.cbor import cbor_dumps, cbor_head, encode_bytes, encode_tag24, encode_text
from byoid.cose import X5CHAIN, UnsignedSign1, prepare_sign1, public_key_to_cose_key, x5chain_header
from byoid.formats.identifier_list import IdentifierReference
from byoid.formats.mdoc.mso import DIGEST_ALGORITHMS, VERSION, KeyAuthorizations, ValidityInfo
from byoid.formats.status_list import StatusReference
from byoid.keys import PublicKey

SALT_BYTES: Final = 32
# The constant parts of an IssuerSignedItem, in the order of its definition.
_DIGEST_ID: Final = b"\xa4\x68digestID"
_RANDOM: Final = b"\x66random\x58\x20"
_ELEMENT_IDENTIFIER: Final = b"\x71elementIdentifier"
_ELEMENT_VALUE: Final = b"\x6celementValue"


@dataclass(frozen=True, slots=True)
class UnsignedMdoc:
    """An mdoc that waits for the signature of its issuer."""

    namespaces: bytes
    issuer_auth: UnsignedSign1

    @property
    def signing_input(self) -> bytes:
        """The bytes to sign."""
        return self.issuer_auth.signing_input

    def attach(self, signature: bytes) -> bytes:
        """Return IssuerSigned, encoded."""
        return encode_issuer_signed(self.namespaces, self.issuer_auth.attach(signature))


def prepare_mdoc(  # noqa: PLR0913  # the members of the MSO, each needed, each a keyword
    namespaces: Mapping[str, Mapping[str, Any]],
    *,
    doctype: str,
    device_key: PublicKey,
    x5chain: Sequence[bytes],
    algorithm: str,
    signed: datetime,
    valid_from: datetime,
    valid_until: datetime,
    expected_update: datetime | None = None,
    status: StatusReference | IdentifierReference | None = None,
    key_authorizations: KeyAuthorizations | None = None,
    digest_algorithm: str = "SHA-256",
) -> UnsignedMdoc:
    """Prepare an mdoc for the signature of its issuer.

    Args:
        namespaces: the elements by namespace. A date becomes a full-date (tag 1004), an aware datetime a tdate (tag 0)
            in UTC and whole seconds.
        doctype: the document type.
        device_key: the holder's key.
        x5chain: the document signer's certificates, DER, leaf first, without the anchor.
        algorithm: JOSE name of the issuer's algorithm.
        signed: when the issuer signs; must be within the validity of the document signer's certificate.
        valid_from: not before `signed`.
        valid_until: later than `valid_from`.
        expected_update: when the issuer expects to issue it again.
        status: the place in a status list, or the entry of an identifier list.
        key_authorizations: what the device key may sign besides the session.
        digest_algorithm: SHA-256, SHA-384 or SHA-512.

    Raises:
        ValueError: our own fault: no elements, no certificate, naive or disordered dates, an unknown digest algorithm.
    """
    validity = _ordered(ValidityInfo(signed, valid_from, valid_until, expected_update))
    if not x5chain or digest_algorithm not in DIGEST_ALGORITHMS:
        raise ValueError("expected at least one certificate, and a digest algorithm that 18013-5 has")
    items, digests = _seal_all(namespaces, digest_algorithm)
    mso = (
        (b"\xa6" if status is None else b"\xa7")
        + b"\x67version" + encode_text(VERSION)
        + b"\x6fdigestAlgorithm" + encode_text(digest_algorithm)
        + b"\x6cvalueDigests" + digests
        + b"\x6ddeviceKeyInfo" + _device_key_info(device_key, key_authorizations)
        + b"\x67docType" + encode_text(doctype)
        + b"\x6cvalidityInfo" + _validity_info(validity)
        + (b"" if status is None else b"\x66status" + cbor_dumps(status.to_claim()))
    )  # fmt: skip
    header = {X5CHAIN: x5chain_header(x5chain)}
    return UnsignedMdoc(items, prepare_sign1(encode_tag24(mso), algorithm=algorithm, unprotected=header))


def encode_issuer_signed(namespaces: bytes, issuer_auth: bytes) -> bytes:
    """Return IssuerSigned from its encoded parts; without nameSpaces where there are none (`b""`)."""
    head = b"\xa2\x6anameSpaces" + namespaces if namespaces else b"\xa1"
    return head + b"\x6aissuerAuth" + issuer_auth


def _seal_all(namespaces: Mapping[str, Mapping[str, Any]], digest_algorithm: str) -> tuple[bytes, bytes]:
    """Return IssuerNameSpaces and ValueDigests, both encoded."""
    if not namespaces or not all(namespaces.values()):
        raise ValueError("expected at least one namespace, and at least one element in each")
    items, digests = [head := cbor_head(5, len(namespaces))], [head]
    for namespace, elements in namespaces.items():
        name, count = encode_text(namespace), len(elements)
        sealed, digest_of = _seal(elements, digest_algorithm)
        items += [name, cbor_head(4, count), *sealed]
        digests += [name, cbor_head(5, count), *digest_of]
    return b"".join(items), b"".join(digests)


def _seal(elements: Mapping[str, Any], digest_algorithm: str) -> tuple[list[bytes], list[bytes]]:
    """Return each element as IssuerSignedItemBytes, and the members of its namespace's DigestIDs, all encoded.

    The IDs are a random permutation: an ID tells nothing about the elements that are not shown.
    """
    digest, count = DIGEST_ALGORITHMS[digest_algorithm], len(elements)
    salts, ranks = os.urandom(SALT_BYTES * count), struct.unpack(f"{count}Q", os.urandom(8 * count))
    order = sorted(range(count), key=ranks.__getitem__)
    sealed, digests = [], [b""] * count
    for place, (digest_id, (name, value)) in enumerate(zip(order, elements.items(), strict=True)):
        item = (
            _DIGEST_ID, cbor_head(0, digest_id),
            _RANDOM, salts[SALT_BYTES * place : SALT_BYTES * (place + 1)],
            _ELEMENT_IDENTIFIER, encode_text(name),
            _ELEMENT_VALUE, cbor_dumps(value),
        )  # fmt: skip
        encoded = encode_tag24(b"".join(item))
        sealed.append(encoded)
        digests[digest_id] = cbor_head(0, digest_id) + encode_bytes(digest(encoded))
    return sealed, digests


def _device_key_info(device_key: PublicKey, key_authorizations: KeyAuthorizations | None) -> bytes:
    info: dict[str, Any] = {"deviceKey": public_key_to_cose_key(device_key)}
    if key_authorizations is not None and (names := key_authorizations.to_map()):
        info["keyAuthorizations"] = names
    return cbor_dumps(info)


def _validity_info(validity: ValidityInfo) -> bytes:
    update = validity.expected_update
    return (
        (b"\xa3" if update is None else b"\xa4")
        + b"\x66signed" + cbor_dumps(validity.signed)
        + b"\x69validFrom" + cbor_dumps(validity.valid_from)
        + b"\x6avalidUntil" + cbor_dumps(validity.valid_until)
        + (b"" if update is None else b"\x6eexpectedUpdate" + cbor_dumps(update))
    )  # fmt: skip


def _ordered(validity: ValidityInfo) -> ValidityInfo:
    if any(moment.tzinfo is None for moment in (validity.signed, validity.valid_from, validity.valid_until)):
        raise ValueError("expected aware datetimes")
    if not validity.signed <= validity.valid_from < validity.valid_until:
        raise ValueError("expected signed, validFrom and validUntil in this order")
    return validity
