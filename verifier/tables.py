"""The verifier's tables. Every row belongs to a service; what is secret is sealed; what is looked up is a keyed hash.

Results are sealed too, and end with their transaction, or with the access token of a login. A query is never changed: a
new row takes its name, and the old one stays for the transactions that were begun with it.
"""

from datetime import datetime
from enum import StrEnum
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


class Login(VerifierTable, table=True):
    """A client of OpenID Connect: what one service uses to have people sign in by their wallet."""

    client_id: str = Field(primary_key=True, max_length=128)
    service_id: str = Field(max_length=64)
    name: str  # as people know it
    query_name: str = Field(max_length=64)
    redirect_uris: list[str] = Field(sa_type=Json)
    authentication: str = Field(max_length=32)  # client_secret_basic, client_secret_post, private_key_jwt or none
    secret_hash: bytes | None = _bytes(default=None)
    jwks: dict[str, Any] | None = Field(default=None, sa_type=Json)
    algorithm: str = Field(max_length=16)  # of ID tokens
    rules: dict[str, Any] = Field(sa_type=Json)  # which claim comes from where, and which make the subject
    same_device_only: bool
    created_at: datetime = _time()


class LoginState(StrEnum):
    """How far a login has come."""

    OPEN = "open"
    ANSWERED = "answered"  # a code was given out
    REDEEMED = "redeemed"  # and an access token for it
    REVOKED = "revoked"  # since the code came twice


class LoginRequest(VerifierTable, table=True):
    """One login: from the authentication request to the end of its access token. Claims are sealed, and end with it."""

    __tablename__ = "login_request"
    id_hash: bytes = _bytes(primary_key=True)
    client_id: str = Field(max_length=128)
    service_id: str = Field(max_length=64)
    state: str = Field(max_length=16)
    session_hash: bytes = _bytes()
    request: dict[str, Any] = Field(sa_type=Json)
    transactions: dict[str, str] | None = Field(default=None, sa_type=Json)  # of the current attempt, by mode
    code_hash: bytes | None = _bytes(default=None, unique=True)
    code_expires_at: datetime | None = _time(default=None)
    token_hash: bytes | None = _bytes(default=None, unique=True)
    token_expires_at: datetime | None = _time(default=None)
    sealed: bytes | None = _bytes(default=None)  # what the service gets to know
    open_until: datetime = _time()
    expires_at: datetime = _time(index=True)


class SpentAssertion(VerifierTable, table=True):
    """The `jti` of a client assertion, which counts once."""

    __tablename__ = "login_assertion"
    value_hash: bytes = _bytes(primary_key=True)
    expires_at: datetime = _time(index=True)


def table_of(model: type[VerifierTable]) -> Table:
    """Return the Core table of a model."""
    table: Table = model.__table__  # type: ignore[attr-defined]  # SQLModel's stubs don't know it
    return table


transactions: Table = transactions_table(VerifierTable.metadata)
outbox: Table = outbox_table(VerifierTable.metadata)
jobs: Table = jobs_table(VerifierTable.metadata)
rate_limits: Table = rate_limits_table(VerifierTable.metadata)
