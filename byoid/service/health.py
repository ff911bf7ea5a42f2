"""`/healthz`: the process runs. `/readyz`: it can do its work, so it may get requests."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from sqlalchemy import literal, select

from byoid.service.database import Database

_logger = logging.getLogger(__name__)
_SELECT_ONE: Final = select(literal(1))
Check: TypeAlias = Callable[[], Awaitable[None]]


def router(database: Callable[[], Database], checks: Mapping[str, Check] | None = None) -> APIRouter:
    """Return both endpoints. `checks` raise where something else is missing, such as a key in an HSM."""
    routes = APIRouter(include_in_schema=False)

    async def reach_database() -> None:
        await database().fetch(_SELECT_ONE)

    needed = {"database": reach_database, **(checks or {})}

    @routes.get("/healthz")
    async def healthz() -> JSONResponse:
        return JSONResponse({"status": "ok"})

    @routes.get("/readyz")
    async def readyz() -> JSONResponse:
        found = {name: await _passes(name, check) for name, check in needed.items()}
        ready = all(found.values())
        return JSONResponse({"status": "ok" if ready else "unavailable", "checks": found}, 200 if ready else 503)

    return routes


async def _passes(name: str, check: Check) -> bool:
    try:
        await check()
    except Exception:
        _logger.exception("not ready: %s", name)
        return False
    return True
