"""Keeping what was received: one transaction for cards, copies, promises and history, then a word to the issuer.

OpenID4VCI 1.0 11 (notification), 9 (deferred), 3.3.2 (batch); ARF ISSU_59 and 62 (what changed is shown, the old copies
are deleted). Where anything is wrong nothing is kept, the holder keys are deleted, and the issuer is told
`credential_failure`.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Literal

from pydantic import Field

from byoid.errors import ByoidError
from byoid.issuance.credential import CredentialResponse
from byoid.issuance.notification import NotificationRequest
from byoid.service.connection import Connection
from wallet.card_status import CardState, states_at_receipt
from wallet.cards import (
    MDOC,
    Card,
    CardContent,
    Copy,
    Reissuance,
    SealedValue,
    add_card,
    add_copies,
    change_card,
    load_card,
    load_copies,
    open_copy,
)
from wallet.content_tables import Kind
from wallet.contents import Contents, ItemNotFound, Kept, retried
from wallet.context import Visit, Wallet
from wallet.history import ClaimNames, Entry, Party, Transaction, record
from wallet.issuer_client import Issuance
from wallet.offers import reuse_of, type_of
from wallet.receipts import Conversation, IssuerContent, OutOfTurn, supported
from wallet.received import ReceivedCopy, comparable, verify_received
from wallet.vault.contract import HolderKeyView
from wallet.vault.holder_keys import delete_holder_keys

_LEAST_INTERVAL: Final = timedelta(seconds=1)
_MOST_INTERVAL: Final = timedelta(days=7)


class DeferredContent(SealedValue):
    """A credential that an issuer has promised, and all it takes to collect it."""

    issuer: IssuerContent
    configuration_id: str
    keys: tuple[HolderKeyView, ...]
    transaction_id: str = Field(repr=False)
    promised_at: datetime
    next_at: datetime
    conversation: Conversation
    identifier: str | None = None
    reissue_of: str | None = None


@dataclass(frozen=True)
class Order:
    """What was asked for, with the answer: credentials, or a promise."""

    issuer: IssuerContent
    configuration_id: str
    identifier: str | None
    keys: tuple[HolderKeyView, ...]
    response: CredentialResponse
    conversation: Conversation
    reissue_of: str | None = None


@dataclass(frozen=True)
class Received:
    """What is in the wallet now, how it stands with its issuer, and what is promised.

    `changed` names claims that a reissued card has otherwise.
    """

    card_ids: tuple[str, ...] = ()
    deferred_ids: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    states: dict[str, CardState] = field(default_factory=dict)


@dataclass(frozen=True)
class _Delivery:
    """A verified order, and the card that it replaces."""

    order: Order
    copies: list[ReceivedCopy]
    card: Card | None
    old_copies: list[Copy]

    @property
    def spent_keys(self) -> list[str]:
        """Holder keys that no copy needs any more."""
        if not self.copies:
            return []
        bound = {copy.content.key_id for copy in self.copies}
        old = [copy.content.key_id for copy in self.old_copies if copy.content.key_id]
        return [key.id for key in self.order.keys if key.id not in bound] + old


async def keep(
    wallet: Wallet, visit: Visit, issuance: Issuance, orders: Sequence[Order], *, finished: Kept
) -> Received:
    """Verify every credential of every order, then keep all of them at once.

    Args:
        wallet: of all citizens.
        visit: whose it is.
        issuance: to tell the issuer.
        orders: with their answers.
        finished: the receipt or promise that this ends.

    Raises:
        VerificationError, MalformedInput: a credential is not as it must be. Nothing was kept; the issuer was told.
        OutOfTurn: another browser has ended it meanwhile.
    """
    try:
        # What came comes only once: it is not lost because another browser has just changed the card that it replaces.
        deliveries, received = await retried(lambda: _verify_and_keep(wallet, visit, orders, finished))
    except ByoidError:
        await notify(issuance, orders, "credential_failure")
        raise
    await delete_keys(wallet, visit, [key for delivery in deliveries for key in delivery.spent_keys])
    await notify(issuance, orders, "credential_accepted")
    return replace(received, states=await states_at_receipt(wallet, visit, received.card_ids))


async def _verify_and_keep(
    wallet: Wallet, visit: Visit, orders: Sequence[Order], finished: Kept
) -> tuple[list[_Delivery], Received]:
    deliveries = [await _verify(wallet, visit, order) for order in orders]
    return deliveries, await _keep(wallet, visit, deliveries, finished)


async def notify(
    issuance: Issuance, orders: Iterable[Order], event: Literal["credential_accepted", "credential_failure"]
) -> None:
    """Tell the issuer what became of its credentials; that it does not listen changes nothing."""
    for order in orders:
        if order.response.notification_id is not None:
            with suppress(ByoidError):
                await issuance.notify(NotificationRequest(notification_id=order.response.notification_id, event=event))


async def delete_keys(wallet: Wallet, visit: Visit, key_ids: Sequence[str]) -> None:
    """Delete holder keys that nothing needs."""
    if key_ids:
        await wallet.door.run(delete_holder_keys, visit.cookie, key_ids)


async def _verify(wallet: Wallet, visit: Visit, order: Order) -> _Delivery:
    card = None
    if order.reissue_of is not None:
        with suppress(ItemNotFound):  # deleted meanwhile: what comes is a new card
            card = await load_card(visit.contents, order.reissue_of, now=wallet.clock())
    if order.response.credentials is None:
        return _Delivery(order, [], card, [])
    copies = verify_received(
        order.response.credentials,
        configuration=supported(order.issuer.metadata.credential_configurations_supported[order.configuration_id]),
        keys=order.keys,
        trust=wallet.trust,
        now=wallet.clock(),
    )
    return _Delivery(order, copies, card, await load_copies(visit.contents, card.id) if card else [])


async def _keep(wallet: Wallet, visit: Visit, deliveries: Sequence[_Delivery], finished: Kept) -> Received:
    now, contents = wallet.clock(), visit.contents
    cards: list[str] = []
    promises: list[str] = []
    changed: list[str] = []
    async with contents.store.transaction() as tx:
        if not await contents.delete(tx, finished.kind, finished.id):
            raise OutOfTurn("another browser has ended this meanwhile")
        for delivery in deliveries:
            if not delivery.copies:
                promise = _promise(delivery.order, now)
                promises.append(await contents.add(tx, Kind.DEFERRED, promise.to_value()))
                continue
            cards.append(await _keep_card(contents, tx, delivery, now))
            changed.extend(_differences(delivery))
            await record(contents, tx, _entry(delivery, cards[-1], now))
    return Received(tuple(cards), tuple(promises), tuple(changed))


async def _keep_card(contents: Contents, tx: Connection, delivery: _Delivery, now: datetime) -> str:
    content, copies = _card(delivery, now), [copy.content for copy in delivery.copies]
    if delivery.card is None:
        return await add_card(contents, tx, content, copies)
    await change_card(contents, tx, delivery.card, content)
    await contents.delete_children(tx, Kind.COPY, delivery.card.id)
    await add_copies(contents, tx, delivery.card.id, copies)
    return delivery.card.id


def _card(delivery: _Delivery, now: datetime) -> CardContent:
    order, first = delivery.order, delivery.copies[0]
    metadata = order.issuer.metadata
    configuration = supported(metadata.credential_configurations_supported[order.configuration_id])
    described = configuration.credential_metadata
    return CardContent(
        format=configuration.format,
        type=type_of(configuration),
        credential_issuer=metadata.credential_issuer,
        configuration_id=order.configuration_id,
        signer=first.signer,
        display=(described and described.display) or (),
        issuer_display=metadata.display or (),
        claims=(described and described.claims) or (),
        reuse=reuse_of(configuration, max_proofs=metadata.max_proofs),
        disclosure_policy=described.embedded_disclosure_policy if described else None,
        received_at=now,
        issued_at=first.issued_at,
        expires_at=first.expires_at,
        notification_id=order.response.notification_id,
        reissuance=_reissuance(order),
    )


def _reissuance(order: Order) -> Reissuance | None:
    conversation = order.conversation
    if conversation.refresh_token is None:
        return None
    return Reissuance(
        refresh_token=conversation.refresh_token,
        server=order.issuer.server.issuer,
        dpop_key=conversation.dpop_key,
        attestation_key=conversation.attestation_key,
        credential_identifier=order.identifier,
    )


def _promise(order: Order, now: datetime) -> DeferredContent:
    return DeferredContent(
        issuer=order.issuer,
        configuration_id=order.configuration_id,
        keys=order.keys,
        transaction_id=order.response.transaction_id or "",
        promised_at=now,
        next_at=next_attempt(order.response, now),
        conversation=order.conversation,
        identifier=order.identifier,
        reissue_of=order.reissue_of,
    )


def next_attempt(response: CredentialResponse, now: datetime) -> datetime:
    """Return when the issuer wants to be asked again, within reason."""
    seconds = min(float(response.interval or 0), _MOST_INTERVAL.total_seconds())
    return now + max(timedelta(seconds=seconds), _LEAST_INTERVAL)


def _differences(delivery: _Delivery) -> list[str]:
    """Return the names of claims that the card had otherwise before (ISSU_59)."""
    if delivery.card is None or not delivery.old_copies:
        return []
    held = open_copy(delivery.card, delivery.old_copies[0])
    before = comparable(held.namespaces if delivery.card.content.format == MDOC else held.claims)  # type: ignore[union-attr]  # the format says which
    after = delivery.copies[0].values
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def _entry(delivery: _Delivery, card_id: str, now: datetime) -> Entry:
    """Return the history entry of a receipt: names of claims, no values."""
    order, copies = delivery.order, delivery.copies
    content = _card(delivery, now)
    return Entry(
        transaction_type=Transaction.REISSUANCE if delivery.card else Transaction.ISSUANCE,
        time=now,
        party=issuer_party(order.issuer, name=content.signer),
        list_of_claims_requested=(ClaimNames(credential_identifier=content.type, claims=_names(copies[0], content)),),
        credential_number_requested=len(order.keys),
        credential_number_issued=len(copies),
        cards=(card_id,),
    )


def issuer_party(issuer: IssuerContent, *, name: str | None = None) -> Party:
    """Return an issuer as the history names it: by its signature where there is one, else by its own words."""
    display = [each.name for each in issuer.metadata.display or () if each.name]
    identifier = issuer.metadata.credential_issuer
    return Party(key=identifier, name=name or (display[0] if display else identifier), signed=issuer.signed)


def _names(copy: ReceivedCopy, content: CardContent) -> tuple[tuple[str | int | None, ...], ...]:
    if content.format == MDOC:
        return tuple((space, name) for space, elements in copy.values.items() for name in elements)
    return tuple((name,) for name in copy.values)
