"""The columns that are sealed with the issuer's key ring: `python -m issuer reseal` seals them anew."""

from typing import Final

from byoid.service.reseal import SealedColumn
from issuer.agency_store import table_of
from issuer.agency_tables import Account, BulkRow, Delivery, Subject, Webhook, outbox, transactions
from issuer.tables import Authorization, Deferred, Grant, Offer, StatusList

SEALED: Final = (
    SealedColumn(table_of(Offer).c.person),
    SealedColumn(table_of(Authorization).c.person),
    SealedColumn(table_of(Grant).c.person, place="grant.person"),
    SealedColumn(table_of(Subject).c.person, place="grant.person", row=table_of(Subject).c.grant_id),
    SealedColumn(table_of(Deferred).c["keys"]),
    SealedColumn(table_of(StatusList).c.sealed_key, place="status_list.key"),
    SealedColumn(table_of(Account).c.person),
    SealedColumn(table_of(BulkRow).c.person),
    SealedColumn(table_of(BulkRow).c.result),
    SealedColumn(table_of(Delivery).c.content),
    SealedColumn(table_of(Webhook).c.secret),
    SealedColumn(outbox.c.sealed_body),
    SealedColumn(transactions.c.sealed),
)
