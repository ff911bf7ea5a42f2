"""What is compared in constant time may come in any characters: a stranger's error is never ours."""

import pytest

from tests.verifier.conftest import URL, Run, Running
from tests.verifier.world import Wallet, definition, sd_jwt_query
from verifier.settings import VerifierSettings
from verifier.web.attempts import COOKIE

pytestmark = pytest.mark.hostile
SESSION = "s" * 32
BEYOND = "ключ-é-😀"


@pytest.mark.parametrize("given", [{"session": BEYOND}, {"session": SESSION, "response_code": BEYOND}])
async def test_a_session_and_a_response_code(running: Running, wallet: Wallet, given: dict[str, str]) -> None:
    started = await running.start("pid", mode="same_device", session=SESSION, redirect_uri="https://shop.test/done")
    await wallet.complete(started["link"])
    answer = await running.api.get(f"/api/v1/transactions/{started['id']}/result", params=given)
    assert (answer.status_code, answer.json()["error"]) == (403, "wrong_session")


@pytest.mark.parametrize("path", ["/api/v1/transactions/{}", "/w/{}/requests/x", "/w/shop/requests/{}"])
async def test_a_name_in_a_path(running: Running, path: str) -> None:
    assert (await running.api.get(path.format(BEYOND))).status_code == 404


async def test_an_api_key(running: Running) -> None:
    headers = {"Authorization": "Bearer byoid_é".encode("latin-1")}
    answer = await running.client.get("/api/v1/queries", headers=headers)  # type: ignore[arg-type]  # bytes, as sent
    assert answer.status_code == 401


@pytest.mark.parametrize("form", [{"state": BEYOND, "error": "access_denied"}, {"response": BEYOND}])
async def test_a_response(running: Running, wallet: Wallet, form: dict[str, str]) -> None:
    started = await running.start("pid")
    request = await wallet.fetch(started["link"])
    answer = await running.client.post(str(request.response_uri), data=form)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_the_tag_of_an_attempt(run: Run, settings: VerifierSettings) -> None:
    async with run(settings.model_copy(update={"playground_service": "shop"})) as running:
        await running.define("pid", definition(sd_jwt_query()))
        for cookie in (None, SESSION):
            headers = {"Origin": URL, "Cookie": f"{COOKIE}={cookie}"} if cookie else {}
            path = f"/playground/queries/pid/attempts/a.b.c.{BEYOND}"
            assert (await running.client.get(path, headers=headers)).status_code in (400, 404)
            assert (await running.client.get(f"{path}/events", headers=headers)).status_code in (400, 404)
