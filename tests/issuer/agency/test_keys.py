"""The agency's keys: ceremonies, encrypted files, an HSM, rotation while serving, imported anchors."""

import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from typer.testing import CliRunner

from byoid.errors import MalformedInput
from byoid.jose import parse_jws
from byoid.keys import PrivateKey, PublicKey
from byoid.service.trust_files import load_signer, load_trust
from byoid.trust.anchors import Purpose, TrustAnchors
from byoid.trust.x509 import verify_chain
from issuer import ceremony
from issuer.__main__ import app
from issuer.admin import Role
from issuer.hsm import Pkcs11Hsm
from issuer.keys import NAMES, KeyRing
from tests.conftest import NOW
from tests.issuer.agency.conftest import Office

OWNER = ceremony.Owner("Library", "DE", "https://library.example", host="issuer.test")
SECRET, KEY_SECRET = b"authority", b"keys"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ceremony")
    ceremony.make_authority(folder / "authority", OWNER, password=SECRET, now=NOW)
    ceremony.make_keys(folder / "keys", folder / "authority", OWNER, password=SECRET, key_password=KEY_SECRET, now=NOW)
    return folder


@pytest.fixture(scope="module")
def token(softhsm: dict[str, dict[str, str]]) -> dict[str, str]:
    return softhsm["issuer"]


def _anchors(folder: Path, *purposes: Purpose) -> TrustAnchors:
    return _anchors_of(folder / "authority", *purposes)


def _anchors_of(authority: Path, *purposes: Purpose) -> TrustAnchors:
    pem = b"".join(path.read_bytes() for path in ceremony.anchors_for_others(authority))
    return TrustAnchors.from_pem(pem, frozenset(purposes), "test")


@pytest.mark.parametrize("name", NAMES)
async def test_a_ceremony_makes_signers_that_verifiers_accept(made: Path, name: str) -> None:
    signers = KeyRing(made / "keys", password=KEY_SECRET).signers
    signer = dict(zip(NAMES, (signers.credential, signers.document, signers.status, signers.metadata), strict=True))[
        name
    ]
    purpose = ceremony.PURPOSES[name]
    chain = verify_chain(signer.x5c, anchors=_anchors(made, purpose), purpose=purpose, now=NOW)
    chain.public_key.verify("ES256", b"x", await signer.sign(b"x"))


def test_nothing_of_a_ceremony_lies_open(made: Path) -> None:
    for path in made.rglob("*.key"):
        assert b"ENCRYPTED" in path.read_bytes() and path.stat().st_mode & 0o777 == 0o600


@pytest.mark.hostile
def test_an_authority_is_never_overwritten(made: Path) -> None:
    with pytest.raises(FileExistsError):
        ceremony.make_authority(made / "authority", OWNER, password=SECRET, now=NOW)
    assert ceremony.make_keys(made / "keys", made / "authority", OWNER, password=b"", key_password=None, now=NOW) == []


@pytest.mark.hostile
@pytest.mark.parametrize("password", [None, b"wrong"])
def test_keys_need_their_password(made: Path, password: bytes | None) -> None:
    with pytest.raises(MalformedInput):
        KeyRing(made / "keys", password=password)
    with pytest.raises(MalformedInput):
        ceremony.certify(made / "authority", "status", PrivateKey.generate().public, OWNER, password=b"wrong", now=NOW)


def test_anchors_are_imported_one_after_the_other(made: Path, tmp_path: Path) -> None:
    trust = tmp_path / "trust" / "trust.toml"
    for name, purpose in (("root", Purpose.WALLET_PROVIDER), ("iaca", Purpose.MDOC)):
        pem = made / "authority" / f"{name}.pem"
        ceremony.import_anchor(trust, pem, purposes=[purpose], source='list "A"')
    assert len(load_trust(trust)) == 2
    leaf = tmp_path / "leaf.pem"
    leaf.write_bytes((made / "keys" / "status.pem").read_bytes())
    ceremony.import_anchor(trust, leaf, purposes=[Purpose.STATUS], source="attester", pinned=True)


@pytest.mark.hostile
def test_what_is_no_certificate_is_not_imported(tmp_path: Path) -> None:
    (tmp_path / "x.pem").write_text("x")
    with pytest.raises(MalformedInput):
        ceremony.import_anchor(tmp_path / "trust.toml", tmp_path / "x.pem", purposes=[Purpose.STATUS], source="x")
    assert not (tmp_path / "trust.toml").exists()


