"""What the relying party's README shows works: its programs are run as they stand there, with an honest wallet."""

import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport

from tests.verifier.world import Wallet, World, make_world

README = Path(__file__).parents[3] / "byoid" / "relying_party" / "README.md"
URL = "https://shop.example"
HONEST = {"state": "accepted", "over 18": True, "here": True}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """The files that the programs read, in the folder where they run."""
    world = make_world(tmp_path, lambda: datetime.now(UTC))
    world.register("shop", "NTRUT-shop", [])
    for ending in ("key", "pem", "registration.jwt"):
        shutil.copy(tmp_path / f"access-shop.{ending}", tmp_path / f"shop.{ending}")
    (tmp_path / "sealing.key").write_text(bytes(range(32)).hex())
    issuer = httpx2.AsyncClient(transport=ASGITransport(world.issuer.app()))
    monkeypatch.setattr("byoid.service.http.http_client", lambda: issuer)
    monkeypatch.chdir(tmp_path)
    return world


def program(*, sections: int) -> FastAPI:
    """Run the first blocks of the README as one module, and return its application."""
    blocks = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    module = ModuleType("shop")
    exec(compile("\n".join(blocks[:sections]), README.name, "exec"), module.__dict__)
    app: FastAPI = module.__dict__["app"]
    return app


@asynccontextmanager
async def clients(app: FastAPI) -> AsyncIterator[tuple[httpx2.AsyncClient, httpx2.AsyncClient]]:
    """A browser, and a wallet's client."""
    async with (
        httpx2.AsyncClient(transport=ASGITransport(app), base_url=URL) as browser,
        httpx2.AsyncClient(transport=ASGITransport(app), base_url=URL) as wallet,
    ):
        yield browser, wallet


async def show(world: World, wallet: httpx2.AsyncClient, browser: httpx2.AsyncClient) -> Any:
    sent = await browser.get("/ask")
    answer = await Wallet(world, wallet).complete(sent.headers["location"])
    assert (await wallet.get(answer.json()["redirect_uri"])).status_code in {403, 404}  # another browser
    assert (await browser.get("/done")).status_code == 403  # without the response code
    return (await browser.get(answer.json()["redirect_uri"])).json()


async def test_the_whole_program_answers_on_this_device(world: World) -> None:
    async with clients(program(sections=1)) as (browser, wallet):
        assert await show(world, wallet, browser) == HONEST


async def test_the_whole_program_draws_a_code_for_another_device(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []

    def draw(link: str) -> str:
        drawn.append(link)
        return "<svg/>"

    monkeypatch.setattr("byoid.service.qr.svg", draw)
    async with clients(program(sections=1)) as (browser, wallet):
        code = await browser.get("/qr.svg")
        assert (code.headers["content-type"], code.text) == ("image/svg+xml", "<svg/>")
        assert (await browser.get("/done-elsewhere")).json()["state"] == "pending"
        await Wallet(world, wallet).complete(drawn[0])
        assert (await browser.get("/done-elsewhere")).json() == HONEST
        assert (await wallet.get("/done-elsewhere")).status_code == 404


async def test_two_workers_share_transactions_in_a_database(world: World) -> None:
    one, other = program(sections=2), program(sections=2)
    async with one.router.lifespan_context(one), other.router.lifespan_context(other):
        async with clients(one) as (browser, _), clients(other) as (_, wallet):
            assert await show(world, wallet, browser) == HONEST
