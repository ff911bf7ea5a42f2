"""What a mail server never takes, and what it may take later."""

import smtplib
from collections.abc import Callable

import pytest

from byoid.errors import PeerError
from byoid.service.smtp import REFUSED_FOR_GOOD, MailServer, write_message


@pytest.mark.hostile
@pytest.mark.parametrize("to", ["ada@example.org\nBcc: eve@example.org", "ada@example.org\r\n\r\ntext"])
def test_an_address_cannot_begin_another_header(to: str) -> None:
    with pytest.raises(PeerError) as caught:
        write_message(to, sender="a@example.org", subject="s", text="t")
    assert caught.value.status == REFUSED_FOR_GOOD


async def test_a_server_that_is_not_there_is_tried_again(free_port: Callable[[], int]) -> None:
    message = write_message("ada@example.org", sender="a@example.org", subject="s", text="t")
    with pytest.raises(PeerError) as caught:
        await MailServer(f"smtp://127.0.0.1:{free_port()}").send(message)
    assert caught.value.status is None


@pytest.mark.hostile
@pytest.mark.parametrize(("code", "for_good"), [(450, False), (550, True)])
async def test_what_a_server_says_of_a_recipient_counts(
    monkeypatch: pytest.MonkeyPatch, code: int, for_good: bool
) -> None:
    def refuse(*_: object) -> None:
        raise smtplib.SMTPRecipientsRefused({"ada@example.org": (code, b"no")})

    monkeypatch.setattr(MailServer, "_submit", refuse)
    message = write_message("ada@example.org", sender="a@example.org", subject="s", text="t")
    with pytest.raises(PeerError) as caught:
        await MailServer("smtps://mail.example.org").send(message)
    assert ((caught.value.status or 0) >= REFUSED_FOR_GOOD) is for_good


@pytest.mark.hostile
def test_an_address_is_what_it_shows() -> None:
    hidden = "=?utf-8?q?victim=40bank.example=2C?=x@att.example"
    with pytest.raises(PeerError) as caught:
        write_message(hidden, sender="a@example.org", subject="s", text="t")
    assert caught.value.status == REFUSED_FOR_GOOD
    assert (
        write_message("a.b+x@example.org", sender="a@example.org", subject="s", text="t")["To"] == "a.b+x@example.org"
    )
