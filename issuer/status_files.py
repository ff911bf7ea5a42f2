"""Published status lists as files, which any web server or CDN serves: `python -m issuer status-files FOLDER`.

Each list is `<id>.jwt`, `<id>.jwt.gz` beside it, and `<id>.cwt`; `index.json` is the aggregation (Token Status List
9). A file is replaced at once or not at all, and only when its list was published anew: its time of change is that of
the publication. Run it wherever a web server has a folder of its own; nothing is kept elsewhere.
"""

import asyncio
import gzip
import os
import tempfile
from datetime import datetime
from pathlib import Path

from byoid.encoding import json_dumps
from issuer import list_store
from issuer.context import Issuer
from issuer.status_lists import list_uri


async def write_files(issuer: Issuer, folder: Path) -> int:
    """Write the lists that were published since they were last written; return how many."""
    published = await list_store.publications(issuer.store.database, issuer.settings.agency_id)
    stale = [list_id for list_id, at in published.items() if _changed_at(folder / f"{list_id}.cwt") != _mark(at)]
    for list_id in stale:
        row = await issuer.store.status_list(list_id)
        if row is not None and row.jwt is not None:
            await asyncio.to_thread(_write_list, folder, list_id, row.jwt.encode(), row.cwt, row.published_at)
    index = json_dumps({"status_lists": [list_uri(issuer, each) for each in sorted(published)]})
    if stale or not (folder / "index.json").exists():
        _replace(folder / "index.json", index)
    return len(stale)


async def keep_writing(issuer: Issuer, folder: Path, *, seconds: float) -> None:
    """Write what was published, again and again, until cancelled."""
    while True:
        await write_files(issuer, folder)
        await asyncio.sleep(seconds)


def _write_list(folder: Path, list_id: str, jwt: bytes, cwt: bytes, published_at: datetime) -> None:
    """Write the forms of one list; the last one says that all are there."""
    contents = {f"{list_id}.jwt": jwt, f"{list_id}.jwt.gz": gzip.compress(jwt, 6, mtime=0), f"{list_id}.cwt": cwt}
    for name, content in contents.items():
        _replace(folder / name, content, changed_at=_mark(published_at))


def _replace(path: Path, content: bytes, *, changed_at: int | None = None) -> None:
    """Put a whole new file in the place of the old one; whoever reads sees one of the two."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).chmod(0o644)
        if changed_at is not None:
            os.utime(name, ns=(changed_at, changed_at))
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _mark(published_at: datetime) -> int:
    return int(published_at.timestamp() * 1_000_000) * 1000  # nanoseconds, as files have them


def _changed_at(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None
