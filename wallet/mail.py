"""E-mail (SMTP, RFC 5321) for notices, always over TLS unless the server is this machine. Texts come from `letters`."""

import asyncio
import smtplib
import ssl
from email.message import EmailMessage
from typing import Final
from urllib.parse import unquote, urlsplit

from byoid.errors import PeerError
from byoid.service.settings import is_loopback

_TIMEOUT: Final = 20.0
_PERMANENT: Final = 500


class Mail:
    """The way to a mail server.

    Args:
        url: `smtps://user:password@host`, or `smtp://…` with STARTTLS, which only this machine may do without.
        sender: whom messages come from.
        tls: whom to believe; the system's certificates if not given.
    """

    def __init__(self, url: str, *, sender: str, tls: ssl.SSLContext | None = None) -> None:
        self._parts = urlsplit(url)
        self._sender = sender
        self._tls = tls or ssl.create_default_context()

    async def send(self, address: str, *, subject: str, text: str) -> None:
        """Send one message.

        Raises:
            PeerError: it was not accepted; `status` from 500 on: and never will be.
        """
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = self._sender, address, subject
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(text)
        try:
            await asyncio.to_thread(self._submit, message)
        except smtplib.SMTPRecipientsRefused as error:
            status = min((code for code, _ in error.recipients.values()), default=_PERMANENT)
            raise PeerError("the mail server refuses the recipient", status=status) from error
        except (OSError, smtplib.SMTPException) as error:
            raise PeerError(f"the mail server did not take the message: {type(error).__name__}") from error

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
