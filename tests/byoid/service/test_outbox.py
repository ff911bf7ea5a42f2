"""Webhooks: signed, sealed while they wait, retried, and not lost with a worker."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import select
from standardwebhooks import Webhook

from byoid.service import outbox as outbox_module
from byoid.service.database import Database, service_metadata
from byoid.service.outbox import BACKOFF, LEASE, Destination, Outbox, outbox_table
from byoid.service.seal import Sealer

METADATA = service_metadata()
TABLE = outbox_table(METADATA)
SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
WAITING = select(TABLE.c.id, TABLE.c.tries, TABLE.c.due_at, TABLE.c.sealed_body)


class Receiver(httpx2.AsyncBaseTransport):
    """Answers with `status`, or not at all, and keeps what it got."""

    def __init__(self) -> None:
        self.got: list[httpx2.Request] = []
        self.status: int | None = 204

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        await request.aread()
        self.got.append(request)
        if self.status is None:
            raise httpx2.ConnectError("no")
        return httpx2.Response(self.status)


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def directory() -> dict[str, Destination]:
    return {"shop": Destination("https://shop.test/hook", SECRET)}


@pytest.fixture
async def outbox(database: Database, sealer: Sealer, receiver: Receiver, directory: dict[str, Destination]) -> Outbox:
    await database.create_all(METADATA)

    async def find(name: str) -> Destination | None:
        return directory.get(name)

    return Outbox(TABLE, sealer=sealer, client=httpx2.AsyncClient(transport=receiver), find=find)


async def put(outbox: Outbox, database: Database, *, now: datetime, receiver: str = "shop") -> str:
    async with database.transaction() as tx:
        return await outbox.enqueue(tx, receiver=receiver, type_="result", content={"verdict": "visible"}, now=now)


async def waiting(database: Database) -> list[Any]:
    return list((await database.fetch(WAITING)).rows)


async def test_a_message_arrives_once_and_its_signature_verifies(
    outbox: Outbox, database: Database, receiver: Receiver
) -> None:
    now = datetime.now(UTC)  # the library that verifies has a clock of its own
    message_id = await put(outbox, database, now=now)
    assert await outbox.deliver_due(database, now=now) == 1
    assert await outbox.deliver_due(database, now=now + timedelta(days=9)) == 0
    (request,) = receiver.got
    body = Webhook(SECRET).verify(request.content, dict(request.headers))
    assert body == {"type": "result", "timestamp": now.isoformat(), "data": {"verdict": "visible"}}
    assert request.headers["webhook-id"] == message_id
    assert await waiting(database) == []


async def test_what_waits_is_sealed(outbox: Outbox, database: Database, now: datetime) -> None:
    await put(outbox, database, now=now)
    (row,) = await waiting(database)
    assert b"visible" not in row.sealed_body


async def test_a_transaction_that_fails_sends_nothing(
    outbox: Outbox, database: Database, receiver: Receiver, now: datetime
) -> None:
    with pytest.raises(KeyError):
        async with database.transaction() as tx:
            await outbox.enqueue(tx, receiver="shop", type_="result", content={}, now=now)
            raise KeyError
    assert await outbox.deliver_due(database, now=now) == 0
    assert receiver.got == []


@pytest.mark.parametrize("status", [None, 500, 404, 302])
async def test_a_failure_is_tried_again_later_and_later_until_it_is_dropped(
    outbox: Outbox, database: Database, receiver: Receiver, now: datetime, status: int | None
) -> None:
    receiver.status = status
    await put(outbox, database, now=now)
    for number, pause in enumerate(BACKOFF, start=1):
        assert await outbox.deliver_due(database, now=now) == 0
        (row,) = await waiting(database)
        assert (row.tries, row.due_at) == (number, now + pause)
        assert await outbox.deliver_due(database, now=now + pause - timedelta(seconds=1)) == 0
        assert len(receiver.got) == number
        now += pause
    await outbox.deliver_due(database, now=now)
    assert await waiting(database) == []
    assert len({request.headers["webhook-id"] for request in receiver.got}) == 1


async def test_a_retry_may_succeed(outbox: Outbox, database: Database, receiver: Receiver, now: datetime) -> None:
    receiver.status = 500
    await put(outbox, database, now=now)
    await outbox.deliver_due(database, now=now)
    receiver.status = 200
    assert await outbox.deliver_due(database, now=now + BACKOFF[0]) == 1


async def test_a_receiver_that_is_gone_gets_no_retries(
    outbox: Outbox, database: Database, receiver: Receiver, now: datetime
) -> None:
    receiver.status = 410
    await put(outbox, database, now=now)
    await put(outbox, database, now=now, receiver="unknown")
    assert await outbox.deliver_due(database, now=now) == 0
    assert await waiting(database) == []


async def test_many_workers_deliver_each_message_once(
    outbox: Outbox, database: Database, receiver: Receiver, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "BATCH", 3)
    ids = {await put(outbox, database, now=now) for _ in range(30)}
    counts = await asyncio.gather(*(outbox.deliver_due(database, now=now) for _ in range(4)))
    assert sum(counts) == 30
    assert sorted(request.headers["webhook-id"] for request in receiver.got) == sorted(ids)


async def test_a_message_survives_kill_9_before_and_during_its_delivery(
    outbox: Outbox,
    database: Database,
    database_url: str,
    receiver: Receiver,
    sealing_keys: dict[str, bytes],
    now: datetime,
) -> None:
    """A worker writes two messages, begins to deliver one, and is killed: both arrive by another one."""
    program = textwrap.dedent(f"""
        import asyncio, datetime, sys, httpx2
        sys.path[:0] = {sys.path!r}
        from byoid.service.database import Database, service_metadata
        from byoid.service.outbox import Destination, Outbox, outbox_table
        from byoid.service.seal import Sealer
        class Hangs(httpx2.AsyncBaseTransport):
            async def handle_async_request(self, request):
                print(request.headers["webhook-id"], flush=True)
                await asyncio.sleep(600)
        async def find(name):
            return Destination("https://shop.test/", {SECRET!r})
        async def main():
            database = await Database.open({database_url!r})
            now = datetime.datetime.fromisoformat({now.isoformat()!r})
            client = httpx2.AsyncClient(transport=Hangs())
            sealer = Sealer({sealing_keys!r})
            outbox = Outbox(outbox_table(service_metadata()), sealer=sealer, client=client, find=find)
            for when in (now, now + datetime.timedelta(hours=1)):
                async with database.transaction() as tx:
                    await outbox.enqueue(tx, receiver="shop", type_="result", content={{}}, now=when)
            await outbox.deliver_due(database, now=now)
        asyncio.run(main())
    """)
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    begun = (await asyncio.to_thread(process.stdout.readline)).strip()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()

    assert await outbox.deliver_due(database, now=now) == 0  # it is still the dead worker's
    assert await outbox.deliver_due(database, now=now + LEASE) == 1
    assert receiver.got[0].headers["webhook-id"] == begun
    assert await outbox.deliver_due(database, now=now + timedelta(hours=1)) == 1
    assert json.loads(receiver.got[1].content)["type"] == "result"
