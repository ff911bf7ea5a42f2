"""The authentic source of an agency, from a file.

kind = "sql"                                  # or csv, excel, http
mapping = "register.toml"                     # beside this file; see mapping.py
url = "postgresql://reader@db/people"         # any SQLAlchemy URL; "$NAME" is taken from the environment
query = "SELECT * FROM person WHERE person_number = :person"

kind = "csv"                                  # or "excel"
path = "people.csv"
key = "person_number"

kind = "http"
url = "https://register.example/people/{person}"
member = "person"                             # optional
token_url = "https://register.example/token"  # optional: OAuth client credentials
client_id = "issuer"
client_secret = "$REGISTER_SECRET"
scope = "read"
"""

import os
import tomllib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, Self

import httpx2
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from issuer.attributes import AttributeSource
from issuer.credential_types import TypeFileInvalid
from issuer.sources.csv_file import read_csv
from issuer.sources.excel import read_excel
from issuer.sources.http_json import ClientCredentials, HttpSource
from issuer.sources.mapping import load_mapping
from issuer.sources.rows import FileSource
from issuer.sources.sql import SqlSource


class _Source(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    mapping: str


class _Sql(_Source):
    kind: Literal["sql"]
    url: str
    query: str


class _File(_Source):
    kind: Literal["csv", "excel"]
    path: str
    key: str


class _Http(_Source):
    kind: Literal["http"]
    url: str
    member: str | None = None
    token_url: str | None = None
    client_id: str | None = None
    client_secret: str | None = None
    scope: str | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        given = [self.token_url, self.client_id, self.client_secret]
        if any(given) and not all(given):
            raise ValueError("token_url, client_id and client_secret belong together")
        if "{person}" not in self.url:
            raise ValueError("url must say where the person's key stands: {person}")
        return self

    def credentials(self) -> ClientCredentials | None:
        """How to get an access token, if the register asks one."""
        if not (self.token_url and self.client_id and self.client_secret):
            return None
        return ClientCredentials(self.token_url, self.client_id, from_environment(self.client_secret), self.scope)


_ANY: TypeAdapter[_Sql | _File | _Http] = TypeAdapter(Annotated[_Sql | _File | _Http, Field(discriminator="kind")])


def load_source(path: Path, *, client: httpx2.AsyncClient, clock: Callable[[], datetime]) -> AttributeSource:
    """Read a source file and make its adapter. Nothing is asked yet.

    Raises:
        TypeFileInvalid: the file, or its mapping, breaks a rule; all mistakes at once.
    """
    try:
        source = _ANY.validate_python(tomllib.loads(path.read_text("utf-8")))
        mapping = load_mapping(path.parent / source.mapping)
        match source:
            case _Sql():
                return SqlSource(from_environment(source.url), query=source.query, mapping=mapping)
            case _File():
                read = read_csv if source.kind == "csv" else read_excel
                return FileSource(path.parent / source.path, read=read, key=source.key, mapping=mapping)
            case _Http():
                return HttpSource(
                    source.url, mapping=mapping, client=client, clock=clock, credentials=source.credentials(),
                    member=source.member,
                )  # fmt: skip
    except ValidationError as error:
        raise TypeFileInvalid.of(path, error) from None
    except (OSError, ValueError) as error:
        raise TypeFileInvalid(f"{path.name}: {error}") from None


def from_environment(value: str) -> str:
    """Return a value, or what an environment variable holds that it names as `$NAME`.

    Raises:
        ValueError: there is no such variable.
    """
    if not value.startswith("$"):
        return value
    if value[1:] not in os.environ:
        raise ValueError(f"the environment has no {value[1:]}")
    return os.environ[value[1:]]
