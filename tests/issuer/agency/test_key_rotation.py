"""Rotation without a gap: what the old key signed stays good, and servers take the new one while they serve."""

import asyncio
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from byoid.formats.status_list import parse_status_list_token, verify_status_list_token
from byoid.jose import parse_jws, verify_jws
from byoid.keys import PublicKey
from byoid.trust.anchors import Purpose, TrustAnchors
from byoid.trust.x509 import verify_chain
from issuer import ceremony
from issuer.admin import Role
from issuer.keys import NAMES
from issuer.status_lists import publish
from tests.issuer.agency.conftest import Office
from tests.issuer.conftest import ROOT

OWNER = ceremony.Owner("Library", "DE", "https://library.example", host="issuer.test")
SECRET = b"authority"
PID = {"credential_configuration_id": "pid_sd_jwt"}


@pytest.fixture
def began() -> datetime:
    return datetime.now(UTC) - timedelta(minutes=1)


@pytest.fixture
def authority(tmp_path: Path, began: datetime) -> Path:
    folder = tmp_path / "authority"
    ceremony.make_authority(folder, OWNER, password=SECRET, now=began)
    ceremony.make_keys(tmp_path / "own", folder, OWNER, password=SECRET, key_password=b"keys", now=began)
    return folder


def _anchors(authority: Path, purpose: Purpose) -> TrustAnchors:
    pem = b"".join(path.read_bytes() for path in ceremony.anchors_for_others(authority))
    return TrustAnchors.from_pem(pem, frozenset({purpose}), "test")


def _verified_key(authority: Path, x5c: Any, purpose: Purpose, now: datetime) -> PublicKey:
    return verify_chain(tuple(x5c), anchors=_anchors(authority, purpose), purpose=purpose, now=now).public_key


def _require_valid(token: Any, reference: dict[str, Any], key: PublicKey, now: datetime) -> None:
    verified = verify_status_list_token(token, uri=reference["uri"], key=key, now=now)
    assert verified.status_at(reference["idx"]) == 0


async def _rotate(office: Office, authority: Path, name: str) -> PublicKey:
    answer = await office.call("POST", f"/keys/{name}/rotation", role=Role.ADMINISTRATOR)
    key = PublicKey.from_native(x509.load_pem_x509_csr(answer.json()["request"].encode()).public_key())
    now = office.peer.clock() - timedelta(seconds=1)
    chain = ceremony.certify(authority, name, key, OWNER, password=SECRET, now=now).decode()
    done = await office.call("POST", f"/keys/{name}/certificate", role=Role.ADMINISTRATOR, json={"chain": chain})
    assert done.status_code == 204, done.text
    return key


async def test_what_the_old_keys_signed_stays_good(open_office: Any, authority: Path, tmp_path: Path) -> None:
    async with open_office(keys=tmp_path / "own", key_password="keys") as office:
        clock = office.peer.clock
        clock.now = datetime.now(UTC)
        wallet = await office.peer.wallet_with_token("pid_sd_jwt")
        (old,) = (await wallet.request(PID)).json()["credentials"]
        jws = parse_jws(old["credential"].partition("~")[0])
        reference = jws.claims()["status"]["status_list"]
        before = parse_status_list_token((await office.peer.http.get(reference["uri"])).content)
        new = {name: await _rotate(office, authority, name) for name in NAMES}

        # the credential, under the certificate that it holds
        key = _verified_key(authority, jws.x5c, Purpose.PID, clock())
        assert key != new["credential"]
        verify_jws(jws, key, algorithms={"ES256"}, typ="dc+sd-jwt")
        # its status list, as it was published before, and published anew
        served = parse_status_list_token((await office.peer.http.get(reference["uri"])).content)
        for token in (before, served):
            status_key = _verified_key(authority, token.x5c, Purpose.STATUS, clock())
            assert status_key != new["status"]
            _require_valid(token, reference, status_key, clock())
        clock.advance(timedelta(hours=13))
        assert await publish(office.peer.issuer) == 1
        token = parse_status_list_token((await office.peer.http.get(reference["uri"])).content)
        status_key = _verified_key(authority, token.x5c, Purpose.STATUS, clock())
        assert status_key == new["status"]
        _require_valid(token, reference, status_key, clock())
        # what is signed from now on
        metadata = await office.peer.http.get(
            "/.well-known/openid-credential-issuer", headers={"Accept": "application/jwt"}
        )
        signed = parse_jws(metadata.text)
        assert _verified_key(authority, signed.x5c, Purpose.ISSUER_METADATA, clock()) == new["metadata"]
        verify_jws(signed, new["metadata"], algorithms={"ES256"}, typ="openidvci-issuer-metadata+jwt")
        again = await office.peer.wallet_with_token("pid_sd_jwt")
        (issued,) = (await again.request(PID)).json()["credentials"]
        assert (
            _verified_key(authority, parse_jws(issued["credential"].partition("~")[0]).x5c, Purpose.PID, clock())
            == new["credential"]
        )


