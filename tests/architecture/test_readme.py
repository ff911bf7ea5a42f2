"""What the README shows works: its library call is run as it stands there."""

import contextlib
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from byoid.formats.sd_jwt_vc import HeldSdJwtVc, prepare_key_binding, prepare_sd_jwt_vc
from byoid.formats.status_array import StatusArray
from byoid.formats.status_list import StatusReference, prepare_status_list_token
from byoid.keys import PrivateKey
from byoid.signing import sign_now
from byoid.trust.anchors import Purpose
from byoid.trust.pki import SubjectName, make_leaf, make_root, to_der, to_pem

ROOT = Path(__file__).parents[2]
HEADING = "## Verify in ten lines"
STATUS_URI = "https://issuer.example/status/1"
REQUEST = {
    "client_id": "x509_san_dns:verifier.example",
    "response_type": "vp_token",
    "response_mode": "direct_post",
    "response_uri": "https://verifier.example/response",
    "nonce": "n-0S6_WzA2Mjn-0S6_WzA2Mj",
    "dcql_query": {
        "credentials": [
            {
                "id": "pid",
                "format": "dc+sd-jwt",
                "meta": {"vct_values": ["urn:eudi:pid:1"]},
                "claims": [{"path": ["given_name"]}],
            }
        ]
    },
}


@pytest.fixture(scope="module")
def program() -> str:
    text = (ROOT / "README.md").read_text("utf-8").partition(HEADING)[2]
    return text.partition("```python\n")[2].partition("```")[0]


@pytest.fixture(scope="module")
def halves(program: str) -> str:
    """The same in two halves: what comes after it goes on with its names, and prints its own result."""
    text = (ROOT / "README.md").read_text("utf-8").partition(HEADING)[2].split("```python\n")[2].partition("```")[0]
    return f"{program}\nresult = None\n{text}\nshown = result.credentials['pid'][0]\nprint(shown.claims, shown.status)"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files that the program reads: what a service has when an answer came."""
    now = datetime.now(UTC).replace(microsecond=0)
    root = make_root(SubjectName("Root"), key=PrivateKey.generate(), now=now)
    issuer, holder = PrivateKey.generate(), PrivateKey.generate()
    x5c = to_der(make_leaf(root, SubjectName("Issuer"), key=issuer.public, purpose=Purpose.PID, now=now))
    credential = prepare_sd_jwt_vc(
        {"given_name": "Erika", "family_name": "Mustermann"},
        vct="urn:eudi:pid:1",
        disclosable=[("given_name",), ("family_name",)],
        algorithm="ES256",
        x5c=x5c,
        holder_key=holder.public.jwk,
        status=StatusReference(STATUS_URI, 7),
        issued_at=now,
        expires_at=now + timedelta(days=1),
    )
    shown = prepare_key_binding(
        HeldSdJwtVc.from_text(sign_now(credential, issuer)).present([("given_name",)]),
        audience=REQUEST["client_id"],
        nonce=REQUEST["nonce"],
        issued_at=now,
        algorithm="ES256",
    )
    statuses = prepare_status_list_token(
        StatusArray.of_size(64), uri=STATUS_URI, issued_at=now, algorithm="ES256", x5c=x5c
    )
    (tmp_path / "anchors.pem").write_bytes(to_pem(root.certificate))
    (tmp_path / "request.json").write_text(json.dumps(REQUEST))
    (tmp_path / "vp_token.json").write_text(json.dumps({"pid": [sign_now(shown, holder)]}))
    (tmp_path / "status.uri").write_text(STATUS_URI)
    (tmp_path / "status.jwt").write_text(sign_now(statuses, issuer))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(program: str) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as output:
        exec(compile(program, "README.md", "exec"), {})
    return output.getvalue()


def test_the_library_call_is_ten_lines_at_most(program: str) -> None:
    assert 0 < len([line for line in program.splitlines() if line.strip()]) <= 10


def test_the_library_call_prints_what_was_shown_and_nothing_else(program: str, folder: Path) -> None:
    assert run(program) == "{'given_name': 'Erika'}\n"


def test_in_two_halves_it_is_the_same(halves: str, folder: Path) -> None:
    assert run(halves).splitlines()[1] == "{'given_name': 'Erika'} valid"


@pytest.mark.hostile
def test_the_library_call_says_why_nothing_is_accepted(program: str, folder: Path) -> None:
    (folder / "status.uri").write_text("https://issuer.example/status/another")

    with pytest.raises(Exception, match="pid: StatusUnavailable: the status list was not fetched") as refusal:
        run(program)
    assert type(refusal.value).__name__ == "ResponseRejected"


@pytest.mark.hostile
def test_the_library_call_refuses_an_answer_to_another_request(program: str, folder: Path) -> None:
    (folder / "request.json").write_text(json.dumps({**REQUEST, "nonce": "another-nonce-of-the-verifier"}))

    with pytest.raises(Exception, match="nonce") as refusal:
        run(program)
    assert type(refusal.value).__name__ == "ResponseRejected"
