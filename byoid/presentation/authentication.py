"""The first half of judging a response: which of its presentations are authentic.

Spec: OpenID4VP 1.0 section 8.6 (order and numbers of the steps), 14.1.2 (wrong nonce), B.2 (mdoc), B.3 (SD-JWT VC),
HAIP 1.0 section 5.3.1 (one document in each DeviceResponse). A faulty presentation is discarded; the whole response
is refused for a wrong shape or a wrong nonce. Nothing is fetched: status references are only handed on.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Self

from byoid.claims import ClaimPath
from byoid.encoding import b64u_decode
from byoid.errors import ByoidError, Discarded, MalformedInput, ResponseRejected, WrongType
from byoid.formats import MSO_MDOC, SD_JWT_VC
from byoid.formats.holder_binding import Binding, HolderBinding, NoHolderBinding
from byoid.formats.mdoc.session import session_transcript_dc_api, session_transcript_redirect
from byoid.formats.mdoc.structures import parse_device_response
from byoid.formats.mdoc.verify import verify_document
from byoid.formats.sd_jwt_vc import SdJwtVc, parse_sd_jwt_vc, verify_sd_jwt_vc
from byoid.formats.status_list import StatusReference
from byoid.jose import parse_jws
from byoid.keys import Jwk, PrivateKey, PublicKey
from byoid.lazy import cached_property
from byoid.presentation.issuer_trust import (
    IssuerTrust,
    MetadataTrust,
    TrustedIssuer,
    establish_issuer,
    fitting,
    require_right,
)
from byoid.presentation.selection import answer
from byoid.trust.x509 import ChainCache

if TYPE_CHECKING:  # messages take longest to import, and whoever has one has imported it
    from byoid.presentation.dcql import CredentialQuery, DcqlQuery
    from byoid.presentation.request import AuthorizationRequest
    from byoid.presentation.response import VpToken

MAX_PRESENTATIONS: Final = 64
MAX_PRESENTATION_CHARACTERS: Final = 1 << 20
_PRESENTATIONS: Final = frozenset({str, dict})


@dataclass(frozen=True)
class PresentationRequest:
    """A request as the verifier sent it: everything that an answer is bound to.

    `response_uri` for redirects, `origin` for the Digital Credentials API; `encryption_key` is the public JWK that the
    response was to be encrypted to, None for a response in the clear; `transaction_data` the strings as sent.
    """

    client_id: str
    nonce: str
    dcql_query: DcqlQuery
    response_uri: str | None = None
    origin: str | None = None
    encryption_key: Jwk | None = None
    transaction_data: tuple[str, ...] = ()

    @classmethod
    def of(cls, request: AuthorizationRequest, *, origin: str | None = None, encryption_key: Jwk | None = None) -> Self:
        """Take over what was sent."""
        return cls(
            client_id=request.client_id or "",
            nonce=request.nonce,
            dcql_query=request.query,
            response_uri=request.response_uri,
            origin=origin,
            encryption_key=encryption_key,
            transaction_data=request.transaction_data or (),
        )

    @classmethod
    def from_json(cls, request: bytes | str, *, encryption_key: Jwk | None = None) -> Self:
        """Take over a request that was kept as the JSON of its parameters.

        Raises:
            MalformedInput: not an authorization request.
        """
        from byoid.message import parse_message
        from byoid.presentation.request import AuthorizationRequest

        return cls.of(parse_message(AuthorizationRequest, request), encryption_key=encryption_key)

    @property
    def binding(self) -> HolderBinding:
        """What presentations must be bound to: the full client identifier, or over the DC API the origin (A.4)."""
        return HolderBinding(self.client_id if self.origin is None else f"origin:{self.origin}", self.nonce)

    @cached_property
    def session_transcript(self) -> bytes:
        """What an mdoc's device signs for this request (B.2.6)."""
        thumbprint = PublicKey.from_jwk(self.encryption_key).thumbprint if self.encryption_key else None
        if self.origin is not None:
            return session_transcript_dc_api(self.origin, self.nonce, thumbprint)
        return session_transcript_redirect(self.client_id, self.nonce, self.response_uri or "", thumbprint)


