"""An attempt to ask a person: how long its stream of states lasts."""

from datetime import timedelta
from typing import Any

import pytest

from verifier.ways import Ways


async def test_a_stream_that_nobody_ends_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    async def pending(self: Ways, ended: str) -> dict[str, str]:
        return {"state": "pending"}

    class Settings:
        event_interval = timedelta(0)

    class Verifier:
        settings = Settings()

    monkeypatch.setattr(Ways, "state", pending)
    verifier: Any = Verifier()
    service: Any = None

    told = [each async for each in Ways(verifier, service, {}).states("/done")]

    assert told == [b'data: {"state":"pending"}\n\n', *[b": waiting\n\n"] * 59]
