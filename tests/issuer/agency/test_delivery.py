"""Offers and codes on their ways: e-mail, letters, webhooks; the code never with the offer; minors' to guardians."""

import asyncio
import json
from collections.abc import AsyncIterator
from email import message_from_bytes, policy
from typing import Any

import httpx2
import pytest
from httpx2 import ASGITransport
from standardwebhooks import Webhook

from issuer.attributes import Record
from issuer.delivery import send_mails
from issuer.mail import Mail
from issuer.post import Post
from tests.issuer.agency.conftest import Office
from tests.issuer.conftest import ADA

SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


class MailServer:
    """As much of an SMTP server as one message needs; `refuses` answers RCPT with another code."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.refuses: int | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"DATA":
                writer.write(b"354 go\r\n")
                raw = await reader.readuntil(b"\r\n.\r\n")
                self.messages.append(message_from_bytes(raw[:-5], policy=policy.default))
            answers = {b"EHLO": b"250 here", b"QUIT": b"221 bye", b"RCPT": b"%d ok" % (self.refuses or 250)}
            writer.write(answers.get(verb, b"250 ok") + b"\r\n")
            if verb == b"QUIT":
                break
        writer.close()


@pytest.fixture
async def mail_server() -> AsyncIterator[tuple[MailServer, str]]:
    found = MailServer()
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    yield found, f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


def _facts(office: Office, people: dict[str, dict[str, Any]]) -> None:
    real = office.peer.source.real

    class Changed:
        async def record(self, person: str, credential_type: str) -> Record:
            return {**(await real.record(ADA, credential_type)), "email": "ada@mail.example", **people.get(person, {})}

    office.peer.source.real = Changed()


async def _offer(office: Office, person: str = ADA, **delivery: str) -> dict[str, Any]:
    wish = {"configuration_ids": ["pid_sd_jwt"], "person": person, "delivery": delivery}
    answer = await office.call("POST", "/offers", json=wish)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize("language", ["en", "de", "fr", "es"])
async def test_the_offer_goes_by_mail_and_the_code_by_letter(
    open_office: Any, mail_server: tuple[MailServer, str], language: str
) -> None:
    server, url = mail_server
    async with open_office(smtp_url=url) as office:
        _facts(office, {})
        made = await _offer(office, offer="email", code="letter", language=language)
        assert made["tx_code"] is None
        mail = Mail(url, sender="agency@mail.example", post=office.agency.post)
        assert await send_mails(office.agency, mail) == 1
        assert await send_mails(office.agency, mail) == 0
        (message,) = server.messages
        text = message.get_body().get_content()
        assert message["To"] == "ada@mail.example" and made["link"] in text.replace("\n", "")
        assert [part.get_content_type() for part in message.iter_attachments()] == ["image/png"]
        letters = (await office.call("GET", "/letters")).text
        assert "<svg" not in letters and made["link"] not in letters
        code = letters.partition('class="code">')[2].partition("<")[0]
        assert len(code) == 6 and code not in text
        offer = (await office.peer.http.get(made["uri"])).json()
        assert (await office.peer.wallet().redeem_offer(offer, code)).status_code == 200


async def test_letters_are_printed_once(office: Office) -> None:
    _facts(office, {})
    made = await _offer(office, offer="letter", code="none")
    letters = await office.call("GET", "/letters")
    assert "<svg" in letters.text and made["tx_code"] not in letters.text
    assert letters.headers["content-security-policy"].startswith("default-src 'none'")
    delivery = letters.text.partition('id="letter-')[2].partition('"')[0]
    assert (await office.call("POST", "/letters/printed", json={"ids": [delivery]})).status_code == 204
    assert "<article" not in (await office.call("GET", "/letters")).text
    assert await office.peer.count("delivery") == 0


@pytest.mark.hostile
@pytest.mark.parametrize(("answer", "left"), [(550, "failed"), (451, "waiting")])
async def test_a_mail_that_is_not_accepted(
    open_office: Any, mail_server: tuple[MailServer, str], answer: int, left: str
) -> None:
    server, url = mail_server
    async with open_office(smtp_url=url) as office:
        _facts(office, {})
        await _offer(office, offer="email")
        server.refuses = answer
        mail = Mail(url, sender="agency@mail.example", post=office.agency.post)
        assert await send_mails(office.agency, mail) == 0
        from sqlalchemy import select

        from issuer.tables import IssuerTable

        (row,) = await office.agency.store.database.fetch(select(IssuerTable.metadata.tables["delivery"]))
        assert row.state == left and server.messages == []
        server.refuses = None
        from datetime import timedelta

        office.peer.clock.advance(timedelta(minutes=10))
        assert await send_mails(office.agency, mail) == (left == "waiting")


async def test_a_mail_server_that_is_down_loses_nothing(open_office: Any, free_port: Any) -> None:
    url = f"smtp://127.0.0.1:{free_port()}"
    async with open_office(smtp_url=url) as office:
        _facts(office, {})
        await _offer(office, offer="email")
        assert await send_mails(office.agency, Mail(url, sender="a@b.example", post=office.agency.post)) == 0
        assert await office.peer.count("delivery") == 1


class Receiver:
    """A system that takes webhooks."""

    def __init__(self) -> None:
        self.got: list[httpx2.Request] = []
        self.bodies: list[tuple[dict[str, str], bytes]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = (await receive())["body"]
        self.bodies.append(({name.decode(): value.decode() for name, value in scope["headers"]}, body))
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


def _mount(office: Office, receiver: Receiver) -> None:
    office.agency.outbox._client = httpx2.AsyncClient(transport=ASGITransport(receiver))


async def _deliver(office: Office) -> int:
    return await office.agency.outbox.deliver_due(office.agency.store.database, now=office.peer.clock())


async def test_the_code_goes_to_another_system(open_office: Any, receiver: Receiver) -> None:
    async with open_office(code_webhook_url="https://sms.test/codes", code_webhook_secret=SECRET) as office:
        _facts(office, {})
        _mount(office, receiver)
        made = await _offer(office, code="webhook")
        assert await _deliver(office) == 1
        ((_, body),) = receiver.bodies
        message = json.loads(body)["data"]
        assert made["tx_code"] is None and "link" not in message
        offer = (await office.peer.http.get(made["uri"])).json()
        assert (await office.peer.wallet().redeem_offer(offer, message["code"])).status_code == 200


async def test_a_minors_offer_goes_to_the_guardian(open_office: Any) -> None:
    async with open_office() as office:
        born = office.peer.clock().date().replace(year=2015)
        _facts(office, {
            "minor": {"birth_date": born, "guardian": "parent", "given_name": "Kim"},
            "parent": {"given_name": "Parent", "email": "parent@mail.example"},
        })  # fmt: skip
        assert (await _offer(office, "minor", offer="letter"))["guardian"] is True
        letter = (await office.call("GET", "/letters")).text
        assert "Parent" in letter and "Kim" not in letter and "guardian" in letter
        assert (await _offer(office, offer="letter"))["guardian"] is False


@pytest.mark.hostile
@pytest.mark.parametrize("defect", ["no guardian", "no address"])
async def test_who_cannot_be_reached_gets_no_offer(open_office: Any, defect: str) -> None:
    async with open_office(smtp_url="smtp://127.0.0.1:9") as office:
        minor = {"birth_date": office.peer.clock().date(), "guardian": None}
        _facts(office, {ADA: minor if defect == "no guardian" else {"email": None}})
        wish = {"configuration_ids": ["pid_sd_jwt"], "person": ADA, "delivery": {"offer": "email"}}
        answer = await office.call("POST", "/offers", json=wish)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
        assert await office.peer.count("offer") == await office.peer.count("delivery") == 0


async def test_webhooks_tell_the_life_of_a_credential(office: Office, receiver: Receiver) -> None:
    from issuer.admin import Role

    _mount(office, receiver)
    events = ["credential.issued", "credential.accepted", "credential.deleted", "credential.revoked"]
    made = await office.call(
        "POST", "/webhooks", role=Role.ADMINISTRATOR, json={"url": "https://hooks.test/x", "events": events}
    )
    secret = made.json()["secret"]
    wallet = await office.peer.wallet_with_token("pid_sd_jwt")
    answer = (await wallet.request({"credential_configuration_id": "pid_sd_jwt"})).json()
    for event in ("credential_accepted", "credential_accepted", "credential_deleted"):
        await wallet.post_json("notification", {"notification_id": answer["notification_id"], "event": event})
    await office.call("POST", "/revoke", json={"target": "person", "value": ADA, "reason": "a test"})
    await _deliver(office)
    types = [json.loads(body)["type"] for _, body in receiver.bodies]
    assert sorted(types) == sorted(
        ["credential.issued", "credential.accepted", "credential.deleted", "credential.revoked"]
    )
    headers, body = receiver.bodies[0]
    from datetime import UTC, datetime

    signed = Webhook(secret).sign(
        headers["webhook-id"], datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC), body.decode()
    )
    assert headers["webhook-signature"] == signed
    assert ADA not in "".join(body.decode() for _, body in receiver.bodies)
    assert (await office.call("DELETE", f"/webhooks/{made.json()['id']}", role=Role.ADMINISTRATOR)).status_code == 204
    assert (await office.call("GET", "/webhooks")).json() == []


@pytest.mark.hostile
@pytest.mark.parametrize("change", [{"url": "http://hooks.test"}, {"events": ["credential.eaten"]}, {"events": []}])
async def test_a_wrong_webhook_is_refused(office: Office, change: dict[str, Any]) -> None:
    from issuer.admin import Role

    body = {"url": "https://hooks.test", "events": ["credential.issued"], **change}
    assert (await office.call("POST", "/webhooks", role=Role.ADMINISTRATOR, json=body)).status_code == 400
    assert await office.peer.count("webhook") == 0


def test_every_text_of_letters_and_mails_is_translated() -> None:
    import re
    from pathlib import Path

    from byoid.service.i18n import LANGUAGES, load_catalogues

    folder = Path(__file__).parents[3] / "issuer" / "post"
    found = "".join(path.read_text("utf-8") for path in (folder / "templates").iterdir())
    texts = set(re.findall(r'_\("(.*?)"', found))
    catalogues = load_catalogues([folder / "locales"])
    assert texts and Post
    for language in set(LANGUAGES) - {"en"}:
        assert texts <= set(catalogues[language].texts), language
