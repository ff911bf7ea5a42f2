"""What a token or credential request writes: each step's rows together, so that all of them are there or none.

Changes of state are compare-and-set: a write that changes no row undoes its step (`Database.write`). What a step reads
is in `store.py`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final

from sqlalchemy import Insert, bindparam, update

from byoid.service.database import UtcDateTime, Write, insert
from issuer.store import authorizations, batches, deferreds, grants, issuances, offers, spent
from issuer.tables import AuthorizationState, DeferredState, OfferState

_TIME: Final = UtcDateTime()
_NOW: Final = bindparam("now", type_=_TIME)
_REDEEM_OFFER = (
    update(offers)
    .where(offers.c.id_hash == bindparam("key"), offers.c.state == OfferState.OFFERED, offers.c.expires_at > _NOW)
    .values(state=OfferState.REDEEMED)
)
_REDEEM_CODE = (
    update(authorizations)
    .where(
        authorizations.c.code_hash == bindparam("code"),
        authorizations.c.state == AuthorizationState.APPROVED,
        authorizations.c.code_expires_at > _NOW,
    )
    .values(state=AuthorizationState.REDEEMED)
)
_INSERT_GRANT = insert(grants)
_ROTATE_TOKEN = (
    update(grants)
    .where(grants.c.refresh_hash == bindparam("refresh"), grants.c.revoked.is_(False))
    .values(
        token_hash=bindparam("token"),
        token_expires_at=bindparam("until", type_=_TIME),
        dpop_jkt=bindparam("new_dpop_jkt"),
        wallet_status=bindparam("new_wallet_status", type_=grants.c.wallet_status.type),
        wallet_until=bindparam("new_wallet_until", type_=_TIME),
    )
)
_INSERT_BATCH = insert(batches)
_DELIVER_DEFERRED = (
    update(deferreds)
    .where(deferreds.c.transaction_hash == bindparam("key"), deferreds.c.state == DeferredState.WAITING)
    .values(state=DeferredState.DELIVERED)
)
_INSERT_DEFERRED = insert(deferreds)
_OWN: Final = ("id", "status_list_id", "status_index")  # what tells the credentials of one answer apart


def spend(values: Mapping[bytes, datetime]) -> Write:
    """Use values that may be used once, each kept until its time."""
    row: dict[str, Any] = {}
    for number, (value_hash, until) in enumerate(values.items()):
        row |= {f"value_{number}": value_hash, f"until_{number}": until}
    return Write(_spend(len(values)), [row], changes=len(values))


def redeem_offer(id_hash: bytes, *, now: datetime) -> Write:
    """Take an offer, if it is still open."""
    return Write(_REDEEM_OFFER, [{"key": id_hash, "now": now}])


def redeem_code(code_hash: bytes, *, now: datetime) -> Write:
    """Take a code, if it is fresh and unused."""
    return Write(_REDEEM_CODE, [{"code": code_hash, "now": now}])


def add_grant(row: Mapping[str, Any]) -> Write:
    """Keep a grant with its access token."""
    return Write(_INSERT_GRANT, [row])


def rotate_token(refresh_hash: bytes, token: Mapping[str, Any]) -> Write:
    """Replace the access token of a grant, and the key that it is bound to; the old one stops working."""
    parameters = {
        "refresh": refresh_hash, "token": token["token_hash"], "until": token["until"],
        "new_dpop_jkt": token["dpop_jkt"],
        "new_wallet_status": token["wallet_status"], "new_wallet_until": token["wallet_until"],
    }  # fmt: skip
    return Write(_ROTATE_TOKEN, [parameters])


def add_issuances(batch: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[Write]:
    """Record the credentials of one answer. Only after this may they be delivered."""
    row = dict(rows[0])
    own = [[row.pop(name) for name in _OWN], *([each[name] for name in _OWN] for each in rows[1:])]
    for number, values in enumerate(own):
        row |= {f"{name}_{number}": value for name, value in zip(_OWN, values, strict=True)}
    return [Write(_INSERT_BATCH, [batch]), Write(_add_issuances(len(rows)), [row], changes=len(rows))]


def add_deferred(row: Mapping[str, Any]) -> Write:
    """Keep an issuance that waits."""
    return Write(_INSERT_DEFERRED, [row])


def deliver_deferred(transaction_hash: bytes) -> Write:
    """End a deferred issuance with its delivery, once."""
    return Write(_DELIVER_DEFERRED, [{"key": transaction_hash}])


@cache  # as many as a request has keys, which the metadata bound
def _add_issuances(count: int) -> Insert:
    common = {each.name: bindparam(each.name, type_=each.type) for each in issuances.c if each.name not in _OWN}
    own = [issuances.c[name] for name in _OWN]
    rows = [
        common | {each.name: bindparam(f"{each.name}_{at}", type_=each.type) for each in own} for at in range(count)
    ]
    return insert(issuances).values(rows)


@cache  # as many as a request has keys, which the metadata bound
def _spend(count: int) -> Insert:
    rows = [
        {"value_hash": bindparam(f"value_{number}"), "expires_at": bindparam(f"until_{number}", type_=_TIME)}
        for number in range(count)
    ]
    return insert(spent).values(rows).on_conflict_do_nothing()
