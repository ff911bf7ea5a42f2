"""Trust anchors: who is trusted, for what, and which list said so.

RFC 5280 6.1.1 (trust anchor information), HAIP 1.0 6.1.1 (the anchor stays out of `x5c`). A set never changes: a new
list gives a new set, and whatever was remembered under the old one is not found any more.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final, Self, TypeAlias

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import Store

from byoid.encoding import sha256
from byoid.errors import MalformedInput, UntrustedIssuer
from byoid.keys import PublicKey
from byoid.lazy import cached_property

MAX_ANCHORS: Final = 10_000
Period: TypeAlias = tuple[datetime, datetime]


class Purpose(StrEnum):
    """What a signer is trusted for."""

    PID = "pid"  # person identification data
    ATTESTATION = "attestation"  # any other credential that is signed with JOSE
    MDOC = "mdoc"  # ISO 18013-5 document signer under an IACA
    WALLET_PROVIDER = "wallet_provider"  # wallet and key attestations
    ACCESS = "access"  # relying party access certificates (requests), and those of issuers
    REGISTRATION = "registration"  # relying party registration certificates
    STATUS = "status"  # status lists, where another party than the issuer signs them
    ISSUER_METADATA = "issuer_metadata"  # signed Credential Issuer Metadata
    TRUSTED_LIST = "trusted_list"  # operators of lists of trusted entities


@dataclass(frozen=True)
class TrustAnchor:
    """A certificate that is trusted for some purposes because `source` says so.

    A `pinned` one is trusted as a signer itself, and certifies nobody; any other certifies signers, and does not sign.
    `name` is what the source calls whoever it belongs to.
    """

    certificate: x509.Certificate
    purposes: frozenset[Purpose]
    source: str
    pinned: bool = False
    name: str | None = None

    @cached_property
    def der(self) -> bytes:
        """The certificate's bytes."""
        return self.certificate.public_bytes(Encoding.DER)

    @cached_property
    def public_key(self) -> PublicKey:
        """The anchor's key, loaded once; MalformedInput for one that byoid does not use."""
        return PublicKey.from_certificate(self.certificate)

    @cached_property
    def key_info(self) -> bytes:
        """The SubjectPublicKeyInfo, which a CA keeps when it renews its certificate; the certificate if it has none."""
        try:
            return self.certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            return self.der

    @cached_property
    def period(self) -> Period:
        """From when to when the certificate is valid."""
        return period_of(self.certificate)

    @cached_property
    def country_names(self) -> tuple[str, ...]:
        """The countries in the anchor's subject."""
        return country_names(self.certificate)


@dataclass(frozen=True)
class PinnedKey:
    """A bare key that is trusted for some purposes: a signer that has no certificate."""

    key: PublicKey
    purposes: frozenset[Purpose]
    source: str


