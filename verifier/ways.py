"""One attempt to ask a person: a transaction for each way to a wallet, all of one browser session.

OpenID4VP 1.0 13.3: a link on the same device, a QR code, the Digital Credentials API. Whichever is answered first
counts. What a page with the drop-in shows is made of this; who may see it, and what comes after, is for the pages.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self

from byoid.encoding import json_dumps, json_object
from byoid.message import parse_message
from byoid.relying_party import Transaction
from byoid.relying_party.messages import DigitalResponse, StartedTransaction, StartTransaction, TransactionView
from byoid.relying_party.transaction import ANSWERABLE, Mode, State
from byoid.service import qr
from verifier import requests, responses, results
from verifier.context import Verifier
from verifier.errors import NotFound, told_to_services
from verifier.services import KnownService

MODES: Final = (Mode.SAME_DEVICE, Mode.CROSS_DEVICE, Mode.DC_API)
REFUSED: Final = "refused"  # an answer proved nothing; another may come
_WAITING: Final = frozenset({None, "pending", "declined", REFUSED})
_MAX_ANSWER_BYTES: Final = 1 << 20
_MOST_LOOKS: Final = (
    60  # of one stream, which nobody pays for by the look; then the drop-in polls, and each poll counts
)


@dataclass(frozen=True)
class Ways:
    """The transactions of an attempt, by mode."""

    verifier: Verifier
    service: KnownService
    ids: Mapping[Mode, str]

    @classmethod
    async def begin(
        cls, verifier: Verifier, service: KnownService, *, query: str, session: str, back: str, origin: str,
        modes: Sequence[Mode] = MODES,
    ) -> tuple[Self, Mapping[Mode, StartedTransaction]]:  # fmt: skip
        """Start the transactions.

        Args:
            verifier: whose.
            service: who asks.
            query: what.
            session: names the person's browser session.
            back: where a wallet on the same device sends the person.
            origin: of the page that calls the Digital Credentials API.
            modes: the ways.

        Raises:
            NotFound: the service has no such query.
        """
        wishes = {
            Mode.SAME_DEVICE: {"redirect_uri": back, "request_uri_method": "post"},
            Mode.CROSS_DEVICE: {"request_uri_method": "post"},
            Mode.DC_API: {"origin": origin},
        }
        started = {}
        for mode in modes:
            wish = {"query": query, "mode": mode, "session": session, **wishes[mode]}
            started[mode] = await requests.start(verifier, service, parse_message(StartTransaction, wish))
        return cls(verifier, service, {mode: each.id for mode, each in started.items()}), started

    async def views(self) -> list[TransactionView]:
        """Return the transactions that are still there."""
        found = []
        for each in self.ids.values():
            try:
                found.append(await results.view(self.verifier, self.service, each))
            except NotFound:
                continue
        return found

    async def state(self, ended: str) -> dict[str, str]:
        """Return the state for the drop-in: of whichever way went furthest. `ended` is the page of its end."""
        views = await self.views()
        for view in views:
            if view.state is State.ACCEPTED and view.mode is Mode.SAME_DEVICE:
                return {"state": "answered"}  # the result is for the window that the wallet opened
            if view.state not in ANSWERABLE:
                return {"state": view.state.value, "continue": ended}
        if any(view.state is State.DECLINED for view in views):
            return {"state": "declined"}
        if any(view.failures for view in views):
            return {"state": REFUSED, "continue": ended}
        return {"state": "pending" if views else "expired"}

    async def states(self, ended: str) -> AsyncIterator[bytes]:
        """Tell each state, as server-sent events: for a while, as everybody may have a login that nobody answers."""
        told: dict[str, str] = {}
        for _ in range(_MOST_LOOKS):
            if told.get("state") not in _WAITING:
                return
            found = await self.state(ended)
            yield b": waiting\n\n" if found == told else b"data: %s\n\n" % json_dumps(found)
            told = found
            await asyncio.sleep(self.verifier.settings.event_interval.total_seconds())

    async def qr_svg(self) -> bytes:
        """Draw the QR code.

        Raises:
            NotFound, AlreadyAnswered: it cannot be answered.
        """
        cross = self.ids.get(Mode.CROSS_DEVICE, "")
        return qr.svg(await requests.qr_link(self.verifier, self.service, cross, "openid4vp://")).encode()

    async def digital_request(self) -> Mapping[str, Any] | None:
        """Return the request for `navigator.credentials.get`.

        Raises:
            NotFound, AlreadyAnswered: it cannot be answered.
        """
        with told_to_services():
            return (await self.verifier.party(self.service).begun(self.ids[Mode.DC_API])).digital

    async def take_digital(self, body: bytes, *, session: str) -> None:
        """Take what the browser gave.

        Raises:
            NotFound, AlreadyAnswered, SlowDown, WrongSession, InvalidRequest: it is refused.
        """
        given = json_object(body, max_bytes=_MAX_ANSWER_BYTES)
        answer = parse_message(DigitalResponse, {**given, "session": session})
        await responses.receive_digital(self.verifier, self.service, self.ids[Mode.DC_API], answer)

    async def concluded(self, *, session: str, response_code: str | None) -> Transaction | None:
        """Return the transaction that was answered, with its outcome; None if none was.

        What was accepted on the same device is for the window that the wallet opened, which has a response code.

        Raises:
            WrongSession: asked for in another browser session, or with another response code.
        """
        for view in await self.views():
            elsewhere = view.mode is Mode.SAME_DEVICE and view.state is State.ACCEPTED and response_code is None
            if view.state not in ANSWERABLE and not elsewhere:
                with told_to_services():
                    party = self.verifier.party(self.service)
                    return await party.result(view.id, session=session, response_code=response_code)
        return None

    async def forget(self) -> None:
        """Delete all of them, with what was shown."""
        for each in self.ids.values():
            await self.verifier.party(self.service).forget(each)


def offer(started: Mapping[Mode, StartedTransaction], *, attempt: str, path: str, now: datetime) -> dict[str, Any]:
    """Return what the drop-in is given of an attempt at `path`."""
    same, cross = started[Mode.SAME_DEVICE], started.get(Mode.CROSS_DEVICE)
    offered = {
        "id": attempt,
        "expires_in": int((same.expires_at - now).total_seconds()),
        "same_device": {"link": same.link, "wallets": [each.to_wire() for each in same.wallets]},
        "digital_credentials": Mode.DC_API in started,
        "events": f"{path}/{attempt}/events",
    }
    if cross is not None:
        offered["cross_device"] = {"link": cross.link, "qr": f"{path}/{attempt}/qr.svg"}
    return offered
