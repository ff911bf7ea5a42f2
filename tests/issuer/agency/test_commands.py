"""The command line of the agency's operator: what it refuses, and says, before anything is lost."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from issuer.__main__ import app
from tests.issuer.conftest import ADA

Run = Callable[..., Any]


@pytest.fixture
def run(issuer_settings: dict[str, Any], agency: Path, tmp_path: Path) -> Run:
    mapping = '[attributes]\nfamily_name = "family_name"\n'
    (tmp_path / "mapping.toml").write_text(mapping, "utf-8")
    (tmp_path / "source.toml").write_text(
        f'kind = "sql"\nmapping = "mapping.toml"\nurl = "sqlite:///{agency}/register.db"\n'
        'query = "SELECT * FROM person WHERE person_number = :person"\n', "utf-8"
    )  # fmt: skip
    environment = {f"ISSUER_{name.upper()}": str(value) for name, value in issuer_settings.items()}
    environment["ISSUER_SOURCE"] = str(tmp_path / "source.toml")
    return lambda *arguments, **changes: CliRunner().invoke(app, [*map(str, arguments)], env={**environment, **changes})


def test_what_failed_in_a_bulk_is_counted_and_where_to_read_why(run: Run, tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text(f"nr;person\n1;{ADA}\n2;nobody\n", "utf-8")
    out = tmp_path / "offers.csv"
    made = run("bulk-offers", tmp_path / "people.csv", "-c", "pid_sd_jwt", "--offer-by", "letter", "--out", out)
    assert made.exit_code == 0, made.stderr
    assert f"1 offered, 1 failed: {out} says why" in made.stderr
    assert "the register has nobody with this key" in out.read_text("utf-8")


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("nr\n1\n", "people.csv, row 1: expected the key of a person in column 'person'"),
        ('person\n""\n', "people.csv, row 1: expected the key of a person in column 'person'"),
        ("person;x\n1\n", "people.csv: "),
        ("", "people.csv: expected a head line"),
    ],
    ids=["another column", "an empty key", "a short row", "nothing"],
)
def test_a_file_without_people_makes_no_job(run: Run, tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "people.csv").write_text(content, "utf-8")
    made = run("bulk-offers", tmp_path / "people.csv", "-c", "pid_sd_jwt", "--out", tmp_path / "offers.csv")
    assert made.exit_code == 2
    assert said in made.stderr
    assert "job" not in made.stderr


def test_letters_that_were_forgotten_here_are_not_overwritten(run: Run, tmp_path: Path) -> None:
    letters = tmp_path / "letters.html"
    assert run("offer", ADA, "-c", "pid_sd_jwt", "--offer-by", "letter").exit_code == 0
    assert run("letters", letters).stderr == "1 letters\n"
    written = letters.read_text("utf-8")
    assert run("offer", ADA, "-c", "pid_sd_jwt", "--offer-by", "letter").exit_code == 0
    assert run("letters", letters).exit_code == 2
    assert letters.read_text("utf-8") == written
    assert run("letters", tmp_path / "more.html").stderr == "1 letters\n"


@pytest.mark.hostile
def test_what_is_wrong_is_said_in_one_line(run: Run) -> None:
    made = run("offer", ADA, "-c", "passport")
    assert (made.exit_code, made.stderr.count("\n")) == (2, 1)
    assert "this issuer has" in made.stderr and "pid_sd_jwt" in made.stderr
    made = run("offer", ADA, "-c", "pid_sd_jwt", ISSUER_DATABASE_URL="postgresql://a@127.0.0.1:1/b")
    assert (made.exit_code, made.stderr.count("\n")) == (2, 1)
    assert "ConnectionRefusedError" in made.stderr


@pytest.mark.hostile
def test_a_register_that_cannot_be_asked_is_explained(run: Run, tmp_path: Path) -> None:
    source = tmp_path / "source.toml"
    source.write_text(source.read_text("utf-8").replace("FROM person", "FROM people"), "utf-8")
    made = run("offer", ADA, "-c", "pid_sd_jwt", "--offer-by", "letter")
    assert made.exit_code == 2
    assert "the register does not answer: OperationalError" in made.stderr
