"""The demo as its users start it: a process of its own, three servers, JSON for each step."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from demo.people import make_register

ROOT = Path(__file__).parents[2]
STEPS = {
    "register": None,
    "refused_unknown_birth_place": "credential_request_denied",
    "offered": None,
    "wallet_created": None,
    "received": None,
    "shown_to_library": None,
    "shown_to_shop": None,
    "revoked": None,
    "refused_revoked": "Revoked",
    "attacker_ready": None,
    "refused_replay": "ResponseRejected",
    "refused_other_audience": "HolderBindingError",
    "refused_changed_claim": "DigestMismatch",
    "refused_expired_request": "not_found",
}


def run_demo(state: Path, free_port: Callable[[], int], *options: str) -> tuple[int, list[dict[str, Any]]]:
    ports = {f"{name}_PORT": str(free_port()) for name in ("ISSUER", "VERIFIER", "WALLET")}
    done = subprocess.run(
        [sys.executable, "-m", "demo", "--once", "--json", "--state", str(state), *options],
        cwd=ROOT, env={**os.environ, **ports}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.slow
def test_every_step_does_what_it_should_in_a_folder_with_a_space(tmp_path: Path, free_port: Callable[[], int]) -> None:
    code, steps = run_demo(tmp_path / "a state", free_port)

    assert {step["step"]: step.get("error") for step in steps} == STEPS
    assert all(step["ok"] for step in steps)
    assert code == 0


@pytest.mark.slow
def test_another_register_gives_another_account(tmp_path: Path, free_port: Callable[[], int]) -> None:
    register = tmp_path / "register.db"
    make_register(register, seed=7, count=210)
    with closing(sqlite3.connect(register)) as connection, connection:
        connection.execute("UPDATE person SET family_name = 'Nobody-Else', country = 'FR'")
        connection.execute("DELETE FROM person WHERE birth_country IS NULL AND birth_locality IS NULL")

    code, steps = run_demo(tmp_path / "state", free_port, "--register", str(register))

    facts = {step["step"]: step for step in steps}
    assert code == 0
    assert "refused_unknown_birth_place" not in facts
    assert facts["register"]["people"] == 209
    assert facts["shown_to_library"]["claims"]["family_name"] == "Nobody-Else"
    assert facts["shown_to_shop"]["claims"] == {"address": {"country": "FR"}}


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path, free_port: Callable[[], int]) -> None:
    (tmp_path / "letter.txt").write_text("dear")

    code, steps = run_demo(tmp_path, free_port)

    assert (code != 0, steps) == (True, [])
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]
