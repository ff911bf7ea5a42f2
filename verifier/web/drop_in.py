"""What the drop-in asks of a running attempt, whoever's page it is on: its state, its QR code, its digital request.

The contract is at the head of `byoid-verify.js`. Who may ask is for the page: it finds the attempt, or refuses.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from verifier.ways import Ways

NO_STORE: Final = {"Cache-Control": "no-store"}


@dataclass(frozen=True)
class Attempt:
    """An attempt of the browser session that asks, and the address of its end."""

    ways: Ways
    session: str
    ended: str


Find: TypeAlias = Callable[[Request], Awaitable[Attempt]]
_Handler: TypeAlias = Callable[[Attempt, Request], Awaitable[Response]]


def drop_in_routes(one: str, find: Find) -> list[Route]:
    """Return the endpoints of an attempt at `one`; `find` refuses whoever may not ask."""

    def over(handler: _Handler) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            return await handler(await find(request), request)

        return handle

    return [
        Route(one, over(_look), methods=["GET"]),
        Route(one, over(_forget), methods=["DELETE"]),
        Route(f"{one}/events", over(_tell), methods=["GET"]),
        Route(f"{one}/qr.svg", over(_draw), methods=["GET"]),
        Route(f"{one}/digital", over(_digital), methods=["POST"]),
        Route(f"{one}/digital/response", over(_digital_response), methods=["POST"]),
    ]


def as_json(value: Mapping[str, Any]) -> Response:
    """Answer with JSON that nobody keeps."""
    return JSONResponse(dict(value), headers=NO_STORE)


async def _look(attempt: Attempt, _: Request) -> Response:
    return as_json(await attempt.ways.state(attempt.ended))


async def _tell(attempt: Attempt, _: Request) -> Response:
    return StreamingResponse(attempt.ways.states(attempt.ended), media_type="text/event-stream", headers=NO_STORE)


async def _draw(attempt: Attempt, _: Request) -> Response:
    return Response(await attempt.ways.qr_svg(), media_type="image/svg+xml", headers=NO_STORE)


async def _digital(attempt: Attempt, _: Request) -> Response:
    return as_json({"requests": [await attempt.ways.digital_request()]})


async def _digital_response(attempt: Attempt, request: Request) -> Response:
    await attempt.ways.take_digital(await request.body(), session=attempt.session)
    return Response(status_code=204)


async def _forget(attempt: Attempt, _: Request) -> Response:
    await attempt.ways.forget()
    return Response(status_code=204)
