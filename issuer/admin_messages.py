"""Messages of the admin API. Unknown members are refused: the API is our own, and a typo must not pass for a wish."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from issuer.admin import Role
from issuer.agency_store import Target
from issuer.agency_tables import BulkState
from issuer.tables import CredentialStatus
from issuer.webhooks import EVENTS


class AdminMessage(BaseModel):
    """Base of what the admin API takes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class People(AdminMessage):
    """People of a bulk job, by the register's keys; `first` is the number of the first one in the whole file."""

    first: Annotated[int, Field(ge=0)]
    people: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=200)], ...], Field(min_length=1, max_length=10_000)
    ]


class StatusChange(AdminMessage):
    """Which credentials, and why. `end_reissuance` ends refresh tokens as well, and withdraws offers."""

    target: Literal[Target.CREDENTIAL, Target.PERSON, Target.TYPE, Target.BATCH]
    value: Annotated[str, Field(min_length=1, max_length=200)]
    reason: Annotated[str, Field(min_length=1, max_length=200)]
    end_reissuance: bool = False


class Changed(BaseModel):
    """How many credentials were changed."""

    changed: int


class IssuedQuery(AdminMessage):
    """Which credentials to list; after `after`, in the order of ids."""

    target: Target = Target.ALL
    value: Annotated[str, Field(max_length=200)] = ""
    after: Annotated[str, Field(max_length=64)] = ""


class IssuedCredential(BaseModel):
    """What is kept of a credential: no claims, no keys, no person."""

    model_config = ConfigDict(from_attributes=True)
    id: str
    batch_id: str
    credential_type: str
    configuration_id: str
    status: CredentialStatus
    client_id: str | None
    issued_on: datetime
    expires_at: datetime
    event: str | None = Field(description="what the wallet has said of the batch")


class Issued(BaseModel):
    """A page of credentials; `next` is what `after` must be for the one after it."""

    credentials: list[IssuedCredential]
    next: str | None


class Job(BaseModel):
    """How far a bulk job has come."""

    model_config = ConfigDict(from_attributes=True)
    id: str
    state: BulkState
    people: int
    offered: int
    failed: int
    created_by: str
    created_at: datetime
    expires_at: datetime


class Created(BaseModel):
    """The id of something new."""

    id: str


class PersonChanged(AdminMessage):
    """The register's key of a person whose facts have changed."""

    person: Annotated[str, Field(min_length=1, max_length=200)]


class NewApiKey(AdminMessage):
    """An API key to make."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    role: Role


class ShownApiKey(BaseModel):
    """An API key just made: `key` is shown this once."""

    id: str
    key: str


class ApiKeyEntry(BaseModel):
    """An API key, without the key."""

    model_config = ConfigDict(from_attributes=True)
    id: str
    name: str
    role: Role
    revoked: bool
    created_at: datetime


class NewWebhook(AdminMessage):
    """A webhook to make."""

    url: Annotated[str, Field(max_length=2000)]
    events: tuple[Literal[EVENTS], ...]  # type: ignore[valid-type]  # a tuple of literals is what Literal takes


class ShownWebhook(BaseModel):
    """A webhook just made: `secret` is shown this once."""

    id: str
    secret: str


class WebhookEntry(BaseModel):
    """A webhook, without its secret."""

    model_config = ConfigDict(from_attributes=True)
    id: str
    url: str
    events: list[str]
    created_at: datetime


class Rotation(BaseModel):
    """The certificate signing request for a new key that waits to be certified, as PEM."""

    request: str


class Certificate(AdminMessage):
    """The chain for a new key, leaf first, without the root, as PEM."""

    chain: Annotated[str, Field(min_length=1, max_length=100_000)]


class Printed(AdminMessage):
    """Letters that were printed and can be forgotten."""

    ids: Annotated[tuple[Annotated[str, Field(max_length=64)], ...], Field(min_length=1, max_length=1000)]


class JournalEntry(BaseModel):
    """An entry of the journal."""

    model_config = ConfigDict(from_attributes=True)
    sequence: int
    at: datetime
    event: str
    details: dict[str, Any]


class Journal(BaseModel):
    """A page of the journal, and its head: note it elsewhere to notice a journal that was cut off."""

    entries: list[JournalEntry]
    head: str | None


class AdminError(BaseModel):
    """An error."""

    error: str
    error_description: str
