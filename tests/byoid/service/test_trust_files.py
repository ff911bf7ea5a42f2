"""Trust files and signing keys on disk."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from byoid.errors import MalformedInput
from byoid.keys import PrivateKey
from byoid.service.trust_files import load_signer, load_trust
from byoid.trust.anchors import Purpose
from byoid.trust.pki import Authority, SubjectName, dns, make_leaf, make_root

NOW = datetime(2026, 6, 1, tzinfo=UTC)
ANCHOR = '[[anchor]]\nfile = "root.pem"\npurposes = ["pid", "mdoc"]\nsource = "national list"\n'


@pytest.fixture(scope="module")
def root() -> Authority:
    return make_root(SubjectName("Root"), key=PrivateKey.generate(), now=NOW)


@pytest.fixture
def folder(tmp_path: Path, root: Authority) -> Path:
    (tmp_path / "root.pem").write_bytes(root.certificate.public_bytes(Encoding.PEM))
    return tmp_path


def test_a_trust_file_names_certificates_purposes_and_source(folder: Path, root: Authority) -> None:
    (folder / "trust.toml").write_text(ANCHOR)

    (anchor,) = load_trust(folder / "trust.toml").anchors

    assert (anchor.certificate, anchor.source, anchor.pinned) == (root.certificate, "national list", False)
    assert anchor.purposes == {Purpose.PID, Purpose.MDOC}


def test_a_signer_can_be_pinned(folder: Path) -> None:
    (folder / "trust.toml").write_text(ANCHOR + "pinned = true\n")

    assert load_trust(folder / "trust.toml").anchors[0].pinned


@pytest.mark.hostile
@pytest.mark.parametrize(
    "text",
    [
        pytest.param(None, id="no file"),
        pytest.param("[[anchor", id="no TOML"),
        pytest.param("", id="no anchors"),
        pytest.param(ANCHOR.replace("root.pem", "absent.pem"), id="a certificate that is not there"),
        pytest.param(ANCHOR.replace("root.pem", "trust.toml"), id="a certificate that is none"),
        pytest.param(ANCHOR.replace('"pid"', '"everything"'), id="an unknown purpose"),
        pytest.param(ANCHOR.replace('"pid", "mdoc"', ""), id="no purpose"),
        pytest.param(ANCHOR.replace("national list", ""), id="no source"),
        pytest.param(ANCHOR + "pined = true\n", id="a slip of the pen"),
    ],
)
def test_a_broken_trust_file_trusts_nobody(folder: Path, text: str | None) -> None:
    if text is not None:
        (folder / "trust.toml").write_text(text)

    with pytest.raises(MalformedInput, match=r"trust\.toml"):
        load_trust(folder / "trust.toml")


@pytest.fixture
def key() -> PrivateKey:
    return PrivateKey.generate()


@pytest.fixture
def write_chain(folder: Path, root: Authority) -> Callable[[PrivateKey], Path]:
    def write(key: PrivateKey) -> Path:
        leaf = make_leaf(
            root, SubjectName("Issuer"), key=key.public, purpose=Purpose.PID, now=NOW, names=dns("issuer.example")
        )
        (folder / "chain.pem").write_bytes(leaf.public_bytes(Encoding.PEM))
        return folder / "chain.pem"

    return write


def test_a_signer_is_a_key_with_its_chain(
    folder: Path, key: PrivateKey, write_chain: Callable[[PrivateKey], Path]
) -> None:
    (folder / "key.pem").write_bytes(key.to_pem(b"secret"))

    signer = load_signer(folder / "key.pem", write_chain(key), b"secret")

    assert signer.public_jwk == key.public.jwk
    assert len(signer.x5c) == 1


def test_a_signer_needs_no_chain(folder: Path, key: PrivateKey) -> None:
    (folder / "key.pem").write_bytes(key.to_pem())

    assert load_signer(folder / "key.pem").x5c == ()


@pytest.mark.hostile
def test_a_certificate_for_another_key_is_refused(
    folder: Path, key: PrivateKey, write_chain: Callable[[PrivateKey], Path]
) -> None:
    (folder / "key.pem").write_bytes(key.to_pem())

    with pytest.raises(MalformedInput, match="another key"):
        load_signer(folder / "key.pem", write_chain(PrivateKey.generate()))


@pytest.mark.hostile
@pytest.mark.parametrize("content", [pytest.param(None, id="no file"), pytest.param(b"nonsense", id="no certificate")])
def test_a_chain_that_cannot_be_read_is_named(folder: Path, key: PrivateKey, content: bytes | None) -> None:
    (folder / "key.pem").write_bytes(key.to_pem())
    if content is not None:
        (folder / "chain.pem").write_bytes(content)

    with pytest.raises(MalformedInput, match=r"key\.pem"):
        load_signer(folder / "key.pem", folder / "chain.pem")
