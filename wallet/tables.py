"""Tables of the vault, and the base of the wallet's other tables.

Two bases, so that the vault may have its own database, or its own role in one: the web part's role needs no right on
any `vault_` table. Every column says what it `holds`; `wallet.vault.doctor` refuses a table where a column doesn't, and
checks that each column holds nothing else. Nothing that a citizen would call theirs is in clear: names of passkeys and
devices and the journal's details are sealed, persons are random ids.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import LargeBinary
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from byoid.service.columns import UtcDateTime, service_metadata


class Holds(StrEnum):
    """What a column holds."""

    ID = "id"  # random, or a hash of something random: base64url, nothing else
    CODE = "code"  # one of a few words of ours
    TIME = "time"
    NUMBER = "number"
    SEALED = "sealed"  # encrypted under a key of the citizen, or to its public half
    WRAPPED = "wrapped"  # a key, encrypted under a passkey, a recovery code or the HSM
    ADDRESS = "address"  # where a notice goes: sealed with the service's key, as it is used while the citizen is away
    PUBLIC = "public"  # public keys and challenges: random bytes


def column(holds: Holds, *, type_: Any = None, **field: Any) -> Any:
    """Declare a column with what it holds."""
    kwargs: Mapping[str, Any] = {"info": {"holds": holds}}
    if type_ is not None:
        field["sa_type"] = type_
    return Field(sa_column_kwargs=kwargs, **field)


class WalletTable(SQLModel, registry=registry(metadata=service_metadata())):
    """Base of the tables of the web part: sealed contents, history, settings."""

    metadata: ClassVar[Any]


class VaultTable(SQLModel, registry=registry(metadata=service_metadata())):
    """Base of the vault's tables."""

    metadata: ClassVar[Any]


class Person(VaultTable, table=True):
    """Somebody with a wallet: an id and the public halves of two keys."""

    __tablename__ = "vault_person"
    id: str = column(Holds.ID, primary_key=True)
    inbox_public: bytes = column(Holds.PUBLIC, type_=LargeBinary)
    signing_public: bytes = column(Holds.PUBLIC, type_=LargeBinary)
    created_at: datetime = column(Holds.TIME, type_=UtcDateTime)
    locked_at: datetime | None = column(Holds.TIME, type_=UtcDateTime, nullable=True)


class Passkey(VaultTable, table=True):
    """A passkey, with the person's two keys wrapped under it."""

    __tablename__ = "vault_passkey"
    id: str = column(Holds.ID, primary_key=True)
    person_id: str = column(Holds.ID, index=True)
    public_key: bytes = column(Holds.PUBLIC, type_=LargeBinary)
    sign_count: int = column(Holds.NUMBER)
    backup_eligible: bool = column(Holds.NUMBER)
    backed_up: bool = column(Holds.NUMBER)
    protection: str = column(Holds.CODE)
    reading_wrapped: bytes = column(Holds.WRAPPED, type_=LargeBinary)
    signing_wrapped: bytes = column(Holds.WRAPPED, type_=LargeBinary)
    name_sealed: bytes = column(Holds.SEALED, type_=LargeBinary)
    created_at: datetime = column(Holds.TIME, type_=UtcDateTime)
    used_at: datetime = column(Holds.TIME, type_=UtcDateTime)


class Ceremony(VaultTable, table=True):
    """A challenge that waits for its answer; deleted when the answer comes, good or bad."""

    __tablename__ = "vault_ceremony"
    id: str = column(Holds.ID, primary_key=True)
    kind: str = column(Holds.CODE)
    challenge: bytes = column(Holds.PUBLIC, type_=LargeBinary)
    person_id: str = column(Holds.ID, index=True)
    session_id: str = column(Holds.ID)
    expires_at: datetime = column(Holds.TIME, type_=UtcDateTime, index=True)


class Session(VaultTable, table=True):
    """A signed-in browser: the reading key, encrypted under a secret that only its cookie holds."""

    __tablename__ = "vault_session"
    id: str = column(Holds.ID, primary_key=True)
    person_id: str = column(Holds.ID, index=True)
    passkey_id: str = column(Holds.ID)
    reading_sealed: bytes = column(Holds.SEALED, type_=LargeBinary)
    label_sealed: bytes = column(Holds.SEALED, type_=LargeBinary)
    created_at: datetime = column(Holds.TIME, type_=UtcDateTime)
    used_at: datetime = column(Holds.TIME, type_=UtcDateTime)
    expires_at: datetime = column(Holds.TIME, type_=UtcDateTime, index=True)


class Approval(VaultTable, table=True):
    """What a citizen was asked to approve, sealed under the session's cookie; `keys_sealed` only while a grant runs."""

    __tablename__ = "vault_approval"
    id: str = column(Holds.ID, primary_key=True)
    person_id: str = column(Holds.ID, index=True)
    session_id: str = column(Holds.ID, index=True)
    proposal_sealed: bytes = column(Holds.SEALED, type_=LargeBinary)
    keys_sealed: bytes | None = column(Holds.SEALED, type_=LargeBinary, nullable=True)
    answered: bool = column(Holds.NUMBER)
    expires_at: datetime = column(Holds.TIME, type_=UtcDateTime, index=True)


class HolderKey(VaultTable, table=True):
    """The private key of one credential copy, sealed to the person's signing key."""

    __tablename__ = "vault_holder_key"
    id: str = column(Holds.ID, primary_key=True)
    person_id: str = column(Holds.ID, index=True)
    sealed: bytes = column(Holds.SEALED, type_=LargeBinary)
    created_at: datetime = column(Holds.TIME, type_=UtcDateTime)


class Recovery(VaultTable, table=True):
    """A printed recovery code, by a one-way fingerprint, with the person's two keys wrapped under it."""

    __tablename__ = "vault_recovery"
    person_id: str = column(Holds.ID, primary_key=True)
    fingerprint: str = column(Holds.ID, unique=True)
    keys_wrapped: bytes = column(Holds.WRAPPED, type_=LargeBinary)
    created_at: datetime = column(Holds.TIME, type_=UtcDateTime)
    usable_at: datetime | None = column(Holds.TIME, type_=UtcDateTime, nullable=True)


class JournalEntry(VaultTable, table=True):
    """What happened to a wallet, and by whom; details sealed to the citizen's inbox."""

    __tablename__ = "vault_journal"
    id: str = column(Holds.ID, primary_key=True)
    person_id: str = column(Holds.ID, index=True)
    at: datetime = column(Holds.TIME, type_=UtcDateTime)
    actor: str = column(Holds.CODE)
    action: str = column(Holds.CODE)
    detail_sealed: bytes = column(Holds.SEALED, type_=LargeBinary)
