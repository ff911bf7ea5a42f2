"""Receiving credentials: propose, approve, get the token, request, keep.

OpenID4VCI 1.0 3.4, 3.5, 5, 6 (flows), HAIP 1.0 4 (PAR, PKCE, DPoP, wallet attestation), RFC 9207 (mix-up).

The citizen approves before anything is asked for in their name: holder keys are made, the vault gives a grant for key
proofs to this issuer, and only then the transaction code is sent or the browser goes to the issuer's login. The
redirect comes back to a receipt that only this citizen's session can open.
"""

import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from byoid.encoding import json_dumps
from byoid.errors import ByoidError, ClaimMismatch, PeerError
from byoid.message import parse_message
from byoid.oauth.authorization import AuthorizationRequest, AuthorizationResponse, verify_authorization_response
from byoid.oauth.authorization_details import AuthorizationDetail
from byoid.oauth.pkce import code_challenge, create_code_verifier
from byoid.oauth.token import (
    AuthorizationCodeTokenRequest,
    PreAuthorizedCodeTokenRequest,
    RefreshTokenRequest,
    TokenRequest,
    TokenResponse,
)
from wallet.content_tables import Kind
from wallet.contents import ItemNotFound
from wallet.context import Visit, Wallet
from wallet.credential_requests import Wish, choose_curve, request_credentials
from wallet.history import Entry, Reason, Result, Transaction, record
from wallet.issuer_client import Issuance, NoAnswer
from wallet.keeping import Order, Received, delete_keys, issuer_party, keep, notify
from wallet.messages import message_id
from wallet.offers import copies_of, preview
from wallet.receipts import (
    Conversation,
    IssuerContent,
    OutOfTurn,
    Receipt,
    Stage,
    UnsupportedCredential,
    Wanted,
    change_receipt,
    load_receipt,
    resume,
    start_conversation,
)
from wallet.vault.contract import Action, Ceremony, KeyProofs, NotApproved, PagePost, Proposal
from wallet.vault.gate import approve as approve_proposal
from wallet.vault.gate import withdraw
from wallet.vault.holder_keys import create_holder_keys
from wallet.vault.proposals import propose as put_proposal

CALLBACK_PATH: Final = "/callback"
_MAX_KEYS_PER_CALL: Final = 100
_STATE_SEPARATOR: Final = "."
_REFUSED_CODES: Final = frozenset({"invalid_grant", "invalid_tx_code"})
_SERVER_ERROR: Final = 500


class TransactionCodeNeeded(ByoidError):
    """The issuer sent the citizen a transaction code on another way; it is to be typed in."""


class TransactionCodeRefused(PeerError):
    """The issuer does not accept this transaction code (or the offer was used or is over, which looks the same)."""


class IssuerUnavailable(PeerError):
    """The issuer does not answer, or can't just now. The approval stands; the citizen may try again."""


@dataclass(frozen=True)
class GoTo:
    """The browser must go to the issuer's login."""

    url: str


Outcome = Received | GoTo


# --- the citizen's decision


