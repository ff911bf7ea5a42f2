"""The commands that every service has."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from pydantic_settings import SettingsConfigDict
from sqlalchemy import MetaData
from typer.testing import CliRunner

from byoid.errors import MalformedInput
from byoid.service import cli
from byoid.service.connection import DatabaseUnavailable
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
    monkeypatch.setattr(Migrations, "require_current", lambda self, url: None)
    monkeypatch.setattr("byoid.service.logging.configure", lambda **_: None)
    return calls


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the application opened when it started, which fails for a key named `lost`."""
    opened: list[str] = []

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        opened.append("keys")
        if os.environ.get("THING_KEY") == "lost":
            raise MalformedInput("credential.key cannot be read")
        yield

    thing = ModuleType("thing.app")
    thing.make = lambda: FastAPI(lifespan=lifespan)  # type: ignore[attr-defined]  # a module made for this test
    monkeypatch.setitem(sys.modules, "thing", ModuleType("thing"))
    monkeypatch.setitem(sys.modules, "thing.app", thing)
    return opened


@pytest.fixture
def run(calls: Calls, opened: list[str], values: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Any:
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


def test_settings_open_what_they_name(run: Any, opened: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("settings").exit_code == 0
    assert opened == ["keys"]
    monkeypatch.setenv("THING_KEY", "lost")
    result = run("settings")
    assert (result.exit_code, result.stderr) == (2, "credential.key cannot be read\n")


def test_a_start_that_fails_ends_with_its_reason_in_one_line(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise SystemExit(3)

    monkeypatch.setattr(uvicorn, "run", fail)
    assert run("serve").exit_code == 3  # something else, such as a port that is taken: uvicorn has said it
    monkeypatch.setenv("THING_KEY", "lost")
    result = run("serve")
    assert (result.exit_code, result.stderr) == (2, "credential.key cannot be read\n")


@pytest.mark.parametrize("command", ["serve", "jobs", "settings"])
def test_production_wants_a_database_that_is_up_to_date(
    run: Any, calls: Calls, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    def refuse(self: Migrations, url: str) -> None:
        raise DatabaseUnavailable("run migrate first")

    monkeypatch.setattr(Migrations, "require_current", refuse)
    result = run(command)
    assert (result.exit_code, result.stderr, calls.made) == (2, "run migrate first\n", [])


@pytest.mark.parametrize("command", ["serve", "jobs"])
def test_a_demo_makes_its_own_tables(run: Any, calls: Calls, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setenv("THING_PROFILE", "demo")
    monkeypatch.setattr(Migrations, "require_current", lambda self, url: pytest.fail("a demo is not migrated"))
    assert run(command).exit_code == 0
