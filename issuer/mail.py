"""E-mail (SMTP, RFC 5321) with TLS: offers with their QR code, or transaction codes, never both in one message."""

import asyncio
import smtplib
import ssl
from collections.abc import Mapping
from email.message import EmailMessage
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from byoid.errors import ByoidError
from byoid.service import qr
from byoid.service.settings import is_loopback
from issuer.post import Post

_TIMEOUT: Final = 20.0
_PERMANENT: Final = 500


class MailError(ByoidError):
    """The mail server has not accepted a message; `for_good`: and never will."""

    def __init__(self, reason: str, *, for_good: bool) -> None:
        super().__init__(reason)
        self.for_good = for_good


class Mail:
    """The way to a mail server.

    Args:
        url: `smtps://user:password@host`, or `smtp://…` with STARTTLS, which only this machine may do without.
        sender: whom messages come from.
        post: writes them.
        tls: whom to believe; the system's certificates if not given.
    """

    def __init__(self, url: str, *, sender: str, post: Post, tls: ssl.SSLContext | None = None) -> None:
        self._parts = urlsplit(url)
        self._sender = sender
        self._post = post
        self._tls = tls or ssl.create_default_context()

    async def send(self, address: str, content: Mapping[str, Any]) -> None:
        """Send one message.

        Raises:
            MailError: it was not accepted.
        """
        message = self._message(address, content)
        try:
            await asyncio.to_thread(self._submit, message)
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            raise MailError(f"refused with {codes}", for_good=min(codes) >= _PERMANENT) from error
        except (OSError, smtplib.SMTPException) as error:
            raise MailError(type(error).__name__, for_good=False) from error

    def _message(self, address: str, content: Mapping[str, Any]) -> EmailMessage:
        message = EmailMessage()
        message["From"], message["To"] = self._sender, address
        message["Subject"], text = self._post.mail(content)
        message.set_content(text)
        if "link" in content:
            message.add_attachment(qr.png(content["link"]), maintype="image", subtype="png", filename="offer.png")
        return message

    def _submit(self, message: EmailMessage) -> None:
        parts, host = self._parts, self._parts.hostname or ""
        if parts.scheme == "smtps":
            with smtplib.SMTP_SSL(host, parts.port or 465, timeout=_TIMEOUT, context=self._tls) as server:
                self._log_in_and_send(server, message)
            return
        with smtplib.SMTP(host, parts.port or 587, timeout=_TIMEOUT) as server:
            server.ehlo()
            if server.has_extn("starttls") or not is_loopback(host):
                server.starttls(context=self._tls)  # raises where the server has none
                server.ehlo()
            self._log_in_and_send(server, message)

    def _log_in_and_send(self, server: smtplib.SMTP, message: EmailMessage) -> None:
        if self._parts.username:
            server.login(unquote(self._parts.username), unquote(self._parts.password or ""))
        server.send_message(message)
