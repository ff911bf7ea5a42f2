"""What templates get: plain values in the citizen's language, never a table and nothing that must not be shown."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from byoid.issuance.configuration import Image
from byoid.service.i18n import Catalogue
from wallet.card_status import CardState
from wallet.cards import MDOC, Card, CardContent, Copy, Stock, open_copy
from wallet.deferred import Collected, Promise
from wallet.offers import CatalogueEntry, OfferedCard, Preview
from wallet.reissue import Due
from wallet.web.account_views import Confirm
from wallet.web.claim_lines import ClaimLines, Line, claims_of, in_language, spoken

_COLOUR: Final = re.compile(r"#[0-9a-fA-F]{6}\Z")
_HUES: Final = 5
_READABLE: Final = 4.5  # WCAG 2.2 1.4.3
_LINEAR_BELOW: Final = 0.04045  # sRGB, as WCAG 2.2 defines relative luminance
_HOLDER: Final = ("given_name", "family_name", "family_name_birth")


# By state: the word on the card, the colour of it, and what it means. English; a text is translated when shown.
STATES: Final = {
    CardState.VALID: ("", "", ""),
    CardState.EXPIRING: ("expires soon", "warn", "Get a fresh one before the day on which it expires."),
    CardState.EXPIRED: (
        "expired", "bad", "It can no longer be shown. Get a fresh one from the authority, then delete this one.",
    ),
    CardState.SUSPENDED: (
        "suspended", "warn", "The authority that issued it has put it on hold. It may become valid again. Ask them "
        "why.",
    ),
    CardState.REVOKED: (
        "revoked", "bad", "The authority that issued it has withdrawn it for good. Services will refuse it. Ask them "
        "why; you may delete this card.",
    ),
    CardState.UNKNOWN: (
        "not checked", "warn", "The authority can’t be asked just now whether it is still valid. Try again later.",
    ),
}  # fmt: skip
USES: Final = {
    "once_only": "Each service gets a copy of its own, used once, so that services can’t compare notes",
    "limited_time": "Again and again, until it expires",
    "rotating-batch": "Again and again, with changing copies, so that services can hardly compare notes",
    "per-relying-party": "Each service always gets the same copy, and no two services the same",
}


NOTICES: Final = {
    "came": "A card that you were waiting for has arrived.",
    "failed": "A card that you were waiting for could not be fetched. The history says why.",
    "awaited": "An authority is still making a card for you. It appears here when it is ready.",
    "renew": "%(card)s: time to get a fresh one.",
    "look": "Have a look",
}
DELETION: Final = (
    "Delete this card?",
    "“%(card)s” is removed from your wallet for good, with all its copies. You can get it again from the authority.",
    "The authority is not told, and the history stays.",
    "Keep it",
    "Delete it",
)
DELETION_OF_SEVERAL: Final = "This card is in your wallet in several formats. All of them are deleted: %(formats)s."


@dataclass(frozen=True)
class Look:
    """How a card is painted. The issuer's colours are used where text on them can be read; a picture is darkened."""

    css: str
    colour: str = ""
    light_text: bool = True
    image: str = ""


@dataclass(frozen=True)
class State:
    """The state of a card in words."""

    css: str
    label: str
    tag: str
    explanation: str


@dataclass(frozen=True)
class CardFace:
    """A card as it looks in a list."""

    id: str
    name: str
    issuer: str
    look: Look
    state: State
    holder: str = ""
    logo: str = ""
    logo_alt: str = ""
    expires_at: datetime | None = None


@dataclass(frozen=True)
class Notice:
    """Something that needs attention, perhaps with a link to where it is done."""

    css: str
    text: str
    href: str = ""
    link: str = ""


@dataclass(frozen=True)
class CatalogueCard:
    """A card that an authority of the catalogue has, in all its formats; `ids` are separated by spaces."""

    ids: str
    name: str
    description: str


@dataclass(frozen=True)
class CatalogueView:
    """An authority of the catalogue."""

    credential_issuer: str
    name: str
    host: str
    signed: bool
    cards: tuple[CatalogueCard, ...]


@dataclass(frozen=True)
class About:
    """What there is to say about a card besides what is on it."""

    signer: str
    description: str
    received_at: datetime
    expires_at: datetime | None
    uses: str
    shown: int
    type: str
    format: str
    credential_issuer: str
    unused: int
    copies: int
    due: bool


def dashboard_notices(
    collected: Sequence[Collected],
    promises: Sequence[Promise],
    due: Sequence[Due],
    faces: Sequence[CardFace],
    catalogue: Catalogue,
) -> list[Notice]:
    """Return what needs the citizen's attention: cards that came or failed, are awaited, or should be renewed."""
    say, names = catalogue.gettext, {face.id: face.name for face in faces}
    urgent = {names.get(each.card.id, ""): each.card.id for each in due}  # of several formats, one notice at a time
    found = [Notice("good", say(NOTICES["came"])) for each in collected if each.received]
    found += [Notice("warn", say(NOTICES["failed"])) for each in collected if each.over]
    if promises:
        found.append(Notice("", say(NOTICES["awaited"])))
    for name, card_id in urgent.items():
        text = say(NOTICES["renew"]) % {"card": name}
        found.append(Notice("warn", text, f"/cards/{card_id}", say(NOTICES["look"])))
    return found


