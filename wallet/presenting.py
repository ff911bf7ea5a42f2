"""Presenting: the citizen has approved; the vault signs, the response goes out, and what happened is kept.

Architecture §12 (c), OpenID4VP 1.0 sections 8.1 to 8.3. What is about to leave is noted before it leaves: copies count
as used and the history has the entry, in one transaction with the end of the consent. So a consent is used once, and
neither a crash nor a silent verifier can make the history say less than happened.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from byoid.errors import HolderBindingError, PeerError
from byoid.presentation.response import AuthorizationResponse
from wallet.asked import CardOption, Chosen, ChosenCopy, PendingConsent
from wallet.assembling import Picked, Presentation, assemble
from wallet.cards import load_card, load_copy, mark_used
from wallet.consent import entry, load
from wallet.content_tables import Kind
from wallet.contents import ItemNotFound, Kept
from wallet.context import Visit, Wallet
from wallet.history import HistoryItem, Reason, Result, conclude, load_entry, record
from wallet.responses import response_form
from wallet.vault import gate
from wallet.vault.contract import Action, Approved, NotApproved, PagePost

_NOT_DELIVERED: Final = {True: Reason.NO_ANSWER, False: Reason.REFUSED_BY_SERVICE}


@dataclass(frozen=True)
class Presented:
    """How a presentation ended: its entry in the history, and where the browser is to go next, if anywhere."""

    item: HistoryItem
    redirect_uri: str | None

    @property
    def delivered(self) -> bool:
        """Whether the verifier took it."""
        return self.item.entry.transaction_result is Result.COMPLETED


async def approve(wallet: Wallet, visit: Visit, consent_id: str, post: PagePost) -> Presented:
    """Present what was chosen, with the assertion of the citizen's passkey.

    Raises:
        ItemNotFound: no such request waits for an answer, or a chosen card is gone.
        NotApproved, WalletLocked, VerificationError, MalformedInput: no approval for exactly this, or a signature that
            is not for what the wallet keeps; nothing was sent.
        ItemChanged: another browser has used the same copy or answered the request; nothing was sent.
    """
    kept, pending = await load(wallet, visit, consent_id)
    chosen = _require_chosen(pending, post)
    picked = [await _picked(wallet, visit, pending, each) for each in chosen.copies]
    presentations = assemble(wallet, pending, picked, at=chosen.at)
    approved = await wallet.door.run(gate.approve, visit.cookie, post)
    form = response_form(
        _response(consent_id, pending, presentations, approved),
        request=pending.authorization_request,
        metadata=pending.client_metadata,
    )
    item = await _note(wallet, visit, kept, pending, picked)
    return await _send(wallet, visit, item, pending.authorization_request.response_uri or "", form)


def _require_chosen(pending: PendingConsent, post: PagePost) -> Chosen:
    """Demand an answer to the newest choice: an older one was for other cards."""
    if pending.chosen is None or pending.chosen.ceremony != post.ceremony:
        raise NotApproved("the answer is not for the choice that waits for one")
    return pending.chosen


async def _picked(wallet: Wallet, visit: Visit, pending: PendingConsent, chosen: ChosenCopy) -> Picked:
    query = pending.authorization_request.query.credential(chosen.query_id)
    asked = pending.credential(chosen.query_id)
    card = await load_card(visit.contents, chosen.card_id, now=wallet.clock())
    copy = await load_copy(visit.contents, chosen.copy_id, now=wallet.clock())
    if query is None or asked is None or copy.card_id != card.id:
        raise ItemNotFound("the copy that was chosen is gone")
    option: CardOption = next(each for each in asked.options if each.card_id == card.id)
    return Picked(query, option, card, copy)


def _response(
    consent_id: str, pending: PendingConsent, presentations: Sequence[Presentation], approved: Approved
) -> AuthorizationResponse:
    """Attach the signatures, in the order in which they were put to the vault."""
    if approved.consent_id != consent_id or approved.action is not Action.PRESENT:
        raise NotApproved("the approval is for something else")
    waiting = [each for each in presentations if each.signing_input is not None]
    if len(waiting) != len(approved.signatures):
        raise HolderBindingError(f"expected {len(waiting)} signatures, got {len(approved.signatures)}")
    signatures = iter(approved.signatures)
    vp_token: dict[str, tuple[str | dict[str, Any], ...]] = {}
    for each in presentations:
        text = each.attach(None if each.signing_input is None else next(signatures))
        query_id = each.picked.query.id
        vp_token[query_id] = (*vp_token.get(query_id, ()), text)
    return AuthorizationResponse(vp_token=vp_token, state=pending.authorization_request.state)


async def _note(
    wallet: Wallet, visit: Visit, kept: Kept, pending: PendingConsent, picked: Sequence[Picked]
) -> HistoryItem:
    """Note what is about to leave, and end the consent."""
    party = pending.asker.party.key
    async with wallet.contents.transaction() as tx:
        if not await visit.contents.delete(tx, Kind.CONSENT, kept.id):
            raise ItemNotFound("this request was answered meanwhile")
        for each in picked:
            await mark_used(visit.contents, tx, each.copy, relying_party=party)
        entry_id = await record(visit.contents, tx, entry(wallet, pending, picked, reason=Reason.SENDING))
    return await load_entry(visit.contents, entry_id, now=wallet.clock())


async def _send(
    wallet: Wallet, visit: Visit, item: HistoryItem, response_uri: str, form: Mapping[str, str]
) -> Presented:
    try:
        redirect_uri = await wallet.verifiers.respond(response_uri, form)
    except PeerError as error:
        reason = _NOT_DELIVERED[error.status is None]
        changes = {"reason_of_noncompletion": reason, "error": error.code}
        return Presented(await conclude(visit.contents, item, **changes), None)
    changes = {"transaction_result": Result.COMPLETED, "reason_of_noncompletion": None}
    return Presented(await conclude(visit.contents, item, **changes), redirect_uri)
