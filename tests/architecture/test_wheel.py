"""The wheel: it holds the library alone, and works in an environment that has nothing else."""

import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FRAMEWORKS = ("fastapi", "sqlmodel", "sqlalchemy", "httpx2", "starlette", "uvicorn", "jinja2")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has the wheel and what it asks for, in the locked versions."""
    folder = tmp_path_factory.mktemp("empty") / "environment"
    venv.create(folder)
    interpreter = folder / "bin" / "python"
    constraints = folder / "constraints.txt"
    pins = (line.split()[0] for line in (ROOT / "requirements.lock").read_text("utf-8").splitlines() if "==" in line)
    constraints.write_text("\n".join(pins), "utf-8")
    subprocess.run(
        [sys.executable, "-m", "uv", "pip", "install", "-q", "--python", interpreter, "-c", constraints, wheel],
        check=True, capture_output=True, cwd=folder,
    )  # fmt: skip
    return interpreter


def test_the_wheel_holds_only_the_library(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        roots = {name.partition("/")[0] for name in archive.namelist()}
        assert {root for root in roots if not root.endswith(".dist-info")} == {"byoid"}
        assert "byoid/py.typed" in archive.namelist()


@pytest.mark.slow
def test_the_base_install_verifies_and_has_no_framework(python: Path, tmp_path: Path) -> None:
    program = (
        "import importlib.util, sys, byoid\n"
        "from byoid import verify_vp_token\n"
        f"present = [name for name in {FRAMEWORKS!r} if importlib.util.find_spec(name) or name in sys.modules]\n"
        "print(present, byoid.__file__.startswith(sys.prefix))"
    )
    done = subprocess.run([python, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] True"


@pytest.mark.slow
def test_the_base_install_asks_for_four_libraries(python: Path) -> None:
    program = "from importlib.metadata import requires; print(*requires('byoid'), sep=chr(10))"
    done = subprocess.run([python, "-c", program], capture_output=True, text=True, check=True)
    asked = [line for line in done.stdout.splitlines() if "extra ==" not in line]
    assert {re.split(r"[<>=\s]", line)[0] for line in asked} == {"cryptography", "joserfc", "cbor2", "pydantic"}
