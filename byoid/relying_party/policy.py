"""Who asks, what is asked, and whose word counts: what a relying party decides before any wallet comes.

OpenID4VP 1.0 5.9 (client identifiers), 6 (query), 8.3 (encryption). A policy is frozen and serves many transactions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Literal, Self

from cryptography import x509

from byoid.keys import certificate_hash_b64u
from byoid.message import parse_message
from byoid.presentation.dcql import DcqlQuery
from byoid.presentation.issuer_trust import IssuerTrust
from byoid.presentation.request import VerifierInfo
from byoid.presentation.same_person import SamePerson
from byoid.presentation.status import NO_ANCHORS, StatusPolicy
from byoid.signing import Signer
from byoid.trust.anchors import TrustAnchors

DEFAULT_STATUS: Final = StatusPolicy()


@dataclass(frozen=True)
class Client:
    """The relying party as wallets see it: its client identifier, and the key that signs its requests.

    Without a signer requests go by value and unsigned, with the prefix `redirect_uri` (5.9.3): wallets can't tell who
    asks, so HAIP forbids it.
    """

    client_id: str
    signer: Signer | None = None
    attestation: str | None = None

    @classmethod
    def x509_hash(cls, signer: Signer) -> Self:
        """Ask as the subject of an access certificate, which is the first of the signer's chain."""
        return cls(f"x509_hash:{certificate_hash_b64u(_leaf(signer))}", signer)

    @classmethod
    def x509_san_dns(cls, name: str, signer: Signer) -> Self:
        """Ask under a DNS name of an access certificate; requests and responses must be served under that name."""
        return cls(f"x509_san_dns:{name}", signer)

    @classmethod
    def attested(cls, subject: str, attestation: str, signer: Signer) -> Self:
        """Ask as somebody for whom a verifier attestation vouches."""
        return cls(f"verifier_attestation:{subject}", signer, attestation)

    @classmethod
    def registered(cls, client_id: str, signer: Signer) -> Self:
        """Ask under a name that wallets know by registration."""
        return cls(client_id, signer)

    @classmethod
    def unsigned(cls) -> Self:
        """Ask without a signature; the client identifier is the response URI of each request."""
        return cls("redirect_uri:")


@dataclass(frozen=True)
class Policy:
    """One thing that a relying party asks, and how it judges the answer.

    Args:
        query: the DCQL query.
        trust: whose signature counts: one policy for all credential queries, or one for each by its id.
        status: what to do where a status cannot be had.
        status_anchors: who may sign statuses besides the issuers.
        same_person: rules by which several credentials belong to one person.
        transaction_data: what the person is to authorise with the presentation, as objects (8.4).
        verifier_info: attestations about us, such as the registration certificate.
        encrypted: `direct_post.jwt` instead of `direct_post`; HAIP demands it.
        lifetime: how long a wallet may take.
    """

    query: DcqlQuery
    trust: IssuerTrust | Mapping[str, IssuerTrust]
    status: StatusPolicy = DEFAULT_STATUS
    status_anchors: TrustAnchors = NO_ANCHORS
    same_person: Sequence[SamePerson] = ()
    transaction_data: Sequence[Mapping[str, Any]] = ()
    verifier_info: Sequence[VerifierInfo] = ()
    encrypted: bool = True
    lifetime: timedelta = field(default=timedelta(minutes=10))

    @classmethod
    def of(cls, query: Mapping[str, Any], trust: IssuerTrust | Mapping[str, IssuerTrust], **options: Any) -> Self:
        """Make a policy of a DCQL query in JSON.

        Raises:
            MalformedInput: the query breaks a rule of section 6.
        """
        return cls(parse_message(DcqlQuery, query), trust, **options)

    @property
    def response_mode(self) -> Literal["direct_post", "direct_post.jwt"]:
        """How the wallet is to answer."""
        return "direct_post.jwt" if self.encrypted else "direct_post"

    def trust_for(self, query: DcqlQuery) -> Mapping[str, IssuerTrust]:
        """Return the trust of every credential query of a request that was sent under this policy."""
        if isinstance(self.trust, Mapping):
            return self.trust
        return {credential.id: self.trust for credential in query.credentials}


def _leaf(signer: Signer) -> x509.Certificate:
    return x509.load_der_x509_certificate(signer.x5c[0])
