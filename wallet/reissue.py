"""Getting a card again: before it expires, when copies run out, or because the citizen wants to.

OpenID4VCI 1.0 13.5 (refresh tokens), ETSI TS 119 472-3 4.2.4.2 (triggers), ARF ISSU_41 to 59. New copies need new
holder keys, and those an approval; so cards that are due are proposed at the next visit, and it is one passkey prompt,
not another login at the issuer.
"""

from dataclasses import dataclass

from byoid.issuance.offer import CredentialOffer, require_offered
from wallet.cards import Card, Deck, Reissuance, load_card
from wallet.context import Visit, Wallet
from wallet.receipts import (
    Conversation,
    IssuerContent,
    Receipt,
    ReceiptContent,
    Stage,
    UnsupportedCredential,
    add_receipt,
)


@dataclass(frozen=True)
class Due:
    """A card that should be issued again, and how many copies nobody has seen yet.

    `possible`: without another login; else the citizen starts anew at the issuer.
    """

    card: Card
    unused: int
    possible: bool


def due_cards(wallet: Wallet, deck: Deck) -> list[Due]:
    """Return the cards whose issuer's policy asks for fresh copies now."""
    now = wallet.clock()
    return [
        Due(card, deck.stocks[card.id].unused_at(now), card.content.reissuance is not None)
        for card in deck.cards
        if deck.stocks[card.id].reissue_due(card, now=now)
    ]


async def start_reissue(wallet: Wallet, visit: Visit, card_id: str) -> Receipt:
    """Begin to get a card again; go on with `receiving.propose` and `receiving.approve`.

    Raises:
        ItemNotFound: there is no such card.
        UnsupportedCredential: its issuer has given no refresh token, or has this credential no more.
        PeerError, VerificationError: as `IssuerClient.discover`.
    """
    card = await load_card(visit.contents, card_id, now=wallet.clock())
    content, reissuance = card.content, card.content.reissuance
    if reissuance is None:
        raise UnsupportedCredential("the issuer gives this card again only after another login")
    known = await wallet.issuers.discover(content.credential_issuer, hint=_hint(content.credential_issuer, reissuance))
    offer = CredentialOffer(
        credential_issuer=content.credential_issuer, credential_configuration_ids=(content.configuration_id,)
    )
    require_offered(offer, metadata=known.metadata)
    conversation = Conversation(
        dpop_key=reissuance.dpop_key,
        attestation_key=reissuance.attestation_key,
        refresh_token=reissuance.refresh_token,
    )
    return await add_receipt(
        wallet,
        visit,
        ReceiptContent(
            stage=Stage.OFFERED,
            offer=offer,
            issuer=IssuerContent.of(known, configuration_ids=(content.configuration_id,)),
            conversation=conversation,
            reissue_of=card.id,
            credential_identifier=reissuance.credential_identifier,
        ),
    )


def _hint(credential_issuer: str, reissuance: Reissuance) -> str | None:
    """Return the authorization server that the refresh token is for, unless the issuer is its own."""
    return reissuance.server if reissuance.server != credential_issuer else None
