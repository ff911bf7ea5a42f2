"""The journal's heads, noted where whoever changes the database can't: what is cut off or begun anew is missed."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete

from byoid.errors import MalformedInput
from byoid.service.audit import AuditBroken
from issuer.agency import WRITER
from issuer.agency_tables import audit
from issuer.jobs import issuer_jobs
from issuer.journal import HEADS, note_heads, noted_heads, verify
from tests.issuer.agency.conftest import Office

ENTRIES, ENDS = audit


@pytest.fixture
async def noted(open_office: Any, tmp_path: Path) -> Any:
    """An office with a few entries, whose heads were noted twice."""
    async with open_office(journal_heads=tmp_path / "heads.jsonl") as office:
        for _ in range(2):
            await office.journal()
            office.peer.clock.advance(timedelta(hours=1))
            await note_heads(office.agency)
        yield office, tmp_path / "heads.jsonl"


async def test_heads_are_noted_by_a_job_and_found_again(noted: tuple[Office, Path]) -> None:
    office, path = noted
    heads = noted_heads(path)
    assert [name for name, _ in heads] == [WRITER, HEADS] * 2
    found = await verify(office.agency, heads)
    assert found[WRITER] == heads[2][1]
    assert "note the journal's heads" in {each.name for each in issuer_jobs(office.agency)}


async def forget(office: Office, writer: str) -> None:
    database = office.peer.issuer.store.database
    await database.execute(delete(ENTRIES).where(ENTRIES.c.writer == writer))
    await database.execute(delete(ENDS).where(ENDS.c.writer == writer))


@pytest.mark.hostile
async def test_a_chain_begun_anew_is_missed_by_the_other(noted: tuple[Office, Path]) -> None:
    office, _ = noted
    await forget(office, WRITER)
    for _ in range(9):
        await office.journal()
    with pytest.raises(AuditBroken, match="of agency"):
        await verify(office.agency, [])


@pytest.mark.hostile
async def test_all_chains_begun_anew_are_missed_by_whoever_has_the_file(noted: tuple[Office, Path]) -> None:
    office, path = noted
    for writer in (WRITER, HEADS):
        await forget(office, writer)
    assert await verify(office.agency, []) == {}
    with pytest.raises(AuditBroken):
        await verify(office.agency, noted_heads(path))


@pytest.mark.hostile
@pytest.mark.parametrize("line", [b"{}", b'{"heads": {"agency": "x"}}', b'{"heads": 1}', b"["])
def test_a_file_that_is_none_is_refused(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "heads").write_bytes(line)
    with pytest.raises(MalformedInput):
        noted_heads(tmp_path / "heads")
