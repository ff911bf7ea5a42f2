"""A small public key infrastructure, and a forger who makes certificates that break one rule."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from byoid.keys import PrivateKey
from byoid.trust.anchors import Purpose, TrustAnchors
from byoid.trust.pki import Authority, SubjectName, dns, make_intermediate, make_leaf, make_root, to_der, uri

TIME = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
PARTY = SubjectName("Shop", "Shop Ltd", "NTRUT-12345")


@dataclass(frozen=True)
class Pki:
    """A root, an authority below it, and a signer below each."""

    root: Authority
    intermediate: Authority
    key: PrivateKey
    leaf: x509.Certificate
    document_signer: x509.Certificate

    @property
    def chain(self) -> tuple[bytes, ...]:
        return to_der(self.leaf, self.intermediate.certificate)

    @property
    def anchors(self) -> TrustAnchors:
        return self.root.anchor(*Purpose, source="test")


@pytest.fixture
def now() -> datetime:
    return TIME


@pytest.fixture(scope="session")
def pki() -> Pki:
    root = make_root(SubjectName("Root"), key=PrivateKey.generate(), now=TIME, contact="https://root.example")
    intermediate = make_intermediate(root, SubjectName("Intermediate"), key=PrivateKey.generate("P-384"), now=TIME)
    key = PrivateKey.generate()
    names = [*dns("shop.example"), *uri("https://shop.example")]
    crl_uri = "https://root.example/crl"
    leaf = make_leaf(
        intermediate, PARTY, key=key.public, purpose=Purpose.ACCESS, now=TIME, names=names, crl_uri=crl_uri
    )
    signer = make_leaf(root, SubjectName("Signer"), key=key.public, purpose=Purpose.MDOC, now=TIME)
    return Pki(root, intermediate, key, leaf, signer)


Forge = Callable[..., bytes]
USAGE = dict.fromkeys(
    ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only"),
    False,
)


@pytest.fixture(scope="session")
def forge(pki: Pki) -> Forge:
    """Make a signer's certificate below the root, with everything in order but what is asked for."""

    def build(
        *,
        issuer: Authority = pki.root,
        key: object = pki.key.native.public_key(),
        country: str = "UT",
        usage: dict[str, bool] | None = None,
        usage_critical: bool = True,
        ca: bool | None = None,
        path_length: int | None = None,
        extended: Iterable[x509.ObjectIdentifier] = (),
        key_identifier: bool = True,
        extra: Iterable[tuple[x509.ExtensionType, bool]] = (),
        digest: hashes.HashAlgorithm | None = None,
        signing_key: object = None,
        start: datetime = TIME - timedelta(days=1),
        end: datetime = TIME + timedelta(days=100),
    ) -> bytes:
        attributes = ((NameOID.COUNTRY_NAME, country), (NameOID.COMMON_NAME, "Forged"))
        name = x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes])
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(issuer.certificate.subject).public_key(key)
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(start).not_valid_after(end)
        allowed = {"digital_signature": True, "key_cert_sign": False, "crl_sign": False} if usage is None else usage
        if allowed:
            builder = builder.add_extension(x509.KeyUsage(**USAGE, **allowed), critical=usage_critical)
        if ca is not None:
            builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=path_length), critical=True)
        if extended:
            builder = builder.add_extension(x509.ExtendedKeyUsage(extended), critical=True)
        if key_identifier:
            identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.native.public_key())
            builder = builder.add_extension(identifier, critical=False)
        for extension, critical in extra:
            builder = builder.add_extension(extension, critical=critical)
        certificate = builder.sign(signing_key or issuer.key.native, digest or hashes.SHA256())
        return to_der(certificate)[0]

    return build
