"""A new sealing key takes over: after `reseal` the old one opens nothing, and everything goes on."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import LargeBinary, select

from byoid.encoding import b64u_encode
from byoid.service.database import Database
from byoid.service.reseal import reseal
from issuer import bulk
from issuer.admin import Role
from issuer.people import add_account
from issuer.sealed import SEALED
from issuer.tables import IssuerTable
from tests.issuer.agency.conftest import Office
from tests.issuer.conftest import ROOT
from verifier.sealed import SEALED as VERIFIER_SEALED
from wallet.sealed import SEALED as WALLET_SEALED

PID = {"credential_configuration_id": "pid_sd_jwt"}
OLD = f"old:{b64u_encode(bytes(range(32)))}"
NEW = f"new:{b64u_encode(bytes(range(100, 132)))}"


async def _under_head(database: Database, key_id: bytes) -> set[str]:
    """Return the columns in which a value begins as what this key has sealed."""
    head, found = bytes([1, len(key_id)]) + key_id, set()
    for table in IssuerTable.metadata.sorted_tables:
        for column in (each for each in table.c if isinstance(each.type, LargeBinary)):
            rows = (await database.fetch(select(column.label("value")))).rows
            if any(row.value is not None and row.value.startswith(head) for row in rows):
                found.add(f"{table.name}.{column.name}")
    return found


async def _use_everything(office: Office) -> Any:
    """Leave something sealed wherever that is quickly done; return a wallet that goes on."""
    hook = {"url": "https://hooks.test/x", "events": ["credential.issued"]}
    assert (await office.call("POST", "/webhooks", role=Role.ADMINISTRATOR, json=hook)).is_success
    await add_account(office.agency, "clara", "correct horse battery staple", "1000000076", actor="test")
    order = {"configuration_ids": ["pid_sd_jwt"]}
    job = (await office.call("POST", "/bulk-offers", json=order)).json()["id"]
    part = {"first": 0, "people": ["1000000076"]}
    assert (await office.call("POST", f"/bulk-offers/{job}/people", json=part)).is_success
    assert (await office.call("POST", f"/bulk-offers/{job}/start")).is_success
    await bulk.work(office.agency)
    wallet = await office.peer.wallet_with_token()
    assert (await wallet.request(PID)).status_code == 200
    return wallet


async def test_after_resealing_the_old_key_opens_nothing_and_everything_goes_on(
    open_office: Callable[..., Any],
) -> None:
    async with open_office(sealing_keys=OLD) as office:
        wallet = await _use_everything(office)
        used = await _under_head(office.agency.issuer.store.database, b"old")
        assert used >= {
            "offer.person", "access_grant.person", "subject.person", "status_list.sealed_key", "account.person",
            "bulk_row.person", "bulk_row.result", "webhook.secret", "outbox.sealed_body",
        }  # fmt: skip
    async with open_office(sealing_keys=f"{NEW},{OLD}") as office:
        database, sealer = office.agency.issuer.store.database, office.agency.issuer.sealer
        done = await reseal(database, sealer, SEALED)
        assert done.count >= len(used) and done.unreadable == 0
        assert await _under_head(database, b"old") == set()
        assert await _under_head(database, b"new") == used
        wallet.http = office.peer.http
        assert (await wallet.refresh()).status_code == 200
        assert (await wallet.request(PID)).status_code == 200


@pytest.mark.parametrize(
    ("folder", "sealed"), [("issuer", SEALED), ("verifier", VERIFIER_SEALED), ("wallet", WALLET_SEALED)]
)
def test_no_place_is_forgotten(folder: str, sealed: Any) -> None:
    """Whatever the code seals for `table.column` with the key ring is in the list."""
    places = {each.place or f"{each.column.table.name}.{each.column.name}" for each in sealed}
    source = "".join(path.read_text("utf-8") for path in sorted((ROOT / folder).rglob("*.py")))
    named = set(re.findall(r'column="(\w+\.\w+)"', source))
    named |= {
        ".".join(pair) for pair in re.findall(r'ealer\.(?:seal|open)\([^()]*table="(\w+)", column="(\w+)"', source)
    }
    assert named <= places
