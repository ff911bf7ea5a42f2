"""The application as a whole, in this process: policies of its pages, refusals, description, commands, migrations."""

import asyncio
import re
import resource
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI

from byoid.encoding import b64u_encode
from byoid.service.migrations import Migrations
from demo.pki import make_pki
from wallet import accounts
from wallet.__main__ import examine_storage
from wallet.app import create_app, from_environment
from wallet.authenticator import SoftwareAuthenticator
from wallet.background import MIGRATIONS, VAULT_MIGRATIONS
from wallet.content_tables import Kind
from wallet.contents import ITEM
from wallet.keks import open_kek
from wallet.limits import RATES, Limited
from wallet.removal import Keepers, finish_removals
from wallet.settings import WalletSettings
from wallet.subscriptions import Address
from wallet.vault import gate
from wallet.vault.contract import PagePost
from wallet.vault.kek import FileKek
from wallet.vault.keys import PersonId
from wallet.web.passkey_routes import COOKIE

URL = "https://wallet.test"
PUBLIC = ("/welcome", "/start", "/recover", "/goodbye", "/offline")
PRIVATE = ("/", "/add", "/scan", "/history", "/settings", "/settings/passkeys", "/settings/journal", "/recovery-code",
           "/settings/privacy", "/settings/device", "/settings/move", "/settings/deletion")  # fmt: skip


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "pki"
    make_pki(folder, host="wallet.test", now=datetime.now(UTC))
    return folder


@pytest.fixture
def settings(pki: Path, tmp_path: Path) -> WalletSettings:
    return WalletSettings.load(
        profile="demo", public_url=URL, database_url=f"sqlite:///{tmp_path}/wallet.db", keys=pki,
        sealing_keys=f"demo:{b64u_encode(b'w' * 32)}", trust=pki / "trust.toml", kek=f"file:{tmp_path}/kek",
    )  # fmt: skip


@pytest.fixture
async def app(settings: WalletSettings) -> AsyncIterator[FastAPI]:
    found = create_app(settings)
    async with found.router.lifespan_context(found):
        yield found


@pytest.fixture
async def browser(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url=URL, headers={"Accept": "text/html"}) as client:
        yield client


@pytest.fixture
async def ada(browser: httpx2.AsyncClient) -> httpx2.AsyncClient:
    """A browser whose citizen is signed in."""
    authenticator = SoftwareAuthenticator(URL)
    ceremony = (await browser.post("/passkeys/register/options", json={"account_name": "Ada Lovelace"})).json()
    answer = await browser.post("/passkeys/register", json={**authenticator.create(ceremony), "name": "Ada's phone"})
    assert answer.status_code == 200
    return browser


@pytest.mark.parametrize("path", PUBLIC)
async def test_public_pages_forbid_inline_scripts_and_frames(browser: httpx2.AsyncClient, path: str) -> None:
    page = await browser.get(path)

    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert page.headers["cache-control"] == "no-store"


@pytest.mark.hostile
async def test_no_cache_keeps_what_the_api_says_about_a_citizen(app: FastAPI, ada: httpx2.AsyncClient) -> None:
    """Whoever finds the browser afterwards, or sits on the way, finds nothing."""
    paths = [path for path, methods in app.openapi()["paths"].items() if "get" in methods and "{" not in path]
    personal = [path for path in paths if path not in {"/healthz", "/readyz"}]
    answers = {path: await ada.get(path) for path in personal}
    begun = await ada.post("/account/approvals/options", json={"action": "new-recovery-code"})

    assert len(answers) > 8
    assert {path: answer.headers["cache-control"] for path, answer in answers.items()} == dict.fromkeys(
        personal, "no-store"
    )
    assert (begun.status_code, begun.headers["cache-control"]) == (200, "no-store")


@pytest.mark.parametrize("path", PRIVATE)
async def test_private_pages_are_for_who_is_signed_in(
    browser: httpx2.AsyncClient, ada: httpx2.AsyncClient, path: str
) -> None:
    assert (await ada.get(path)).status_code == 200
    ada.cookies.clear()

    sent_away = await browser.get(path)

    assert sent_away.status_code == 303
    assert sent_away.headers["location"].startswith("/welcome")


async def test_after_the_welcome_page_a_visitor_goes_on_to_what_they_wanted(browser: httpx2.AsyncClient) -> None:
    wanted = "/credential-offer?credential_offer_uri=https%3A%2F%2Fissuer.test%2Foffers%2F1"

    welcome = await browser.get((await browser.get(wanted)).headers["location"])

    assert f'data-next="{wanted}"' in welcome.text


