"""Forged ways back from an issuer's login, and promises that are kept badly."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response

from byoid.errors import (
    ByoidError,
    ClaimMismatch,
    HolderBindingError,
    MalformedInput,
    PeerError,
    UntrustedIssuer,
)
from byoid.trust.anchors import Purpose
from tests.peers.dishonest_issuer import (
    URL,
    DishonestIssuer,
    link,
    offer,
)
from tests.wallet.receiving.defects import (
    NOTHING,
    Tamper,
    by_stranger,
    error,
    require_message,
    require_nothing_kept,
    to_stranger,
    without,
)
from wallet.content_tables import Kind
from wallet.context import Wallet
from wallet.deferred import collect_due
from wallet.offers import open_link
from wallet.receipts import OutOfTurn
from wallet.receiving import IssuerUnavailable, approve, propose

pytestmark = pytest.mark.hostile


# --- the way back from the login


BACK: dict[str, tuple[Callable[[dict[str, str]], dict[str, str]], type[ByoidError]]] = {
    "another state": (lambda honest: honest | {"state": honest["state"] + "x"}, ClaimMismatch),
    "a state of nobody": (lambda honest: honest | {"state": "nobody.x"}, ClaimMismatch),
    "no state": (without("state"), ClaimMismatch),
    "another server": (lambda honest: honest | {"iss": "https://other.test"}, ClaimMismatch),
    "no server": (without("iss"), ClaimMismatch),
}


@pytest.mark.parametrize("defect", BACK)
async def test_a_forged_way_back_redeems_nothing_and_the_honest_one_still_works(
    defect: str, citizen: Any, issuer: DishonestIssuer
) -> None:
    forge, expected = BACK[defect]
    honest = await citizen.log_in()
    with pytest.raises(expected) as caught:
        await citizen.come_back(forge(honest))

    require_message(caught.value)
    assert "token" not in issuer.paths()
    assert await citizen.come_back(honest)


REFUSALS: dict[str, Callable[[dict[str, str]], dict[str, str]]] = {
    "an error": lambda honest: {"error": "access_denied", "state": honest["state"], "iss": URL},
    "no code": without("code"),
}


@pytest.mark.parametrize("defect", REFUSALS)
async def test_a_refusal_at_the_login_ends_the_receipt(defect: str, citizen: Any, issuer: DishonestIssuer) -> None:
    honest = await citizen.log_in()
    with pytest.raises(PeerError) as caught:
        await citizen.come_back(REFUSALS[defect](honest))

    await require_nothing_kept(citizen, caught.value)
    assert "token" not in issuer.paths()


async def test_the_way_back_works_in_the_session_that_began_it_only(
    citizen: Any, stranger: Any, issuer: DishonestIssuer
) -> None:
    honest = await citizen.log_in()
    with pytest.raises(ClaimMismatch):
        await stranger.come_back(honest)

    assert "token" not in issuer.paths()


async def test_two_ways_back_at_once_redeem_one_code(citizen: Any, issuer: DishonestIssuer) -> None:
    honest = await citizen.log_in()
    results = await asyncio.gather(citizen.come_back(honest), citizen.come_back(honest), return_exceptions=True)

    assert issuer.paths().count("token") == 1
    assert sum(isinstance(each, ByoidError) for each in results) == 1


PUSHES: dict[str, tuple[Tamper, type[ByoidError]]] = {
    "no request_uri": (without("request_uri"), MalformedInput),
    "no lifetime": (without("expires_in"), MalformedInput),
    "refused": (error("invalid_request"), PeerError),
}


@pytest.mark.parametrize("defect", PUSHES)
async def test_a_push_that_fails_ends_the_receipt(defect: str, citizen: Any, issuer: DishonestIssuer) -> None:
    issuer.tamper["par"], expected = PUSHES[defect]
    with pytest.raises(expected) as caught:
        await citizen.log_in()

    await require_nothing_kept(citizen, caught.value)


# --- promises


PROMISED: dict[str, tuple[Callable[[DishonestIssuer], None], type[ByoidError]]] = {
    "another transaction": (
        lambda issuer: issuer.tamper.update(
            deferred=lambda _: JSONResponse({"transaction_id": "other", "interval": 5}, 202)
        ),
        PeerError,
    ),
    "more than keys": (
        lambda issuer: issuer.tamper.update(
            deferred=lambda honest: honest | {"credentials": honest["credentials"] * 2}
        ),
        PeerError,
    ),
    "nothing": (lambda issuer: issuer.tamper.update(deferred=lambda _: {}), MalformedInput),
    "signed by a stranger": (lambda issuer: setattr(issuer, "make", by_stranger(Purpose.PID)), UntrustedIssuer),
    "bound to a stranger's key": (lambda issuer: setattr(issuer, "make", to_stranger), HolderBindingError),
}


@pytest.mark.parametrize("defect", PROMISED)
async def test_a_promise_that_is_kept_badly_gives_no_card(
    defect: str, citizen: Any, wallet: Wallet, issuer: DishonestIssuer, clock: Any
) -> None:
    spoil, expected = PROMISED[defect]
    issuer.defer = 1
    await citizen.receive()
    spoil(issuer)
    clock.advance(seconds=6)
    (collected,) = await collect_due(wallet, await citizen.visit())

    assert isinstance(collected.error, expected)
    require_message(collected.error)
    assert {**await citizen.holdings(), "promises": 0, "keys": 0} == NOTHING


async def test_a_receipt_that_was_approved_is_not_proposed_again(
    citizen: Any, wallet: Wallet, issuer: DishonestIssuer
) -> None:
    issuer.tamper["token"] = lambda _: Response(status_code=503)
    visit = await citizen.visit()
    receipt = await open_link(wallet, visit, link(offer()))
    ceremony = await propose(wallet, visit, receipt.id)
    with pytest.raises(IssuerUnavailable):
        await approve(wallet, visit, receipt.id, citizen.answer(ceremony))

    with pytest.raises(OutOfTurn):
        await propose(wallet, visit, receipt.id)
    assert len(await visit.contents.all(Kind.RECEIPT)) == 1
