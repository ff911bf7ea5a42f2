"""The floor of an issuance over HTTP: the same requests, statements and signatures, written by hand for one credential.

Starlette's routes, asyncpg's statements and `cryptography`, DPoP and key proofs checked; one credential type, no second
format, no clients, limits, counters, journal or logs. `http_issuance` drives it as it drives the issuer.
"""

import asyncio
import base64
import hmac
import os
import secrets
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from statistics import median
from typing import Any, Final
from urllib.parse import parse_qs

import asyncpg
import uvicorn
from pydantic_core import from_json, to_json
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks import floor
from benchmarks.inputs import make_inputs
from benchmarks.yardstick import Yardstick
from byoid.service.garbage import spare_application
from byoid.service.serving import OneWriteProtocol

SCHEMA: Final = """
DROP TABLE IF EXISTS floor_offer, floor_grant, floor_spent, floor_issuance;
CREATE TABLE floor_offer (id text PRIMARY KEY, code text, code_hash bytea UNIQUE, person text, used boolean);
CREATE TABLE floor_grant (token_hash bytea PRIMARY KEY, thumbprint text, person text, expires bigint);
CREATE TABLE floor_spent (id bytea PRIMARY KEY, expires bigint);
CREATE TABLE floor_issuance (id bigserial PRIMARY KEY, person text, status_index int UNIQUE, issued bigint)
"""
OFFER: Final = "INSERT INTO floor_offer VALUES ($1, $2, $3, $4, false)"
FIND: Final = "SELECT code FROM floor_offer WHERE id = $1 AND NOT used"
REDEEM: Final = """
WITH offer AS (UPDATE floor_offer SET used = true WHERE code_hash = $1 AND NOT used RETURNING person),
spent AS (INSERT INTO floor_spent VALUES ($4, $5))
INSERT INTO floor_grant SELECT $2, $3, person, $5 FROM offer RETURNING person
"""
GRANT: Final = "SELECT thumbprint, person FROM floor_grant WHERE token_hash = $1 AND expires > $2"
ISSUE: Final = """
WITH spent AS (INSERT INTO floor_spent SELECT unnest($1::bytea[]), $2)
INSERT INTO floor_issuance (person, status_index, issued) SELECT $3, unnest($4::int[]), $2
"""
LIFETIME: Final = 300
CLOCK: Final = 60


