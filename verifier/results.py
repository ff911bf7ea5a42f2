"""What services learn: how far a transaction has come, and claims and verdicts at its end."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from typing import Final

from byoid.encoding import json_dumps
from byoid.errors import ByoidError
from byoid.relying_party import Outcome, Progress, State
from byoid.relying_party.messages import CredentialView, ResultView, TransactionView
from byoid.relying_party.sql import EXPIRED, Change
from byoid.relying_party.transaction import ANSWERABLE
from byoid.service.connection import Write
from verifier.context import Verifier
from verifier.errors import NotFound, told_to_services
from verifier.services import KnownService

_logger = logging.getLogger(__name__)
CONCLUDED: Final = "transaction.concluded"
_TYPES: Final = {State.DECLINED: "transaction.declined", EXPIRED: "transaction.expired"}


async def view(verifier: Verifier, service: KnownService, transaction_id: str) -> TransactionView:
    """Tell how far a transaction has come.

    Raises:
        NotFound: the service has no such transaction.
    """
    with told_to_services():
        progress = await verifier.party(service).progress(transaction_id)
    return await _view(verifier, progress)


async def result(
    verifier: Verifier,
    service: KnownService,
    transaction_id: str,
    *,
    session: str | None = None,
    response_code: str | None = None,
) -> ResultView:
    """Return what came of a transaction; deletes it if its query says so.

    Raises:
        NotFound: the service has no such transaction.
        WrongSession: asked for in another browser session, or without the response code.
    """
    with told_to_services():
        found = await verifier.party(service).result(transaction_id, session=session, response_code=response_code)
    outcome = found.outcome
    reasons = outcome.reasons if outcome else tuple(filter(None, (found.declined_with,)))
    return ResultView(
        id=found.id,
        query=await _name(verifier, found.policy_id),
        state=found.state,
        credentials=_credentials(outcome),
        reasons=reasons,
        expires_at=found.expires_at,
    )


async def delete(verifier: Verifier, service: KnownService, transaction_id: str) -> None:
    """Delete a transaction and its result.

    Raises:
        NotFound: the service has no such transaction.
    """
    if not await verifier.party(service).forget(transaction_id):
        raise NotFound("There is no such transaction, or it has expired.")


async def events(verifier: Verifier, service: KnownService, first: TransactionView) -> AsyncIterator[bytes]:
    """Tell each change of a transaction as a server-sent event, until it is over or expires.

    The store is looked at, so it does not matter which worker takes the answer.
    """
    shown, pause = first, verifier.settings.event_interval.total_seconds()
    yield _event(shown)
    while shown.state in ANSWERABLE:
        await asyncio.sleep(pause)
        try:
            found = await view(verifier, service, first.id)
        except NotFound:
            yield b"event: expired\ndata: {}\n\n"
            return
        yield b": waiting\n\n" if found == shown else _event(found)
        shown = found


async def announcements(verifier: Verifier, change: Change) -> Sequence[Write]:
    """Return the message to the service's webhook, if it has one, to be written together with the change.

    Of wallets that decline, only the first is told: anybody who saw the request can decline, as often as he likes.
    """
    try:
        service = await verifier.services.get(change.service_id)
    except ByoidError as error:  # such as a key file that has gone: what has changed must be written all the same
        _logger.warning("transaction %s is told to nobody: %s", change.id, error)
        return ()
    if service.webhook is None:
        return ()
    content = {"id": change.id, "query": await _name(verifier, change.policy_id), "state": change.state}
    type_ = _TYPES.get(change.state, CONCLUDED)
    return [verifier.outbox.message(receiver=service.id, type_=type_, content=content, now=verifier.clock())]


async def _view(verifier: Verifier, progress: Progress) -> TransactionView:
    return TransactionView(
        id=progress.id,
        query=await _name(verifier, progress.policy_id),
        mode=progress.mode,
        state=progress.state,
        failures=progress.failures,
        last_failure=progress.last_failure,
        declined_with=progress.declined_with,
        created_at=progress.created_at,
        expires_at=progress.expires_at,
    )


async def _name(verifier: Verifier, policy_id: str) -> str:
    return await verifier.policies.name(policy_id) or ""


def _credentials(outcome: Outcome | None) -> dict[str, tuple[CredentialView, ...]]:
    """Return what was accepted: our own words, which need no second look."""
    found = outcome.credentials if outcome else {}
    return {name: tuple(CredentialView.model_construct(**each) for each in all_) for name, all_ in found.items()}


def _event(shown: TransactionView) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (shown.state.value.encode(), json_dumps(shown.to_wire()))
