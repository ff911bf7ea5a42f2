"""What tests of logins share: a service's client of OpenID Connect, and a person's browser."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import httpx2

from byoid.jose import parse_jws
from byoid.oauth.pkce import code_challenge
from tests.verifier.world import Wallet, sd_jwt_query
from verifier.logins import NewLogin, add_login

if TYPE_CHECKING:  # its fixtures are made with what is here
    from tests.verifier.conftest import Running

URL = "https://verifier.test"
BOTH_KEYS = ("login.rs256.key", "login.es256.key")
PERSON = sd_jwt_query(["given_name"], ["family_name"], ["birthdate"], ["address", "country"])
CLIENT = "shop-web"
REDIRECT = "https://shop.test/callback"
HTML = {"Accept": "text/html"}


@dataclass
class Relying:
    """A service that knows nothing but OpenID Connect, and the browser of somebody who signs in there."""

    running: "Running"
    browser: httpx2.AsyncClient
    secret: str | None
    client_id: str = CLIENT
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    nonce: str = "n-1"
    state: str = "s-1"

    def request(self, **changes: str | None) -> dict[str, str]:
        """Return the parameters of an honest request, with changes; None leaves one out."""
        honest: dict[str, str | None] = {
            "client_id": self.client_id, "redirect_uri": REDIRECT, "response_type": "code", "scope": "openid profile",
            "state": self.state, "nonce": self.nonce, "code_challenge": code_challenge(self.verifier),
            "code_challenge_method": "S256",
        }  # fmt: skip
        return {name: value for name, value in {**honest, **changes}.items() if value is not None}

    async def authorize(self, **changes: str | None) -> httpx2.Response:
        return await self.browser.get("/login/authorize", params=self.request(**changes), headers=HTML)

    async def open(self, **changes: str | None) -> str:
        """Begin a login; return the address of its page."""
        response = await self.authorize(**changes)
        assert response.status_code == 303, response.text
        assert response.headers["location"].startswith("/login/")
        return response.headers["location"]

    async def start(self, page: str) -> dict[str, Any]:
        """Let the drop-in start an attempt."""
        response = await self.browser.post(f"{page}/attempts", json={})
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    async def sign_in(self, wallet: Wallet, **changes: str | None) -> dict[str, str]:
        """Sign in with a wallet that scans the code; return what comes to the client."""
        page = await self.open(**changes)
        attempt = await self.start(page)
        answer = await wallet.complete(attempt["cross_device"]["link"])
        assert answer.status_code == 200, answer.text
        look = (await self.browser.get(f"{page}/attempts/{attempt['id']}")).json()
        assert look == {"state": "accepted", "continue": f"{page}/done"}
        return answered(await self.browser.get(look["continue"]))

    def grant(self, code: str, /, **changes: str | None) -> dict[str, str]:
        """Return the form of an honest token request, with changes."""
        honest: dict[str, str | None] = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT, "code_verifier": self.verifier,
        }  # fmt: skip
        return {name: value for name, value in {**honest, **changes}.items() if value is not None}

    async def redeem(self, code: str, /, *, auth: Any = None, **changes: str | None) -> httpx2.Response:
        """Redeem a code, from the client's server."""
        given = auth or (httpx2.BasicAuth(self.client_id, self.secret) if self.secret else None)
        return await self.running.client.post("/login/token", data=self.grant(code, **changes), auth=given)

    async def tokens(self, wallet: Wallet, **changes: str | None) -> dict[str, Any]:
        """Sign in and redeem."""
        response = await self.redeem((await self.sign_in(wallet, **changes))["code"])
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    async def userinfo(self, token: str) -> httpx2.Response:
        return await self.running.client.get("/login/userinfo", headers={"Authorization": f"Bearer {token}"})


def answered(response: httpx2.Response) -> dict[str, str]:
    """Return what a redirect to the client carries."""
    assert response.status_code == 303, response.text
    address, _, query = response.headers["location"].partition("?")
    assert address == REDIRECT, response.headers["location"]
    return dict(parse_qsl(query))


def claims_of(id_token: str) -> Mapping[str, Any]:
    """Return the claims of an ID token, not verified."""
    found: Mapping[str, Any] = parse_jws(id_token).claims()
    return found


async def add(running: "Running", **members: Any) -> str | None:
    """Register a login."""
    given: dict[str, Any] = {
        "service_id": "shop", "client_id": CLIENT, "query": "person", "redirect_uris": (REDIRECT,),
        "algorithm": "ES256", **members,
    }  # fmt: skip
    return await add_login(running.verifier, NewLogin(**given))


def browser_of(running: "Running") -> httpx2.AsyncClient:
    """Return another browser, with cookies of its own."""
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(running.app), base_url=URL)
