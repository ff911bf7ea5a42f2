"""Certificate chains: from the `x5c` or `x5chain` of a signature to a trust anchor for a purpose.

RFC 5280 6.1 (path validation, done by `cryptography`), RFC 7515 4.1.6 (order of `x5c`), HAIP 1.0 6.1.1 (anchor left
out, signer not self-signed), ISO/IEC 18013-5 Annex B.1.4 (document signer). Beyond RFC 5280: keys on P-256, P-384 or
P-521 and ECDSA with SHA-2 only, CAs included; RSA is refused, since no profile that byoid follows asks for it.
"""

from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Final, TypeAlias, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, SignatureAlgorithmOID

from byoid.errors import Expired, MalformedInput, NotYetValid, UntrustedIssuer
from byoid.keys import PublicKey
from byoid.lazy import cached_property
from byoid.trust.anchors import Period, Purpose, TrustAnchor, TrustAnchors, country_names, period_of, subject_of
from byoid.trust.certificate import parse_certificate
from byoid.trust.crl import Crls
from byoid.trust.profiles import CA_EXTENSIONS, DOCUMENT_SIGNER, MAX_CHAIN, STATUS_SIGNER, Profile, profile_of

MAX_CERTIFICATE_BYTES: Final = 8 << 10
T = TypeVar("T", bound=x509.ExtensionType)
_MAX_SETS: Final = 64  # of anchors: there is one for each anchor of issuers that use status signers
_CREDENTIALS: Final = frozenset({Purpose.PID, Purpose.ATTESTATION, Purpose.MDOC})
_SIGNATURES: Final = frozenset(
    {
        SignatureAlgorithmOID.ECDSA_WITH_SHA256,
        SignatureAlgorithmOID.ECDSA_WITH_SHA384,
        SignatureAlgorithmOID.ECDSA_WITH_SHA512,
    }
)


@dataclass(frozen=True)
class TrustedChain:
    """A chain that led to an anchor: the signer's certificate first, the anchor's left out unless it is the signer."""

    certificates: tuple[x509.Certificate, ...]
    anchor: TrustAnchor
    purpose: Purpose
    public_key: PublicKey
    not_before: datetime
    not_after: datetime

    @property
    def leaf(self) -> x509.Certificate:
        """The signer's certificate."""
        return self.certificates[0]

    @cached_property
    def leaf_der(self) -> bytes:
        """The signer's certificate as it stands in `x5c`."""
        return self.leaf.public_bytes(Encoding.DER)

    @cached_property
    def key_identifiers(self) -> frozenset[bytes]:
        """The authority key identifiers in the chain, for the `aki` of a DCQL query (OpenID4VP 6.1.1.1)."""
        return _key_identifiers(self.certificates)

    @cached_property
    def subject_name(self) -> str:
        """What to call the signer: organisation, else common name, else the whole subject."""
        subject = subject_of(self.leaf)
        for oid in (NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME):
            for attribute in subject.get_attributes_for_oid(oid):
                return str(attribute.value)
        return subject.rfc4514_string()

    @cached_property
    def dns_names(self) -> tuple[str, ...]:
        """The DNS names among the signer's alternative names, for `x509_san_dns`."""
        return tuple(_alternative_names(self.leaf, x509.DNSName))

    @cached_property
    def uris(self) -> tuple[str, ...]:
        """The URIs among the signer's alternative names."""
        return tuple(_alternative_names(self.leaf, x509.UniformResourceIdentifier))

    @cached_property
    def organization_identifier(self) -> str | None:
        """The identifier of a legal person, or the serial number of a natural one (ETSI TS 119 411-8)."""
        for oid in (NameOID.ORGANIZATION_IDENTIFIER, NameOID.SERIAL_NUMBER):
            for attribute in subject_of(self.leaf).get_attributes_for_oid(oid):
                return str(attribute.value)
        return None


_CacheKey: TypeAlias = tuple[tuple[bytes, ...], tuple[Purpose, ...], bytes, bool]


