"""A client library of OpenID Connect written by others (Authlib) signs people in at the verifier."""

import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc.jwk import ECKey

from tests.conftest import Clock
from tests.verifier.conftest import (  # noqa: F401  # fixtures
    Running,
    login_keys,
    nobody,
    provider,
    run,
    settings,
    world,
)
from tests.verifier.logins import CLIENT, HTML, REDIRECT, URL, Relying, add, browser_of
from tests.verifier.world import Wallet, World

pytestmark = pytest.mark.peers


@pytest.fixture
def clock() -> Clock:
    """Authlib's time is the machine's."""
    return Clock(datetime.now(UTC))


@pytest.mark.parametrize("way", ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"])
async def test_a_client_of_others_signs_a_person_in(provider: Running, world: World, way: str) -> None:  # noqa: F811
    key = ECKey.generate_key("P-256")
    members: dict[str, Any] = {"jwks": {"keys": [key.as_dict(private=False)]}} if way == "private_key_jwt" else {}
    secret = await add(provider, authentication=way, **members)
    found = (await provider.client.get("/.well-known/openid-configuration")).json()
    async with (
        AsyncOAuth2Client(
            CLIENT, key if members else secret, token_endpoint_auth_method=way, code_challenge_method="S256",
            redirect_uri=REDIRECT, scope="openid profile", transport=httpx2.ASGITransport(provider.app),
        ) as client,
        browser_of(provider) as browser,
    ):  # fmt: skip
        if members:
            client.register_client_auth_method(
                PrivateKeyJWT(found["token_endpoint"], {"exp": int(time.time()) + 300}, alg="ES256")
            )
        url, _ = client.create_authorization_url(found["authorization_endpoint"], code_verifier="v" * 43)
        page = (await browser.get(url, headers=HTML)).headers["location"]
        started = await Relying(provider, browser, secret).start(page)
        await Wallet(world, provider.client).complete(started["cross_device"]["link"])
        back = (await browser.get(f"{page}/done")).headers["location"]

        token = await client.fetch_token(found["token_endpoint"], authorization_response=back, code_verifier="v" * 43)
        person = (await client.get(found["userinfo_endpoint"])).json()

    assert urlsplit(back).netloc == "shop.test"
    assert token["id_token"]
    assert (person["given_name"], found["issuer"]) == ("Ada", URL)
