"""Refresh tokens that are exchanged for new ones: whatever rests on the old one rests on the new one at once.

RFC 6749 6: the server may invalidate the old token as soon as it has answered. Cards of one offer share a token, so all
of them are brought up to date before anything else can fail.
"""

from wallet.cards import Card, change_card, load_cards
from wallet.content_tables import Kind
from wallet.contents import retried
from wallet.context import Visit
from wallet.keeping import DeferredContent


async def replace_refresh_token(visit: Visit, *, old: str | None, new: str | None) -> None:
    """Put the new token in the place of the old one, in cards and promises; without a new one nothing changes.

    Raises:
        ItemChanged: other browsers change the same again and again.
    """
    if old is not None and new is not None and new != old:
        await retried(lambda: _replace(visit, old, new))  # the old one is void: this can't be tried another time


async def _replace(visit: Visit, old: str, new: str) -> None:
    contents = visit.contents
    cards = [card for card in await load_cards(contents) if _token(card) == old]
    promises = [(kept, DeferredContent.model_validate(kept.value)) for kept in await contents.all(Kind.DEFERRED)]
    async with contents.store.transaction() as tx:
        for card in cards:
            reissuance = card.content.reissuance
            changed = reissuance and reissuance.model_copy(update={"refresh_token": new})
            await change_card(contents, tx, card, card.content.model_copy(update={"reissuance": changed}))
        for kept, promise in promises:
            if promise.conversation.refresh_token == old:
                conversation = promise.conversation.model_copy(update={"refresh_token": new})
                await contents.change(tx, kept, promise.model_copy(update={"conversation": conversation}).to_value())


def _token(card: Card) -> str | None:
    return card.content.reissuance.refresh_token if card.content.reissuance else None
