"""An agency's back office in this process: its admin API, its jobs, and the systems around it."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest

from issuer.admin import Role, add_key
from issuer.agency import Agency
from tests.issuer.conftest import Peer


@dataclass
class Office:
    """Somebody with an API key."""

    peer: Peer
    agency: Agency
    keys: dict[Role, str] = field(default_factory=dict)

    async def call(self, method: str, path: str, *, role: Role = Role.OPERATOR, **arguments: Any) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {await self.key(role)}"}
        return await self.peer.http.request(method, f"/admin{path}", headers=headers, **arguments)

    async def key(self, role: Role) -> str:
        if role not in self.keys:
            self.keys[role] = (await add_key(self.agency, name=role, role=role, actor="test")).key
        return self.keys[role]

    async def issued(self, **query: str) -> list[dict[str, Any]]:
        answer = await self.call("GET", "/issued", params=query)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["credentials"]
        return found

    async def journal(self) -> list[dict[str, Any]]:
        answer = await self.call("GET", "/journal", role=Role.AUDITOR)
        assert answer.status_code == 200, answer.text
        entries: list[dict[str, Any]] = answer.json()["entries"]
        return entries


@pytest.fixture
async def office(peer: Peer) -> Office:
    return Office(peer, peer.app.state.agency)


@pytest.fixture
def open_office(open_issuer: Callable[..., Any]) -> Callable[..., Any]:
    """Open an issuer with other settings, and its back office."""
    from contextlib import asynccontextmanager

    @asynccontextmanager
    async def open_(**changes: Any) -> AsyncIterator[Office]:
        async with open_issuer(**changes) as peer:
            yield Office(peer, peer.app.state.agency)

    return open_
