"""Every statement that the issuer runs while a wallet waits. Changes of state are compare-and-set, judged by rowcount.

Statements are constants, so that they are compiled once. What an agency's back office asks is in `agency_store.py`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Table, and_, bindparam, or_, select, update

from byoid.service.database import Connection, Database, Expiry, Transaction, insert
from issuer.tables import (
    Authorization,
    AuthorizationState,
    Batch,
    CredentialStatus,
    Deferred,
    DeferredState,
    Grant,
    Issuance,
    IssuerTable,
    Offer,
    OfferState,
    Spent,
    StatusList,
    lockouts,
    rate_limits,
)


def _table(model: type[IssuerTable]) -> Table:
    table: Table = model.__table__  # type: ignore[attr-defined]  # SQLModel's stubs don't know it
    return table


offers, authorizations, grants, spent = _table(Offer), _table(Authorization), _table(Grant), _table(Spent)
status_lists, issuances, batches, deferreds = _table(StatusList), _table(Issuance), _table(Batch), _table(Deferred)

_NOW: Final = bindparam("now", type_=offers.c.expires_at.type)

# --- offers ---
_INSERT_OFFER = insert(offers)
_OFFER = select(offers).where(offers.c.id_hash == bindparam("id_hash"), offers.c.expires_at > _NOW)
_COUNT_TX_GUESS = (
    update(offers)
    .where(
        offers.c.id_hash == bindparam("key"),
        offers.c.state == OfferState.OFFERED,
        offers.c.tx_failures < bindparam("limit"),
    )
    .values(tx_failures=offers.c.tx_failures + 1)
)
_SET_OFFER_STATE = (
    update(offers)
    .where(offers.c.id_hash == bindparam("key"), offers.c.state == OfferState.OFFERED)
    .values(state=bindparam("new_state"))
)

# --- authorization requests and codes ---
_INSERT_AUTHORIZATION = insert(authorizations)
_AUTHORIZATION = select(authorizations).where(
    authorizations.c.request_hash == bindparam("request_hash"), authorizations.c.expires_at > _NOW
)
_SIGN_IN = (
    update(authorizations)
    .where(
        authorizations.c.request_hash == bindparam("key"),
        authorizations.c.state.in_((AuthorizationState.PUSHED, AuthorizationState.SIGNED_IN)),
        authorizations.c.expires_at > _NOW,
    )
    .values(
        state=AuthorizationState.SIGNED_IN,
        person=bindparam("person_"),
        person_hash=bindparam("person_hash_"),
        session_hash=bindparam("session_hash_"),
        expires_at=bindparam("until_", type_=offers.c.expires_at.type),
    )
)
_APPROVE = (
    update(authorizations)
    .where(
        authorizations.c.request_hash == bindparam("key"),
        authorizations.c.state == AuthorizationState.SIGNED_IN,
        authorizations.c.session_hash == bindparam("session"),
        authorizations.c.expires_at > _NOW,
    )
    .values(
        state=AuthorizationState.APPROVED,
        code_hash=bindparam("code"),
        code_expires_at=bindparam("code_until", type_=offers.c.expires_at.type),
    )
)
_DENY = (
    update(authorizations)
    .where(
        authorizations.c.request_hash == bindparam("key"),
        or_(authorizations.c.state == AuthorizationState.PUSHED,
            and_(authorizations.c.state == AuthorizationState.SIGNED_IN,
                 authorizations.c.session_hash == bindparam("session"))),
        authorizations.c.expires_at > _NOW,
    )
    .values(state=AuthorizationState.DENIED)
)  # fmt: skip
_BY_CODE = select(authorizations).where(authorizations.c.code_hash == bindparam("code"))

# --- grants ---
_GRANT_FOR_TOKEN = select(grants).where(
    grants.c.token_hash == bindparam("token"), grants.c.token_expires_at > _NOW, grants.c.revoked.is_(False)
)
_GRANT_FOR_REFRESH = select(grants).where(
    grants.c.refresh_hash == bindparam("refresh"), grants.c.expires_at > _NOW, grants.c.revoked.is_(False)
)
_REVOKE_BY_CODE = update(grants).where(grants.c.code_hash == bindparam("code")).values(revoked=True)

# --- values that may be used once ---
_SPENT = select(spent.c.value_hash).where(spent.c.value_hash.in_(bindparam("hashes", expanding=True)))

# --- status lists ---
_INSERT_STATUS_LIST = insert(status_lists)
_OPEN_LISTS = select(status_lists.c.id, status_lists.c.size, status_lists.c.drawn, status_lists.c.sealed_key).where(
    status_lists.c.agency_id == bindparam("agency"), status_lists.c.drawn < status_lists.c.size
)
_LIST = select(status_lists).where(status_lists.c.id == bindparam("list_id"))
_LISTS_TO_PUBLISH = select(status_lists).where(
    status_lists.c.agency_id == bindparam("agency"),
    (status_lists.c.changed != status_lists.c.published)
    | (status_lists.c.expires_at <= bindparam("renew_before", type_=offers.c.expires_at.type)),
)
_LIST_IDS = select(status_lists.c.id).where(status_lists.c.agency_id == bindparam("agency"))
_STATES = select(issuances.c.status_index, issuances.c.status).where(
    issuances.c.status_list_id == bindparam("list_id"), issuances.c.status != CredentialStatus.VALID
)
# Only forwards: a worker that publishes an older state after another loses.
_PUBLISHED = (
    update(status_lists)
    .where(status_lists.c.id == bindparam("key"), status_lists.c.published <= bindparam("version"))
    .values(
        published=bindparam("version"), jwt=bindparam("new_jwt"), cwt=bindparam("new_cwt"),
        published_at=bindparam("at", type_=offers.c.expires_at.type),
        expires_at=bindparam("until", type_=offers.c.expires_at.type),
    )
)  # fmt: skip
_DRAW = (
    update(status_lists)
    .where(status_lists.c.id == bindparam("key"), status_lists.c.drawn + bindparam("count") <= status_lists.c.size)
    .values(drawn=status_lists.c.drawn + bindparam("count"))
    .returning(status_lists.c.drawn)
)

# --- issued credentials ---
_BATCH = select(batches).where(
    batches.c.notification_hash == bindparam("notification"), batches.c.grant_id == bindparam("grant")
)
_NOTIFY = (
    update(batches)
    .where(
        batches.c.id == bindparam("key"),
        batches.c.event.is_(None) | (batches.c.event != bindparam("new_event")),
    )
    .values(event=bindparam("new_event"))
)

# --- deferred issuance ---
_DEFERRED = select(deferreds).where(
    deferreds.c.transaction_hash == bindparam("transaction"),
    deferreds.c.grant_id == bindparam("grant"),
    deferreds.c.expires_at > _NOW,
)
_REFUSE_DEFERRED = (
    update(deferreds)
    .where(deferreds.c.transaction_hash == bindparam("key"), deferreds.c.state == DeferredState.WAITING)
    .values(state=DeferredState.REFUSED)
)

_EXPIRIES: Final = tuple(
    Expiry(table, expires_at=table.c.expires_at)
    for table in (offers, authorizations, grants, spent, batches, deferreds, lockouts, rate_limits)
)


class Store:
    """The issuer's statements, over one database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def transaction(self) -> Transaction:
        """Return a transaction; see `byoid.service.connection.Transaction`."""
        return self.database.transaction()

    async def add_offer(self, row: Mapping[str, Any]) -> None:
        """Keep a new offer."""
        await self.database.execute(_INSERT_OFFER, row)

    async def add_offers(self, tx: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Keep many new offers, in the caller's transaction."""
        await tx.execute_many(_INSERT_OFFER, rows)

    async def offer(self, id_hash: bytes, *, now: datetime) -> Any | None:
        """Return an offer that has not expired, whatever its state."""
        return (await self.database.fetch(_OFFER, {"id_hash": id_hash, "now": now})).first()

    async def count_tx_guess(self, id_hash: bytes, *, limit: int) -> bool:
        """Count a transaction code before it is judged; False if there were `limit` guesses already."""
        return (await self.database.execute(_COUNT_TX_GUESS, {"key": id_hash, "limit": limit})).rowcount == 1

    async def lock_offer(self, id_hash: bytes) -> None:
        """Lock an offer for good: too many wrong transaction codes."""
        await self.database.execute(_SET_OFFER_STATE, {"key": id_hash, "new_state": OfferState.LOCKED})

    async def cancel_offer(self, id_hash: bytes) -> bool:
        """Withdraw an offer that nobody has taken."""
        parameters = {"key": id_hash, "new_state": OfferState.CANCELLED}
        return (await self.database.execute(_SET_OFFER_STATE, parameters)).rowcount == 1

    async def add_authorization(self, row: Mapping[str, Any]) -> None:
        """Keep a pushed authorization request."""
        await self.database.execute(_INSERT_AUTHORIZATION, row)

    async def authorization(self, request_hash: bytes, *, now: datetime) -> Any | None:
        """Return an authorization request that has not expired, whatever its state."""
        return (await self.database.fetch(_AUTHORIZATION, {"request_hash": request_hash, "now": now})).first()

    async def sign_in(
        self, request_hash: bytes, *, person: bytes, person_hash: bytes, session_hash: bytes, until: datetime,
        now: datetime,
    ) -> bool:  # fmt: skip
        """Note who has signed in, in which browser session; consent must follow before `until`."""
        parameters = {
            "key": request_hash, "person_": person, "person_hash_": person_hash, "session_hash_": session_hash,
            "until_": until, "now": now,
        }  # fmt: skip
        return (await self.database.execute(_SIGN_IN, parameters)).rowcount == 1

    async def approve(
        self, request_hash: bytes, *, session_hash: bytes, code_hash: bytes, until: datetime, now: datetime
    ) -> bool:
        """Give out a code, once, in the browser session that signed in."""
        parameters = {"key": request_hash, "session": session_hash, "code": code_hash, "code_until": until, "now": now}
        return (await self.database.execute(_APPROVE, parameters)).rowcount == 1

    async def deny(self, request_hash: bytes, *, session_hash: bytes, now: datetime) -> bool:
        """End an authorization request without a code; once somebody has signed in, only in that browser session."""
        parameters = {"key": request_hash, "session": session_hash, "now": now}
        return (await self.database.execute(_DENY, parameters)).rowcount == 1

    async def authorization_for_code(self, code_hash: bytes) -> Any | None:
        """Return the authorization request that a code belongs to, whatever its state."""
        return (await self.database.fetch(_BY_CODE, {"code": code_hash})).first()

    async def revoke_grants_of_code(self, code_hash: bytes) -> int:
        """Revoke what a code has given, because it came a second time (RFC 6749 4.1.2)."""
        return (await self.database.execute(_REVOKE_BY_CODE, {"code": code_hash})).rowcount

    async def grant_for_token(self, token_hash: bytes, *, now: datetime) -> Any | None:
        """Return the grant of an access token that is still good."""
        return (await self.database.fetch(_GRANT_FOR_TOKEN, {"token": token_hash, "now": now})).first()

    async def grant_for_refresh(self, refresh_hash: bytes, *, now: datetime) -> Any | None:
        """Return the grant of a refresh token that is still good."""
        return (await self.database.fetch(_GRANT_FOR_REFRESH, {"refresh": refresh_hash, "now": now})).first()

    async def spent(self, value_hashes: Sequence[bytes]) -> set[bytes]:
        """Return which of these values were used before."""
        async with self.transaction() as tx:  # which sees what others have written and is about to be committed
            return {row.value_hash for row in await tx.execute(_SPENT, {"hashes": list(value_hashes)})}

    async def open_status_lists(self, agency_id: str) -> Sequence[Any]:
        """Return the lists that have indices left: id, size and sealed key."""
        return (await self.database.fetch(_OPEN_LISTS, {"agency": agency_id})).rows

    async def add_status_list(self, row: Mapping[str, Any]) -> None:
        """Keep a new list."""
        await self.database.execute(_INSERT_STATUS_LIST, row)

    async def draw(self, list_id: str, *, count: int) -> range | None:
        """Draw `count` places of a list, never drawn before; None if it has not so many left."""
        drawn = (await self.database.execute(_DRAW, {"key": list_id, "count": count})).scalar()
        return None if drawn is None else range(drawn - count, drawn)

    async def status_list(self, list_id: str) -> Any | None:
        """Return a list with its published tokens."""
        return (await self.database.fetch(_LIST, {"list_id": list_id})).first()

    async def status_list_ids(self, agency_id: str) -> list[str]:
        """Return the ids of all lists of an agency."""
        return [row.id for row in await self.database.fetch(_LIST_IDS, {"agency": agency_id})]

    async def lists_to_publish(self, agency_id: str, *, renew_before: datetime) -> Sequence[Any]:
        """Return the lists that have changed since they were published, or whose tokens expire soon."""
        return (await self.database.fetch(_LISTS_TO_PUBLISH, {"agency": agency_id, "renew_before": renew_before})).rows

    async def states(self, list_id: str) -> Sequence[tuple[int, str]]:
        """Return index and state of every credential of a list that is not valid."""
        return (await self.database.fetch(_STATES, {"list_id": list_id})).rows

    async def published(
        self, list_id: str, *, changed: int, jwt: str, cwt: bytes, published_at: datetime, expires_at: datetime
    ) -> None:
        """Keep the tokens that show the state as of `changed`."""
        parameters = {
            "key": list_id, "version": changed, "new_jwt": jwt, "new_cwt": cwt, "at": published_at, "until": expires_at,
        }  # fmt: skip
        await self.database.execute(_PUBLISHED, parameters)

    async def batch(self, notification_hash: bytes, *, grant_id: str) -> Any | None:
        """Return a batch of this grant."""
        return (await self.database.fetch(_BATCH, {"notification": notification_hash, "grant": grant_id})).first()

    async def notify(self, tx: Connection, batch_id: str, *, event: str) -> bool:
        """Note what the wallet says of a batch; False if it has said so before."""
        return (await tx.execute(_NOTIFY, {"key": batch_id, "new_event": event})).rowcount == 1

    async def deferred(self, transaction_hash: bytes, *, grant_id: str, now: datetime) -> Any | None:
        """Return a deferred issuance of this grant."""
        parameters = {"transaction": transaction_hash, "grant": grant_id, "now": now}
        return (await self.database.fetch(_DEFERRED, parameters)).first()

    async def refuse_deferred(self, transaction_hash: bytes) -> None:
        """End a deferred issuance that the source refuses."""
        await self.database.execute(_REFUSE_DEFERRED, {"key": transaction_hash})

    async def expire(self, *, now: datetime) -> int:
        """Delete what has expired, in batches. Nothing correct depends on it: expiry is checked on every read too."""
        return sum([await expiry.run(self.database, now=now) for expiry in _EXPIRIES])
