"""The size of a request body, bounded while it arrives. Pure ASGI, so it costs a few microseconds, on every route."""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class BodyLimit:
    """Refuses a body larger than `max_body_bytes` with 413, whether or not it says its size.

    Install it inside the error renderer, which turns the exception into the protocol's error object.
    """

    def __init__(self, app: ASGIApp, *, max_body_bytes: int) -> None:
        self._app = app
        self._max = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with a `receive` that counts."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        left = self._max

        async def counting() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise HTTPException(413, f"expected a body of at most {self._max} bytes")
            return message

        await self._app(scope, counting, send)
