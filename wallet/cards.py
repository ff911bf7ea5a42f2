"""Cards: the credentials that a citizen keeps, and their copies.

A card is one credential to its owner; technically it is a batch of copies, each bound to a holder key of its own and
signed apart, so that those who see two copies can't tell that they belong together. Which copy is shown next is the
issuer's `credential_reuse_policy` (ETSI TS 119 472-3 4.2.4.2, ARF ISSU_37 to 57):

    A once_only          each copy once; when none is left, as B (ISSU_47)
    B limited_time       one copy again and again
    C rotating-batch     every copy once in random order, then again
    D per-relying-party  each relying party sees a copy of its own, always the same
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from byoid.encoding import b64u_decode
from byoid.errors import ByoidError
from byoid.formats.mdoc.present import HeldMdoc
from byoid.formats.sd_jwt_vc import HeldSdJwtVc
from byoid.formats.status_list import StatusReference
from byoid.issuance.configuration import CredentialDisplay
from byoid.issuance.metadata import IssuerDisplay
from byoid.issuance.reuse_policy import ReuseMethod
from byoid.oauth.claims_description import ClaimsDescription
from byoid.service.connection import Connection
from wallet.content_tables import Kind
from wallet.contents import Contents, Kept, Place

SD_JWT_VC: Final = "dc+sd-jwt"
MDOC: Final = "mso_mdoc"
Format = Literal["dc+sd-jwt", "mso_mdoc"]


class NoUsableCopy(ByoidError):
    """Every copy of the card has expired: it must be issued again before it can be shown."""


class SealedValue(BaseModel):
    """A value that is kept sealed in `Contents`."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    def to_value(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class Reuse(SealedValue):
    """How often a copy may be shown, and when to fetch others; without a policy of the issuer: one copy, reused."""

    method: ReuseMethod = ReuseMethod.LIMITED_TIME
    batch_size: int = 1
    trigger_unused: int | None = None
    trigger_lifetime_left: timedelta | None = None


class Reissuance(SealedValue):
    """What it takes to get the card again without the citizen's login at the issuer."""

    refresh_token: str = Field(repr=False)
    server: str
    dpop_key: dict[str, str] = Field(repr=False)
    attestation_key: dict[str, str] | None = Field(default=None, repr=False)
    credential_identifier: str | None = None


class CardContent(SealedValue):
    """What is known about a card. `type` is the vct or the document type; `signer` who the certificate says it is."""

    format: Format
    type: str
    credential_issuer: str
    configuration_id: str
    signer: str
    display: tuple[CredentialDisplay, ...] = ()
    issuer_display: tuple[IssuerDisplay, ...] = ()
    claims: tuple[ClaimsDescription, ...] = ()
    reuse: Reuse = Reuse()
    disclosure_policy: dict[str, Any] | None = None
    received_at: datetime
    issued_at: datetime | None = None
    expires_at: datetime | None = None
    notification_id: str | None = None
    reissuance: Reissuance | None = Field(default=None, repr=False)


class StatusEntry(SealedValue):
    """A place in a status list."""

    uri: str
    index: int

    @classmethod
    def of(cls, reference: StatusReference | None) -> Self | None:
        """Keep a reference."""
        return cls(uri=reference.uri, index=reference.index) if reference else None

    @property
    def reference(self) -> StatusReference:
        """The reference."""
        return StatusReference(uri=self.uri, index=self.index)


class CopyContent(SealedValue):
    """One copy: its text (an mdoc as base64url of IssuerSigned), its holder key, and to whom it was shown how often."""

    key_id: str | None = None
    text: str = Field(repr=False)
    expires_at: datetime | None = None
    status: StatusEntry | None = None
    uses: dict[str, int] = Field(default_factory=dict)

    @property
    def used(self) -> int:
        """How often it was shown."""
        return sum(self.uses.values())


