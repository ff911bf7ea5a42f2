"""The sample service that uses the library alone: from its page to the wallet and back, and its size."""

from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest
from httpx2 import ASGITransport

from demo.library_service import create_app
from tests.verifier.world import Wallet, World, make_world

URL = "https://verifier.test"
SOURCE = Path(__file__).parents[2] / "demo" / "library_service.py"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path, lambda: datetime.now(UTC))


async def test_the_person_comes_back_from_the_wallet_to_a_card(world: World) -> None:
    async with httpx2.AsyncClient(transport=ASGITransport(world.issuer.app())) as issuer:
        app = create_app(URL, world.folder, town="Lindenmoor", wallet="https://wallet.test/", fetching=issuer)
        async with httpx2.AsyncClient(transport=ASGITransport(app), base_url=URL) as browser:
            sent = await browser.get("/card")
            assert sent.status_code == 303
            async with httpx2.AsyncClient(transport=ASGITransport(app)) as http:
                answer = await Wallet(world, http).complete(sent.headers["location"])
                back = answer.json()["redirect_uri"]
                assert (await http.get(back)).status_code == 404
            assert (await browser.get(f"{URL}/done")).status_code == 403
            assert "Here is your card" in (await browser.get(back)).text


def test_it_is_under_forty_lines_of_code() -> None:
    code = [line for line in SOURCE.read_text().splitlines() if line.strip() and not line.strip().startswith('"""')]
    assert len(code) < 40
