"""What state a card is in: valid, about to expire, expired, suspended, revoked; or nobody can tell just now.

Token Status List 8.3, ARF VCR_09 and VCR_19 (the citizen is told). The lists are fetched whole and kept for their time,
so that an issuer does not learn which card is looked at. A status that can't be had is never read as good.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from byoid.errors import Expired, NotYetValid, Revoked, StatusUnavailable, Suspended
from byoid.presentation.authentication import Authenticated, AuthenticPresentation
from byoid.presentation.status import Statuses, StatusPolicy, judge_status, verify_statuses
from wallet.cards import Card, Copy, Deck, load_card, load_samples, open_copy
from wallet.context import Visit, Wallet
from wallet.matching import HeldCard

SOON: Final = timedelta(days=14)
PATIENCE: Final = timedelta(seconds=2)
SOON_PART: Final = 5  # of a short life, the last fifth


class CardState(StrEnum):
    """The state of a card; the page explains each in plain words."""

    VALID = "valid"
    EXPIRING = "expiring"  # still valid, but not for long
    EXPIRED = "expired"
    SUSPENDED = "suspended"  # by its issuer, for a while
    REVOKED = "revoked"  # by its issuer, for good
    UNKNOWN = "unknown"  # its status can't be had just now


UNUSABLE: Final = frozenset({CardState.EXPIRED, CardState.SUSPENDED, CardState.REVOKED})  # not offered to anybody


@dataclass(frozen=True)
class CardStatus:
    """The state of a card, and until when it is valid."""

    state: CardState
    expires_at: datetime | None


async def card_statuses(wallet: Wallet, deck: Deck, *, ask: bool = True) -> Mapping[str, CardStatus]:
    """Return the state of every card by its id; without `ask` by the dates alone, and nothing is fetched."""
    held = [_held(wallet, card, deck.stocks[card.id].sample) for card in deck.cards]
    return await (current_states(wallet, held) if ask else states_of(wallet, held, ask=False))


async def states_at_receipt(wallet: Wallet, visit: Visit, card_ids: Collection[str]) -> dict[str, CardState]:
    """Return how cards that have just come stand: an issuer may have withdrawn one before it was collected."""
    samples = await load_samples(visit.contents)
    cards = [await load_card(visit.contents, card_id, now=wallet.clock()) for card_id in card_ids]
    held = [_held(wallet, card, copy) for card in cards for copy in samples.get(card.id, ())]
    return {card_id: each.state for card_id, each in (await current_states(wallet, held)).items()}


def _held(wallet: Wallet, card: Card, copy: Copy) -> HeldCard:
    return HeldCard(wallet, card, copy, open_copy(card, copy))


async def current_states(wallet: Wallet, held: Sequence[HeldCard]) -> Mapping[str, CardStatus]:
    """Return the states of cards; an issuer that takes long to say how a card stands is not waited for."""
    try:
        async with asyncio.timeout(PATIENCE.total_seconds()):
            return await states_of(wallet, held)
    except TimeoutError:
        return await states_of(wallet, held, ask=False)


async def states_of(wallet: Wallet, held: Sequence[HeldCard], *, ask: bool = True) -> Mapping[str, CardStatus]:
    """Return the states of cards by their ids."""
    now = wallet.clock()
    presented = [found for each in held if ask and (found := _as_presented(each)) is not None]
    statuses = await _statuses(wallet, presented, now=now)
    verdicts = {each.query_id: _verdict(each, statuses, now) for each in presented}
    return {each.card.id: _state(each, verdicts.get(each.card.id), now) for each in held}


async def _statuses(wallet: Wallet, presented: Sequence[AuthenticPresentation], *, now: datetime) -> Statuses:
    authenticated, cache = Authenticated(tuple(presented), ()), wallet.verifiers.statuses
    tokens = await cache.tokens(authenticated.status_uris, now=now)
    statuses = verify_statuses(
        tokens, authenticated=authenticated, now=now, anchors=wallet.trust.anchors, cache=wallet.trust.cache
    )
    cache.keep(statuses, now=now)
    return statuses


def _as_presented(held: HeldCard) -> AuthenticPresentation | None:
    """Look at a card as a verifier would; None if it has no status, or its issuer can't be established."""
    status, issuer = held.copy.content.status, held.trusted_issuer() if held.copy.content.status else None
    if status is None or issuer is None:
        return None
    return AuthenticPresentation(
        query_id=held.card.id,
        index=0,
        format=held.format,
        types=held.types,
        claims={},
        holder_bound=held.holder_bound,
        holder_key=None,
        issuer=issuer,
        status=status.reference,
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


def _state(held: HeldCard, verdict: CardState | None, now: datetime) -> CardStatus:
    """Join the verdict of the issuer with the dates; the worst news first."""
    ends = held.copy.content.expires_at
    if verdict is CardState.REVOKED:
        state = CardState.REVOKED
    elif not held.copy.usable(now):
        state = CardState.EXPIRED
    elif verdict in (CardState.SUSPENDED, CardState.UNKNOWN):
        state = verdict
    elif ends is not None and ends - now <= min(SOON, (ends - held.card.content.received_at) / SOON_PART):
        state = CardState.EXPIRING
    else:
        state = CardState.VALID
    return CardStatus(state, ends)