def _own_keys(made: Path, folder: Path, now: datetime) -> None:
    ceremony.make_keys(folder, made / "authority", OWNER, password=SECRET, key_password=KEY_SECRET, now=now)


async def test_keys_are_rotated_over_the_api_while_serving(open_office: Any, made: Path, tmp_path: Path) -> None:
    _own_keys(made, tmp_path / "own", NOW)
    async with open_office(keys=tmp_path / "own", key_password="keys") as office:
        before = await _signer_of_a_credential(office)
        answer = await office.call("POST", "/keys/credential/rotation", role=Role.ADMINISTRATOR)
        request = x509.load_pem_x509_csr(answer.json()["request"].encode())
        assert request.is_signature_valid
        assert await _signer_of_a_credential(office) == before
        key = PublicKey.from_native(request.public_key())
        chain = ceremony.certify(made / "authority", "credential", key, OWNER, password=SECRET, now=NOW).decode()
        done = await office.call("POST", "/keys/credential/certificate", role=Role.ADMINISTRATOR, json={"chain": chain})
        assert done.status_code == 204, done.text
        assert await _signer_of_a_credential(office) == key != before
        assert b"ENCRYPTED" in (tmp_path / "own" / "credential.key").read_bytes()


@pytest.mark.hostile
@pytest.mark.parametrize(
    "defect", ["not begun", "another key", "no certificate", "expired", "wrong order", "unknown key"]
)
async def test_a_rotation_takes_only_its_own_certificate(
    open_office: Any, made: Path, tmp_path: Path, defect: str
) -> None:
    _own_keys(made, tmp_path / "own", NOW)
    async with open_office(keys=tmp_path / "own", key_password="keys") as office:
        before, name = await _signer_of_a_credential(office), "credential"
        key, now = PrivateKey.generate().public, NOW
        if defect != "not begun":
            answer = await office.call("POST", "/keys/credential/rotation", role=Role.ADMINISTRATOR)
            request = x509.load_pem_x509_csr(answer.json()["request"].encode())
            key = key if defect == "another key" else PublicKey.from_native(request.public_key())
        if defect == "expired":
            now = NOW - timedelta(days=800)
        chain = ceremony.certify(made / "authority", name, key, OWNER, password=SECRET, now=now).decode()
        if defect == "wrong order":
            chain = chain + (made / "authority" / "iaca.pem").read_text()
        if defect == "no certificate":
            chain = "x"
        if defect == "unknown key":
            name = "../credential"
        answer = await office.call("POST", f"/keys/{name}/certificate", role=Role.ADMINISTRATOR, json={"chain": chain})
        assert answer.status_code in {400, 404}
        assert await _signer_of_a_credential(office) == before


