"""Whose signature a verifier believes, and by which mechanism: its policy for one credential query.

Spec: OpenID4VP 1.0 section 8.6 step 2.5, draft-ietf-oauth-sd-jwt-vc section 2.5 (keys by certificate or metadata),
HAIP 1.0 section 6.1.1. The mechanism is chosen here and never by what came: a credential without `x5c` does not fall
back to metadata, nor the other way round.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias, assert_never

from cryptography import x509

from byoid.errors import MalformedInput, UntrustedIssuer
from byoid.formats import MSO_MDOC
from byoid.keys import PublicKey
from byoid.trust.anchors import Purpose, TrustAnchors
from byoid.trust.certificate import parse_certificate
from byoid.trust.crl import Crls
from byoid.trust.signers import demanded_purposes, purposes_of_signers, require_pid_provider
from byoid.trust.x509 import ChainCache, TrustedChain, verify_chain

if TYPE_CHECKING:
    from byoid.formats.jwt_vc_issuer import JwkSet
    from byoid.presentation.dcql import CredentialQuery


@dataclass(frozen=True)
class X509Trust:
    """Believe signers whose certificate chains to an anchor for this purpose. A pinned certificate is an anchor too.

    Without a purpose it is what format and type of the credential demand (`byoid.trust.signers`); of several, those
    that signers of the format can have. Person identification data need an anchor that is trusted for them in any case.
    """

    anchors: TrustAnchors
    purpose: Purpose | Collection[Purpose] | None = None
    crls: Crls | None = None

    @property
    def purposes(self) -> tuple[Purpose, ...]:
        """The purposes that are named."""
        if self.purpose is None:
            return ()
        return (Purpose(self.purpose),) if isinstance(self.purpose, str) else tuple(map(Purpose, self.purpose))


@dataclass(frozen=True)
class MetadataTrust:
    """Believe the issuers named here, by `iss`, with the keys of their JWT VC Issuer Metadata. SD-JWT VC only."""

    issuers: Mapping[str, JwkSet]


@dataclass(frozen=True)
class UnsafeTrustAnyIssuer:
    """Believe whoever signed, whatever certificate came along. For debugging: it proves nothing about the issuer."""


IssuerTrust: TypeAlias = X509Trust | MetadataTrust | UnsafeTrustAnyIssuer


@dataclass(frozen=True)
class TrustedIssuer:
    """A signer that the policy believes: its key, what to call it, and the chain if there is one."""

    key: PublicKey
    name: str
    chain: TrustedChain | None = None
    trusted_lists: frozenset[str] = field(default=frozenset())

    @property
    def key_identifiers(self) -> frozenset[bytes]:
        """The authority key identifiers of the chain."""
        return self.chain.key_identifiers if self.chain else frozenset()

    @property
    def certificate(self) -> x509.Certificate | None:
        """The signer's certificate, if a chain vouches for it."""
        return self.chain.leaf if self.chain else None


def fitting(trust: IssuerTrust, query: CredentialQuery) -> IssuerTrust:
    """Return the trust as it counts for a credential query: mdocs are signed by document signers, the rest by others.

    Raises:
        ValueError: our own fault: the policy names only purposes that no signer of such a credential has.
    """
    if not isinstance(trust, X509Trust):
        return trust
    mdoc = query.format == MSO_MDOC
    possible = purposes_of_signers(mdoc=mdoc)
    purposes = tuple(each for each in trust.purposes if each in possible)
    if trust.purpose is None:
        purposes = demanded_purposes(query.types, mdoc=mdoc)
    if not purposes:
        raise ValueError(f"signers for {query.id} can be trusted as {' or '.join(possible)}, and as nothing else")
    return X509Trust(trust.anchors, purposes, trust.crls)


def require_right(trust: IssuerTrust, issuer: TrustedIssuer, types: Iterable[str]) -> None:
    """Demand that the signer may sign credentials of these types, now that they are known.

    Raises:
        UntrustedIssuer: it signed person identification data, and is not trusted for them.
    """
    if isinstance(trust, X509Trust) and issuer.chain is not None:
        require_pid_provider(types, issuer.chain.anchor, anchors=trust.anchors)


def establish_issuer(
    trust: IssuerTrust,
    *,
    x5c: Sequence[bytes],
    iss: object,
    kid: object,
    now: datetime,
    cache: ChainCache | None = None,
) -> TrustedIssuer:
    """Find the key that policy accepts for a credential, whose header and `iss` are not believed yet.

    The caller has made the trust `fitting`, and checks `require_right` when the types are known.

    Raises:
        UntrustedIssuer: no chain to an anchor of the purpose, or an issuer that the policy does not name.
        MalformedInput, Expired, NotYetValid: of the certificates.
    """
    match trust:
        case X509Trust():
            if not x5c:
                raise UntrustedIssuer("expected a certificate chain in the credential")
            chain = verify_chain(
                x5c, anchors=trust.anchors, purpose=trust.purposes, now=now, crls=trust.crls, cache=cache
            )
            return TrustedIssuer(chain.public_key, chain.subject_name, chain, frozenset({chain.anchor.source}))
        case MetadataTrust():
            if not isinstance(iss, str) or iss not in trust.issuers:
                raise UntrustedIssuer("the issuer is not one whose metadata the policy names")
            from byoid.formats.jwt_vc_issuer import issuer_key

            return TrustedIssuer(issuer_key(trust.issuers[iss], kid=kid if isinstance(kid, str) else None), iss)
        case UnsafeTrustAnyIssuer():
            return _unproven(x5c)
        case _:  # pragma: no cover
            assert_never(trust)


def _unproven(x5c: Sequence[bytes]) -> TrustedIssuer:
    if not x5c:
        raise MalformedInput("expected a certificate in the credential")
    return TrustedIssuer(PublicKey.from_certificate(parse_certificate(x5c[0])), "unproven")
