"""The columns that are sealed with the verifier's key ring: `python -m verifier reseal` seals them anew."""

from typing import Final

from byoid.service.reseal import SealedColumn
from verifier.tables import LoginRequest, Service, outbox, table_of, transactions

SEALED: Final = (
    SealedColumn(table_of(Service).c.webhook_secret),
    SealedColumn(table_of(LoginRequest).c.sealed),
    SealedColumn(outbox.c.sealed_body),
    SealedColumn(transactions.c.sealed),
)
