"""One card in several formats: shown as one, because to its owner it is one.

Services ask for a credential as SD-JWT VC or as mdoc, so issuers give both. What belongs together has the same issuer,
name and holder, and no format twice; the same card twice in one format is two cards, and stays two.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from byoid.service.i18n import Catalogue
from wallet.card_status import CardState
from wallet.cards import MDOC, SD_JWT_VC, Card
from wallet.web.views import CardFace

_MILDEST_FIRST: Final = (
    CardState.VALID, CardState.UNKNOWN, CardState.EXPIRING, CardState.EXPIRED, CardState.SUSPENDED, CardState.REVOKED,
)  # fmt: skip
# In plain words, what a format is good for.
FORMATS: Final = {
    SD_JWT_VC: "Web format (SD-JWT VC)",
    MDOC: "ISO format (mdoc), as of mobile driving licences",
}


@dataclass(frozen=True)
class FormatLink:
    """A format in which a card is there, and where it is shown."""

    card_id: str
    label: str
    current: bool


def belonging_together(cards: Iterable[tuple[Card, CardFace]]) -> list[list[tuple[Card, CardFace]]]:
    """Group cards that are one card in several formats."""
    kinds: dict[tuple[str, ...], list[tuple[Card, CardFace]]] = {}
    for card, face in cards:
        kinds.setdefault((card.content.credential_issuer, face.name, face.holder), []).append((card, face))
    found = []
    for same in kinds.values():
        formats = {card.content.format for card, _ in same}
        found += [same] if len(formats) == len(same) else [[each] for each in same]
    return found


def one_of_each(cards: Sequence[tuple[Card, CardFace]]) -> list[CardFace]:
    """Return one face for each card: of several formats, the one whose news is worst, else the web's."""
    return [max(same, key=_urgency)[1] for same in belonging_together(cards)]


def _urgency(found: tuple[Card, CardFace]) -> tuple[int, bool]:
    card, face = found
    return _MILDEST_FIRST.index(CardState(face.state.css)), card.content.format == SD_JWT_VC


def format_links(cards: Sequence[tuple[Card, CardFace]], card_id: str, catalogue: Catalogue) -> tuple[FormatLink, ...]:
    """Return the formats of a card, if there are several."""
    same = next((each for each in belonging_together(cards) if any(card.id == card_id for card, _ in each)), [])
    if len(same) <= 1:
        return ()
    links = [
        FormatLink(card.id, catalogue.gettext(FORMATS[card.content.format]), card.id == card_id) for card, _ in same
    ]
    return tuple(sorted(links, key=lambda link: link.label, reverse=True))


def every_text() -> set[str]:
    """Return every English text in this module, for the test that none lacks a translation."""
    return set(FORMATS.values())
