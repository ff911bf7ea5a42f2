"""Whether the issuers still stand by what was presented: statuses of authentic presentations.

Spec: OpenID4VP 1.0 section 8.6 step 2.5, draft-ietf-oauth-status-list 8.3, HAIP 1.0 section 6.1 (`x5c` in the token).
Fetching happens between `authenticate` and `accept`, by the caller. A status that nobody can tell is never "valid".
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Final, TypeAlias

from byoid.errors import ByoidError, StatusUnavailable, UntrustedIssuer
from byoid.formats.status_array import require_valid
from byoid.formats.status_list import (
    StatusList,
    parse_status_list_token,
    verify_status_list_token,
)
from byoid.keys import PublicKey
from byoid.presentation.authentication import Authenticated, AuthenticPresentation
from byoid.presentation.issuer_trust import TrustedIssuer
from byoid.trust.anchors import Purpose, TrustAnchors
from byoid.trust.x509 import ChainCache, verify_chain

NO_ANCHORS: Final = TrustAnchors()
Statuses: TypeAlias = Mapping[str, StatusList | StatusUnavailable]


class StatusVerdict(StrEnum):
    """What is known about the status of an accepted presentation."""

    VALID = "valid"
    NONE = "none"  # the credential has no status: it is good until it expires
    UNAVAILABLE = "unavailable"  # nobody could tell, and policy accepts that


@dataclass(frozen=True)
class StatusPolicy:
    """For which credential queries a missing answer is tolerated, and for which a status is demanded at all."""

    accept_unavailable: frozenset[str] = frozenset()
    require_status: frozenset[str] = frozenset()


def verify_statuses(
    tokens: Mapping[str, str | bytes | StatusList],
    *,
    authenticated: Authenticated,
    now: datetime,
    anchors: TrustAnchors = NO_ANCHORS,
    cache: ChainCache | None = None,
) -> dict[str, StatusList | StatusUnavailable]:
    """Verify status list tokens, by the URI that they were fetched from, for the presentations that refer to them.

    Args:
        tokens: as fetched, or lists that were verified before, whose signers are judged anew.
        authenticated: whose presentations say which lists count.
        now: the time.
        anchors: who may sign statuses (purpose STATUS), besides the issuers of the credentials under their own anchor.
        cache: certificate chains verified before.

    Returns:
        The verified lists; for a token that is not to be trusted a `StatusUnavailable` that says why.
    """
    return {
        uri: _verify(uri, tokens[uri], authenticated.presentations, anchors, now=now, cache=cache)
        for uri in authenticated.status_uris
        if uri in tokens
    }


def judge_status(
    presentation: AuthenticPresentation, *, statuses: Statuses, now: datetime, policy: StatusPolicy
) -> StatusVerdict:
    """Look up a presentation's status and let policy decide where it is unknown.

    Raises:
        Revoked, Suspended: the issuer says so.
        StatusUnavailable: nobody can tell, and policy does not accept that.
    """
    reference = presentation.status
    if reference is None and not presentation.other_status:
        if presentation.query_id in policy.require_status:
            raise StatusUnavailable("expected a credential with a status")
        return StatusVerdict.NONE
    try:
        if reference is None:
            raise StatusUnavailable("the credential's status is of a kind that is not looked up")
        status_list = _current(statuses.get(reference.uri), now)
    except StatusUnavailable:
        if presentation.query_id not in policy.accept_unavailable:
            raise
        return StatusVerdict.UNAVAILABLE
    # A place outside the list, or a value without a meaning, is an answer of the issuer's: never tolerated.
    require_valid(status_list.status_at(reference.index))
    return StatusVerdict.VALID


def _current(found: StatusList | StatusUnavailable | None, now: datetime) -> StatusList:
    if found is None:
        raise StatusUnavailable("the status list was not fetched")
    if isinstance(found, StatusUnavailable):
        raise found
    if found.expires_at is not None and found.expires_at <= now:
        raise StatusUnavailable("the status list is expired")
    return found


def _verify(
    uri: str,
    token: str | bytes | StatusList,
    presentations: Iterable[AuthenticPresentation],
    anchors: TrustAnchors,
    *,
    now: datetime,
    cache: ChainCache | None,
) -> StatusList | StatusUnavailable:
    referring = [each for each in presentations if each.status and each.status.uri == uri]
    try:
        parsed = token if isinstance(token, StatusList) else parse_status_list_token(token)
        key = _signer(parsed.x5c, referring, anchors, now=now, cache=cache)
        if not isinstance(parsed, StatusList):
            return verify_status_list_token(parsed, uri=uri, key=key, now=now)
        if parsed.uri != uri or parsed.key != key:  # verified before, for somebody who trusts others
            raise UntrustedIssuer("the status list was verified with another key than its signer's")
        return parsed
    except ByoidError as error:
        unavailable = StatusUnavailable(f"the status list is not to be trusted: {error}")
        unavailable.__cause__ = error
        return unavailable


def _signer(
    x5c: tuple[bytes, ...],
    referring: Iterable[AuthenticPresentation],
    anchors: TrustAnchors,
    *,
    now: datetime,
    cache: ChainCache | None,
) -> PublicKey:
    """Return the key of who may sign this list, and for the credentials of every issuer that refers to it.

    One issuer's word never counts for another's credential: who has both could otherwise undo a revocation.
    """
    keys = {_signer_for(each.issuer, x5c, anchors, now=now, cache=cache) for each in referring}
    if len(keys) != 1:
        raise UntrustedIssuer("the status list would have to be signed by several issuers")
    return keys.pop()


def _signer_for(
    issuer: TrustedIssuer,
    x5c: tuple[bytes, ...],
    anchors: TrustAnchors,
    *,
    now: datetime,
    cache: ChainCache | None,
) -> PublicKey:
    """Return the key of the issuer itself, or of a status signer.

    The issuer is known by its certificate, or, if it has none, by its key. A status signer stands below an anchor of
    the purpose STATUS, or below the issuer's own with the extended key usage that says so (Token Status List 10).
    """
    chain = issuer.chain
    if not x5c:
        if chain is not None:
            raise UntrustedIssuer("expected a certificate chain in the status list token")
        return issuer.key
    if chain is not None:
        if chain.leaf_der == x5c[0]:
            return issuer.key
        trusting = anchors.trusting if cache is None else partial(cache.trusting, anchors)
        anchors = trusting(chain.anchor, Purpose.STATUS)
    return verify_chain(x5c, anchors=anchors, purpose=Purpose.STATUS, now=now, cache=cache).public_key