async def propose(
    wallet: Wallet, visit: Visit, receipt_id: str, *, configuration_ids: Sequence[str] | None = None
) -> Ceremony:
    """Make holder keys and put the proposal to the citizen; `configuration_ids` is their choice, default everything.

    Raises:
        OutOfTurn: not offered, or approved already.
        UnsupportedCredential: the choice is not in the offer, or the issuer's demands can't be met.
        WalletLocked: unlock it first.
    """
    receipt = await load_receipt(wallet, visit, receipt_id)
    receipt.require(Stage.OFFERED, Stage.PROPOSED)
    shown = preview(receipt)
    offered = [card.configuration_id for card in shown.cards]
    chosen = tuple(each for each in offered if configuration_ids is None or each in configuration_ids)
    if not chosen or (configuration_ids is not None and set(configuration_ids) - set(offered)):
        raise UnsupportedCredential("expected a choice among what is offered")
    old_keys = [key.id for key in receipt.keys]
    wanted = tuple([await _make_keys(wallet, visit, receipt, each) for each in chosen])
    receipt = await change_receipt(visit, receipt, stage=Stage.PROPOSED, wanted=wanted)
    await delete_keys(wallet, visit, old_keys)
    proposal = Proposal(
        action=Action.RECEIVE,
        consent_id=receipt.id,
        option=" ".join(chosen),
        shown=sha256(json_dumps(shown.to_value())).digest(),
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
    await _abandon(wallet, visit, await load_receipt(wallet, visit, receipt_id), reason=Reason.DECLINED)


async def complete_authorization(wallet: Wallet, visit: Visit, parameters: Mapping[str, str | list[str]]) -> Outcome:
    """Take the browser back from the issuer's login, and get the credentials.

    Raises:
        ClaimMismatch: it answers no login of this citizen, or comes from another server (RFC 9207).
        PeerError: the citizen or the server refused.
        as `keep`.
    """
    response = parse_message(AuthorizationResponse, parameters)
    receipt = await _receipt_of_state(wallet, visit, response.state)
    receipt.require(Stage.AUTHORIZING)
    conversation, server = _conversation(receipt), receipt.issuer.server
    try:
        code = verify_authorization_response(
            response,
            state=conversation.state or "",
            issuer=server.issuer,
            iss_supported=server.authorization_response_iss_parameter_supported,
        )
    except PeerError as error:
        await _abandon(wallet, visit, receipt, reason=Reason.FAILED, error=error.code)
        raise
    receipt = await change_receipt(visit, receipt, stage=Stage.REDEEMING)  # whoever comes second is refused
    request = AuthorizationCodeTokenRequest(
        client_id=wallet.settings.client_id,
        code=code,
        redirect_uri=_redirect_uri(wallet),
        code_verifier=conversation.code_verifier,
    )
    return await _redeem_and_collect(wallet, visit, receipt, request, details=_details(receipt))


# --- steps


async def _make_keys(wallet: Wallet, visit: Visit, receipt: Receipt, configuration_id: str) -> Wanted:
    configuration = receipt.configuration(configuration_id)
    # A credential that is bound to no key needs the citizen's approval too, which is for keys: one, deleted afterwards.
    count = copies_of(configuration, max_proofs=receipt.issuer.metadata.max_proofs) if configuration.needs_key else 1
    keys = await wallet.door.run(
        create_holder_keys, visit.cookie, count=min(count, _MAX_KEYS_PER_CALL), curve=choose_curve(configuration)
    )
    return Wanted(configuration_id=configuration_id, keys=tuple(keys))


async def _go_on(wallet: Wallet, visit: Visit, receipt: Receipt, tx_code: str | None) -> Outcome:
    pre_authorized = receipt.grants.pre_authorized_code
    if receipt.content.conversation is not None and receipt.content.reissue_of is not None:
        return await _reissue(wallet, visit, receipt)
    if pre_authorized is None:
        return await _send_to_login(wallet, visit, receipt)
    if pre_authorized.tx_code is not None and not tx_code:
        raise TransactionCodeNeeded("the transaction code is still to be typed in")
    conversation = start_conversation(receipt.issuer)
    request = PreAuthorizedCodeTokenRequest(
        client_id=_client_id(wallet, receipt.issuer, conversation),
        pre_authorized_code=pre_authorized.pre_authorized_code,
        tx_code=tx_code if pre_authorized.tx_code is not None else None,
    )
    receipt = await change_receipt(visit, receipt, stage=Stage.REDEEMING, conversation=conversation)
    return await _redeem_and_collect(wallet, visit, receipt, request)


async def _reissue(wallet: Wallet, visit: Visit, receipt: Receipt) -> Outcome:
    request = RefreshTokenRequest(
        client_id=_client_id(wallet, receipt.issuer, _conversation(receipt)),
        refresh_token=_conversation(receipt).refresh_token or "",
    )
    receipt = await change_receipt(visit, receipt, stage=Stage.REDEEMING)
    return await _redeem_and_collect(wallet, visit, receipt, request)


async def _send_to_login(wallet: Wallet, visit: Visit, receipt: Receipt) -> GoTo:
    conversation = start_conversation(receipt.issuer).model_copy(
        update={
            "state": f"{receipt.id}{_STATE_SEPARATOR}{secrets.token_urlsafe(32)}",
            "code_verifier": create_code_verifier(),
        }
    )
    grant, details = receipt.grants.authorization_code, _details(receipt)
    metadata = receipt.issuer.metadata
    issuance = resume(wallet, visit, receipt.issuer, conversation)
    request = AuthorizationRequest(
        client_id=wallet.settings.client_id,
        redirect_uri=_redirect_uri(wallet),
        code_challenge=code_challenge(conversation.code_verifier or ""),
        state=conversation.state,
        scope=None if details else " ".join(_scopes(receipt)),
        authorization_details=details,
        issuer_state=grant.issuer_state if grant else None,
        resource=(metadata.credential_issuer,) if metadata.authorization_servers and not details else None,
        dpop_jkt=issuance.dpop_key.public.thumbprint_b64u,
    )
    async with _abandoned_on_failure(wallet, visit, receipt):
        url = await issuance.push(request)
        await change_receipt(visit, receipt, stage=Stage.AUTHORIZING, conversation=conversation)
    return GoTo(url)


async def _redeem_and_collect(
    wallet: Wallet,
    visit: Visit,
    receipt: Receipt,
    request: TokenRequest,
    *,
    details: tuple[AuthorizationDetail, ...] | None = None,
) -> Received:
    issuance = resume(wallet, visit, receipt.issuer, _conversation(receipt))
    async with _abandoned_on_failure(wallet, visit, receipt):
        token = await _redeem(visit, receipt, issuance, request, details_requested=details is not None)
        return await _collect(wallet, visit, receipt, issuance, token)


async def _redeem(
    visit: Visit, receipt: Receipt, issuance: Issuance, request: TokenRequest, *, details_requested: bool
) -> TokenResponse:
    try:
        return await issuance.redeem(request, details_requested=details_requested)
    except PeerError as error:
        again = _worth_another_try(error, request)
        if again is None:
            raise
        conversation = receipt.content.conversation if receipt.content.reissue_of else None
        await change_receipt(visit, receipt, stage=Stage.APPROVED, conversation=conversation)
        raise again from error


def _worth_another_try(error: PeerError, request: TokenRequest) -> PeerError | None:
    """Return what to tell the citizen where the approval stands; None where it is over."""
    if isinstance(request, AuthorizationCodeTokenRequest):  # a code may be used once
        return None
    code = request.tx_code if isinstance(request, PreAuthorizedCodeTokenRequest) else None
    if code is not None and error.code in _REFUSED_CODES:
        return TransactionCodeRefused("the issuer refused the transaction code", code=error.code)
    if isinstance(error, NoAnswer) or (error.status or 0) >= _SERVER_ERROR:
        return IssuerUnavailable("the issuer can't answer just now", code=error.code, status=error.status)
    return None


async def _collect(
    wallet: Wallet, visit: Visit, receipt: Receipt, issuance: Issuance, token: TokenResponse
) -> Received:
    before = _conversation(receipt)
    conversation = before.model_copy(
        update={"access_token": token.access_token, "refresh_token": token.refresh_token or before.refresh_token}
    )
    orders: list[Order] = []
    try:
        for wish in _wishes(wallet, receipt, token, conversation):
            response = await request_credentials(wallet, visit, issuance, wish)
            orders.append(
                Order(
                    issuer=receipt.issuer, configuration_id=wish.configuration_id, identifier=wish.identifier,
                    keys=wish.keys, response=response, conversation=conversation,
                    reissue_of=receipt.content.reissue_of,
                )
            )  # fmt: skip
    except ByoidError:
        await notify(issuance, orders, "credential_failure")
        raise
    received = await keep(wallet, visit, issuance, orders, finished=receipt.kept)
    await _withdraw(wallet, visit, receipt)
    return received


def _wishes(wallet: Wallet, receipt: Receipt, token: TokenResponse, conversation: Conversation) -> list[Wish]:
    """Return the requests to make: one for each dataset that the token reaches, which share the keys (3.3.2, 6.2)."""
    found = []
    for wanted in receipt.content.wanted:
        datasets = [name for name, id_ in token.credential_identifiers.items() if id_ == wanted.configuration_id]
        if token.credential_identifiers and not datasets:
            raise PeerError("the access token does not reach what was approved")
        own = receipt.content.credential_identifier
        names: list[str | None] = [own] if own in datasets else [*datasets] or [None]
        for place, identifier in enumerate(names[: len(wanted.keys)]):
            found.append(
                Wish(
                    configuration_id=wanted.configuration_id,
                    configuration=receipt.configuration(wanted.configuration_id),
                    identifier=identifier,
                    keys=wanted.keys[place :: len(names)],
                    grant=receipt.content.grant or "",
                    client_id=_client_id(wallet, receipt.issuer, conversation),
                )
            )
    return found


@asynccontextmanager
async def _abandoned_on_failure(wallet: Wallet, visit: Visit, receipt: Receipt) -> AsyncIterator[None]:
    """Delete what was made for a receipt that fails; a wrong transaction code or a pause leaves it standing."""
    try:
        yield
    except (TransactionCodeRefused, IssuerUnavailable):
        raise
    except ByoidError as error:
        with suppress(ByoidError):  # the first error is the one to tell
            await _abandon(wallet, visit, receipt, reason=Reason.FAILED, error=message_id(error))
        raise


async def _abandon(wallet: Wallet, visit: Visit, receipt: Receipt, *, reason: Reason, error: str | None = None) -> None:
    async with visit.contents.store.transaction() as tx:
        await visit.contents.delete(tx, Kind.RECEIPT, receipt.id)
        if receipt.content.issuer is not None:
            entry = Entry(
                transaction_type=Transaction.REISSUANCE if receipt.content.reissue_of else Transaction.ISSUANCE,
                time=wallet.clock(), transaction_result=Result.NOT_COMPLETED, reason_of_noncompletion=reason,
                party=issuer_party(receipt.issuer), error=error,
            )  # fmt: skip
            await record(visit.contents, tx, entry)
    await delete_keys(wallet, visit, [key.id for key in receipt.keys])
    await _withdraw(wallet, visit, receipt)


async def _withdraw(wallet: Wallet, visit: Visit, receipt: Receipt) -> None:
    if receipt.content.grant is not None:
        await wallet.door.run(withdraw, visit.cookie, receipt.content.grant)


async def _receipt_of_state(wallet: Wallet, visit: Visit, state: str | None) -> Receipt:
    try:
        return await load_receipt(wallet, visit, (state or "").partition(_STATE_SEPARATOR)[0])
    except ItemNotFound:
        raise ClaimMismatch("the authorization response answers no login of this citizen") from None


def _details(receipt: Receipt) -> tuple[AuthorizationDetail, ...] | None:
    """Return authorization details where a configuration has no scope (5.1.1)."""
    if len(_scopes(receipt)) == len(receipt.content.wanted):
        return None
    metadata = receipt.issuer.metadata
    locations = (metadata.credential_issuer,) if metadata.authorization_servers else None
    return tuple(
        AuthorizationDetail(credential_configuration_id=wanted.configuration_id, locations=locations)
        for wanted in receipt.content.wanted
    )


def _scopes(receipt: Receipt) -> list[str]:
    found = [receipt.configuration(wanted.configuration_id).scope for wanted in receipt.content.wanted]
    return [scope for scope in found if scope]


def _client_id(wallet: Wallet, issuer: IssuerContent, conversation: Conversation) -> str | None:
    """Return our client id, unless the server takes wallets that it doesn't know (6.1)."""
    anonymous = issuer.server.pre_authorized_grant_anonymous_access_supported
    return None if anonymous and conversation.attestation_key is None else wallet.settings.client_id


def _conversation(receipt: Receipt) -> Conversation:
    if receipt.content.conversation is None:
        raise OutOfTurn("there is no conversation with the issuer yet")
    return receipt.content.conversation


def _redirect_uri(wallet: Wallet) -> str:
    return wallet.settings.public_url + CALLBACK_PATH
