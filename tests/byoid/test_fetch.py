"""Fetching: media types, sizes and redirects; a status list is fetched once for everybody."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta

import httpx2
import pytest

from byoid.errors import PeerError
from byoid.fetch import StatusListCache, fetch, fetch_json, fetch_request_object
from byoid.formats.status_array import StatusArray
from byoid.formats.status_list import StatusList
from byoid.keys import PrivateKey

LIST = "application/statuslist+jwt"


class Peer(httpx2.AsyncBaseTransport):
    """Answers from a table and counts."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.accepted: list[str] = []
        self.answers: dict[str, httpx2.Response | Exception] = {}

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request.url.path)
        self.accepted.append(request.headers["accept"])
        await asyncio.sleep(0)
        answer = self.answers[request.url.path]
        if isinstance(answer, Exception):
            raise answer
        return httpx2.Response(answer.status_code, headers=answer.headers, content=answer.content)

    def put(self, path: str, content: bytes, media_type: str, status: int = 200) -> None:
        self.answers[path] = httpx2.Response(status, content=content, headers={"Content-Type": media_type})

    def redirect(self, path: str, location: str) -> None:
        self.answers[path] = httpx2.Response(302, headers={"Location": location})


@pytest.fixture
def peer() -> Peer:
    return Peer()


@pytest.fixture
async def client(peer: Peer) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(transport=peer, base_url="https://peer.test") as client:
        yield client


async def test_metadata_is_fetched(peer: Peer, client: httpx2.AsyncClient) -> None:
    peer.put("/m", b'{"a": 1}', "application/json; charset=utf-8")
    assert await fetch_json(client, "https://peer.test/m") == {"a": 1}
    assert peer.accepted == ["application/json"]


async def test_a_request_object_is_fetched(peer: Peer, client: httpx2.AsyncClient) -> None:
    peer.put("/r", b"a.b.c", "application/oauth-authz-req+jwt")
    assert await fetch_request_object(client, "https://peer.test/r") == "a.b.c"


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("content", "media_type", "status"),
    [
        (b"{}", "application/json", 404),
        (b"{}", "application/json", 500),
        (b"{}", "text/html", 200),
        (b"{}", "", 200),
        (b"[]", "application/json", 200),
        (b'{"a":1,"a":2}', "application/json", 200),
        (b"{" + b" " * (1 << 20) + b"}", "application/json", 200),
    ],
)
async def test_bad_metadata_is_the_peers_fault(
    peer: Peer, client: httpx2.AsyncClient, content: bytes, media_type: str, status: int
) -> None:
    peer.put("/m", content, media_type, status)
    with pytest.raises(PeerError):
        await fetch_json(client, "https://peer.test/m")


@pytest.mark.hostile
async def test_a_bad_request_object_is_the_peers_fault(peer: Peer, client: httpx2.AsyncClient) -> None:
    peer.put("/r", b"\xff", "application/oauth-authz-req+jwt")
    with pytest.raises(PeerError, match="ASCII"):
        await fetch_request_object(client, "https://peer.test/r")


async def test_no_answer_is_the_peers_fault(peer: Peer, client: httpx2.AsyncClient) -> None:
    peer.answers["/m"] = httpx2.ConnectError("no")
    with pytest.raises(PeerError, match="ConnectError"):
        await fetch_json(client, "https://peer.test/m")


@pytest.mark.hostile
async def test_redirects_are_followed_only_as_far_as_asked(peer: Peer, client: httpx2.AsyncClient) -> None:
    peer.redirect("/1", "/2")
    peer.redirect("/2", "https://peer.test/3")
    peer.put("/3", b"x", "text/plain")
    assert await fetch(client, "https://peer.test/1", accept=["text/plain"], max_redirects=2) == b"x"
    for most in (0, 1):
        with pytest.raises(PeerError, match="redirects"):
            await fetch(client, "https://peer.test/1", accept=["text/plain"], max_redirects=most)


@pytest.fixture
def cache(client: httpx2.AsyncClient) -> StatusListCache:
    return StatusListCache(client)


def make_list(now: datetime, *, ttl: timedelta | None = None, expires_at: datetime | None = None) -> StatusList:
    array = StatusArray(bits=1, data=bytes(8))
    return StatusList("https://peer.test/s", array, now, expires_at, ttl, None, PrivateKey.generate().public)


