"""What must not be committed: hosts of registries, paths of one machine, the wrong webauthn, unknown browser files."""

import ast
import hashlib
import json
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Written apart, so that this file does not hold them itself.
REGISTRIES = ("files." + "pythonhosted.org", "registry." + "npmjs.org", "deb." + "debian.org", "//pypi." + "org/simple")
HTTP_CLIENTS = re.compile(  # clients of one peer each, sources and sign-in over HTTP, and composition roots
    r"^(byoid/(fetch|service/http|service/outbox|relying_party/client)|(issuer|verifier|wallet)/app|wallet/\w+_client"
    r"|wallet/vault/remote|issuer/(agency_setup|recognitions|recognition_oidc|sources/(factory|http_json)))\.py$"
)


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    return [ROOT / name for name in listed.decode().split("\0") if name and (ROOT / name).is_file()]


def texts() -> dict[str, str]:
    found = {}
    for path in tracked():
        raw = path.read_bytes()
        if b"\0" not in raw[:1024]:
            found[str(path.relative_to(ROOT))] = raw.decode("utf-8", "replace")
    return found


def test_no_registry_is_named() -> None:
    assert [name for name, text in texts().items() if any(host in text for host in REGISTRIES)] == []


def test_locks_hold_no_url_of_a_package() -> None:
    for name in ("requirements.lock", "tests/peers/npm/package-lock.json"):
        text = (ROOT / name).read_text("utf-8")
        assert not re.search(r'(resolved|registry)["\s]*[=:]', text), name
    assert "://" not in (ROOT / "requirements.lock").read_text("utf-8")


def test_no_path_of_one_machine_is_named() -> None:
    path = re.compile(r"(?<![\w.])/(?:" + "wo" + r"rk|ro" + r"ot|home/\w+)/[\w.]")
    assert [name for name, text in texts().items() if path.search(text)] == []


def test_webauthn_is_the_one_that_we_mean() -> None:
    wrong = re.compile(r"(^|[^a-z])py" + r"[-_]webauthn([^a-z]|$)")
    files = ("pyproject.toml", "requirements.lock", "Makefile")
    assert [name for name in files if wrong.search((ROOT / name).read_text("utf-8"))] == []


def test_every_vendored_file_is_the_one_that_its_manifest_names() -> None:
    for manifest in ROOT.glob("*/web/static/vendor/manifest.json"):
        listed = json.loads(manifest.read_text("utf-8"))
        files = {str(path.relative_to(manifest.parent)) for path in manifest.parent.rglob("*") if path.is_file()}
        assert files - {"manifest.json"} == set(listed)
        for name, entry in listed.items():
            digest = hashlib.sha256((manifest.parent / name).read_bytes()).hexdigest()
            assert digest == entry["sha256"], name


def test_only_clients_import_the_http_client() -> None:
    importing = [
        str(path.relative_to(ROOT))
        for package in ("byoid", "issuer", "verifier", "wallet")
        for path in (ROOT / package).rglob("*.py")
        if any(_imports(node, "httpx2") for node in ast.walk(ast.parse(path.read_text("utf-8"))))
    ]
    assert [name for name in importing if not HTTP_CLIENTS.search(name)] == []


def _imports(node: ast.AST, name: str) -> bool:
    if isinstance(node, ast.Import):
        return any(alias.name.partition(".")[0] == name for alias in node.names)
    return isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == name
