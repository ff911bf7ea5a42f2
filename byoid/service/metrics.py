"""Counters for Prometheus: requests by route, method and status, and how long they took. Routes, never addresses."""

import os
import time
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from byoid.errors import OAuthError

UNMATCHED: Final = "unmatched"
_SERVER_FAULT: Final = 500
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)


def route_template(scope: Scope) -> str:
    """Return the route that answered, such as `/offers/{offer_id}`: what is in its place may be a secret."""
    return str(getattr(scope.get("route") or _starlette_route(scope), "path", UNMATCHED))


def _starlette_route(scope: Scope) -> object:
    """Find a route that is Starlette's own, as those of pages are: of these a scope has the endpoint alone."""
    endpoint = scope.get("endpoint")
    routes = scope["app"].routes if endpoint is not None and "app" in scope else ()
    return next((each for each in routes if getattr(each, "endpoint", None) is endpoint), None)


class Metrics:
    """One application's counters; no registry is shared."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ["method", "route", "status"]
        self.requests = Counter("http_requests", "Requests answered", labels, registry=self.registry)
        self.duration = Histogram(
            "http_request_duration_seconds",
            "Until it began",
            ["route"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._series: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}  # to look a label up is dear

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answer."""
        series = self._series.get((method, route, status))
        if series is None:
            known = method if method in _METHODS else "other"  # else anybody makes new series
            series = self.requests.labels(known, route, status), self.duration.labels(route)
            if known == method:
                self._series[method, route, status] = series
        requests, duration = series
        requests.inc()
        duration.observe(seconds)

    def counter(self, name: str, documentation: str, labels: tuple[str, ...] = ()) -> Counter:
        """Return a counter of the service's own. Labels are few and fixed: never a person, client or credential."""
        return Counter(name, documentation, labels, registry=self.registry)

    async def endpoint(self, request: Request) -> Response:
        """Answer `GET /metrics`; with several processes on one port, for all of them (`PROMETHEUS_MULTIPROC_DIR`)."""
        registry = self.registry
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


class CountRequests:
    """Pure ASGI middleware that counts what is answered."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and count its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begin, status = time.perf_counter(), 0

        async def counting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._count(scope, status, begin)
            await send(message)

        try:
            await self._app(scope, receive, counting)
        except OAuthError as error:  # of a limit: the error renderer answers it
            status = error.status
            self._count(scope, status, begin)
            raise
        finally:
            if not status:  # nobody expected this
                self._count(scope, _SERVER_FAULT, begin)

    def _count(self, scope: Scope, status: int, begin: float) -> None:
        self._metrics.answered(scope["method"], route_template(scope), status, time.perf_counter() - begin)
