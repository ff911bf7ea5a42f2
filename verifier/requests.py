"""Transactions are started here, for services, and their requests are given to wallets."""

from collections.abc import Mapping
from typing import Final

from byoid.errors import MalformedInput, VerificationError
from byoid.presentation.dcql import DcqlQuery
from byoid.relying_party import Begun, State, TransactionUnknown, link
from byoid.relying_party.messages import (
    DEFAULT_ENDPOINT,
    QueryDefinition,
    QueryView,
    StartedTransaction,
    StartTransaction,
    WalletLink,
)
from byoid.relying_party.registration import BeyondRegistration, read_registration, require_registered
from byoid.service import qr
from byoid.service.database import Conflict
from byoid.service.loopback import is_https
from byoid.wire_errors import InvalidRequest, ascii_text
from verifier.context import Verifier
from verifier.errors import AlreadyAnswered, NotFound, NotRegistered, told_to_services, told_to_wallets
from verifier.policies import define_query
from verifier.services import KnownService

_MAX_QR_CHARACTERS: Final = 2000  # beyond that no telephone reads it from a screen


async def define(
    verifier: Verifier, service: KnownService, name: str, definition: QueryDefinition
) -> tuple[QueryView, bool]:
    """Keep a named query, in place of what had the name. True if nothing had.

    Raises:
        InvalidRequest: the definition is not sound.
        NotRegistered: it asks for more than the service is registered for.
    """
    policy = await verifier.policies.compile(service.id, definition.to_wire())
    if policy.encrypted and service.client.pre_registered and service.client.response_key is None:
        raise InvalidRequest("encrypted responses need the response key that was registered")
    _require_registered(verifier, service, policy.query)
    try:
        return await define_query(verifier.store, service.id, name, definition, now=verifier.clock())
    except Conflict as error:
        raise AlreadyAnswered("Somebody else defined this query at the same moment.") from error


def _require_registered(verifier: Verifier, service: KnownService, query: DcqlQuery) -> None:
    if service.registration is None or service.client.signer is None:
        return
    try:
        registration = read_registration(
            service.registration, signer=service.client.signer, anchors=verifier.anchors, now=verifier.clock()
        )
        require_registered(registration, query)
    except (MalformedInput, VerificationError) as error:
        told = "The registration certificate of the service cannot be verified; the verifier's operator knows why."
        raise InvalidRequest(told, detail=str(error)) from error
    except BeyondRegistration as error:
        raise NotRegistered(f"The query asks for more than is registered; {ascii_text(str(error))}") from error


async def start(verifier: Verifier, service: KnownService, wish: StartTransaction) -> StartedTransaction:
    """Start a transaction.

    Raises:
        NotFound: the service has no query of this name.
        InvalidRequest: transaction data name credentials that are not asked for, or a URL is not https.
    """
    with told_to_services():
        try:
            begun = await _begin(verifier, service, wish)
        except TransactionUnknown:  # the name stands for another query now, or for none
            begun = await _begin(verifier, service, wish, anew=True)
    return _started(verifier, begun, wish.endpoint)


async def _begin(verifier: Verifier, service: KnownService, wish: StartTransaction, *, anew: bool = False) -> Begun:
    anew = anew or wish.transaction_data is not None  # which are judged by the query before it is known to be current
    query_id = await verifier.policies.current(service.id, wish.query, anew=anew)
    if query_id is None:
        raise NotFound("There is no query of this name.")
    _require_https(verifier, wish)
    if wish.transaction_data is not None:
        await _require_known_ids(verifier, query_id, wish)
    return await verifier.party(service).begin(
        query_id,
        mode=wish.mode,
        session=wish.session,
        redirect_uri=wish.redirect_uri,
        request_uri_method=wish.request_uri_method,
        origin=wish.origin,
        transaction_data=wish.transaction_data,
    )


async def request_object(verifier: Verifier, service_id: str, request_id: str, form: Mapping[str, str]) -> str:
    """Return the request object that a wallet asks for.

    Raises:
        NotFound: no such request.
        AlreadyAnswered: it was answered.
        InvalidRequest: the wallet's metadata cannot be used.
    """
    service = await verifier.services.get(service_id)
    with told_to_wallets():
        return await verifier.party(service).request_object(request_id, form)


async def qr_link(verifier: Verifier, service: KnownService, transaction_id: str, endpoint: str) -> str:
    """Return the link of a transaction for a QR code.

    Raises:
        NotFound, AlreadyAnswered: it cannot be answered.
        InvalidRequest: there is no link, or it is too long for a QR code.
    """
    with told_to_services():
        begun = await verifier.party(service).begun(transaction_id)
    if begun.digital is not None:
        raise InvalidRequest("A transaction of mode dc_api has no link; start one of mode cross_device for a QR code.")
    text = begun.link(endpoint)
    if len(text) > _MAX_QR_CHARACTERS:
        raise InvalidRequest(
            f"A link of {len(text)} characters does not fit into a QR code; sign requests, or ask less."
        )
    return text


def qr_svg(text: str) -> bytes:
    """Draw a link."""
    return qr.svg(text).encode()


def _started(verifier: Verifier, begun: Begun, endpoint: str) -> StartedTransaction:
    if begun.digital is not None:
        return StartedTransaction(
            id=begun.id, state=State.PENDING, expires_at=begun.expires_at, digital=dict(begun.digital)
        )
    return StartedTransaction(
        id=begun.id,
        state=State.PENDING,
        expires_at=begun.expires_at,
        link=begun.link(endpoint or DEFAULT_ENDPOINT),
        wallets=tuple(
            WalletLink(name=each.name, link=link(begun.parameters, each.endpoint), logo=each.logo)
            for each in verifier.settings.wallet_endpoints
        ),
    )


def _require_https(verifier: Verifier, wish: StartTransaction) -> None:
    for name, url in (("redirect_uri", wish.redirect_uri), ("origin", wish.origin)):
        if url is not None and not is_https(url, loopback_http=verifier.settings.allow_loopback_http):
            raise InvalidRequest(f"{name}: expected https; http is only for this machine, with allow_loopback_http")


async def _require_known_ids(verifier: Verifier, query_id: str, wish: StartTransaction) -> None:
    named = await verifier.policies.named(query_id)
    asked = {each.id for each in named.policy.query.credentials} if named else set()
    for data in wish.transaction_data or ():
        ids = data.get("credential_ids")
        if not isinstance(data.get("type"), str) or not isinstance(ids, list) or not ids:
            raise InvalidRequest("transaction_data needs type and credential_ids")
        if not asked.issuperset(map(str, ids)):
            raise InvalidRequest("transaction_data names a credential query that is not asked")
