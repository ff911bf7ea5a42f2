"""A promise that could not be kept just now can be asked for again (OpenID4VCI 9)."""

from typing import Any

import pytest

from issuer import credentials
from issuer.attributes import NotReady

PID = {"credential_configuration_id": "pid_sd_jwt"}


async def test_a_promise_outlives_a_signer_that_does_not_answer(peer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hangs(*_: Any, **__: Any) -> list[str]:
        raise TimeoutError

    wallet = await peer.wallet_with_token()
    peer.source.fails = NotReady("later")
    ask = {"transaction_id": (await wallet.request(PID)).json()["transaction_id"]}
    peer.source.fails = None

    with monkeypatch.context() as patched:
        patched.setattr(credentials, "_signed", hangs)
        answer = await wallet.post_json("deferred", ask)
    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")

    assert (await wallet.post_json("deferred", ask)).status_code == 200
    assert (await wallet.post_json("deferred", ask)).json()["error"] == "invalid_transaction_id"


async def test_a_promise_outlives_a_death_before_it_is_recorded(peer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Died(Exception):
        pass

    async def dies(*_: Any, **__: Any) -> None:
        raise Died

    wallet = await peer.wallet_with_token()
    peer.source.fails = NotReady("later")
    ask = {"transaction_id": (await wallet.request(PID)).json()["transaction_id"]}
    peer.source.fails = None
    with monkeypatch.context() as patched:
        patched.setattr(credentials, "spend_and_write", dies)
        assert (await wallet.post_json("deferred", ask)).status_code == 500
    assert (await wallet.post_json("deferred", ask)).status_code == 200
    assert await peer.count("issuance") == 1