class ChainCache:
    """Remembers chains that were built before, by their exact bytes, purposes and set of anchors.

    Bounded: the chain that was not used for longest goes first. Dates and revocation are checked at every use. Failures
    are not remembered. Sets of anchors that were put together for a chain are remembered too, by what they are made of.
    """

    def __init__(self, max_chains: int = 1024) -> None:
        self._max_chains = max_chains
        self._chains: OrderedDict[_CacheKey, TrustedChain] = OrderedDict()
        self._sets: dict[tuple[bytes, TrustAnchor, Purpose], TrustAnchors] = {}

    def get(self, key: _CacheKey) -> TrustedChain | None:
        """Return a remembered chain."""
        chain = self._chains.get(key)
        if chain is not None:
            self._chains.move_to_end(key)
        return chain

    def put(self, key: _CacheKey, chain: TrustedChain) -> None:
        """Remember a chain."""
        self._chains[key] = chain
        while len(self._chains) > self._max_chains:
            self._chains.popitem(last=False)

    def trusting(self, anchors: TrustAnchors, anchor: TrustAnchor, purpose: Purpose) -> TrustAnchors:
        """Return `anchors.trusting(anchor, purpose)`, made once."""
        key = anchors.identity, anchor, purpose
        found = self._sets.get(key)
        if found is None:
            if len(self._sets) >= _MAX_SETS:
                self._sets.clear()
            found = self._sets[key] = anchors.trusting(anchor, purpose)
        return found

    def __len__(self) -> int:
        return len(self._chains)


def verify_chain(
    x5c: Sequence[bytes],
    *,
    anchors: TrustAnchors,
    purpose: Purpose | Collection[Purpose],
    now: datetime,
    crls: Crls | None = None,
    cache: ChainCache | None = None,
    allow_anchor: bool = False,
) -> TrustedChain:
    """Verify a signer's chain and return it with the signer's key.

    Args:
        x5c: the certificates as DER, the signer's first, each certified by the next.
        anchors: who is trusted.
        purpose: what for; of several, in their order, the first that leads to an anchor.
        now: the time at which every certificate must be valid.
        crls: revocation lists to check, None not to check any.
        cache: chains that were verified before.
        allow_anchor: tolerate the anchor at the end of `x5c`, which HAIP forbids.

    Raises:
        MalformedInput: no certificates, too many, too large, or not certificates.
        UntrustedIssuer: no chain to an anchor of this purpose, a certificate that breaks the profile, or a revoked one.
        Expired: a certificate's period is over.
        NotYetValid: a certificate's period has not begun.
    """
    purposes = (purpose,) if isinstance(purpose, Purpose) else tuple(purpose)
    key = (tuple(x5c), purposes, anchors.identity if cache is not None else b"", allow_anchor)
    chain = cache.get(key) if cache is not None else None
    if chain is None or not chain.not_before <= now <= chain.not_after:  # the long way names the certificate
        chain = _first_trusted(key[0], anchors, purposes, now=now, allow_anchor=allow_anchor)
        if cache is not None:
            cache.put(key, chain)
    if crls is not None:
        _require_not_revoked(chain, crls, now)
    return chain


def authority_key_identifiers(x5c: Sequence[bytes]) -> frozenset[bytes]:
    """Return the authority key identifiers in a chain that nobody has verified: for a wallet that matches a query.

    Raises:
        MalformedInput: no certificates, too many, too large, or not certificates.
    """
    return _key_identifiers(_parse(x5c))


def _parse(x5c: Sequence[bytes]) -> tuple[x509.Certificate, ...]:
    if not 0 < len(x5c) <= MAX_CHAIN:
        raise MalformedInput(f"expected 1 to {MAX_CHAIN} certificates, got {len(x5c)}")
    longest = max(map(len, x5c))
    if longest > MAX_CERTIFICATE_BYTES:
        raise MalformedInput(f"certificate of {longest} bytes, at most {MAX_CERTIFICATE_BYTES} are accepted")
    return tuple(map(parse_certificate, x5c))


