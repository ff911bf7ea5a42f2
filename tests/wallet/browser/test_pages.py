"""What holds for the site as a whole: the budget of the first page, and no forms of strangers."""

import gzip
import re

import pytest
from playwright.async_api import Response

from tests.wallet.browser.conftest import Phone

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
MAX_FIRST_PAGE = 100_000


async def test_the_first_page_is_light_and_asks_nobody_else(phone: Phone) -> None:
    answers: list[Response] = []
    phone.page.on("response", lambda response: answers.append(response))
    await phone.go("/welcome")
    await phone.page.wait_for_load_state("networkidle")
    bodies = [await answer.body() for answer in answers]

    assert len(bodies) >= 4
    assert sum(len(gzip.compress(body)) for body in bodies) < MAX_FIRST_PAGE


async def test_another_site_cannot_post_forms(phone: Phone) -> None:
    await phone.create_wallet()
    answer = await phone.context.request.post(
        phone.places.wallet + "/settings/lock", headers={"Origin": "https://evil.example"}, form={"csrf": "x"}
    )

    assert answer.status == 400
    assert re.search("wallet-error", await answer.text())
    await phone.go("/settings")
    assert await phone.page.query_selector("#lock")