@pytest.mark.hostile
@pytest.mark.parametrize("path", ["https://evil.example", "//evil.example", "/\\evil.example", "/\t/evil.example"])
async def test_nobody_is_sent_to_another_site(browser: httpx2.AsyncClient, path: str) -> None:
    page = await browser.get("/welcome", params={"next": path})

    assert 'data-next="/"' in page.text
    assert (await browser.get("/language/de", params={"back": path})).headers["location"] == "/"


@pytest.mark.hostile
@pytest.mark.parametrize(
    "headers, csrf",
    [
        ({}, "forged"),
        ({}, ""),
        ({"Origin": "https://evil.example"}, "right"),
        ({"Sec-Fetch-Site": "cross-site"}, "right"),
    ],
    ids=["forged-token", "no-token", "another-origin", "another-site"],
)
async def test_a_form_of_another_site_does_nothing(ada: httpx2.AsyncClient, headers: dict[str, str], csrf: str) -> None:
    right = re.search(r'name="csrf" value="(\w+)"', (await ada.get("/settings")).text)
    assert right
    token = right[1] if csrf == "right" else csrf

    refused = await ada.post("/settings/lock", data={"csrf": token}, headers=headers)

    assert refused.status_code == 400
    assert 'id="wallet-error"' in refused.text
    assert (await ada.get("/settings")).status_code == 200  # a locked wallet would have ended the session


async def test_a_form_of_ours_locks_the_wallet(ada: httpx2.AsyncClient) -> None:
    token = re.search(r'name="csrf" value="(\w+)"', (await ada.get("/settings")).text)
    assert token

    locked = await ada.post("/settings/lock", data={"csrf": token[1]}, headers={"Origin": URL})

    assert 'id="locked"' in locked.text
    assert (await ada.get("/settings")).headers["location"].startswith("/welcome")


@pytest.mark.hostile
@pytest.mark.parametrize(
    "link",
    ["hello", "https://shop.example/", "openid4vp://?request_uri=x", "javascript:alert(1)?client_id", ""],
    ids=["no-link", "no-parameters", "no-client", "script", "empty"],
)
async def test_a_strange_link_ends_at_a_calm_page(ada: httpx2.AsyncClient, link: str) -> None:
    token = re.search(r'name="csrf" value="(\w+)"', (await ada.get("/add")).text)
    assert token

    page = await ada.post("/open", data={"csrf": token[1], "link": link})

    assert page.status_code == 400
    assert 'data-code="error-malformed"' in page.text


async def test_errors_of_the_api_name_the_text_for_the_citizen(ada: httpx2.AsyncClient) -> None:
    answer = await ada.get("/api/offers/nothing", headers={"Accept": "application/json"})

    assert answer.status_code == 404
    assert answer.json()["message"] == "error-not-found"


@pytest.mark.hostile
async def test_a_page_says_when_to_come_back(browser: httpx2.AsyncClient) -> None:
    page = await browser.get("/recover")
    token = re.search(r'name="csrf" value="(\w+)"', page.text)
    assert token
    form = {"csrf": token[1], "code": "0" * 28, "what": "lock"}

    answers = [await browser.post("/recover", data=form) for _ in range(RATES[Limited.RECOVER][0] + 1)]

    assert {each.status_code for each in answers[:-1]} == {400}
    refused = answers[-1]
    assert (refused.status_code, 'data-code="error-too-many"' in refused.text) == (429, True)
    assert 0 < int(refused.headers["retry-after"]) <= 3600


async def test_an_account_that_is_deleted_leaves_nothing(
    browser: httpx2.AsyncClient, app: FastAPI, ada: httpx2.AsyncClient
) -> None:
    authenticator = SoftwareAuthenticator(URL)
    ada.cookies.clear()
    ceremony = (await ada.post("/passkeys/register/options", json={"account_name": "Zoë"})).json()
    await ada.post("/passkeys/register", json={**authenticator.create(ceremony), "name": "Phone"})
    wallet = app.state.wallet
    visit = await wallet.visit(ada.cookies[COOKIE])
    async with wallet.contents.transaction() as tx:
        await visit.contents.add(tx, Kind.HISTORY, {"a": 1})
    ceremony = (await ada.post("/account/approvals/options", json={"action": "delete-account"})).json()

    deleted = await ada.post("/account/approvals", json=authenticator.get(ceremony))

    assert deleted.json()["action"] == "delete-account"
    rows = (await wallet.contents.database.fetch(ITEM.select(), {})).rows
    assert [row for row in rows if row.person_id == visit.person] == []


