"""What is so, for the audit: rows of both databases, the journal, webhooks that arrived or wait, published lists."""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from benchmarks.load.laboratory import Laboratory
from benchmarks.load.ledger import Place
from benchmarks.load.wire import Connection
from byoid.encoding import json_object
from byoid.formats.status_array import StatusArray
from byoid.formats.status_list import parse_status_list_token, verify_status_list_token
from byoid.service.audit import AuditBroken, AuditLog
from byoid.service.database import Database
from byoid.service.seal import Sealer
from byoid.service.trust_files import load_signer
from issuer.agency import WRITER
from issuer.agency_tables import audit

_ISSUANCES: Final = "SELECT person_hash, status, status_list_id, status_index FROM issuance"
_TRANSACTIONS: Final = "SELECT id, state FROM transactions"
_JOURNAL: Final = "SELECT details FROM audit_entries WHERE event = 'credential.revoked'"
_WAITING: Final = "SELECT id, sealed_body FROM outbox"
_BEHIND: Final = "SELECT count(*) FROM status_list WHERE changed <> published"
_LISTS: Final = "SELECT id FROM status_list"
_PATIENCE: Final = 120.0  # for the last publication, and for webhooks that are on their way


@dataclass(frozen=True, slots=True)
class Recorded:
    """A row of the issuer: a credential that was signed."""

    person_hash: bytes
    status: str
    place: Place


@dataclass(frozen=True)
class Facts:
    """Everything that the ledger is compared with."""

    recorded: Sequence[Recorded]
    states: Mapping[str, str]  # of transactions
    journal: Counter[str]  # how often a person's revocation is in the journal, by keyed hash
    journal_broken: bool
    announced: Mapping[str, set[str]]  # webhook ids of a transaction, delivered or waiting
    published: Mapping[str, StatusArray]


def person_hash(laboratory: Laboratory, person: str) -> bytes:
    """Return under which hash the issuer keeps a person."""
    sealer = Sealer.from_settings(laboratory.issuer_settings)
    return sealer.keyed_hash(person.encode(), purpose="person")


async def read_facts(laboratory: Laboratory) -> Facts:
    """Read everything, after the last changes are published and webhooks had time to arrive."""
    await _settle(laboratory)
    async with laboratory.postgres.connected(laboratory.databases["issuer"]) as connection:
        rows = await connection.fetch(_ISSUANCES)
        entries = [_details(row["details"]) for row in await connection.fetch(_JOURNAL)]
        lists = [row["id"] for row in await connection.fetch(_LISTS)]
    async with laboratory.postgres.connected(laboratory.databases["verifier"]) as connection:
        states = {row["id"]: row["state"] for row in await connection.fetch(_TRANSACTIONS)}
        waiting = await connection.fetch(_WAITING)
    return Facts(
        recorded=[Recorded(row[0], row[1], (row[2], row[3])) for row in rows],
        states=states,
        journal=Counter(entry["value"] for entry in entries if entry["count"]),
        journal_broken=await _journal_broken(laboratory),
        announced=_announced(laboratory, waiting),
        published={each: await _published(laboratory, each) for each in lists},
    )


async def _settle(laboratory: Laboratory) -> None:
    """Wait until every change of a status is published; a worker that was killed delays it until its lease is over."""
    async with laboratory.postgres.connected(laboratory.databases["issuer"]) as connection, asyncio.timeout(_PATIENCE):
        while await connection.fetchval(_BEHIND):
            await asyncio.sleep(0.2)


async def _journal_broken(laboratory: Laboratory) -> bool:
    database = await Database.open(laboratory.issuer_settings.database_url)
    try:
        await AuditLog(audit, Sealer.from_settings(laboratory.issuer_settings)).verify(database, writer=WRITER)
    except AuditBroken:
        return True
    finally:
        await database.close()
    return False


def _announced(laboratory: Laboratory, waiting: Sequence[Any]) -> dict[str, set[str]]:
    found = {transaction: set(ids) for transaction, ids in laboratory.receiver.arrived.items()}
    sealer = Sealer.from_settings(laboratory.verifier_settings)
    for row in waiting:
        body = json_object(sealer.open(row["sealed_body"], table="outbox", column="sealed_body", row_id=row["id"]))
        found.setdefault(body["data"]["id"], set()).add(row["id"])
    return found


async def _published(laboratory: Laboratory, list_id: str) -> StatusArray:
    """Fetch a list as a verifier does, and verify it."""
    connection = Connection(laboratory.access.issuer_port)
    answer = await connection.request("GET", f"/status/{list_id}", headers={"Accept": "application/statuslist+jwt"})
    connection.close()
    pki = laboratory.issuer_settings.keys
    signer = load_signer(pki / "status.key", pki / "status.pem")
    uri = f"{laboratory.access.issuer_url}/status/{list_id}"
    token = parse_status_list_token(answer.body)
    return verify_status_list_token(token, uri=uri, key=signer.key.public, now=datetime.now(UTC)).array


def _details(value: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(value) if isinstance(value, str) else value
    return found
