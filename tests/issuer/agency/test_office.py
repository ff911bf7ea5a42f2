"""The back office: what clerks do there, what their roles allow, and what strangers cannot do."""

import csv
import io
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import update

from byoid.wire_errors import InvalidRequest
from issuer import bulk, clerks
from issuer.admin import Role
from issuer.agency_tables import audit
from issuer.recognition import NotRecognised
from issuer.revocation import Selection, Target
from issuer.web.office import _PAGES
from issuer.web.office.bulk import people_of
from issuer.web.office.visit import Visit
from tests.issuer.agency.conftest import Office
from tests.issuer.conftest import ADA
from tests.peers.dishonest_wallet.wallet import Browser

PASSWORD = "correct horse battery staple"
NAMES = {Role.OPERATOR: "olga", Role.AUDITOR: "aldo", Role.ADMINISTRATOR: "anna"}
Clerk = Callable[..., Any]


@pytest.fixture(autouse=True)
def _cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("issuer.people._N", 1 << 10)


@pytest.fixture
def clerk(office: Office) -> Clerk:
    """Open the office in a browser: `async with clerk() as browser`."""

    @asynccontextmanager
    async def open_(role: Role = Role.OPERATOR) -> AsyncIterator[Browser]:
        await clerks.add_clerk(office.agency, NAMES[role], role, PASSWORD, actor="test")
        async with office.peer.browser() as browser:
            await browser.open("/office/sign-in")
            answer = await browser.press("login", username=NAMES[role], password=PASSWORD)
            assert answer.status_code == 303, answer.text
            yield browser

    return open_


async def _issue(office: Office, keys: int = 1) -> list[dict[str, Any]]:
    wallet = await office.peer.wallet_with_token("pid_sd_jwt")
    assert (await wallet.request({"credential_configuration_id": "pid_sd_jwt"}, keys=keys)).status_code == 200
    return await office.issued()


def _text(page: httpx2.Response, id_: str) -> str:
    found = re.search(rf'id="{id_}"[^>]*>(.*?)</', page.text, re.S)
    assert found, page.text
    return unescape(re.sub("<[^>]+>", "", found[1])).strip()


async def _events(office: Office) -> list[str]:
    return [each["event"] for each in await office.journal()]


# --- coming in ---


async def test_a_clerk_signs_in_works_and_leaves(office: Office, clerk: Clerk) -> None:
    async with clerk() as browser:
        page = await browser.follow()
        assert "What do you want to do?" in page.text
        session = browser.http.cookies["__Host-byoid-issuer"]
        await browser.press("sign-out")
        assert (await browser.open("/office")).status_code == 303
        browser.http.cookies.set("__Host-byoid-issuer", session, domain="issuer.test")
        assert (await browser.open("/office")).status_code == 303
    assert {"clerk.added", "clerk.signed-in", "admin.called"} <= set(await _events(office))


async def test_signing_in_changes_the_session(office: Office) -> None:
    await clerks.add_clerk(office.agency, "olga", Role.OPERATOR, PASSWORD, actor="test")
    async with office.peer.browser() as browser:
        await browser.open("/office/sign-in")
        before = browser.http.cookies["__Host-byoid-issuer"]
        answer = await browser.press("login", username="Olga", password=PASSWORD)
        assert browser.http.cookies["__Host-byoid-issuer"] != before
        for each in answer.headers.get_list("set-cookie"):
            assert each.startswith("__Host-") and "Secure" in each and "HttpOnly" in each and "Path=/" in each


async def test_a_clerk_comes_to_the_page_that_they_wanted(office: Office, clerk: Clerk) -> None:
    await clerks.add_clerk(office.agency, "olga", Role.OPERATOR, PASSWORD, actor="test")
    async with office.peer.browser() as browser:
        assert (await browser.open("/office/journal")).headers["location"] == "/office/sign-in?back=/office/journal"
        await browser.follow()
        answer = await browser.press("login", username="olga", password=PASSWORD)
        assert answer.headers["location"] == "/office/journal"


