"""Published status lists over HTTP: their forms, their tags, and that a publication is prepared once."""

import asyncio
import gzip
from typing import Any

import pytest

from byoid.formats.status_list import CWT_MEDIA_TYPE, JWT_MEDIA_TYPE
from issuer import status_serving
from issuer.status_lists import add_list, list_uri, publish
from issuer.status_serving import ServedLists


@pytest.fixture
async def uri(peer: Any) -> str:
    return list_uri(peer.issuer, (await add_list(peer.issuer)).id)


async def _get(peer: Any, uri: str, **headers: str) -> Any:
    return await peer.http.get(uri, headers={name.replace("_", "-"): value for name, value in headers.items()})


async def test_each_form_has_its_media_type_and_its_tag(peer: Any, uri: str) -> None:
    plain = await _get(peer, uri, Accept_Encoding="identity")
    zipped = await _get(peer, uri, Accept_Encoding="br, gzip")
    cwt = await _get(peer, uri, Accept=CWT_MEDIA_TYPE, Accept_Encoding="gzip")
    assert [each.headers["content-type"] for each in (plain, zipped, cwt)] == [
        JWT_MEDIA_TYPE, JWT_MEDIA_TYPE, CWT_MEDIA_TYPE,
    ]  # fmt: skip
    assert [each.headers.get("content-encoding") for each in (plain, zipped, cwt)] == [None, "gzip", None]
    assert plain.text == zipped.text and plain.text.count(".") == 2
    assert len({each.headers["etag"] for each in (plain, zipped, cwt)}) == 3
    for each in (plain, zipped, cwt):
        assert each.headers["access-control-allow-origin"] == "*"
        assert each.headers["vary"] == "Accept, Accept-Encoding"
        again = await _get(
            peer, uri, Accept=each.headers["content-type"], If_None_Match=f'"x", {each.headers["etag"]}',
            Accept_Encoding=each.headers.get("content-encoding") or "identity",
        )  # fmt: skip
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", each.headers["etag"])


@pytest.mark.parametrize(
    ("asked", "zipped"),
    [("gzip", True), ("GZIP;q=0.5", True), ("*", True), ("gzip;q=0", False), ("gzip; q=0.000", False), ("", False),
     ("x-gzip-not", False), ("br", False)],
)  # fmt: skip
async def test_gzip_is_used_where_it_is_taken(peer: Any, uri: str, asked: str, zipped: bool) -> None:
    assert ("content-encoding" in (await _get(peer, uri, Accept_Encoding=asked)).headers) is zipped


async def test_a_publication_is_compressed_once_and_the_next_one_is_seen(
    peer: Any, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0
    real = gzip.compress

    def counting(*arguments: Any, **named: Any) -> bytes:
        nonlocal calls
        calls += 1
        return real(*arguments, **named)

    monkeypatch.setattr(status_serving.gzip, "compress", counting)
    tags = {(await _get(peer, uri)).headers["etag"] for _ in range(5)}
    assert (calls, len(tags)) == (1, 1)
    peer.clock.advance(peer.issuer.settings.status_list_lifetime * 0.6)
    assert await publish(peer.issuer) == 1
    assert (await _get(peer, uri)).headers["etag"] not in tags
    assert calls == 2
    peer.clock.advance(peer.issuer.settings.status_list_lifetime * 0.6)
    assert await publish(peer.issuer) == 1
    found = await asyncio.gather(*(_get(peer, uri) for _ in range(8)))  # all at once, before anybody has it
    assert (calls, len({each.headers["etag"] for each in found})) == (3, 1)


async def test_what_is_kept_is_bounded_by_bytes(peer: Any) -> None:
    ids = [(await add_list(peer.issuer)).id for _ in range(3)]
    lists = ServedLists(most_bytes=1)
    found = [await lists.find(peer.issuer, each) for each in ids]
    assert all(found) and list(lists._lists) == ids[-1:]


@pytest.mark.hostile
@pytest.mark.parametrize(("path", "status"), [("/status/none", 404), ("/status/none?time=1", 501)])
async def test_a_list_that_is_not_there_is_not_found(peer: Any, path: str, status: int) -> None:
    assert (await peer.http.get(path)).status_code == status
