"""The floor of a presentation over HTTP: the same requests, statements and signatures, written by hand for one service.

Starlette's routes, asyncpg's statements and `cryptography`; one query, one service, one format, no policies, limits,
counters or logs. `http_presentation` drives it as it drives the verifier, so that both stand in one table.
"""

import os
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final
from urllib.parse import parse_qs, quote

import asyncpg
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from pydantic_core import from_json, to_json
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks import floor
from benchmarks.inputs import CLIENT_ID, Inputs
from benchmarks.presentation import QUERY
from byoid.service.garbage import spare_application

URL: Final = "https://verifier.example"
WAITS: Final = timedelta(minutes=5)
TABLE: Final = (
    "CREATE TABLE floor (id text PRIMARY KEY, request_hash bytea UNIQUE, state text, sealed bytea, "
    "expires_at timestamptz)"
)
INSERT: Final = "INSERT INTO floor VALUES ($1, $2, 'pending', $3, $4)"
BY_REQUEST: Final = "SELECT id, sealed FROM floor WHERE request_hash = $1 AND state = 'pending' AND expires_at > $2"
CONCLUDE: Final = "UPDATE floor SET state = 'accepted', sealed = $2 WHERE id = $1 AND state = 'pending' RETURNING id"
BY_ID: Final = "SELECT state, sealed FROM floor WHERE id = $1 AND expires_at > $2"
QUERY_OF: Final = "SELECT id FROM floor_query WHERE service_id = $1 AND name = $2"


class Floor:
    """A verifier without anything that is not asked for here."""

    def __init__(self, inputs: Inputs, url: str, key: str, lists: dict[str, bytes]) -> None:
        self._url = url
        self._authorization = f"Bearer {key}"
        self._signer, self._header = inputs.verifier.native, floor.request_header(inputs)
        self._judge = floor.judge(inputs, QUERY, lists)
        self._cipher = AESGCM(os.urandom(32))
        self._pool: Any = None

    def application(self) -> Starlette:
        """Return the application."""
        routes = [
            Route("/api/v1/transactions", self._start, methods=["POST"]),
            Route("/request/{request_id}", self._fetch),
            Route("/response/{request_id}", self._post, methods=["POST"]),
            Route("/api/v1/transactions/{id}/result", self._result),
            Route("/healthz", self._healthz),
        ]
        return Starlette(routes=routes, lifespan=self._open)

    @asynccontextmanager
    async def _open(self, _: Starlette) -> AsyncIterator[None]:
        spare_application()  # as every service does
        async with asyncpg.create_pool(self._url, min_size=4, max_size=8) as self._pool:
            await self._pool.execute(TABLE)
            await self._pool.execute("CREATE TABLE floor_query (id text, service_id text, name text)")
            await self._pool.execute("INSERT INTO floor_query VALUES ('q', 'shop', 'pid')")
            yield

    async def _healthz(self, _: Request) -> Response:
        return Response(b"ok")

    async def _start(self, request: Request) -> Response:
        assert request.headers["authorization"] == self._authorization
        wish = from_json(await request.body())
        assert await self._pool.fetchval(QUERY_OF, "shop", wish["query"])
        key, jwk = floor.fresh_key()
        pkcs8 = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        asked = [secrets.token_urlsafe(24), secrets.token_urlsafe(16), floor.b64u(pkcs8).decode(), jwk]
        transaction_id, request_id = secrets.token_urlsafe(16), secrets.token_urlsafe(16)
        sealed = self._seal(to_json(asked), transaction_id)
        until = datetime.now(UTC) + WAITS
        await self._pool.execute(INSERT, transaction_id, sha256(request_id.encode()).digest(), sealed, until)
        link = f"openid4vp://?client_id={quote(CLIENT_ID)}&request_uri={quote(URL)}/request/{request_id}"
        return _json({"id": transaction_id, "link": link})

    async def _fetch(self, request: Request) -> Response:
        request_id = request.path_params["request_id"]
        _, (nonce, state, _, jwk) = await self._asked(request_id)
        asked = floor.Asked(nonce, state, CLIENT_ID, f"{URL}/response/{request_id}", int(time.time()))
        jwt = floor.signed_request(asked, self._header, self._signer, jwk, QUERY)
        return Response(jwt, media_type="application/oauth-authz-req+jwt")

    async def _post(self, request: Request) -> Response:
        form = parse_qs((await request.body()).decode(), strict_parsing=True)
        (jwe,) = form["response"]
        transaction_id, (nonce, state, pkcs8, _) = await self._asked(request.path_params["request_id"])
        key = load_der_private_key(floor.unb64u(pkcs8), None)
        asked = floor.Asked(nonce, state, CLIENT_ID, "", int(time.time()))
        claims = self._judge.claims(asked, jwe, key)
        assert await self._pool.fetchval(CONCLUDE, transaction_id, self._seal(to_json(claims), transaction_id))
        return _json({})

    async def _result(self, request: Request) -> Response:
        assert request.headers["authorization"] == self._authorization
        row = await self._pool.fetchrow(BY_ID, request.path_params["id"], datetime.now(UTC))
        claims = from_json(self._open_sealed(row["sealed"], request.path_params["id"]))
        return _json({"state": row["state"], "claims": claims})

    async def _asked(self, request_id: str) -> tuple[str, Any]:
        hashed = sha256(request_id.encode()).digest()
        row = await self._pool.fetchrow(BY_REQUEST, hashed, datetime.now(UTC))
        return row["id"], from_json(self._open_sealed(row["sealed"], row["id"]))

    def _seal(self, plain: bytes, row_id: str) -> bytes:
        nonce = os.urandom(12)
        return nonce + self._cipher.encrypt(nonce, plain, row_id.encode())

    def _open_sealed(self, sealed: bytes, row_id: str) -> bytes:
        return self._cipher.decrypt(sealed[:12], sealed[12:], row_id.encode())


def _json(value: Any) -> Response:
    return Response(to_json(value), media_type="application/json", headers={"Cache-Control": "no-store"})
