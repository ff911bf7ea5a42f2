"""Routes that are asked far more often than all others, answered without the framework's own way to them.

That way costs more than verifying a signature (FastAPI's router, exit stack and exception layers, for each request).
The routes stay in the application's table too, which answers what is wrong with a request's method and describes them.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from byoid.service import errors

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]


class HotRoutes:
    """Pure ASGI middleware that answers some routes itself.

    Install it before any other, since it stands innermost, in an application that has the error renderer. Paths may
    only have text in their parameters.
    """

    def __init__(self, app: ASGIApp, *, routes: Iterable[Route]) -> None:
        self._app = app
        self._routes = [(route, route.methods or set(), route.path_regex.match) for route in routes]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass the request on."""
        if scope["type"] == "http":
            path, method = scope["path"], scope["method"]
            for route, methods, match in self._routes:
                if method in methods and (found := match(path)):
                    scope["route"], scope["path_params"] = route, found.groupdict()
                    response = await _answer(route.endpoint, Request(scope, receive))
                    await response(scope, receive, send)
                    return
        await self._app(scope, receive, send)


async def _answer(endpoint: Endpoint, request: Request) -> Response:
    try:
        return await endpoint(request)
    except errors.EXPECTED as error:
        return errors.render(request, error)
