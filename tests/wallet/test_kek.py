"""Keys that wrap vault keys: in SoftHSM over PKCS#11, and in a file."""

import asyncio
from pathlib import Path

import pytest

from byoid.errors import BadSignature, MalformedInput
from wallet.vault.hsm import Pkcs11Kek
from wallet.vault.kek import FileKek, Kek, Protection


@pytest.fixture(scope="module")
def token(softhsm: dict[str, dict[str, str]]) -> dict[str, str]:
    return softhsm["wallet"]


@pytest.fixture(scope="module")
def hsm(token: dict[str, str]) -> Pkcs11Kek:
    Pkcs11Kek.generate(**token, label="vault")
    return Pkcs11Kek.open(**token, label="vault")


@pytest.fixture(params=["hsm", "file"])
def kek(request: pytest.FixtureRequest, tmp_path: Path) -> Kek:
    found: Kek = request.getfixturevalue("hsm") if request.param == "hsm" else FileKek.open(tmp_path / "kek")
    return found


async def test_a_key_is_unwrapped_for_its_own_context(kek: Kek) -> None:
    wrapped = await kek.wrap(b"v" * 32, context=b"ada")

    assert b"v" * 32 not in wrapped
    assert await kek.unwrap(wrapped, context=b"ada") == b"v" * 32


@pytest.mark.hostile
async def test_a_key_is_not_unwrapped_for_another_context(kek: Kek) -> None:
    wrapped = await kek.wrap(b"v" * 32, context=b"ada")

    with pytest.raises(BadSignature):
        await kek.unwrap(wrapped, context=b"eve")


@pytest.mark.hostile
async def test_a_changed_wrapping_is_refused(kek: Kek) -> None:
    wrapped = await kek.wrap(b"v" * 32, context=b"ada")

    with pytest.raises(BadSignature):
        await kek.unwrap(wrapped[:-1] + bytes([wrapped[-1] ^ 1]), context=b"ada")


async def test_the_hsm_is_used_by_many_at_once(hsm: Pkcs11Kek) -> None:
    wrapped = await asyncio.gather(*(hsm.wrap(bytes([n]) * 32, context=b"c") for n in range(50)))

    assert await asyncio.gather(*(hsm.unwrap(each, context=b"c") for each in wrapped)) == [
        bytes([n]) * 32 for n in range(50)
    ]


def test_the_citizen_is_told_which_it_is(hsm: Pkcs11Kek) -> None:
    assert (hsm.protection, FileKek(b"k" * 32).protection) == (Protection.HSM, Protection.KEY_FILE)


@pytest.mark.hostile
def test_a_missing_hsm_key_is_named_at_start(hsm: Pkcs11Kek, token: dict[str, str]) -> None:
    with pytest.raises(MalformedInput, match="nowhere"):
        Pkcs11Kek.open(**token, label="nowhere")


def test_a_key_file_is_made_once_and_read_again(tmp_path: Path) -> None:
    assert FileKek.open(tmp_path / "kek").key == FileKek.open(tmp_path / "kek").key
    assert (tmp_path / "kek").stat().st_mode & 0o777 == 0o600


@pytest.mark.hostile
def test_a_key_file_of_another_size_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kek").write_bytes(b"short")

    with pytest.raises(MalformedInput):
        FileKek.open(tmp_path / "kek")
