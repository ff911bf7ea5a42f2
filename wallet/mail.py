"""E-mail for notices. Texts come from `letters`."""

import ssl

from byoid.service.smtp import MailServer, write_message


class Mail:
    """Sends messages.

    Args:
        url: of the mail server, see `MailServer`.
        sender: whom messages come from.
        tls: whom to believe; the system's certificates if not given.
    """

    def __init__(self, url: str, *, sender: str, tls: ssl.SSLContext | None = None) -> None:
        self._server = MailServer(url, tls=tls)
        self._sender = sender

    async def send(self, address: str, *, subject: str, text: str) -> None:
        """Send one message.

        Raises:
            PeerError: it was not accepted, see `MailServer.send`.
        """
        message = write_message(address, sender=self._sender, subject=subject, text=text)
        message["Auto-Submitted"] = "auto-generated"
        await self._server.send(message)
