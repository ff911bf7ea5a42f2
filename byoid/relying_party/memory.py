"""Transactions in this process's memory."""

from dataclasses import replace
from datetime import datetime

from byoid.relying_party.transaction import Progress, Transaction


class InMemoryTransactions:
    """A store for tests, and for a service of one process that may lose open transactions when it restarts."""

    def __init__(self, max_transactions: int = 100_000) -> None:
        self._by_request: dict[str, Transaction] = {}
        self._requests: dict[str, str] = {}
        self._max = max_transactions

    async def add(self, transaction: Transaction) -> None:
        """Keep a new transaction; the oldest makes room."""
        while len(self._by_request) >= self._max:
            self._drop(next(iter(self._by_request.values())))
        self._by_request[transaction.request_id] = transaction
        self._requests[transaction.id] = transaction.request_id

    async def by_request(self, request_id: str, *, now: datetime) -> Transaction | None:
        """Find by the wallet's name."""
        found = self._by_request.get(request_id)
        if found is not None and found.expires_at <= now:
            self._drop(found)
            return None
        return found

    async def by_id(self, transaction_id: str, *, service_id: str, now: datetime) -> Transaction | None:
        """Find by the service's name."""
        found = await self.by_request(self._requests.get(transaction_id, ""), now=now)
        return found if found and found.service_id == service_id else None

    async def progress(self, transaction_id: str, *, service_id: str, now: datetime) -> Progress | None:
        """Look how far it is."""
        found = await self.by_id(transaction_id, service_id=service_id, now=now)
        if found is None:
            return None
        return Progress(
            found.id, found.policy_id, found.mode, found.state, found.failures, found.last_failure,
            found.declined_with, found.created_at, found.expires_at,
        )  # fmt: skip

    async def conclude(self, concluded: Transaction, *, now: datetime) -> bool:
        """Keep the outcome, once."""
        found = await self.by_request(concluded.request_id, now=now)
        if found is None or found.outcome is not None:
            return False
        self._by_request[concluded.request_id] = concluded
        return True

    async def decline(self, transaction: Transaction, error: str, *, now: datetime) -> None:
        """Note a refusal."""
        found = await self.by_request(transaction.request_id, now=now)
        if found is not None and found.outcome is None:
            self._by_request[found.request_id] = replace(found, declined_with=found.declined_with or error)

    async def count_failure(self, transaction: Transaction, reason: str) -> None:
        """Note a worthless answer."""
        found = self._by_request.get(transaction.request_id)
        if found is not None:
            counted = replace(found, failures=found.failures + 1, last_failure=reason)
            self._by_request[found.request_id] = counted

    async def forget(self, transaction_id: str, *, service_id: str) -> bool:
        """Delete."""
        found = self._by_request.get(self._requests.get(transaction_id, ""))
        if found is None or found.service_id != service_id:
            return False
        self._drop(found)
        return True

    def _drop(self, transaction: Transaction) -> None:
        self._by_request.pop(transaction.request_id, None)
        self._requests.pop(transaction.id, None)
