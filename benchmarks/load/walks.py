"""The three walks of a wallet's life over HTTP: get a credential, show it, and have it revoked by the agency.

Who does not get an answer does what a real client does: asks again, where asking twice can do no harm, and otherwise
looks what has become of it. What a wallet cannot find out, it begins anew. Everything is noted in the ledger.
"""

import asyncio
import random
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from benchmarks.load.laboratory import QUERY, Access
from benchmarks.load.ledger import Issued, Ledger
from benchmarks.load.wallet import CONFIGURATION, PRE_AUTHORIZED, Wallet, request_path
from benchmarks.load.wire import FORM, JSON, Answer, Connection, NoAnswer
from byoid.encoding import json_dumps

_PATIENCE: Final = 600.0  # how long a client asks again before it gives up
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
_ANSWERED: Final = 409
_CLIENT_FAULT, _SERVER_FAULT = 400, 500


class Refused(Exception):
    """The server understood and said no."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(f"{status} {error}: {description}")
        self.status = status
        self.error = error


class GaveUp(Exception):
    """No answer for longer than anybody waits."""


@dataclass(frozen=True, slots=True)
class Offer:
    """An offer that a wallet may take."""

    person: str
    link: str
    path: str
    tx_code: str | None


@dataclass
class Client:
    """One wallet, with the agency's and the service's calls that it needs, on connections of its own."""

    access: Access
    ledger: Ledger
    replay_share: float = 0.0  # how often it sends a second time what may be used once
    wallet: Wallet = field(init=False)
    person: str = ""

    def __post_init__(self) -> None:
        self.wallet = Wallet(self.access.issuer_url)
        self._connections = {
            "issuer": Connection(self.access.issuer_port), "verifier": Connection(self.access.verifier_port),
        }  # fmt: skip
        self._staff = {"Authorization": f"Bearer {self.access.admin_key}", "Content-Type": JSON}
        self._service = {"Authorization": f"Bearer {self.access.service_key}", "Content-Type": JSON}

    async def order(self) -> Offer:
        """Let the agency offer a credential to a person that nobody was before."""
        person = f"P{secrets.token_hex(8)}"
        order = {"person": person, "configuration_ids": [CONFIGURATION], "tx_code": False}
        answer = await self._again("issuer", "offer.create", "POST", "/admin/offers", json_dumps(order), self._staff)
        made = answer.json()
        return Offer(person, made["link"], urlsplit(made["uri"]).path, made["tx_code"])

    async def obtain(self, offer: Offer) -> bool:
        """Get the credential of an offer; False if the offer was lost with an answer, and another is needed."""
        found = (await self._again("issuer", "offer.fetch", "GET", offer.path)).json()
        token = await self._token(found["grants"][PRE_AUTHORIZED]["pre-authorized_code"], offer.tx_code)
        if token is None:
            return False
        self.person = offer.person
        await self._credential(token)
        self.ledger.done("issuance")
        return True

    async def present(self) -> None:
        """Show the credential to the service, which reads the result."""
        started = await self.start()
        request = await self._again("verifier", "request.fetch", "GET", request_path(started["link"]))
        path, form = self.wallet.answer(request.body.decode())
        refused = await self._respond(path, form)
        if not await self.read(started["id"], refused):
            return
        if random.random() < self.replay_share:
            await self._replay("verifier", "response.post", path, form, {"Content-Type": FORM}, "a presentation")

    async def start(self) -> dict[str, Any]:
        """Let the service start a transaction."""
        body, path = json_dumps({"query": QUERY}), "/api/v1/transactions"
        return (await self._again("verifier", "transaction.start", "POST", path, body, self._service)).json()

    async def read(self, transaction_id: str, refused: Exception | None) -> bool:
        """Let the service read a result, after the wallet was told that it is accepted, or `refused`."""
        path = f"/api/v1/transactions/{transaction_id}/result"
        found = (await self._again("verifier", "result.read", "GET", path, headers=self._service)).json()
        if found["state"] != "accepted":
            kind, said = "lost" if refused is None else "rejected", f"{refused} {found.get('reasons', '')}"
            self.ledger.failed(time.monotonic(), "verifier", "result.read", kind, said)
            return False
        self.ledger.presented.append(transaction_id)
        self.ledger.done("presentation")
        return True

    async def revoke(self) -> None:
        """Let the agency revoke everything of the person."""
        change = json_dumps({"target": "person", "value": self.person, "reason": "load"})
        self.ledger.revocations_begun.add(self.person)
        await self._again("issuer", "revoke", "POST", "/admin/revoke", change, self._staff)
        self.ledger.revoked.add(self.person)
        self.ledger.done("revocation")

    def close(self) -> None:
        """Let the connections go."""
        for connection in self._connections.values():
            connection.close()

    async def _token(self, code: str, tx_code: str | None) -> str | None:
        """Redeem the offer, once; None if it was redeemed by a request whose answer never came."""
        unanswered, pause = False, _FIRST_PAUSE
        while True:
            form, headers = self.wallet.token_request(code, tx_code)
            try:
                answer = await self._once("issuer", "token", "POST", "/token", form, {"Content-Type": FORM, **headers})
                return str(answer.json()["access_token"])
            except NoAnswer:
                unanswered, pause = True, await _wait(pause)
            except Refused as refused:
                if unanswered and refused.error == "invalid_grant":
                    return None
                self._refused("issuer", "token", refused)
                raise

    async def _credential(self, token: str) -> None:
        nonce, spent, pause = await self._nonce(), False, _FIRST_PAUSE
        while True:
            body, headers = self.wallet.credential_request(token, nonce)
            headers = {"Content-Type": JSON, **headers}
            try:
                answer = await self._once("issuer", "credential", "POST", "/credential", body, headers)
            except NoAnswer:
                self.ledger.unanswered[self.person] += 1
                spent, pause = True, await _wait(pause)
                continue
            except Refused as refused:
                if not spent or refused.error != "invalid_nonce":
                    self._refused("issuer", "credential", refused)
                    raise
                nonce, spent = await self._nonce(), False
                continue
            break
        places = self.wallet.keep(answer.json()["credentials"])
        self.ledger.issued.append(Issued(self.person, places, nonce))
        if random.random() < self.replay_share:
            body, headers = self.wallet.credential_request(token, nonce)
            await self._replay(
                "issuer", "credential", "/credential", body, {"Content-Type": JSON, **headers}, "a nonce"
            )

    async def _nonce(self) -> str:
        return str((await self._again("issuer", "nonce", "POST", "/nonce")).json()["c_nonce"])

    async def _respond(self, path: str, form: bytes) -> Refused | None:
        """Post the response until it is taken or refused; the result tells why."""
        unanswered, pause = False, _FIRST_PAUSE
        while True:
            try:
                await self._once("verifier", "response.post", "POST", path, form, {"Content-Type": FORM})
                return None
            except NoAnswer:
                unanswered, pause = True, await _wait(pause)
            except Refused as refused:
                taken_before = unanswered and refused.status == _ANSWERED
                return None if taken_before else refused

    async def _replay(
        self, component: str, step: str, path: str, body: bytes, headers: Mapping[str, str], what: str
    ) -> None:
        """Send once more what was taken; it must be refused."""
        self.ledger.replays += 1
        try:
            await self._once(component, step, "POST", path, body, headers)
        except NoAnswer:
            self.ledger.replays -= 1
            self.ledger.unanswered[self.person] += 1
        except Refused:
            return
        else:
            self.ledger.taken_twice.append(what)

    async def _again(
        self, component: str, step: str, method: str, path: str, body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:  # fmt: skip
        """Ask until there is an answer: for what may be asked twice."""
        pause, end = _FIRST_PAUSE, time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            try:
                return await self._once(component, step, method, path, body, headers)
            except NoAnswer:
                pause = await _wait(pause)
            except Refused as refused:
                self._refused(component, step, refused)
                raise
        raise GaveUp(step)

    async def _once(
        self, component: str, step: str, method: str, path: str, body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:  # fmt: skip
        begin = time.monotonic()
        try:
            answer = await self._connections[component].request(method, path, body, headers=headers)
        except NoAnswer as error:
            self.ledger.failed(error.since, component, step, str(error))
            raise
        if answer.status >= _SERVER_FAULT:
            said: dict[str, Any] = answer.json()
            self.ledger.failed(begin, component, step, "server_error", f"{answer.status} {said.get('error')}")
            raise NoAnswer("server_error", since=begin)
        if answer.status >= _CLIENT_FAULT:
            said = answer.json()
            raise Refused(answer.status, str(said.get("error")), str(said.get("error_description")))
        self.ledger.took(step, begin)
        return answer

    def _refused(self, component: str, step: str, refused: Refused) -> None:
        self.ledger.failed(time.monotonic(), component, step, "refused", str(refused))


async def _wait(pause: float) -> float:
    """Wait about so long; return how long to wait the next time."""
    await asyncio.sleep(pause * random.uniform(0.5, 1.5))
    return min(pause * 2, _LONGEST_PAUSE)
