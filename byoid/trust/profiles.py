"""Certificate profiles: what a certificate must carry to sign for a purpose, or to certify whoever does.

ISO/IEC 18013-5 Annex B.1.4 (document signer), RFC 5280 4.2.1 (extensions; 4.2.1.12: a key whose extended usages are
named has no other), Token Status List 10 (status signer), ETSI TS 119 411-8 (policies of access certificates).
`cryptography` itself refuses unknown critical extensions, certificates of no CA that certify others, wrong signatures,
exceeded path lengths, and names that a CA may not certify.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from cryptography import x509
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from byoid.trust.anchors import Purpose

MAX_CHAIN: Final = 4  # the anchor included
DOCUMENT_SIGNER: Final = ObjectIdentifier("1.0.18013.5.1.2")
# Token Status List 10 leaves the number to IANA ("TBD"); until it is assigned this is the one that others use as well.
STATUS_SIGNER: Final = ObjectIdentifier("1.3.6.1.5.5.7.3.30")
ACCESS_POLICIES: Final = frozenset(ObjectIdentifier(f"0.4.0.194118.1.{policy}") for policy in (1, 2, 3, 4))
_Usages: TypeAlias = frozenset[ObjectIdentifier]
_Check: TypeAlias = Callable[[object, object, x509.ExtendedKeyUsage | None], None]


def _check_ca_usage(policy: object, certificate: object, usage: x509.KeyUsage | None) -> None:
    if usage is not None and not usage.key_cert_sign:  # RFC 5280 6.1.4 (n)
        raise ValueError("a certificate without keyCertSign certifies another")


def _check_signer(policy: object, certificate: object, constraints: x509.BasicConstraints | None) -> None:
    if constraints is not None and constraints.ca:
        raise ValueError("the signer is a CA")


def _check_signer_usage(policy: object, certificate: object, usage: x509.KeyUsage | None) -> None:
    if usage is not None and (not usage.digital_signature or usage.key_cert_sign):
        raise ValueError("expected the key usage digitalSignature, and not keyCertSign")


def _check_document_signer(policy: object, certificate: object, usages: x509.ExtendedKeyUsage) -> None:
    if list(usages) != [DOCUMENT_SIGNER]:
        raise ValueError("expected the extended key usage of a document signer alone")


def _one_of(own: _Usages) -> _Check:
    """Make a check: a certificate that names its usages names one of these."""

    def check(_policy: object, _certificate: object, usages: x509.ExtendedKeyUsage | None) -> None:
        if usages is not None and own.isdisjoint(usages):
            raise ValueError("the certificate's extended key usage is for signing something else")

    return check


def _none_of(foreign: _Usages) -> _Check:
    """Make a check: a certificate names none of these usages."""

    def check(_policy: object, _certificate: object, usages: x509.ExtendedKeyUsage | None) -> None:
        if usages is not None and not foreign.isdisjoint(usages):
            raise ValueError("the certificate's extended key usage is for signing something else")

    return check


def _check_no_access(policy: object, certificate: object, policies: x509.CertificatePolicies | None) -> None:
    if policies is not None and any(each.policy_identifier in ACCESS_POLICIES for each in policies):
        raise ValueError("an access certificate of a relying party signs requests, and nothing else")


@dataclass(frozen=True)
class Profile:
    """What a signer's certificate must carry, and how many certificates may come with it (its own included).

    `usages` judges the extended key usages, of whoever certifies signers too: what a CA may not do it cannot pass on.
    """

    signer: verification.ExtensionPolicy
    usages: _Check
    max_certificates: int


_ANY: Final = verification.Criticality.AGNOSTIC
_CRITICAL: Final = verification.Criticality.CRITICAL
CA_EXTENSIONS: Final = (
    verification.ExtensionPolicy.permit_all()
    .require_present(x509.BasicConstraints, _CRITICAL, None)
    .may_be_present(x509.KeyUsage, _ANY, _check_ca_usage)
)
_SIGNER_EXTENSIONS: Final = verification.ExtensionPolicy.permit_all().may_be_present(
    x509.BasicConstraints, _ANY, _check_signer
)
_NO_ACCESS_CERTIFICATE: Final = _SIGNER_EXTENSIONS.may_be_present(
    x509.CertificatePolicies, verification.Criticality.NON_CRITICAL, _check_no_access
)


def _signer(extensions: verification.ExtensionPolicy, usages: _Check) -> Profile:
    policy = extensions.may_be_present(x509.KeyUsage, _ANY, _check_signer_usage)
    return Profile(policy.may_be_present(x509.ExtendedKeyUsage, _ANY, usages), usages, MAX_CHAIN - 1)


# Many issuers have one certificate for both formats; a certificate without extended key usage is one for anything.
_CREDENTIALS: Final = _one_of(frozenset({DOCUMENT_SIGNER, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}))
_NEITHER: Final = _none_of(frozenset({DOCUMENT_SIGNER, STATUS_SIGNER}))
_NO_STATUS: Final = _signer(_SIGNER_EXTENSIONS, _none_of(frozenset({STATUS_SIGNER})))
_OTHER: Final = _signer(_NO_ACCESS_CERTIFICATE, _NEITHER)
_PROFILES: Final = {
    Purpose.PID: _signer(_NO_ACCESS_CERTIFICATE, _CREDENTIALS),
    Purpose.ATTESTATION: _signer(_NO_ACCESS_CERTIFICATE, _CREDENTIALS),
    Purpose.STATUS: _signer(_NO_ACCESS_CERTIFICATE, _one_of(frozenset({STATUS_SIGNER}))),
    Purpose.ACCESS: _NO_STATUS,
    # Issuers sign their metadata with their access certificate (ARF ISSU_22), or with that of their credentials.
    Purpose.ISSUER_METADATA: _NO_STATUS,
    Purpose.MDOC: Profile(  # ISO/IEC 18013-5 B.1.4: signed by the IACA itself
        _NO_ACCESS_CERTIFICATE.require_present(x509.KeyUsage, _CRITICAL, _check_signer_usage)
        .require_present(x509.ExtendedKeyUsage, _ANY, _check_document_signer)
        .require_present(x509.AuthorityKeyIdentifier, _ANY, None),
        _CREDENTIALS,
        1,
    ),
}


def profile_of(purpose: Purpose) -> Profile:
    """Return what a signer's certificate must be for a purpose."""
    return _PROFILES.get(purpose, _OTHER)
