"""The command `byoid`."""

import io
import json
import sys
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from byoid import cli
from byoid.encoding import b64u_encode
from byoid.formats.mdoc.issue import prepare_mdoc
from byoid.formats.sd_jwt_vc import ALL, prepare_sd_jwt_vc
from byoid.formats.status_list import StatusReference
from byoid.keys import PrivateKey
from byoid.service.trust_files import load_signer, load_trust
from byoid.signing import sign_now
from byoid.trust.anchors import Purpose
from byoid.trust.pki import SubjectName, make_leaf, make_root, to_der, to_pem
from byoid.trust.x509 import verify_chain

NOW = datetime.now(UTC).replace(microsecond=0)  # the command reads the clock
KEY, HOLDER = PrivateKey.generate(), PrivateKey.generate()
STATUS = StatusReference("https://issuer.example/1", 7)


@pytest.fixture
def root():
    return make_root(SubjectName("Root", "Office"), key=PrivateKey.generate(), now=NOW)


@pytest.fixture
def anchors(root, tmp_path):
    path = tmp_path / "anchors.pem"
    path.write_bytes(to_pem(root.certificate))
    return str(path)


@pytest.fixture
def signer(root):
    return make_leaf(root, SubjectName("Signer", "Office"), key=KEY.public, purpose=Purpose.PID, now=NOW)


@pytest.fixture
def sd_jwt_vc(signer, tmp_path):
    unsigned = prepare_sd_jwt_vc(
        {"family_name": "García", "address": {"locality": "Toledo"}},
        vct="urn:eudi:pid:1",
        disclosable=ALL,
        algorithm="ES256",
        x5c=to_der(signer),
        holder_key=HOLDER.public.jwk,
        status=STATUS,
        issued_at=NOW,
        expires_at=NOW + timedelta(days=1),
    )
    path = tmp_path / "credential.txt"
    path.write_text(sign_now(unsigned, KEY) + "\n")
    return path


@pytest.fixture
def mdoc(root):
    leaf = make_leaf(root, SubjectName("Signer"), key=KEY.public, purpose=Purpose.MDOC, now=NOW)
    unsigned = prepare_mdoc(
        {"org.iso.18013.5.1": {"family_name": "García", "portrait": b"\xff", "birth_date": NOW.date()}},
        doctype="org.iso.18013.5.1.mDL",
        device_key=HOLDER.public,
        x5chain=to_der(leaf),
        algorithm="ES256",
        signed=NOW,
        valid_from=NOW,
        valid_until=NOW + timedelta(days=1),
    )
    return sign_now(unsigned, KEY)


@pytest.fixture
def run(capsys):
    def call(*arguments):
        code = cli.main([str(argument) for argument in arguments])
        shown = capsys.readouterr()
        return SimpleNamespace(code=code, result=json.loads(shown.out) if shown.out else None, error=shown.err)

    return call


def test_an_sd_jwt_vc_is_shown_without_belief(run, sd_jwt_vc):
    shown = run("inspect", sd_jwt_vc)

    assert (shown.code, shown.result["verified"]) == (0, False)
    assert (shown.result["format"], shown.result["type"]) == ("dc+sd-jwt", "urn:eudi:pid:1")
    assert shown.result["claims"]["address"] == {"locality": "Toledo"}
    assert ["address", "locality"] in shown.result["disclosable"]
    assert shown.result["status"] == {"uri": STATUS.uri, "index": 7}
    assert shown.result["holder_key"] == HOLDER.public.jwk


def test_an_sd_jwt_vc_is_verified(run, sd_jwt_vc, anchors):
    shown = run("verify", sd_jwt_vc, "--anchors", anchors)

    assert (shown.code, shown.result["verified"], shown.result["issuer"]) == (0, True, "Office")
    assert shown.result["trusted_because_of"] == anchors
    assert "status" in shown.result["not_checked"]


def test_a_signer_can_be_pinned(run, sd_jwt_vc, signer, tmp_path):
    path = tmp_path / "pin.pem"
    path.write_bytes(to_pem(signer))
    assert run("verify", sd_jwt_vc, "--anchors", path, "--pinned").code == 0
    assert run("verify", sd_jwt_vc, "--anchors", path).code == 1


