"""Verifying an mdoc: the issuer's data authentication and the device's authentication.

Spec: ISO/IEC 18013-5 9.3.1 (inspection of issuer data authentication, steps 1 to 5), 9.1.3.5 and 9.1.3.6 (device MAC
and device signature), 9.1.2.4 (key authorizations). Step 1, the chain of certificates to an anchor (9.3.3), is the
caller's: `byoid.trust.x509`, which gives the key that comes in here.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from cryptography import x509

from byoid.cose import verify_mac0, verify_sign1
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
from byoid.formats.mdoc.mso import (
    DIGEST_ALGORITHMS,
    MobileSecurityObject,
    ValidityInfo,
    parse_mobile_security_object,
)
from byoid.formats.mdoc.session import agree_mac_key, device_authentication_bytes
from byoid.formats.mdoc.structures import Document, IssuerSigned, parse_issuer_signed
from byoid.formats.status_list import StatusReference
from byoid.keys import PrivateKey, PublicKey

ALGORITHMS: Final = frozenset({"ES256", "ES384", "ES512", "Ed25519"})  # 9.1.2.4 and 9.1.3.6, as far as byoid has them
LEEWAY: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class VerifiedMdoc:
    """An mdoc whose issuer signed it; and whose device answered this session, unless it came from its issuer.

    `namespaces` holds what the issuer signed, `device_namespaces` what the device asserted and was allowed to.
    `has_status` is true also for a status by other means than the two that are read.
    """

    doctype: str
    namespaces: Mapping[str, Mapping[str, Any]]
    device_namespaces: Mapping[str, Mapping[str, Any]]
    device_key: PublicKey
    validity: ValidityInfo
    status: StatusReference | None
    identifier: IdentifierReference | None
    has_status: bool

    @property
    def valid_until(self) -> datetime:
        """The end of the validity."""
        return self.validity.valid_until


def verify_document(
    document: Document,
    *,
    issuer_key: PublicKey,
    session_transcript: bytes,
    now: datetime,
    leeway: timedelta = LEEWAY,
    mac_key: PrivateKey | None = None,
    algorithms: Collection[str] = ALGORITHMS,
    issuer_certificate: x509.Certificate | None = None,
) -> VerifiedMdoc:
    """Verify a document of a DeviceResponse for one session.

    Args:
        document: as parsed.
        issuer_key: of the document signer; the caller has verified its chain (step 1).
        session_transcript: of our own request, encoded (`session`).
        now: the present.
        leeway: how far the clocks of issuer and verifier may differ.
        mac_key: the reader's private key, where device MACs are accepted; it has to be of this session.
        algorithms: JOSE names accepted for issuer and device.
        issuer_certificate: the document signer's: the mdoc must have been signed within its validity (step 5). Without
            it, this one check is not made.

    Raises:
        MalformedInput: a structure inside a signed byte string is not what it should be.
        WrongType: the MSO is for another document type, or an algorithm is not accepted.
        BadSignature: the issuer's signature does not verify.
        DigestMismatch: an element is not one that the issuer signed.
        NotYetValid, Expired: outside the validity.
        UntrustedIssuer: signed outside the validity of the document signer's certificate.
        HolderBindingError: the device did not authenticate this session, or signed an element that it may not sign.
    """
    mso = _verify_issuer_auth(document.issuer_signed, issuer_key, algorithms)  # 2
    _verify_digests(document.issuer_signed, mso)  # 3
    if mso.doctype != document.doctype:  # 4
        raise WrongType("expected the document type in the MSO to be the document's, they differ")
    _verify_validity(mso.validity, now, leeway, issuer_certificate)  # 5
    _verify_device_auth(document, mso, session_transcript, mac_key, algorithms)
    mso.key_authorizations.require(document.device_signed.namespaces)
    return _verified(document.issuer_signed, mso, document.device_signed.namespaces)


def verify_issuer_signed(
    issuer_signed: IssuerSigned | bytes,
    *,
    issuer_key: PublicKey,
    doctype: str,
    device_key: PublicKey,
    now: datetime,
    leeway: timedelta = LEEWAY,
    algorithms: Collection[str] = ALGORITHMS,
    issuer_certificate: x509.Certificate | None = None,
) -> VerifiedMdoc:
    """Verify an mdoc at receipt: all of `verify_document` that an issuer can be held to, for every element.

    Args:
        issuer_signed: the credential, as decoded from base64url, or parsed.
        issuer_key: of the document signer; the caller has verified its chain (step 1).
        doctype: the document type that was asked for.
        device_key: the key that the wallet proved to the issuer.
        now: the present.
        leeway: how far the clocks of issuer and wallet may differ.
        algorithms: JOSE names accepted for the issuer.
        issuer_certificate: as in `verify_document`.

    Raises:
        HolderBindingError: the mdoc is bound to another key.
        MalformedInput, WrongType, BadSignature, DigestMismatch, NotYetValid, Expired, UntrustedIssuer: as in
            `verify_document`.
    """
    parsed = parse_issuer_signed(issuer_signed) if isinstance(issuer_signed, bytes) else issuer_signed
    mso = _verify_issuer_auth(parsed, issuer_key, algorithms)  # 2
    _verify_digests(parsed, mso)  # 3
    if mso.doctype != doctype:  # 4
        raise WrongType("expected the document type that was asked for, got another")
    _verify_validity(mso.validity, now, leeway, issuer_certificate)  # 5
    if mso.device_key != device_key:
        raise HolderBindingError("expected an mdoc for the key that was proved, it is bound to another")
    return _verified(parsed, mso, {})


def _verify_issuer_auth(
    issuer_signed: IssuerSigned, issuer_key: PublicKey, algorithms: Collection[str]
) -> MobileSecurityObject:
    """Step 2: the issuer's signature over the MSO, which is only read afterwards."""
    return parse_mobile_security_object(
        verify_sign1(issuer_signed.issuer_auth, issuer_key, algorithms=algorithms).payload
    )


