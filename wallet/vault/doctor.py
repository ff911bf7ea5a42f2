"""The doctor: reads the raw storage and proves that nothing personal lies there in clear.

Two proofs. By structure: every column says what it holds (`wallet.tables.Holds`), and each value is looked at: an id is
base64url and nothing else, a code is one of our words, what is sealed begins with its version and has the entropy of a
cipher text. By canaries: values that a person is known to have are searched in every column and in the database's
files, as text and in the encodings that programs use. Findings name places, never values.
"""

import base64
import math
import re
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Table, select

from byoid.service.database import Database
from wallet.tables import Holds

_ID: Final = re.compile(r"[A-Za-z0-9_-]{0,1364}\Z")  # base64url of at most 1023 bytes: the longest credential id
_CODE: Final = re.compile(r"[a-z][a-z0-9-]{0,31}\Z")
_SEALED_VERSIONS: Final = frozenset({1, 2})
_MEASURABLE: Final = 256  # entropy of shorter texts says nothing
_LEAST_BITS_PER_BYTE: Final = 6.0  # a cipher text of 256 bytes has above 7; JSON and text have at most 5.5
_MIN_CANARY: Final = 4


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in clear, or that can't be judged: where, and what is wrong with it."""

    table: str
    column: str
    row: str
    problem: str


async def examine(
    database: Database, tables: Sequence[Table], *, canaries: Collection[str] = (), files: Collection[Path] = ()
) -> list[Finding]:
    """Read every row of every table, and the files, and return what is not as it should be.

    Args:
        database: the one that holds the tables.
        tables: all tables of the vault, or of the web part.
        canaries: values of a person that must not be found (a name, a document number), at least four characters.
        files: the database's own files, for what was deleted and still lies in them.
    """
    needles = {encoded for canary in canaries for encoded in encodings(canary)}
    found = [finding for table in tables async for finding in _examine_table(database, table, needles)]
    return found + [finding for file in files for finding in _examine_file(file, needles)]


def encodings(canary: str) -> set[bytes]:
    """Return a canary in the encodings that a careless program would store it in.

    Raises:
        ValueError: it is too short to mean anything when it is found.
    """
    if len(canary) < _MIN_CANARY:
        raise ValueError(f"a canary needs at least {_MIN_CANARY} characters")
    raw = canary.encode()
    found = {raw, raw.lower(), raw.upper(), canary.encode("utf-16-le"), canary.encode("utf-16-be")}
    found |= {raw.hex().encode(), raw.hex().upper().encode(), zlib.compress(raw)[2:-4]}
    for shift in range(3):  # base64 of a longer text that holds the canary at any place: the characters that stay
        inside = base64.b64encode(b"\0" * shift + raw)[4 if shift else 0 : -4]
        found |= {inside, inside.replace(b"+", b"-").replace(b"/", b"_")} if len(inside) >= _MIN_CANARY else set()
    return found


async def _examine_table(database: Database, table: Table, needles: set[bytes]) -> Any:
    for row in await database.fetch(select(table)):
        for column, value in zip(table.columns, row, strict=True):
            for problem in _problems(column.info.get("holds"), value, needles):
                yield Finding(table.name, column.name, str(row[0])[:12], problem)


def _problems(holds: Holds | None, value: Any, needles: set[bytes]) -> Iterator[str]:
    if holds is None:
        yield "the column does not say what it holds"
    elif value is not None and not _FITS[holds](value):
        yield f"the value is not what a column that holds {holds} may hold"
    raw = value if isinstance(value, bytes) else str(value).encode()
    if any(needle in raw for needle in needles):
        yield "a canary lies here in clear"


def _examine_file(file: Path, needles: set[bytes]) -> Iterator[Finding]:
    if any(needle in file.read_bytes() for needle in needles):
        yield Finding(file.name, "", "", "a canary lies here in clear")


def is_sealed(value: bytes) -> bool:
    """Tell whether bytes look like what `wallet.vault.keys` seals: its version, and no structure."""
    if not value or value[0] not in _SEALED_VERSIONS:
        return False
    return len(value) < _MEASURABLE or _entropy(value) > _LEAST_BITS_PER_BYTE


def _entropy(value: bytes) -> float:
    counts = Counter(value).values()
    return -sum(count / len(value) * math.log2(count / len(value)) for count in counts)


def _is_bytes(value: Any) -> bool:
    return isinstance(value, bytes)


_FITS: Final[Mapping[Holds, Callable[[Any], bool]]] = {
    Holds.ID: lambda value: isinstance(value, str) and bool(_ID.match(value)),
    Holds.CODE: lambda value: isinstance(value, str) and bool(_CODE.match(value)),
    Holds.TIME: lambda value: isinstance(value, datetime),
    Holds.NUMBER: lambda value: isinstance(value, int),
    Holds.SEALED: lambda value: _is_bytes(value) and is_sealed(value),
    Holds.WRAPPED: _is_bytes,
    Holds.ADDRESS: lambda value: _is_bytes(value) and is_sealed(value),
    Holds.PUBLIC: _is_bytes,
}
