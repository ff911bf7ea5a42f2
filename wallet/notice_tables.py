"""Tables of notices: where a citizen wants to be told that something happened, and what is still to be sent.

A notice goes out while the citizen is away, so an address can't be sealed to their keys: it is sealed with the
service's, and the page says so. A notice itself says nothing but its kind.
"""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import LargeBinary, UniqueConstraint

from byoid.service.columns import UtcDateTime
from byoid.service.rate_limits import rate_limits_table
from wallet.tables import Holds, WalletTable, column


class Channel(StrEnum):
    """How a notice travels."""

    PUSH = "push"  # Web Push, RFC 8030
    MAIL = "mail"


class Notice(StrEnum):
    """What a notice is about. All that leaves the server."""

    SECURITY = "security"  # who can open the wallet has changed, or somebody tries to change it
    PROMISE = "promise"  # a card that was promised may be ready
    EXPIRY = "expiry"  # a card ends soon


class Subscription(WalletTable, table=True):
    """A place where notices go, and of which sort: about `security`, about `cards`."""

    __tablename__ = "wallet_subscription"
    __table_args__ = (UniqueConstraint("person_id", "fingerprint"),)
    id: str = column(Holds.ID, primary_key=True)
    person_id: str = column(Holds.ID, index=True)
    fingerprint: str = column(Holds.ID)
    channel: str = column(Holds.CODE)
    sealed: bytes = column(Holds.ADDRESS, type_=LargeBinary)
    security: bool = column(Holds.NUMBER)
    cards: bool = column(Holds.NUMBER)
    confirmed: bool = column(Holds.NUMBER)
    created_at: datetime = column(Holds.TIME, type_=UtcDateTime)


class PendingNotice(WalletTable, table=True):
    """A notice that is to be sent at a time: at most one of a kind for each subscription."""

    __tablename__ = "wallet_notice"
    __table_args__ = (UniqueConstraint("subscription_id", "kind"),)
    id: str = column(Holds.ID, primary_key=True)
    subscription_id: str = column(Holds.ID)
    person_id: str = column(Holds.ID, index=True)
    kind: str = column(Holds.CODE)
    tries: int = column(Holds.NUMBER)
    due_at: datetime = column(Holds.TIME, type_=UtcDateTime, index=True)


LIMITS = rate_limits_table(WalletTable.metadata)
for _name, _holds in {"key": Holds.PUBLIC, "count": Holds.NUMBER, "expires_at": Holds.TIME}.items():
    LIMITS.c[_name].info["holds"] = _holds  # the key is a keyed hash and the number of a window
