"""The verifier's migrations make the tables that the code expects, on both engines; its commands work."""

import asyncio
from pathlib import Path

import pytest
from typer.testing import CliRunner

from byoid.encoding import b64u_encode
from tests.verifier.world import World
from verifier.__main__ import MIGRATIONS, app


async def test_migrations_make_what_the_code_expects(database_url: str) -> None:
    await asyncio.to_thread(MIGRATIONS.upgrade, database_url)
    assert await asyncio.to_thread(MIGRATIONS.drift, database_url) == []


def test_an_operator_adds_a_service_and_its_keys(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "PROFILE": "demo", "PUBLIC_URL": "https://verifier.test", "DATABASE_URL": f"sqlite:///{tmp_path}/v.db",
        "SEALING_KEYS": "demo:" + b64u_encode(bytes(32)), "KEYS": str(world.folder),
        "TRUST": str(world.folder / "trust.toml"),
    }.items():  # fmt: skip
        monkeypatch.setenv(f"VERIFIER_{name}", value)
    runner = CliRunner()
    assert runner.invoke(app, ["migrate"]).exit_code == 0
    added = runner.invoke(app, ["add-service", "shop", "Shop", "--key-name", "access-shop"])
    assert added.output.startswith("byoid_")
    assert runner.invoke(app, ["add-key", "shop", "second"]).output.startswith("byoid_")
    assert "1 revoked" in runner.invoke(app, ["revoke-key", "shop", "second"]).output
    assert "shop\tx509_hash\tShop" in runner.invoke(app, ["services"]).output
