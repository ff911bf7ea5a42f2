"""What state a card is in: valid, about to expire, expired, suspended, revoked; or nobody can tell just now.

Token Status List 8.3, ARF VCR_09 and VCR_19 (the citizen is told). The lists are fetched whole and kept for their time,
so that an issuer does not learn which card is looked at. A status that can't be had is never read as good.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from byoid.errors import Expired, NotYetValid, Revoked, StatusUnavailable, Suspended
from byoid.presentation.authentication import Authenticated, AuthenticPresentation
from byoid.presentation.status import Statuses, StatusPolicy, judge_status, verify_statuses
from wallet.cards import Card, Copy, load_all_copies, load_cards, open_copy
from wallet.context import Visit, Wallet
from wallet.matching import HeldCard

SOON: Final = timedelta(days=14)
SOON_PART: Final = 5  # of a short life, the last fifth


class CardState(StrEnum):
    """The state of a card; the page explains each in plain words."""

    VALID = "valid"
    EXPIRING = "expiring"  # still valid, but not for long
    EXPIRED = "expired"
    SUSPENDED = "suspended"  # by its issuer, for a while
    REVOKED = "revoked"  # by its issuer, for good
    UNKNOWN = "unknown"  # its status can't be had just now


@dataclass(frozen=True)
class CardStatus:
    """The state of a card, and until when it is valid."""

    state: CardState
    expires_at: datetime | None


async def card_statuses(wallet: Wallet, visit: Visit, *, ask: bool = True) -> Mapping[str, CardStatus]:
    """Return the state of every card by its id.

    Args:
        wallet: of all citizens.
        visit: whose cards.
        ask: whether to look at status lists; without, only the dates are looked at, and nothing is fetched.
    """
    now, copies = wallet.clock(), await load_all_copies(visit.contents)
    cards = await load_cards(visit.contents)
    samples = {card.id: _newest(copies.get(card.id, ())) for card in cards}
    presented = [
        found for card in cards if ask and (found := _as_presented(wallet, card, samples[card.id])) is not None
    ]
    statuses = await _statuses(wallet, presented, now=now)
    verdicts = {each.query_id: _verdict(each, statuses, now) for each in presented}
    return {card.id: _state(card, samples[card.id], verdicts.get(card.id), now) for card in cards}


async def _statuses(wallet: Wallet, presented: Sequence[AuthenticPresentation], *, now: datetime) -> Statuses:
    authenticated, cache = Authenticated(tuple(presented), ()), wallet.verifiers.statuses
    tokens = await cache.tokens(authenticated.status_uris, now=now)
    statuses = verify_statuses(
        tokens, authenticated=authenticated, now=now, anchors=wallet.trust.anchors, cache=wallet.trust.cache
    )
    cache.keep(statuses, now=now)
    return statuses


def _as_presented(wallet: Wallet, card: Card, copy: Copy | None) -> AuthenticPresentation | None:
    """Look at a card as a verifier would; None if it has no status, or its issuer can't be established."""
    if copy is None or copy.content.status is None:
        return None
    held = HeldCard(wallet, card, (copy,), open_copy(card, copy))
    issuer = held.trusted_issuer()
    if issuer is None:
        return None
    return AuthenticPresentation(
        query_id=card.id,
        index=0,
        format=held.format,
        types=held.types,
        claims={},
        holder_bound=held.holder_bound,
        holder_key=None,
        issuer=issuer,
        status=copy.content.status.reference,
    )


def _verdict(presented: AuthenticPresentation, statuses: Statuses, now: datetime) -> CardState:
    try:
        judge_status(presented, statuses=statuses, now=now, policy=StatusPolicy())
    except Revoked:
        return CardState.REVOKED
    except Suspended:
        return CardState.SUSPENDED
    except (StatusUnavailable, Expired, NotYetValid):
        return CardState.UNKNOWN
    return CardState.VALID


def _state(card: Card, copy: Copy | None, verdict: CardState | None, now: datetime) -> CardStatus:
    """Join the verdict of the issuer with the dates; the worst news first."""
    ends = copy.content.expires_at if copy else card.content.expires_at
    if verdict is CardState.REVOKED:
        state = CardState.REVOKED
    elif copy is None or not copy.usable(now):
        state = CardState.EXPIRED
    elif verdict in (CardState.SUSPENDED, CardState.UNKNOWN):
        state = verdict
    elif ends is not None and ends - now <= min(SOON, (ends - card.content.received_at) / SOON_PART):
        state = CardState.EXPIRING
    else:
        state = CardState.VALID
    return CardStatus(state, ends)


def _newest(copies: Sequence[Copy]) -> Copy | None:
    """Return the copy that is valid for longest: all copies of a card share their fate."""
    return max(copies, key=_ends, default=None)


def _ends(copy: Copy) -> float:
    return copy.content.expires_at.timestamp() if copy.content.expires_at else float("inf")
