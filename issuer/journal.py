"""Noting the heads of the journal where whoever could change the database can't: a file on another machine's disk.

Each run writes the heads of all chains into a chain of its own (so no chain can go or begin anew alone), and one line
with all of them into the file `ISSUER_JOURNAL_HEADS`. `python -m issuer journal --heads FILE` verifies both.
"""

import asyncio
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from byoid.encoding import json_dumps, json_loads
from byoid.errors import MalformedInput
from byoid.service.audit import AuditHead
from issuer.agency import Agency

HEADS: Final = "heads"  # the chain in which the heads of the others are


async def note_heads(agency: Agency) -> int:
    """Anchor the chains, and note their heads in the file if there is one; return how many there are. A job."""
    now, path = agency.issuer.clock(), agency.issuer.settings.journal_heads
    heads = await agency.audit.anchor(agency.issuer.store.database, writer=HEADS, now=now)
    if path is not None:
        line = json_dumps({"at": now.isoformat(), "heads": {name: str(head) for name, head in heads.items()}})
        await asyncio.to_thread(_append, path, line)
    return len(heads)


async def verify(agency: Agency, noted: Iterable[tuple[str, AuditHead]]) -> dict[str, AuditHead]:
    """Verify every chain, and that all heads noted earlier are in them; return the heads.

    Raises:
        AuditBroken: an entry was changed, removed or added, or a chain has gone.
    """
    return await agency.audit.verify_all(agency.issuer.store.database, noted=noted)


def noted_heads(path: Path) -> list[tuple[str, AuditHead]]:
    """Read the heads that were noted in a file.

    Raises:
        MalformedInput: a line is none of `note_heads`.
    """
    found: list[tuple[str, AuditHead]] = []
    for line in path.read_bytes().splitlines():
        heads = json_loads(line).get("heads")
        if not isinstance(heads, dict):
            raise MalformedInput("expected lines with the heads of a journal")
        found += [(name, AuditHead.parse(str(text))) for name, text in heads.items()]
    return found


def _append(path: Path, line: bytes) -> None:
    with path.open("ab") as file:
        file.write(line + b"\n")
        file.flush()
        os.fsync(file.fileno())
