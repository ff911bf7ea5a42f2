"""Fuzzing of the wallet's API by its own description: no 5xx but a peer's, no answer that is not described."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import schemathesis
from fastapi import FastAPI
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.testclient import TestClient

from byoid.encoding import b64u_encode
from demo.pki import make_pki
from wallet import portability
from wallet.app import create_app
from wallet.authenticator import SoftwareAuthenticator
from wallet.settings import WalletSettings
from wallet.web.passkey_routes import COOKIE

URL = "https://wallet.test"
CHECKS = (status_code_conformance, content_type_conformance, response_schema_conformance)
GONE = {"/account/lock", "/sessions", "/session", "/sessions/{session_id}"}  # end the session: they are fuzzed last


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FastAPI:
    monkeypatch.setattr(portability, "ROUNDS", 1000)
    make_pki(tmp_path / "pki", host="wallet.test", now=datetime.now(UTC))
    return create_app(
        WalletSettings.load(
            profile="demo", public_url=URL, database_url=f"sqlite:///{tmp_path}/wallet.db", keys=tmp_path / "pki",
            sealing_keys=f"demo:{b64u_encode(b'w' * 32)}", trust=tmp_path / "pki" / "trust.toml",
            kek=f"file:{tmp_path}/kek", limit_factor=1000,
        )
    )  # fmt: skip


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, base_url=URL, raise_server_exceptions=False) as found:
        ceremony = found.post("/passkeys/register/options", json={"account_name": "Ada"}).json()
        post = {**SoftwareAuthenticator(URL).create(ceremony), "name": "Phone"}
        assert found.post("/passkeys/register", json=post).status_code == 200
        yield found


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # schemathesis' own
def test_no_input_finds_an_answer_that_is_not_described(app: FastAPI, client: TestClient) -> None:
    cookie = client.cookies[COOKIE]
    schema: Any = schemathesis.openapi.from_dict(app.openapi())
    operations = [each.ok() for each in schema.get_all_operations()]
    assert len(operations) > 50

    for operation in sorted(operations, key=lambda each: each.path in GONE):

        @hypothesis.settings(
            max_examples=8, deadline=None, database=None, derandomize=True,
            suppress_health_check=list(hypothesis.HealthCheck),
        )  # fmt: skip
        @hypothesis.given(case=operation.as_strategy(), signed_in=hypothesis.strategies.booleans())
        def fuzz(case: Any, signed_in: bool) -> None:
            headers = {"Cookie": f"{COOKIE}={cookie}", "Accept": "application/json"} if signed_in else {}
            client.cookies.clear()
            arguments = case.as_transport_kwargs(base_url=URL, headers=headers)
            response = client.request(**{
                name: value for name, value in arguments.items() if name not in ("cookies", "timeout")
            })  # fmt: skip
            checks = CHECKS if response.status_code == 502 else (not_a_server_error, *CHECKS)
            case.validate_response(schemathesis.Response.from_any(response), checks=list(checks), headers=headers)

        fuzz()
