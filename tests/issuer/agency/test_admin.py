"""The admin API: who may do what, offers, look-ups, changes of status, and the journal of all of it."""

from datetime import timedelta

import pytest

from byoid.formats.status_list import parse_status_list_token
from byoid.jose import parse_jws
from issuer.admin import Role
from issuer.credential_types import CATALOGUE  # noqa: F401
from issuer.jobs import issuer_jobs
from issuer.status_lists import publish
from tests.issuer.agency.conftest import Office
from tests.issuer.conftest import ADA


async def _issue(office: Office, configuration_id: str = "pid_sd_jwt", keys: int = 2) -> list[dict]:
    wallet = await office.peer.wallet_with_token(configuration_id)
    answer = await wallet.request({"credential_configuration_id": configuration_id}, keys=keys)
    assert answer.status_code == 200, answer.text
    return answer.json()["credentials"]


async def _published_status(office: Office, sd_jwt: str) -> int:
    await publish(office.peer.issuer)
    reference = parse_jws(sd_jwt.partition("~")[0]).claims()["status"]["status_list"]
    token = parse_status_list_token((await office.peer.http.get(reference["uri"])).content)
    from cryptography import x509

    from byoid.formats.status_list import verify_status_list_token
    from byoid.keys import PublicKey

    key = PublicKey.from_certificate(x509.load_der_x509_certificate(token.x5c[0]))
    found = verify_status_list_token(token, uri=reference["uri"], key=key, now=office.peer.clock())
    return found.status_at(reference["idx"])


async def test_an_offer_made_at_the_admin_api_can_be_redeemed(office: Office) -> None:
    answer = await office.call("POST", "/offers", json={"configuration_ids": ["pid_sd_jwt"], "person": ADA})
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert made["link"].startswith("openid-credential-offer://") and len(made["tx_code"]) == 6
    wallet = office.peer.wallet()
    offer = (await office.peer.http.get(made["uri"])).json()
    assert (await wallet.redeem_offer(offer, made["tx_code"])).status_code == 200


async def test_a_withdrawn_offer_is_gone(office: Office) -> None:
    made = (await office.call("POST", "/offers", json={"configuration_ids": ["pid_sd_jwt"], "person": ADA})).json()
    assert (await office.call("DELETE", f"/offers/{made['id']}")).status_code == 204
    assert (await office.peer.http.get(made["uri"])).status_code == 404
    assert (await office.call("DELETE", f"/offers/{made['id']}")).status_code == 404


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("defect", "body"),
    [
        ("no configuration", {"configuration_ids": [], "person": ADA}),
        ("unknown configuration", {"configuration_ids": ["nothing"], "person": ADA}),
        ("unknown member", {"configuration_ids": ["pid_sd_jwt"], "person": ADA, "persson": "x"}),
        ("no person", {"configuration_ids": ["pid_sd_jwt"]}),
        ("code and offer on one way", {"configuration_ids": ["pid_sd_jwt"], "person": ADA,
                                       "delivery": {"offer": "letter", "code": "letter"}}),
        ("offer by webhook", {"configuration_ids": ["pid_sd_jwt"], "person": ADA, "delivery": {"offer": "webhook"}}),
        ("no mail server", {"configuration_ids": ["pid_sd_jwt"], "person": ADA, "delivery": {"offer": "email"}}),
        ("no webhook for codes", {"configuration_ids": ["pid_sd_jwt"], "person": ADA, "delivery": {"code": "webhook"}}),
        ("nobody of that name", {"configuration_ids": ["pid_sd_jwt"], "person": "x", "delivery": {"offer": "letter"}}),
    ],
)  # fmt: skip
async def test_an_impossible_offer_is_refused(office: Office, defect: str, body: dict) -> None:
    answer = await office.call("POST", "/offers", json=body)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request"), defect
    assert await office.peer.count("offer") == 0


@pytest.mark.hostile
@pytest.mark.parametrize("authorization", [None, "Bearer", "Bearer byoid_wrong", "Basic eDp5", "Bearer x"])
async def test_without_a_key_nothing_is_done(office: Office, authorization: str | None) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    answer = await office.peer.http.post("/admin/revoke", headers=headers, json={})
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("role", "method", "path", "body"),
    [
        (Role.AUDITOR, "POST", "/offers", {"configuration_ids": ["pid_sd_jwt"], "person": ADA}),
        (Role.AUDITOR, "POST", "/people/changed", {"person": ADA}),
        (Role.REGISTER, "GET", "/issued", None),
        (Role.REGISTER, "POST", "/revoke", {"target": "person", "value": ADA, "reason": "x"}),
        (Role.OPERATOR, "POST", "/api-keys", {"name": "x", "role": "administrator"}),
        (Role.OPERATOR, "POST", "/webhooks", {"url": "https://a.test", "events": ["credential.issued"]}),
        (Role.OPERATOR, "POST", "/keys/status/rotation", None),
    ],
)
async def test_a_role_does_only_its_own(office: Office, role: Role, method: str, path: str, body: dict | None) -> None:
    answer = await office.call(method, path, role=role, json=body)
    assert (answer.status_code, answer.json()["error"]) == (403, "access_denied")
    assert "admin.refused" in {each["event"] for each in await office.journal()}
    assert await office.peer.count("offer") == 0


