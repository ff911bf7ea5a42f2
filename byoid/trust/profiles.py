"""Certificate profiles: what a certificate must carry to sign for a purpose, or to certify whoever does.

ISO/IEC 18013-5 Annex B.1.4 (document signer), RFC 5280 4.2.1 (extensions). `cryptography` itself refuses unknown
critical extensions, certificates of no CA that certify others, wrong signatures, exceeded path lengths, and names
that a CA may not certify.
"""

from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.x509 import verification
from cryptography.x509.oid import ObjectIdentifier

from byoid.trust.anchors import Purpose

MAX_CHAIN: Final = 4  # the anchor included
DOCUMENT_SIGNER: Final = ObjectIdentifier("1.0.18013.5.1.2")


def _check_ca_usage(policy: object, certificate: object, usage: x509.KeyUsage) -> None:
    if not usage.key_cert_sign:
        raise ValueError("a certificate without keyCertSign certifies another")


def _check_signer(policy: object, certificate: object, constraints: x509.BasicConstraints | None) -> None:
    if constraints is not None and constraints.ca:
        raise ValueError("the signer is a CA")


def _check_signer_usage(policy: object, certificate: object, usage: x509.KeyUsage) -> None:
    if not usage.digital_signature or usage.key_cert_sign:
        raise ValueError("expected the key usage digitalSignature, and not keyCertSign")


def _check_document_signer(policy: object, certificate: object, usages: x509.ExtendedKeyUsage) -> None:
    if list(usages) != [DOCUMENT_SIGNER]:
        raise ValueError("expected the extended key usage of a document signer alone")


@dataclass(frozen=True)
class Profile:
    """What a signer's certificate must carry, and how many certificates may come with it (its own included)."""

    signer: verification.ExtensionPolicy
    max_certificates: int


_ANY: Final = verification.Criticality.AGNOSTIC
_CRITICAL: Final = verification.Criticality.CRITICAL
CA_EXTENSIONS: Final = (
    verification.ExtensionPolicy.permit_all()
    .require_present(x509.BasicConstraints, _CRITICAL, None)
    .require_present(x509.KeyUsage, _ANY, _check_ca_usage)
)
_SIGNER_EXTENSIONS: Final = verification.ExtensionPolicy.permit_all().may_be_present(
    x509.BasicConstraints, _ANY, _check_signer
)
_SIGNER: Final = Profile(_SIGNER_EXTENSIONS.require_present(x509.KeyUsage, _ANY, _check_signer_usage), MAX_CHAIN - 1)
_PROFILES: Final = {
    Purpose.MDOC: Profile(  # ISO/IEC 18013-5 B.1.4: signed by the IACA itself
        _SIGNER_EXTENSIONS.require_present(x509.KeyUsage, _CRITICAL, _check_signer_usage)
        .require_present(x509.ExtendedKeyUsage, _ANY, _check_document_signer)
        .require_present(x509.AuthorityKeyIdentifier, _ANY, None),
        1,
    )
}


def profile_of(purpose: Purpose) -> Profile:
    """Return what a signer's certificate must be for a purpose."""
    return _PROFILES.get(purpose, _SIGNER)
