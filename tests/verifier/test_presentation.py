"""Whole presentations over the verifier's HTTP API."""

import pytest

from tests.verifier.conftest import Running
from tests.verifier.world import Wallet


@pytest.mark.parametrize("query", ["pid", "pid-mdoc"])
async def test_a_presentation_gives_the_service_claims_and_verdicts_only(
    running: Running, wallet: Wallet, query: str
) -> None:
    started = await running.start(query)

    answer = await wallet.complete(started["link"])

    assert (answer.status_code, answer.json()) == (200, {})
    result = await running.result(started["id"])
    assert result["state"] == "accepted"
    (credential,) = result["credentials"]["pid"]
    assert set(credential) == {"format", "type", "issuer", "claims", "holder_bound", "status"}
    assert credential["status"] == "valid"
    assert credential["holder_bound"] is True
    assert "Ada" in str(credential["claims"])
