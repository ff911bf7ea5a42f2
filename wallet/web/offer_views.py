"""What the page of an offer shows."""

from dataclasses import dataclass
from datetime import datetime

from byoid.service.i18n import Catalogue
from wallet.card_status import CardState
from wallet.offers import OfferedCard, Preview, preview
from wallet.receipts import Receipt, Stage
from wallet.web import views
from wallet.web.claim_lines import ClaimLines, in_language


@dataclass(frozen=True)
class OfferedFace:
    """A card of an offer."""

    id: str
    name: str
    issuer: str
    look: views.Look
    state: views.State
    claims: tuple[str, ...]
    description: str = ""
    holder: str = ""
    logo: str = ""
    logo_alt: str = ""
    expires_at: datetime | None = None


@dataclass(frozen=True)
class OfferView:
    """An offer as the citizen sees it."""

    id: str
    host: str
    issuer: str
    signed: bool
    cards: tuple[OfferedFace, ...]
    needs_code: bool
    code_length: int | None
    code_digits: bool
    code_hint: str
    needs_login: bool
    approved: bool


def offer_view(receipt: Receipt, catalogue: Catalogue) -> OfferView:
    """Return what the page of an offer shows."""
    seen = preview(receipt)
    code, issuer = seen.tx_code, views.issuer_name(seen, catalogue) or seen.host
    return OfferView(
        id=seen.receipt_id,
        host=seen.host,
        issuer=issuer,
        signed=seen.signed,
        cards=_faces(seen, issuer, catalogue),
        needs_code=code is not None,
        code_length=code.length if code else None,
        code_digits=code is None or code.input_mode != "text",
        code_hint=(code.description or "") if code else "",
        needs_login=seen.needs_login,
        approved=seen.stage is Stage.APPROVED,
    )


def _faces(seen: Preview, issuer: str, catalogue: Catalogue) -> tuple[OfferedFace, ...]:
    """Return one face for each kind of card; the formats of one kind are one card to its owner."""
    faces: dict[tuple[str, str], OfferedFace] = {}
    for card in seen.cards:
        face = _face(card, issuer, catalogue)
        faces.setdefault((face.name, face.description), face)
    return tuple(faces.values())


def _face(card: OfferedCard, issuer: str, catalogue: Catalogue) -> OfferedFace:
    display = in_language(card.display, catalogue.language)
    writer = ClaimLines(card.claims, catalogue, namespaces=card.format == "mso_mdoc")
    leaves = [
        each.path
        for each in card.claims
        if not any(other.path[: len(each.path)] == each.path and other != each for other in card.claims)
    ]
    return OfferedFace(
        id=card.configuration_id,
        name=views.card_name(card, catalogue),
        issuer=issuer,
        look=views.look(display, seed=card.type),
        state=views.state_view(CardState.VALID, catalogue),
        claims=tuple(dict.fromkeys(writer.label(path) for path in leaves)),
        description=views.description(display, catalogue),
    )