@pytest.mark.parametrize("encode", [bytes, lambda raw: b64u_encode(raw).encode()], ids=["CBOR", "base64url"])
def test_an_mdoc_is_shown_and_verified(run, mdoc, anchors, tmp_path, encode):
    path = tmp_path / "mdoc"
    path.write_bytes(encode(mdoc))

    claims = run("inspect", path).result["claims"]["org.iso.18013.5.1"]
    assert claims == {"family_name": "García", "portrait": {"base64url": "_w"}, "birth_date": NOW.date().isoformat()}
    shown = run("verify", path, "--anchors", anchors)
    assert (shown.code, shown.result["format"], shown.result["verified"]) == (0, "mso_mdoc", True)


def test_a_credential_can_come_from_standard_input(run, sd_jwt_vc, monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(sd_jwt_vc.read_bytes())))
    assert run("inspect", "-").result["type"] == "urn:eudi:pid:1"


def test_a_demo_pki_serves_every_purpose(run, tmp_path):
    folder = tmp_path / "pki"
    shown = run("pki", folder, "--host", "rp.example")

    assert shown.code == 0
    assert {"root.pem", "root.key", "iaca.pem", "pid.pem", "mdoc.key", "access.pem"} <= set(shown.result["files"])
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.iterdir())
    assert PrivateKey.from_pem((folder / "pid.key").read_bytes()).algorithm == "ES256"
    assert run("pki", folder).code == 1


def test_a_demo_pki_can_be_trusted_as_it_is(run, tmp_path):
    run("pki", tmp_path / "pki")
    anchors, chain = load_trust(tmp_path / "pki" / "trust.toml"), {}
    for purpose in cli.SIGNERS:
        x5c = load_signer(tmp_path / "pki" / f"{purpose}.key", tmp_path / "pki" / f"{purpose}.pem").x5c
        chain[purpose] = verify_chain(x5c, anchors=anchors, purpose=purpose, now=datetime.now(UTC))
    assert {each.anchor.source for each in chain.values()} == {"demo"}


@pytest.mark.hostile
def test_what_is_no_credential_is_named_so(run, tmp_path):
    (tmp_path / "notes.txt").write_text("nothing of that kind")
    refused = run("inspect", tmp_path / "notes.txt")
    assert refused.code == 1
    assert refused.error.startswith("MalformedInput: expected an SD-JWT VC, which has tildes, or an mdoc")


@pytest.mark.hostile
def test_a_pid_is_signed_by_a_pid_provider(run, sd_jwt_vc, tmp_path):
    other = make_root(SubjectName("Other root"), key=PrivateKey.generate(), now=NOW)
    (tmp_path / "other.pem").write_bytes(to_pem(other.certificate))
    refused = run("verify", sd_jwt_vc, "--anchors", tmp_path / "other.pem")
    assert (refused.code, "trust anchor for pid" in refused.error) == (1, True)


@pytest.mark.hostile
@pytest.mark.parametrize(
    "content",
    [b"", b"junk", b"a~b~", b"\xff\x00", b"x" * ((4 << 20) + 1)],
    ids=["empty", "junk", "tilde", "bytes", "big"],
)
def test_what_is_no_credential_is_refused(run, tmp_path, content):
    path = tmp_path / "file"
    path.write_bytes(content)
    shown = run("inspect", path)
    assert (shown.code, shown.result) == (1, None)
    assert shown.error.startswith("MalformedInput")


@pytest.mark.hostile
def test_a_credential_of_a_stranger_is_refused(run, sd_jwt_vc, tmp_path):
    path = tmp_path / "other.pem"
    path.write_bytes(to_pem(make_root(SubjectName("Other"), key=PrivateKey.generate(), now=NOW).certificate))
    shown = run("verify", sd_jwt_vc, "--anchors", path)
    assert (shown.code, shown.result) == (1, None)
    assert shown.error.startswith("UntrustedIssuer")
    assert "García" not in shown.error


@pytest.mark.hostile
def test_a_changed_credential_is_refused(run, sd_jwt_vc, anchors):
    text = sd_jwt_vc.read_text()
    start, end = text.index(".") + 1, text.rindex(".")
    sd_jwt_vc.write_text(text[:start] + text[start:end] + "." + "A" * 86 + text[text.index("~") :])
    shown = run("verify", sd_jwt_vc, "--anchors", anchors)
    assert (shown.code, shown.error.split(":")[0]) == (1, "BadSignature")


def test_a_missing_file_is_no_traceback(run, tmp_path):
    shown = run("inspect", tmp_path / "nowhere")
    assert (shown.code, shown.result) == (1, None)


def test_a_wrong_call_explains_itself(capsys):
    with pytest.raises(SystemExit):
        cli.main(["verify", "file"])
    assert "--anchors" in capsys.readouterr().err
