"""The HTTP API for services, and the protocol endpoints for wallets: read, call one operation, answer.

Routes run as Starlette's (performance section 8: reading parameters by FastAPI costs more than verifying a signature);
`openapi` describes them from the same records. The most asked come first.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Literal

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from byoid.errors import MalformedInput
from byoid.message import M, Message, parse_message
from byoid.oauth.form import parse_form
from byoid.presentation.response import DirectPostAnswer
from byoid.relying_party.messages import (
    DEFAULT_ENDPOINT,
    DigitalResponse,
    Endpoint,
    QueryDefinition,
    QueryList,
    QueryView,
    ResultView,
    StartedTransaction,
    StartTransaction,
    TransactionView,
)
from byoid.service import qr
from byoid.wire_errors import InvalidRequest
from verifier import policies, requests, responses, results
from verifier.context import WALLETS, Verifier
from verifier.errors import NotFound
from verifier.services import KnownService

API: Final = "/api/v1"
JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"
REQUEST_OBJECT: Final = "application/oauth-authz-req+jwt"
EVENTS: Final = "text/event-stream"
_NO_STORE: Final = {"Cache-Control": "no-store"}
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ENDPOINT: Final = TypeAdapter(Endpoint)


@dataclass(frozen=True)
class Call:
    """A request to an operation: the verifier, and what came. `service` is who asks, on the API."""

    verifier: Verifier
    request: Request
    caller: KnownService | None = None

    @property
    def service(self) -> KnownService:
        """Who asks, which the route has established."""
        if self.caller is None:
            raise TypeError("expected an operation of the API")
        return self.caller

    def name(self, parameter: str) -> str:
        """Return an identifier in the path.

        Raises:
            NotFound: nothing can be called like that.
        """
        found: str = self.request.path_params[parameter]
        if not _NAME.fullmatch(found):
            raise NotFound("There is no such thing.")
        return found

    async def json(self, message: type[M]) -> M:
        """Read a JSON body."""
        _require_content_type(self.request, JSON)
        return parse_message(message, await self.request.body())

    async def form(self) -> dict[str, str]:
        """Read a form."""
        _require_content_type(self.request, FORM)
        parsed = parse_form(await self.request.body(), repeatable=())
        return {name: value for name, value in parsed.items() if isinstance(value, str)}


@dataclass(frozen=True)
class Operation:
    """A route, and what its description says."""

    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    run: Callable[[Call], Awaitable[Response]]
    answer: type[Message] | str | None = None
    body: type[Message] | str | None = None
    status: int = 200
    errors: tuple[int, ...] = ()
    query: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    also: int | None = None  # another status with the same answer

    @property
    def is_api(self) -> bool:
        """Whether an API key is needed."""
        return self.path.startswith(API)

    def route(self) -> Route:
        """Return the route that runs it."""
        return Route(self.path, partial(_serve, self), methods=[self.method])


async def _serve(operation: Operation, request: Request) -> Response:
    verifier: Verifier = request.app.state.verifier
    if not operation.is_api:
        return await operation.run(Call(verifier, request))
    service = await verifier.services.authenticate(request.headers.get("authorization", ""))
    return await operation.run(Call(verifier, request, service))


async def fetch_request(call: Call) -> Response:
    """Give a wallet its request object (OpenID4VP 5.10)."""
    return await _request_object(call, {})


async def post_request(call: Call) -> Response:
    """Give a wallet its request object, for its nonce and to its key (OpenID4VP 5.10)."""
    return await _request_object(call, await call.form())


async def post_response(call: Call) -> Response:
    """Take a wallet's response (OpenID4VP 8.2, 8.3)."""
    return await _response(call, call.name("request_id"))


async def post_response_by_state(call: Call) -> Response:
    """Take a wallet's response to whichever request it says: for a response URI that is registered (OpenID4VP 8.2)."""
    return await _response(call, None)


async def start_transaction(call: Call) -> Response:
    """Start a transaction."""
    return _answer(await requests.start(call.verifier, call.service, await call.json(StartTransaction)), 201)


async def read_result(call: Call) -> Response:
    """Read what came of a transaction: claims and verdicts."""
    given = call.request.query_params
    return _answer(
        await results.result(
            call.verifier, call.service, call.name("transaction_id"), session=given.get("session"),
            response_code=given.get("response_code"),
        )
    )  # fmt: skip


async def read_transaction(call: Call) -> Response:
    """Look how far a transaction has come."""
    return _answer(await results.view(call.verifier, call.service, call.name("transaction_id")))


async def watch_transaction(call: Call) -> Response:
    """Be told each change of a transaction, as server-sent events."""
    first = await results.view(call.verifier, call.service, call.name("transaction_id"))
    return StreamingResponse(results.events(call.verifier, call.service, first), media_type=EVENTS, headers=_NO_STORE)


async def hand_on_response(call: Call) -> Response:
    """Hand on what a browser gave over the Digital Credentials API."""
    answer = await call.json(DigitalResponse)
    await responses.receive_digital(call.verifier, call.service, call.name("transaction_id"), answer)
    return _answer(await results.view(call.verifier, call.service, call.name("transaction_id")))


