"""E-mail to people: offers with their QR code, or transaction codes, never both in one message."""

import ssl
from collections.abc import Mapping
from typing import Any

from byoid.service import qr
from byoid.service.smtp import MailServer, write_message
from issuer.post import Post


class Mail:
    """Writes messages and sends them.

    Args:
        url: of the mail server, see `MailServer`.
        sender: whom messages come from.
        post: writes them.
        tls: whom to believe; the system's certificates if not given.
    """

    def __init__(self, url: str, *, sender: str, post: Post, tls: ssl.SSLContext | None = None) -> None:
        self._server = MailServer(url, tls=tls)
        self._sender = sender
        self._post = post

    async def send(self, address: str, content: Mapping[str, Any]) -> None:
        """Send one message.

        Raises:
            PeerError: it was not accepted, see `MailServer.send`.
        """
        subject, text = self._post.mail(content)
        message = write_message(address, sender=self._sender, subject=subject, text=text)
        if "link" in content:
            message.add_attachment(qr.png(content["link"]), maintype="image", subtype="png", filename="offer.png")
        await self._server.send(message)
