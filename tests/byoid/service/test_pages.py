"""Pages: escaping, languages, policies, cookies, and forms from elsewhere."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket

from byoid.service.pages import (
    Pages,
    SecurityHeaders,
    content_security_policy,
    language_of,
    origin_of,
    require_same_origin,
    set_cookie,
)
from byoid.wire_errors import InvalidRequest

COOKIE = "__Host-byoid-test"
ORIGIN = "https://service.example"
TEMPLATE = """<p lang="{{ language }}">{{ _("Yes") }} {{ name }} {{ since|date }} {{ land|country }} {{ at }}</p>
<form><input name="csrf" value="{{ csrf }}"></form><a href="{{ request_path }}">{{ qr_svg("https://a.example") }}</a>"""


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    (tmp_path / "templates").mkdir()
    (tmp_path / "locales").mkdir()
    (tmp_path / "templates" / "page.html").write_text(TEMPLATE, "utf-8")
    (tmp_path / "locales" / "de.po").write_text('msgid "Yes"\nmsgstr "Ja"\n', "utf-8")
    return Pages(tmp_path, cookie=COOKIE, secret=b"s" * 32, globals_={"at": "everywhere"})


def request(headers: dict[str, str] | None = None, cookies: dict[str, str] | None = None, query: str = "") -> Request:
    lines = dict(headers or {})
    if cookies:
        lines["cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
    scope: dict[str, Any] = {
        "type": "http", "method": "GET", "path": "/page", "query_string": query.encode(), "scheme": "https",
        "server": ("service.example", 443), "headers": [(n.encode(), v.encode()) for n, v in lines.items()],
    }  # fmt: skip
    return Request(scope)


def render(pages: Pages, asked: Request, **view: Any) -> Response:
    from datetime import date

    return pages.render(asked, "page.html", name=view.pop("name", "Erika"), since=date(2026, 6, 1), land="DE", **view)


def token(pages: Pages, cookie: str) -> str:
    html = bytes(render(pages, request(cookies={COOKIE: cookie})).body).decode()
    return html.partition('name="csrf" value="')[2].partition('"')[0]


def test_a_page_is_in_the_language_of_the_request(pages: Pages) -> None:
    html = bytes(render(pages, request({"accept-language": "de"}, query="a=1")).body).decode()

    assert '<p lang="de">Ja Erika 1. Juni 2026 Deutschland everywhere</p>' in html
    assert 'href="/page?a=1"' in html
    assert "<svg" in html


def test_what_a_view_says_is_escaped(pages: Pages) -> None:
    assert b"<script>" not in bytes(render(pages, request(), name="<script>alert(1)</script>").body)


def test_a_page_forbids_inline_scripts_framing_and_storing(pages: Pages) -> None:
    headers = render(pages, request(), form_targets=["https://wallet.example"]).headers

    assert "script-src 'self';" in headers["content-security-policy"]
    assert "form-action 'self' https://wallet.example;" in headers["content-security-policy"]
    assert "unsafe-inline" not in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"


def test_only_the_scanner_may_run_web_assembly() -> None:
    assert "wasm" not in content_security_policy()
    assert "script-src 'self' 'wasm-unsafe-eval';" in content_security_policy(wasm=True)


def test_a_new_browser_gets_a_session_cookie_that_scripts_cannot_read(pages: Pages) -> None:
    cookie = render(pages, request()).headers["set-cookie"]

    assert cookie.startswith(f"{COOKIE}=")
    assert {"HttpOnly", "Secure", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))
    assert "set-cookie" not in render(pages, request(cookies={COOKIE: "here"})).headers


def test_a_cookie_may_end_by_itself() -> None:
    response = Response()
    set_cookie(response, COOKIE, "value", max_age=60)  # type: ignore[arg-type]  # any response has cookies

    assert "Max-Age=60" in response.headers["set-cookie"]


def test_a_form_of_our_own_is_accepted(pages: Pages) -> None:
    ours = {"origin": ORIGIN, "sec-fetch-site": "same-origin"}

    pages.require_own_form(request(ours, {COOKIE: "abc"}), token(pages, "abc"), origin=ORIGIN)


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("headers", "cookies", "of"),
    [
        pytest.param({"origin": "https://evil.example"}, {COOKIE: "abc"}, "abc", id="from another origin"),
        pytest.param({"sec-fetch-site": "cross-site"}, {COOKIE: "abc"}, "abc", id="from another site"),
        pytest.param({"sec-fetch-site": "same-site"}, {COOKIE: "abc"}, "abc", id="from a sibling"),
        pytest.param({}, {COOKIE: "abc"}, "another", id="with the token of another browser"),
        pytest.param({}, {COOKIE: "abc"}, None, id="without a token"),
        pytest.param({}, {}, "abc", id="without a session"),
    ],
)
def test_a_form_of_others_is_refused(
    pages: Pages, headers: dict[str, str], cookies: dict[str, str], of: str | None
) -> None:
    with pytest.raises(InvalidRequest):
        pages.require_own_form(request(headers, cookies), of and token(pages, of), origin=ORIGIN)


@pytest.mark.hostile
def test_a_token_beyond_ascii_is_refused_like_any_other(pages: Pages) -> None:
    with pytest.raises(InvalidRequest):
        pages.require_own_form(request({}, {COOKIE: "abc"}), "ä", origin=ORIGIN)


def test_a_request_that_a_person_typed_in_is_not_from_another_site() -> None:
    require_same_origin(request({"sec-fetch-site": "none"}), origin=ORIGIN)


def test_the_citizens_choice_of_language_is_kept_in_a_cookie() -> None:
    assert language_of(request({"accept-language": "de"}, {"byoid-language": "es"})) == "es"


@pytest.mark.parametrize(
    ("url", "origin"),
    [("https://wallet.example:8003/authorize?x=1", "https://wallet.example:8003"), ("haip-vp://?a=b", "haip-vp:")],
)
def test_the_origin_of_a_link_is_a_policy_source(url: str, origin: str) -> None:
    assert origin_of(url) == origin


def application(https: bool) -> SecurityHeaders:
    async def plain(_: Request) -> Response:
        return PlainTextResponse("ok")

    async def api(_: Request) -> Response:
        return JSONResponse({})

    async def own(_: Request) -> Response:
        return PlainTextResponse("ok", headers={"Content-Security-Policy": "default-src 'self'"})

    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("ok")
        await websocket.close()

    routes = [Route("/plain", plain), Route("/api", api), Route("/own", own), WebSocketRoute("/socket", socket)]
    return SecurityHeaders(Starlette(routes=routes), https=https)


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(application(https=True)) as found:
        yield found


def test_every_answer_has_the_security_headers(client: TestClient) -> None:
    headers = client.get("/plain").headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["strict-transport-security"].startswith("max-age=63072000")


def test_what_only_documents_need_is_left_out_of_the_answers_of_apis(client: TestClient) -> None:
    assert client.get("/plain").headers["x-frame-options"] == "DENY"
    api = client.get("/api").headers

    assert {"x-frame-options", "permissions-policy", "referrer-policy"}.isdisjoint(api)
    assert api["x-content-type-options"] == "nosniff"
    assert api["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"


def test_a_pages_own_policy_is_kept(client: TestClient) -> None:
    assert client.get("/own").headers["content-security-policy"] == "default-src 'self'"


def test_what_is_no_http_request_passes(client: TestClient) -> None:
    with client.websocket_connect("/socket") as socket:
        assert socket.receive_text() == "ok"


def test_transport_security_is_only_promised_over_https() -> None:
    assert "strict-transport-security" not in TestClient(application(https=False)).get("/plain").headers
