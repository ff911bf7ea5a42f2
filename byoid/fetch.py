"""What the library's callers must fetch from others: documents, request objects, and status lists with a cache.

The client is injected; for addresses that a stranger may have chosen, it must be a guarded one (`byoid.service.http`).
Nothing that is fetched is believed here. Token Status List section 8.1 (request), 8.2 (response), 13.7 (caching).
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

import httpx2

from byoid.encoding import json_object
from byoid.errors import MalformedInput, PeerError
from byoid.formats.status_list import CWT_MEDIA_TYPE, JWT_MEDIA_TYPE, MAX_TOKEN_BYTES, StatusList
from byoid.trust.trusted_list import MAX_BYTES as MAX_LIST_BYTES

MAX_DOCUMENT_BYTES: Final = 1 << 20
MAX_REDIRECTS: Final = 3
_ENTRY_BYTES: Final = 1024  # what is remembered besides the list: URI, times, the signer's chain
_OK: Final = 200
_JSON: Final = frozenset({"application/json"})
_REQUEST_OBJECT: Final = frozenset({"application/oauth-authz-req+jwt"})
_TRUSTED_LIST: Final = (  # no media type is registered for a signed list, and the signature says more than any
    "application/jose", "application/jwt", "application/json", "application/octet-stream", "text/plain",
)  # fmt: skip
_TOKENS: Final = (JWT_MEDIA_TYPE, CWT_MEDIA_TYPE)


async def fetch(
    client: httpx2.AsyncClient,
    url: str,
    *,
    accept: Collection[str],
    max_bytes: int = MAX_DOCUMENT_BYTES,
    max_redirects: int = 0,
) -> bytes:
    """GET a document of one of the media types `accept`.

    Raises:
        PeerError: no answer, another status than 200, too many redirects, another media type, or too large.
    """
    try:
        for _ in range(max_redirects + 1):
            async with client.stream("GET", url, headers={"Accept": ", ".join(accept)}) as response:
                if not response.is_redirect:
                    return await _body(response, accept, max_bytes)
                url = str(response.url.join(response.headers.get("location", "")))
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise PeerError(f"the document cannot be fetched: {type(error).__name__}") from error
    raise PeerError(f"expected a document after at most {max_redirects} redirects")


async def fetch_json(client: httpx2.AsyncClient, url: str, *, accept: Collection[str] = _JSON) -> dict[str, Any]:
    """GET a JSON object, such as metadata.

    Raises:
        PeerError: it cannot be fetched, or is not a JSON object.
    """
    try:
        return json_object(await fetch(client, url, accept=accept))
    except MalformedInput as error:
        raise PeerError(f"expected a JSON object: {error}") from error


async def fetch_request_object(client: httpx2.AsyncClient, request_uri: str) -> str:
    """GET a request object by reference (OpenID4VP 5.10, RFC 9101 5.2.3).

    Raises:
        PeerError: it cannot be fetched.
    """
    content = await fetch(client, request_uri, accept=_REQUEST_OBJECT)
    try:
        return content.decode("ascii")
    except UnicodeDecodeError:
        raise PeerError("expected a request object in ASCII") from None


async def fetch_trusted_list(client: httpx2.AsyncClient, url: str) -> bytes:
    """GET a signed list of trusted entities (ETSI TS 119 602).

    Raises:
        PeerError: it cannot be fetched.
    """
    return await fetch(client, url, accept=_TRUSTED_LIST, max_bytes=MAX_LIST_BYTES, max_redirects=MAX_REDIRECTS)


Token: TypeAlias = bytes | StatusList


@dataclass(frozen=True)
class _Kept:
    token: Token | None  # None: it could not be fetched
    until: datetime

    @property
    def size(self) -> int:
        """How much memory it takes, in bytes."""
        content = self.token.array.data if isinstance(self.token, StatusList) else self.token or b""
        return len(content) + _ENTRY_BYTES


class StatusListCache:
    """Status lists of many issuers. One fetch serves everybody who waits; verified lists stay until `ttl` or `exp`.

    It serves many that trust differently: a list remembers its signer, whom `verify_statuses` judges for each of them.

    tokens = await cache.tokens(authenticated.status_uris, now=now)
    statuses = verify_statuses(tokens, authenticated=authenticated, anchors=anchors, now=now)
    cache.keep(statuses, now=now)
    """

    def __init__(
        self,
        client: httpx2.AsyncClient,
        *,
        minimum: timedelta = timedelta(seconds=30),
        maximum: timedelta = timedelta(hours=12),
        unverified: timedelta = timedelta(seconds=10),
        max_lists: int = 1000,
        max_bytes: int = 256 << 20,
    ) -> None:
        """Make an empty cache.

        Args:
            client: the guarded HTTP client.
            minimum: how long a list is used at least, unless it expires, whatever its issuer says.
            maximum: how long at most; also where the issuer says nothing.
            unverified: how long a token that nobody verified, or a failure, is remembered.
            max_lists: how many are remembered.
            max_bytes: how much memory they may take together; a list that is larger alone is not remembered.
        """
        self._client = client
        self._minimum, self._maximum, self._unverified = minimum, maximum, unverified
        self._max_lists, self._max_bytes, self._bytes = max_lists, max_bytes, 0
        self._kept: dict[str, _Kept] = {}
        self._fetching: dict[str, asyncio.Task[_Kept]] = {}

    async def tokens(self, uris: Iterable[str], *, now: datetime) -> dict[str, Token]:
        """Return by URI verified lists from before, or tokens as fetched. What cannot be had is left out."""
        found = {uri: self._remembered(uri, now) for uri in uris}
        missing = [uri for uri, kept in found.items() if kept is None]
        if missing:  # to gather is dear, and seldom needed
            found.update(zip(missing, await asyncio.gather(*(self._fetched(uri, now) for uri in missing)), strict=True))
        return {uri: kept.token for uri, kept in found.items() if kept is not None and kept.token is not None}

    def keep(self, statuses: Mapping[str, object], *, now: datetime) -> None:
        """Remember lists that were verified, until their issuer wants to be asked again; other values are ignored."""
        for uri, status_list in statuses.items():
            known = self._kept.get(uri)
            if isinstance(status_list, StatusList) and (known is None or known.token is not status_list):
                until = status_list.fresh_until(now, minimum=self._minimum, maximum=self._maximum)
                self._remember(uri, _Kept(status_list, until))

    def due(self, *, by: datetime) -> tuple[str, ...]:
        """Return the URIs of verified lists that are to be fetched anew by then."""
        return tuple(uri for uri, kept in self._kept.items() if isinstance(kept.token, StatusList) and kept.until <= by)

    async def fetch_anew(self, uri: str) -> bytes:
        """Fetch a token whatever is remembered, and leave that as it is until the new one is verified and kept.

        Raises:
            PeerError: it cannot be fetched.
        """
        return await fetch(self._client, uri, accept=_TOKENS, max_bytes=MAX_TOKEN_BYTES, max_redirects=MAX_REDIRECTS)

    def _remembered(self, uri: str, now: datetime) -> _Kept | None:
        kept = self._kept.get(uri)
        return kept if kept is not None and now < kept.until else None

    async def _fetched(self, uri: str, now: datetime) -> _Kept:
        task = self._fetching.get(uri)
        if task is None:
            task = asyncio.create_task(self._fetch(uri, now))
            self._fetching[uri] = task
            task.add_done_callback(lambda _: self._fetching.pop(uri, None))
        return await asyncio.shield(task)  # whoever gives up must not cancel it for the others

    async def _fetch(self, uri: str, now: datetime) -> _Kept:
        token: Token | None
        try:
            token = await self.fetch_anew(uri)
        except PeerError:
            token = None
        kept = _Kept(token, now + self._unverified)
        self._remember(uri, kept)
        return kept

    def _remember(self, uri: str, kept: _Kept) -> None:
        self._forget(uri)
        if kept.size > self._max_bytes:
            return
        while self._kept and (len(self._kept) >= self._max_lists or self._bytes + kept.size > self._max_bytes):
            self._forget(next(iter(self._kept)))  # the one that was fetched first
        self._kept[uri] = kept
        self._bytes += kept.size

    def _forget(self, uri: str) -> None:
        known = self._kept.pop(uri, None)
        self._bytes -= known.size if known else 0


async def _body(response: httpx2.Response, accept: Collection[str], max_bytes: int) -> bytes:
    if response.status_code != _OK:
        raise PeerError("expected the status 200", status=response.status_code)
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in accept:
        raise PeerError(f"expected {' or '.join(sorted(accept))}, got another media type", status=_OK)
    content = bytearray()
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > max_bytes:
            raise PeerError(f"expected at most {max_bytes} bytes", status=_OK)
    return bytes(content)
