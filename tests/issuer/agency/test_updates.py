"""Facts that change at the source, and wallets that are revoked: what was issued follows."""

from datetime import timedelta
from typing import Any

import pytest

from issuer import updates
from issuer.admin import Role
from issuer.attributes import NotReady, PersonUnknown, Record, Refused, SourceUnavailable
from issuer.updates import ComparisonStopped, compare, revoke_outdated
from issuer.wallet_status import check_wallets
from tests.issuer.agency.conftest import Office
from tests.issuer.conftest import ADA, PROVIDER_URL

WISH = {"credential_configuration_id": "pid_sd_jwt"}


async def _issue(office: Office, **changes: Any) -> Any:
    wallet = await office.peer.wallet_with_token("pid_sd_jwt", **changes)
    assert (await wallet.request(WISH)).status_code == 200
    return wallet


def _change(office: Office, **facts: Any) -> None:
    real = office.peer.source.real

    class Changed:
        async def record(self, person: str, credential_type: str) -> Record:
            return {**(await real.record(person, credential_type)), **facts}

    office.peer.source.real = Changed()


async def _told(office: Office) -> Any:
    return await office.call("POST", "/people/changed", role=Role.REGISTER, json={"person": ADA})


async def _statuses(office: Office) -> set[str]:
    return {each["status"] for each in await office.issued()}


async def test_a_new_name_revokes_and_the_wallet_renews(office: Office) -> None:
    wallet = await _issue(office)
    assert (await _told(office)).json() == {"changed": 0}
    _change(office, family_name="Newname")
    assert (await _told(office)).json() == {"changed": 1}
    assert await _statuses(office) == {"revoked"}
    assert (await wallet.request(WISH)).status_code == 200
    assert (await _told(office)).json() == {"changed": 0}


async def test_a_fact_that_the_credential_does_not_state_changes_nothing(office: Office) -> None:
    await _issue(office)
    _change(office, shoe_size=43, issuing_authority="Another name")
    assert (await _told(office)).json() == {"changed": 0}
    assert await _statuses(office) == {"valid"}


@pytest.mark.parametrize("end", [Refused("has died"), PersonUnknown("gone")])
async def test_a_death_revokes_at_once_and_ends_renewal(open_office: Any, end: Exception) -> None:
    async with open_office(change_grace=timedelta(days=7)) as office:
        wallet = await _issue(office)
        office.peer.source.fails = end
        assert (await _told(office)).json() == {"changed": 1}
        assert await _statuses(office) == {"revoked"}
        office.peer.source.fails = None
        assert (await wallet.request(WISH)).status_code == 401


@pytest.mark.hostile
@pytest.mark.parametrize("fault", [SourceUnavailable("down"), NotReady("soon")])
async def test_a_source_that_does_not_answer_changes_nothing(office: Office, fault: Exception) -> None:
    await _issue(office)
    office.peer.source.fails = fault
    answer = await _told(office)
    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
    office.peer.clock.advance(timedelta(days=2))
    assert await compare(office.agency) == 0
    assert await _statuses(office) == {"valid"}


async def test_a_source_that_is_down_issues_nothing_and_the_wallet_may_try_again(office: Office) -> None:
    wallet = await office.peer.wallet_with_token("pid_sd_jwt")
    office.peer.source.fails = SourceUnavailable("down")
    answer = await wallet.request(WISH)
    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
    assert await office.peer.count("issuance") == await office.peer.count("deferred") == 0
    office.peer.source.fails = None
    assert (await wallet.request(WISH)).status_code == 200


async def test_the_comparison_finds_what_nobody_told(office: Office) -> None:
    await _issue(office)
    _change(office, family_name="Newname")
    assert await compare(office.agency) == 0  # compared when it was issued
    office.peer.clock.advance(timedelta(days=1, minutes=1))
    assert await compare(office.agency) == 1
    assert await _statuses(office) == {"revoked"}
    assert await compare(office.agency) == 0


async def test_with_a_time_of_grace_the_wallet_renews_first(open_office: Any) -> None:
    async with open_office(change_grace=timedelta(days=3)) as office:
        await _issue(office)
        _change(office, family_name="Newname")
        assert (await _told(office)).json() == {"changed": 1}
        assert await _statuses(office) == {"valid"}
        assert await revoke_outdated(office.agency) == 0
        office.peer.clock.advance(timedelta(days=3))
        assert await revoke_outdated(office.agency) == 1
        assert await _statuses(office) == {"revoked"}
        assert await revoke_outdated(office.agency) == 0


