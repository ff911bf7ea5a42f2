"""Services whom wallets know by registration: their responses come to one address, over HTTP too."""

import httpx2
import pytest

from byoid.jose import parse_jws
from tests.verifier.conftest import URL, Run
from tests.verifier.world import definition, sd_jwt_query
from verifier.settings import VerifierSettings


async def test_responses_to_a_registered_address_find_their_transaction(run: Run, settings: VerifierSettings) -> None:
    async with run(settings, prefix="pre-registered", client_name="Moorladen") as running:
        await running.define("pid", definition(sd_jwt_query(), encrypted=False))
        first, second = await running.start("pid"), await running.start("pid")
        jwt = (await running.client.get(httpx2.URL(second["link"]).params["request_uri"])).text
        claims = parse_jws(jwt).claims()
        assert claims["client_id"] == "Moorladen"
        assert claims["response_uri"] == f"{URL}/w/shop/responses"

        refusal = {"error": "access_denied", "state": claims["state"]}
        assert (await running.client.post(claims["response_uri"], data=refusal)).status_code == 200

        assert (await running.look(second["id"]))["state"] == "declined"
        assert (await running.look(first["id"]))["state"] == "pending"


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("form", "status"), [({"state": "junk"}, 400), ({"error": "x", "state": "junk"}, 404), ({"response": "a.b"}, 400)]
)
async def test_junk_at_the_registered_address_ends_nothing(
    run: Run, settings: VerifierSettings, form: dict[str, str], status: int
) -> None:
    async with run(settings, prefix="pre-registered", client_name="Moorladen") as running:
        await running.define("pid", definition(sd_jwt_query(), encrypted=False))
        started = await running.start("pid")
        assert (await running.client.post(f"{URL}/w/shop/responses", data=form)).status_code == status
        assert (await running.look(started["id"]))["failures"] == 0