async def draw_svg(call: Call) -> Response:
    """Draw the QR code of a transaction, as SVG."""
    return Response(qr.svg(await _link(call)), media_type="image/svg+xml", headers=_NO_STORE)


async def draw_png(call: Call) -> Response:
    """Draw the QR code of a transaction, as PNG."""
    return Response(qr.png(await _link(call)), media_type="image/png", headers=_NO_STORE)


async def delete_transaction(call: Call) -> Response:
    """Delete a transaction with its result."""
    await results.delete(call.verifier, call.service, call.name("transaction_id"))
    return Response(status_code=204)


async def list_queries(call: Call) -> Response:
    """List the named queries of the service."""
    rows = await call.verifier.store.queries(call.service.id)
    return _answer(QueryList(queries=tuple(map(policies.view_of, rows))))


async def read_query(call: Call) -> Response:
    """Read a named query."""
    return _answer(await policies.find_query(call.verifier.store, call.service.id, call.name("name")))


async def define_query(call: Call) -> Response:
    """Define a named query, in place of what had the name. Transactions that were begun go on as they were."""
    name = call.name("name")
    if not _is_query_name(name):
        raise MalformedInput("expected a name of lower-case letters, digits, hyphens and underscores")
    definition = await call.json(QueryDefinition)
    shown, is_new = await requests.define(call.verifier, call.service, name, definition)
    return _answer(shown, 201 if is_new else 200)


async def delete_query(call: Call) -> Response:
    """Delete a named query. Transactions that were begun with it go on."""
    await policies.retire_query(call.verifier.store, call.service.id, call.name("name"), now=call.verifier.clock())
    return Response(status_code=204)


async def _response(call: Call, request_id: str | None) -> Response:
    form = await call.form()
    return _answer(await responses.receive(call.verifier, call.name("service_id"), request_id, form))


async def _request_object(call: Call, form: Mapping[str, str]) -> Response:
    jwt = await requests.request_object(call.verifier, call.name("service_id"), call.name("request_id"), form)
    return Response(jwt, media_type=REQUEST_OBJECT, headers=_NO_STORE)


async def _link(call: Call) -> str:
    text = call.request.query_params.get("endpoint", DEFAULT_ENDPOINT)
    try:
        endpoint = _ENDPOINT.validate_python(text)
    except ValidationError as error:
        raise InvalidRequest("expected the authorization endpoint of a wallet") from error
    return await requests.qr_link(call.verifier, call.service, call.name("transaction_id"), endpoint)


def _is_query_name(name: str) -> bool:
    return name == name.lower() and name[0].isalnum()


def _answer(message: Message, status: int = 200) -> Response:
    return Response(message.model_dump_json(by_alias=True, exclude_none=True), status, _NO_STORE, media_type=JSON)


def _require_content_type(request: Request, expected: str) -> None:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != expected:
        raise InvalidRequest(f"expected a body of type {expected}")


_WALLET: Final = f"{WALLETS}/{{service_id}}"
_ONE: Final = f"{API}/transactions/{{transaction_id}}"
_QUERY: Final = f"{API}/queries/{{name}}"
_TEXT: Final = {"type": "string"}
_DRAW: Final = {"endpoint": {**_TEXT, "format": "uri", "default": DEFAULT_ENDPOINT}}
_OWN: Final = {"session": _TEXT, "response_code": _TEXT}

_POSTED: Final = (400, 404, 409, 429)

OPERATIONS: Final = (
    Operation("POST", f"{API}/transactions", start_transaction, StartedTransaction, StartTransaction, 201, (400, 404)),
    Operation("GET", f"{_WALLET}/requests/{{request_id}}", fetch_request, REQUEST_OBJECT, errors=(400, 404, 409)),
    Operation("POST", f"{_WALLET}/responses/{{request_id}}", post_response, DirectPostAnswer, FORM, errors=_POSTED),
    Operation("GET", f"{_ONE}/result", read_result, ResultView, errors=(403, 404), query=_OWN),
    Operation("GET", _ONE, read_transaction, TransactionView, errors=(404,)),
    Operation("GET", f"{_ONE}/events", watch_transaction, EVENTS, errors=(404,)),
    Operation("POST", f"{_WALLET}/requests/{{request_id}}", post_request, REQUEST_OBJECT, FORM, errors=(400, 404, 409)),
    Operation("POST", f"{_WALLET}/responses", post_response_by_state, DirectPostAnswer, FORM, errors=_POSTED),
    Operation("POST", f"{_ONE}/response", hand_on_response, TransactionView, DigitalResponse, errors=(403, *_POSTED)),
    Operation("GET", f"{_ONE}/qr.svg", draw_svg, "image/svg+xml", errors=(400, 404, 409), query=_DRAW),
    Operation("GET", f"{_ONE}/qr.png", draw_png, "image/png", errors=(400, 404, 409), query=_DRAW),
    Operation("DELETE", _ONE, delete_transaction, status=204, errors=(404,)),
    Operation("GET", f"{API}/queries", list_queries, QueryList),
    Operation("GET", _QUERY, read_query, QueryView, errors=(404,)),
    Operation("PUT", _QUERY, define_query, QueryView, QueryDefinition, errors=(400, 403, 404, 409), also=201),
    Operation("DELETE", _QUERY, delete_query, status=204, errors=(404,)),
)  # fmt: skip
