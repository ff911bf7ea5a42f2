"""The verifier's pages without a browser: texts, templates of queries, who gets them, and who does not."""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
import jinja2
import pytest
from httpx2 import ASGITransport

from byoid.jose import parse_jws
from byoid.message import parse_message
from byoid.presentation.dcql import MSO_MDOC, SD_JWT_VC
from byoid.relying_party.messages import QueryDefinition
from byoid.service.i18n import LANGUAGES, load_catalogues
from byoid.service.pages import ASSETS
from byoid.service.settings import SettingsError
from byoid.service.trust_files import load_trust
from tests.verifier.conftest import URL, Run, Running
from tests.verifier.world import LIST, Wallet, World
from verifier.app import create_app
from verifier.policies import compile_policy
from verifier.settings import VerifierSettings
from verifier.web.json_text import WIDTH, pretty
from verifier.web.login import TEXTS as LOGIN_TEXTS
from verifier.web.pages import WEB
from verifier.web.query_templates import FORMATS, TEMPLATES, Template


@pytest.fixture
def demo(settings: VerifierSettings) -> VerifierSettings:
    """Settings with a playground, which asks as the service `shop`."""
    return settings.model_copy(update={"playground_service": "shop"})


def texts_of(folder: Path) -> set[str]:
    environment = jinja2.Environment(extensions=["jinja2.ext.i18n"], autoescape=True)
    return {
        text
        for path in folder.glob("*.html")
        for _, _, text in environment.extract_translations(path.read_text("utf-8"))
        if isinstance(text, str)
    }


@pytest.mark.parametrize("language", [each for each in LANGUAGES if each != "en"])
def test_every_text_has_a_translation(language: str) -> None:
    catalogue = load_catalogues([ASSETS / "locales", WEB / "locales"])[language]
    texts = texts_of(WEB / "templates") | {each.title for each in TEMPLATES.values()} | set(LOGIN_TEXTS.values())

    assert {text for text in texts if not catalogue.texts.get(text)} == set()


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
@pytest.mark.parametrize("formats", [FORMATS, (SD_JWT_VC,), (MSO_MDOC,)], ids=["both", "sd-jwt", "mdoc"])
def test_every_template_is_a_query_that_can_be_asked(
    template: Template, formats: tuple[str, ...], world: World
) -> None:
    wire = {**template.definition(formats), "trust": {"*": {"lists": [LIST]}}}

    policy = compile_policy(parse_message(QueryDefinition, wire), anchors=load_trust(world.folder / "trust.toml"))

    assert policy.query.credentials
    assert bool(policy.same_person) == (template.id == "person_and_residence")


def test_production_refuses_the_playground(settings: VerifierSettings) -> None:
    given = {**settings.model_dump(), "profile": "production", "sealing_keys": settings.sealing_keys}

    with pytest.raises(SettingsError, match="VERIFIER_PLAYGROUND_SERVICE: production refuses the playground"):
        VerifierSettings.load(**{**given, "playground_service": "shop"})


async def test_there_is_no_playground_unless_it_is_set(run: Run, settings: VerifierSettings) -> None:
    async with run(settings) as running:
        assert (await running.client.get("/playground")).status_code == 404
        assert (await running.client.get("/static/byoid-verify.js")).status_code == 200


async def test_another_site_cannot_use_the_playground(run: Run, demo: VerifierSettings) -> None:
    async with run(demo) as running:
        page = await running.client.get("/playground")
        elsewhere = {"Origin": "https://evil.test", "Sec-Fetch-Site": "cross-site"}
        form = await running.client.post("/playground", data={"definition": "{}"}, headers=elsewhere)
        start = await running.client.post("/playground/queries/pid/attempts", json={}, headers=elsewhere)
        without_session = httpx2.AsyncClient(transport=ASGITransport(running.app), base_url=URL)
        looked = await without_session.get("/playground/queries/pid/attempts/a.b.c")
        queries = await running.api.get("/api/v1/queries")

    assert page.status_code == 200
    assert {form.status_code, start.status_code, looked.status_code} == {400}
    assert queries.json() == {"queries": []}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/playground/queries/none", 404),
        ("/playground/queries/none/attempts/a.b", 404),
        ("/playground/queries/none/attempts/a.b.c.d/qr.svg", 404),
        ("/playground/queries/none/attempts/a.b.c.d/request", 404),
        ("/playground/queries/none/attempts/a.b.c.d/result", 404),
        ("/playground/queries/none/attempts/return?response_code=x", 400),
        ("/language/xx", 404),
        ("/language/de?back=//evil.test", 303),
    ],
)
async def test_what_is_not_there_is_not_an_error_of_ours(
    run: Run, demo: VerifierSettings, path: str, status: int
) -> None:
    async with run(demo) as running:
        await running.client.get("/playground")
        found = await running.client.get(path)

    assert found.status_code == status
    assert found.headers.get("location", "/").startswith("/")
    assert not found.headers.get("location", "/").startswith("//")


ONE: list[tuple[str, str]] = [
    ("GET", ""), ("GET", "/qr.svg"), ("GET", "/request"), ("GET", "/result"), ("POST", "/digital"),
    ("POST", "/digital/response"), ("DELETE", ""),
]  # fmt: skip


