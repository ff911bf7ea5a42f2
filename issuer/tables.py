"""The issuer's tables. Every row belongs to an agency; what is personal is sealed; what is looked up is a keyed hash.

The issuer keeps no claims: a person is here as the register's key, sealed, and as a keyed hash to look it up by.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import Index, LargeBinary, MetaData
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from byoid.service.database import Json, UtcDateTime, service_metadata
from byoid.service.rate_limits import lockouts_table, rate_limits_table


class OfferState(StrEnum):
    """What became of an offer."""

    OFFERED = "offered"
    REDEEMED = "redeemed"
    CANCELLED = "cancelled"
    LOCKED = "locked"  # too many wrong transaction codes


class AuthorizationState(StrEnum):
    """How far an authorization request has come."""

    PUSHED = "pushed"
    SIGNED_IN = "signed_in"
    APPROVED = "approved"  # a code was given out
    DENIED = "denied"
    REDEEMED = "redeemed"


class DeferredState(StrEnum):
    """What became of a deferred issuance."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    REFUSED = "refused"


class CredentialStatus(StrEnum):
    """The state of a credential, for as long as it lives."""

    VALID = "valid"
    SUSPENDED = "suspended"
    REVOKED = "revoked"


class IssuerTable(SQLModel, registry=registry(metadata=service_metadata())):
    """Base of the issuer's tables."""

    metadata: ClassVar[MetaData]


def _bytes(**arguments: Any) -> Any:
    return Field(sa_type=LargeBinary, **arguments)


def _time(**arguments: Any) -> Any:
    return Field(sa_type=UtcDateTime, **arguments)


def _json(**arguments: Any) -> Any:
    return Field(sa_type=Json, **arguments)


class Offer(IssuerTable, table=True):
    """A credential offer. Its id is the secret of its link, from which the pre-authorized code is derived."""

    id_hash: bytes = _bytes(primary_key=True)
    agency_id: str
    state: str
    configuration_ids: list[str] = _json()
    person: bytes | None = _bytes(default=None)  # sealed; None for an offer that only starts a sign-in
    person_hash: bytes | None = _bytes(default=None, index=True)
    tx_code_hash: bytes | None = _bytes(default=None)
    tx_code: dict[str, Any] | None = _json(default=None)  # what the offer says of it: input_mode, length, description
    tx_failures: int
    grant: str  # "pre-authorized" or "authorization"
    job_id: str | None = Field(default=None, index=True)  # the bulk job that made it
    created_at: datetime = _time()
    expires_at: datetime = _time(index=True)


class Authorization(IssuerTable, table=True):
    """An authorization request, from being pushed to its code being redeemed."""

    request_hash: bytes = _bytes(primary_key=True)  # of the request_uri
    agency_id: str
    state: str
    client_id: str
    request: dict[str, Any] = _json()
    configuration_ids: list[str] = _json()
    by_details: bool  # asked by authorization_details, so answered with credential identifiers
    dpop_jkt: str | None = None
    instance_jkt: str | None = None
    certificate_hash: str | None = None
    session_hash: bytes | None = _bytes(default=None)
    person: bytes | None = _bytes(default=None)  # sealed
    person_hash: bytes | None = _bytes(default=None)
    code_hash: bytes | None = _bytes(default=None, unique=True)
    code_expires_at: datetime | None = _time(default=None)
    expires_at: datetime = _time(index=True)


class Grant(IssuerTable, table=True):
    """What an access token allows: which credentials, for whom, used by whose key."""

    __tablename__ = "access_grant"  # GRANT is a word of SQL
    id: str = Field(primary_key=True)
    agency_id: str
    token_hash: bytes = _bytes(unique=True)
    refresh_hash: bytes | None = _bytes(default=None, unique=True)
    client_id: str | None = None
    dpop_jkt: str | None = None
    certificate_hash: str | None = None  # x5t#S256 of a client certificate (RFC 8705)
    instance_jkt: str | None = None  # the wallet instance that a refresh token is bound to
    configuration_ids: list[str] = _json()
    by_details: bool
    person: bytes = _bytes()  # sealed
    person_hash: bytes = _bytes(index=True)
    code_hash: bytes | None = _bytes(default=None, index=True)  # of the authorization code: its reuse revokes the grant
    wallet_status: dict[str, Any] | None = _json(default=None)  # where the client attestation's own status stands
    wallet_until: datetime | None = _time(default=None)  # until when the wallet provider maintains that status
    revoked: bool
    created_at: datetime = _time()
    token_expires_at: datetime = _time()
    expires_at: datetime = _time(index=True)  # of the refresh token, or of the access token where there is none


class Spent(IssuerTable, table=True):
    """A value that may be used once and was: a nonce, a `jti`. Kept until it would be refused for its age."""

    value_hash: bytes = _bytes(primary_key=True)
    expires_at: datetime = _time(index=True)


class StatusList(IssuerTable, table=True):
    """A status list: how many indices were drawn, and what is published. The order of drawing is a keyed secret."""

    __tablename__ = "status_list"
    id: str = Field(primary_key=True)
    agency_id: str
    bits: int
    size: int
    drawn: int
    sealed_key: bytes = _bytes()
    changed: int  # counts changes of state
    published: int  # the value of `changed` that the published tokens show
    published_at: datetime | None = _time(default=None)
    jwt: str | None = None
    cwt: bytes | None = _bytes(default=None)
    expires_at: datetime | None = _time(default=None)  # of the published tokens


class Issuance(IssuerTable, table=True):
    """A credential that was signed and may have been delivered. No claims, no keys."""

    __table_args__ = (Index("ix_issuance_list", "status_list_id", "status"),)
    id: str = Field(primary_key=True)  # begins with the batch's, so that a batch is one place of the index, not many
    agency_id: str
    batch_id: str = Field(index=True)
    grant_id: str
    credential_type: str = Field(index=True)
    configuration_id: str
    person_hash: bytes = _bytes(index=True)
    status: str
    status_list_id: str | None = None
    status_index: int | None = None
    record_hash: bytes = _bytes()  # keyed hash of the facts: tells whether the source has changed, and nothing else
    client_id: str | None = None
    wallet_status: list[dict[str, Any]] | None = _json(default=None)  # where the wallet's and keys' own status stands
    issued_on: datetime = _time()
    expires_at: datetime = _time(index=True)


class Batch(IssuerTable, table=True):
    """The credentials of one answer; the wallet's notification is about all of them."""

    id: str = Field(primary_key=True)
    agency_id: str
    notification_hash: bytes = _bytes(unique=True)
    grant_id: str
    event: str | None = None
    created_at: datetime = _time()
    expires_at: datetime = _time(index=True)


class Deferred(IssuerTable, table=True):
    """An issuance that waits for its source. The keys were proven; the facts come later."""

    transaction_hash: bytes = _bytes(primary_key=True)
    agency_id: str
    grant_id: str
    state: str
    configuration_id: str
    keys: bytes = _bytes()  # sealed: the public keys that the credentials will be bound to
    wallet_status: list[dict[str, Any]] | None = _json(default=None)
    maintained_until: datetime | None = _time(default=None)  # no credential may outlive it (TS3)
    created_at: datetime = _time()
    expires_at: datetime = _time(index=True)


lockouts = lockouts_table(IssuerTable.metadata)
rate_limits = rate_limits_table(IssuerTable.metadata)