@pytest.mark.hostile
@pytest.mark.parametrize("back", ["//evil.test", "https://evil.test", "/officer", "/office/\\evil.test", "/office//x"])
async def test_sign_in_leads_nowhere_else(office: Office, back: str) -> None:
    await clerks.add_clerk(office.agency, "olga", Role.OPERATOR, PASSWORD, actor="test")
    async with office.peer.browser() as browser:
        await browser.open(f"/office/sign-in?back={back}")
        answer = await browser.press("login", username="olga", password=PASSWORD)
        assert answer.headers["location"] == "/office"


@pytest.mark.hostile
async def test_a_wrong_password_opens_nothing_and_guessing_waits(office: Office) -> None:
    await clerks.add_clerk(office.agency, "olga", Role.OPERATOR, PASSWORD, actor="test")
    async with office.peer.browser() as browser:
        await browser.open("/office/sign-in")
        for name in ("olga", "nobody", "olga", "olga", "olga", "olga"):
            page = await browser.press("login", username=name, password="correct horse battery stable")
            assert page.status_code == 400 and 'role="alert"' in page.text
        assert (await browser.press("login", username="olga", password=PASSWORD)).status_code == 429
        assert (await browser.open("/office")).status_code == 303
    assert (await _events(office)).count("clerk.refused") == 6


@pytest.mark.hostile
async def test_a_session_ends_by_itself(office: Office, clerk: Clerk) -> None:
    async with clerk() as browser:
        office.peer.clock.advance(timedelta(minutes=31))
        assert (await browser.open("/office")).status_code == 303


async def test_a_session_goes_on_while_it_is_used_but_not_for_more_than_a_day(office: Office, clerk: Clerk) -> None:
    async with clerk() as browser:
        for _ in range(24):
            office.peer.clock.advance(timedelta(minutes=29))
            assert (await browser.open("/office")).status_code == 200
        office.peer.clock.advance(timedelta(minutes=29))
        assert (await browser.open("/office")).status_code == 303
    assert await office.peer.count("office_session") == 1
    assert await clerks.expire(office.agency) == 0
    office.peer.clock.advance(timedelta(hours=1))
    assert await clerks.expire(office.agency) == 1


@pytest.mark.hostile
async def test_who_was_removed_or_got_another_password_is_out_at_once(office: Office, clerk: Clerk) -> None:
    async with clerk() as browser:
        assert await clerks.remove_clerk(office.agency, "olga", actor="test")
        assert (await browser.open("/office")).status_code == 303
        assert not await clerks.remove_clerk(office.agency, "olga", actor="test")
    async with clerk(Role.AUDITOR) as browser:
        await clerks.add_clerk(office.agency, "aldo", Role.AUDITOR, "another long password", actor="test")
        assert (await browser.open("/office")).status_code == 303
        with pytest.raises(NotRecognised):
            await clerks.sign_in(office.agency, "aldo", PASSWORD)
    assert [each.name for each in await clerks.clerks(office.agency)] == ["aldo"]


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("name", "role", "password"),
    [
        ("olga", Role.OPERATOR, "fourteen chars"), ("Olga", Role.OPERATOR, PASSWORD), ("", Role.OPERATOR, PASSWORD),
        ("olga", Role.REGISTER, PASSWORD), ("ol ga", Role.OPERATOR, PASSWORD), ("o" * 61, Role.OPERATOR, PASSWORD),
    ],
)  # fmt: skip
async def test_a_bad_clerk_is_refused(office: Office, name: str, role: Role, password: str) -> None:
    with pytest.raises(InvalidRequest):
        await clerks.add_clerk(office.agency, name, role, password, actor="test")
    assert await office.peer.count("clerk") == 0


