"""Notices: the citizen hears that something happened, once, where they wanted it, and nobody learns what."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import http_ece  # type: ignore[import-untyped]  # has no types
import httpx2
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import FastAPI

from byoid.encoding import b64u_encode
from byoid.errors import PeerError
from byoid.service import errors
from tests.wallet.world import WALLET_URL
from wallet.context import Wallet
from wallet.limits import RATES, Limited
from wallet.notice_tables import Notice, PendingNotice, Subscription
from wallet.notices import BACKOFF
from wallet.push_client import PushClient
from wallet.recovery import begin_recovery
from wallet.subscriptions import CodeRefused, NoSuchSubscription
from wallet.vault import doctor, gate, proposals
from wallet.vault.contract import Action, Proposal
from wallet.web import api_errors
from wallet.web.notification_routes import notification_routes
from wallet.web.passkey_routes import COOKIE

PUSH = "https://push.test"
TABLES = [vars(each)["__table__"] for each in (Subscription, PendingNotice)]


class Browser:
    """A browser and its push service, which answers as a test wants."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.status = 201
        self.arrived: list[httpx2.Request] = []

    @property
    def subscription(self) -> dict[str, Any]:
        point = self.key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        keys = {"p256dh": b64u_encode(point), "auth": b64u_encode(b"s" * 16)}
        return {"endpoint": f"{PUSH}/send/1", "expirationTime": None, "keys": keys}

    def handle(self, request: httpx2.Request) -> httpx2.Response:
        self.arrived.append(request)
        return httpx2.Response(self.status)

    def messages(self) -> list[dict[str, str]]:
        return [
            json.loads(http_ece.decrypt(each.content, private_key=self.key, auth_secret=b"s" * 16))
            for each in self.arrived
        ]


class Post:
    """A mail server that keeps everything."""

    def __init__(self) -> None:
        self.letters: list[tuple[str, str, str]] = []
        self.refuses: int | None = None

    async def send(self, address: str, *, subject: str, text: str) -> None:
        if self.refuses:
            raise PeerError("no", status=self.refuses)
        self.letters.append((address, subject, text))


@pytest.fixture
def browser() -> Browser:
    return Browser()


@pytest.fixture
def mailbox() -> Post:
    return Post()


@pytest.fixture
async def wallet(wallet: Wallet, browser: Browser, mailbox: Post) -> AsyncIterator[Wallet]:
    transport = httpx2.MockTransport(browser.handle)
    async with httpx2.AsyncClient(transport=transport) as http:
        object.__setattr__(wallet.notices, "push", PushClient(http, wallet.notices.push.sender))
        object.__setattr__(wallet.notices, "mail", mailbox)
        yield wallet


@pytest.fixture
async def api(holder: Any) -> AsyncIterator[httpx2.AsyncClient]:
    app = FastAPI()
    app.state.wallet = holder.wallet
    errors.install(app)
    api_errors.install(app)
    app.include_router(notification_routes(origin=WALLET_URL))
    headers = {"Cookie": f"{COOKIE}={holder.citizen.cookie}", "Origin": WALLET_URL}
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=WALLET_URL, headers=headers) as client:
        yield client


async def subscribe(api: httpx2.AsyncClient, browser: Browser, **wanted: bool) -> dict[str, Any]:
    body = {"channel": "push", "subscription": browser.subscription, **wanted}
    answer = await api.post("/notifications/subscriptions", json=body)
    assert answer.status_code == 201
    found: dict[str, Any] = answer.json()
    return found


async def deliver(wallet: Wallet) -> int:
    return await wallet.notices.deliver_due(now=wallet.clock())


async def recovery_code(holder: Any) -> str:
    door, cookie = holder.wallet.door, holder.citizen.cookie
    proposal = Proposal(action=Action.NEW_RECOVERY_CODE, consent_id="c", option="", shown=b"s" * 32)
    ceremony = await door.run(proposals.propose, cookie, proposal)
    found: str = (await door.run(gate.approve, cookie, holder.citizen.answer(ceremony))).recovery_code
    return found


async def test_a_browser_hears_of_a_recovery(
    api: httpx2.AsyncClient, holder: Any, browser: Browser, wallet: Wallet
) -> None:
    code = await recovery_code(holder)
    await subscribe(api, browser)
    await wallet.door.run(begin_recovery, code)
    await wallet.door.run(begin_recovery, code)  # again, which begins nothing

    assert await deliver(wallet) == 1
    assert await deliver(wallet) == 0
    assert browser.messages() == [{"kind": "security"}]
    sent = browser.arrived[0].headers
    assert (sent["urgency"], sent["content-encoding"]) == ("high", "aes128gcm")
    key = (await api.get("/notifications/key")).json()["public_key"]
    assert sent["authorization"].endswith(f"k={key}")


async def test_nobody_hears_who_did_not_want_to(
    api: httpx2.AsyncClient, holder: Any, browser: Browser, wallet: Wallet
) -> None:
    await subscribe(api, browser, security=False)
    await recovery_code(holder)

    assert await deliver(wallet) == 0