async def test_when_everybody_seems_changed_nothing_is_revoked(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(updates, "_FEW", 1)
    await _issue(office)
    _change(office, family_name="Wrong column")
    office.peer.clock.advance(timedelta(days=2))
    with pytest.raises(ComparisonStopped):
        await compare(office.agency)
    assert await _statuses(office) == {"valid"}


async def test_a_revoked_wallet_loses_its_credentials(office: Office) -> None:
    office.peer.provider.status = {"status_list": {"idx": 7, "uri": f"{PROVIDER_URL}/status"}}
    await _issue(office)
    assert await check_wallets(office.agency) == 0
    office.peer.clock.advance(timedelta(hours=1))
    office.peer.provider_server.down = True
    office.peer.provider_server.revoked.add(7)
    assert await check_wallets(office.agency) == 0
    assert await _statuses(office) == {"valid"}
    office.peer.provider_server.down = False
    office.peer.clock.advance(timedelta(hours=1))
    assert await check_wallets(office.agency) == 1
    assert await _statuses(office) == {"revoked"}


async def test_a_suspended_wallet_suspends_its_credentials_and_reinstates_them(office: Office) -> None:
    office.peer.provider.status = {"status_list": {"idx": 7, "uri": f"{PROVIDER_URL}/status"}}
    await _issue(office)
    for suspended, down, changed, status in [
        ({7}, True, 0, "valid"), ({7}, False, 1, "suspended"), ({7}, False, 0, "suspended"),
        (set(), True, 0, "suspended"), (set(), False, 1, "valid"), (set(), False, 0, "valid"),
    ]:  # fmt: skip
        office.peer.clock.advance(timedelta(hours=1))
        office.peer.provider_server.suspended, office.peer.provider_server.down = set(suspended), down
        assert await check_wallets(office.agency) == changed
        assert await _statuses(office) == {status}
    assert await office.peer.count("wallet_hold") == 0
    office.peer.provider_server.suspended, office.peer.provider_server.revoked = {7}, set()
    office.peer.clock.advance(timedelta(hours=1))
    assert await check_wallets(office.agency) == 1
    office.peer.provider_server.suspended, office.peer.provider_server.revoked = set(), {7}
    office.peer.clock.advance(timedelta(hours=1))
    assert await check_wallets(office.agency) == 1
    assert (await _statuses(office), await office.peer.count("wallet_hold")) == ({"revoked"}, 0)


@pytest.mark.parametrize("first", ["the wallet", "a clerk"])
async def test_what_a_clerk_has_suspended_is_not_reinstated_with_the_wallet(office: Office, first: str) -> None:
    office.peer.provider.status = {"status_list": {"idx": 7, "uri": f"{PROVIDER_URL}/status"}}
    await _issue(office)
    change = {"target": "person", "value": ADA, "reason": "a test"}
    office.peer.provider_server.suspended = {7}
    office.peer.clock.advance(timedelta(hours=1))
    if first == "a clerk":
        await office.call("POST", "/suspend", json=change)
    await check_wallets(office.agency)
    if first == "the wallet":
        assert (await office.call("POST", "/suspend", json=change)).json() == {"changed": 0}
    office.peer.provider_server.suspended = set()
    office.peer.clock.advance(timedelta(hours=1))
    assert await check_wallets(office.agency) == 0
    assert await _statuses(office) == {"suspended"}
    assert (await office.call("POST", "/reinstate", json=change)).json() == {"changed": 1}


async def test_a_hold_goes_with_its_credential(office: Office) -> None:
    office.peer.provider.status = {"status_list": {"idx": 7, "uri": f"{PROVIDER_URL}/status"}}
    await _issue(office)
    office.peer.provider_server.suspended = {7}
    office.peer.clock.advance(timedelta(hours=1))
    await check_wallets(office.agency)
    assert await office.peer.count("wallet_hold") == 1
    for _ in range(2):
        office.peer.clock.advance(timedelta(days=60))
        await office.agency.store.expire(now=office.peer.clock())
    assert await office.peer.count("wallet_hold") == 0
