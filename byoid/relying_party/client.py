"""A typed client of the verifier's HTTP API, for services in Python (extra `http`).

async with VerifierClient("https://verifier.example", api_key=key) as verifier:
    started = await verifier.start(StartTransaction(query="residence"))
    view = await verifier.wait(started.id)
    result = await verifier.result(started.id)
"""

from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote

import httpx2

from byoid.encoding import json_dumps
from byoid.errors import ByoidError, MalformedInput, PeerError
from byoid.message import M, Message, parse_message
from byoid.relying_party.messages import (
    DigitalResponse,
    ErrorAnswer,
    QueryDefinition,
    QueryList,
    QueryView,
    ResultView,
    StartedTransaction,
    StartTransaction,
    TransactionView,
)
from byoid.relying_party.transaction import ANSWERABLE

_API: Final = "/api/v1"
_JSON: Final = {"Content-Type": "application/json"}
_ERRORS: Final = 400


class VerifierClient:
    """A service's connection to the verifier. Errors of the verifier are `PeerError` with its code and status."""

    def __init__(self, base_url: str, *, api_key: str, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        headers = {"Authorization": f"Bearer {api_key}"}
        self._http = httpx2.AsyncClient(base_url=base_url.rstrip("/") + _API, headers=headers, transport=transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def define(self, name: str, definition: QueryDefinition) -> QueryView:
        """Define a named query, in place of what had the name."""
        return await self._ask(QueryView, "PUT", f"/queries/{_part(name)}", definition)

    async def query(self, name: str) -> QueryView:
        """Read a named query."""
        return await self._ask(QueryView, "GET", f"/queries/{_part(name)}")

    async def queries(self) -> tuple[QueryView, ...]:
        """List the named queries."""
        return (await self._ask(QueryList, "GET", "/queries")).queries

    async def delete_query(self, name: str) -> None:
        """Delete a named query."""
        await self._send("DELETE", f"/queries/{_part(name)}")

    async def start(self, wish: StartTransaction) -> StartedTransaction:
        """Start a transaction."""
        return await self._ask(StartedTransaction, "POST", "/transactions", wish)

    async def transaction(self, transaction_id: str) -> TransactionView:
        """Look how far a transaction has come."""
        return await self._ask(TransactionView, "GET", _transaction(transaction_id))

    async def result(
        self, transaction_id: str, *, session: str | None = None, response_code: str | None = None
    ) -> ResultView:
        """Read what came of a transaction; with `delete_on_read` this works once."""
        given = {"session": session, "response_code": response_code}
        query = {name: value for name, value in given.items() if value is not None}
        return await self._ask(ResultView, "GET", f"{_transaction(transaction_id)}/result", query=query)

    async def hand_on(self, transaction_id: str, response: DigitalResponse) -> TransactionView:
        """Hand on what the browser gave over the Digital Credentials API."""
        return await self._ask(TransactionView, "POST", f"{_transaction(transaction_id)}/response", response)

    async def delete(self, transaction_id: str) -> None:
        """Delete a transaction with its result."""
        await self._send("DELETE", _transaction(transaction_id))

    async def qr_svg(self, transaction_id: str, *, endpoint: str | None = None) -> str:
        """Return the QR code of a transaction."""
        query = {} if endpoint is None else {"endpoint": endpoint}
        return (await self._send("GET", f"{_transaction(transaction_id)}/qr.svg", query=query)).text

    async def events(self, transaction_id: str) -> AsyncIterator[TransactionView]:
        """Yield the transaction at each change, until it is over or expires."""
        async with self._http.stream("GET", f"{_transaction(transaction_id)}/events", timeout=None) as response:
            if response.status_code >= _ERRORS:
                await response.aread()
                raise _peer_error(response)
            async for line in response.aiter_lines():
                if line.startswith("data: ") and line != "data: {}":
                    yield _parse(TransactionView, line.removeprefix("data: ").encode())

    async def wait(self, transaction_id: str) -> TransactionView:
        """Wait until a transaction is over, and return it as it was seen last."""
        last: TransactionView | None = None
        async for last in self.events(transaction_id):
            if last.state not in ANSWERABLE:
                break
        if last is None:
            raise PeerError("expected at least one event")
        return last

    async def _ask(
        self, answer: type[M], method: str, path: str, body: Message | None = None, *, query: Mapping[str, str] = {}
    ) -> M:
        return _parse(answer, (await self._send(method, path, body, query=query)).content)

    async def _send(
        self, method: str, path: str, body: Message | None = None, *, query: Mapping[str, str] = {}
    ) -> httpx2.Response:
        content: dict[str, Any] = {} if body is None else {"content": json_dumps(body.to_wire()), "headers": _JSON}
        try:
            response = await self._http.request(method, path, params=dict(query), **content)
        except httpx2.HTTPError as error:
            raise PeerError(f"the verifier cannot be reached: {type(error).__name__}") from error
        if response.status_code >= _ERRORS:
            raise _peer_error(response)
        return response


def _peer_error(response: httpx2.Response) -> PeerError:
    try:
        told = parse_message(ErrorAnswer, response.content)
    except ByoidError:
        return PeerError("the verifier answered with an error", status=response.status_code)
    return PeerError(told.error_description or told.error, code=told.error, status=response.status_code)


def _parse(answer: type[M], content: bytes) -> M:
    try:
        return parse_message(answer, content)
    except MalformedInput as error:
        raise PeerError(f"the verifier's answer is not what was expected: {error}") from error


def _transaction(transaction_id: str) -> str:
    return f"/transactions/{_part(transaction_id)}"


def _part(text: str) -> str:
    return quote(text, safe="")
