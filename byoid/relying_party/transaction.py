"""A transaction: one request, from its making to the end of its result, and the store that keeps it.

Two names, two secrets: the service knows a transaction by `id`, the wallet by `request_id`; neither leads to the other.
OpenID4VP 1.0 13.3 (sessions), 14.1.2 (nonce). A wallet's refusal proves nothing, so it does not end a transaction.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, Self

from pydantic_core import from_json

from byoid.encoding import b64u_decode, b64u_encode, json_dumps


class State(StrEnum):
    """How far a transaction has come."""

    PENDING = "pending"  # made, or fetched by a wallet; may be answered
    DECLINED = "declined"  # a wallet said no, which anybody can say who saw the request; may still be answered
    ACCEPTED = "accepted"
    REJECTED = "rejected"  # answered by an authentic presentation that is not good enough


ANSWERABLE = frozenset({State.PENDING, State.DECLINED})


class Mode(StrEnum):
    """Where the wallet is: in the browser that started, on a device that scans a QR code, or behind the browser."""

    SAME_DEVICE = "same_device"
    CROSS_DEVICE = "cross_device"
    DC_API = "dc_api"


@dataclass(frozen=True)
class ResponseKey:
    """The key that a response is to be encrypted to: kept as PKCS#8, which opens without deriving anything."""

    pkcs8: bytes = field(repr=False)
    x: str
    y: str
    kid: str

    @property
    def jwk(self) -> dict[str, str]:
        """The public half, as wallets get it (8.3)."""
        return {
            "kty": "EC", "crv": "P-256", "x": self.x, "y": self.y,
            "kid": self.kid, "use": "enc", "alg": "ECDH-ES",
        }  # fmt: skip


@dataclass(frozen=True)
class Sent:
    """The request as it was sent, which its answer is judged by. Secret while the transaction is pending."""

    client_id: str
    nonce: str
    state: str
    response_mode: str
    response_key: ResponseKey | None = field(repr=False)
    dcql_query: Mapping[str, Any]
    transaction_data: tuple[str, ...] = ()
    redirect_uri: str | None = None
    request_uri_method: str | None = None
    origin: str | None = None

    def to_wire(self) -> dict[str, Any]:
        """Return JSON values for a store, which seals them."""
        key = self.response_key
        members = {each.name: getattr(self, each.name) for each in fields(self)}
        members["response_key"] = key and [b64u_encode(key.pkcs8), key.x, key.y, key.kid]
        return members

    @classmethod
    def from_wire(cls, members: Mapping[str, Any]) -> Self:
        """Read what a store kept."""
        key = members["response_key"]
        response_key = ResponseKey(b64u_decode(key[0]), *key[1:]) if key else None
        return cls(**{
            **members, "response_key": response_key, "transaction_data": tuple(members["transaction_data"])
        })  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What came of a transaction: accepted credentials, or the reasons. Claims and verdicts only (ARF OIA_16).

    `credentials` holds by credential query a list of `{format, type, issuer, claims, holder_bound, status}`.
    """

    state: State
    credentials: Mapping[str, Any] = field(default_factory=dict, repr=False)
    reasons: tuple[str, ...] = ()
    response_code_hash: str | None = None

    def to_wire(self) -> dict[str, Any]:
        """Return JSON values for a store, which seals them."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @classmethod
    def from_wire(cls, members: Mapping[str, Any]) -> Self:
        """Read what a store kept."""
        return cls(**{**members, "state": State(members["state"]), "reasons": tuple(members["reasons"])})


@dataclass(frozen=True)
class Transaction:
    """One request. `sent` is gone with the outcome; `session_hash` names the browser session that may see the result.

    `expires_at` is the end of waiting, and of the result once there is one.
    """

    id: str
    request_id: str
    service_id: str
    policy_id: str
    mode: Mode
    sent: Sent | None = field(repr=False)
    session_hash: str | None
    created_at: datetime
    expires_at: datetime
    failures: int = 0
    last_failure: str | None = None
    declined_with: str | None = None
    outcome: Outcome | None = None

    @property
    def state(self) -> State:
        """How far it has come."""
        if self.outcome is not None:
            return self.outcome.state
        return State.PENDING if self.declined_with is None else State.DECLINED

    @property
    def credentials(self) -> Mapping[str, Any]:
        """What was accepted, by credential query; nothing as long as nothing was."""
        return self.outcome.credentials if self.outcome is not None else {}

    def secret_part(self) -> bytes:
        """Return what a store must seal: all that is neither looked up nor counted, and whose it is."""
        return json_dumps({
            "service_id": self.service_id,
            "policy_id": self.policy_id,
            "request_id": self.request_id,
            "session_hash": self.session_hash,
            "sent": self.sent.to_wire() if self.sent else None,
            "outcome": self.outcome.to_wire() if self.outcome else None,
        })  # fmt: skip

    @staticmethod
    def open_secret_part(data: bytes) -> dict[str, Any]:
        """Return the members that `secret_part` holds."""
        members = from_json(data)  # our own row, as it was sealed: no stranger chose its size, depth or names
        return {
            **members,
            "sent": Sent.from_wire(members["sent"]) if members["sent"] else None,
            "outcome": Outcome.from_wire(members["outcome"]) if members["outcome"] else None,
        }


@dataclass(frozen=True)
class Progress:
    """How far a transaction has come, for somebody who waits."""

    id: str
    policy_id: str
    mode: Mode
    state: State
    failures: int
    last_failure: str | None
    declined_with: str | None
    created_at: datetime
    expires_at: datetime


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

    async def progress(self, transaction_id: str, *, service_id: str, now: datetime) -> Progress | None:
        """Look how far a transaction has come, without opening anything."""
        ...

    async def conclude(self, concluded: Transaction, *, now: datetime) -> bool:
        """Keep the transaction with its outcome in place of what was sent. False if somebody was first.

        Compare-and-set: in one step, and only while it is answerable and not expired.
        """
        ...

    async def decline(self, transaction: Transaction, error: str, *, now: datetime) -> None:
        """Note that a wallet declined, if it is the first to. The transaction stays answerable."""
        ...

    async def count_failure(self, transaction: Transaction, reason: str) -> None:
        """Note an answer that proved nothing. The transaction stays answerable."""
        ...

    async def forget(self, transaction_id: str, *, service_id: str) -> bool:
        """Delete a transaction with its result. False if it was gone."""
        ...