def _first_trusted(
    x5c: tuple[bytes, ...], anchors: TrustAnchors, purposes: tuple[Purpose, ...], *, now: datetime, allow_anchor: bool
) -> TrustedChain:
    """Return the chain for the first purpose that has one; if none has, raise the first purpose's error."""
    certificates = _parse(x5c)
    periods = [_current_period(certificate, now) for certificate in certificates]
    signer, *_ = [_accept_key(certificate) for certificate in certificates]
    errors = []
    for purpose in purposes:
        try:
            path, anchor = _trusted(x5c, certificates, anchors, purpose, now=now, allow_anchor=allow_anchor)
            return _chain(path, anchor, purpose, signer, periods[: len(path)])
        except UntrustedIssuer as error:
            errors.append(error)
    raise errors[0] if errors else UntrustedIssuer("no purpose was named for which the signer could be trusted")


def _trusted(
    x5c: tuple[bytes, ...],
    certificates: tuple[x509.Certificate, ...],
    anchors: TrustAnchors,
    purpose: Purpose,
    *,
    now: datetime,
    allow_anchor: bool,
) -> tuple[tuple[x509.Certificate, ...], TrustAnchor]:
    pin = anchors.find(x5c[0], purpose, pinned=True)
    if pin is not None:
        return certificates[:1], pin
    if anchors.find(x5c[-1], purpose) is not None:
        if len(x5c) == 1:
            raise UntrustedIssuer("the signer is a trust anchor itself, which signs only if it is pinned")
        if not allow_anchor:
            raise UntrustedIssuer("expected a chain without its trust anchor")  # HAIP 6.1.1
        certificates = certificates[:-1]
    return certificates, _build(certificates, anchors, purpose, now)


def _build(
    certificates: tuple[x509.Certificate, ...], anchors: TrustAnchors, purpose: Purpose, now: datetime
) -> TrustAnchor:
    """Build the path and return the anchor that it ends in."""
    leaf, *intermediates = certificates
    store, profile = anchors.store(purpose), profile_of(purpose)
    if len(certificates) > profile.max_certificates:
        raise UntrustedIssuer(f"expected a chain of at most {profile.max_certificates} certificates for {purpose}")
    if store is None:
        raise UntrustedIssuer(f"no trust anchor for the purpose {purpose}")
    policy = verification.PolicyBuilder().store(store).time(now).max_chain_depth(MAX_CHAIN)
    verifier = policy.extension_policies(ca_policy=CA_EXTENSIONS, ee_policy=profile.signer).build_client_verifier()
    try:
        path = tuple(verifier.verify(leaf, intermediates).chain)
    except (verification.VerificationError, ValueError) as error:  # ValueError: something that it reads only here
        # A self-signed signer (HAIP 6.1.1) ends here too: no anchor certifies it.
        raise UntrustedIssuer(f"no valid path from the signer to a trust anchor for {purpose}: {error}") from error
    if path[:-1] != certificates:
        raise UntrustedIssuer("expected each certificate of the chain to certify the one before it")
    if not all(_extension(each, x509.KeyUsage) for each in intermediates):  # RFC 5280 4.2.1.3; the anchor is given
        raise UntrustedIssuer("expected the key usage of a CA in each intermediate certificate")
    _require_usages(intermediates, profile)
    return _accept_anchor(leaf, path[-1], anchors, purpose)


def _require_usages(intermediates: Sequence[x509.Certificate], profile: Profile) -> None:
    """Demand that no intermediate is a CA for something else: extended key usages that it names hold below it too."""
    for each in intermediates:
        usages = _extension(each, x509.ExtendedKeyUsage)
        if usages is not None and ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE not in usages:
            try:
                profile.usages(None, each, usages)
            except ValueError as error:
                raise UntrustedIssuer(f"an intermediate certificate: {error}") from error


