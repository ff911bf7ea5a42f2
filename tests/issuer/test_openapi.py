"""The OpenAPI document is true: whatever is sent to an endpoint gets a documented answer, and never a 5xx."""

import asyncio
import contextlib
import shutil
import socket
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import schemathesis
    from schemathesis.checks import not_a_server_error
    from schemathesis.core.failures import FailureGroup
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

from issuer.admin import Role, add_key
from issuer.app import create_app, open_agency
from issuer.settings import IssuerSettings
from issuer.sources.mapping import load_mapping
from issuer.sources.sql import SqlSource
from tests.issuer.conftest import ROOT, Accounts
from tests.issuer.serving import serve


def no_server_error(ctx: Any, response: Any, case: Any) -> None:
    """Demand no 5xx, but for what Token Status List 8.4 says of states that are not kept."""
    if response.status_code != 501 or case.path != "/status/{list_id}":
        not_a_server_error(ctx, response, case)


CHECKS = [no_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
HEALTH = list(HealthCheck)
pytestmark = pytest.mark.filterwarnings("ignore")


@dataclass(frozen=True)
class Document:
    """The OpenAPI document of a server, and the key of an administrator."""

    url: str
    schema: Any
    key: str


@pytest.fixture(scope="module")
def document(agency: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The document of an issuer that is served over HTTP."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("openapi")
    shutil.copytree(agency / "pki", folder / "pki")  # an administrator's requests may begin a rotation
    chosen = IssuerSettings.load(
        profile="demo", public_url=f"http://127.0.0.1:{port}", allow_loopback_http=True,
        database_url=f"sqlite:///{folder}/issuer.db", sealing_keys=f"demo:{'A' * 43}", keys=folder / "pki",
        trust=folder / "pki" / "trust.toml",
    )  # fmt: skip
    source = SqlSource(
        f"sqlite:///{agency}/register.db", query="SELECT * FROM person WHERE person_number = :person",
        mapping=load_mapping(ROOT / "demo" / "register.toml"),
    )  # fmt: skip
    with serve(create_app(chosen, source=source, recognition=Accounts()), port) as url:
        schema, key = schemathesis.openapi.from_url(f"{url}/openapi.json"), asyncio.run(_admin_key(chosen, source))
        yield Document(url, schema, key)


async def _admin_key(chosen: IssuerSettings, source: SqlSource) -> str:
    async with open_agency(chosen, source=source) as agency:
        return (await add_key(agency, name="schemathesis", role=Role.ADMINISTRATOR, actor="test")).key


def operations(document: Document) -> list[Any]:
    return [found.ok() for found in document.schema.get_all_operations()]


@pytest.mark.parametrize("role", ["a stranger", "an administrator"])
def test_every_endpoint_answers_as_documented(document: Document, role: str) -> None:
    wrong: list[str] = []
    headers = {"Authorization": f"Bearer {document.key}"} if role == "an administrator" else {}
    found = [each for each in operations(document) if not headers or each.path.startswith("/admin")]
    for operation in found:
        try:
            _try(operation, headers)
        except FailureGroup as failures:
            wrong += [f"{operation.label}: {failure}" for failure in failures.exceptions]
    assert not wrong, "\n".join(wrong)
    assert len(found) > 18
    if headers:
        entries = httpx2.get(f"{document.url}/admin/journal", headers=headers).json()["entries"]
        assert {"POST /admin/revoke", "GET /admin/issued"} <= {each["details"].get("call") for each in entries}


def _try(operation: Any, headers: dict[str, str]) -> None:
    for mode in (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE):

        @settings(max_examples=5, deadline=None, database=None, derandomize=True, suppress_health_check=HEALTH)
        @given(case=operation.as_strategy(generation_mode=mode))
        def run(case: Any) -> None:
            case.call_and_validate(checks=CHECKS, allow_redirects=False, headers=headers)

        with contextlib.suppress(Unsatisfiable):  # an operation without parameters cannot be asked wrongly
            run()


def test_the_document_names_every_route(document: Document) -> None:
    described = {operation.path for operation in operations(document)}
    for path in ("/token", "/credential", "/par", "/status/{list_id}", "/.well-known/openid-credential-issuer"):
        assert path in described
