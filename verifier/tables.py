"""The verifier's tables. Every row belongs to a service; what is secret is sealed; what is looked up is a keyed hash.

Results are sealed too, and end with their transaction. A query is never changed: a new row takes its name, and the old
one stays for the transactions that were begun with it.
"""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import Index, LargeBinary, MetaData, Table, text
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from byoid.relying_party.sql import transactions_table
from byoid.service.database import Json, UtcDateTime, service_metadata
from byoid.service.jobs import jobs_table
from byoid.service.outbox import outbox_table
from byoid.service.rate_limits import rate_limits_table


class VerifierTable(SQLModel, registry=registry(metadata=service_metadata())):
    """Base of the verifier's tables."""

    metadata: ClassVar[MetaData]


def _bytes(**arguments: Any) -> Any:
    return Field(sa_type=LargeBinary, **arguments)


def _time(**arguments: Any) -> Any:
    return Field(sa_type=UtcDateTime, **arguments)


class Service(VerifierTable, table=True):
    """A relying party that uses this verifier, and how wallets see it."""

    id: str = Field(primary_key=True, max_length=64)
    name: str
    prefix: str  # x509_hash, x509_san_dns, redirect_uri, verifier_attestation or pre-registered
    client_name: str | None = None  # what follows the prefix, where no certificate says it
    key_name: str | None = None  # of the files in the folder of keys
    webhook_url: str | None = None
    webhook_secret: bytes | None = _bytes(default=None)  # sealed
    created_at: datetime = _time()


class ApiKey(VerifierTable, table=True):
    """What a service shows to use the API. Revoked by deleting it."""

    __tablename__ = "api_key"
    id: str = Field(primary_key=True, max_length=64)
    service_id: str = Field(index=True, max_length=64)
    key_hash: bytes = _bytes(unique=True)
    label: str
    created_at: datetime = _time()


class Query(VerifierTable, table=True):
    """A named query of a service, as it was defined."""

    __table_args__ = (
        Index(
            "uq_query_current", "service_id", "name", unique=True,
            sqlite_where=text("retired_at IS NULL"), postgresql_where=text("retired_at IS NULL"),
        ),
    )  # fmt: skip
    id: str = Field(primary_key=True, max_length=64)
    service_id: str = Field(max_length=64)
    name: str = Field(max_length=64)
    definition: dict[str, Any] = Field(sa_type=Json)
    created_at: datetime = _time()
    retired_at: datetime | None = _time(default=None)
    expires_at: datetime = _time(index=True)  # when nothing can refer to a retired query any more


def table_of(model: type[VerifierTable]) -> Table:
    """Return the Core table of a model."""
    table: Table = model.__table__  # type: ignore[attr-defined]  # SQLModel's stubs don't know it
    return table


transactions: Table = transactions_table(VerifierTable.metadata)
outbox: Table = outbox_table(VerifierTable.metadata)
jobs: Table = jobs_table(VerifierTable.metadata)
rate_limits: Table = rate_limits_table(VerifierTable.metadata)
