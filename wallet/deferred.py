"""Credentials that issuers have promised: collected when the citizen is here, never lost.

OpenID4VCI 1.0 9. What it takes to collect one is sealed, so nothing happens while the citizen is away; at the next
unlock everything that is due is asked for. A promise ends when the issuer delivers, or says that it never will.
"""

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from byoid.errors import ByoidError, PeerError
from byoid.issuance.credential import CredentialResponse
from byoid.issuance.deferred import DeferredCredentialRequest
from byoid.oauth.token import RefreshTokenRequest, TokenResponse
from wallet.content_tables import Kind
from wallet.contents import ItemChanged, Kept
from wallet.context import Visit, Wallet
from wallet.credential_requests import prepare_encryption
from wallet.history import Entry, Reason, Result, Transaction, record
from wallet.issuer_client import Issuance
from wallet.keeping import DeferredContent, Order, Received, delete_keys, issuer_party, keep, next_attempt
from wallet.messages import message_id
from wallet.receipts import resume, supported
from wallet.refresh_tokens import replace_refresh_token
from wallet.reminders import remind

# The issuer will never deliver (9.3, 8.3.1.2); everything else may be better another time.
_OVER: Final = frozenset({"invalid_transaction_id", "credential_request_denied", "invalid_grant"})
_UNAUTHORIZED: Final = 401
_CLAIMED: Final = timedelta(minutes=1)
PATIENCE: Final = timedelta(seconds=5)


@dataclass(frozen=True)
class Promise:
    """A promise as it was read."""

    content: DeferredContent
    kept: Kept

    @property
    def id(self) -> str:
        """Its id."""
        return self.kept.id


@dataclass(frozen=True)
class Collected:
    """What became of one promise: cards, or the error; neither means: still to wait.

    `over`: after this error nothing will come any more; else it will be asked again.
    """

    promise: Promise
    received: Received | None = None
    error: ByoidError | None = None
    over: bool = False


async def load_promises(visit: Visit) -> list[Promise]:
    """Return all promises, oldest first."""
    found = [
        Promise(DeferredContent.model_validate(kept.value), kept) for kept in await visit.contents.all(Kind.DEFERRED)
    ]
    return sorted(found, key=lambda promise: promise.content.promised_at)


async def collect_due(wallet: Wallet, visit: Visit) -> list[Collected]:
    """Ask for every promise that is due: at an unlock, or when the citizen looks.

    Whoever was asked longest ago first, and nobody any more when this has taken long: issuers that do not answer would
    close the wallet, whose first page waits for this, and keep the others' promises from coming true.
    """
    now, begin = wallet.clock(), time.monotonic()
    due = [each for each in await load_promises(visit) if each.content.next_at <= now]
    found: list[Collected] = []
    for each in sorted(due, key=lambda promise: promise.content.next_at):
        if found and time.monotonic() - begin >= PATIENCE.total_seconds():
            break
        found.append(await _try(wallet, visit, each))
    if found:
        await remind(wallet, visit)
    return found


async def collect(wallet: Wallet, visit: Visit, promise: Promise) -> Received | None:
    """Ask for one promise; None if the issuer is not ready.

    Raises:
        PeerError: no answer, which changes nothing; or the issuer will not deliver, which ends the promise.
        VerificationError, MalformedInput: what came is not as it must be; a bad credential ends the promise.
        ItemChanged: another browser is asking.
    """
    # Claimed first: of two browsers that ask at once, the issuer would tell the second that there is no such promise.
    promise = await _change(visit, promise, next_at=wallet.clock() + _CLAIMED)
    content = promise.content
    issuance = resume(wallet, visit, content.issuer, content.conversation)
    try:
        response, promise = await _fetch(wallet, visit, issuance, promise)
    except PeerError as error:
        if error.code in _OVER:
            await _end(wallet, visit, promise, error)
        raise
    if response.credentials is None:
        await _change(visit, promise, next_at=next_attempt(response, wallet.clock()))
        return None
    order = Order(
        issuer=content.issuer, configuration_id=content.configuration_id, identifier=content.identifier,
        keys=content.keys, response=response, conversation=promise.content.conversation, reissue_of=content.reissue_of,
    )  # fmt: skip
    try:
        return await keep(wallet, visit, issuance, [order], finished=promise.kept)
    except ByoidError as error:
        await _end(wallet, visit, promise, error)
        raise


