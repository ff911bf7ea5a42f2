"""What the wallet finds out when a card comes: how it stands with its issuer, and to whom it may be shown."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from byoid.fetch import StatusListCache
from byoid.formats.status_array import StatusArray
from byoid.formats.status_list import prepare_status_list_token
from byoid.service.trust_files import load_signer
from byoid.signing import sign_now
from tests.peers.dishonest_issuer import URL, DishonestIssuer
from wallet.card_status import CardState
from wallet.cards import load_card
from wallet.context import Wallet
from wallet.keeping import Received
from wallet.status_refresh import refresh_statuses

POLICY = {"policy_uri": "urn:policy:1", "policy_type": "no_policy"}


class Registrar:
    """Publishes the status list of the issuer's credentials."""

    def __init__(self, issuer: DishonestIssuer, pki: Path) -> None:
        self.issuer, self.pki = issuer, pki
        self.value = 0
        self.signer = "status"
        self.fetched = 0
        self.app = Starlette(routes=[Route("/status/1", self.publish)])

    async def publish(self, _: Request) -> Response:
        self.fetched += 1
        array, now = StatusArray.of_size(2048, bits=2), self.issuer.clock()
        for place in range(1000, 1003):
            array.set_status(place, self.value)
        key = load_signer(self.pki / f"{self.signer}.key", self.pki / f"{self.signer}.pem")
        unsigned = prepare_status_list_token(
            array, uri=f"{URL}/status/1", issued_at=now, expires_at=now + timedelta(hours=1), ttl=timedelta(minutes=5),
            algorithm=key.algorithm, x5c=key.x5c,
        )  # fmt: skip
        return Response(sign_now(unsigned, key.key), media_type="application/statuslist+jwt")


@pytest.fixture
async def registrar(issuer: DishonestIssuer, pki: Path, wallet: Wallet) -> AsyncIterator[Registrar]:
    found = Registrar(issuer, pki)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(found.app)) as http:
        wallet.verifiers.statuses = StatusListCache(http)
        yield found


@pytest.mark.parametrize(
    ("value", "state"), [(0, CardState.VALID), (1, CardState.REVOKED), (2, CardState.SUSPENDED)]
)  # fmt: skip
async def test_the_citizen_is_told_how_a_card_stands_that_has_just_come(
    citizen: Any, registrar: Registrar, value: int, state: CardState
) -> None:
    registrar.value = value
    received = await citizen.receive()

    assert isinstance(received, Received)
    assert list(received.states.values()) == [state]
    assert received.states.keys() == set(received.card_ids)
    assert registrar.fetched == 1  # once for all copies


async def test_a_list_that_cannot_be_had_is_not_read_as_good(citizen: Any) -> None:
    assert list((await citizen.receive()).states.values()) == [CardState.UNKNOWN]


async def test_lists_are_fetched_again_before_their_time_is_over(
    citizen: Any, wallet: Wallet, registrar: Registrar, clock: Any
) -> None:
    await citizen.receive()
    early = await refresh_statuses(wallet)
    clock.advance(minutes=4, seconds=30)
    due = await refresh_statuses(wallet)

    assert (early, due, registrar.fetched) == (0, 1, 2)


@pytest.mark.hostile
@pytest.mark.parametrize("defect", ["another-signer", "gone"])
async def test_a_list_that_became_bad_does_not_replace_the_good_one(
    citizen: Any, wallet: Wallet, registrar: Registrar, clock: Any, defect: str
) -> None:
    await citizen.receive()
    clock.advance(minutes=4, seconds=30)
    if defect == "gone":
        registrar.app.router.routes.clear()
    registrar.signer = "access-shop"

    assert await refresh_statuses(wallet) == 0
    uri = f"{URL}/status/1"
    assert set(await wallet.verifiers.statuses.tokens([uri], now=clock())) == {uri}  # the good one, while it lasts


async def test_the_policy_of_the_issuer_is_kept_with_the_card(
    citizen: Any, wallet: Wallet, issuer: DishonestIssuer
) -> None:
    def with_policy(metadata: dict[str, Any]) -> dict[str, Any]:
        described = metadata["credential_configurations_supported"]["pid"]["credential_metadata"]
        described["embedded_disclosure_policy"] = POLICY
        return metadata

    issuer.tamper["metadata"] = with_policy
    (card_id,) = (await citizen.receive()).card_ids

    kept = await load_card((await citizen.visit()).contents, card_id, now=wallet.clock())
    assert kept.content.disclosure_policy == POLICY