def catalogue_view(entry: CatalogueEntry, catalogue: Catalogue) -> CatalogueView:
    """Return an authority of the catalogue."""
    cards: dict[tuple[str, str], list[str]] = {}
    for card in entry.cards:
        display = in_language(card.display, catalogue.language)
        words = card_name(card, catalogue), description(display, catalogue)
        cards.setdefault(words, []).append(card.configuration_id)
    kinds = tuple(CatalogueCard(" ".join(ids), *words) for words, ids in cards.items())
    host = urlsplit(entry.credential_issuer).netloc
    return CatalogueView(entry.credential_issuer, issuer_name(entry, catalogue), host, entry.signed, kinds)


def confirm_card_deletion(card_id: str, name: str, formats: Sequence[str], catalogue: Catalogue) -> Confirm:
    """Ask before a card is deleted, in all formats if it has several."""
    heading, what, issuer, no, yes = (catalogue.gettext(text) for text in DELETION)
    several = [catalogue.gettext(DELETION_OF_SEVERAL) % {"formats": ", ".join(formats)}] if formats else []
    return Confirm(
        heading,
        (what % {"card": name}, *several, issuer),
        yes,
        no,
        back=f"/cards/{card_id}",
        action=f"/cards/{card_id}/deletion",
    )


def state_view(state: CardState, catalogue: Catalogue) -> State:
    """Explain a state."""
    label, tag, explanation = STATES[state]
    say = catalogue.gettext
    return State(state.value, say(label) if label else "", tag, say(explanation) if explanation else "")


def card_face(
    card: Card, copies: Sequence[Copy], catalogue: Catalogue, *, state: CardState = CardState.VALID
) -> CardFace:
    """Return a card's face."""
    content = card.content
    display = in_language(content.display, catalogue.language)
    logo = display.logo if display else None
    return CardFace(
        id=card.id,
        name=card_name(content, catalogue),
        issuer=issuer_name(content, catalogue),
        look=look(display, seed=content.type),
        state=state_view(state, catalogue),
        holder=_holder(card, copies),
        logo=_embedded(logo),
        logo_alt=(logo.alt_text or "") if logo else "",
        expires_at=max((copy.content.expires_at for copy in copies if copy.content.expires_at), default=None),
    )


def card_name(content: CardContent | OfferedCard, catalogue: Catalogue) -> str:
    """Return what the issuer calls this kind of card."""
    display = in_language(content.display, catalogue.language)
    return spoken(display.name, display.locale, catalogue.language) if display else content.type


def description(display: Any, catalogue: Catalogue) -> str:
    """Return what the issuer says about this kind of card."""
    text = (display.description or "") if display else ""
    return spoken(text, display.locale, catalogue.language) if text else ""


def issuer_name(content: CardContent | Preview | CatalogueEntry, catalogue: Catalogue) -> str:
    """Return what the issuer calls itself, else its host."""
    display = in_language(content.issuer_display, catalogue.language)
    named = display.name if display else None
    return named or urlsplit(content.credential_issuer or "").netloc


def card_lines(card: Card, copy: Copy, catalogue: Catalogue) -> tuple[Line, ...]:
    """Return what is on a card."""
    writer = ClaimLines(card.content.claims, catalogue, namespaces=card.content.format == MDOC)
    return writer.all(claims_of(open_copy(card, copy)))


def about(card: Card, stock: Stock, catalogue: Catalogue, *, now: datetime) -> About:
    """Return what there is to say about a card."""
    content = card.content
    display = in_language(content.display, catalogue.language)
    return About(
        signer=content.signer,
        description=description(display, catalogue),
        received_at=content.received_at,
        expires_at=content.expires_at,
        uses=catalogue.gettext(USES[content.reuse.method.value]),
        shown=stock.shown,
        type=content.type,
        format=content.format,
        credential_issuer=content.credential_issuer,
        unused=stock.unused_at(now),
        copies=stock.copies,
        due=stock.reissue_due(card, now=now),
    )


def look(display: Any, *, seed: str) -> Look:
    """Return how a card is painted: in the issuer's colour, with text that can be read on it, else in one of ours."""
    if image := _embedded(display.background_image if display else None):
        return Look("painted pictured", image=image)
    colour = (display.background_color or "") if display else ""
    if not _COLOUR.match(colour):
        return Look(f"hue-{sum(seed.encode()) % _HUES}")
    light = 1.05 / (_luminance(colour) + 0.05) >= _READABLE
    return Look("painted" if light else "painted dark-text", colour, light)


def _embedded(image: Image | None) -> str:
    """Return a picture that came within the metadata; one of an address would tell its server who looks at a card."""
    return image.uri if image and image.uri.startswith("data:image/") else ""


def _luminance(colour: str) -> float:
    """Return the relative luminance of `#rrggbb` (WCAG 2.2)."""
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= _LINEAR_BELOW else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _holder(card: Card, copies: Sequence[Copy]) -> str:
    if not copies:
        return ""
    claims = claims_of(open_copy(card, copies[0]))
    flat = {
        **claims,
        **{name: value for group in claims.values() if isinstance(group, dict) for name, value in group.items()},
    }
    names = [flat[name] for name in _HOLDER[:2] if isinstance(flat.get(name), str)]
    return " ".join(names)


def every_text() -> set[str]:
    """Return every English text in this module, for the test that none lacks a translation."""
    states = {text for label, _, explanation in STATES.values() for text in (label, explanation) if text}
    return states | {*USES.values(), *NOTICES.values(), *DELETION, DELETION_OF_SEVERAL}