@dataclass(frozen=True)
class AuthenticPresentation:
    """A presentation that a trusted issuer signed, its holder made for this request, and that answers its query.

    Its status is still to be looked at. It stays inside the verifier: see `AcceptedPresentation` for what leaves it.
    """

    query_id: str
    index: int
    format: str
    types: tuple[str, ...]
    claims: Mapping[str, Any] = field(repr=False)
    holder_bound: bool
    holder_key: PublicKey | None
    issuer: TrustedIssuer
    status: StatusReference | None
    transactions: tuple[str, ...] = ()
    other_status: bool = False  # the issuer states one, by a mechanism that is not looked up here
    withheld: AbstractSet[ClaimPath] = frozenset()  # array elements that were not disclosed

    @property
    def key_identifiers(self) -> frozenset[bytes]:
        """For `aki`."""
        return self.issuer.key_identifiers

    @property
    def trusted_lists(self) -> frozenset[str]:
        """For `etsi_tl`."""
        return self.issuer.trusted_lists


@dataclass(frozen=True)
class Authenticated:
    """The authentic presentations of a response, and those that were discarded."""

    presentations: tuple[AuthenticPresentation, ...]
    discarded: tuple[Discarded, ...]

    @property
    def status_uris(self) -> frozenset[str]:
        """Where statuses are to be fetched. Only authentic presentations are asked, so that a forger cannot send us."""
        return frozenset(each.status.uri for each in self.presentations if each.status)


@dataclass(frozen=True)
class _Context:
    """What every presentation of one response is judged by."""

    request: PresentationRequest
    now: datetime
    cache: ChainCache | None
    mac_key: PrivateKey | None


def authenticate(
    vp_token: VpToken,
    *,
    request: PresentationRequest,
    trust: Mapping[str, IssuerTrust],
    now: datetime,
    cache: ChainCache | None = None,
    mac_key: PrivateKey | None = None,
) -> Authenticated:
    """Establish which presentations of a response are authentic (8.6, steps 1 to 2.4).

    Args:
        vp_token: as parsed from the response.
        request: what was sent.
        trust: for each credential query, whose signature counts.
        now: the time.
        cache: certificate chains verified before.
        mac_key: the key of `request.encryption_key`, if device MACs shall be accepted.

    Raises:
        ResponseRejected: the shape is wrong, or a presentation was made for another nonce.
    """
    if missing := {query.id for query in request.dcql_query.credentials} - trust.keys():
        raise ValueError(f"no trust policy for the credential queries {', '.join(sorted(missing))}")
    _require_shape(vp_token, request.dcql_query)  # 1
    context = _Context(request, now, cache, mac_key)
    authentic: list[AuthenticPresentation] = []
    discarded: list[Discarded] = []
    for query in request.dcql_query.credentials:
        fit = fitting(trust[query.id], query)
        for index, presentation in enumerate(vp_token.get(query.id, ())):
            try:
                authentic.append(_authentic(presentation, query, index, fit, context))
            except ByoidError as error:
                _require_nonce(presentation, query, request.nonce)
                discarded.append(Discarded(query.id, index, error))
    return Authenticated(tuple(authentic), tuple(discarded))


def _require_shape(vp_token: VpToken, query: DcqlQuery) -> None:
    """8.6 step 1, 8.1: arrays of texts or objects by known ids; one each, unless several were asked for."""
    if not isinstance(vp_token, Mapping):
        raise ResponseRejected("expected an object of presentations by credential query")
    for query_id, presentations in vp_token.items():
        credential = query.credential(query_id)
        if credential is None:
            raise ResponseRejected("the response answers a credential query that was not asked")
        if type(presentations) not in (list, tuple) or not _PRESENTATIONS.issuperset(map(type, presentations)):
            raise ResponseRejected(f"expected an array of texts or objects for {query_id}")
        if not presentations or (len(presentations) > 1 and not credential.multiple):
            raise ResponseRejected(f"expected one presentation for {query_id}, got {len(presentations)}")
    if not 0 < sum(map(len, vp_token.values())) <= MAX_PRESENTATIONS:
        raise ResponseRejected(f"expected 1 to {MAX_PRESENTATIONS} presentations")


def _authentic(
    presentation: str | dict[str, Any], query: CredentialQuery, index: int, trust: IssuerTrust, context: _Context
) -> AuthenticPresentation:
    if not isinstance(presentation, str) or len(presentation) > MAX_PRESENTATION_CHARACTERS:
        raise MalformedInput(f"expected a text of at most {MAX_PRESENTATION_CHARACTERS} characters")
    if query.format == SD_JWT_VC:
        authentic = _authentic_sd_jwt_vc(presentation, query, index, trust, context)
    elif query.format == MSO_MDOC:
        authentic = _authentic_mdoc(presentation, query, index, trust, context)
    else:
        raise WrongType(f"expected a presentation in the format {SD_JWT_VC} or {MSO_MDOC}")
    require_right(trust, authentic.issuer, authentic.types)
    answer(query, authentic, withheld=authentic.withheld)  # 2.2: meets all criteria of the query
    return authentic