class TrustAnchors:
    """An immutable set of trust anchors and pinned keys."""

    def __init__(self, anchors: Iterable[TrustAnchor] = (), *, keys: Iterable[PinnedKey] = ()) -> None:
        self.anchors = tuple(dict.fromkeys(anchors))
        self.keys = tuple(dict.fromkeys(keys))
        if len(self.anchors) + len(self.keys) > MAX_ANCHORS:
            raise MalformedInput(f"expected at most {MAX_ANCHORS} trust anchors")
        self._by_purpose = {p: tuple(a for a in self.anchors if p in a.purposes) for p in Purpose}
        self._stores: dict[Purpose, Store | None] = {}

    @classmethod
    def from_pem(cls, pem: bytes, purposes: Collection[Purpose], source: str, *, pinned: bool = False) -> Self:
        """Trust every certificate of a PEM file for the same purposes.

        Raises:
            MalformedInput: no certificate, or one that cannot be parsed.
        """
        try:
            certificates = x509.load_pem_x509_certificates(pem)
        except (ValueError, x509.InvalidVersion) as error:
            raise MalformedInput("expected PEM certificates") from error
        return cls(TrustAnchor(certificate, frozenset(purposes), source, pinned) for certificate in certificates)

    def for_purpose(self, purpose: Purpose) -> tuple[TrustAnchor, ...]:
        """Return the anchors of a purpose, pinned ones included."""
        return self._by_purpose[purpose]

    def store(self, purpose: Purpose) -> Store | None:
        """Return the certifying anchors of a purpose for path building, None if there are none."""
        if purpose not in self._stores:
            self._stores[purpose] = _store(self._by_purpose[purpose])
        return self._stores[purpose]

    def find(self, der: bytes, purpose: Purpose, *, pinned: bool = False) -> TrustAnchor | None:
        """Return the anchor of this purpose, certifying or pinned, that is exactly this certificate."""
        return self._by_der.get((der, purpose, pinned))

    def certifying(self, certificate: x509.Certificate, purpose: Purpose) -> TrustAnchor | None:
        """Return the anchor of this purpose that certifies signers with exactly this certificate."""
        return self._certifying.get((certificate, purpose))

    def purposes_of(self, certificate: x509.Certificate) -> frozenset[Purpose]:
        """Return all that any list trusts this certificate for, or another with the same key: it is the same CA's."""
        return self._purposes.get(certificate, frozenset())

    def union(self, *others: "TrustAnchors") -> "TrustAnchors":
        """Return a set that trusts what any of the sets trusts."""
        sets = (self, *others)
        return TrustAnchors((a for s in sets for a in s.anchors), keys=(k for s in sets for k in s.keys))

    def trusting(self, anchor: TrustAnchor, purpose: Purpose) -> "TrustAnchors":
        """Return a set that trusts this anchor too, for one purpose more than it was trusted for."""
        return self.union(TrustAnchors([replace(anchor, purposes=anchor.purposes | {purpose})]))

    def require_key(self, key: PublicKey, *, purpose: Purpose) -> PinnedKey:
        """Return the pin of a bare key.

        Raises:
            UntrustedIssuer: the key is not pinned for this purpose.
        """
        for pinned in self.keys:
            if purpose in pinned.purposes and pinned.key == key:
                return pinned
        raise UntrustedIssuer(f"the signer's key is not pinned for the purpose {purpose}")

    @cached_property
    def identity(self) -> bytes:
        """A digest that differs for sets that trust differently."""
        lines = [f"{sha256(a.der).hex()} {sorted(a.purposes)} {a.pinned} {a.source!r}" for a in self.anchors]
        lines += [f"{k.key.thumbprint.hex()} {sorted(k.purposes)} key {k.source!r}" for k in self.keys]
        return sha256("\n".join(sorted(lines)).encode())

    def __len__(self) -> int:
        return len(self.anchors) + len(self.keys)

    @cached_property
    def _by_der(self) -> dict[tuple[bytes, Purpose, bool], TrustAnchor]:
        return {(a.der, p, a.pinned): a for a in reversed(self.anchors) for p in a.purposes}

    @cached_property
    def _certifying(self) -> dict[tuple[x509.Certificate, Purpose], TrustAnchor]:
        return {(a.certificate, p): a for a in reversed(self.anchors) for p in a.purposes if not a.pinned}

    @cached_property
    def _purposes(self) -> dict[x509.Certificate, frozenset[Purpose]]:
        found: dict[bytes, frozenset[Purpose]] = {}
        for anchor in self.anchors:
            found[anchor.key_info] = found.get(anchor.key_info, frozenset()) | anchor.purposes
        return {anchor.certificate: found[anchor.key_info] for anchor in self.anchors}


def period_of(certificate: x509.Certificate) -> Period:
    """Return from when to when a certificate is valid."""
    return certificate.not_valid_before_utc, certificate.not_valid_after_utc


def subject_of(certificate: x509.Certificate) -> x509.Name:
    """Return a certificate's subject, which is only parsed now; MalformedInput if that fails."""
    try:
        return certificate.subject
    except (ValueError, TypeError) as error:
        raise MalformedInput("the certificate has a subject that cannot be read") from error


def country_names(certificate: x509.Certificate) -> tuple[str, ...]:
    """Return the countries in a certificate's subject, in upper case."""
    found = subject_of(certificate).get_attributes_for_oid(NameOID.COUNTRY_NAME)
    return tuple(str(attribute.value).upper() for attribute in found)


def _store(anchors: Iterable[TrustAnchor]) -> Store | None:
    certificates = [anchor.certificate for anchor in anchors if not anchor.pinned]
    return Store(certificates) if certificates else None
