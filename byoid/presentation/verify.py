"""Judging a response: the whole of OpenID4VP 1.0 section 8.6, in two halves or in one call.

`authenticate` establishes what is authentic, `accept` looks at statuses and at the response as a whole; between the two
a caller fetches status lists. `verify_vp_token` is both, offline. What comes out is claims and verdicts: no salts,
digests, signatures, keys, status references or timestamps of the credential (ARF OIA_16).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from byoid.encoding import json_object
from byoid.errors import ClaimMismatch, Discarded, MalformedInput, ResponseRejected, StatusError, VerificationError
from byoid.formats.status_list import StatusList
from byoid.jose import MAX_PLAINTEXT_BYTES
from byoid.keys import PrivateKey
from byoid.presentation.authentication import (
    Authenticated,
    AuthenticPresentation,
    PresentationRequest,
    authenticate,
)
from byoid.presentation.issuer_trust import IssuerTrust, MetadataTrust, UnsafeTrustAnyIssuer, X509Trust
from byoid.presentation.same_person import SamePerson, require_said, require_same_person
from byoid.presentation.selection import require_sets
from byoid.presentation.status import (
    NO_ANCHORS,
    Statuses,
    StatusPolicy,
    StatusVerdict,
    judge_status,
    verify_statuses,
)
from byoid.trust.anchors import TrustAnchors
from byoid.trust.x509 import ChainCache

if TYPE_CHECKING:
    from byoid.presentation.response import VpToken

__all__ = [
    "AcceptedPresentation",
    "Authenticated",
    "MetadataTrust",
    "PresentationRequest",
    "StatusPolicy",
    "UnsafeTrustAnyIssuer",
    "VerifiedResponse",
    "X509Trust",
    "accept",
    "authenticate",
    "verify_vp_token",
]

# Members of an SD-JWT VC that are about the credential and not its subject.
ABOUT_CREDENTIAL: Final = frozenset(
    {"iss", "iat", "nbf", "exp", "jti", "cnf", "status", "vct", "vct#integrity", "aka_vcts"}
)


@dataclass(frozen=True)
class AcceptedPresentation:
    """A presentation that the verifier may act on. `issuer` is what the issuer's certificate or `iss` calls it."""

    format: str
    type: str
    claims: Mapping[str, Any] = field(repr=False)
    issuer: str
    holder_bound: bool
    status: StatusVerdict


@dataclass(frozen=True)
class VerifiedResponse:
    """A response that satisfies its request: accepted presentations by credential query, and what was discarded."""

    credentials: Mapping[str, tuple[AcceptedPresentation, ...]]
    discarded: tuple[Discarded, ...] = ()


DEFAULT_STATUS_POLICY: Final = StatusPolicy()


def accept(
    authenticated: Authenticated,
    *,
    request: PresentationRequest,
    statuses: Statuses,
    now: datetime,
    policy: StatusPolicy = DEFAULT_STATUS_POLICY,
    same_person: Sequence[SamePerson] = (),
) -> VerifiedResponse:
    """Judge what is authentic: statuses, then the response as a whole (8.6, steps 2.5 and 3).

    Args:
        authenticated: what `authenticate` returned.
        request: what was sent.
        statuses: what `verify_statuses` returned.
        now: the time.
        policy: what to do where a status is unknown.
        same_person: rules by which credentials belong together.

    Raises:
        ResponseRejected: what is left does not satisfy the request; `discarded` says why.
    """
    accepted: dict[str, list[AcceptedPresentation]] = {}
    remaining: list[AuthenticPresentation] = []
    discarded = list(authenticated.discarded)
    for each in authenticated.presentations:
        try:
            verdict = judge_status(each, statuses=statuses, now=now, policy=policy)  # 2.5
        except StatusError as error:
            discarded.append(Discarded(each.query_id, each.index, error))
        else:
            remaining.append(each)
            accepted.setdefault(each.query_id, []).append(_accepted(each, verdict))
    try:
        _require_whole(remaining, request, same_person)  # 3
    except VerificationError as error:
        raise ResponseRejected(str(error), discarded=discarded) from error
    return VerifiedResponse({query_id: tuple(each) for query_id, each in accepted.items()}, tuple(discarded))


def verify_vp_token(  # noqa: PLR0913 (each is one expectation or one piece of policy)
    vp_token: str | bytes | VpToken,
    *,
    request: PresentationRequest,
    trust: Mapping[str, IssuerTrust],
    statuses: Mapping[str, str | bytes | StatusList],
    now: datetime,
    policy: StatusPolicy = DEFAULT_STATUS_POLICY,
    status_anchors: TrustAnchors = NO_ANCHORS,
    same_person: Sequence[SamePerson] | None = None,
    cache: ChainCache | None = None,
    mac_key: PrivateKey | None = None,
) -> VerifiedResponse:
    """Verify a VP Token offline: `authenticate`, `verify_statuses` and `accept` in one call.

    Args:
        vp_token: JSON text, or its value.
        request: what was sent.
        trust: for each credential query, whose signature counts.
        statuses: status list tokens, or verified lists, by URI.
        now: the time.
        policy: what to do where a status is unknown.
        status_anchors: who may sign statuses besides the issuers.
        same_person: rules by which credentials belong together; must be said where several are asked for, `()` if none.
        cache: certificate chains verified before.
        mac_key: the response key, if device MACs of mdocs shall be accepted.

    Raises:
        ResponseRejected: the response as a whole is refused.
        ValueError: there is no trust for a credential query, nothing is said about the same person, or `now` has no
            time zone.
    """
    if now.tzinfo is None:
        raise ValueError("expected a time with its zone, such as datetime.now(UTC)")
    require_said(request.dcql_query, same_person)
    if isinstance(vp_token, str | bytes):
        vp_token = _parse(vp_token)
    authenticated = authenticate(vp_token, request=request, trust=trust, now=now, cache=cache, mac_key=mac_key)
    verified = verify_statuses(statuses, authenticated=authenticated, now=now, anchors=status_anchors, cache=cache)
    return accept(
        authenticated, request=request, statuses=verified, now=now, policy=policy, same_person=same_person or ()
    )


def _parse(vp_token: str | bytes) -> VpToken:
    """Return an object, of which `authenticate` demands the shape."""
    try:
        return json_object(vp_token, max_bytes=MAX_PLAINTEXT_BYTES)
    except MalformedInput as error:
        raise ResponseRejected("the VP Token is not an object of presentations by credential query") from error


def _accepted(presentation: AuthenticPresentation, status: StatusVerdict) -> AcceptedPresentation:
    return AcceptedPresentation(
        format=presentation.format,
        type=presentation.types[0],
        claims={name: value for name, value in presentation.claims.items() if name not in ABOUT_CREDENTIAL},
        issuer=presentation.issuer.name,
        holder_bound=presentation.holder_bound,
        status=status,
    )


def _require_whole(
    presentations: Collection[AuthenticPresentation], request: PresentationRequest, same_person: Sequence[SamePerson]
) -> None:
    """Demand that what is left satisfies the query, authorises all transactions and belongs to one person."""
    if not presentations:
        raise ClaimMismatch("none of the presentations can be accepted")
    require_sets(request.dcql_query, {each.query_id for each in presentations})
    if request.transaction_data:
        from byoid.presentation.transaction_data import require_all_authorised

        authorised = {encoded for each in presentations for encoded in each.transactions}
        require_all_authorised(request.transaction_data, authorised)
    for rule in same_person:
        require_same_person(tuple(presentations), rule)
