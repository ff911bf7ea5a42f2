"""The deferred credential endpoint: what was promised is fetched as soon as the source has it (OpenID4VCI 9)."""

from typing import Any

from byoid.encoding import json_loads
from byoid.issuance.credential import CredentialResponse
from byoid.keys import PublicKey
from byoid.wire_errors import CredentialRequestDenied, InvalidTransactionId
from issuer import writes
from issuer.attributes import NotReady
from issuer.context import Issuer
from issuer.credentials import fetch_record, fulfil
from issuer.orders import Order
from issuer.tables import DeferredState


async def fetch_deferred(issuer: Issuer, grant: Any, transaction_id: str) -> CredentialResponse:
    """Answer a deferred credential request: the credentials, or the same promise again.

    Raises:
        InvalidTransactionId: not a transaction of this grant, or already delivered.
        CredentialRequestDenied: the source has refused; the transaction is over.
        TemporarilyUnavailable: the source or the signer does not answer; the transaction stays.
    """
    transaction_hash = issuer.hash("transaction", transaction_id.encode())
    row = await issuer.store.deferred(transaction_hash, grant_id=grant.id, now=issuer.clock())
    if row is None or row.state != DeferredState.WAITING:
        raise InvalidTransactionId("no such transaction, or its credentials were fetched")
    order = _order(issuer, grant, row)
    delivered = writes.deliver_deferred(transaction_hash)
    fetched = InvalidTransactionId("the credentials of this transaction were fetched")
    try:
        return await fulfil(issuer, order, await fetch_record(issuer, order), steps=[delivered], refusal=fetched)
    except NotReady:
        interval = issuer.settings.deferred_interval.total_seconds()
        return CredentialResponse(transaction_id=transaction_id, interval=interval)
    except CredentialRequestDenied:
        await issuer.store.refuse_deferred(transaction_hash)
        raise


def _order(issuer: Issuer, grant: Any, row: Any) -> Order:
    jwks = json_loads(issuer.open(row.keys, column="deferred.keys", row=row.transaction_hash))
    keys = [PublicKey.from_jwk(jwk) for jwk in jwks]
    configuration = issuer.configurations[row.configuration_id]
    return Order(grant, configuration, keys, row.wallet_status or [], row.maintained_until)
