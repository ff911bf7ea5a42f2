"""Authentic sources: files and HTTP services, honest and not, and the file that names them."""

import json
from collections.abc import AsyncIterator, Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest
from openpyxl import Workbook

from issuer.attributes import NotReady, PersonUnknown, Refused, SourceUnavailable
from issuer.credential_types import TypeFileInvalid
from issuer.sources.csv_file import read_csv
from issuer.sources.factory import load_source
from issuer.sources.http_json import ClientCredentials, HttpSource
from issuer.sources.mapping import Mapping_
from issuer.sources.rows import FileSource

MAPPING = '[attributes]\nfamily_name = "name"\nbirth_date = { column = "born", as = "date" }\n'
ADA = {"family_name": "Lovelace", "birth_date": date(1990, 12, 10)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mapping.toml").write_text(MAPPING, "utf-8")
    return tmp_path


@pytest.fixture
def load(folder: Path, clock: Any) -> Callable[[str], Any]:
    def load_(text: str) -> Any:
        (folder / "source.toml").write_text(text, "utf-8")
        return load_source(folder / "source.toml", client=httpx2.AsyncClient(), clock=clock)

    return load_


def _excel(path: Path) -> None:
    workbook = Workbook()
    for row in (["key", "name", "born"], [1, "Lovelace", date(1990, 12, 10)], [None, None, None]):
        workbook.active.append(row)
    workbook.save(path)


@pytest.mark.parametrize("kind", ["comma", "semicolon", "excel"])
async def test_a_file_is_a_register(folder: Path, load: Callable[[str], Any], kind: str) -> None:
    if kind == "excel":
        _excel(folder / "people.xlsx")
        source = load('kind = "excel"\nmapping = "mapping.toml"\npath = "people.xlsx"\nkey = "key"\n')
    else:
        text = "key,name,born\n1,Lovelace,1990-12-10\n".replace(",", "," if kind == "comma" else ";")
        (folder / "people.csv").write_text(text, "utf-8-sig")
        source = load('kind = "csv"\nmapping = "mapping.toml"\npath = "people.csv"\nkey = "key"\n')
    assert await source.record("1", "pid") == ADA
    with pytest.raises(PersonUnknown):
        await source.record("2", "pid")


async def test_a_file_that_was_replaced_is_read_again(folder: Path) -> None:
    path = folder / "people.csv"
    mapping = Mapping_.model_validate({"attributes": {"family_name": "name"}})
    source = FileSource(path, read=read_csv, key="key", mapping=mapping)
    with pytest.raises(SourceUnavailable):
        await source.record("1", "pid")
    path.write_text("key,name\n1,Old\n")
    assert await source.record("1", "pid") == {"family_name": "Old"}
    path.write_text("key,name\n1,Brand new\n")
    assert await source.record("1", "pid") == {"family_name": "Brand new"}


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("defect", "content"),
    [
        ("a key twice", b"key,name\n1,a\n1,b\n"),
        ("a row without a key", b"key,name\n,a\n"),
        ("a short row", b"key,name\n1\n"),
        ("a long row", b"key,name\n1,a,b\n"),
        ("a column twice", b"key,key\n1,2\n"),
        ("no head line", b""),
        ("not UTF-8", b"key,name\n1,\xff\n"),
        ("an open quote", b'key,name\n1,"a\n'),
        ("another column", b"key,surname\n1,a\n"),
    ],
)
async def test_a_damaged_file_gives_nobody(folder: Path, defect: str, content: bytes) -> None:
    path = folder / "people.csv"
    path.write_bytes(content)
    mapping = Mapping_.model_validate({"attributes": {"family_name": "name"}})
    with pytest.raises((SourceUnavailable, PersonUnknown)) as error:
        await FileSource(path, read=read_csv, key="key", mapping=mapping).record("1", "pid")
    assert isinstance(error.value, SourceUnavailable) or defect == "no head line"


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("defect", "text"),
    [
        ("not TOML", "kind = "),
        ("unknown kind", 'kind = "ldap"\nmapping = "mapping.toml"'),
        ("unknown member", 'kind = "csv"\nmapping = "mapping.toml"\npath = "a"\nkey = "b"\nsheet = 1'),
        ("no mapping", 'kind = "csv"\nmapping = "none.toml"\npath = "a"\nkey = "b"'),
        ("no place for the key", 'kind = "http"\nmapping = "mapping.toml"\nurl = "https://a.test/"'),
        ("half a client", 'kind = "http"\nmapping = "mapping.toml"\nurl = "https://a.test/{person}"\nclient_id = "a"'),
        (
            "no place for the key in the query",
            'kind = "sql"\nmapping = "mapping.toml"\nurl = "sqlite://"\nquery = "SELECT 1"',
        ),
        ("no URL", 'kind = "sql"\nmapping = "mapping.toml"\nurl = "db"\nquery = "SELECT :person"'),
        ("no such database", 'kind = "sql"\nmapping = "mapping.toml"\nurl = "dbase://a/b"\nquery = "SELECT :person"'),
        ("a missing driver", 'kind = "sql"\nmapping = "mapping.toml"\nurl = "mysql://a/b"\nquery = "SELECT :person"'),
        ("no such variable", 'kind = "sql"\nmapping = "mapping.toml"\nurl = "$NOT_SET_ANYWHERE"\nquery = "x"'),
    ],
)
def test_a_wrong_source_file_is_explained(load: Callable[[str], Any], defect: str, text: str) -> None:
    with pytest.raises(TypeFileInvalid, match=r"(source|none)\.toml"):
        load(text)


