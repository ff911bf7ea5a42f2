"""Every statement of the agency's side, which no wallet waits for: look-ups, changes of status, bulk jobs, accounts.

Changes of status are made in bounded batches, each a transaction that also counts up the lists concerned, so that the
next publication shows them.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Column, Select, Table, Update, bindparam, case, delete, func, select, update

from byoid.service.database import Connection, Database, Expiry, UtcDateTime, Write, insert, some_of
from issuer.agency_tables import Account, ApiKey, Outdated, Subject, WalletHold, Webhook, outbox
from issuer.store import batches, grants, issuances, offers, status_lists
from issuer.tables import CredentialStatus, IssuerTable, OfferState

PAGE: Final = 100
BATCH: Final = 500
COUNTED: Final = 10_000  # more than that is not counted for a page


def table_of(model: type[IssuerTable]) -> Table:
    """Return the Core table of a model."""
    table: Table = model.__table__  # type: ignore[attr-defined]  # SQLModel's stubs don't know it
    return table


class Target(StrEnum):
    """What a change of status or a look-up is about."""

    CREDENTIAL = "credential"
    PERSON = "person"
    TYPE = "type"
    BATCH = "batch"
    ALL = "all"


api_keys, accounts, subjects = table_of(ApiKey), table_of(Account), table_of(Subject)
outdated, webhooks, holds = table_of(Outdated), table_of(Webhook), table_of(WalletHold)

_TIME: Final = UtcDateTime()
_NOW: Final = bindparam("now", type_=_TIME)
_COLUMNS: Final[Mapping[Target, Column[Any]]] = {
    Target.CREDENTIAL: issuances.c.id,
    Target.PERSON: issuances.c.person_hash,
    Target.TYPE: issuances.c.credential_type,
    Target.BATCH: issuances.c.batch_id,
    Target.ALL: issuances.c.agency_id,
}
_FROM: Final = {
    CredentialStatus.REVOKED: (CredentialStatus.VALID, CredentialStatus.SUSPENDED),  # never reversed (VCR_04)
    CredentialStatus.SUSPENDED: (CredentialStatus.VALID,),
    CredentialStatus.VALID: (CredentialStatus.SUSPENDED,),
}


def _look_up(column: Column[Any]) -> Select[Any]:
    found = select(
        issuances.c.id, issuances.c.batch_id, issuances.c.credential_type, issuances.c.configuration_id,
        issuances.c.status, issuances.c.client_id, issuances.c.issued_on, issuances.c.expires_at, batches.c.event,
    )  # fmt: skip
    joined = found.select_from(issuances.outerjoin(batches, batches.c.id == issuances.c.batch_id))
    chosen = joined.where(
        issuances.c.agency_id == bindparam("agency"), column == bindparam("value"), issuances.c.id > bindparam("after")
    )
    return chosen.order_by(issuances.c.id).limit(PAGE)


def _change(column: Column[Any], status: CredentialStatus) -> Update:
    old = issuances.c.status.in_(_FROM[status])
    due = (
        select(issuances.c.id)
        .where(
            issuances.c.agency_id == bindparam("agency"),
            column == bindparam("value"),
            old,
            issuances.c.expires_at > _NOW,
        )
        .limit(BATCH)
    )
    return (
        update(issuances)
        .where(issuances.c.id.in_(due.scalar_subquery()), old)
        .values(status=status)
        .returning(
            issuances.c.id, issuances.c.batch_id, issuances.c.grant_id, issuances.c.credential_type,
            issuances.c.status_list_id,
        )
    )  # fmt: skip


def _countable(column: Column[Any], status: CredentialStatus) -> Select[Any]:
    some = select(issuances.c.id).where(
        issuances.c.agency_id == bindparam("agency"),
        column == bindparam("value"),
        issuances.c.status.in_(_FROM[status]),
        issuances.c.expires_at > _NOW,
    )
    return select(func.count()).select_from(some.limit(COUNTED).subquery())


_LOOK_UP: Final = {target: _look_up(column) for target, column in _COLUMNS.items()}
_CHANGE: Final = {(target, status): _change(column, status) for target, column in _COLUMNS.items() for status in _FROM}
_COUNT: Final = {
    (target, status): _countable(column, status) for target, column in _COLUMNS.items() for status in _FROM
}
_LIST_CHANGED = (
    update(status_lists)
    .where(status_lists.c.id == bindparam("list_id"))
    .values(changed=status_lists.c.changed + 1)
)  # fmt: skip
_END_GRANT = update(grants).where(grants.c.id == bindparam("grant_id")).values(revoked=True)
_END_GRANTS_OF_PERSON = update(grants).where(grants.c.person_hash == bindparam("person_hash_")).values(revoked=True)
_CANCEL_OFFERS = (
    update(offers)
    .where(
        offers.c.agency_id == bindparam("agency"),
        offers.c.person_hash == bindparam("person_hash_"),
        offers.c.state == OfferState.OFFERED,
    )
    .values(state=OfferState.CANCELLED)
)

_INSERT_API_KEY = insert(api_keys)
_API_KEY = select(api_keys.c.id, api_keys.c.role, api_keys.c.name).where(
    api_keys.c.key_hash == bindparam("key"), api_keys.c.revoked.is_(False)
)
_API_KEYS = (
    select(api_keys.c.id, api_keys.c.role, api_keys.c.name, api_keys.c.revoked, api_keys.c.created_at)
    .where(api_keys.c.agency_id == bindparam("agency"))
    .order_by(api_keys.c.created_at)
)
_REVOKE_API_KEY = (
    update(api_keys)
    .where(api_keys.c.id == bindparam("key_id"), api_keys.c.agency_id == bindparam("agency"))
    .values(revoked=True)
)

_PUT_ACCOUNT = insert(accounts)
_PUT_ACCOUNT = _PUT_ACCOUNT.on_conflict_do_update(
    index_elements=[accounts.c.username_hash],
    set_={name: _PUT_ACCOUNT.excluded[name] for name in ("salt", "password_hash", "person")},
)
_ACCOUNT = select(accounts).where(accounts.c.username_hash == bindparam("username"))
_DELETE_ACCOUNT = delete(accounts).where(accounts.c.username_hash == bindparam("username"))

_INSERT_WEBHOOK = insert(webhooks)
_WEBHOOKS = select(webhooks).where(webhooks.c.agency_id == bindparam("agency"))
_OUTBOX = (
    select(
        outbox.c.receiver, func.count().label("waiting"), func.min(outbox.c.due_at).label("next_try"),
        func.max(outbox.c.tries).label("tries"),
    )
    .group_by(outbox.c.receiver)
)  # fmt: skip
_DELETE_WEBHOOK = delete(webhooks).where(
    webhooks.c.id == bindparam("webhook_id"), webhooks.c.agency_id == bindparam("agency")
)

# --- whom live credentials are about, and whether the facts still hold ---
_PUT_SUBJECT = insert(subjects)
_PUT_SUBJECT = _PUT_SUBJECT.on_conflict_do_update(
    index_elements=[subjects.c.person_hash],
    set_={
        "grant_id": _PUT_SUBJECT.excluded.grant_id,
        "person": _PUT_SUBJECT.excluded.person,
        "expires_at": case(
            (subjects.c.expires_at > _PUT_SUBJECT.excluded.expires_at, subjects.c.expires_at),
            else_=_PUT_SUBJECT.excluded.expires_at,
        ),
    },
)
_SUBJECTS_TO_COMPARE = (
    select(subjects.c.person_hash, subjects.c.person, subjects.c.grant_id)
    .where(
        subjects.c.agency_id == bindparam("agency"),
        subjects.c.compared_at <= bindparam("before", type_=_TIME),
        subjects.c.expires_at > _NOW,
    )
    .order_by(subjects.c.compared_at)
    .limit(BATCH)
)
_COMPARED = update(subjects).where(subjects.c.person_hash == bindparam("person_hash_")).values(compared_at=_NOW)
_LIVE_OF_PERSON = select(
    issuances.c.id, issuances.c.credential_type, issuances.c.record_hash, issuances.c.expires_at
).where(
    issuances.c.agency_id == bindparam("agency"),
    issuances.c.person_hash == bindparam("person_hash_"),
    issuances.c.status != CredentialStatus.REVOKED,
    issuances.c.expires_at > _NOW,
)
_MARK_OUTDATED = insert(outdated).on_conflict_do_nothing()
_OUTDATED_DUE = (
    select(outdated.c.issuance_id, outdated.c.reason)
    .where(outdated.c.agency_id == bindparam("agency"), outdated.c.revoke_at <= _NOW)
    .limit(BATCH)
)
_FORGET_OUTDATED = delete(outdated).where(outdated.c.issuance_id == bindparam("issuance"))

# --- the wallet's and its keys' own status ---
_LIVE_WITH_WALLET = (
    select(
        issuances.c.id, issuances.c.wallet_status, issuances.c.status, holds.c.issuance_id.is_not(None).label("held")
    )
    .select_from(issuances.outerjoin(holds, holds.c.issuance_id == issuances.c.id))
    .where(
        issuances.c.agency_id == bindparam("agency"),
        issuances.c.id > bindparam("after"),
        issuances.c.status != CredentialStatus.REVOKED,
        issuances.c.expires_at > _NOW,
        issuances.c.wallet_status.is_not(None),
    )
    .order_by(issuances.c.id)
    .limit(BATCH)
)
_HOLD = insert(holds).on_conflict_do_nothing()
_RELEASE = {
    target: delete(holds).where(
        holds.c.issuance_id.in_(
            select(issuances.c.id)
            .where(issuances.c.agency_id == bindparam("agency"), column == bindparam("value"))
            .scalar_subquery()
        )
    )
    for target, column in _COLUMNS.items()
}
_RELEASE_EXPIRED = some_of(
    holds,
    (holds.c.agency_id == bindparam("agency"))
    & ~select(issuances.c.id).where(issuances.c.id == holds.c.issuance_id).exists(),
)
_EXPIRIES: Final = tuple(Expiry(table, expires_at=table.c.expires_at) for table in (subjects, issuances))


class AgencyStore:
    """The statements of the agency's side, over one database, for one agency."""

    def __init__(self, database: Database, agency_id: str) -> None:
        self.database = database
        self._agency = agency_id

    async def look_up(self, target: Target, value: Any, *, after: str = "") -> Sequence[Any]:
        """Return a page of what was issued, in the order of ids."""
        parameters = {"agency": self._agency, "value": value, "after": after}
        return (await self.database.fetch(_LOOK_UP[target], parameters)).rows

    async def count_changeable(self, target: Target, value: Any, status: CredentialStatus, *, now: datetime) -> int:
        """Return how many credentials may take this status; `COUNTED` stands for that many or more."""
        parameters = {"agency": self._agency, "value": value, "now": now}
        return int((await self.database.fetch(_COUNT[target, status], parameters)).scalar() or 0)

    async def change_status(
        self, tx: Connection, target: Target, value: Any, status: CredentialStatus, *, now: datetime
    ) -> Sequence[Any]:
        """Change at most `BATCH` credentials that may take this status, and count up their lists."""
        statement = _CHANGE[target, status]
        changed = (await tx.execute(statement, {"agency": self._agency, "value": value, "now": now})).rows
        lists = {row.status_list_id for row in changed if row.status_list_id is not None}
        if lists:
            await tx.execute_many(_LIST_CHANGED, [{"list_id": each} for each in sorted(lists)])
        return changed

    async def end_grants(self, tx: Connection, grant_ids: set[str]) -> None:
        """Let these grants give no credential any more."""
        if grant_ids:
            await tx.execute_many(_END_GRANT, [{"grant_id": each} for each in sorted(grant_ids)])

    async def end_reissuance(self, tx: Connection, person_hash: bytes) -> int:
        """Let no grant of a person give credentials any more, and withdraw what was offered and not taken."""
        await tx.execute(_END_GRANTS_OF_PERSON, {"person_hash_": person_hash})
        return (await tx.execute(_CANCEL_OFFERS, {"agency": self._agency, "person_hash_": person_hash})).rowcount

    async def add_api_key(self, tx: Connection, row: Mapping[str, Any]) -> None:
        """Keep a new API key's hash."""
        await tx.execute(_INSERT_API_KEY, {**row, "agency_id": self._agency})

    async def api_key(self, key_hash: bytes) -> Any | None:
        """Return the API key with this hash, unless it is revoked."""
        return (await self.database.fetch(_API_KEY, {"key": key_hash})).first()

    async def api_keys(self) -> Sequence[Any]:
        """Return all API keys, without their hashes."""
        return (await self.database.fetch(_API_KEYS, {"agency": self._agency})).rows

    async def revoke_api_key(self, tx: Connection, key_id: str) -> bool:
        """End an API key."""
        return (await tx.execute(_REVOKE_API_KEY, {"key_id": key_id, "agency": self._agency})).rowcount == 1

    async def put_account(self, tx: Connection, row: Mapping[str, Any]) -> None:
        """Keep an account, in place of one with the same name."""
        await tx.execute(_PUT_ACCOUNT, {**row, "agency_id": self._agency})

    async def account(self, username_hash: bytes) -> Any | None:
        """Return an account."""
        return (await self.database.fetch(_ACCOUNT, {"username": username_hash})).first()

    async def delete_account(self, tx: Connection, username_hash: bytes) -> bool:
        """Delete an account."""
        return (await tx.execute(_DELETE_ACCOUNT, {"username": username_hash})).rowcount == 1

    async def add_webhook(self, tx: Connection, row: Mapping[str, Any]) -> None:
        """Keep a new webhook."""
        await tx.execute(_INSERT_WEBHOOK, {**row, "agency_id": self._agency})

    async def webhooks(self) -> Sequence[Any]:
        """Return all webhooks."""
        return (await self.database.fetch(_WEBHOOKS, {"agency": self._agency})).rows

    async def waiting_messages(self) -> Sequence[Any]:
        """Return for each receiver how many messages wait, and when the next one is tried."""
        return (await self.database.fetch(_OUTBOX)).rows

    async def delete_webhook(self, tx: Connection, webhook_id: str) -> bool:
        """Delete a webhook."""
        return (await tx.execute(_DELETE_WEBHOOK, {"webhook_id": webhook_id, "agency": self._agency})).rowcount == 1

    def subject(
        self, *, person_hash: bytes, person: bytes, grant_id: str, expires_at: datetime, now: datetime
    ) -> Write:
        """Remember whom credentials are about, until they expire."""
        row = {
            "person_hash": person_hash, "agency_id": self._agency, "person": person, "grant_id": grant_id,
            "compared_at": now, "expires_at": expires_at,
        }  # fmt: skip
        return Write(_PUT_SUBJECT, [row])

    async def subjects_to_compare(self, *, before: datetime, now: datetime) -> Sequence[Any]:
        """Return people whose facts were compared longest ago, and before a time."""
        return (
            await self.database.fetch(_SUBJECTS_TO_COMPARE, {"agency": self._agency, "before": before, "now": now})
        ).rows

    async def compared(self, person_hash: bytes, *, now: datetime) -> None:
        """Note that the facts about a person were compared."""
        await self.database.execute(_COMPARED, {"person_hash_": person_hash, "now": now})

    async def live_of(self, person_hash: bytes, *, now: datetime) -> Sequence[Any]:
        """Return the credentials of a person that are neither revoked nor expired."""
        parameters = {"agency": self._agency, "person_hash_": person_hash, "now": now}
        return (await self.database.fetch(_LIVE_OF_PERSON, parameters)).rows

    async def mark_outdated(self, tx: Connection, issuance_id: str, *, reason: str, revoke_at: datetime) -> bool:
        """Note that a credential will be revoked; False if that was noted before."""
        row = {"issuance_id": issuance_id, "agency_id": self._agency, "reason": reason, "revoke_at": revoke_at}
        return (await tx.execute(_MARK_OUTDATED, row)).rowcount == 1

    async def outdated_due(self, *, now: datetime) -> Sequence[Any]:
        """Return outdated credentials whose time has come."""
        return (await self.database.fetch(_OUTDATED_DUE, {"agency": self._agency, "now": now})).rows

    async def forget_outdated(self, tx: Connection, issuance_id: str) -> None:
        """Forget that a credential is outdated."""
        await tx.execute(_FORGET_OUTDATED, {"issuance": issuance_id})

    async def live_with_wallet(self, *, after: str, now: datetime) -> Sequence[Any]:
        """Return a page of live credentials whose wallet or keys have a status of their own."""
        parameters = {"agency": self._agency, "after": after, "now": now}
        return (await self.database.fetch(_LIVE_WITH_WALLET, parameters)).rows

    async def hold(self, tx: Connection, issuance_id: str) -> None:
        """Note that a credential is suspended because its wallet is."""
        await tx.execute(_HOLD, {"issuance_id": issuance_id, "agency_id": self._agency})

    async def release(self, tx: Connection, target: Target, value: Any) -> int:
        """Forget why credentials were suspended: from now on somebody has decided otherwise; return of how many."""
        return (await tx.execute(_RELEASE[target], {"agency": self._agency, "value": value})).rowcount

    async def expire(self, *, now: datetime) -> int:
        """Delete what has expired, in batches."""
        while (await self.database.execute(_RELEASE_EXPIRED, {"agency": self._agency})).rowcount:
            pass
        return sum([await expiry.run(self.database, now=now) for expiry in _EXPIRIES])