@pytest.mark.hostile
@pytest.mark.parametrize(("method", "path"), [(method, path) for method, path, _, _ in _PAGES])
async def test_a_stranger_sees_and_does_nothing(office: Office, method: str, path: str) -> None:
    headers = {"Accept": "text/html", "Content-Type": "application/x-www-form-urlencoded"}
    answer = await office.peer.http.request(method, f"/office{path.replace('{job}', 'x')}", headers=headers)
    assert (answer.status_code, answer.text) == (303, "")
    assert answer.headers["location"].startswith("/office/sign-in")


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("method", "path"),
    [(method, path) for method, path, _, permission in _PAGES if permission.value == "operate"],
)
async def test_an_auditor_changes_nothing(office: Office, clerk: Clerk, method: str, path: str) -> None:
    async with clerk(Role.AUDITOR) as browser:
        page = await browser.follow()
        token = re.findall(r'name="csrf" value="([^"]+)"', page.text)[0]
        answer = await browser.http.request(
            method, f"/office{path.replace('{job}', 'x')}", content=f"csrf={token}",
            headers={"Accept": "text/html", "Content-Type": "application/x-www-form-urlencoded"},
        )  # fmt: skip
        assert answer.status_code == 403
        assert "make-offer" not in (await browser.open("/office/bulk")).text
    assert "admin.refused" in await _events(office)


@pytest.mark.hostile
@pytest.mark.parametrize("defect", ["no token", "another browser's token", "another site", "JSON"])
async def test_a_forged_form_is_refused(office: Office, clerk: Clerk, defect: str) -> None:
    await _issue(office)
    change = {"target": "person", "value": ADA, "action": "revoke", "reason": "x"}
    async with clerk() as browser, clerk(Role.ADMINISTRATOR) as other:
        page = await (other if defect == "another browser's token" else browser).follow()
        token = "" if defect == "no token" else re.findall(r'name="csrf" value="([^"]+)"', page.text)[0]
        headers = {"Accept": "text/html", **({"Origin": "https://evil.test"} if defect == "another site" else {})}
        body = {"json": change} if defect == "JSON" else {"data": {**change, "csrf": token}}
        answer = await browser.http.post("/office/status/changed", headers=headers, **body)
        assert answer.status_code == 400
    assert {each["status"] for each in await office.issued()} == {"valid"}


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("multipart/form-data", b"x", 400), ("multipart/form-data; boundary=b", b"--b\r\nnonsense", 400),
        ("multipart/form-data; boundary=b", b"--b--\r\n", 400), ("application/x-www-form-urlencoded", b"a=%ff", 400),
        ("application/x-www-form-urlencoded", b"csrf=1&csrf=2", 400), ("text/plain", b"csrf=1", 400),
        ("multipart/form-data; boundary=b", b"x" * (2 << 20), 413),
    ],
)  # fmt: skip
async def test_a_broken_form_is_refused(office: Office, clerk: Clerk, kind: str, body: bytes, status: int) -> None:
    async with clerk() as browser:
        headers = {"Accept": "text/html", "Content-Type": kind}
        answer = await browser.http.post("/office/bulk", headers=headers, content=body)
        assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (status, "text/html")
    assert await office.peer.count("bulk_job") == 0


# --- one offer ---


async def test_an_offer_for_one_person_is_shown_once_and_can_be_taken(office: Office, clerk: Clerk) -> None:
    async with clerk() as browser:
        page = await browser.open("/office/offers")
        assert "PID" in page.text or "identification" in page.text.lower()
        page = await browser.press("make-offer", person=ADA, configuration="pid_sd_jwt", tx_code="yes", language="de")
        assert page.status_code == 200 and page.headers["cache-control"] == "no-store"
        assert "<svg" in page.text
        code, link = _text(page, "offer-code"), _text(page, "offer-link")
        uri = httpx2.URL(link).params["credential_offer_uri"]
        offer = (await office.peer.http.get(uri)).json()
        assert (await office.peer.wallet().redeem_offer(offer, code)).status_code == 200
        page = await browser.press("withdraw")
        assert "taken or has expired" in page.text
    assert [each["details"]["actor"] for each in await office.journal() if each["event"] == "offer.created"] == [
        "clerk:olga"
    ]


