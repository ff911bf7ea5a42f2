"""A transaction: one request, from its making to the end of its result, and the store that keeps it.

Two names, two secrets: the service knows a transaction by `id`, the wallet by `request_id`; neither leads to the other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from byoid.encoding import json_dumps, json_object


class State(StrEnum):
    """How far a transaction has come."""

    PENDING = "pending"  # made, or fetched by a wallet; may be answered
    ACCEPTED = "accepted"
    REJECTED = "rejected"  # answered by an authentic presentation that is not good enough
    DECLINED = "declined"  # the wallet, or the person, said no


class Mode(StrEnum):
    """Where the wallet is: in the browser that started, or on another device, which scans a QR code."""

    SAME_DEVICE = "same_device"
    CROSS_DEVICE = "cross_device"


@dataclass(frozen=True)
class Sent:
    """The request as it was sent, with the key for the answer. Secret while the transaction is pending."""

    nonce: str
    state: str
    response_key: Mapping[str, str] | None = field(repr=False)  # private JWK
    dcql_query: Mapping[str, Any]
    transaction_data: tuple[str, ...]
    redirect_uri: str | None

    def to_bytes(self) -> bytes:
        """Serialise for a store, which seals it."""
        return json_dumps({name: getattr(self, name) for name in self.__dataclass_fields__})

    @classmethod
    def from_bytes(cls, data: bytes) -> "Sent":
        """Read what a store kept."""
        members = json_object(data)
        return cls(**{**members, "transaction_data": tuple(members["transaction_data"])})


@dataclass(frozen=True)
class Outcome:
    """What came of a transaction: accepted credentials, or the reasons. Claims and verdicts only (ARF OIA_16).

    `credentials` holds by credential query a list of `{format, type, issuer, claims, holder_bound, status}`.
    """

    state: State
    credentials: Mapping[str, Any] = field(default_factory=dict, repr=False)
    reasons: tuple[str, ...] = ()
    response_code_hash: str | None = None

    def to_bytes(self) -> bytes:
        """Serialise for a store, which seals it."""
        return json_dumps({
            "state": self.state,
            "credentials": self.credentials,
            "reasons": self.reasons,
            "response_code_hash": self.response_code_hash,
        })  # fmt: skip

    @classmethod
    def from_bytes(cls, data: bytes) -> "Outcome":
        """Read what a store kept."""
        members = json_object(data, max_bytes=16 << 20)
        return cls(
            State(members["state"]), members["credentials"], tuple(members["reasons"]), members["response_code_hash"]
        )


@dataclass(frozen=True)
class Transaction:
    """One request. `session_hash` names the browser session that started it, and that alone may see the result."""

    id: str
    request_id: str
    service_id: str
    policy_id: str
    mode: Mode
    sent: Sent
    session_hash: str | None
    created_at: datetime
    expires_at: datetime
    failures: int = 0
    last_failure: str | None = None
    outcome: Outcome | None = None

    @property
    def state(self) -> State:
        """How far it has come."""
        return self.outcome.state if self.outcome else State.PENDING


class TransactionStore(Protocol):
    """Keeps transactions until they expire. What is expired is not found."""

    async def add(self, transaction: Transaction) -> None:
        """Keep a new transaction."""
        ...

    async def by_request(self, request_id: str, *, now: datetime) -> Transaction | None:
        """Find a transaction by the wallet's name for it."""
        ...

    async def by_id(self, transaction_id: str, *, service_id: str, now: datetime) -> Transaction | None:
        """Find a transaction by the service's name for it; one service never finds another's."""
        ...

    async def conclude(self, request_id: str, outcome: Outcome) -> bool:
        """Record the outcome, if there is none yet. False if somebody was first."""
        ...

    async def count_failure(self, request_id: str, reason: str) -> None:
        """Note an answer that proved nothing. The transaction stays answerable."""
        ...

    async def forget(self, transaction_id: str, *, service_id: str) -> None:
        """Delete a transaction with its result."""
        ...


class InMemoryTransactions:
    """A store for tests, and for a service of one process that may lose open transactions when it restarts."""

    def __init__(self, max_transactions: int = 100_000) -> None:
        self._by_request: dict[str, Transaction] = {}
        self._requests: dict[str, str] = {}
        self._max = max_transactions

    async def add(self, transaction: Transaction) -> None:
        """Keep a new transaction; the oldest makes room."""
        while len(self._by_request) >= self._max:
            oldest = next(iter(self._by_request.values()))
            self._drop(oldest)
        self._by_request[transaction.request_id] = transaction
        self._requests[transaction.id] = transaction.request_id

    async def by_request(self, request_id: str, *, now: datetime) -> Transaction | None:
        """Find by the wallet's name."""
        found = self._by_request.get(request_id)
        return found if found and found.expires_at > now else None

    async def by_id(self, transaction_id: str, *, service_id: str, now: datetime) -> Transaction | None:
        """Find by the service's name."""
        found = await self.by_request(self._requests.get(transaction_id, ""), now=now)
        return found if found and found.service_id == service_id else None

    async def conclude(self, request_id: str, outcome: Outcome) -> bool:
        """Record the outcome once."""
        found = self._by_request.get(request_id)
        if found is None or found.outcome is not None:
            return False
        self._by_request[request_id] = replace(found, outcome=outcome)
        return True

    async def count_failure(self, request_id: str, reason: str) -> None:
        """Note a worthless answer."""
        found = self._by_request.get(request_id)
        if found is not None:
            self._by_request[request_id] = replace(found, failures=found.failures + 1, last_failure=reason)

    async def forget(self, transaction_id: str, *, service_id: str) -> None:
        """Delete."""
        found = self._by_request.get(self._requests.get(transaction_id, ""))
        if found is not None and found.service_id == service_id:
            self._drop(found)

    def _drop(self, transaction: Transaction) -> None:
        self._by_request.pop(transaction.request_id, None)
        self._requests.pop(transaction.id, None)
