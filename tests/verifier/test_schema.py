"""Fuzzing of the API by its own description: no 5xx, no answer that is not described."""

import os
from pathlib import Path

import hypothesis
import pytest
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.testclient import TestClient

from byoid.encoding import b64u_encode
from tests.conftest import NOW, Clock
from tests.verifier.world import definition, make_world, sd_jwt_query
from verifier.app import create_app
from verifier.services import NewService, add_api_key, add_service
from verifier.settings import VerifierSettings

CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # schemathesis' own
def test_no_input_finds_an_answer_that_is_not_described(tmp_path: Path) -> None:
    clock = Clock(NOW)
    make_world(tmp_path, clock)
    settings = VerifierSettings.load(
        profile="demo", public_url="https://verifier.test", database_url=f"sqlite:///{tmp_path}/v.db",
        sealing_keys="demo:" + b64u_encode(os.urandom(32)), keys=tmp_path, trust=tmp_path / "trust.toml",
        event_interval="PT0.01S",
    )  # fmt: skip
    app = create_app(settings, clock=clock)
    with TestClient(app, base_url="https://verifier.test", raise_server_exceptions=False) as client:
        verifier = app.state.verifier

        async def prepare() -> str:
            service = NewService("shop", "Shop", key_name="access-shop")
            await add_service(verifier.store, verifier.sealer, service, now=NOW)
            return await add_api_key(verifier.store, verifier.sealer, service_id="shop", label="test", now=NOW)

        assert client.portal is not None
        key = client.portal.call(prepare)
        headers = {"Authorization": f"Bearer {key}"}
        put = client.put("/api/v1/queries/pid", json=definition(sd_jwt_query()), headers=headers)
        assert put.status_code == 201
        started = client.post("/api/v1/transactions", json={"query": "pid"}, headers=headers).json()
        schema = schemathesis.openapi.from_dict(app.openapi())
        known = {"transaction_id": started["id"], "name": "pid", "service_id": "shop"}

        for found in schema.get_all_operations():
            operation = found.ok()
            if operation.path.endswith("/events"):
                continue  # answers as long as the transaction waits

            @hypothesis.settings(
                max_examples=12, deadline=None, database=None, derandomize=True,
                suppress_health_check=list(hypothesis.HealthCheck),
            )  # fmt: skip
            @hypothesis.given(case=operation.as_strategy(), known_names=hypothesis.strategies.booleans())
            def fuzz(case: schemathesis.Case, known_names: bool) -> None:
                if known_names:
                    case.path_parameters = {
                        name: known.get(name, value) for name, value in case.path_parameters.items()
                    }
                arguments = case.as_transport_kwargs(base_url="https://verifier.test", headers=headers)
                response = client.request(**{
                    name: value for name, value in arguments.items() if name not in ("cookies", "timeout")
                })  # fmt: skip
                case.validate_response(schemathesis.Response.from_any(response), checks=list(CHECKS), headers=headers)

            fuzz()