async def test_an_offer_without_a_code_for_some_days_can_be_withdrawn(office: Office, clerk: Clerk) -> None:
    async with clerk() as browser:
        await browser.open("/office/offers")
        page = await browser.press("make-offer", person=ADA, configuration="pid_mdoc", lifetime_days="3")
        assert 'id="offer-code"' not in page.text
        uri = httpx2.URL(_text(page, "offer-link")).params["credential_offer_uri"]
        assert (await office.peer.http.get(uri)).status_code == 200
        page = await browser.press("withdraw")
        assert _text(page, "office-notice").startswith("The offer is withdrawn")
        assert (await office.peer.http.get(uri)).status_code == 404


async def test_an_offer_goes_by_letter(office: Office, clerk: Clerk) -> None:
    async with clerk() as browser:
        await browser.open("/office/offers")
        page = await browser.press(
            "make-offer", person=ADA, configuration="pid_sd_jwt", tx_code="yes", offer="letter", language="fr"
        )
        assert 'id="offer-link"' not in page.text and len(_text(page, "offer-code")) == 6
        page = await browser.open("/office/letters")
        assert _text(page, "letter-count") == "One letter waits."
        form = browser.page
        printed = await browser.open("/office/letters/print")
        assert "<svg" in printed.text and "portefeuille" in printed.text
        assert printed.headers["content-security-policy"].startswith("default-src 'none'")
        browser.page = form
        await browser.press("letters-printed")
        assert _text(await browser.follow(), "letter-count") == "No letter waits."


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("defect", "fields", "text"),
    [
        ("nobody", {"configuration": "pid_sd_jwt"}, "Give the number"),
        ("a long key", {"person": "1" * 201, "configuration": "pid_sd_jwt"}, "Give the number"),
        ("nothing chosen", {"person": ADA}, "Choose at least one"),
        ("unknown configuration", {"person": ADA, "configuration": "x"}, "no such credential"),
        ("no days", {"person": ADA, "configuration": "pid_sd_jwt", "lifetime_days": "0"}, "Choose at least one"),
        ("days in words", {"person": ADA, "configuration": "pid_sd_jwt", "lifetime_days": "ten"}, "Choose at least"),
        ("one way", {"person": ADA, "configuration": "pid_sd_jwt", "offer": "letter", "code": "letter"}, "another way"),
        ("no mail server", {"person": ADA, "configuration": "pid_sd_jwt", "offer": "email"}, "No mail server"),
        ("an unknown way", {"person": ADA, "configuration": "pid_sd_jwt", "offer": "pigeon"}, "Choose at least"),
        ("not in the register", {"person": "0", "configuration": "pid_sd_jwt", "offer": "letter"}, "nobody with this"),
    ],
)  # fmt: skip
async def test_an_impossible_offer_is_explained(
    office: Office, clerk: Clerk, defect: str, fields: dict[str, str], text: str
) -> None:
    async with clerk() as browser:
        await browser.open("/office/offers")
        page = await browser.press("make-offer", **fields)
        assert page.status_code == 400, defect
        assert text in _text(page, "office-problem")
        assert fields.get("person", "") in page.text
    assert await office.peer.count("offer") == 0


# --- many offers ---