@dataclass(frozen=True)
class Card:
    """A card as it was read."""

    content: CardContent
    kept: Kept

    @property
    def id(self) -> str:
        """Its id."""
        return self.kept.id


@dataclass(frozen=True)
class Copy:
    """A copy as it was read."""

    content: CopyContent
    kept: Kept

    @property
    def id(self) -> str:
        """Its id."""
        return self.kept.id

    @property
    def card_id(self) -> str:
        """The card that it belongs to."""
        return self.kept.parent_id or ""

    def usable(self, now: datetime) -> bool:
        """Whether it has not expired."""
        return self.content.expires_at is None or now < self.content.expires_at


# --- reading and writing


async def load_cards(contents: Contents) -> list[Card]:
    """Return all cards, newest first, without their copies."""
    cards = [_card(kept) for kept in await contents.all(Kind.CREDENTIAL)]
    return sorted(cards, key=lambda card: card.content.received_at, reverse=True)


async def load_card(contents: Contents, card_id: str, *, now: datetime) -> Card:
    """Return one card.

    Raises:
        ItemNotFound: there is none.
    """
    return _card(await contents.get(Kind.CREDENTIAL, card_id, now=now))


async def load_copies(contents: Contents, card_id: str) -> list[Copy]:
    """Return the copies of a card, in no order."""
    return [_copy(kept) for kept in await contents.children(Kind.COPY, card_id)]


async def load_all_copies(contents: Contents) -> dict[str, list[Copy]]:
    """Return the copies of every card, by the card's id, in one query: to export them. Most need `load_samples`."""
    found: dict[str, list[Copy]] = {}
    for kept in await contents.all(Kind.COPY):
        found.setdefault(kept.parent_id or "", []).append(_copy(kept))
    return found


async def load_samples(contents: Contents) -> dict[str, list[Copy]]:
    """Return one copy of every card, by the card's id, as a list of one: all copies say the same and end together."""
    return {kept.parent_id or "": [_copy(kept)] for kept in await contents.samples(Kind.COPY)}


async def load_copy(contents: Contents, copy_id: str, *, now: datetime) -> Copy:
    """Return one copy.

    Raises:
        ItemNotFound: there is none.
    """
    return _copy(await contents.get(Kind.COPY, copy_id, now=now))


async def add_card(contents: Contents, tx: Connection, card: CardContent, copies: Sequence[CopyContent]) -> str:
    """Keep a new card with its copies, and return its id."""
    card_id = await contents.add(tx, Kind.CREDENTIAL, card.to_value())
    await add_copies(contents, tx, card_id, copies)
    return card_id


async def add_copies(contents: Contents, tx: Connection, card_id: str, copies: Sequence[CopyContent]) -> None:
    """Keep more copies of a card."""
    await contents.add_children(tx, Kind.COPY, [copy.to_value() for copy in copies], parent_id=card_id)


async def change_card(contents: Contents, tx: Connection, card: Card, content: CardContent) -> None:
    """Replace what is known about a card.

    Raises:
        ItemChanged: another browser was faster.
    """
    await contents.change(tx, card.kept, content.to_value())


async def delete_card(contents: Contents, tx: Connection, card_id: str) -> bool:
    """Delete a card with its copies; False if it was gone. The caller deletes the holder keys of the copies."""
    await contents.delete_children(tx, Kind.COPY, card_id)
    return await contents.delete(tx, Kind.CREDENTIAL, card_id)


async def mark_used(contents: Contents, tx: Connection, copy: Copy, *, relying_party: str) -> None:
    """Count that a copy was shown.

    Raises:
        ItemChanged: another browser showed it at the same time.
    """
    uses = {**copy.content.uses, relying_party: copy.content.uses.get(relying_party, 0) + 1}
    await contents.change(tx, copy.kept, copy.content.model_copy(update={"uses": uses}).to_value())