async def begin(running: Running) -> tuple[str, dict[str, Any]]:
    """Open the page of a template's query, and press the button."""
    page = await running.client.get("/playground?template=residence")
    csrf = re.search(r'name="csrf" value="(\w+)"', page.text)
    definition = json.dumps(TEMPLATES["residence"].definition([SD_JWT_VC]))
    assert csrf is not None
    form = {"csrf": csrf[1], "definition": definition}
    made = await running.client.post("/playground", data=form)
    again = await running.client.post("/playground", data=form)
    assert made.status_code == again.status_code == 303, made.text
    prefix = f"{made.headers['location']}/attempts"
    started = await running.client.post(prefix, json={})
    assert started.status_code == 200, started.text
    return prefix, started.json()


async def test_the_playground_lets_wallets_post_for_the_request(run: Run, demo: VerifierSettings, world: World) -> None:
    """OpenID4VP 5.10: with a nonce of its own a wallet knows that the request was made for it."""
    async with run(demo) as running:
        _, started = await begin(running)
        links = [started["same_device"]["link"], started["cross_device"]["link"]]
        asked = [dict(parse_qsl(urlsplit(link).query)) for link in links]
        answer = await running.client.post(asked[0]["request_uri"], data={"wallet_nonce": "of-this-wallet"})

    assert [each["request_uri_method"] for each in asked] == ["post", "post"]
    assert parse_jws(answer.text).claims()["wallet_nonce"] == "of-this-wallet"


async def test_the_playground_tells_of_an_answer_that_proved_nothing(
    run: Run, demo: VerifierSettings, world: World
) -> None:
    """It may still be answered (anybody can post junk), but whoever tries a query hears of it, and why."""
    async with run(demo) as running:
        prefix, started = await begin(running)
        link = started["same_device"]["link"]
        asked = dict(parse_qsl(urlsplit(link).query))
        request = parse_jws((await running.client.get(asked["request_uri"])).text).claims()
        junk = await running.client.post(request["response_uri"], data={"response": "a.b.c.d.e"})
        state = (await running.client.get(f"{prefix}/{started['id']}")).json()
        page = await running.client.get(state["continue"])
        answer = await Wallet(world, running.client).complete(link)
        verdict = await running.client.get(answer.json()["redirect_uri"])

    assert junk.status_code == 400
    assert state == {"state": "refused", "continue": f"{prefix}/{started['id']}/result"}
    assert (page.status_code, "Refused" in page.text, "MalformedInput" in page.text) == (200, True, True)
    assert "Accepted" in verdict.text


async def test_the_playground_shows_claims_to_the_session_that_asked(
    run: Run, demo: VerifierSettings, world: World
) -> None:
    async with run(demo) as running:
        prefix, started = await begin(running)
        await Wallet(world, running.client).complete(started["same_device"]["link"])
        state = (await running.client.get(f"{prefix}/{started['id']}")).json()
        without_code = await running.client.get(f"{prefix}/{started['id']}/result")

        prefix, started = await begin(running)
        answer = await Wallet(world, running.client).complete(started["same_device"]["link"])
        verdict = await running.client.get(answer.json()["redirect_uri"])

    assert state == {"state": "answered"}
    assert (without_code.status_code, "Lindenmoor" in without_code.text) == (403, False)
    assert verdict.status_code == 200
    assert "Accepted" in verdict.text


@pytest.mark.hostile
@pytest.mark.parametrize(("method", "path"), ONE, ids=[f"{method} {path}" for method, path in ONE])
async def test_an_attempt_counts_only_in_the_session_that_started_it(
    run: Run, demo: VerifierSettings, method: str, path: str
) -> None:
    async with run(demo) as running:
        prefix, started = await begin(running)
        async with httpx2.AsyncClient(transport=ASGITransport(running.app), base_url=URL) as other:
            await other.get("/playground")
            found = await other.request(method, f"{prefix}/{started['id']}{path}")
        own = await running.client.get(f"{prefix}/{started['id']}")

    assert found.status_code == 404
    assert own.json() == {"state": "pending"}


async def test_a_person_is_told_of_an_error_on_a_page_and_a_program_in_json(run: Run, demo: VerifierSettings) -> None:
    german = {"Accept": "text/html,*/*", "Accept-Language": "de"}
    async with run(demo) as running:
        page = await running.client.get("/playground/queries/q/attempts/return?response_code=x", headers=german)
        program = await running.client.get("/playground/queries/q/attempts/return?response_code=x")

    assert page.status_code == program.status_code == 400
    assert "Beginnen Sie dort von Neuem" in page.text
    assert program.json()["error"] == "invalid_request"


def test_the_application_has_no_route_of_the_playground_in_production(settings: VerifierSettings) -> None:
    app = create_app(settings)

    assert [route for route in app.router.routes if "playground" in getattr(route, "path", "")] == []


@pytest.mark.parametrize(
    "value", [{}, [], "Ł" * 200, {"a": [1, True, None], "b": {"c": "x" * 99}}, [["y" * 60, "z" * 60]]]
)
def test_json_for_people_says_the_same(value: object) -> None:
    text = pretty(value)

    assert json.loads(text) == value
    assert max(map(len, text.splitlines())) <= WIDTH + 210