async def test_pictures_may_be_texts(load: Callable[[str], Any], folder: Path) -> None:
    (folder / "mapping.toml").write_text('[attributes]\nportrait = { column = "picture", as = "base64" }\n', "utf-8")
    (folder / "people.csv").write_text("key,picture\n1,/9j/4A==\n2,no picture\n", "utf-8")
    source = load('kind = "csv"\nmapping = "mapping.toml"\npath = "people.csv"\nkey = "key"\n')
    assert await source.record("1", "pid") == {"portrait": b"\xff\xd8\xff\xe0"}
    with pytest.raises(SourceUnavailable, match="no base64"):
        await source.record("2", "pid")


@pytest.fixture
async def residents(postgres_socket: Path) -> AsyncIterator[str]:
    """A table of an agency's own PostgreSQL, with a number for a key."""
    connection = await asyncpg.connect(host=str(postgres_socket), user="postgres", database="postgres")
    await connection.execute("DROP TABLE IF EXISTS residents")
    await connection.execute("CREATE TABLE residents (key integer PRIMARY KEY, name text, born date)")
    await connection.execute("INSERT INTO residents VALUES (1, 'Lovelace', '1990-12-10')")
    yield f"postgresql://postgres@/postgres?host={postgres_socket}"
    await connection.execute("DROP TABLE residents")
    await connection.close()


@pytest.mark.postgres
async def test_a_table_in_postgresql_is_a_register(load: Callable[[str], Any], residents: str) -> None:
    query = "SELECT * FROM residents WHERE key = CAST(:person AS integer)"
    source = load(f'kind = "sql"\nmapping = "mapping.toml"\nurl = "{residents}"\nquery = "{query}"\n')
    assert await source.record("1", "pid") == ADA
    with pytest.raises(PersonUnknown):
        await source.record("2", "pid")
    with pytest.raises(SourceUnavailable, match="InvalidTextRepresentationError"):
        await source.record("x", "pid")
    await source.close()


@pytest.mark.hostile
@pytest.mark.postgres
@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("residents", "nowhere", "UndefinedTableError"),
        ("key =", "number =", "UndefinedColumnError"),
        ("CAST(:person AS integer)", ":person", "UndefinedFunctionError"),
        ("postgres@", "nobody-we-know@", "InvalidAuthorizationSpecificationError"),
        ("/postgres?", "/nowhere?", "InvalidCatalogNameError"),
    ],
)
async def test_a_table_that_cannot_be_asked_is_named_by_the_fault(
    load: Callable[[str], Any], residents: str, old: str, new: str, said: str
) -> None:
    text = f'kind = "sql"\nmapping = "mapping.toml"\nurl = "{residents}"\n'
    text += 'query = "SELECT * FROM residents WHERE key = CAST(:person AS integer)"\n'
    source = load(text.replace(old, new))
    with pytest.raises(SourceUnavailable, match=said):
        await source.record("1", "pid")
    await source.close()


