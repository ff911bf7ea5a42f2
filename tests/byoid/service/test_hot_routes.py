"""Hot routes: answered without the framework, with everything else as it was."""

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from byoid.errors import MalformedInput
from byoid.service import errors
from byoid.service.hot_routes import HotRoutes
from byoid.service.metrics import CountRequests, Metrics
from byoid.wire_errors import InvalidRequest


async def show(request: Request) -> Response:
    return JSONResponse({"name": request.path_params["name"], "app": request.app is not None})


async def take(request: Request) -> Response:
    return JSONResponse({"bytes": len(await request.body())})


async def fail(request: Request) -> Response:
    raise FAILURES[request.path_params["name"]]


FAILURES = {
    "malformed": MalformedInput("expected something else"),
    "refused": InvalidRequest("No."),
    "unexpected": RuntimeError("inside"),
}
METRICS = Metrics()


@pytest.fixture
def client() -> Iterator[TestClient]:
    routes = [Route("/things/{name}", show), Route("/things", take, methods=["POST"]), Route("/fail/{name}", fail)]
    app = FastAPI(routes=routes)
    app.add_middleware(HotRoutes, routes=routes)
    errors.install(app)
    app.add_middleware(CountRequests, metrics=METRICS)

    @app.get("/other")
    async def other() -> str:
        return "other"

    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def test_a_hot_route_is_answered(client: TestClient) -> None:
    assert client.get("/things/a").json() == {"name": "a", "app": True}
    assert client.post("/things", content=b"12345").json() == {"bytes": 5}


def test_all_other_routes_are_the_applications(client: TestClient) -> None:
    assert client.get("/other").json() == "other"
    assert client.get("/things/a/b").status_code == 404


@pytest.mark.parametrize(("method", "path"), [("DELETE", "/things/a"), ("GET", "/things")])
def test_another_method_is_refused(client: TestClient, method: str, path: str) -> None:
    assert client.request(method, path).status_code == 405


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("malformed", 400, "invalid_request"),
        ("refused", 400, "invalid_request"),
        ("unexpected", 500, "server_error"),
    ],
)
def test_errors_are_rendered_as_everywhere(client: TestClient, name: str, status: int, code: str) -> None:
    answer = client.get(f"/fail/{name}")

    assert (answer.status_code, answer.json()["error"]) == (status, code)
    assert "inside" not in answer.text


def test_answers_are_counted_by_route(client: TestClient) -> None:
    client.get("/things/secret")
    series = [sample.labels["route"] for metric in METRICS.registry.collect() for sample in metric.samples]

    assert "/things/{name}" in series
    assert not any("secret" in route for route in series)
