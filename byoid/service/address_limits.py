"""How often one address may ask, over all workers, and how that gets dearer with every failure.

Guessing shows as failures: codes, tokens and identifiers that do not exist. So a failure counts as many requests, and
whoever guesses is slowed down long before the limit for honest use; what is guarded by a short secret has a `Lockout`
of its own besides. An address is that of the connection or, behind our own proxies only, what they say of it
(`X-Forwarded-For`); IPv6 counts by /64, which one subscriber has. It is stored as a keyed hash, and logged never.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

from prometheus_client import Counter
from sqlalchemy import Table
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from byoid.service.database import Database
from byoid.service.rate_limits import Allowance, RateLimit, TooManyRequests
from byoid.service.seal import Sealer

_logger = logging.getLogger(__name__)
WINDOW: Final = timedelta(minutes=1)
FAILURES: Final = frozenset({400, 401, 403, 404})
FAILURE_COST: Final = 30
NEVER_LIMITED: Final = ("/healthz", "/readyz", "/metrics", "/static/")
_FREE_SHARE: Final = 20  # a worker counts a twentieth of the limit alone, and takes the rest in such packs


@dataclass(frozen=True)
class AddressLimit:
    """What guards one application."""

    database: Database
    allowance: Allowance
    is_proxy: Callable[[str], bool]
    clock: Callable[[], datetime]
    refused: Counter | None = None

    @classmethod
    def per_minute(
        cls, requests: int, *, database: Database, table: Table, sealer: Sealer,
        is_proxy: Callable[[str], bool], clock: Callable[[], datetime], refused: Counter | None = None,
    ) -> "AddressLimit":  # fmt: skip
        """Return a limit of so many requests in a minute for each address.

        Args:
            requests: how many, in all workers together.
            database: where they count.
            table: the service's `rate_limits_table`.
            sealer: hashes addresses.
            is_proxy: whether an address is one of our own proxies.
            clock: the time.
            refused: counts what was refused.
        """
        share = max(1, requests // _FREE_SHARE)
        limit = RateLimit(table, sealer, kind="address", limit=requests, window=WINDOW)
        return cls(database, Allowance(limit, free=share, pack=share), is_proxy, clock, refused)

    async def spend(self, who: str, cost: int) -> None:
        """Count a request.

        Raises:
            TooManyRequests: the address has asked too often.
        """
        try:
            await self.allowance.spend(self.database, who, now=self.clock(), cost=cost)
        except TooManyRequests:
            if self.refused is not None:
                self.refused.inc()
            _logger.warning("an address asks too often")
            raise


class LimitAddresses:
    """Pure ASGI middleware that refuses an address with 429 when it has asked too often.

    Install it inside the error renderer.

    Args:
        app: what it guards.
        limit: finds the guard of a request's application; None where there is no limit.
        costs: what a request costs by the beginning of its path, where that is not 1: nothing where callers have keys
            of their own, so that only their failures count.
    """

    def __init__(
        self, app: ASGIApp, *, limit: Callable[[Scope], AddressLimit | None], costs: Mapping[str, int] | None = None
    ) -> None:
        self._app = app
        self._limit = limit
        self._costs = tuple((costs or {}).items())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the request, pass it on, and count it again if it failed."""
        limited = scope["type"] == "http" and not scope["path"].startswith(NEVER_LIMITED)
        limit = self._limit(scope) if limited else None
        if limit is None:
            await self._app(scope, receive, send)
            return
        who, status = address_of(scope, limit.is_proxy), 0
        await limit.spend(who, self._cost(scope["path"]))

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        await self._app(scope, receive, watched)
        if status in FAILURES:
            await _charge(limit, who)

    def _cost(self, path: str) -> int:
        return next((cost for beginning, cost in self._costs if path.startswith(beginning)), 1)


async def _charge(limit: AddressLimit, who: str) -> None:
    """Count a failure. The answer has gone; if this was one too many, the next request hears of it."""
    try:
        await limit.spend(who, FAILURE_COST - 1)
    except TooManyRequests:
        return


def address_of(scope: Scope, is_proxy: Callable[[str], bool]) -> str:
    """Return whom a request is counted for: the last address on its way that is not one of our own proxies."""
    client = scope.get("client")
    address = str(client[0]) if client else ""
    if not is_proxy(address):
        return _subscriber(address)
    named = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for").decode("latin-1")
    on_the_way = [each.strip() for each in named.split(",") if each.strip()]
    return _subscriber(next((each for each in reversed(on_the_way) if not is_proxy(each)), address))


def _subscriber(address: str) -> str:
    parsed: IPv4Address | IPv6Address
    try:
        parsed = ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return str(IPv6Network((parsed, 64), strict=False))
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)
