"""Deleting: one card with all its copies and keys, or the whole account.

ARF PAD_01 to 04 (at any time, all copies, keys destroyed; the issuer is not told, unless the citizen wants it),
WIAM_13 (factory reset); OpenID4VCI 1.0 section 11 (`credential_deleted`).
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Self

from byoid.errors import ByoidError
from byoid.issuance.notification import NotificationRequest
from byoid.oauth.token import RefreshTokenRequest
from wallet.cards import Card, CardContent, delete_card, load_card, load_copies
from wallet.content_tables import Kind
from wallet.contents import ContentStore
from wallet.context import Visit, Wallet
from wallet.history import ClaimNames, Entry, Party, Transaction, record
from wallet.provider import WalletProvider
from wallet.receipts import Conversation, IssuerContent, resume
from wallet.reminders import remind
from wallet.subscriptions import Subscriptions
from wallet.vault import gate
from wallet.vault.contract import Action, NotApproved, PagePost
from wallet.vault.holder_keys import delete_holder_keys
from wallet.vault.keys import PersonId

_LOOK_AGAIN: Final = timedelta(hours=1)  # longer than an approval can wait for its answer


@dataclass(frozen=True)
class Keepers:
    """All that the web part keeps about people."""

    contents: ContentStore
    provider: WalletProvider
    subscriptions: Subscriptions

    @classmethod
    def of(cls, wallet: Wallet) -> Self:
        """Return those of a wallet."""
        return cls(wallet.contents, wallet.provider, wallet.notices.subscriptions)


async def remove_card(wallet: Wallet, visit: Visit, card_id: str, *, tell_issuer: bool = False) -> None:
    """Delete a card, its copies and their holder keys, for good.

    Args:
        wallet: of all citizens.
        visit: whose card.
        card_id: which.
        tell_issuer: whether the issuer hears of it, where it wants to.

    Raises:
        ItemNotFound: there is no such card.
    """
    card = await load_card(visit.contents, card_id, now=wallet.clock())
    keys = [copy.content.key_id for copy in await load_copies(visit.contents, card_id) if copy.content.key_id]
    async with wallet.contents.transaction() as tx:
        await delete_card(visit.contents, tx, card_id)
        await record(visit.contents, tx, _entry(wallet, card))
    await wallet.door.run(delete_holder_keys, visit.cookie, keys)
    await remind(wallet, visit)
    if tell_issuer:
        with suppress(ByoidError):  # the card is gone; an issuer that does not listen changes nothing
            await _tell(wallet, visit, card.content)


async def remove_account(wallet: Wallet, cookie: str, post: PagePost) -> None:
    """Delete everything about a citizen, with the assertion of their passkey for exactly that.

    What the web part keeps goes last: without the vault's keys nobody can read it any more.

    Raises:
        NotSignedIn, NotApproved, VerificationError, MalformedInput: as `gate.approve`; nothing was deleted.
    """
    approved = await wallet.door.run(gate.approve, cookie, post)
    if approved.action is not Action.DELETE_ACCOUNT:
        raise NotApproved("the approval is for something else")
    await forget(Keepers.of(wallet), approved.person)


async def announce_removal(wallet: Wallet, cookie: str) -> None:
    """Note that a citizen is about to decide whether everything is deleted, for `finish_removals`.

    Raises:
        NotSignedIn: the cookie has no live session.
    """
    visit, later = await wallet.visit(cookie), wallet.clock() + _LOOK_AGAIN
    async with wallet.contents.transaction() as tx:
        await visit.contents.add(tx, Kind.LEAVING, {}, expires_at=later)


async def forget(keepers: Keepers, person: PersonId) -> None:
    """Delete what the web part keeps about somebody whom the vault has forgotten."""
    await keepers.provider.revoke(person)  # no issuer shall trust this wallet's attestations any more
    async with keepers.contents.transaction() as tx:
        await keepers.contents.forget(tx, person)
        await keepers.subscriptions.forget(tx, person)


async def finish_removals(keepers: Keepers, *, has_wallet: Callable[[PersonId], Awaitable[bool]], now: datetime) -> int:
    """Delete what stayed behind where we died between the vault's deletion and our own.

    Returns for how many people there was to look.
    """
    asked = await keepers.contents.leaving(now=now)
    for person in asked:
        if not await has_wallet(person):
            await forget(keepers, person)
        await keepers.contents.looked_at(person, now=now)
    return len(asked)


def _entry(wallet: Wallet, card: Card) -> Entry:
    content = card.content
    return Entry(
        transaction_type=Transaction.DELETION,
        time=wallet.clock(),
        party=Party(key=content.credential_issuer, name=content.signer),
        list_of_claims_requested=(ClaimNames(credential_identifier=content.type),),
        cards=(card.id,),
    )


async def _tell(wallet: Wallet, visit: Visit, content: CardContent) -> None:
    if content.notification_id is None or content.reissuance is None:
        return
    known = await wallet.issuers.discover(content.credential_issuer)
    issuer = IssuerContent.of(known, configuration_ids=(content.configuration_id,))
    conversation = Conversation(
        dpop_key=content.reissuance.dpop_key, attestation_key=content.reissuance.attestation_key
    )
    issuance = resume(wallet, visit, issuer, conversation)
    await issuance.redeem(
        RefreshTokenRequest(client_id=wallet.settings.client_id, refresh_token=content.reissuance.refresh_token)
    )
    await issuance.notify(NotificationRequest(notification_id=content.notification_id, event="credential_deleted"))
