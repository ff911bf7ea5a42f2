"""Certificate revocation lists: which certificates of a chain their issuers have taken back.

RFC 5280 5 (format) and 6.3 (use), as far as ISO/IEC 18013-5 Annex B and ETSI TS 119 411-8 profiles need it: complete
lists that the issuer of the certificate signs itself. Delta and indirect lists carry critical extensions and are
refused. Fetching lists is the caller's business.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.extensions import ExtensionNotFound

from byoid.errors import MalformedInput, UntrustedIssuer
from byoid.trust.certificate import UNREADABLE

MAX_CRL_BYTES: Final = 16 << 20


class Crls:
    """The revocation lists that a caller holds, and whether a certificate without a current one is still accepted.

    Signatures are verified once for a pair of list and issuer; dates at every use.
    """

    def __init__(self, crls: Iterable[x509.CertificateRevocationList] = (), *, accept_missing: bool = False) -> None:
        self.accept_missing = accept_missing
        self._by_issuer: dict[x509.Name, list[_Crl]] = {}
        for crl in map(_Crl, crls):
            self._by_issuer.setdefault(crl.issuer, []).append(crl)

    @classmethod
    def from_der(cls, crls: Iterable[bytes], *, accept_missing: bool = False) -> Self:
        """Parse lists.

        Raises:
            MalformedInput: too large, not a CRL, or a list of a kind that is not supported (delta, indirect).
        """
        return cls([_parse(der) for der in crls], accept_missing=accept_missing)

    def require_not_revoked(self, certificate: x509.Certificate, issuer: x509.Certificate, *, now: datetime) -> None:
        """Check one certificate against its issuer's current lists.

        Raises:
            UntrustedIssuer: it is revoked, or no current list of its issuer is here and that is not accepted.
        """
        current = [
            crl for crl in self._by_issuer.get(issuer.subject, ()) if crl.is_current(now) and crl.is_signed_by(issuer)
        ]
        serial = f"{certificate.serial_number:x}"
        if any(serial in crl.revoked for crl in current):
            raise UntrustedIssuer(f"the certificate {serial} is revoked by its issuer")
        if not current and not self.accept_missing:
            raise UntrustedIssuer(f"no current revocation list of the issuer of certificate {serial}")


class _Crl:
    """A list, its serial numbers as a set, and the issuers under whom its signature was verified."""

    def __init__(self, crl: x509.CertificateRevocationList) -> None:
        try:
            critical = _critical_extensions(crl)
            self.issuer, self.next_update = crl.issuer, crl.next_update_utc
            # As text: numbers made to collide would take hours, and the signature is verified only later.
            self.revoked = frozenset(f"{entry.serial_number:x}" for entry in crl)
        except UNREADABLE as error:  # parsed only now
            raise MalformedInput("the revocation list cannot be read") from error
        if critical:
            raise MalformedInput(f"revocation list with the critical extension {critical[0].dotted_string}")
        self.crl = crl
        self._signed_by: dict[x509.Certificate, bool] = {}

    def is_current(self, now: datetime) -> bool:
        return self.crl.last_update_utc <= now and self.next_update is not None and now <= self.next_update

    def is_signed_by(self, issuer: x509.Certificate) -> bool:
        """Say whether this issuer signed the list and may do so; there are never more issuers than anchors and CAs."""
        if issuer not in self._signed_by:
            self._signed_by[issuer] = _may_sign_crls(issuer) and _verifies(self.crl, issuer)
        return self._signed_by[issuer]


def _parse(der: bytes) -> x509.CertificateRevocationList:
    if len(der) > MAX_CRL_BYTES:
        raise MalformedInput(f"revocation list of {len(der)} bytes, at most {MAX_CRL_BYTES} are accepted")
    try:
        return x509.load_der_x509_crl(der)
    except UNREADABLE as error:
        raise MalformedInput("expected a DER revocation list") from error


def _critical_extensions(crl: x509.CertificateRevocationList) -> list[x509.ObjectIdentifier]:
    entries = [extension for entry in crl for extension in entry.extensions]
    return [extension.oid for extension in (*crl.extensions, *entries) if extension.critical]


def _may_sign_crls(issuer: x509.Certificate) -> bool:
    try:
        return issuer.extensions.get_extension_for_class(x509.KeyUsage).value.crl_sign
    except ExtensionNotFound:
        return False


def _verifies(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    try:
        return crl.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]  # any other key raises TypeError
    except (InvalidSignature, UnsupportedAlgorithm, TypeError, ValueError):
        return False