async def test_a_status_list_is_fetched_once_for_everybody(peer: Peer, cache: StatusListCache, now: datetime) -> None:
    peer.put("/s", b"token", LIST)
    found = await asyncio.gather(*(cache.tokens(["https://peer.test/s"] * 2, now=now) for _ in range(20)))
    assert found == [{"https://peer.test/s": b"token"}] * 20
    assert peer.asked == ["/s"]
    assert peer.accepted == ["application/statuslist+jwt, application/statuslist+cwt"]


@pytest.mark.parametrize(
    ("ttl", "expires_in", "fresh_for"),
    [
        (timedelta(minutes=10), None, timedelta(minutes=10)),
        (timedelta(seconds=1), None, timedelta(seconds=30)),  # the minimum
        (timedelta(days=9), None, timedelta(hours=12)),  # the maximum
        (None, None, timedelta(hours=12)),
        (timedelta(hours=1), timedelta(minutes=2), timedelta(minutes=2)),
    ],
)
async def test_a_verified_list_is_used_until_it_is_stale(
    peer: Peer,
    cache: StatusListCache,
    now: datetime,
    ttl: timedelta | None,
    expires_in: timedelta | None,
    fresh_for: timedelta,
) -> None:
    uri = "https://peer.test/s"
    peer.put("/s", b"token", LIST)
    status_list = make_list(now, ttl=ttl, expires_at=expires_in and now + expires_in)
    cache.keep({uri: status_list, "https://other.test": "not a list"}, now=now)
    just_fresh = now + fresh_for - timedelta(seconds=1)
    assert await cache.tokens([uri], now=just_fresh) == {uri: status_list}
    cache.keep({uri: status_list}, now=just_fresh)  # using it does not make it younger
    assert await cache.tokens([uri], now=now + fresh_for) == {uri: b"token"}


async def test_a_failure_is_left_out_and_remembered_shortly(peer: Peer, cache: StatusListCache, now: datetime) -> None:
    uri = "https://peer.test/s"
    peer.put("/s", b"", LIST, status=503)
    assert await cache.tokens([uri], now=now) == {}
    assert await cache.tokens([uri], now=now + timedelta(seconds=5)) == {}
    assert peer.asked == ["/s"]
    peer.put("/s", b"token", LIST)
    assert await cache.tokens([uri], now=now + timedelta(seconds=10)) == {uri: b"token"}


@pytest.mark.hostile
async def test_the_cache_is_bounded(peer: Peer, client: httpx2.AsyncClient, now: datetime) -> None:
    cache = StatusListCache(client, max_lists=3)
    for number in range(10):
        peer.put(f"/{number}", b"token", LIST)
        await cache.tokens([f"https://peer.test/{number}"], now=now)
    assert len(cache._kept) == 3


@pytest.mark.hostile
async def test_the_memory_of_the_cache_is_bounded(peer: Peer, client: httpx2.AsyncClient, now: datetime) -> None:
    cache = StatusListCache(client, max_bytes=10_100)
    for number, size in enumerate([3000, 3000, 3000, 20_000, 2000, 2000]):
        peer.put(f"/{number}", bytes(size), LIST)
        assert await cache.tokens([f"https://peer.test/{number}"], now=now)
    assert [uri[-1] for uri in cache._kept] == ["2", "4", "5"]  # 3 is too large alone
    array = StatusArray(bits=1, data=bytes(9_500))
    cache.keep({"https://peer.test/5": replace(make_list(now), array=array)}, now=now)
    assert [uri[-1] for uri in cache._kept] == ["2", "4"]
    for uri in list(cache._kept):
        cache._forget(uri)
    assert cache._bytes == 0


async def test_who_gives_up_does_not_cancel_it_for_others(peer: Peer, cache: StatusListCache, now: datetime) -> None:
    uri = "https://peer.test/s"
    peer.put("/s", b"token", LIST)
    impatient = asyncio.create_task(cache.tokens([uri], now=now))
    patient = asyncio.create_task(cache.tokens([uri], now=now))
    await asyncio.sleep(0)
    impatient.cancel()
    assert await patient == {uri: b"token"}
    assert peer.asked == ["/s"]
    with pytest.raises(asyncio.CancelledError):
        await impatient
