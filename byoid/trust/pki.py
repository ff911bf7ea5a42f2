"""Certificates for key ceremonies, demos and tests: roots, intermediates, signers by purpose, revocation lists.

ISO/IEC 18013-5 Annex B.1 (IACA, document signer), ETSI TS 119 411-8 (access certificates), HAIP 1.0 6.1.1. Names, keys
and times come in; certificates come out; where keys are kept is the caller's business.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from byoid.errors import MalformedInput
from byoid.keys import PrivateKey, PublicKey
from byoid.trust.anchors import Purpose, TrustAnchor, TrustAnchors
from byoid.trust.profiles import DOCUMENT_SIGNER, STATUS_SIGNER

ROOT_LIFETIME: Final = timedelta(days=3650)
INTERMEDIATE_LIFETIME: Final = timedelta(days=1825)
LEAF_LIFETIME: Final = timedelta(days=397)
_HASHES: Final[dict[str, hashes.SHA256 | hashes.SHA384 | hashes.SHA512]] = {
    "ES256": hashes.SHA256(),
    "ES384": hashes.SHA384(),
    "ES512": hashes.SHA512(),
}
_EXTENDED_USAGES: Final = {Purpose.MDOC: DOCUMENT_SIGNER, Purpose.STATUS: STATUS_SIGNER}
_BACKDATED: Final = timedelta(minutes=5)  # for clocks that differ


@dataclass(frozen=True)
class Authority:
    """A certification authority: its certificate and its key."""

    certificate: x509.Certificate
    key: PrivateKey

    @property
    def der(self) -> bytes:
        """The certificate's bytes."""
        return self.certificate.public_bytes(Encoding.DER)

    def anchor(self, *purposes: Purpose, source: str = "pki") -> TrustAnchors:
        """Return a set of anchors that trusts this authority alone."""
        return TrustAnchors([TrustAnchor(self.certificate, frozenset(purposes), source)])


@dataclass(frozen=True)
class SubjectName:
    """Who a certificate is about; `identifier` is the `organizationIdentifier` of a legal person."""

    common_name: str
    organization: str | None = None
    identifier: str | None = None
    country: str = "UT"

    def to_name(self) -> x509.Name:
        """Return the distinguished name."""
        parts = (
            (NameOID.COUNTRY_NAME, self.country),
            (NameOID.ORGANIZATION_NAME, self.organization),
            (NameOID.ORGANIZATION_IDENTIFIER, self.identifier),
            (NameOID.COMMON_NAME, self.common_name),
        )
        return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts if value is not None])


def make_root(
    subject: SubjectName,
    *,
    key: PrivateKey,
    now: datetime,
    lifetime: timedelta = ROOT_LIFETIME,
    path_length: int = 1,
    contact: str | None = None,
) -> Authority:
    """Make a self-signed root. An IACA has the path length 0 and a contact URI (issuer alternative name)."""
    builder = _builder(subject.to_name(), subject.to_name(), key.public, key.public, now, lifetime)
    builder = _as_authority(builder, path_length)
    if contact is not None:
        builder = builder.add_extension(
            x509.IssuerAlternativeName([x509.UniformResourceIdentifier(contact)]), critical=False
        )
    return Authority(_sign(builder, key), key)


def make_intermediate(
    issuer: Authority,
    subject: SubjectName,
    *,
    key: PrivateKey,
    now: datetime,
    lifetime: timedelta = INTERMEDIATE_LIFETIME,
) -> Authority:
    """Make an authority below another; it certifies signers only."""
    name = issuer.certificate.subject
    builder = _as_authority(_builder(subject.to_name(), name, key.public, issuer.key.public, now, lifetime), 0)
    return Authority(_sign(builder, issuer.key), key)


def make_leaf(
    issuer: Authority,
    subject: SubjectName,
    *,
    key: PublicKey,
    purpose: Purpose,
    now: datetime,
    lifetime: timedelta = LEAF_LIFETIME,
    names: Collection[x509.GeneralName] = (),
    crl_uri: str | None = None,
) -> x509.Certificate:
    """Make a signer's certificate.

    Args:
        issuer: who certifies.
        subject: who signs.
        key: the signer's key.
        purpose: what it signs; signers of mdocs and of statuses get their extended key usage.
        now: the time from which it is valid, a little earlier in fact.
        lifetime: how long it is valid.
        names: subject alternative names, `dns` and `uri` below make them.
        crl_uri: where the issuer publishes its revocation list.
    """
    builder = _builder(subject.to_name(), issuer.certificate.subject, key, issuer.key.public, now, lifetime)
    builder = builder.add_extension(_usage(signer=True), critical=True)
    if purpose in _EXTENDED_USAGES:
        builder = builder.add_extension(x509.ExtendedKeyUsage([_EXTENDED_USAGES[purpose]]), critical=True)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if crl_uri is not None:
        builder = builder.add_extension(_distribution_point(crl_uri), critical=False)
    return _sign(builder, issuer.key)


def make_crl(
    issuer: Authority, revoked: Collection[int], *, number: int, now: datetime, lifetime: timedelta = timedelta(days=7)
) -> bytes:
    """Make a revocation list of serial numbers, as DER; `number` grows with every list."""
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.certificate.subject)
    builder = builder.last_update(now).next_update(now + lifetime).add_extension(x509.CRLNumber(number), critical=False)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(_ec(issuer.key.public))
    builder = builder.add_extension(identifier, critical=False)
    for serial in sorted(revoked):
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now).build()
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(_ec_private(issuer.key), _HASHES[issuer.key.algorithm]).public_bytes(Encoding.DER)


def dns(*names: str) -> list[x509.GeneralName]:
    """Return alternative names for hosts."""
    return [x509.DNSName(name) for name in names]


def uri(*uris: str) -> list[x509.GeneralName]:
    """Return alternative names for URIs."""
    return [x509.UniformResourceIdentifier(value) for value in uris]


def to_pem(*certificates: x509.Certificate) -> bytes:
    """Return certificates as one PEM file."""
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)


def to_der(*certificates: x509.Certificate) -> tuple[bytes, ...]:
    """Return certificates as an `x5c`: the signer's first, the root left out by the caller."""
    return tuple(certificate.public_bytes(Encoding.DER) for certificate in certificates)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: PublicKey, issuer_key: PublicKey, now: datetime, lifetime: timedelta
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.native)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - _BACKDATED).not_valid_after(now + lifetime)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.native), critical=False)
    return builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(_ec(issuer_key)), critical=False)


def _as_authority(builder: x509.CertificateBuilder, path_length: int) -> x509.CertificateBuilder:
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
    return builder.add_extension(_usage(signer=False), critical=True)


def _usage(*, signer: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signer,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=not signer,
        crl_sign=not signer,
        encipher_only=False,
        decipher_only=False,
    )


def _distribution_point(crl_uri: str) -> x509.CRLDistributionPoints:
    name = x509.UniformResourceIdentifier(crl_uri)
    return x509.CRLDistributionPoints([x509.DistributionPoint([name], None, None, None)])


def _sign(builder: x509.CertificateBuilder, key: PrivateKey) -> x509.Certificate:
    return builder.sign(_ec_private(key), _HASHES[key.algorithm])


def _ec(key: PublicKey) -> ec.EllipticCurvePublicKey:
    if not isinstance(key.native, ec.EllipticCurvePublicKey):
        raise MalformedInput("expected an authority with an EC key")
    return key.native


def _ec_private(key: PrivateKey) -> ec.EllipticCurvePrivateKey:
    if not isinstance(key.native, ec.EllipticCurvePrivateKey):
        raise MalformedInput("expected an authority with an EC key")
    return key.native