class Register(httpx2.AsyncBaseTransport):
    """A register behind HTTP with OAuth; `answer` is what it says next."""

    def __init__(self) -> None:
        self.answer = httpx2.Response(200, json={"person": {"name": "Lovelace", "birth": {"on": "1990-12-10"}}})
        self.tokens, self.asked = 0, [""]
        self.valid: str | None = None
        self.fails = False

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if self.fails:
            raise httpx2.ConnectError("no")
        if request.url.path == "/token":
            form = (await request.aread()).decode()
            assert "grant_type=client_credentials" in form and "scope=read" in form
            assert request.headers["authorization"].startswith("Basic ")
            self.tokens += 1
            self.valid = f"token {self.tokens}"
            return httpx2.Response(200, json={"access_token": self.valid, "expires_in": 300})
        if request.headers.get("authorization") != f"Bearer {self.valid}":
            return httpx2.Response(401)
        self.asked.append(request.url.raw_path.decode())
        return httpx2.Response(self.answer.status_code, headers=self.answer.headers, content=self.answer.content)


@pytest.fixture
def register() -> Register:
    return Register()


@pytest.fixture
def http_source(register: Register, clock: Any) -> HttpSource:
    mapping = Mapping_.model_validate(
        {"attributes": {"family_name": "name", "birth_date": {"column": "birth.on", "as": "date"}}}
    )
    credentials = ClientCredentials("https://register.test/token", "issuer", "secret", "read")
    return HttpSource(
        "https://register.test/people/{person}", mapping=mapping, client=httpx2.AsyncClient(transport=register),
        clock=clock, credentials=credentials, member="person",
    )  # fmt: skip


async def test_a_service_is_a_register(http_source: HttpSource, register: Register, clock: Any) -> None:
    assert await http_source.record("1/../2?x", "pid") == ADA
    assert register.asked[-1] == "/people/1%2F..%2F2%3Fx"
    await http_source.record("1", "pid")
    assert register.tokens == 1
    clock.advance(timedelta(minutes=5))
    await http_source.record("1", "pid")
    assert register.tokens == 2
    register.valid = None  # revoked there
    await http_source.record("1", "pid")
    assert register.tokens == 3


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx2.Response(404), PersonUnknown),
        (httpx2.Response(202), NotReady),
        (httpx2.Response(503, headers={"Retry-After": "60"}), NotReady),
        (httpx2.Response(403, json={"reason": "Died."}), Refused),
        (httpx2.Response(500), SourceUnavailable),
        (httpx2.Response(302, headers={"Location": "https://evil.test"}), SourceUnavailable),
        (httpx2.Response(200, text="<html>"), SourceUnavailable),
        (httpx2.Response(200, json=[]), SourceUnavailable),
        (httpx2.Response(200, json={"person": None}), SourceUnavailable),
        (httpx2.Response(200, json={"person": {"name": "a"}}), SourceUnavailable),
    ],
)
async def test_each_answer_has_its_meaning(
    http_source: HttpSource, register: Register, answer: httpx2.Response, error: type[Exception]
) -> None:
    register.answer = answer
    with pytest.raises(error):
        await http_source.record("1", "pid")


async def test_a_service_that_is_down_is_unavailable(http_source: HttpSource, register: Register) -> None:
    register.fails = True
    with pytest.raises(SourceUnavailable):
        await http_source.record("1", "pid")


def test_the_source_file_may_name_a_service(load: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTER_SECRET", "s")
    text = {"kind": "http", "mapping": "mapping.toml", "url": "https://a.test/{person}", "token_url": "https://a.test/t",
            "client_id": "i", "client_secret": "$REGISTER_SECRET"}  # fmt: skip
    assert isinstance(load("\n".join(f"{name} = {json.dumps(value)}" for name, value in text.items())), HttpSource)