async def test_everybody_in_a_file_gets_an_offer(office: Office, clerk: Clerk) -> None:
    async with clerk() as browser:
        page = await browser.open("/office/bulk")
        token = re.findall(r'name="csrf" value="([^"]+)"', page.text)[0]
        file = ("people.csv", b"name;number\n=2+3;1\nBen;2\n", "text/csv")
        data = {"csrf": token, "configuration": ["pid_sd_jwt"], "people": f"{ADA}\n\n 7 ", "column": "number"}
        answer = await browser.http.post(
            "/office/bulk", data=data, files={"file": file}, headers={"Origin": "https://issuer.test"}
        )
        assert answer.status_code == 303, answer.text
        page = await browser.open(answer.headers["location"])
        assert _text(page, "job-people") == "4"
        await browser.press("add-people", people="=cmd()\n")
        page = await browser.follow()
        assert _text(page, "job-people") == "5" and await office.peer.count("offer") == 0
        await browser.press("start-job")
        page = await browser.follow()
        assert _text(page, "job-state") == "running"
        assert await bulk.work(office.agency) == 5
        page = await browser.open(page.request.url.path)
        assert (_text(page, "job-state"), _text(page, "job-offered")) == ("done", "5")
        saved = await browser.open(f"{page.request.url.path}/results.csv")
        rows = list(csv.DictReader(io.StringIO(saved.text)))
        assert [each["person"] for each in rows] == [ADA, "7", "1", "2", "'=cmd()"]
        assert all(each["link"].startswith("openid-credential-offer://") for each in rows)
        assert "attachment" in saved.headers["content-disposition"]
        assert "running" not in (await browser.open("/office/bulk")).text


async def test_a_job_can_be_stopped(office: Office, clerk: Clerk) -> None:
    async with clerk() as browser:
        await browser.open("/office/bulk")
        await browser.press("make-job", people="1\n2", configuration="pid_sd_jwt")
        page = await browser.follow()
        await browser.press("cancel-job")
        page = await browser.follow()
        assert _text(page, "job-state") == "stopped" and 'id="start-job"' not in page.text
    assert await bulk.work(office.agency) == 0


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"configuration": "pid_sd_jwt"}, "Give the people"),
        ({"configuration": "pid_sd_jwt", "people": " \n \n"}, "Give the people"),
        ({"people": "1"}, "Choose at least one"),
        ({"people": "1", "configuration": "x"}, "no such credential"),
    ],
)
async def test_an_impossible_job_is_explained(office: Office, clerk: Clerk, fields: dict[str, str], text: str) -> None:
    async with clerk() as browser:
        await browser.open("/office/bulk")
        page = await browser.press("make-job", **fields)
        assert (page.status_code, text in _text(page, "office-problem")) == (400, True)
    assert await office.peer.count("bulk_job") == 0


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("content", "column"),
    [(b"\xff\xfe", ""), (b"a,b\n1,2\n", "c"), (b"a,b\n1,2\n", ""), (b"a,b\n1\n", "a"), (b'a,b\n"1,2\n', "a")],
)
async def test_a_file_that_is_no_table_is_refused(office: Office, content: bytes, column: str) -> None:
    visit = Visit(None, office.agency, None, {"column": column}, (), content)  # type: ignore[arg-type]  # not asked
    with pytest.raises(InvalidRequest):
        people_of(visit)


def test_a_file_with_one_column_needs_no_name() -> None:
    visit = Visit(None, None, None, {}, (), "\ufeffnumber\r\n1\r\n2\r\n".encode())  # type: ignore[arg-type]  # not asked
    assert people_of(visit) == ["1", "2"]


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("GET", "/results.csv"), ("POST", "/start"), ("POST", "/cancel"), ("POST", "/people")],
)
async def test_a_job_that_is_not_there_is_not_found(office: Office, clerk: Clerk, method: str, path: str) -> None:
    async with clerk() as browser:
        page = await browser.follow()
        token = re.findall(r'name="csrf" value="([^"]+)"', page.text)[0]
        answer = await browser.http.request(
            method, f"/office/bulk/none{path}", content=f"csrf={token}&people=1",
            headers={"Accept": "text/html", "Content-Type": "application/x-www-form-urlencoded"},
        )  # fmt: skip
        assert answer.status_code == 404


