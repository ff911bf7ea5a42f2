"""Transactions in a database: one row each, which any worker can serve and which survives a restart.

Conventions "Code": Core statements on the driver, compare-and-set, what is secret sealed to its row, what is looked up
a keyed hash. Put the table into a service's metadata with `transactions_table`, and run `expire` now and then.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

from sqlalchemy import (
    Column,
    ColumnElement,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    bindparam,
    delete,
    select,
    update,
)

from byoid.relying_party.errors import TransactionUnknown
from byoid.relying_party.transaction import ANSWERABLE, Mode, Progress, State, Transaction
from byoid.service.connection import Unchanged, Write, execute_writes
from byoid.service.database import EXPIRY_BATCH, Database, Expiry, UtcDateTime, insert
from byoid.service.seal import KeyedHash, SealBroken, Sealer

EXPIRED: Final = "expired"
_MAX_REASON: Final = 500


@dataclass(frozen=True)
class Change:
    """A transaction came to another state: `declined`, `accepted`, `rejected`, or `expired` without an answer."""

    id: str
    service_id: str
    policy_id: str
    state: str


# Returns what is to be written together with a change, such as a webhook's message.
OnChanged: TypeAlias = Callable[[Change], Awaitable[Sequence[Write]]]


async def _nothing(_: Change) -> Sequence[Write]:
    return ()


def transactions_table(metadata: MetaData) -> Table:
    """Add the table to a service's metadata."""
    return Table(
        "transactions",
        metadata,
        Column("id", String(64), primary_key=True),
        Column("service_id", String(64), nullable=False),
        Column("request_hash", LargeBinary(32), nullable=False, unique=True),
        Column("policy_id", String(64), nullable=False),
        Column("mode", String(16), nullable=False),
        Column("state", String(16), nullable=False),
        Column("sealed", LargeBinary, nullable=False),
        Column("failures", Integer, nullable=False),
        Column("last_failure", Text, nullable=True),
        Column("declined_with", Text, nullable=True),
        Column("created_at", UtcDateTime(), nullable=False),
        Column("expires_at", UtcDateTime(), nullable=False, index=True),
    )


