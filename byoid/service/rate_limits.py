"""How often somebody may ask, counted in the database, so that all workers count together.

`RateLimit` counts in fixed windows, one statement each time. `Allowance` stands in front of one where a statement for
each request would be too dear: a worker counts the first requests of a key alone and then takes the shared ones by the
pack, so that all workers together let at most `limit + workers * free` through. `Lockout` is for secrets short enough
to be guessed, such as transaction codes (OpenID4VCI 13.6.1): a guess counts before it is judged, and each wrong one
makes the next wait longer. Who asked is stored as a keyed hash only.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, Table, bindparam, delete, select, update

from byoid.errors import OAuthError
from byoid.service.database import Connection, Database, UtcDateTime, insert
from byoid.service.seal import Sealer

_BEGINNING: Final = datetime(2000, 1, 1, tzinfo=UTC)
_LONGEST_WAIT: Final = timedelta(days=1)


class TooManyRequests(OAuthError):
    """The caller asks too often. Ask again after `Retry-After` seconds."""

    code = "temporarily_unavailable"
    status = 429

    def __init__(self, wait: timedelta) -> None:
        seconds = max(1, round(wait.total_seconds()))
        super().__init__("Too many requests.", headers={"Retry-After": str(seconds)})


def rate_limits_table(metadata: MetaData) -> Table:
    """Add the table of counters to a service's metadata; rows may go at `expires_at`."""
    return Table(
        "rate_limits",
        metadata,
        Column("key", LargeBinary(40), primary_key=True),
        Column("count", BigInteger, nullable=False),
        Column("expires_at", UtcDateTime(), nullable=False, index=True),
    )


def lockouts_table(metadata: MetaData) -> Table:
    """Add the table of failed guesses to a service's metadata; rows may go at `expires_at`."""
    return Table(
        "lockouts",
        metadata,
        Column("key", LargeBinary(32), primary_key=True),
        Column("failures", Integer, nullable=False),
        Column("open_at", UtcDateTime(), nullable=False),
        Column("expires_at", UtcDateTime(), nullable=False, index=True),
    )


