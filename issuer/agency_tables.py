"""Tables of the agency's side: keys, clerks, accounts, bulk jobs, deliveries, webhooks, whom a credential is about.

What is personal is sealed to its row, as in `tables.py`; what is looked up is a keyed hash. No claims anywhere.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Index, LargeBinary
from sqlmodel import Field

from byoid.relying_party.sql import transactions_table
from byoid.service.audit import audit_tables
from byoid.service.database import Json, UtcDateTime
from byoid.service.jobs import jobs_table
from byoid.service.outbox import outbox_table
from issuer.tables import IssuerTable


class BulkState(StrEnum):
    """How far a bulk job has come."""

    COLLECTING = "collecting"  # people may still be added
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"


class RowState(StrEnum):
    """What became of one person of a bulk job."""

    WAITING = "waiting"
    OFFERED = "offered"
    FAILED = "failed"


class DeliveryState(StrEnum):
    """What became of a message to a person."""

    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"


def _bytes(**arguments: Any) -> Any:
    return Field(sa_type=LargeBinary, **arguments)


def _time(**arguments: Any) -> Any:
    return Field(sa_type=UtcDateTime, **arguments)


def _json(**arguments: Any) -> Any:
    return Field(sa_type=Json, **arguments)


class ApiKey(IssuerTable, table=True):
    """A key to the admin API. Only its hash is here."""

    __tablename__ = "api_key"
    id: str = Field(primary_key=True)
    agency_id: str
    name: str
    role: str
    key_hash: bytes = _bytes(unique=True)
    revoked: bool
    created_at: datetime = _time()


class Clerk(IssuerTable, table=True):
    """Somebody of the agency who works in the back office. The name is their own, and stands in the journal."""

    agency_id: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    role: str
    salt: bytes = _bytes()
    password_hash: bytes = _bytes()
    created_at: datetime = _time()


class OfficeSession(IssuerTable, table=True):
    """A clerk who has signed in, in one browser."""

    __tablename__ = "office_session"
    session_hash: bytes = _bytes(primary_key=True)
    agency_id: str
    clerk: str
    ends_at: datetime = _time()  # whatever the clerk does
    expires_at: datetime = _time(index=True)  # unless the clerk does something


class Account(IssuerTable, table=True):
    """A local account, by which a person is recognised at the authorization endpoint."""

    username_hash: bytes = _bytes(primary_key=True)
    agency_id: str
    salt: bytes = _bytes()
    password_hash: bytes = _bytes()
    person: bytes = _bytes()  # sealed
    created_at: datetime = _time()


class Subject(IssuerTable, table=True):
    """Whom live credentials are about, so that the register can be asked whether the facts still hold."""

    person_hash: bytes = _bytes(primary_key=True)
    agency_id: str
    grant_id: str
    person: bytes = _bytes()  # sealed, as the row of that grant has it, which goes earlier
    compared_at: datetime = _time(index=True)
    expires_at: datetime = _time(index=True)


class Outdated(IssuerTable, table=True):
    """A credential whose facts have changed, and when it is revoked unless that has happened before."""

    issuance_id: str = Field(primary_key=True)
    agency_id: str
    reason: str
    revoke_at: datetime = _time(index=True)


class WalletHold(IssuerTable, table=True):
    """A credential that is suspended because its wallet is, and is reinstated with it."""

    __tablename__ = "wallet_hold"
    issuance_id: str = Field(primary_key=True)
    agency_id: str


class BulkJob(IssuerTable, table=True):
    """Offers to many people. Workers take turns by the lease; each batch of rows is one transaction."""

    __tablename__ = "bulk_job"
    id: str = Field(primary_key=True)
    agency_id: str
    state: str
    wanted: dict[str, Any] = _json()  # what everybody is offered, and how it is delivered
    people: int
    offered: int
    failed: int
    holder: str
    held_until: datetime = _time()
    created_by: str
    created_at: datetime = _time()
    expires_at: datetime = _time(index=True)


class BulkRow(IssuerTable, table=True):
    """One person of a bulk job: sealed what came in, then sealed what came out."""

    __tablename__ = "bulk_row"
    __table_args__ = (Index("ix_bulk_row_waiting", "job_id", "state", "number"),)
    id: str = Field(primary_key=True)  # the job's, and the number in its file
    job_id: str
    number: int
    state: str
    person: bytes = _bytes()  # sealed
    result: bytes | None = _bytes(default=None)  # sealed: link and code, or why not
    expires_at: datetime = _time(index=True)


class Delivery(IssuerTable, table=True):
    """A transaction code or an offer on its way to a person. Sealed; gone once it is delivered."""

    id: str = Field(primary_key=True)
    agency_id: str
    channel: str = Field(index=True)
    state: str
    content: bytes = _bytes()  # sealed
    tries: int
    due_at: datetime = _time(index=True)
    expires_at: datetime = _time(index=True)


class Webhook(IssuerTable, table=True):
    """Who is told what becomes of credentials."""

    id: str = Field(primary_key=True)
    agency_id: str
    url: str
    events: list[str] = _json()
    secret: bytes = _bytes()  # sealed
    created_at: datetime = _time()


audit = audit_tables(IssuerTable.metadata)
jobs = jobs_table(IssuerTable.metadata)
outbox = outbox_table(IssuerTable.metadata)
transactions = transactions_table(IssuerTable.metadata)
