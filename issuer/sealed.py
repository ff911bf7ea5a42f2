"""The columns that are sealed with the issuer's key ring: `python -m issuer reseal` seals them anew."""

from typing import Any, Final

from byoid.service.reseal import SealedColumn
from issuer.agency_tables import Account, BulkRow, Delivery, Subject, Webhook, outbox, transactions
from issuer.tables import Authorization, Deferred, Grant, Offer, StatusList


def _columns(table: type[Any]) -> Any:
    return vars(table)["__table__"].c


SEALED: Final = (
    SealedColumn(_columns(Offer).person),
    SealedColumn(_columns(Authorization).person),
    SealedColumn(_columns(Grant).person, place="grant.person"),
    SealedColumn(_columns(Subject).person, place="grant.person", row=_columns(Subject).grant_id),
    SealedColumn(_columns(Deferred)["keys"]),
    SealedColumn(_columns(StatusList).sealed_key, place="status_list.key"),
    SealedColumn(_columns(Account).person),
    SealedColumn(_columns(BulkRow).person),
    SealedColumn(_columns(BulkRow).result),
    SealedColumn(_columns(Delivery).content),
    SealedColumn(_columns(Webhook).secret),
    SealedColumn(outbox.c.sealed_body),
    SealedColumn(transactions.c.sealed),
)