def _verify_digests(issuer_signed: IssuerSigned, mso: MobileSecurityObject) -> None:
    """Step 3: the digest of every item that came is the one in the MSO."""
    digest = DIGEST_ALGORITHMS[mso.digest_algorithm]
    for namespace, items in issuer_signed.namespaces.items():
        expected = mso.value_digests.get(namespace, {})
        for item in items.values():
            if expected.get(item.digest_id) != digest(item.encoded):
                raise DigestMismatch("an element does not have the digest that the issuer signed")


def _verify_validity(
    validity: ValidityInfo, now: datetime, leeway: timedelta, certificate: x509.Certificate | None
) -> None:
    """Step 5: signed within the certificate's validity; validFrom, now and validUntil in this order."""
    if certificate is not None and not (
        certificate.not_valid_before_utc <= validity.signed <= certificate.not_valid_after_utc
    ):
        raise UntrustedIssuer("the mdoc was signed outside the validity of its signer's certificate")
    # Differences, since a date at the end of time and a leeway have no sum.
    if validity.valid_from - now > leeway:
        raise NotYetValid(f"the mdoc is valid from {validity.valid_from:%Y-%m-%dT%H:%M:%SZ}")
    if now - validity.valid_until > leeway:
        raise Expired(f"the mdoc was valid until {validity.valid_until:%Y-%m-%dT%H:%M:%SZ}")


def _verify_device_auth(
    document: Document,
    mso: MobileSecurityObject,
    session_transcript: bytes,
    mac_key: PrivateKey | None,
    algorithms: Collection[str],
) -> None:
    """9.1.3: the device key authenticates this session, this document type and the device-signed elements."""
    signed = document.device_signed
    payload = device_authentication_bytes(session_transcript, mso.doctype, signed.encoded_namespaces)
    try:
        if not signed.is_mac:
            verify_sign1(signed.device_auth, mso.device_key, algorithms=algorithms, payload=payload)
        elif mac_key is None:
            raise HolderBindingError("expected a device signature, got a MAC, and there is no key to check it")
        else:
            verify_mac0(signed.device_auth, agree_mac_key(mac_key, mso.device_key, session_transcript), payload=payload)
    except BadSignature:
        raise HolderBindingError("the device did not authenticate this session") from None


def _verified(
    issuer_signed: IssuerSigned, mso: MobileSecurityObject, device_namespaces: Mapping[str, Mapping[str, Any]]
) -> VerifiedMdoc:
    return VerifiedMdoc(
        doctype=mso.doctype,
        namespaces=issuer_signed.values,
        device_namespaces=device_namespaces,
        device_key=mso.device_key,
        validity=mso.validity,
        status=mso.status,
        identifier=mso.identifier,
        has_status=mso.has_status,
    )
