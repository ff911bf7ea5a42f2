"""The relying-party flow for a service that verifies in its own process (level 2 of the library).

`flow` is pure but for what is injected; `sql` and `fastapi` (extra `rp`) add a store in a database and a router.
"""

from byoid.presentation.same_person import SameClaims, SameHolderKey
from byoid.relying_party.answers import Answers, ask_age, ask_age_and_residence, ask_residence
from byoid.relying_party.errors import SessionMismatch, TooManyFailures, TransactionOver, TransactionUnknown
from byoid.relying_party.flow import Begun, RelyingParty, link
from byoid.relying_party.memory import InMemoryTransactions
from byoid.relying_party.policy import Client, FixedPolicies, Policies, Policy
from byoid.relying_party.statuses import NoStatuses, StatusSource
from byoid.relying_party.transaction import Mode, Outcome, Progress, State, Transaction, TransactionStore

__all__ = [
    "Answers",
    "Begun",
    "Client",
    "FixedPolicies",
    "InMemoryTransactions",
    "Mode",
    "NoStatuses",
    "Outcome",
    "Policies",
    "Policy",
    "Progress",
    "RelyingParty",
    "SameClaims",
    "SameHolderKey",
    "SessionMismatch",
    "State",
    "StatusSource",
    "TooManyFailures",
    "Transaction",
    "TransactionOver",
    "TransactionStore",
    "TransactionUnknown",
    "ask_age",
    "ask_age_and_residence",
    "ask_residence",
    "link",
]
