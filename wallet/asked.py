"""What is asked of a citizen: the models of a pending consent, as it is kept sealed and as it is shown.

A pending consent holds the request as it was authenticated, every card that answers it with exactly the claims that
would be shown, and, once the citizen has chosen, which copies will be used. OpenID4VP 1.0 section 6.4.2 (sets).
"""

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from byoid.errors import OAuthError
from byoid.message import parse_message
from byoid.presentation.request import AuthorizationRequest, ClientMetadata
from wallet.card_status import CardState
from wallet.cards import Format, SealedValue
from wallet.disclosure_policies import ShownPolicy
from wallet.matching import ShownClaim
from wallet.requests import Asker, Caution
from wallet.transactions import ShownTransaction


class ChoiceRefused(OAuthError):
    """The choice does not answer the request: a card is missing, unknown or too many, or a caution was not accepted."""

    code = "choice_refused"


class CardOption(SealedValue):
    """A card that answers a credential query, and exactly what it would show. `names` by language."""

    card_id: str
    format: Format
    type: str
    issuer: str
    names: dict[str, str]
    paths: tuple[tuple[str | int | None, ...], ...]
    claims: tuple[ShownClaim, ...]
    objection: ShownPolicy | None = None  # its issuer does not want it to be shown to who asks


class UnusableCard(SealedValue):
    """A card that would answer, and can't be used now: it is revoked, suspended or has expired. `names` by language."""

    card_id: str
    names: dict[str, str]
    reason: CardState


class AskedCredential(SealedValue):
    """A credential query, the cards that answer it, the newest first, and those that would if they were in order."""

    id: str
    multiple: bool
    type: str
    requested: tuple[tuple[str | int | None, ...], ...]
    options: tuple[CardOption, ...]
    unusable: tuple[UnusableCard, ...] = ()


class AskedSet(SealedValue):
    """A credential set: one of its options, each a set of query ids, the preferred one first. Empty: nothing fits."""

    required: bool
    options: tuple[tuple[str, ...], ...]


class ChosenCopy(SealedValue):
    """Which copy of which card answers which query."""

    query_id: str
    card_id: str
    copy_id: str


class Chosen(SealedValue):
    """The citizen's choice, as it was put to the vault: `ceremony` is the vault's id, `at` the time in the bytes."""

    ceremony: str
    copies: tuple[ChosenCopy, ...]
    at: datetime


class PendingConsent(SealedValue):
    """A request that waits for the citizen's answer."""

    model_config = ConfigDict(frozen=True, extra="forbid", ignored_types=(cached_property,))

    request: dict[str, Any]
    metadata: dict[str, Any]
    asker: Asker
    cautions: tuple[Caution, ...]
    credentials: tuple[AskedCredential, ...]
    sets: tuple[AskedSet, ...]
    transactions: tuple[ShownTransaction, ...]
    opened_at: datetime
    chosen: Chosen | None = None

    @cached_property
    def authorization_request(self) -> AuthorizationRequest:
        """The request, which was authenticated and accepted before it was kept."""
        return parse_message(AuthorizationRequest, self.request)

    @cached_property
    def client_metadata(self) -> ClientMetadata:
        """The verifier's metadata."""
        return parse_message(ClientMetadata, self.metadata)

    @property
    def satisfiable(self) -> bool:
        """Whether every required set can be answered."""
        return all(each.options for each in self.sets if each.required)

    def credential(self, query_id: str) -> AskedCredential | None:
        """Return a credential query by its id."""
        return next((each for each in self.credentials if each.id == query_id), None)

    @property
    def suggested(self) -> dict[str, tuple[str, ...]]:
        """The least that answers the request: of each required set the preferred option, of each query one card."""
        wanted = {query for each in self.sets if each.required and each.options for query in each.options[0]}
        return {each.id: (each.options[0].card_id,) for each in self.credentials if each.id in wanted and each.options}


class Choice(BaseModel):
    """The citizen's choice: cards by query id, and the cautions that they have read and accept."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")

    cards: dict[str, tuple[str, ...]] = Field(max_length=64)
    accepted_cautions: tuple[Caution, ...] = ()


class ConsentView(SealedValue):
    """What the page shows, and what an app gets: everything but the request itself. `suggested` is a full choice."""

    id: str
    asker: Asker
    cautions: tuple[Caution, ...]
    credentials: tuple[AskedCredential, ...]
    sets: tuple[AskedSet, ...]
    transactions: tuple[ShownTransaction, ...]
    suggested: dict[str, tuple[str, ...]]
    satisfiable: bool
    expires_at: datetime


def require_choice(pending: PendingConsent, choice: Choice) -> Mapping[str, tuple[CardOption, ...]]:
    """Return the options that were chosen, by query id, if they answer the request and nothing else.

    Raises:
        ChoiceRefused: they don't, or a caution was not accepted.
    """
    if missing := set(pending.cautions) - set(choice.accepted_cautions):
        raise ChoiceRefused(f"A warning was not accepted: {', '.join(sorted(missing))}.")
    chosen = {query_id: _options(pending, query_id, cards) for query_id, cards in choice.cards.items()}
    for each in pending.sets:
        if each.required and not any(chosen.keys() >= set(option) for option in each.options):
            raise ChoiceRefused("The choice does not answer everything that is required.")
    useful = {
        query_id
        for each in pending.sets
        for option in each.options
        if chosen.keys() >= set(option)
        for query_id in option
    }
    if not chosen or chosen.keys() - useful:
        raise ChoiceRefused("The choice shows more than is needed.")
    if any(chosen.keys().isdisjoint(each.credential_ids) for each in pending.transactions):
        raise ChoiceRefused("No chosen card authorises the transaction.")
    return chosen


def _options(pending: PendingConsent, query_id: str, cards: tuple[str, ...]) -> tuple[CardOption, ...]:
    asked = pending.credential(query_id)
    if asked is None:
        raise ChoiceRefused("The choice answers something that is not asked.")
    if not cards or len(set(cards)) != len(cards) or (len(cards) > 1 and not asked.multiple):
        raise ChoiceRefused("The choice has no card, or too many, for a part of the request.")
    known = {option.card_id: option for option in asked.options}
    if not known.keys() >= set(cards):
        raise ChoiceRefused("The choice has a card that does not fit.")
    return tuple(known[card] for card in cards)