async def test_a_card_that_ends_is_told_of_two_weeks_before(
    api: httpx2.AsyncClient, holder: Any, browser: Browser, wallet: Wallet, clock: Any
) -> None:
    await subscribe(api, browser)  # the cards end in 30 days
    clock.advance(days=15)
    early = await deliver(wallet)
    clock.advance(days=1)

    assert (early, await deliver(wallet)) == (0, 1)
    assert browser.messages() == [{"kind": "expiry"}]


async def test_a_subscription_is_seen_changed_and_ended(api: httpx2.AsyncClient, browser: Browser) -> None:
    found = await subscribe(api, browser)
    place = f"/notifications/subscriptions/{found['id']}"
    assert (await api.put(place, json={"security": True, "cards": False})).status_code == 204
    assert (await api.get("/notifications/subscriptions")).json() == [{**found, "cards": False}]
    again = await subscribe(api, browser)
    assert [each["id"] for each in (await api.get("/notifications/subscriptions")).json()] == [again["id"]]
    place = f"/notifications/subscriptions/{again['id']}"
    assert [(await api.delete(place)).status_code for _ in range(2)] == [204, 404]
    assert (await api.put(place, json={})).status_code == 404


@pytest.mark.parametrize("status", [404, 410, 403])
async def test_a_subscription_that_is_gone_is_forgotten(
    api: httpx2.AsyncClient, holder: Any, browser: Browser, wallet: Wallet, status: int
) -> None:
    await subscribe(api, browser)
    await wallet.notices.tell((await holder.visit()).person, now=wallet.clock())
    browser.status = status

    assert await deliver(wallet) == 0
    assert (await api.get("/notifications/subscriptions")).json() == []


async def test_a_notice_is_tried_again_later_and_not_for_ever(
    api: httpx2.AsyncClient, holder: Any, browser: Browser, wallet: Wallet, clock: Any
) -> None:
    await subscribe(api, browser, cards=False)
    person = (await holder.visit()).person
    await wallet.notices.tell(person, now=wallet.clock())
    browser.status = 503
    for pause in (timedelta(0), *BACKOFF, timedelta(days=30)):
        clock.now += pause
        await deliver(wallet)

    assert len(browser.arrived) == 1 + len(BACKOFF)
    assert len(await wallet.notices.subscriptions.all(person)) == 1


async def test_an_address_is_confirmed_by_its_code(
    api: httpx2.AsyncClient, holder: Any, wallet: Wallet, mailbox: Post
) -> None:
    wanted = {"channel": "mail", "address": "zoe@example.org"}
    found = (
        await api.post("/notifications/subscriptions", json=wanted, headers={"Accept-Language": "de"})
    ).json()  # fmt: skip
    person = (await holder.visit()).person
    await wallet.notices.tell(person, now=wallet.clock())
    assert await deliver(wallet) == 0  # nobody has confirmed it
    ((address, _, text),) = mailbox.letters
    code = next(word.strip(".") for word in text.split() if word.strip(".").isdigit())
    place = f"/notifications/subscriptions/{found['id']}/confirmation"
    assert (await api.post(place, json={"code": code})).status_code == 204
    await wallet.notices.tell(person, now=wallet.clock())

    assert await deliver(wallet) == 1
    assert address == mailbox.letters[1][0] == "zoe@example.org"
    assert "Wiederherstellungscode" in mailbox.letters[1][2]
    assert "http" not in mailbox.letters[1][2]


async def confirmed(api: httpx2.AsyncClient, mailbox: Post) -> str:
    wanted = {"channel": "mail", "address": "zoe@example.org"}
    found = (await api.post("/notifications/subscriptions", json=wanted)).json()
    code = next(word.strip(".") for word in mailbox.letters[-1][2].split() if word.strip(".").isdigit())
    await api.post(f"/notifications/subscriptions/{found['id']}/confirmation", json={"code": code})
    return str(found["id"])


async def test_an_address_that_is_given_again_stays_confirmed(api: httpx2.AsyncClient, mailbox: Post) -> None:
    known = await confirmed(api, mailbox)
    again = {"channel": "mail", "address": "zoe@example.org", "cards": False}
    shown = (await api.post("/notifications/subscriptions", json=again)).json()

    assert (shown["id"], shown["confirmed"], shown["security"], shown["cards"]) == (known, True, True, False)
    assert (await api.get("/notifications/subscriptions")).json() == [shown]
    assert len(mailbox.letters) == 1  # no second code


async def test_what_waits_is_not_sent_to_who_does_not_want_it_any_more(
    api: httpx2.AsyncClient, holder: Any, wallet: Wallet, browser: Browser
) -> None:
    found = await subscribe(api, browser)
    person = (await holder.visit()).person
    for kind in (Notice.PROMISE, Notice.EXPIRY):
        await wallet.notices.remind(person, kind, wallet.clock())
    await wallet.notices.tell(person, now=wallet.clock())
    await wallet.notices.subscriptions.choose(person, found["id"], security=True, cards=False)
    waiting = await wallet.contents.database.fetch(TABLES[1].select(), {})

    assert [row.kind for row in waiting.rows] == [Notice.SECURITY]
    await wallet.notices.subscriptions.choose(person, found["id"], security=False, cards=False)
    assert await deliver(wallet) == 0


