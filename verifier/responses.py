"""Answers: of wallets, by direct post, and of browsers, handed on by services."""

from collections.abc import Mapping

from byoid.presentation.response import DirectPostAnswer
from byoid.relying_party.messages import DigitalResponse
from verifier.context import Verifier
from verifier.errors import told_to_wallets
from verifier.services import KnownService


async def receive(
    verifier: Verifier, service_id: str, request_id: str | None, form: Mapping[str, str]
) -> DirectPostAnswer:
    """Take what a wallet posted.

    Raises:
        NotFound, AlreadyAnswered, SlowDown: there is nothing to answer, or not now.
        InvalidRequest: the response was refused; why is in the log and in the transaction.
    """
    service = await verifier.services.get(service_id)
    with told_to_wallets():
        return await verifier.party(service).receive(request_id, form)


async def receive_digital(
    verifier: Verifier, service: KnownService, transaction_id: str, answer: DigitalResponse
) -> None:
    """Take what the browser of a service's customer gave.

    Raises:
        NotFound, AlreadyAnswered, SlowDown, WrongSession: there is nothing to answer, or not now, or not from there.
        InvalidRequest: the response was refused; why is in the log and in the transaction.
    """
    with told_to_wallets():
        await verifier.party(service).receive_digital(transaction_id, answer.data, session=answer.session)
