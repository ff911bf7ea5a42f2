"""The SQL that PostgreSQL, YugabyteDB, CockroachDB and Citus all run, as a check of one statement or table.

None of the three others can be run here, so every statement that any test compiles is held to this subset
(`tests/conftest.py`). Why so: specs/decisions/0014-portable-sql.md.
"""

import re
from typing import Final

from sqlalchemy import JSON, BigInteger, Boolean, DateTime, Float, Integer, LargeBinary, String, Table

FUNCTIONS: Final = {"count", "coalesce", "min", "max", "sum", "length", "lower", "substr", "abs", "nullif", "greatest"}
KEYWORDS_BEFORE_PARENTHESIS: Final = {
    "and", "or", "not", "in", "values", "on", "as", "exists", "from", "select", "where", "conflict", "then", "when",
    "else", "case", "set", "union", "all", "any", "by", "join", "limit", "interval", "varchar", "end",
    "having", "distinct",
}  # fmt: skip
FORBIDDEN: Final = {
    "advisory locks": r"\bpg_\w*advisory\w*|\bget_lock\b",
    "LISTEN and NOTIFY": r"\b(listen|unlisten|notify|pg_notify)\b",
    "table locks": r"\block\s+table\b|^\s*lock\b",
    "extensions": r"\bcreate\s+extension\b",
    "sequences": r"\b(nextval|currval|setval|serial|bigserial|identity)\b",
    "the place of a row in storage": r"\b(ctid|xmin|xmax|tableoid|rowid)\b",
    "temporary tables": r"\btemp(orary)?\s+table\b",
    "procedures and triggers": r"\b(create\s+(or\s+replace\s+)?(function|trigger|procedure)|do\s+\$|call\s)",
    "statements that change data inside another": r"\bas\s+(not\s+)?(materialized\s+)?\(\s*(insert|update|delete)\b",
    "recursion": r"\bwith\s+recursive\b",
    "MERGE": r"^\s*merge\b",
    "DISTINCT ON": r"\bdistinct\s+on\b",
    "LATERAL": r"\blateral\b",
    "cursors": r"\b(declare\s+\w+\s+cursor|fetch\s+(next|forward))\b",
    "savepoints": r"\bsavepoint\b",
    "engine settings": r"^\s*(set|pragma|vacuum|analyze|copy)\b",
    "arrays": r"\barray\s*\[|\bunnest\b|\bany\s*\(\s*array",
    "full text and patterns of one engine": r"\b(ilike|similar\s+to|tsvector|tsquery)\b|~\*|!~",
}
TYPES: Final = (JSON, BigInteger, Boolean, DateTime, Float, Integer, LargeBinary, String)


def complaints(sql: str) -> list[str]:
    """Return what of a statement not every engine runs."""
    plain = re.sub(r"'(?:[^']|'')*'", "''", sql).lower()
    found = [name for name, pattern in FORBIDDEN.items() if re.search(pattern, plain)]
    called = set(re.findall(r"(?<![\w.\"])([a-z_]+)\s*\(", plain))
    tables = set(re.findall(r"\b(?:into|update|table)\s+\"?(\w+)\"?\s*\(", plain))
    unknown = called - FUNCTIONS - KEYWORDS_BEFORE_PARENTHESIS - tables
    return [*found, *(f"function {name}" for name in sorted(unknown))]


def table_complaints(table: Table) -> list[str]:
    """Return what keeps a table from being spread over machines."""
    found = []
    if not table.primary_key.columns:
        found.append("no primary key")
    for column in table.columns:
        kind = getattr(column.type, "impl", column.type)
        if not isinstance(kind if not isinstance(kind, type) else kind(), TYPES):
            found.append(f"{column.name}: type {column.type!r}")
        numbered = "nextval" in str(getattr(column.server_default, "arg", ""))
        if column.autoincrement is True or column.identity is not None or numbered:
            found.append(f"{column.name}: numbered by a sequence")
    first = next(iter(table.primary_key.columns), None)
    if first is not None and isinstance(first.type, DateTime):
        found.append(f"{first.name}: a time as the key puts all that is new in one place")
    return found