async def test_the_metadata_of_a_type_do_not_depend_on_a_key(open_office: Any, authority: Path, tmp_path: Path) -> None:
    async with open_office(keys=tmp_path / "own", key_password="keys") as office:
        office.peer.clock.now = datetime.now(UTC)
        before = await office.peer.http.get("/types/residence")
        for name in NAMES:
            await _rotate(office, authority, name)
        after = await office.peer.http.get("/types/residence")
        assert (before.status_code, before.content) == (200, after.content)


async def test_keys_move_into_an_hsm_and_out_of_it_while_wallets_are_served(
    open_office: Any, authority: Path, tmp_path: Path, softhsm: dict[str, dict[str, str]]
) -> None:
    """The command as an operator types it, in a process of its own; the server asks the HSM for the new key."""
    token, folder = softhsm["issuer"], tmp_path / "own"
    hsm = {"hsm_library": token["library"], "hsm_token": token["token"], "hsm_pin": token["pin"]}
    environment = {
        **os.environ, "BYOID_AUTHORITY_PASSWORD": SECRET.decode(), "ISSUER_PROFILE": "demo",
        "ISSUER_PUBLIC_URL": "https://issuer.test", "ISSUER_DATABASE_URL": "sqlite://",
        "ISSUER_SEALING_KEYS": f"demo:{'A' * 43}", "ISSUER_KEYS": str(folder), "ISSUER_TRUST": str(folder / "no"),
        "ISSUER_KEY_PASSWORD": "keys", **{f"ISSUER_{name.upper()}": value for name, value in hsm.items()},
    }  # fmt: skip
    async with open_office(keys=folder, key_password="keys", **hsm) as office:
        seen = []
        for options in ((), ("--hsm",), ("--hsm",), ()):
            command = ["rotate-keys", "credential", "--authority", str(authority), "--organization", "Library",
                       "--country", "DE", "--contact", "https://library.example", *options]  # fmt: skip
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "issuer", *command, env=environment, cwd=ROOT, stdout=asyncio.subprocess.PIPE
            )
            served = []
            while process.returncode is None:
                served.append(await _signer(office))
                await asyncio.sleep(1)
            assert (await process.communicate())[0].startswith(b"credential: SHA-256") and process.returncode == 0
            office.peer.issuer.keys.refresh()
            assert (folder / "credential.hsm").exists() is bool(options)
            seen.append(await _signer(office))
            assert set(served) <= {*seen[-2:], served[0]}
        assert len({each.thumbprint_b64u for each in seen}) == 4


async def _signer(office: Office) -> PublicKey:
    """Issue a credential, and return the key whose signature is on it."""
    office.peer.clock.now = datetime.now(UTC) + timedelta(seconds=1)
    wallet = await office.peer.wallet_with_token("pid_sd_jwt")
    answer = await wallet.request(PID)
    assert answer.status_code == 200, answer.text
    jws = parse_jws(answer.json()["credentials"][0]["credential"].partition("~")[0])
    key = PublicKey.from_certificate(x509.load_der_x509_certificate(jws.x5c[0]))
    verify_jws(jws, key, algorithms={"ES256"}, typ="dc+sd-jwt")
    return key