class RateLimit:
    """At most `limit` requests of a kind in each window, for each key."""

    def __init__(self, table: Table, sealer: Sealer, *, kind: str, limit: int, window: timedelta) -> None:
        self._sealer = sealer
        self._kind = kind
        self._limit = limit
        self._window = window
        self._count = (
            insert(table)
            .values(key=bindparam("window_key"), count=bindparam("cost"), expires_at=bindparam("end"))
            .on_conflict_do_update(index_elements=[table.c.key], set_={"count": table.c.count + bindparam("cost")})
            .returning(table.c.count)
        )

    def window(self, now: datetime) -> tuple[int, datetime]:
        """Return the number of the window that `now` is in, and its end."""
        number = int(now.timestamp() // self._window.total_seconds())
        return number, datetime.fromtimestamp((number + 1) * self._window.total_seconds(), tz=UTC)

    async def spend(self, database: Database, who: str, *, now: datetime, cost: int = 1) -> None:
        """Count one request, or `cost` of them.

        Raises:
            TooManyRequests: the limit is reached.
        """
        number, end = self.window(now)
        key = self._sealer.keyed_hash(who, purpose=f"rate limit {self._kind}") + number.to_bytes(8, "big")
        count = (await database.execute(self._count, {"window_key": key, "end": end, "cost": cost})).scalar()
        if count is None or count > self._limit:
            raise TooManyRequests(end - now)


@dataclass
class _Spent:
    """What one key has had of this worker in this window."""

    used: int = 0
    granted: int = 0
    refused: bool = False


class Allowance:
    """One worker's view of a `RateLimit`: the first `free` requests of a key in a window cost no statement.

    Args:
        limit: what all workers share.
        free: how many requests of a key each worker counts alone.
        pack: how many it takes at once after that.
        most_keys: beyond so many keys in a window nothing is free, so that the memory stays bounded.
    """

    def __init__(self, limit: RateLimit, *, free: int, pack: int, most_keys: int = 100_000) -> None:
        self._limit = limit
        self._free = free
        self._pack = pack
        self._most_keys = most_keys
        self._window = -1
        self._spent: dict[str, _Spent] = {}

    async def spend(self, database: Database, who: str, *, now: datetime, cost: int = 1) -> None:
        """Count one request, or `cost` of them.

        Raises:
            TooManyRequests: the limit is reached.
        """
        number, end = self._limit.window(now)
        if number != self._window:
            self._window, self._spent = number, {}
        spent = self._spent.get(who)
        if spent is None:
            if len(self._spent) >= self._most_keys:
                await self._limit.spend(database, who, now=now, cost=cost)
                return
            spent = self._spent[who] = _Spent(granted=self._free)
        if spent.refused:
            raise TooManyRequests(end - now)
        spent.used += cost
        if spent.used > spent.granted:
            await self._take(database, who, spent, now)

    async def _take(self, database: Database, who: str, spent: _Spent, now: datetime) -> None:
        """Take as many packs of the shared limit as are missing."""
        packs = -(-(spent.used - spent.granted) // self._pack)
        spent.granted += packs * self._pack  # before the wait: others of this key meanwhile take packs of their own
        try:
            await self._limit.spend(database, who, now=now, cost=packs * self._pack)
        except TooManyRequests:
            spent.refused = True
            raise


@dataclass(frozen=True)
class LockoutPolicy:
    """So many guesses are free; then the wait doubles from `first_wait`; after `most` guesses there are none left."""

    free: int = 3
    first_wait: timedelta = timedelta(seconds=5)
    most: int = 10
    memory: timedelta = timedelta(days=7)

    def wait_after(self, failures: int) -> timedelta:
        """Return how long nobody may guess after so many failures."""
        if failures < self.free:
            return timedelta(0)
        doublings = min(failures - self.free, 32)
        return min(self.first_wait * (1 << doublings), _LONGEST_WAIT)


class Exhausted(TooManyRequests):
    """There are no guesses left: what is guarded must be revoked."""


class Lockout:
    """Guards one kind of guessable secret."""

    def __init__(self, table: Table, sealer: Sealer, *, kind: str, policy: LockoutPolicy | None = None) -> None:
        self._sealer = sealer
        self._kind = kind
        self._policy = policy or LockoutPolicy()
        columns = table.c
        self._register = insert(table).on_conflict_do_nothing()
        self._guess = (
            update(table)
            .where(columns.key == bindparam("guarded"), columns.open_at <= bindparam("now", type_=UtcDateTime()))
            .values(failures=columns.failures + 1)
            .returning(columns.failures)
        )
        self._lock = (
            update(table)
            .where(columns.key == bindparam("guarded"))
            .values(open_at=bindparam("opens"), expires_at=bindparam("forgotten"))
        )
        self._look = select(columns.open_at).where(columns.key == bindparam("guarded"))
        self._forget = delete(table).where(columns.key == bindparam("guarded"))

    async def count_guess(self, tx: Connection, guarded: str, *, now: datetime) -> None:
        """Count a guess as wrong before it is judged, so that a thousand at once are counted too. Commit, then judge.

        Raises:
            Exhausted: no guesses are left.
            TooManyRequests: too early after the last one.
        """
        key, policy = self._key(guarded), self._policy
        row = {"key": key, "failures": 0, "open_at": _BEGINNING, "expires_at": now + policy.memory}
        await tx.execute(self._register, row)
        failures = (await tx.execute(self._guess, {"guarded": key, "now": now})).scalar()
        if failures is None:
            opens = (await tx.execute(self._look, {"guarded": key})).scalar()
            raise TooManyRequests((opens or now) - now)
        if failures > policy.most:
            raise Exhausted(policy.memory)
        times = {"opens": now + policy.wait_after(failures), "forgotten": now + policy.memory}
        await tx.execute(self._lock, {"guarded": key, **times})

    async def forget(self, tx: Connection, guarded: str) -> None:
        """The guess was right: forget the wrong ones."""
        await tx.execute(self._forget, {"guarded": self._key(guarded)})

    def _key(self, guarded: str) -> bytes:
        return self._sealer.keyed_hash(guarded, purpose=f"lockout {self._kind}")