@pytest.mark.hostile
@pytest.mark.parametrize("dies", [True, False], ids=["killed after the vault's deletion", "only asked"])
async def test_a_deletion_that_was_cut_off_is_finished_and_no_other(
    app: FastAPI, ada: httpx2.AsyncClient, dies: bool
) -> None:
    """A row that stayed could not be read; an e-mail address would get notices for ever."""
    wallet, authenticator = app.state.wallet, SoftwareAuthenticator(URL)
    ada.cookies.clear()
    ceremony = (await ada.post("/passkeys/register/options", json={"account_name": "Zoë"})).json()
    await ada.post("/passkeys/register", json={**authenticator.create(ceremony), "name": "Phone"})
    visit = await wallet.visit(ada.cookies[COOKIE])
    await wallet.notices.subscriptions.add(
        visit.person, Address(mail="zoe@example.org"), security=True, cards=True, now=wallet.clock()
    )
    ceremony = (await ada.post("/account/approvals/options", json={"action": "delete-account"})).json()
    if dies:
        await wallet.door.run(gate.approve, ada.cookies[COOKIE], PagePost(**authenticator.get(ceremony)))
    kept = Keepers.of(wallet)

    async def has_wallet(person: PersonId) -> bool:
        return bool(await wallet.door.run(accounts.has_wallet, person))

    looked = [
        await finish_removals(kept, has_wallet=has_wallet, now=wallet.clock() + timedelta(minutes=minutes))
        for minutes in (59, 61, 62)
    ]

    assert looked == [0, 1, 0]
    assert bool(await wallet.notices.subscriptions.all(visit.person)) is not dies
    rows = (await wallet.contents.database.fetch(ITEM.select(), {})).rows
    assert [row for row in rows if row.person_id == visit.person] == []


@pytest.mark.hostile
def test_the_process_leaves_no_core_dump(settings: WalletSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a citizen reads is in its memory."""
    limits: list[object] = []
    monkeypatch.setattr("resource.setrlimit", lambda *limit: limits.append(limit))
    monkeypatch.setattr(WalletSettings, "load", lambda: settings)
    for once in ("spare_application", "service_logging.configure"):
        monkeypatch.setattr(f"wallet.app.{once}", lambda **_: None)

    assert isinstance(from_environment(), FastAPI)
    assert limits == [(resource.RLIMIT_CORE, (0, 0))]


async def test_what_pages_do_is_described_as_an_api(app: FastAPI) -> None:
    paths = set(app.openapi()["paths"])

    assert paths >= {
        "/passkeys/register", "/account", "/api/offers", "/api/offers/{receipt_id}/approve", "/api/requests",
        "/api/requests/{consent_id}/approve", "/api/history", "/api/cards/{card_id}", "/api/export", "/api/import",
        "/api/account/deletion",
    }  # fmt: skip
    assert not paths & {"/", "/welcome", "/settings"}


async def test_the_wallet_can_be_installed(browser: httpx2.AsyncClient) -> None:
    manifest = (await browser.get("/manifest.webmanifest")).json()

    assert manifest["display"] == "standalone"
    for icon in manifest["icons"]:
        assert (await browser.get(icon["src"])).headers["content-type"] == "image/png"
    worker = await browser.get("/sw.js")
    assert worker.headers["content-type"].startswith("text/javascript")


async def test_the_doctor_finds_nothing_personal(ada: httpx2.AsyncClient, settings: WalletSettings) -> None:
    found = await examine_storage(settings, canaries=["Ada Lovelace", "Ada's phone"])

    assert found == []


@pytest.mark.parametrize("migrations", [MIGRATIONS, VAULT_MIGRATIONS], ids=["wallet", "vault"])
async def test_migrations_make_what_the_code_has(migrations: Migrations, database_url: str) -> None:
    await asyncio.to_thread(migrations.upgrade, database_url)

    assert await asyncio.to_thread(migrations.drift, database_url) == []
    await asyncio.to_thread(migrations.downgrade, database_url, "base")


async def test_both_sets_of_migrations_fit_into_one_database(database_url: str) -> None:
    for migrations in (MIGRATIONS, VAULT_MIGRATIONS, VAULT_MIGRATIONS):
        await asyncio.to_thread(migrations.upgrade, database_url)


def test_a_key_file_is_opened_by_its_setting(tmp_path: Path) -> None:
    assert isinstance(open_kek(f"file:{tmp_path}/kek"), FileKek)
