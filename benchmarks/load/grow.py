"""Growth: a laboratory with a full database beside one with an empty one, on the same PostgreSQL, taking turns.

The rows are made by PostgreSQL itself (`INSERT … SELECT … generate_series`), like one row that a real walk has left, in
batches; indexes are dropped before and made again after, as one would do for a migration. Twenty copies make a batch
and belong to one person, as wallets ask for them.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from matplotlib.axes import Axes

from benchmarks.load.laboratory import Laboratory
from benchmarks.load.load import in_turns, ratio
from benchmarks.load.postgres import Postgres
from benchmarks.load.segments import SERVICES, WALKS, Fleet, Segment

GOAL: Final = 1.15
_WARM_UP_SHARE: Final = 0.2
COPIES: Final = 20
LIST_SIZE: Final = 1 << 20
_BATCH: Final = 250_000
_SETTINGS: Final = {
    "shared_buffers": "2GB", "maintenance_work_mem": "1GB", "max_wal_size": "8GB", "wal_level": "minimal",
    "max_wal_senders": "0", "autovacuum": "off",  # it is run by hand after the growth, so that none runs in between
}  # fmt: skip
_LIST: Final = f"'grown-' || n / {LIST_SIZE}"
_PERSON: Final = f"sha256(convert_to('person' || n / {COPIES}, 'UTF8'))"
_BATCH_ID: Final = f"substr(md5('batch' || n / {COPIES}), 1, 22)"
_GRANT_ID: Final = f"substr(md5('grant' || n / {COPIES}), 1, 22)"
_LATER: Final = "now() + interval '200 days' + (n % 100) * interval '1 day'"

# What differs from the row that is copied, by table; n counts credentials.
_ISSUANCE: Final = {
    "id": f"{_BATCH_ID} || '.' || n % {COPIES}", "batch_id": _BATCH_ID, "grant_id": _GRANT_ID, "person_hash": _PERSON,
    "status": "CASE WHEN n % 100 = 0 THEN 'revoked' ELSE 'valid' END", "status_list_id": _LIST,
    "status_index": f"n % {LIST_SIZE}", "expires_at": _LATER,
}  # fmt: skip
_BATCH_ROW: Final = {
    "id": _BATCH_ID, "notification_hash": "sha256(convert_to('note' || n, 'UTF8'))", "grant_id": _GRANT_ID,
    "expires_at": _LATER,
}  # fmt: skip
_SUBJECT: Final = {"person_hash": _PERSON, "grant_id": _GRANT_ID, "expires_at": _LATER}
_GRANT: Final = {
    "id": _GRANT_ID, "token_hash": "sha256(convert_to('token' || n, 'UTF8'))", "refresh_hash": "NULL",
    "code_hash": "NULL", "person_hash": _PERSON, "expires_at": _LATER,
}  # fmt: skip
_STATUS_LIST: Final = {
    "id": _LIST, "drawn": "size", "changed": "1", "published": "1", "jwt": "''", "expires_at": _LATER,
}  # fmt: skip
_TRANSACTION: Final = {
    "id": "substr(md5('transaction' || n), 1, 22)", "request_hash": "sha256(convert_to('request' || n, 'UTF8'))",
    "state": "'pending'", "expires_at": "now() + interval '1 day'",
}  # fmt: skip


@dataclass
class Grown:
    """What a walk costs with a full database, as a multiple of what it costs with an empty one."""

    rows: int
    open: int
    bytes_per_row: float
    bytes_per_open: float
    rounds: dict[str, list[dict[str, Segment]]]

    def ratio(self, walk: str, *components: str) -> float:
        """Return the median ratio of the rounds."""
        return ratio(self.rounds["full"], self.rounds["empty"], walk, *components)

    def summary(self) -> dict[str, Any]:
        """Return the figures, as one JSON object says them."""
        return {
            "issued_rows": self.rows,
            "open_transactions": self.open,
            "bytes_per_issued_row": round(self.bytes_per_row),
            "bytes_per_open_transaction": round(self.bytes_per_open),
            "goal": GOAL,
            "ratio": {walk: self.ratio(walk, *SERVICES) for walk in WALKS},
            "ratio_of": {each: {walk: self.ratio(walk, each) for walk in WALKS} for each in SERVICES},
            "y_per_walk": {
                name: {
                    walk: round(median(each[walk].per_walk(*SERVICES) for each in rounds), 1) for walk in WALKS
                } for name, rounds in self.rounds.items()
            },
        }  # fmt: skip

    def draw(self, axes: Axes) -> None:
        """Draw the ratios."""
        for offset, component in enumerate((*SERVICES, "all")):
            components = SERVICES if component == "all" else (component,)
            places = [place + 0.2 * (offset - 1.5) for place in range(len(WALKS))]
            axes.bar(places, [self.ratio(walk, *components) for walk in WALKS], width=0.2, label=component)
        axes.axhline(GOAL, color="black", linestyle="dashed", label="goal")
        axes.set_xticks(range(len(WALKS)), WALKS)
        axes.set(title=f"CPU with {self.rows:,} issued rows and {self.open:,} open transactions, against none")
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)


async def run_grow(*, rows: int, open_: int, seconds: float, wallets: int) -> Grown:
    """Fill a database, and measure for about so long with it and with an empty one."""
    async with AsyncExitStack() as stack:
        postgres = await stack.enter_async_context(Postgres.running(_SETTINGS))
        fleets: dict[str, Fleet] = {}
        for name in ("empty", "full"):
            laboratory = await stack.enter_async_context(Laboratory.open(postgres, workers=1, name=name))
            fleets[name] = Fleet(laboratory, wallets)
            stack.callback(fleets[name].close)
            await fleets[name].prepare(seconds * _WARM_UP_SHARE / 4)
        bytes_per_row, bytes_per_open = await fill(fleets["full"].laboratory, rows=rows, open_=open_)
        for fleet in fleets.values():
            await fleet.prepare(seconds * _WARM_UP_SHARE / 4)
        rounds = await in_turns(fleets, seconds * (1 - _WARM_UP_SHARE))
        return Grown(rows, open_, bytes_per_row, bytes_per_open, rounds)


async def fill(laboratory: Laboratory, *, rows: int, open_: int) -> tuple[float, float]:
    """Make the rows; return what an issued credential and an open transaction take on the disk."""
    postgres, databases = laboratory.postgres, laboratory.databases

    async def around() -> None:
        async with postgres.connected(databases["issuer"]) as issuer:
            await _copy(issuer, "status_list", _STATUS_LIST, rows, step=LIST_SIZE)
            for table, changed in (("batch", _BATCH_ROW), ("subject", _SUBJECT), ("access_grant", _GRANT)):
                await _copy(issuer, table, changed, rows, step=COPIES)
        async with postgres.connected(databases["verifier"]) as verifier:
            await _copy(verifier, "transactions", _TRANSACTION, open_)

    async with postgres.connected(databases["issuer"]) as issuer:
        await asyncio.gather(_copy(issuer, "issuance", _ISSUANCE, rows), around())
        per_row = await _bytes(issuer, "issuance", "batch", "subject", "access_grant") / max(1, rows)
    async with postgres.connected(databases["verifier"]) as verifier:
        per_open = await _bytes(verifier, "transactions") / max(1, open_)
    return per_row, per_open


async def _copy(connection: Any, table: str, changed: Mapping[str, str], count: int, *, step: int = 1) -> None:
    """Copy one row of a table for each `step` numbers up to `count`."""
    if count == 0:
        return
    columns = [row[0] for row in await connection.fetch(_COLUMNS, table)]
    values = ", ".join(changed.get(each, f'"{each}"') for each in columns)
    names = ", ".join(f'"{each}"' for each in columns)
    await connection.execute(f'CREATE TEMP TABLE pattern AS SELECT * FROM "{table}" LIMIT 1')  # noqa: S608 - our tables
    statement = (
        f'INSERT INTO "{table}" ({names}) SELECT {values} FROM pattern, '  # noqa: S608 - our own names
        "generate_series($1::bigint, $2::bigint, $3::bigint) AS n"
    )
    begin = time.monotonic()
    async with _without_indexes(connection, table):
        for first in range(0, count, _BATCH * step):
            last = min(first + _BATCH * step, count) - 1
            await connection.execute(statement, first, last, step)
            _progress(table, last + 1, count, begin)
    await connection.execute("DROP TABLE pattern")
    await connection.execute(f'VACUUM (FREEZE, ANALYZE) "{table}"')
    await connection.execute("CHECKPOINT")
    print(f"{table}: ready after {time.monotonic() - begin:.0f} s", file=sys.stderr, flush=True)


@asynccontextmanager
async def _without_indexes(connection: Any, table: str) -> AsyncIterator[None]:
    """Drop every index and key of a table, and make them again at the end."""
    keys = await connection.fetch(_KEYS, table)
    for name, _ in keys:
        await connection.execute(f'ALTER TABLE "{table}" DROP CONSTRAINT "{name}"')
    indexes = await connection.fetch(_INDEXES, table)
    for name, _ in indexes:
        await connection.execute(f'DROP INDEX "{name}"')
    yield
    for name, definition in keys:
        await connection.execute(f'ALTER TABLE "{table}" ADD CONSTRAINT "{name}" {definition}')
    for _, definition in indexes:
        await connection.execute(definition)


async def _bytes(connection: Any, *tables: str) -> int:
    sizes = [await connection.fetchval("SELECT pg_total_relation_size($1::text::regclass)", each) for each in tables]
    return sum(sizes)


def _progress(table: str, done: int, count: int, begin: float) -> None:
    print(f"{table}: {done:,} of {count:,} in {time.monotonic() - begin:.0f} s", file=sys.stderr, flush=True)


_COLUMNS: Final = "SELECT column_name FROM information_schema.columns WHERE table_name = $1 ORDER BY ordinal_position"
_KEYS: Final = (
    "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint "
    "WHERE conrelid = $1::text::regclass AND contype IN ('p', 'u')"
)
_INDEXES: Final = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = $1"
