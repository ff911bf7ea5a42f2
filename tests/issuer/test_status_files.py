"""Status lists as files: whole, in every form, and written again only when they were published anew."""

import gzip
import json
from datetime import timedelta
from pathlib import Path

import pytest

from byoid.formats.status_list import CWT_MEDIA_TYPE
from issuer.status_files import _replace, write_files
from issuer.status_lists import publish
from tests.issuer.conftest import Peer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a web server finds the files."""
    (tmp_path / "status").mkdir()
    return tmp_path / "status"


async def issued(peer: Peer) -> str:
    """Issue a credential; return the id of its status list."""
    wallet = await peer.wallet_with_token()
    assert (await wallet.request({"credential_configuration_id": "pid_sd_jwt"})).status_code == 200
    await publish(peer.issuer)
    [list_id] = await peer.issuer.store.status_list_ids(peer.issuer.settings.agency_id)
    return list_id


async def test_files_are_what_the_issuer_serves(peer: Peer, folder: Path) -> None:
    list_id = await issued(peer)
    assert await write_files(peer.issuer, folder) == 1

    served = await peer.http.get(f"{peer.issuer.url}/status/{list_id}")
    assert (folder / f"{list_id}.jwt").read_text() == served.text
    assert gzip.decompress((folder / f"{list_id}.jwt.gz").read_bytes()).decode() == served.text
    as_cwt = await peer.http.get(f"{peer.issuer.url}/status/{list_id}", headers={"Accept": CWT_MEDIA_TYPE})
    assert (folder / f"{list_id}.cwt").read_bytes() == as_cwt.content
    index = await peer.http.get(f"{peer.issuer.url}/status")
    assert json.loads((folder / "index.json").read_text()) == index.json()
    assert {path.suffix for path in folder.iterdir()} == {".jwt", ".gz", ".cwt", ".json"}


async def test_only_what_was_published_anew_is_written(peer: Peer, folder: Path) -> None:
    list_id = await issued(peer)
    assert await write_files(peer.issuer, folder) == 1
    assert await write_files(peer.issuer, folder) == 0
    before = (folder / f"{list_id}.jwt").read_text()

    peer.clock.advance(timedelta(hours=13))  # more than half of its life: published again
    await publish(peer.issuer)
    assert await write_files(peer.issuer, folder) == 1
    assert (folder / f"{list_id}.jwt").read_text() != before


async def test_a_file_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.jwt"
    _replace(path, b"old")

    def full(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("issuer.status_files.os.utime", full)
    with pytest.raises(OSError, match="no space"):
        _replace(path, b"new", changed_at=1)
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["a.jwt"]
