"""The one way out: an HTTP client for addresses that strangers may have chosen.

https only; no redirects; names are resolved here, checked, and the checked address is the one connected to, so that a
name cannot mean something else a moment later; bodies are bounded while they arrive, and never compressed, so that the
bound is the true size; a deadline for the whole answer. `mounts` puts applications of this process in a name's place.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import httpcore2
import httpx2

from byoid.service.loopback import is_loopback

if TYPE_CHECKING:
    from byoid.service.settings import ServiceSettings

MAX_RESPONSE_BYTES: Final = 8 << 20
TOTAL_SECONDS: Final = 20.0
TIMEOUT: Final = httpx2.Timeout(10.0, connect=5.0)
USER_AGENT: Final = "byoid"
Network: TypeAlias = IPv4Network | IPv6Network
_NAT64: Final = IPv6Network("64:ff9b::/96")


class Forbidden(httpx2.UnsupportedProtocol):
    """The address may not be asked: not https, or a name of an internal network."""


class TooLarge(httpx2.RemoteProtocolError):
    """The answer is larger than what is read, or compressed."""


@dataclass(frozen=True)
class Outgoing:
    """Whom an HTTP client may ask: https alone, and public addresses alone, unless it is said.

    `allow_loopback_http` also lets it ask this machine; `ca_file` (PEM) is believed besides the system's certificates.
    """

    allow_loopback_http: bool = False
    allowed_networks: tuple[Network, ...] = ()
    ca_file: Path | None = None


DEFAULT_OUTGOING: Final = Outgoing()


def http_client(
    settings: "ServiceSettings | Outgoing" = DEFAULT_OUTGOING,
    *,
    mounts: Mapping[str, httpx2.AsyncBaseTransport] | None = None,
    max_bytes: int = MAX_RESPONSE_BYTES,
    ssl_context: ssl.SSLContext | None = None,
) -> httpx2.AsyncClient:
    """Return a client. Its errors are `httpx2.HTTPError`; what an answer means is the caller's to check.

    Args:
        settings: whether this machine may be asked over http, and which private networks may be reached.
        mounts: transports by URL prefix, such as `{"https://issuer.test": ASGITransport(app)}`.
        max_bytes: the largest answer that is read.
        ssl_context: another set of trusted certificates than the system's and `settings.ca_file`.
    """
    guard = AddressGuard(settings.allowed_networks, allow_loopback=settings.allow_loopback_http)
    inner = _PinnedTransport(guard, ssl_context or _ssl_context(settings))
    loopback_http = settings.allow_loopback_http
    return httpx2.AsyncClient(
        transport=_BoundedTransport(inner, max_bytes, loopback_http=loopback_http),
        mounts={
            url: _BoundedTransport(each, max_bytes, loopback_http=loopback_http) for url, each in (mounts or {}).items()
        },
        timeout=TIMEOUT,
        follow_redirects=False,
        trust_env=False,
        headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
    )


def _ssl_context(settings: "ServiceSettings | Outgoing") -> ssl.SSLContext:
    if settings.ca_file is None:
        return _system_context()
    context = httpx2.create_ssl_context()
    context.load_verify_locations(settings.ca_file)
    return context


@cache
def _system_context() -> ssl.SSLContext:
    """Load the system's certificates, which takes a tenth of a second, once in a process."""
    return httpx2.create_ssl_context()


class AddressGuard:
    """Decides which addresses may be connected to: public ones, and those of the allowed networks."""

    def __init__(self, allowed: Sequence[Network], *, allow_loopback: bool) -> None:
        self._allowed = tuple(allowed)
        self._allow_loopback = allow_loopback

    def permits(self, text: str) -> bool:
        """Tell whether the address may be reached."""
        address = _unwrapped(ip_address(text.partition("%")[0]))
        if any(address in network for network in self._allowed):
            return True
        if address.is_loopback:
            return self._allow_loopback
        if getattr(address, "is_site_local", False):  # RFC 3879 ended these, and old networks have them still
            return False
        return address.is_global and not address.is_multicast and not address.is_reserved

    async def resolve(self, host: str, port: int) -> str:
        """Return an address of `host`.

        Raises:
            Forbidden: one of its addresses may not be reached; an honest name has none.
            httpcore2.ConnectError: the name means nothing.
        """
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=1)
        except OSError as error:
            raise httpcore2.ConnectError("the name cannot be resolved") from error
        addresses = [str(each[4][0]) for each in found]
        if not addresses or not all(map(self.permits, addresses)):
            raise Forbidden("the name belongs to an address that may not be asked")
        return addresses[0]


class _PinnedBackend(httpcore2.AsyncNetworkBackend):
    """Connects to the address that was checked. TLS still verifies the name."""

    def __init__(self, guard: AddressGuard) -> None:
        self._guard = guard
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        address = await self._guard.resolve(host, port)
        return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


class _PinnedTransport(httpx2.AsyncHTTPTransport):
    def __init__(self, guard: AddressGuard, ssl_context: ssl.SSLContext) -> None:
        # The base class offers no network backend; its pool is made here instead of there.
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=ssl_context,
            max_connections=100,
            max_keepalive_connections=20,
            keepalive_expiry=15.0,
            network_backend=_PinnedBackend(guard),
        )


class _BoundedTransport(httpx2.AsyncBaseTransport):
    """Refuses what is not https, and bounds the size and the duration of an answer."""

    def __init__(self, inner: httpx2.AsyncBaseTransport, max_bytes: int, *, loopback_http: bool) -> None:
        self._inner = inner
        self._max_bytes = max_bytes
        self._loopback_http = loopback_http

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url
        if url.scheme != "https" and not (url.scheme == "http" and self._loopback_http and is_loopback(url.host)):
            raise Forbidden("expected an https address")
        deadline = asyncio.get_running_loop().time() + TOTAL_SECONDS
        try:
            async with asyncio.timeout_at(deadline):  # a header that drips in is no better than a body that does
                response = await self._inner.handle_async_request(request)
        except TimeoutError as error:
            raise httpx2.ReadTimeout("the answer takes too long") from error
        if response.headers.get("content-encoding", "identity") != "identity":
            await response.aclose()
            raise TooLarge("the answer is compressed, which was not asked for")
        stream = response.stream
        if isinstance(stream, httpx2.AsyncByteStream):
            response.stream = _BoundedStream(stream, self._max_bytes, deadline)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


class _BoundedStream(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream, max_bytes: int, deadline: float) -> None:
        self._inner = inner
        self._left = max_bytes
        self._deadline = deadline

    async def __aiter__(self) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        async for chunk in self._inner:
            self._left -= len(chunk)
            if self._left < 0:
                raise TooLarge("the answer is too large")
            if loop.time() > self._deadline:
                raise httpx2.ReadTimeout("the answer takes too long")
            yield chunk

    async def aclose(self) -> None:
        await self._inner.aclose()


def _unwrapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address that an IPv6 address stands for, else the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