def test_half_a_rotation_leaves_the_old_key_in_use(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    _own_keys(made, folder, NOW)
    ring = KeyRing(folder, password=KEY_SECRET)
    old = ring.signers
    new = PrivateKey.generate()
    (folder / "status.key").write_bytes(new.to_pem(KEY_SECRET))
    ring.refresh()
    assert ring.signers is old
    chain = ceremony.certify(made / "authority", "status", new.public, OWNER, password=SECRET, now=NOW)
    (folder / "status.pem").write_bytes(chain)
    ring.refresh()
    assert ring.signers.status.public_jwk == new.public.jwk


async def _signer_of_a_credential(office: Office) -> PublicKey:
    wallet = await office.peer.wallet_with_token("pid_sd_jwt")
    answer = await wallet.request({"credential_configuration_id": "pid_sd_jwt"})
    assert answer.status_code == 200, answer.text
    x5c = parse_jws(answer.json()["credentials"][0]["credential"].partition("~")[0]).x5c
    return PublicKey.from_certificate(x509.load_der_x509_certificate(x5c[0]))


async def test_an_hsm_signs_both_formats(open_office: Any, made: Path, tmp_path: Path, token: dict[str, str]) -> None:
    hsm = Pkcs11Hsm.open(library=token["library"], token=token["token"], pin=token["pin"])
    folder = tmp_path / "own"
    _own_keys(made, folder, NOW)
    for name in ("credential", "document-signer"):
        key = hsm.generate(f"{name} {os.getpid()}")
        chain = ceremony.certify(made / "authority", name, key, OWNER, password=SECRET, now=NOW)
        (folder / f"{name}.key").unlink()
        (folder / f"{name}.hsm").write_text(f'label = "{name} {os.getpid()}"\n')
        (folder / f"{name}.pem").write_bytes(chain)
    changes = {"hsm_library": token["library"], "hsm_token": token["token"], "hsm_pin": token["pin"]}
    async with open_office(keys=folder, key_password="keys", **changes) as office:
        signers = office.peer.issuer.signers
        signatures = await asyncio.gather(*(signers.credential.sign(bytes([n])) for n in range(30)))
        key = PublicKey.from_jwk(signers.credential.public_jwk)
        for number, signature in enumerate(signatures):
            key.verify("ES256", bytes([number]), signature)
        wallet = await office.peer.wallet_with_token("pid_sd_jwt", "pid_mdoc")
        for each in ("pid_sd_jwt", "pid_mdoc"):
            assert (await wallet.request({"credential_configuration_id": each}, keys=5)).status_code == 200


@pytest.mark.hostile
@pytest.mark.parametrize("defect", ["no such key", "another certificate", "no settings", "no label"])
def test_an_hsm_key_that_does_not_fit_is_named_at_start(
    made: Path, tmp_path: Path, token: dict[str, str], defect: str
) -> None:
    folder = tmp_path / "own"
    _own_keys(made, folder, NOW)
    hsm = Pkcs11Hsm.open(library=token["library"], token=token["token"], pin=token["pin"])
    label = f"misfit {os.getpid()}"
    if defect == "another certificate":
        hsm.generate(label)
    (folder / "status.hsm").write_text("" if defect == "no label" else f'label = "{label}"\n')
    with pytest.raises(MalformedInput):
        KeyRing(folder, password=KEY_SECRET, hsm=None if defect == "no settings" else lambda: hsm)


@pytest.mark.hostile
def test_a_wrong_pin_is_named_at_start(token: dict[str, str]) -> None:
    with pytest.raises(MalformedInput):
        Pkcs11Hsm.open(library=token["library"], token="nowhere", pin="0000")


def test_a_key_of_another_service_is_certified_for_one_purpose(tmp_path: Path) -> None:
    folder = tmp_path / "access-authority"
    ceremony.make_authority(folder, OWNER, password=SECRET, now=NOW)
    owner = ceremony.Owner("Bookshop", "DE", "https://shop.example", identifier="NTRDE-HRB1", host="shop.test")
    path = tmp_path / "verifier" / "access-shop"
    made = ceremony.make_key(path, folder, owner, purpose=Purpose.ACCESS, password=SECRET, now=NOW)
    assert made.name == "access-shop"
    signer = load_signer(path.with_suffix(".key"), path.with_suffix(".pem"))
    assert path.with_suffix(".key").stat().st_mode & 0o777 == 0o600
    chain = verify_chain(signer.x5c, anchors=_anchors_of(folder, Purpose.ACCESS), purpose=Purpose.ACCESS, now=NOW)
    assert "Bookshop" in chain.certificates[0].subject.rfc4514_string()
    with pytest.raises(FileExistsError, match="there already"):
        ceremony.make_key(path, folder, owner, purpose=Purpose.ACCESS, password=SECRET, now=NOW)


def test_the_commands_make_an_authority_and_a_key(tmp_path: Path) -> None:
    about = ["--organization", "Wallets", "--country", "DE", "--contact", "https://wallets.example"]
    password = {"BYOID_AUTHORITY_PASSWORD": "offline"}

    def run(*arguments: object) -> Any:
        return CliRunner().invoke(app, [*map(str, arguments), *about], env=password)

    folder, key = tmp_path / "authority", tmp_path / "wallet-provider"
    assert run("authority", folder).exit_code == 0
    assert run("authority", folder).exit_code == 2  # an authority is never overwritten
    assert "wallet-provider: SHA-256" in run("certify", folder, key, "--purpose", "wallet_provider").stdout
    anchors = TrustAnchors.from_pem((folder / "root.pem").read_bytes(), {Purpose.WALLET_PROVIDER}, "test")
    chain = load_signer(key.with_suffix(".key"), key.with_suffix(".pem")).x5c
    verify_chain(chain, anchors=anchors, purpose=Purpose.WALLET_PROVIDER, now=datetime.now(UTC))
    password["BYOID_AUTHORITY_PASSWORD"] = "another"
    refused = run("certify", folder, tmp_path / "status", "--purpose", "status")
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1)