class SqlTransactions:
    """A `TransactionStore` over `byoid.service.database`, on SQLite and PostgreSQL.

    `only_if` must hold in the database for a transaction to begin, such as that its policy is still in use; it may name
    the columns of the new row: `bindparam("new_policy_id")`.
    """

    def __init__(
        self,
        database: Database,
        table: Table,
        sealer: Sealer,
        *,
        on_changed: OnChanged = _nothing,
        only_if: ColumnElement[bool] | None = None,
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._on_changed = on_changed
        self._table = table.name
        self._lookup = KeyedHash(sealer.keyed_hash("request_id", purpose="transactions"))
        conditions = () if only_if is None else (only_if,)
        new = select(*(bindparam(f"new_{each.name}", type_=each.type) for each in table.columns)).where(*conditions)
        self._insert = insert(table).from_select(list(table.columns), new)
        self._statements(table)

    def _statements(self, table: Table) -> None:
        columns = table.c
        now = bindparam("now", type_=UtcDateTime())
        answerable = columns.state.in_(sorted(ANSWERABLE))
        mine = (columns.id == bindparam("key")) & (columns.service_id == bindparam("service"))
        row = (columns.id == bindparam("key")) & answerable
        looked_at = [each for each in columns if each.name not in ("sealed", "request_hash", "service_id")]
        self._by_request = select(table).where(
            columns.request_hash == bindparam("request_hash"), columns.expires_at > now
        )
        self._by_id = select(table).where(mine, columns.expires_at > now)
        self._progress = select(*looked_at).where(mine, columns.expires_at > now)
        self._conclude = (
            update(table)
            .where(row, columns.expires_at > now)
            .values(
                state=bindparam("outcome"),
                sealed=bindparam("content"),
                expires_at=bindparam("until", type_=UtcDateTime()),
            )
        )
        self._decline = (
            update(table)
            .where(row, columns.state == State.PENDING.value, columns.expires_at > now)
            .values(state=State.DECLINED.value, declined_with=bindparam("error"))
        )
        self._count = update(table).where(row).values(failures=columns.failures + 1, last_failure=bindparam("reason"))
        self._delete = delete(table).where(mine)
        unanswered = answerable & (columns.expires_at <= now)
        self._unanswered = (
            select(columns.id, columns.service_id, columns.policy_id).where(unanswered).limit(EXPIRY_BATCH)
        )
        self._give_up = (
            delete(table).where(columns.id.in_(bindparam("keys", expanding=True)), unanswered).returning(columns.id)
        )
        self._expiry = Expiry(table, expires_at=columns.expires_at)

    async def add(self, transaction: Transaction) -> None:
        """Keep a new transaction. A power failure may lose it: whoever waits then begins anew.

        Raises:
            TransactionUnknown: it may not begin: `only_if` does not hold.
        """
        row = {
            "new_id": transaction.id,
            "new_service_id": transaction.service_id,
            "new_request_hash": self._hash(transaction.request_id),
            "new_policy_id": transaction.policy_id,
            "new_mode": transaction.mode.value,
            "new_state": transaction.state.value,
            "new_sealed": self._seal(transaction),
            "new_failures": 0,
            "new_last_failure": None,
            "new_declined_with": None,
            "new_created_at": transaction.created_at,
            "new_expires_at": transaction.expires_at,
        }
        try:
            await self._database.write([Write(self._insert, [row])], durable=False)
        except Unchanged as error:
            raise TransactionUnknown("there is no such policy any more") from error

    async def by_request(self, request_id: str, *, now: datetime) -> Transaction | None:
        """Find by the wallet's name."""
        found = await self._database.fetch(self._by_request, {"request_hash": self._hash(request_id), "now": now})
        return self._transaction(found.first())

    async def by_id(self, transaction_id: str, *, service_id: str, now: datetime) -> Transaction | None:
        """Find by the service's name."""
        parameters = {"key": transaction_id, "service": service_id, "now": now}
        return self._transaction((await self._database.fetch(self._by_id, parameters)).first())

    async def progress(self, transaction_id: str, *, service_id: str, now: datetime) -> Progress | None:
        """Look how far it is."""
        parameters = {"key": transaction_id, "service": service_id, "now": now}
        row = (await self._database.fetch(self._progress, parameters)).first()
        if row is None:
            return None
        return Progress(**{**row._asdict(), "mode": Mode(row.mode), "state": State(row.state)})

    async def conclude(self, concluded: Transaction, *, now: datetime) -> bool:
        """Keep the outcome, once: one statement, so that it is there whole or not at all."""
        parameters = {
            "key": concluded.id,
            "outcome": concluded.state.value,
            "content": self._seal(concluded),
            "until": concluded.expires_at,
            "now": now,
        }
        return await self._change(Write(self._conclude, [parameters]), concluded, concluded.state)

    async def decline(self, transaction: Transaction, error: str, *, now: datetime) -> None:
        """Note the first refusal."""
        if transaction.declined_with is not None:
            return
        parameters = {"key": transaction.id, "error": error[:_MAX_REASON], "now": now}
        await self._change(Write(self._decline, [parameters]), transaction, State.DECLINED)

    async def _change(self, write: Write, transaction: Transaction, state: State) -> bool:
        change = Change(transaction.id, transaction.service_id, transaction.policy_id, state.value)
        try:
            await self._database.write([write, *await self._on_changed(change)])
        except Unchanged as error:
            if error.index:  # not ours, but what was to be written with it
                raise
            return False
        return True

    async def expire(self, *, now: datetime) -> int:
        """Delete what is over, and tell of those that nobody answered; return how many."""
        gone = 0
        while rows := (await self._database.fetch(self._unanswered, {"now": now})).rows:
            writes = {
                row.id: await self._on_changed(Change(row.id, row.service_id, row.policy_id, EXPIRED)) for row in rows
            }
            async with self._database.transaction() as tx:
                given_up = await tx.execute(self._give_up, {"keys": list(writes), "now": now})
                for each in given_up:
                    await execute_writes(tx, writes[each.id])
            gone += given_up.rowcount
        return gone + await self._expiry.run(self._database, now=now)

    async def count_failure(self, transaction: Transaction, reason: str) -> None:
        """Note a worthless answer."""
        await self._database.execute(self._count, {"key": transaction.id, "reason": reason[:_MAX_REASON]})

    async def forget(self, transaction_id: str, *, service_id: str) -> bool:
        """Delete."""
        parameters = {"key": transaction_id, "service": service_id}
        return (await self._database.execute(self._delete, parameters)).rowcount == 1

    def _hash(self, request_id: str) -> bytes:
        return self._lookup(request_id.encode())

    def _seal(self, transaction: Transaction) -> bytes:
        return self._sealer.seal(transaction.secret_part(), table=self._table, column="sealed", row_id=transaction.id)

    def _transaction(self, row: Any | None) -> Transaction | None:
        if row is None:
            return None
        sealed = self._sealer.open(row.sealed, table=self._table, column="sealed", row_id=row.id)
        owner = {"service_id": row.service_id, "policy_id": row.policy_id}
        members = {**owner, **Transaction.open_secret_part(sealed)}  # before 0.2 the owner was not sealed
        if any(members[name] != value for name, value in owner.items()):
            raise SealBroken(f"{self._table}.sealed belongs to another service or query")
        return Transaction(
            id=row.id,
            mode=Mode(row.mode),
            created_at=row.created_at,
            expires_at=row.expires_at,
            failures=row.failures,
            last_failure=row.last_failure,
            declined_with=row.declined_with,
            **members,
        )
