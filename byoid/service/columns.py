"""Column types that mean the same on SQLite and PostgreSQL, and the names that migrations give to constraints.

Architecture section 8. `UtcDateTime` refuses naive times. `Json` keeps a value as text: it is written and read whole,
never searched. Both belong into `Field(sa_type=…)` or `Column(…)` of a service's tables.
"""

import json
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import DateTime, MetaData, String, Text
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from byoid.encoding import json_dumps

NAMING_CONVENTION: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


def service_metadata() -> MetaData:
    """Return empty metadata for one service: its constraints have names, which SQLite's batch migrations need."""
    return MetaData(naming_convention=NAMING_CONVENTION)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time: `timestamptz` on PostgreSQL, ISO 8601 text of fixed width on SQLite, which sorts as time does.

    Raises:
        ValueError: a naive time was bound.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the column's type by engine."""
        return dialect.type_descriptor(String(32) if dialect.name == "sqlite" else DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Write in UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("expected an aware time, got a naive one")
        utc = value.astimezone(UTC)
        return utc.isoformat(timespec="microseconds") if dialect.name == "sqlite" else utc

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """Read as UTC."""
        return datetime.fromisoformat(value) if isinstance(value, str) else value


class Json(TypeDecorator[Any]):
    """A JSON value, kept as text and read whole."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any | None, dialect: Dialect) -> str | None:
        """Write compact JSON; None is NULL."""
        return None if value is None else json_dumps(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any | None:
        """Read what was written."""
        return None if value is None else json.loads(value)  # our own row: no stranger chose its size or depth
