"""Who asks, what is asked, and whose word counts: what a relying party decides before any wallet comes.

OpenID4VP 1.0 5.9 (client identifiers), 6 (query), 8.3 (encryption). A policy is frozen and serves many transactions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any, Final, Literal, Protocol, Self

from cryptography import x509

from byoid.keys import PrivateKey, certificate_hash_b64u
from byoid.message import parse_message
from byoid.presentation.dcql import DcqlQuery
from byoid.presentation.issuer_trust import IssuerTrust
from byoid.presentation.request import VerifierInfo
from byoid.presentation.same_person import SamePerson, require_said
from byoid.presentation.status import NO_ANCHORS, StatusPolicy
from byoid.relying_party.own_query import parse_own_query, require_rules_about, require_trust_for
from byoid.signing import Signer
from byoid.trust.anchors import TrustAnchors

DEFAULT_STATUS: Final = StatusPolicy()
UNSIGNED: Final = "redirect_uri:"


@dataclass(frozen=True)
class Client:
    """The relying party as wallets see it: its client identifier, and the key that signs its requests.

    Without a signer requests go by value and unsigned, with the prefix `redirect_uri` (5.9.3): wallets can't tell who
    asks, so HAIP forbids it. `response_key` is only for a client whose metadata wallets know beforehand.
    """

    client_id: str
    signer: Signer | None = None
    attestation: str | None = None
    pre_registered: bool = False
    response_key: PrivateKey | None = field(default=None, repr=False)

    @property
    def has_fixed_response_uri(self) -> bool:
        """Whether wallets compare the response URI with one that was registered or attested beforehand (5.9.3, 8.2)."""
        return self.pre_registered or self.attestation is not None

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
        """Ask as somebody for whom a verifier attestation vouches, and names the response URI if it names any."""
        return cls(f"verifier_attestation:{subject}", signer, attestation)

    @classmethod
    def registered(cls, client_id: str, signer: Signer, *, response_key: PrivateKey | None = None) -> Self:
        """Ask under a name that wallets know by registration.

        Metadata may not be sent then (5.1), so responses are encrypted to the one key that was registered, whose
        `kid` must be its thumbprint; without it policies must not be `encrypted`.
        """
        return cls(client_id, signer, pre_registered=True, response_key=response_key)

    @classmethod
    def unsigned(cls) -> Self:
        """Ask without a signature; the client identifier is the response URI of each request."""
        return cls(UNSIGNED)


@dataclass(frozen=True)
class Policy:
    """One thing that a relying party asks, and how it judges the answer.

    Args:
        query: the DCQL query.
        trust: whose signature counts: one policy for all credential queries, or one for each by its id.
        status: what to do where a status cannot be had.
        status_anchors: who may sign statuses besides the issuers.
        same_person: rules by which several credentials belong to one person; `()` if they need not.
        transaction_data: what the person is to authorise with the presentation, as objects (8.4).
        verifier_info: attestations about us, such as the registration certificate.
        encrypted: `direct_post.jwt` instead of `direct_post`; HAIP demands it.
        lifetime: how long a wallet may take.
        retention: how long a result is kept.
        delete_on_read: whether a result is given once, and deleted with that.
    """

    query: DcqlQuery
    trust: IssuerTrust | Mapping[str, IssuerTrust]
    status: StatusPolicy = DEFAULT_STATUS
    status_anchors: TrustAnchors = NO_ANCHORS
    same_person: Sequence[SamePerson] | None = None
    transaction_data: Sequence[Mapping[str, Any]] = ()
    verifier_info: Sequence[VerifierInfo] = ()
    encrypted: bool = True
    lifetime: timedelta = field(default=timedelta(minutes=10))
    retention: timedelta = field(default=timedelta(hours=1))
    delete_on_read: bool = False

    @classmethod
    def of(cls, query: Mapping[str, Any], trust: IssuerTrust | Mapping[str, IssuerTrust], **options: Any) -> Self:
        """Make a policy of a DCQL query in JSON.

        Raises:
            MalformedInput: the query breaks a rule of section 6, or has a member that DCQL does not have.
            ValueError: nobody may sign something that is asked for, or it is not said whether several credentials
                must belong to one person.
        """
        policy = cls(parse_own_query(query), trust, **options)
        require_said(policy.query, policy.same_person)
        require_rules_about(policy.query, policy.same_person or ())
        require_trust_for(policy.query, policy.trust_for(policy.query))
        return policy

    @cached_property
    def wire_query(self) -> Mapping[str, Any]:
        """The query as JSON values."""
        return self.query.to_wire()

    def as_sent(self, wire_query: Mapping[str, Any]) -> DcqlQuery:
        """Return the query that was sent under this policy, which may have been another one then."""
        return self.query if wire_query == self.wire_query else parse_message(DcqlQuery, wire_query)

    def response_mode(self, *, dc_api: bool) -> Literal["direct_post", "direct_post.jwt", "dc_api", "dc_api.jwt"]:
        """How the wallet is to answer."""
        if dc_api:
            return "dc_api.jwt" if self.encrypted else "dc_api"
        return "direct_post.jwt" if self.encrypted else "direct_post"

    def trust_for(self, query: DcqlQuery) -> Mapping[str, IssuerTrust]:
        """Return the trust of every credential query of a request that was sent under this policy."""
        if isinstance(self.trust, Mapping):
            return self.trust
        return {credential.id: self.trust for credential in query.credentials}


class Policies(Protocol):
    """Where policies come from: a database, for example. Under one id there is always the same policy, or none."""

    async def policy(self, policy_id: str) -> Policy | None:
        """Return the policy of this id."""
        ...


class FixedPolicies:
    """Policies that the program itself states."""

    def __init__(self, policies: Mapping[str, Policy]) -> None:
        self._policies = policies

    async def policy(self, policy_id: str) -> Policy | None:
        """Return the policy of this id."""
        return self._policies.get(policy_id)


def _leaf(signer: Signer) -> x509.Certificate:
    if not signer.x5c:
        raise ValueError("expected a signer with its access certificate, got one without certificates")
    return x509.load_der_x509_certificate(signer.x5c[0])
