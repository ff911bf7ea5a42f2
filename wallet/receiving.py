"""Receiving credentials: what the citizen decides.

OpenID4VCI 1.0 3.4, 3.5 (flows), 6.1 (transaction code), HAIP 1.0 4.

The citizen approves before anything is asked for in their name: holder keys are made, the vault gives a grant for key
proofs to this issuer, and only then the transaction code is sent or the browser goes to the issuer's login. The
redirect comes back to a receipt that only this citizen's session can open.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from byoid.encoding import json_dumps
from byoid.errors import ByoidError
from byoid.oauth.token import PreAuthorizedCodeTokenRequest, RefreshTokenRequest
from wallet.cards import CopyContent
from wallet.collecting import (
    IssuerUnavailable,
    TransactionCodeRefused,
    abandon,
    client_id,
    conversation_of,
    redeem_and_collect,
)
from wallet.content_tables import Kind
from wallet.context import Visit, Wallet
from wallet.credential_requests import choose_curve
from wallet.history import Reason
from wallet.keeping import DeferredContent, Received, delete_keys
from wallet.logins import CALLBACK_PATH, GoTo, complete_authorization, send_to_login
from wallet.offers import copies_of, preview
from wallet.receipts import (
    Receipt,
    ReceiptContent,
    Stage,
    UnsupportedCredential,
    Wanted,
    change_receipt,
    load_receipt,
    start_conversation,
)
from wallet.vault.contract import Action, Ceremony, KeyProofs, NotApproved, PagePost, Proposal, WalletLocked
from wallet.vault.gate import approve as approve_proposal
from wallet.vault.holder_keys import create_holder_keys, sweep_holder_keys
from wallet.vault.proposals import propose as put_proposal

__all__ = [
    "CALLBACK_PATH",
    "GoTo",
    "IssuerUnavailable",
    "Outcome",
    "Received",
    "TransactionCodeNeeded",
    "TransactionCodeRefused",
    "approve",
    "complete_authorization",
    "decline",
    "enter_transaction_code",
    "propose",
]

_MAX_KEYS: Final = 100  # for all credentials of an offer: who offers chooses how many, and each takes time to make
_SWEEP_AGAIN: Final = timedelta(days=1)

Outcome = Received | GoTo


class TransactionCodeNeeded(ByoidError):
    """The issuer sent the citizen a transaction code on another way; it is to be typed in."""


async def propose(
    wallet: Wallet, visit: Visit, receipt_id: str, *, configuration_ids: Sequence[str] | None = None
) -> Ceremony:
    """Make holder keys and put the proposal to the citizen; `configuration_ids` is their choice, default everything.

    Raises:
        OutOfTurn: not offered, or approved already.
        UnsupportedCredential: the choice is not in the offer, or the issuer's demands can't be met.
        WalletLocked: unlock it first.
    """
    if visit.session.locked:  # the vault would say so too, after the keys are made
        raise WalletLocked("the wallet is locked: unlock it before receiving")
    receipt = await load_receipt(wallet, visit, receipt_id)
    receipt.require(Stage.OFFERED, Stage.PROPOSED)
    shown = preview(receipt)
    offered = [card.configuration_id for card in shown.cards]
    chosen = tuple(each for each in offered if configuration_ids is None or each in configuration_ids)
    if not chosen or (configuration_ids is not None and set(configuration_ids) - set(offered)):
        raise UnsupportedCredential("expected a choice among what is offered")
    await _sweep_keys(wallet, visit)
    old_keys = [key.id for key in receipt.keys]
    most = max(1, _MAX_KEYS // len(chosen))
    wanted = tuple([await _make_keys(wallet, visit, receipt, each, most=most) for each in chosen])
    receipt = await change_receipt(visit, receipt, stage=Stage.PROPOSED, wanted=wanted)
    await delete_keys(wallet, visit, old_keys)
    proposal = Proposal(
        action=Action.RECEIVE,
        consent_id=receipt.id,
        option=" ".join(chosen),
        shown=sha256(json_dumps([shown.to_value(), *_behind(receipt)])).digest(),
        key_proofs=KeyProofs(
            audience=receipt.issuer.metadata.credential_issuer, key_ids=tuple(key.id for key in receipt.keys)
        ),
    )
    return await wallet.door.run(put_proposal, visit.cookie, proposal)


async def approve(
    wallet: Wallet, visit: Visit, receipt_id: str, post: PagePost, *, tx_code: str | None = None
) -> Outcome:
    """Take the citizen's approval, and go on: to the credentials, or to the issuer's login.

    Raises:
        NotApproved, VerificationError: it is no approval of this receipt.
        TransactionCodeNeeded, TransactionCodeRefused: the approval stands; see `enter_transaction_code`.
        as `keep`.
    """
    receipt = await load_receipt(wallet, visit, receipt_id)
    receipt.require(Stage.PROPOSED)
    approved = await wallet.door.run(approve_proposal, visit.cookie, post)
    if approved.consent_id != receipt.id or approved.grant is None:
        raise NotApproved("this approves something else")
    receipt = await change_receipt(visit, receipt, stage=Stage.APPROVED, grant=approved.grant)
    return await _go_on(wallet, visit, receipt, tx_code)


async def enter_transaction_code(wallet: Wallet, visit: Visit, receipt_id: str, *, tx_code: str | None) -> Outcome:
    """Try (another) transaction code, or just again, under the approval that stands.

    Raises:
        OutOfTurn: nothing was approved.
        as `approve`.
    """
    receipt = await load_receipt(wallet, visit, receipt_id)
    receipt.require(Stage.APPROVED)
    return await _go_on(wallet, visit, receipt, tx_code)


async def decline(wallet: Wallet, visit: Visit, receipt_id: str) -> None:
    """Forget an offer: keys, approval and receipt. The issuer learns nothing.

    Raises:
        ItemNotFound: there is none.
    """
    await abandon(wallet, visit, await load_receipt(wallet, visit, receipt_id), reason=Reason.DECLINED)


def _behind(receipt: Receipt) -> tuple[object, ...]:
    """Return what decides to whom what is sent, and which card is replaced: approved together with what was shown."""
    return receipt.offer.to_wire(), receipt.issuer.to_value(), receipt.content.reissue_of


async def _sweep_keys(wallet: Wallet, visit: Visit) -> None:
    """Delete holder keys of receipts that ended by themselves: nobody could delete them while the citizen was away.

    Once a day: every copy must be opened to know whose key it is.
    """
    contents, now = visit.contents, wallet.clock()
    marks = [kept for kept in await contents.all(Kind.SETTINGS) if "keys_swept_at" in kept.value]
    if any(now - datetime.fromisoformat(kept.value["keys_swept_at"]) < _SWEEP_AGAIN for kept in marks):
        return
    # In this order: keys go from receipts to promises to copies, so that none is missed on its way.
    receipts = [ReceiptContent.model_validate(kept.value) for kept in await contents.all(Kind.RECEIPT)]
    promises = [DeferredContent.model_validate(kept.value) for kept in await contents.all(Kind.DEFERRED)]
    copies = [CopyContent.model_validate(kept.value) for kept in await contents.all(Kind.COPY)]
    waiting = [wanted.keys for receipt in receipts for wanted in receipt.wanted]
    waiting += [promise.keys for promise in promises]
    needed = [key.id for keys in waiting for key in keys] + [copy.key_id for copy in copies if copy.key_id]
    created_before = now - 2 * wallet.settings.receipt_lifetime
    await wallet.door.run(sweep_holder_keys, visit.cookie, keep=needed, created_before=created_before)
    async with contents.store.transaction() as tx:
        for mark in marks:
            await contents.delete(tx, Kind.SETTINGS, mark.id)
        await contents.add(tx, Kind.SETTINGS, {"keys_swept_at": now.isoformat()})


async def _make_keys(wallet: Wallet, visit: Visit, receipt: Receipt, configuration_id: str, *, most: int) -> Wanted:
    configuration = receipt.configuration(configuration_id)
    # A credential that is bound to no key needs the citizen's approval too, which is for keys: one, deleted afterwards.
    count = copies_of(configuration, max_proofs=receipt.issuer.metadata.max_proofs) if configuration.needs_key else 1
    keys = await wallet.door.run(
        create_holder_keys, visit.cookie, count=min(count, most), curve=choose_curve(configuration)
    )
    return Wanted(configuration_id=configuration_id, keys=tuple(keys))


async def _go_on(wallet: Wallet, visit: Visit, receipt: Receipt, tx_code: str | None) -> Outcome:
    pre_authorized = receipt.grants.pre_authorized_code
    if receipt.content.conversation is not None and receipt.content.reissue_of is not None:
        return await _reissue(wallet, visit, receipt)
    if pre_authorized is None:
        return await send_to_login(wallet, visit, receipt)
    if pre_authorized.tx_code is not None and not tx_code:
        raise TransactionCodeNeeded("the transaction code is still to be typed in")
    conversation = start_conversation(receipt.issuer)
    request = PreAuthorizedCodeTokenRequest(
        client_id=client_id(wallet, receipt.issuer, conversation),
        pre_authorized_code=pre_authorized.pre_authorized_code,
        tx_code=tx_code if pre_authorized.tx_code is not None else None,
    )
    receipt = await change_receipt(visit, receipt, stage=Stage.REDEEMING, conversation=conversation)
    return await redeem_and_collect(wallet, visit, receipt, request)


async def _reissue(wallet: Wallet, visit: Visit, receipt: Receipt) -> Outcome:
    request = RefreshTokenRequest(
        client_id=client_id(wallet, receipt.issuer, conversation_of(receipt)),
        refresh_token=conversation_of(receipt).refresh_token or "",
    )
    receipt = await change_receipt(visit, receipt, stage=Stage.REDEEMING)
    return await redeem_and_collect(wallet, visit, receipt, request)
