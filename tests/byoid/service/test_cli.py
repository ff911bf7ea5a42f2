"""The commands that every service has."""

from pathlib import Path
from typing import Any

import pytest
import uvicorn
from pydantic_settings import SettingsConfigDict
from sqlalchemy import MetaData
from typer.testing import CliRunner

from byoid.service import cli
from byoid.service.migrations import Migrations
from byoid.service.settings import ServiceSettings


class ThingSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="THING_")


class Calls:
    """What the commands did."""

    def __init__(self) -> None:
        self.made: list[Any] = []

    def __call__(self, *positional: Any, **named: Any) -> None:
        self.made.append((positional, named))

    async def jobs(self, settings: ServiceSettings) -> None:
        self.made.append(settings)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    calls = Calls()
    monkeypatch.setattr(uvicorn, "run", calls)
    monkeypatch.setattr(Migrations, "upgrade", calls)
    monkeypatch.setattr("byoid.service.logging.configure", lambda **_: None)
    return calls


@pytest.fixture
def run(calls: Calls, values: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, value in values.items():
        monkeypatch.setenv(f"THING_{name.upper()}", value)
    migrations = Migrations(MetaData(), Path(), "v")
    app = cli.commands(settings=ThingSettings, factory="thing.app:make", migrations=migrations, jobs=calls.jobs)
    return lambda *arguments: CliRunner().invoke(app, arguments)


def test_serve_runs_the_factory_without_uvicorns_access_log(run: Any, calls: Calls) -> None:
    assert run("serve", "--port", "8001").exit_code == 0
    ((positional, named),) = calls.made
    assert positional == ("thing.app:make",)
    assert (named["factory"], named["port"], named["access_log"]) == (True, 8001, False)


def test_migrate_brings_the_database_up_to_date(run: Any, calls: Calls) -> None:
    assert run("migrate").exit_code == 0
    assert calls.made == [(("sqlite:///issuer.db", "head"), {})]


def test_jobs_run(run: Any, calls: Calls) -> None:
    assert run("jobs").exit_code == 0
    assert isinstance(calls.made[0], ThingSettings)


def test_a_new_key_is_one_that_the_settings_accept(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THING_SEALING_KEYS", run("key", "2026").stdout.strip())
    assert run("settings").exit_code == 0


@pytest.mark.parametrize("command", ["serve", "migrate", "jobs", "settings"])
def test_wrong_settings_end_every_command(
    run: Any, calls: Calls, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("THING_PUBLIC_URL", "http://issuer.example")
    monkeypatch.setenv("THING_DATABASE_URL", "nonsense")
    result = run(command)
    assert result.exit_code == 2
    assert "THING_PUBLIC_URL" in result.output
    assert "THING_DATABASE_URL" in result.output
    assert calls.made == []