@pytest.mark.hostile
async def test_a_started_job_takes_nobody_more_and_starts_once(office: Office, clerk: Clerk) -> None:
    async with clerk() as browser:
        await browser.open("/office/bulk")
        await browser.press("make-job", people="1", configuration="pid_sd_jwt")
        collecting = await browser.follow()
        await browser.press("start-job")
        for button, fields in (("start-job", {}), ("add-people", {"people": "2"})):
            browser.page = collecting
            page = await browser.press(button, **fields)
            assert page.status_code == 400 and 'id="office-problem"' in page.text
        await bulk.work(office.agency)
        browser.page = collecting
        assert (await browser.press("cancel-job")).status_code == 400
    assert await office.peer.count("bulk_row") == 1


# --- what was issued ---


@pytest.mark.parametrize("action", ["suspend", "revoke"])
async def test_a_clerk_looks_up_and_changes_one_credential(office: Office, clerk: Clerk, action: str) -> None:
    first, second = await _issue(office, keys=2)
    async with clerk() as browser:
        await browser.open("/office/issued")
        page = await browser.press("look-up", target="person", value=ADA)
        assert first["id"] in page.text and second["id"] in page.text and "?" not in str(page.request.url)
        page = await browser.press(f"{action}-1")
        assert _text(page, "status-count") == "1"
        page = await browser.press("status-confirm", reason="lost the phone")
        assert _text(page, "status-changed").startswith("One credential is")
    statuses = {each["id"]: each["status"] for each in await office.issued()}
    assert statuses == {first["id"]: {"suspend": "suspended", "revoke": "revoked"}[action], second["id"]: "valid"}
    journal = await office.journal()
    assert "credentials.looked-up" in {each["event"] for each in journal} and ADA not in str(journal)
    (entry,) = [each for each in journal if each["event"].startswith("credential.")]
    assert (entry["details"]["actor"], entry["details"]["reason"]) == ("clerk:olga", "lost the phone")


async def test_a_clerk_changes_everything_of_a_person_and_back(office: Office, clerk: Clerk) -> None:
    await _issue(office, keys=3)
    async with clerk() as browser:
        for action, status in (("suspend", "suspended"), ("reinstate", "valid"), ("revoke", "revoked")):
            await browser.open("/office/issued")
            await browser.press("look-up", target="person", value=ADA)
            page = await browser.press(f"{action}-all")
            assert _text(page, "status-count") == "3"
            page = await browser.press("status-confirm", reason="x", end_reissuance="yes")
            assert _text(page, "status-changed").startswith("3 credentials are")
            assert {each["status"] for each in await office.issued()} == {status}
        await browser.open("/office/issued")
        page = await browser.press("look-up", target="person", value=ADA)
        page = await browser.press("revoke-all")
        assert 'id="status-confirm"' not in page.text


@pytest.mark.hostile
@pytest.mark.parametrize(
    "fields",
    [{"target": "all", "value": "agency"}, {"target": "person", "value": " "}, {"target": "x", "value": "x"},
     {"target": "person", "value": "1" * 201}],
)  # fmt: skip
async def test_a_look_up_of_nothing_is_explained(office: Office, clerk: Clerk, fields: dict[str, str]) -> None:
    async with clerk() as browser:
        await browser.open("/office/issued")
        page = await browser.press("look-up", **fields)
        assert page.status_code == 400 and 'id="office-problem"' in page.text


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("fields", "status"),
    [({"reason": " "}, 400), ({"reason": "x" * 201}, 400), ({"action": "delete", "reason": "x"}, 404),
     ({"target": "all", "reason": "x"}, 400), ({"value": "", "reason": "x"}, 400)],
)  # fmt: skip
async def test_an_unclear_change_does_nothing(
    office: Office, clerk: Clerk, fields: dict[str, str], status: int
) -> None:
    await _issue(office)
    async with clerk() as browser:
        await browser.open("/office/issued")
        await browser.press("look-up", target="person", value=ADA)
        await browser.press("revoke-1")
        assert (await browser.press("status-confirm", **fields)).status_code == status
    assert {each["status"] for each in await office.issued()} == {"valid"}


