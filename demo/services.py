"""The two services of the demo, as clients of the verifier's HTTP API: what they know is an address and an API key."""

from dataclasses import dataclass
from typing import Any, Final

import httpx2

from byoid.relying_party.messages import QueryDefinition, TrustRule
from demo.pki import Service

QUERY: Final = "residence"
BRIEF: Final = "brief"  # the same query, for an answer within seconds
BRIEF_SECONDS: Final = 5


@dataclass(frozen=True)
class ServiceClient:
    """A service that asks through the verifier."""

    service: Service
    http: httpx2.AsyncClient
    api: str
    key: str

    async def define_queries(self) -> None:
        """Say once what is asked, and whose word counts."""
        rule = TrustRule(lists=("demo",), purposes=("pid",))
        for name, seconds in ((QUERY, 600), (BRIEF, BRIEF_SECONDS)):
            definition = QueryDefinition(dcql_query=self.service.query, trust={"*": rule}, lifetime_seconds=seconds)
            await self._call("PUT", f"/queries/{name}", definition.to_wire())

    async def ask(self, query: str = QUERY) -> dict[str, Any]:
        """Start a transaction: its id, and the link for a wallet."""
        return await self._call("POST", "/transactions", {"query": query, "request_uri_method": "post"})

    async def result(self, transaction_id: str) -> dict[str, Any]:
        """Read what came of it: claims and verdicts, or the reasons."""
        return await self._call("GET", f"/transactions/{transaction_id}/result")

    async def look(self, transaction_id: str) -> dict[str, Any]:
        """Look how far it has come."""
        return await self._call("GET", f"/transactions/{transaction_id}")

    async def forget(self, transaction_id: str) -> None:
        """Delete the transaction with its result."""
        await self._call("DELETE", f"/transactions/{transaction_id}")

    async def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.key}"}
        response = await self.http.request(method, self.api + path, json=body, headers=headers)
        response.raise_for_status()
        answer: dict[str, Any] = response.json() if response.content else {}
        return answer