class Floor:
    """An issuer without anything that is not asked for here."""

    def __init__(self, database: str, url: str) -> None:
        self._database, self._url = database, url
        self._issue = floor.sd_jwt_vc_issuer(make_inputs())
        self._secret = os.urandom(32)
        self._places = iter(range(1 << 31))
        self._yardstick = Yardstick()
        self._pool: Any = None

    def application(self) -> Starlette:
        """Return the application."""
        routes = [
            Route("/offer/{id}", self._offer), Route("/token", self._token, methods=["POST"]),
            Route("/nonce", self._nonce, methods=["POST"]), Route("/credential", self._credential, methods=["POST"]),
            Route("/healthz", self._healthz), Route("/bench/cpu", self._cpu),
            Route("/bench/offers", self._offers, methods=["POST"]),
        ]  # fmt: skip
        return Starlette(routes=routes, lifespan=self._open)

    @asynccontextmanager
    async def _open(self, _: Starlette) -> AsyncIterator[None]:
        async with asyncpg.create_pool(self._database, min_size=4, max_size=8) as self._pool:
            await self._pool.execute(SCHEMA)
            yield

    async def _healthz(self, _: Request) -> Response:
        return Response(b"ok")

    async def _cpu(self, _: Request) -> Response:
        before = time.process_time()
        y = median(self._yardstick.seconds() for _ in range(5))
        return _json({"before": before, "y": y, "after": time.process_time()})

    async def _offers(self, request: Request) -> Response:
        made = []
        for _ in range(int(request.query_params["count"])):
            offer_id, code = secrets.token_urlsafe(16), secrets.token_urlsafe(32)
            await self._pool.execute(OFFER, offer_id, code, sha256(code.encode()).digest(), "1000000076")
            made.append(f"{self._url}/offer/{offer_id}")
        return _json(made)

    async def _offer(self, request: Request) -> Response:
        code = await self._pool.fetchval(FIND, request.path_params["id"])
        grants = {"urn:ietf:params:oauth:grant-type:pre-authorized_code": {"pre-authorized_code": code}}
        ids = ["pid_sd_jwt"]
        return _json({"credential_issuer": self._url, "credential_configuration_ids": ids, "grants": grants})

    async def _token(self, request: Request) -> Response:
        form = parse_qs((await request.body()).decode(), strict_parsing=True)
        jwk, jti = self._dpop(request, "/token")
        token, until = secrets.token_urlsafe(32), int(time.time()) + LIFETIME
        code_hash, token_hash = _hash(form["pre-authorized_code"][0]), _hash(token)
        assert await self._pool.fetchval(REDEEM, code_hash, token_hash, _thumbprint(jwk), jti, until)
        return _json({"access_token": token, "token_type": "DPoP", "expires_in": LIFETIME})

    async def _nonce(self, _: Request) -> Response:
        known = to_json([int(time.time()), secrets.token_hex(8)])
        mac = hmac.digest(self._secret, known, "sha256")
        return _json({"c_nonce": floor.b64u(mac + known).decode()})

    async def _credential(self, request: Request) -> Response:
        token = request.headers["authorization"].removeprefix("DPoP ")
        jwk, jti = self._dpop(request, "/credential", token)
        now = int(time.time())
        grant = await self._pool.fetchrow(GRANT, _hash(token), now)
        assert grant["thumbprint"] == _thumbprint(jwk)
        proofs = from_json(await request.body())["proofs"]["jwt"]
        keys, nonces = zip(*(self._proof(each) for each in proofs), strict=True)
        places = [next(self._places) for _ in keys]
        made = [self._issue(key, place).decode() for key, place in zip(keys, places, strict=True)]
        await self._pool.execute(ISSUE, [jti, _hash(nonces[0])], now + LIFETIME, grant["person"], places)
        return _json({"credentials": [{"credential": each} for each in made], "notification_id": secrets.token_hex(8)})

    def _dpop(self, request: Request, path: str, token: str | None = None) -> tuple[dict[str, str], bytes]:
        jwk, claims = floor.verify_proof(request.headers["dpop"], "dpop+jwt")
        assert (claims["htm"], claims["htu"]) == ("POST", self._url + path)
        assert abs(time.time() - claims["iat"]) < CLOCK
        assert token is None or claims["ath"] == floor.b64u(_hash(token)).decode()
        return jwk, _hash(claims["jti"])

    def _proof(self, proof: str) -> tuple[dict[str, str], str]:
        jwk, claims = floor.verify_proof(proof, "openid4vci-proof+jwt")
        assert claims["aud"] == self._url and abs(time.time() - claims["iat"]) < CLOCK
        known = floor.unb64u(claims["nonce"])
        assert hmac.compare_digest(known[:32], hmac.digest(self._secret, known[32:], "sha256"))
        assert time.time() - from_json(known[32:])[0] < LIFETIME
        return jwk, claims["nonce"]


def _thumbprint(jwk: dict[str, str]) -> str:
    required = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
    return base64.urlsafe_b64encode(sha256(to_json(required)).digest()).decode()


def _hash(text: str) -> bytes:
    return sha256(text.encode()).digest()


def _json(value: Any) -> Response:
    return Response(to_json(value), media_type="application/json", headers={"Cache-Control": "no-store"})


if __name__ == "__main__":
    address, port = sys.argv[1], int(sys.argv[2])
    application = Floor(address, f"http://127.0.0.1:{port}").application()
    spare_application()  # as every service does
    options: dict[str, Any] = {"access_log": False, "log_level": "warning", "http": OneWriteProtocol}
    asyncio.run(uvicorn.Server(uvicorn.Config(application, port=port, **options)).serve())
