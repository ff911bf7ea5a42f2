"""The table of attestations that the wallet provider has issued: what a status list is made of, and nothing else.

A row says whose wallet it is, so that a lost wallet can be revoked; not for which issuer, nor which keys.
"""

from datetime import datetime

from sqlalchemy import UniqueConstraint

from byoid.service.database import UtcDateTime
from wallet.tables import Holds, WalletTable, column


class Attestation(WalletTable, table=True):
    """A place in a status list, taken by one client attestation or key attestation."""

    __tablename__ = "wallet_attestation"
    __table_args__ = (UniqueConstraint("list_id", "place"),)
    id: str = column(Holds.ID, primary_key=True)
    person_id: str = column(Holds.ID, index=True)
    list_id: str = column(Holds.CODE)
    place: int = column(Holds.NUMBER)
    revoked: bool = column(Holds.NUMBER)
    expires_at: datetime = column(Holds.TIME, type_=UtcDateTime, index=True)
