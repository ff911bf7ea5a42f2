"""Counting what strangers ask, by their network: what stands before our own proxies, or what those say."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request

from byoid.service.address_limits import address_of
from wallet.limits import Limited, Limits


async def spend(request: Request, kind: Limited) -> None:
    """Count one request of a stranger.

    Raises:
        TooManyRequests: this network asks too often.
    """
    limits: Limits = request.app.state.limits
    await limits.spend(kind, address_of(request.scope, limits.is_proxy))


def limited(kind: Limited) -> Callable[[Request], Awaitable[None]]:
    """Return the dependency of a route that strangers may ask."""

    async def count(request: Request) -> None:
        await spend(request, kind)

    return count
