"""What every application has for those who run it: health, counters, and the limit of each address.

Install it before the error renderer, inside which the limit belongs.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

from fastapi import FastAPI
from sqlalchemy import Table
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from byoid.service import health
from byoid.service.address_limits import AddressLimit, LimitAddresses
from byoid.service.database import Database
from byoid.service.metrics import CountRequests, Metrics
from byoid.service.seal import Sealer
from byoid.service.settings import ServiceSettings


def install(
    app: FastAPI,
    settings: ServiceSettings,
    *,
    database: Callable[[], Database],
    rate_limits: Table,
    clock: Callable[[], datetime],
    costs: Mapping[str, int] | None = None,
    checks: Mapping[str, health.Check] | None = None,
) -> Metrics:
    """Add `/healthz`, `/readyz`, `/metrics` and the limit of addresses; return the counters.

    Args:
        app: the application.
        settings: its settings.
        database: finds its database, once it has started.
        rate_limits: the service's `rate_limits_table`.
        clock: the time.
        costs: see `LimitAddresses`.
        checks: see `health.router`.
    """
    metrics = Metrics()
    app.include_router(health.router(database, checks))

    @app.get("/metrics", include_in_schema=False)
    async def counters(request: Request) -> Response:
        if not settings.may_read_metrics(request.client.host if request.client else ""):
            raise HTTPException(404)
        return await metrics.endpoint(request)

    guard = _guard(app, settings, metrics, database=database, rate_limits=rate_limits, clock=clock)
    if guard is not None:
        app.add_middleware(LimitAddresses, limit=guard, costs=costs)
    app.add_middleware(CountRequests, metrics=metrics)
    return metrics


def _guard(
    app: FastAPI, settings: ServiceSettings, metrics: Metrics, *,
    database: Callable[[], Database], rate_limits: Table, clock: Callable[[], datetime],
) -> Callable[[Scope], AddressLimit] | None:  # fmt: skip
    if not settings.address_limit:
        return None
    refused = metrics.counter("requests_refused_by_limit", "Requests of addresses that asked too often")
    made: list[AddressLimit] = []

    def guard(_: Scope) -> AddressLimit:
        if not made:  # the database is there only once the application has started
            made.append(
                AddressLimit.per_minute(
                    settings.address_limit, database=database(), table=rate_limits, is_proxy=settings.is_proxy,
                    sealer=Sealer.from_settings(settings), clock=clock, refused=refused,
                )
            )  # fmt: skip
        return made[0]

    return guard