def _accept_anchor(
    leaf: x509.Certificate, root: x509.Certificate, anchors: TrustAnchors, purpose: Purpose
) -> TrustAnchor:
    anchor = anchors.certifying(root, purpose)
    if anchor is None:
        raise UntrustedIssuer(f"the chain ends in a certificate that is no trust anchor for {purpose}")
    _require_curve(anchor.public_key)
    if purpose is Purpose.MDOC and country_names(leaf) != anchor.country_names:  # ISO/IEC 18013-5 B.1.4
        raise UntrustedIssuer("the document signer's country is not that of its issuing authority")
    if purpose is Purpose.STATUS and anchors.purposes_of(root) & _CREDENTIALS:
        _require_status_signer(leaf)
    if purpose is Purpose.ACCESS and anchors.purposes_of(root) & _CREDENTIALS:
        _require_no_document_signer(leaf)
    return anchor


def _require_status_signer(leaf: x509.Certificate) -> None:
    """Demand Token Status List 10 where one CA certifies signers of both: only this usage tells them apart."""
    usages = _extension(leaf, x509.ExtendedKeyUsage)
    if usages is None or STATUS_SIGNER not in usages:
        raise UntrustedIssuer("expected the extended key usage of status signers, since the CA certifies others too")


def _require_no_document_signer(leaf: x509.Certificate) -> None:
    """Keep signers of credentials from asking for them, where one CA certifies both sorts."""
    usages = _extension(leaf, x509.ExtendedKeyUsage)
    if usages is not None and DOCUMENT_SIGNER in usages:
        raise UntrustedIssuer("the certificate's extended key usage is for signing something else")


def _chain(
    certificates: tuple[x509.Certificate, ...],
    anchor: TrustAnchor,
    purpose: Purpose,
    signer: PublicKey,
    periods: Sequence[Period],
) -> TrustedChain:
    begins, ends = zip(*periods, anchor.period, strict=True)
    return TrustedChain(
        certificates=certificates,
        anchor=anchor,
        purpose=purpose,
        public_key=signer,
        not_before=max(begins),
        not_after=min(ends),
    )


def _current_period(certificate: x509.Certificate, now: datetime) -> Period:
    begin, end = period_of(certificate)
    if now < begin:
        raise NotYetValid(f"a certificate of the chain is valid from {begin:%Y-%m-%dT%H:%M:%SZ}")
    if now > end:
        raise Expired(f"a certificate of the chain was valid until {end:%Y-%m-%dT%H:%M:%SZ}")
    return begin, end


def _accept_key(certificate: x509.Certificate) -> PublicKey:
    """Return a certificate's key; demand P-256, P-384 or P-521, and a signature by ECDSA with SHA-2."""
    if certificate.signature_algorithm_oid not in _SIGNATURES:
        raise UntrustedIssuer("expected certificates signed with ECDSA and SHA-256, SHA-384 or SHA-512")
    key = PublicKey.from_certificate(certificate)
    _require_curve(key)
    return key


def _require_curve(key: PublicKey) -> None:
    if not isinstance(key.native, ec.EllipticCurvePublicKey):  # a PublicKey has no other curves than these
        raise UntrustedIssuer("expected certificates with keys on P-256, P-384 or P-521")


def _require_not_revoked(chain: TrustedChain, crls: Crls, now: datetime) -> None:
    """Check each certificate against its issuer's lists. A pinned signer has none: whoever pinned it takes it back."""
    if not chain.anchor.pinned:
        for certificate, issuer in pairwise((*chain.certificates, chain.anchor.certificate)):
            crls.require_not_revoked(certificate, issuer, now=now)


def _key_identifiers(certificates: Sequence[x509.Certificate]) -> frozenset[bytes]:
    found = (_extension(certificate, x509.AuthorityKeyIdentifier) for certificate in certificates)
    return frozenset(extension.key_identifier for extension in found if extension and extension.key_identifier)


def _alternative_names(
    certificate: x509.Certificate, kind: type[x509.DNSName | x509.UniformResourceIdentifier]
) -> list[str]:
    names = _extension(certificate, x509.SubjectAlternativeName)
    return names.get_values_for_type(kind) if names else []


def _extension(certificate: x509.Certificate, kind: type[T]) -> T | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
