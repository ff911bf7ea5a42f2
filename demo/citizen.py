"""A citizen with a phone, for the scripted part of the demo: the wallet's own HTTP API and real passkey assertions.

What the pages do by touch is done here by calls: nothing is shortened, the vault checks every assertion.
"""

from typing import Any

import httpx2

from wallet.authenticator import SoftwareAuthenticator
from wallet.web.passkey_routes import COOKIE


class CitizenError(Exception):
    """The wallet refused; `code` is its error code, `description` what it says."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(f"{code}: {description}")
        self.code = code
        self.description = description


class Citizen:
    """Somebody with a wallet at `wallet_url`."""

    def __init__(self, http: httpx2.AsyncClient, wallet_url: str) -> None:
        self._http = http
        self._url = wallet_url
        self._passkey = SoftwareAuthenticator(wallet_url)
        self._cookie = ""

    async def create_wallet(self, name: str) -> dict[str, Any]:
        """Register a passkey, which opens the wallet."""
        ceremony = await self._call("POST", "/passkeys/register/options", {"account_name": name})
        post = {**self._passkey.create(ceremony), "name": "Demo phone"}
        return await self._call("POST", "/passkeys/register", post)

    async def open_offer(self, link: str) -> dict[str, Any]:
        """Open an offer and, since the citizen says yes, look at what is in it."""
        receipt = await self._call("POST", "/api/offers", {"link": link})
        return await self._call("POST", f"/api/offers/{receipt['receipt_id']}/fetch")

    async def take_offer(self, receipt_id: str, *, tx_code: str | None) -> dict[str, Any]:
        """Approve with the passkey, and receive."""
        ceremony = await self._call("POST", f"/api/offers/{receipt_id}/proposal", {})
        approval = {"post": self._passkey.get(ceremony), "tx_code": tx_code}
        return await self._call("POST", f"/api/offers/{receipt_id}/approve", approval)

    async def open_request(self, link: str) -> dict[str, Any]:
        """Open a request: who asks, what, why, and which cards would answer."""
        return await self._call("POST", "/api/requests", {"link": link})

    async def share(self, request: dict[str, Any]) -> dict[str, Any]:
        """Choose what the wallet suggests, and approve it with the passkey: two taps."""
        choice = {"cards": request["suggested"], "accepted_cautions": request["cautions"]}
        ceremony = await self._call("POST", f"/api/requests/{request['id']}/choice", choice)
        return await self._call("POST", f"/api/requests/{request['id']}/approve", self._passkey.get(ceremony))

    async def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        # A browser keeps the cookie, which is Secure: browsers count localhost as secure, HTTP libraries don't.
        headers = {"Cookie": f"{COOKIE}={self._cookie}"} if self._cookie else {}
        response = await self._http.request(method, self._url + path, json=body, headers=headers)
        for value in response.headers.get_list("set-cookie"):
            if value.startswith(f"{COOKIE}="):
                self._cookie = value.partition("=")[2].partition(";")[0]
        answer: dict[str, Any] = response.json() if response.content else {}
        if response.is_error:
            code = answer.get("peer_error") or answer.get("error") or str(response.status_code)
            raise CitizenError(code, answer.get("error_description", ""))
        return answer
