"""What runs in production, made as the image makes it, and a way to run it as nobody."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOBODY = 65534


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with what runs in production and nothing else."""
    folder = tmp_path_factory.mktemp("runtime") / "environment"
    subprocess.run([ROOT / "tools" / "runtime", folder], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def place() -> Iterator[Path]:
    """A folder that nobody may enter, as pytest's own is not."""
    folder = Path(tempfile.mkdtemp(prefix="byoid-deploy-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def as_nobody() -> list[str]:
    """What to put before a command, so that it runs without root. It may read what a developer's home hides: Python."""
    if os.getuid() != 0:
        return []
    caps = "-all,+dac_read_search"
    return [
        "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs",
        f"--inh-caps={caps}", f"--ambient-caps={caps}", f"--bounding-set={caps}",
    ]  # fmt: skip