async def test_nothing_issued_says_so_and_more_than_a_page_goes_on(
    office: Office, clerk: Clerk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _issue(office, keys=20)
    async with clerk() as browser:
        await browser.open("/office/issued")
        page = await browser.press("look-up", target="batch", value="none")
        assert _text(page, "nothing") == "Nothing was issued."
        monkeypatch.setattr("issuer.web.office.credentials.PAGE", 20)
        page = await browser.press("look-up", target="type", value="pid")
        assert page.text.count('class="panel"') == 21
        assert 'id="nothing"' in (await browser.press("more")).text


# --- journal and webhooks ---


async def test_the_journal_is_shown_in_pages_and_says_when_it_is_broken(office: Office, clerk: Clerk) -> None:
    async with clerk(Role.AUDITOR) as browser:
        for _ in range(60):
            await browser.open("/office/webhooks")
        page = await browser.open("/office/journal")
        assert 'id="journal-whole"' in page.text and 'id="newer"' not in page.text
        newest = int(_text(page, "journal-head").partition(":")[0])
        assert f"> {newest} " in page.text or f"{newest} ·" in page.text
        page = await browser.open("/office/journal?before=15")
        assert [int(each) for each in re.findall(r'quiet">(\d+) ·', page.text)] == list(range(14, 0, -1))
        assert 'id="older"' not in page.text and 'id="newer"' in page.text
        for odd in ("0", "1", "x", "99999999999999999999", "-1"):
            assert (await browser.open(f"/office/journal?before={odd}")).status_code == 200
        table = audit[0]
        await office.agency.store.database.execute(update(table).where(table.c.sequence == 3).values(event="nothing"))
        page = await browser.open("/office/journal?before=15")
        assert 'id="journal-broken"' in page.text


async def test_what_waits_for_webhooks_is_shown(office: Office, clerk: Clerk) -> None:
    hook = {"url": "https://hook.test/x", "events": ["credential.issued", "credential.revoked"]}
    assert (await office.call("POST", "/webhooks", role=Role.ADMINISTRATOR, json=hook)).status_code == 201
    async with clerk(Role.AUDITOR) as browser:
        page = await browser.open("/office/webhooks")
        assert "https://hook.test/x" in page.text and "tag warn" not in page.text
        await _issue(office)
        page = await browser.open("/office/webhooks")
        assert '<span class="tag warn">1</span>' in page.text


async def test_a_change_counts_what_it_would_change_only(office: Office) -> None:
    (issued,) = await _issue(office)
    from issuer.tables import CredentialStatus

    selection, now = Selection(Target.CREDENTIAL, issued["id"]), office.peer.clock()
    for status, count in ((CredentialStatus.REVOKED, 1), (CredentialStatus.SUSPENDED, 1), (CredentialStatus.VALID, 0)):
        sought = selection.sought(office.agency)
        assert await office.agency.store.count_changeable(selection.target, sought, status, now=now) == count


@pytest.mark.parametrize("language", ["de", "fr", "es"])
async def test_no_text_of_the_office_is_missing(office: Office, language: str) -> None:
    texts = set()
    for template in Path("issuer/web/templates/office").glob("*.html"):
        source = template.read_text("utf-8")
        texts |= set(re.findall(r'_\("((?:[^"\\]|\\.)*)"', source)) | set(re.findall(r"_\('([^']*)'\)", source))
        for pair in re.findall(r'ngettext\("([^"]+)", "([^"]+)"', source):
            texts |= set(pair)
    for module in Path("issuer/web/office").glob("*.py"):
        texts |= set(re.findall(r'^_[A-Z_]+: Final = "([^"]+)"', module.read_text("utf-8"), re.M))
    catalogue = office.peer.issuer.pages.catalogues[language]
    assert not sorted(text for text in texts if text not in catalogue.texts)