async def test_a_revoked_key_opens_nothing(office: Office) -> None:
    made = (
        await office.call("POST", "/api-keys", role=Role.ADMINISTRATOR, json={"name": "n", "role": "auditor"})
    ).json()
    office.keys[Role.AUDITOR] = made["key"]
    assert (await office.call("GET", "/issued", role=Role.AUDITOR)).status_code == 200
    assert (await office.call("DELETE", f"/api-keys/{made['id']}", role=Role.ADMINISTRATOR)).status_code == 204
    assert (await office.call("GET", "/issued", role=Role.AUDITOR)).status_code == 401
    listed = (await office.call("GET", "/api-keys", role=Role.ADMINISTRATOR)).json()
    assert {each["id"]: each["revoked"] for each in listed}[made["id"]] and "key" not in listed[0]


async def test_what_was_issued_is_looked_up_without_claims(office: Office) -> None:
    await _issue(office)
    for query in ({}, {"target": "person", "value": ADA}, {"target": "type", "value": "pid"}):
        found = await office.issued(**query)
        assert [each["credential_type"] for each in found] == ["pid", "pid"]
        assert ADA not in str(found)
    (first, second) = found
    assert await office.issued(target="credential", value=first["id"]) == [first]
    assert await office.issued(target="batch", value=first["batch_id"]) == [first, second]
    assert await office.issued(target="person", value="somebody else") == []
    assert await office.issued(after=second["id"]) == []


@pytest.mark.parametrize("target", ["credential", "person", "type", "batch"])
async def test_a_change_of_status_is_published(office: Office, target: str) -> None:
    credentials = await _issue(office)
    issued = (await office.issued())[0]
    values = {"credential": issued["id"], "person": ADA, "type": "pid", "batch": issued["batch_id"]}
    count = 1 if target == "credential" else 2
    for path, status in (("suspend", 2), ("reinstate", 0), ("revoke", 1)):
        change = {"target": target, "value": values[target], "reason": "a test"}
        answer = await office.call("POST", f"/{path}", json=change)
        assert answer.json() == {"changed": count}, path
        statuses = [await _published_status(office, each["credential"]) for each in credentials]
        assert statuses.count(status) >= count
        again = await office.call("POST", f"/{path}", json=change)
        assert again.json() == {"changed": 0}


async def test_the_job_publishes_a_revocation(office: Office) -> None:
    (credential,) = await _issue(office, keys=1)
    assert await _published_status(office, credential["credential"]) == 0
    await office.call("POST", "/revoke", json={"target": "type", "value": "pid", "reason": "a test"})
    (job,) = [each for each in issuer_jobs(office.agency) if each.name == "publish status lists"]
    assert job.period <= timedelta(seconds=60)
    assert await job.run() == 1
    assert await _published_status(office, credential["credential"]) == 1


@pytest.mark.hostile
async def test_a_revocation_is_never_reversed(office: Office) -> None:
    await _issue(office)
    everybody = {"target": "type", "value": "pid", "reason": "a test"}
    assert (await office.call("POST", "/revoke", json=everybody)).json() == {"changed": 2}
    assert (await office.call("POST", "/reinstate", json=everybody)).json() == {"changed": 0}
    assert {each["status"] for each in await office.issued()} == {"revoked"}


async def test_a_wallet_renews_after_a_revocation_unless_that_is_ended(office: Office) -> None:
    wallet = await office.peer.wallet_with_token("pid_sd_jwt")
    wish = {"credential_configuration_id": "pid_sd_jwt"}
    assert (await wallet.request(wish)).status_code == 200
    person = {"target": "person", "value": ADA, "reason": "a test"}
    await office.call("POST", "/revoke", json=person)
    assert (await wallet.request(wish)).status_code == 200
    answer = await office.call("POST", "/revoke", json={**person, "end_reissuance": True})
    assert answer.json() == {"changed": 1}
    assert (await wallet.request(wish)).status_code == 401


@pytest.mark.hostile
@pytest.mark.parametrize(
    "change",
    [
        {"target": "all", "value": "x", "reason": "y"},
        {"target": "person", "value": ADA},
        {"target": "person", "value": "", "reason": "y"},
        {"target": "person", "value": ADA, "reason": "y", "force": True},
    ],
)
async def test_an_unclear_change_is_refused(office: Office, change: dict) -> None:
    await _issue(office)
    assert (await office.call("POST", "/revoke", json=change)).status_code == 400
    assert (await office.call("POST", "/suspend", json={**change, "end_reissuance": True})).status_code == 400
    assert {each["status"] for each in await office.issued()} == {"valid"}


async def test_every_call_is_in_a_journal_that_shows_tampering(office: Office) -> None:
    await office.call("POST", "/offers", json={"configuration_ids": ["pid_sd_jwt"], "person": ADA})
    entries = await office.journal()
    assert [each["event"] for each in entries if each["event"] in {"admin.called", "offer.created"}][:2] == [
        "admin.called", "offer.created",
    ]  # fmt: skip
    assert entries[-1]["details"]["call"] == "GET /admin/journal"
    assert ADA not in str(entries)
    from sqlalchemy import update

    from issuer.agency_tables import audit

    table = audit[0]
    await office.agency.store.database.execute(update(table).where(table.c.sequence == 2).values(event="nothing"))
    answer = await office.call("GET", "/journal", role=Role.AUDITOR)
    assert answer.status_code != 200


async def test_the_openapi_document_names_the_admin_api(office: Office) -> None:
    document = (await office.peer.http.get("/openapi.json")).json()
    assert {"/admin/offers", "/admin/bulk-offers", "/admin/issued", "/admin/revoke"} <= set(document["paths"])
    assert set(document["paths"]["/admin/revoke"]["post"]["responses"]) >= {"200", "400", "401", "403", "503"}
