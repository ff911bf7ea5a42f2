"""From a grant to cards: the token, the requests, and cleaning up where that fails.

OpenID4VCI 1.0 6 (token), 8 (credentials), 3.3.2 and 6.2 (datasets); RFC 9449 (DPoP), attestation-based authentication.
Whoever calls has taken the receipt to the stage `redeeming`, so that this runs once.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from byoid.errors import ByoidError, PeerError
from byoid.oauth.authorization_details import AuthorizationDetail
from byoid.oauth.token import (
    AuthorizationCodeTokenRequest,
    PreAuthorizedCodeTokenRequest,
    RefreshTokenRequest,
    TokenRequest,
    TokenResponse,
)
from wallet.content_tables import Kind
from wallet.context import Visit, Wallet
from wallet.credential_requests import Wish, request_credentials
from wallet.history import Entry, Reason, Result, Transaction, record
from wallet.issuer_client import Issuance, NoAnswer
from wallet.keeping import Order, Received, delete_keys, issuer_party, keep, notify
from wallet.messages import message_id
from wallet.receipts import (
    Conversation,
    IssuerContent,
    OutOfTurn,
    Receipt,
    Stage,
    change_receipt,
    client_assertion,
    resume,
)
from wallet.refresh_tokens import replace_refresh_token
from wallet.reminders import remind
from wallet.vault.gate import withdraw

_REFUSED_CODES: Final = frozenset({"invalid_grant", "invalid_tx_code"})
_SERVER_ERROR: Final = 500


class TransactionCodeRefused(PeerError):
    """The issuer does not accept this transaction code (or the offer was used or is over, which looks the same)."""


class IssuerUnavailable(PeerError):
    """The issuer does not answer, or can't just now. The approval stands; the citizen may try again."""


async def redeem_and_collect(
    wallet: Wallet,
    visit: Visit,
    receipt: Receipt,
    request: TokenRequest,
    *,
    details: tuple[AuthorizationDetail, ...] | None = None,
) -> Received:
    """Get the access token and everything that was approved, and keep it.

    Args:
        wallet: of all citizens.
        visit: whose it is.
        receipt: at the stage `redeeming`.
        request: for the token.
        details: the authorization details that were asked for, if any.

    Raises:
        TransactionCodeRefused, IssuerUnavailable: the approval stands, the receipt is `approved` again.
        ByoidError: everything else ends the receipt; nothing is kept.
    """
    issuance = resume(wallet, visit, receipt.issuer, conversation_of(receipt))
    async with abandoned_on_failure(wallet, visit, receipt):
        token = await _redeem(visit, receipt, issuance, request, details_requested=details is not None)
        received = await _collect(wallet, visit, receipt, issuance, token)
    await remind(wallet, visit)
    return received


@asynccontextmanager
async def abandoned_on_failure(wallet: Wallet, visit: Visit, receipt: Receipt) -> AsyncIterator[None]:
    """Delete what was made for a receipt that fails; a wrong transaction code or a pause leaves it standing."""
    try:
        yield
    except (TransactionCodeRefused, IssuerUnavailable):
        raise
    except ByoidError as error:
        with suppress(ByoidError):  # the first error is the one to tell
            await abandon(wallet, visit, receipt, reason=Reason.FAILED, error=message_id(error))
        raise


async def abandon(wallet: Wallet, visit: Visit, receipt: Receipt, *, reason: Reason, error: str | None = None) -> None:
    """Forget a receipt with its keys and its approval, and write down why.

    One that has ended otherwise is left alone: if its credentials are kept, they need its keys.
    """
    async with visit.contents.store.transaction() as tx:
        if not await visit.contents.delete(tx, Kind.RECEIPT, receipt.id):
            return
        if receipt.content.issuer is not None:
            entry = Entry(
                transaction_type=Transaction.REISSUANCE if receipt.content.reissue_of else Transaction.ISSUANCE,
                time=wallet.clock(), transaction_result=Result.NOT_COMPLETED, reason_of_noncompletion=reason,
                party=issuer_party(receipt.issuer), error=error,
            )  # fmt: skip
            await record(visit.contents, tx, entry)
    await delete_keys(wallet, visit, [key.id for key in receipt.keys])
    await _withdraw(wallet, visit, receipt)


def conversation_of(receipt: Receipt) -> Conversation:
    """Return the conversation of a receipt.

    Raises:
        OutOfTurn: it has none yet.
    """
    if receipt.content.conversation is None:
        raise OutOfTurn("there is no conversation with the issuer yet")
    return receipt.content.conversation


def client_id(wallet: Wallet, issuer: IssuerContent, conversation: Conversation) -> str | None:
    """Return our client id, unless the server takes wallets that it doesn't know (6.1)."""
    anonymous = issuer.server.pre_authorized_grant_anonymous_access_supported
    known = conversation.attestation_key is not None or client_assertion(wallet, issuer) is not None
    return None if anonymous and not known else wallet.settings.client_id


async def _redeem(
    visit: Visit, receipt: Receipt, issuance: Issuance, request: TokenRequest, *, details_requested: bool
) -> TokenResponse:
    try:
        token = await issuance.redeem(request, details_requested=details_requested)
    except PeerError as error:
        again = _worth_another_try(error, request)
        if again is None:
            raise
        conversation = receipt.content.conversation if receipt.content.reissue_of else None
        await change_receipt(visit, receipt, stage=Stage.APPROVED, conversation=conversation)
        raise again from error
    if isinstance(request, RefreshTokenRequest):
        await replace_refresh_token(visit, old=request.refresh_token, new=token.refresh_token)
    return token


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
    before = conversation_of(receipt)
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
                    client_id=client_id(wallet, receipt.issuer, conversation),
                )
            )
    return found


async def _withdraw(wallet: Wallet, visit: Visit, receipt: Receipt) -> None:
    if receipt.content.grant is not None:
        await wallet.door.run(withdraw, visit.cookie, receipt.content.grant)
