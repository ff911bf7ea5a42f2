"""HTTP to push services: one encrypted message to one browser (RFC 8030 5). What it says is not decided here."""

from datetime import datetime

import httpx2

from byoid.errors import PeerError
from wallet.web_push import MESSAGE_LIFETIME, PushAddress, PushSender, encrypt_push


class PushClient:
    """The way to push services. `http` must be a guarded client: their addresses come from browsers."""

    def __init__(self, http: httpx2.AsyncClient, sender: PushSender) -> None:
        self._http = http
        self.sender = sender

    async def send(self, message: bytes, to: PushAddress, *, topic: str, urgency: str, now: datetime) -> None:
        """Send a message; a newer one of a topic takes the place of one that still waits.

        Raises:
            PeerError: no answer, or refused with `status`.
        """
        headers = {
            "Authorization": self.sender.authorization(to.endpoint, now=now),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(int(MESSAGE_LIFETIME.total_seconds())),
            "Topic": topic,
            "Urgency": urgency,
        }
        try:
            answer = await self._http.post(to.endpoint, content=encrypt_push(message, to), headers=headers)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise PeerError(f"no answer: {type(error).__name__}") from error
        if not answer.is_success:
            raise PeerError(f"the push service answered {answer.status_code}", status=answer.status_code)
