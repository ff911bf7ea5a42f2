"""The table of what a citizen keeps. One kind of row for everything, so that the operator sees as little as possible.

A row says whose it is, of which kind, and how long it must be kept at most. What it is about (issuer, type, dates, to
whom it was shown, when) is sealed under the citizen's reading key.
"""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Index, LargeBinary

from byoid.service.database import UtcDateTime
from wallet.tables import Holds, WalletTable, column


class Kind(StrEnum):
    """What a row is."""

    CREDENTIAL = "credential"  # a card: its issuer, type, display; not the copies
    COPY = "copy"  # one copy of a credential, with the id of its holder key
    HISTORY = "history"  # something that was received, shown or refused
    RECEIPT = "receipt"  # an offer that is being accepted
    CONSENT = "consent"  # a request that waits for the citizen's answer
    REFUSAL = "refusal"  # the answer to a request that the wallet refused, until the citizen has it sent
    DEFERRED = "deferred"  # a credential that an issuer has promised
    SETTINGS = "settings"
    LEAVING = "leaving"  # the citizen was asked whether everything is to be deleted


class Item(WalletTable, table=True):
    """Something that a citizen keeps."""

    __tablename__ = "wallet_item"
    __table_args__ = (Index("ix_wallet_item_place", "person_id", "kind", "parent_id", "id"),)
    id: str = column(Holds.ID, primary_key=True)
    person_id: str = column(Holds.ID)
    kind: str = column(Holds.CODE)
    parent_id: str | None = column(Holds.ID, nullable=True)
    version: int = column(Holds.NUMBER)
    sealed: bytes = column(Holds.SEALED, type_=LargeBinary)
    expires_at: datetime | None = column(Holds.TIME, type_=UtcDateTime, nullable=True, index=True)
