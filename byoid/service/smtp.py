"""A mail server (SMTP, RFC 5321), always over TLS unless it is this machine."""

import asyncio
import smtplib
import ssl
from email.message import EmailMessage
from typing import Final
from urllib.parse import unquote, urlsplit

from byoid.errors import PeerError
from byoid.service.settings import is_loopback

REFUSED_FOR_GOOD: Final = 500  # RFC 5321 4.2.1: 5yz, and never will be
_TIMEOUT: Final = 20.0


def write_message(to: str, *, sender: str, subject: str, text: str) -> EmailMessage:
    """Return a message in plain text.

    Raises:
        PeerError: the address is none, so that it never can be sent.
    """
    message = EmailMessage()
    try:
        message["From"], message["To"], message["Subject"] = sender, to, subject
        meant = [each.addr_spec for each in message["To"].addresses]
    except ValueError as error:  # such as a line break, which would begin another header
        raise PeerError("expected an e-mail address", status=REFUSED_FOR_GOOD) from error
    if meant != [to]:  # encoded words can say others than they show (RFC 2047)
        raise PeerError("expected one e-mail address, as it is written", status=REFUSED_FOR_GOOD)
    message.set_content(text)
    return message


class MailServer:
    """The way to a mail server.

    Args:
        url: `smtps://user:password@host`, or `smtp://…` with STARTTLS, which only this machine may do without.
        tls: whom to believe; the system's certificates if not given.
    """

    def __init__(self, url: str, *, tls: ssl.SSLContext | None = None) -> None:
        self._parts = urlsplit(url)
        self._tls = tls or ssl.create_default_context()

    async def send(self, message: EmailMessage) -> None:
        """Hand a message over.

        Raises:
            PeerError: it was not accepted; with a `status` from `REFUSED_FOR_GOOD` on it never will be.
        """
        try:
            await asyncio.to_thread(self._submit, message)
        except smtplib.SMTPRecipientsRefused as error:
            status = min((code for code, _ in error.recipients.values()), default=REFUSED_FOR_GOOD)
            raise PeerError(f"the mail server refuses the recipient with {status}", status=status) from error
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
