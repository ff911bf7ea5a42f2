"""What is one card to its owner is shown as one; what is two stays two."""

from datetime import UTC, datetime

import pytest

from byoid.service.i18n import Catalogue
from wallet.card_status import CardState
from wallet.cards import MDOC, SD_JWT_VC, Card, CardContent, Format
from wallet.content_tables import Kind
from wallet.contents import Kept
from wallet.web.card_formats import format_links, one_of_each
from wallet.web.views import CardFace, Look, State

NOW = datetime(2026, 11, 22, tzinfo=UTC)
ENGLISH = Catalogue("en", {})


def kept(
    card_id: str,
    format: Format = SD_JWT_VC,
    *,
    state: CardState = CardState.VALID,
    issuer: str = "https://a.example",
    name: str = "Identity",
    holder: str = "Ada",
) -> tuple[Card, CardFace]:
    content = CardContent(
        format=format, type="t", credential_issuer=issuer, configuration_id="c", signer="A", received_at=NOW
    )
    face = CardFace(card_id, name, "A", Look(""), State(state.value, "", "", ""), holder)
    return Card(content, Kept(card_id, Kind.CREDENTIAL, None, 1, {}, None)), face


def shown(*cards: tuple[Card, CardFace]) -> list[str]:
    return [face.id for face in one_of_each(cards)]


def test_two_formats_are_one_card() -> None:
    assert shown(kept("m", MDOC), kept("s")) == ["s"]


def test_the_format_with_the_worse_news_is_shown() -> None:
    assert shown(kept("m", MDOC, state=CardState.REVOKED), kept("s", state=CardState.SUSPENDED)) == ["m"]


@pytest.mark.parametrize(
    "other",
    [kept("2"), kept("2", MDOC, issuer="https://b.example"), kept("2", MDOC, name="X"), kept("2", MDOC, holder="Eve")],
    ids=["same-format", "other-issuer", "other-name", "other-holder"],
)
def test_what_differs_is_another_card(other: tuple[Card, CardFace]) -> None:
    assert shown(kept("1"), other) == ["1", "2"]


def test_a_card_in_two_formats_links_to_both() -> None:
    links = format_links([kept("m", MDOC), kept("s")], "m", ENGLISH)

    assert [(link.card_id, link.current) for link in links] == [("s", False), ("m", True)]


@pytest.mark.parametrize("card_id", ["s", "gone"])
def test_a_card_in_one_format_has_no_links(card_id: str) -> None:
    assert format_links([kept("s")], card_id, ENGLISH) == ()