def open_copy(card: Card, copy: Copy) -> HeldSdJwtVc | HeldMdoc:
    """Read a copy's text, which was verified before it was kept.

    Raises:
        MalformedInput: it is damaged.
    """
    if card.content.format == MDOC:
        return HeldMdoc.from_bytes(b64u_decode(copy.content.text))
    return HeldSdJwtVc.from_text(copy.content.text)


# --- which copy is shown, and when others are needed


async def find_copy(contents: Contents, card: Card, *, relying_party: str, now: datetime) -> Copy:
    """Return the copy to show to a relying party, as the issuer's policy says. Only that copy is opened, except for D.

    Raises:
        NoUsableCopy: all have expired.
        ItemNotFound: another browser has deleted or renewed the card.
    """
    places = await contents.places(Kind.COPY, parent_id=card.id)
    if not places:
        raise NoUsableCopy("this card has no copy")
    if card.content.reuse.method is ReuseMethod.PER_RELYING_PARTY:
        copy = _own_copy(await load_copies(contents, card.id), relying_party)
    else:
        copy = await load_copy(contents, _choose(places, card.content.reuse.method), now=now)
    if not copy.usable(now):  # nor is any other: they end together
        raise NoUsableCopy("every copy of this card has expired")
    return copy


def _choose(places: Sequence[Place], method: ReuseMethod) -> str:
    """Choose by how often copies were shown: a copy changes only when it is shown (`mark_used`)."""
    if method is ReuseMethod.LIMITED_TIME:
        return max(place.id for place in places)
    least = min(place.changes for place in places)
    return secrets.choice([place.id for place in places if place.changes == least])


def _own_copy(copies: Sequence[Copy], relying_party: str) -> Copy:
    """Return the copy that this relying party has seen before, else one that fewest have seen."""
    known = [copy for copy in copies if relying_party in copy.content.uses]
    if known:
        return max(known, key=lambda copy: copy.id)
    least = min(copy.content.used for copy in copies)
    return secrets.choice([copy for copy in copies if copy.content.used == least])


@dataclass(frozen=True)
class Stock:
    """What is left of a card: how many copies, how many unseen, how often they were shown; and one to look at."""

    sample: Copy
    copies: int
    unused: int
    shown: int

    def reissue_due(self, card: Card, *, now: datetime) -> bool:
        """Whether the policy asks for fresh copies: too few are unseen, or little lifetime is left (ISSU_45 to 54)."""
        reuse, ends = card.content.reuse, self.sample.content.expires_at
        if reuse.trigger_unused is not None and self.unused_at(now) <= reuse.trigger_unused:
            return True
        return ends is not None and ends - now <= (reuse.trigger_lifetime_left or timedelta(0))

    def unused_at(self, now: datetime) -> int:
        """Return how many copies nobody has seen and can still be shown."""
        return self.unused if self.sample.usable(now) else 0


@dataclass(frozen=True)
class Deck:
    """All cards, the newest first, and what is left of each by its id: what most pages look at, read once."""

    cards: Sequence[Card]
    stocks: Mapping[str, Stock]


async def load_deck(contents: Contents) -> Deck:
    """Return all cards with what is left of them. A card whose copies are being replaced just now is left out."""
    stocks = await load_stocks(contents)
    return Deck([card for card in await load_cards(contents) if card.id in stocks], stocks)


async def load_stocks(contents: Contents) -> dict[str, Stock]:
    """Return what is left of every card, by the card's id."""
    changes: dict[str, list[int]] = {}
    for place in await contents.places(Kind.COPY):
        changes.setdefault(place.parent_id or "", []).append(place.changes)
    return {
        card_id: Stock(sample, len(found), found.count(0), sum(found))
        for card_id, (sample,) in (await load_samples(contents)).items()
        if (found := changes.get(card_id))
    }


def _card(kept: Kept) -> Card:
    return Card(CardContent.model_validate(kept.value), kept)


def _copy(kept: Kept) -> Copy:
    return Copy(CopyContent.model_validate(kept.value), kept)
