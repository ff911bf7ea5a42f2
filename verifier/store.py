"""What the verifier asks its database besides transactions: services, their API keys, their queries."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import bindparam, delete, select, update

from byoid.service.database import Database, Expiry, UtcDateTime, insert
from verifier.tables import ApiKey, Query, Service, table_of

services, api_keys, queries = table_of(Service), table_of(ApiKey), table_of(Query)
NEVER: Final = datetime(9999, 1, 1, tzinfo=UTC)

_INSERT_SERVICE = insert(services)
_SERVICE = select(services).where(services.c.id == bindparam("key"))
_SERVICES = select(services).order_by(services.c.id)
_SET_WEBHOOK = (
    update(services)
    .where(services.c.id == bindparam("key"))
    .values(webhook_url=bindparam("url"), webhook_secret=bindparam("secret"))
)
_INSERT_KEY = insert(api_keys)
_SERVICE_OF_KEY = select(api_keys.c.service_id).where(api_keys.c.key_hash == bindparam("key_hash"))
_DELETE_KEYS = delete(api_keys).where(
    api_keys.c.service_id == bindparam("service"), api_keys.c.label == bindparam("named")
)

_INSERT_QUERY = insert(queries)
_CURRENT = queries.c.retired_at.is_(None)
_NAMED = (queries.c.service_id == bindparam("service")) & (queries.c.name == bindparam("named")) & _CURRENT
_QUERY_ID = select(queries.c.id).where(_NAMED)
_NAMED_QUERY = select(queries).where(_NAMED)
_QUERY = select(queries).where(queries.c.id == bindparam("key"))
_QUERIES = select(queries).where(queries.c.service_id == bindparam("service"), _CURRENT).order_by(queries.c.name)
_RETIRE = (
    update(queries)
    .where(_NAMED)
    .values(retired_at=bindparam("at", type_=UtcDateTime()), expires_at=bindparam("until", type_=UtcDateTime()))
)
# Of a transaction that begins: nobody has taken its query's name away meanwhile.
QUERY_IN_USE: Final = select(queries.c.id).where(queries.c.id == bindparam("new_policy_id"), _CURRENT).exists()
_RETIRED = Expiry(queries, expires_at=queries.c.expires_at)


class Store:
    """The verifier's own rows."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def add_service(self, row: Mapping[str, Any]) -> None:
        """Keep a new service."""
        await self.database.execute(_INSERT_SERVICE, row)

    async def service(self, service_id: str) -> Any | None:
        """Find a service."""
        return (await self.database.fetch(_SERVICE, {"key": service_id})).first()

    async def set_webhook(self, service_id: str, url: str | None, sealed_secret: bytes | None) -> bool:
        """Say where a service is told from now on. False if there is no such service."""
        parameters = {"key": service_id, "url": url, "secret": sealed_secret}
        return (await self.database.execute(_SET_WEBHOOK, parameters)).rowcount == 1

    async def services(self) -> Sequence[Any]:
        """Return all services."""
        return (await self.database.fetch(_SERVICES)).rows

    async def add_key(self, row: Mapping[str, Any]) -> None:
        """Keep the hash of a new API key."""
        await self.database.execute(_INSERT_KEY, row)

    async def service_of_key(self, key_hash: bytes) -> str | None:
        """Return whose API key this is."""
        found: str | None = (await self.database.fetch(_SERVICE_OF_KEY, {"key_hash": key_hash})).scalar()
        return found

    async def delete_keys(self, service_id: str, label: str) -> int:
        """Revoke API keys; return how many."""
        return (await self.database.execute(_DELETE_KEYS, {"service": service_id, "named": label})).rowcount

    async def replace_query(self, row: Mapping[str, Any], *, now: datetime, until: datetime) -> bool:
        """Give a name to a new query; the old one is kept `until`. True if there was one."""
        named = {"service": row["service_id"], "named": row["name"], "at": now, "until": until}
        async with self.database.transaction() as tx:
            retired = await tx.execute(_RETIRE, named)
            await tx.execute(_INSERT_QUERY, row)
        return retired.rowcount == 1

    async def retire_query(self, service_id: str, name: str, *, now: datetime, until: datetime) -> bool:
        """Take a query's name away. False if there was none."""
        named = {"service": service_id, "named": name, "at": now, "until": until}
        return (await self.database.execute(_RETIRE, named)).rowcount == 1

    async def query_id(self, service_id: str, name: str) -> str | None:
        """Return which query has this name now."""
        found: str | None = (await self.database.fetch(_QUERY_ID, {"service": service_id, "named": name})).scalar()
        return found

    async def named_query(self, service_id: str, name: str) -> Any | None:
        """Find the query that has this name now."""
        return (await self.database.fetch(_NAMED_QUERY, {"service": service_id, "named": name})).first()

    async def query(self, query_id: str) -> Any | None:
        """Find a query by its id, retired or not."""
        return (await self.database.fetch(_QUERY, {"key": query_id})).first()

    async def queries(self, service_id: str) -> Sequence[Any]:
        """Return the named queries of a service."""
        return (await self.database.fetch(_QUERIES, {"service": service_id})).rows

    async def expire_queries(self, *, now: datetime) -> int:
        """Delete retired queries that nothing refers to."""
        return await _RETIRED.run(self.database, now=now)