async def _try(wallet: Wallet, visit: Visit, promise: Promise) -> Collected:
    try:
        return Collected(promise, received=await collect(wallet, visit, promise))
    except ItemChanged:
        return Collected(promise)
    except ByoidError as error:
        over = promise.id not in {each.id for each in await load_promises(visit)}
        return Collected(promise, error=error, over=over)


async def _fetch(
    wallet: Wallet, visit: Visit, issuance: Issuance, promise: Promise
) -> tuple[CredentialResponse, Promise]:
    """Ask; with a new access token where the old one is over (13.10 keeps them short)."""
    try:
        return await _ask(issuance, promise), promise
    except PeerError as error:
        if error.status != _UNAUTHORIZED or promise.content.conversation.refresh_token is None:
            raise
    promise = await _refresh(wallet, visit, issuance, promise)
    return await _ask(issuance, promise), promise


async def _ask(issuance: Issuance, promise: Promise) -> CredentialResponse:
    encryption, key = prepare_encryption(issuance.issuer.metadata)
    content = promise.content
    request = DeferredCredentialRequest(
        transaction_id=content.transaction_id, credential_response_encryption=encryption
    )
    configuration = supported(content.issuer.metadata.credential_configurations_supported[content.configuration_id])
    keys = len(content.keys) if configuration.needs_key else 1
    return await issuance.fetch_deferred(request, keys=keys, decryption_key=key)


async def _refresh(wallet: Wallet, visit: Visit, issuance: Issuance, promise: Promise) -> Promise:
    conversation = promise.content.conversation
    token: TokenResponse = await issuance.redeem(
        RefreshTokenRequest(client_id=wallet.settings.client_id, refresh_token=conversation.refresh_token or "")
    )
    await replace_refresh_token(visit, old=conversation.refresh_token, new=token.refresh_token)
    promise = await _load(wallet, visit, promise.id)
    conversation = promise.content.conversation.model_copy(update={"access_token": token.access_token})
    return await _change(visit, promise, conversation=conversation)


async def _load(wallet: Wallet, visit: Visit, promise_id: str) -> Promise:
    kept = await visit.contents.get(Kind.DEFERRED, promise_id, now=wallet.clock())
    return Promise(DeferredContent.model_validate(kept.value), kept)


async def _change(visit: Visit, promise: Promise, **changes: object) -> Promise:
    content = promise.content.model_copy(update=changes)
    async with visit.contents.store.transaction() as tx:
        await visit.contents.change(tx, promise.kept, content.to_value())
    kept = promise.kept
    return Promise(
        content, Kept(kept.id, kept.kind, kept.parent_id, kept.version + 1, content.to_value(), kept.expires_at)
    )


async def _end(wallet: Wallet, visit: Visit, promise: Promise, error: ByoidError) -> None:
    """Forget a promise that will not come true, delete its keys, and write down why."""
    content, now = promise.content, wallet.clock()
    entry = Entry(
        transaction_type=Transaction.ISSUANCE, time=now, transaction_result=Result.NOT_COMPLETED,
        reason_of_noncompletion=Reason.FAILED, party=issuer_party(content.issuer), error=message_id(error),
    )  # fmt: skip
    async with visit.contents.store.transaction() as tx:
        if not await visit.contents.delete(tx, Kind.DEFERRED, promise.id):
            return
        await record(visit.contents, tx, entry)
    await delete_keys(wallet, visit, [key.id for key in content.keys])
