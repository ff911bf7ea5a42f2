"""The agency of the demo: its issuer over its register, and its staff as clients of the admin API."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2
from fastapi import FastAPI

from byoid.issuance.offer import OfferReference, credential_offer_link
from demo.state import State
from issuer import admin
from issuer.admin import Role
from issuer.app import create_app
from issuer.settings import IssuerSettings
from issuer.sources.mapping import load_mapping
from issuer.sources.sql import SqlSource
from issuer.status_lists import publish

MAPPING: Final = Path(__file__).parent / "register.toml"
_PERSON: Final = "SELECT * FROM person WHERE person_number = :person"


def create_issuer(settings: IssuerSettings, state: State) -> FastAPI:
    """Make the issuer's application over the demo's register."""
    source = SqlSource(f"sqlite:///{state.register}", query=_PERSON, mapping=load_mapping(MAPPING))
    return create_app(settings, source=source)


@asynccontextmanager
async def publishing(issuer: FastAPI) -> AsyncIterator[None]:
    """Publish status lists as the agency's worker does, as often as its settings say."""
    worker = asyncio.create_task(_publish_forever(issuer))
    try:
        yield
    finally:
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)


async def _publish_forever(issuer: FastAPI) -> None:
    context = issuer.state.issuer
    while True:
        await publish(context)
        await asyncio.sleep(context.settings.publish_interval.total_seconds())


async def staff_key(issuer: FastAPI) -> str:
    """Return a new API key for the agency's staff, as the operator makes it on the command line."""
    made = await admin.add_key(issuer.state.agency, name="demo", role=Role.OPERATOR, actor="demo")
    return made.key


@dataclass(frozen=True)
class DemoOffer:
    """An offer: the link for installed wallets, the one for the demo's web wallet, and the transaction code."""

    link: str
    wallet_link: str
    tx_code: str | None


@dataclass(frozen=True)
class AgencyClient:
    """What the agency's staff do, over HTTP."""

    http: httpx2.AsyncClient
    state: State
    key: str

    async def offer(self, person: str, configuration_ids: list[str]) -> DemoOffer:
        """Offer credentials to a person of the register."""
        made = await self._call("POST", "/offers", {"person": person, "configuration_ids": configuration_ids})
        endpoint = f"{self.state.url('wallet')}/credential-offer"
        wallet_link = credential_offer_link(OfferReference(made["uri"]), endpoint=endpoint)
        return DemoOffer(made["link"], wallet_link, made["tx_code"])

    async def issued_count(self, person: str) -> int:
        """Count what was issued to a person; what was in it, nobody keeps."""
        found = await self._call("GET", "/issued", query={"target": "person", "value": person})
        return len(found["credentials"])

    async def revoke(self, person: str, *, reason: str) -> int:
        """Revoke everything of a person, and say how many credentials that were."""
        change = {"target": "person", "value": person, "reason": reason}
        changed: int = (await self._call("POST", "/revoke", change))["changed"]
        return changed

    async def _call(
        self, method: str, path: str, body: dict[str, Any] | None = None, query: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.key}"}
        url = f"{self.state.url('issuer')}/admin{path}"
        response = await self.http.request(method, url, json=body, params=query, headers=headers)
        response.raise_for_status()
        answer: dict[str, Any] = response.json()
        return answer
