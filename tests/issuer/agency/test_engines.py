"""What an agency does in its life, once on each database engine."""

from datetime import timedelta
from typing import Any

from issuer import bulk
from issuer.admin import Role
from issuer.attributes import NotReady
from issuer.jobs import issuer_jobs
from issuer.people import Accounts, add_account
from tests.issuer.conftest import ADA


async def test_an_agencys_day(open_office: Any, database_url: str) -> None:
    async with open_office(database_url=database_url) as office:
        order = {"configuration_ids": ["pid_sd_jwt"], "delivery": {"offer": "letter"}}
        job = (await office.call("POST", "/bulk-offers", json=order)).json()["id"]
        people = {"first": 0, "people": [ADA, "nobody"]}
        assert (await office.call("POST", f"/bulk-offers/{job}/people", json=people)).status_code == 204
        assert (await office.call("POST", f"/bulk-offers/{job}/start")).status_code == 200
        assert await bulk.work(office.agency) == 1
        assert "<article" in (await office.call("GET", "/letters")).text
        wallet = await office.peer.wallet_with_token("pid_sd_jwt")
        assert (await wallet.request({"credential_configuration_id": "pid_sd_jwt"}, keys=3)).status_code == 200
        for path in ("suspend", "reinstate", "revoke"):
            change = {"target": "person", "value": ADA, "reason": "a test"}
            assert (await office.call("POST", f"/{path}", json=change)).json() == {"changed": 3}
        await add_account(office.agency, "ada", "correct horse battery", ADA, actor="test")
        accounts = Accounts(office.agency.store, office.peer.issuer.sealer)
        assert await accounts.recognise("ada", "correct horse battery") == ADA
        assert len(await office.issued()) == 3
        assert (
            await office.call("POST", "/people/changed", role=Role.REGISTER, json={"person": ADA})
        ).status_code == 200
        office.peer.clock.advance(timedelta(days=400))
        for each in issuer_jobs(office.agency):
            await each.run()
        assert await office.issued() == []
        assert await office.peer.count("bulk_row") == 0


async def test_what_is_not_ready_is_fetched_at_the_first_poll_after_it_is(office: Any) -> None:
    wallet = await office.peer.wallet_with_token("pid_sd_jwt")
    office.peer.source.fails = NotReady("soon")
    promised = await wallet.request({"credential_configuration_id": "pid_sd_jwt"}, keys=2)
    assert promised.status_code == 202
    transaction = {"transaction_id": promised.json()["transaction_id"]}
    assert (await wallet.post_json("deferred", transaction)).status_code == 202
    assert await office.issued() == []
    office.peer.source.fails = None
    assert len((await wallet.post_json("deferred", transaction)).json()["credentials"]) == 2
    assert len(await office.issued()) == 2
