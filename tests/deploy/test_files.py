"""What cannot be run here, a container engine and a cluster, is at least held to its linters and to our own rules."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
BIN = ROOT / ".venv" / "bin"
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))


def run(*command: object) -> str:
    done = subprocess.run([str(each) for each in command], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text("utf-8")))


def test_the_container_file_is_what_its_linter_wants() -> None:
    run(BIN / "hadolint", DEPLOY / "Containerfile")


def test_the_nginx_file_is_what_its_linter_wants() -> None:
    # `$ssl_client_escaped_cert` is percent-encoded: no line can end in it.
    run(BIN / "gixy", "--skips", "http_splitting", DEPLOY / "nginx" / "nginx.conf")


@pytest.mark.hostile
def test_nginx_logs_no_addresses_and_no_queries() -> None:
    """A refused connection is an `error`, a long body a `warn`: both with the client and the whole request."""
    text = (DEPLOY / "nginx" / "nginx.conf").read_text()
    assert re.findall(r"error_log .*;", text) == ["error_log stderr crit;"]
    (form,) = re.findall(r"log_format lean '(.*)';", text)
    assert not re.search(r"remote_addr|\$request |request_uri|args|query|referer|user_agent|uri", form)


@pytest.mark.hostile
def test_no_part_of_the_nginx_file_lets_through_what_clients_say_of_themselves() -> None:
    """A server or location that sets one header for its upstream sets none of those above it."""
    above, _, inside = (DEPLOY / "nginx" / "nginx.conf").read_text().partition("server {")
    assert above.count("proxy_set_header") == 6
    assert "proxy_set_header" not in inside


def test_the_yaml_is_what_its_linter_wants() -> None:
    run(BIN / "yamllint", "-c", DEPLOY / ".yamllint", DEPLOY)


def test_the_manifests_are_what_kubernetes_knows() -> None:
    run(BIN / "kubernetes-validate", "--strict", *MANIFESTS)


def pods() -> list[tuple[str, dict[str, Any]]]:
    found = []
    for path in MANIFESTS:
        for document in documents(path):
            template = document.get("spec", {}).get("template")
            if template:
                found.append((f"{document['kind']} {document['metadata']['name']}", template["spec"]))
    return found


@pytest.mark.parametrize(("name", "pod"), pods(), ids=[name for name, _ in pods()])
def test_a_pod_has_no_more_than_it_needs(name: str, pod: dict[str, Any]) -> None:
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        allowed = container["securityContext"]
        assert allowed["readOnlyRootFilesystem"] is True
        assert allowed["allowPrivilegeEscalation"] is False
        assert allowed["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]
        assert re.search(r":[\d.]+[\w.-]*$", container["image"]), "an image has a version"
        assert "env" not in container, "secrets come from secrets"


def test_every_file_that_kustomize_names_is_there_and_the_other_way_round() -> None:
    [kustomization] = documents(DEPLOY / "kustomization.yaml")
    named = {DEPLOY / each for each in kustomization["resources"]}
    assert named == set(MANIFESTS) - {DEPLOY / "kubernetes" / "migrate.yaml"}
    [made] = kustomization["configMapGenerator"]
    assert all((DEPLOY / each).is_file() for each in made["files"])


def test_every_selector_finds_a_pod() -> None:
    labels = [
        document["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/component"]
        for path in MANIFESTS for document in documents(path) if "template" in document.get("spec", {})
    ]  # fmt: skip
    for path in MANIFESTS:
        for document in documents(path):
            if document["kind"] == "Service":
                assert document["spec"]["selector"]["app.kubernetes.io/component"] in labels


def test_compose_runs_our_services_as_nobody_on_a_read_only_tree() -> None:
    [compose] = documents(DEPLOY / "compose.yaml")
    for name, service in compose["services"].items():
        assert re.search(r":[\d.]+[\w.-]*$", service["image"]), name
        assert not service.get("privileged"), name
        if name != "database":
            assert service["read_only"] is True, name
            assert service["cap_drop"] == ["ALL"], name
            assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "environment" not in service, "secrets come from files that are not in git"
    assert compose["networks"]["inside"] == {"internal": True}
    assert compose["services"]["vault"]["networks"] == ["inside"], "the vault reaches nothing but its database"


def test_what_our_services_write_belongs_to_nobody_in_the_image() -> None:
    [made] = re.findall(r"^RUN install -d -o 65534 -g 65534 (.*)$", (DEPLOY / "Containerfile").read_text("utf-8"), re.M)
    [compose] = documents(DEPLOY / "compose.yaml")
    mounted = [
        each.partition(":")[2]
        for service in compose["services"].values() if "byoid" in service["image"]
        for each in service.get("volumes", ()) if not each.endswith(":ro")
    ]  # fmt: skip
    assert set(mounted) == set(made.split())


def test_each_migration_has_the_settings_that_its_command_reads() -> None:
    found = {}
    for document in documents(DEPLOY / "kubernetes" / "migrate.yaml"):
        [container] = document["spec"]["template"]["spec"]["containers"]
        [source] = container["envFrom"]
        found[source["secretRef"]["name"]] = container["args"]
    assert found == {
        "issuer": ["issuer", "migrate"], "verifier": ["verifier", "migrate"], "wallet": ["wallet", "migrate"],
        "vault": ["wallet.vault", "migrate"],
    }  # fmt: skip


def test_the_bill_of_materials_names_every_package_that_runs(tmp_path: Path, runtime: Path) -> None:
    run(ROOT / "tools" / "sbom", tmp_path / "byoid.cdx.json", runtime)
    bill = json.loads((tmp_path / "byoid.cdx.json").read_text("utf-8"))
    assert bill["bomFormat"] == "CycloneDX"
    named = {each["name"].lower().replace("_", "-") for each in bill["components"]}
    assert {"cryptography", "joserfc", "fastapi", "sqlmodel", "webauthn", "asyncpg", "uvicorn"} <= named
    assert not {"pytest", "ruff", "mypy", "hypothesis"} & named
    assert all(each.get("licenses") for each in bill["components"] if each["name"] in {"cryptography", "fastapi"})