def _authentic_sd_jwt_vc(
    presentation: str, query: CredentialQuery, index: int, trust: IssuerTrust, context: _Context
) -> AuthenticPresentation:
    """2.1, 2.3 and 2.4 for an SD-JWT VC (B.3)."""
    credential = parse_sd_jwt_vc(presentation)
    iss = credential.jws.claims().get("iss") if isinstance(trust, MetadataTrust) else None
    issuer = establish_issuer(
        trust, x5c=credential.x5c, iss=iss, kid=credential.jws.header.get("kid"), now=context.now, cache=context.cache
    )
    transactions = _transactions(credential, query, context.request)
    verified = verify_sd_jwt_vc(
        credential,
        issuer_key=issuer.key,
        binding=_binding(credential, query, context.request),
        now=context.now,
        transaction_data=transactions,
    )
    return AuthenticPresentation(
        query_id=query.id,
        index=index,
        format=SD_JWT_VC,
        types=verified.types,
        claims=verified.claims,
        holder_bound=verified.holder_proven,
        holder_key=verified.holder_key if verified.holder_proven else None,
        issuer=issuer,
        status=verified.status,
        transactions=transactions,
        other_status=verified.status is None and verified.claims.get("status") is not None,
        withheld=verified.processed.withheld,
    )


def _binding(credential: SdJwtVc, query: CredentialQuery, request: PresentationRequest) -> Binding:
    """Demand holder binding if the query does; and where it came unasked, it must be right all the same (14.1.2)."""
    if query.require_cryptographic_holder_binding or credential.key_binding_jwt is not None:
        return request.binding
    return NoHolderBinding()


def _transactions(credential: SdJwtVc, query: CredentialQuery, request: PresentationRequest) -> tuple[str, ...]:
    """Return the transaction data that the presentation claims to authorise; its key binding must prove it (B.3.3)."""
    if not request.transaction_data or credential.key_binding_jwt is None:
        return ()
    from byoid.presentation.transaction_data import authorised_by, credential_ids_of

    possible = (each for each in request.transaction_data if query.id in credential_ids_of(each))
    return authorised_by(parse_jws(credential.key_binding_jwt).claims(), possible)


def _authentic_mdoc(
    presentation: str, query: CredentialQuery, index: int, trust: IssuerTrust, context: _Context
) -> AuthenticPresentation:
    """2.1, 2.3 and 2.4 for an mdoc (B.2), whose device always signs."""
    documents = parse_device_response(b64u_decode(presentation)).documents
    if len(documents) != 1:
        raise MalformedInput(f"expected one document in the DeviceResponse, got {len(documents)}")
    document = documents[0]
    issuer = establish_issuer(trust, x5c=document.x5chain, iss=None, kid=None, now=context.now, cache=context.cache)
    verified = verify_document(
        document,
        issuer_key=issuer.key,
        session_transcript=context.request.session_transcript,
        now=context.now,
        mac_key=context.mac_key,
        issuer_certificate=issuer.certificate,
    )
    return AuthenticPresentation(
        query_id=query.id,
        index=index,
        format=MSO_MDOC,
        types=(verified.doctype,),
        claims=verified.namespaces,
        holder_bound=True,
        holder_key=verified.device_key,
        issuer=issuer,
        status=verified.status,
        other_status=verified.status is None and verified.has_status,
    )


def _require_nonce(presentation: object, query: CredentialQuery, nonce: str) -> None:
    """Reject the response if what was discarded carries another nonce (14.1.2). In an mdoc it cannot be seen."""
    if query.format != SD_JWT_VC or not isinstance(presentation, str):
        return
    try:
        key_binding_jwt = parse_sd_jwt_vc(presentation).key_binding_jwt
        claimed = nonce if key_binding_jwt is None else parse_jws(key_binding_jwt).claims().get("nonce")
    except MalformedInput:
        return
    if claimed != nonce:
        raise ResponseRejected("a presentation was made for another nonce")
