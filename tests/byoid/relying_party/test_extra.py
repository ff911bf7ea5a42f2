"""What a service that verifies in its own process needs is in the extra `rp`, and not only in that of our services."""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[3]
NAMES = {"pydantic-settings": "pydantic_settings", "prometheus-client": "prometheus_client", "pillow": "PIL"}
MODULES = (
    "byoid.fetch",
    "byoid.relying_party.answers",
    "byoid.relying_party.client",
    "byoid.relying_party.fastapi",
    "byoid.relying_party.registration",
    "byoid.relying_party.sql",
    "byoid.service.database",
    "byoid.service.http",
    "byoid.service.qr",
    "byoid.service.seal",
    "byoid.service.trust_files",
)


def of_the_services_alone() -> list[str]:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    plain = [each.partition(";")[0].partition("[")[0].partition(">")[0].partition("=")[0] for each in extras["service"]]
    return [NAMES.get(each, each) for each in plain if each != "byoid"]


def test_a_relying_party_in_its_own_process_needs_nothing_of_the_extra_service() -> None:
    missing = of_the_services_alone()
    assert "pydantic_settings" in missing
    program = f"import sys; sys.modules.update(dict.fromkeys({missing!r}))\nimport {', '.join(MODULES)}"

    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