async def test_an_address_that_nobody_confirms_is_forgotten(
    api: httpx2.AsyncClient, holder: Any, wallet: Wallet, clock: Any, mailbox: Post, browser: Browser
) -> None:
    person = (await holder.visit()).person
    await confirmed(api, mailbox)
    await subscribe(api, browser)
    await api.post("/notifications/subscriptions", json={"channel": "mail", "address": "other@example.org"})
    clock.advance(minutes=59)
    assert await wallet.notices.subscriptions.expire(now=wallet.clock()) == 0
    clock.advance(minutes=2)
    assert await wallet.notices.subscriptions.expire(now=wallet.clock()) == 1
    left = await wallet.notices.subscriptions.all(person)
    assert [each.confirmed for each in left] == [True, True]


@pytest.mark.hostile
async def test_a_code_is_not_guessed(
    api: httpx2.AsyncClient, holder: Any, wallet: Wallet, clock: Any, mailbox: Post
) -> None:
    person = (await holder.visit()).person
    wanted = {"channel": "mail", "address": "zoe@example.org"}
    found = (await api.post("/notifications/subscriptions", json=wanted)).json()
    place = f"/notifications/subscriptions/{found['id']}/confirmation"
    tries = [(await api.post(place, json={"code": f"{each:06}"})) for each in range(RATES[Limited.MAIL_CODE][0] + 1)]
    assert {each.status_code for each in tries[:-1]} <= {400, 204}
    assert (tries[-1].status_code, tries[-1].json()["message"]) == (429, "error-too-many")
    clock.advance(hours=2)
    code = next(word.strip(".") for word in mailbox.letters[0][2].split() if word.strip(".").isdigit())
    with pytest.raises(CodeRefused):
        await wallet.notices.subscriptions.confirm(person, found["id"], code, now=wallet.clock())


@pytest.mark.hostile
async def test_a_stranger_is_not_bombed_with_mail(api: httpx2.AsyncClient, mailbox: Post) -> None:
    wanted = {"channel": "mail", "address": "victim@example.org"}
    answers = [(await api.post("/notifications/subscriptions", json=wanted)).status_code for _ in range(8)]

    assert answers[-1] == 429
    assert len(mailbox.letters) == RATES[Limited.MAIL][0]


@pytest.mark.hostile
@pytest.mark.parametrize(
    "wanted",
    [
        {"channel": "mail", "address": "zoe@example.org\nBcc: all@example.org"},
        {"channel": "mail", "address": "a@b"},
        {"channel": "mail", "address": "a,b@example.org"},
        {"channel": "pigeon"},
        {"channel": "push", "subscription": {"endpoint": "http://push.test/1", "keys": {"p256dh": "", "auth": ""}}},
        {"channel": "push"},
    ],
    ids=["header-injection", "no-domain", "two-addresses", "another-channel", "http", "no-subscription"],
)
async def test_a_strange_address_is_refused(api: httpx2.AsyncClient, wanted: dict[str, Any]) -> None:
    assert (await api.post("/notifications/subscriptions", json=wanted)).status_code == 400
    assert (await api.get("/notifications/subscriptions")).json() == []


@pytest.mark.hostile
async def test_a_stranger_reaches_no_subscription(
    api: httpx2.AsyncClient, browser: Browser, new_holder: Any, wallet: Wallet
) -> None:
    found = await subscribe(api, browser)
    stranger = (await (await new_holder()).visit()).person

    with pytest.raises(NoSuchSubscription):
        await wallet.notices.subscriptions.remove(stranger, found["id"])
    assert await wallet.notices.subscriptions.all(stranger) == []


@pytest.mark.hostile
async def test_no_more_places_than_somebody_needs(api: httpx2.AsyncClient, browser: Browser) -> None:
    answers = []
    for number in range(21):
        body = {"channel": "push", "subscription": {**browser.subscription, "endpoint": f"{PUSH}/send/{number}"}}
        answers.append((await api.post("/notifications/subscriptions", json=body)).status_code)

    assert answers == [201] * 20 + [400]


async def test_addresses_are_not_in_clear_and_go_with_the_account(
    api: httpx2.AsyncClient, holder: Any, browser: Browser, wallet: Wallet
) -> None:
    await subscribe(api, browser)
    await api.post("/notifications/subscriptions", json={"channel": "mail", "address": "zoe@example.org"})
    person, database = (await holder.visit()).person, wallet.contents.database
    await wallet.notices.remind(person, Notice.PROMISE, wallet.clock())
    found = await doctor.examine(database, TABLES, canaries=["push.test", "zoe@example.org"])
    rows = [len((await database.fetch(table.select(), {})).rows) for table in TABLES]

    async with wallet.contents.transaction() as tx:
        await wallet.notices.subscriptions.forget(tx, person)

    assert (found, rows) == ([], [2, 2])
    assert [len((await database.fetch(table.select(), {})).rows) for table in TABLES] == [0, 0]
