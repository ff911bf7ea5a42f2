"""Mapping files: how a row of a register becomes a record with the catalogue's attribute names.

[attributes]
family_name = "surname"                                          # a column
birth_date = { column = "born", as = "date" }                    # converted
birth_place = { country = "birth_country", locality = "birth_town" }   # several columns, empty ones left out
resident_street = { join = ["street", "house_number"] }          # joined by a blank, empty ones left out

[constants]
issuing_authority = "Municipality of Lindenmoor"

[[refuse]]                                                       # asked in order, before anything is issued
when = "died_on"
reason = "The register says that this person has died."
"""

import json
import tomllib
from base64 import b64decode
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from issuer.attributes import Record, Refused, SourceUnavailable
from issuer.credential_types import TypeFileInvalid


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Converted(_Part):
    """A column whose value is converted."""

    column: str
    as_: Annotated[Literal["text", "date", "integer", "boolean", "json", "bytes", "base64"], Field(alias="as")] = "text"


class Joined(_Part):
    """Columns that are joined to one text."""

    join: Annotated[tuple[str, ...], Field(min_length=1)]
    separator: str = " "


class Place(_Part):
    """Columns that make a place."""

    country: str | None = None
    region: str | None = None
    locality: str | None = None


class Refusal(_Part):
    """A column that forbids to issue: when it has a value, or (`missing`) when all of these have none."""

    when: str | None = None
    missing: tuple[str, ...] = ()
    reason: Annotated[str, Field(min_length=1)]


class Mapping_(_Part):
    """The mapping of one register."""

    attributes: dict[str, str | Converted | Joined | Place]
    constants: dict[str, Any] = {}
    refuse: tuple[Refusal, ...] = ()

    def record(self, row: Mapping[str, Any]) -> Record:
        """Make a record of a row.

        Raises:
            Refused: a rule says that nothing may be issued.
            SourceUnavailable: the row has not the columns or values that this file expects.
        """
        for refusal in self.refuse:
            if _applies(refusal, row):
                raise Refused(refusal.reason)
        try:
            values = {name: _value(source, row) for name, source in self.attributes.items()}
        except KeyError as error:
            raise SourceUnavailable(f"the register has no column {error.args[0]!r}") from None
        return {**self.constants, **{name: value for name, value in values.items() if value is not None}}


def load_mapping(path: Path) -> Mapping_:
    """Read a mapping file.

    Raises:
        TypeFileInvalid: not TOML, or not a mapping; all mistakes at once.
    """
    try:
        return Mapping_.model_validate(tomllib.loads(path.read_text("utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TypeFileInvalid(f"{path.name}: not TOML: {error}") from None
    except ValidationError as error:
        raise TypeFileInvalid.of(path, error) from None


_CONVERT: Final[Mapping[str, Callable[[Any], Any]]] = {
    "text": str,
    "date": lambda value: value if isinstance(value, date) else date.fromisoformat(value),
    "integer": int,
    "boolean": bool,
    "json": json.loads,
    "bytes": bytes,
    "base64": lambda value: b64decode(value, validate=True),
}


def _applies(refusal: Refusal, row: Mapping[str, Any]) -> bool:
    if refusal.when is not None:
        return _present(row.get(refusal.when))
    return not any(_present(row.get(column)) for column in refusal.missing)


def _present(value: object) -> bool:
    return value is not None and value != ""


def _value(source: str | Converted | Joined | Place, row: Mapping[str, Any]) -> Any:
    match source:
        case Joined():
            parts = [str(row[column]) for column in source.join if _present(row[column])]
            return source.separator.join(parts) or None
        case Place():
            columns = source.model_dump(exclude_none=True)
            return {part: row[column] for part, column in columns.items() if _present(row[column])} or None
        case Converted():
            return _converted(source, row[source.column])
        case _:
            return _converted(Converted(column=source), row[source])


def _converted(source: Converted, value: Any) -> Any:
    if not _present(value):
        return None
    try:
        return _CONVERT[source.as_](value)
    except (ValueError, TypeError):
        raise SourceUnavailable(f"column {source.column!r} has a value that is no {source.as_}") from None
