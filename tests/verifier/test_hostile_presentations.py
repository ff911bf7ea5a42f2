"""Dishonest wallets: each presentation breaks one rule, in each format and over each response mode.

The wallet learns that it was refused; the log and the service learn why. What is not authentic leaves the transaction
answerable: the honest answer after it is accepted.
"""

import logging
import re
from collections.abc import Mapping
from typing import Any

import httpx2
import pytest

from byoid.presentation.authentication import PresentationRequest
from byoid.presentation.dc_api import authenticate_dc_api_request, dc_api_response
from byoid.presentation.request import AuthorizationRequest
from byoid.presentation.response import AuthorizationResponse, choose_response_encryption
from tests.verifier.conftest import Running
from tests.verifier.defects import MDOC_DEFECTS, SD_JWT_DEFECTS, Defect, Mischief
from tests.verifier.world import Answer, Wallet, definition, mdoc_query, sd_jwt_query

ORIGIN = "https://shop.test"
MODES = ("direct_post", "direct_post.jwt", "dc_api", "dc_api.jwt")
FORMATS = {"dc+sd-jwt": (sd_jwt_query(), SD_JWT_DEFECTS), "mso_mdoc": (mdoc_query(), MDOC_DEFECTS)}
CASES = [
    pytest.param(mode, name, defect, id=f"{mode}-{defect.name}")
    for name, (_, defects) in FORMATS.items()
    for defect in defects
    for mode in MODES
    if mode.endswith(".jwt") or not defect.ends  # statuses are looked at in the same way whatever the response mode is
]


class Exchange:
    """One transaction over one response mode, from its start to what the service learns."""

    def __init__(self, running: Running, wallet: Wallet, mode: str) -> None:
        self.running, self.wallet, self.mode = running, wallet, mode
        self.request: AuthorizationRequest
        self.bound: PresentationRequest
        self.id = ""

    async def begin(self, query: dict[str, Any]) -> None:
        await self.running.define("asked", definition(query, encrypted=self.mode.endswith(".jwt")))
        over_dc_api = self.mode.startswith("dc_api")
        members = {"mode": "dc_api", "origin": ORIGIN} if over_dc_api else {}
        started = await self.running.start("asked", **members)
        self.id = started["id"]
        if over_dc_api:
            world = self.wallet.world
            self.request = authenticate_dc_api_request(
                started["digital"]["protocol"], started["digital"]["data"], origin=ORIGIN, trust=world.trust,
                now=world.clock(),
            ).request  # fmt: skip
        else:
            self.request = await self.wallet.fetch(started["link"])
        assert self.request.response_mode == self.mode
        self.bound = self.wallet.bound(self.request, origin=ORIGIN if over_dc_api else None)

    async def send(self, vp_token: Mapping[str, Any]) -> httpx2.Response:
        if not self.mode.startswith("dc_api"):
            return await self.wallet.post(self.request, Answer(self.request, vp_token, self.request.state).form())
        encryption = choose_response_encryption(self.request.client_metadata) if self.request.encrypted else None
        data = dc_api_response(AuthorizationResponse(vp_token=vp_token), encryption)
        return await self.running.api.post(f"/api/v1/transactions/{self.id}/response", json={"data": data})

    async def send_honestly(self) -> httpx2.Response:
        return await self.send({"pid": (self.wallet.present(self.bound, "pid"),)})


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("mode", MODES)
async def test_an_honest_wallet_is_accepted_over_every_response_mode(
    running: Running, wallet: Wallet, mode: str, format_: str
) -> None:
    exchange = Exchange(running, wallet, mode)
    await exchange.begin(FORMATS[format_][0])

    answer = await exchange.send_honestly()

    assert answer.status_code == 200
    result = await running.result(exchange.id)
    assert result["state"] == "accepted"
    assert result["credentials"]["pid"][0]["format"] == format_


@pytest.mark.hostile
@pytest.mark.parametrize(("mode", "format_", "defect"), CASES)
async def test_a_dishonest_presentation_is_refused_with_its_reason(
    running: Running, wallet: Wallet, caplog: pytest.LogCaptureFixture, mode: str, format_: str, defect: Defect
) -> None:
    exchange = Exchange(running, wallet, mode)
    await exchange.begin(FORMATS[format_][0])
    presentation = defect.make(Mischief(wallet, exchange.bound))

    with caplog.at_level(logging.INFO, logger="byoid.relying_party"):
        answer = await exchange.send({"pid": (presentation,)})

    assert answer.status_code == 400
    assert answer.json() == {"error": "invalid_request", "error_description": "The response was refused."}
    view, result = await running.look(exchange.id), await running.result(exchange.id)
    assert result["credentials"] == {}
    assert "Ada" not in caplog.text
    if defect.ends:
        assert view["state"] == "rejected"
        assert re.search(defect.reason, "; ".join(result["reasons"]))
        assert re.search(defect.reason, caplog.text)
        return
    assert (view["state"], view["failures"]) == ("pending", 1)
    assert re.search(defect.reason, view["last_failure"])
    assert re.search(defect.reason, caplog.text)
    assert (await exchange.send_honestly()).status_code == 200
    assert (await running.look(exchange.id))["state"] == "accepted"
