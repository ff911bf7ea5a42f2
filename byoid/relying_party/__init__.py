"""The relying-party flow for a service that verifies in its own process (level 2 of the library).

`flow` is pure but for what is injected; `sql` and `fastapi` (extra `rp`) add a store in a database and a router.
"""

from byoid.relying_party.flow import (
    Begun,
    NoStatuses,
    RelyingParty,
    SessionMismatch,
    StatusSource,
    TransactionOver,
    TransactionUnknown,
)
from byoid.relying_party.policy import Client, Policy
from byoid.relying_party.transaction import InMemoryTransactions, Mode, Outcome, State, Transaction, TransactionStore

__all__ = [
    "Begun",
    "Client",
    "InMemoryTransactions",
    "Mode",
    "NoStatuses",
    "Outcome",
    "Policy",
    "RelyingParty",
    "SessionMismatch",
    "State",
    "StatusSource",
    "Transaction",
    "TransactionOver",
    "TransactionStore",
    "TransactionUnknown",
]
