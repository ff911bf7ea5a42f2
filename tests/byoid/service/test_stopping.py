"""A process that is told to stop (SIGTERM) finishes what it has begun and gives back what it holds."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import select

from byoid.encoding import b64u_encode
from byoid.service.database import Database, service_metadata
from byoid.service.jobs import JobRunner, every, jobs_table

METADATA = service_metadata()
TABLE = jobs_table(METADATA)
SERVICE = """
import asyncio
from pathlib import Path
from pydantic_settings import SettingsConfigDict
from sqlalchemy import MetaData
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from byoid.service.cli import commands
from byoid.service.migrations import Migrations
from byoid.service.settings import ServiceSettings


class Settings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="SLOW_")


async def slow(request):
    Path("begun").touch()
    while not Path("go").exists():
        await asyncio.sleep(0.01)
    return PlainTextResponse("answered")


async def jobs(settings):
    try:
        Path("begun").touch()
        await asyncio.sleep(60)
    finally:
        Path("given_back").touch()


def make():
    return Starlette(routes=[Route("/slow", slow)])


if __name__ == "__main__":
    commands(settings=Settings, factory="slow:make", migrations=Migrations(MetaData(), Path(), "v"), jobs=jobs)()
"""


def start(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    (folder / "slow.py").write_text(textwrap.dedent(SERVICE))
    settings = {
        "SLOW_PROFILE": "demo", "SLOW_PUBLIC_URL": "https://slow.test", "SLOW_DATABASE_URL": "sqlite://",
        "SLOW_SEALING_KEYS": "demo:" + b64u_encode(bytes(32)), "PYTHONPATH": f"{folder}:{Path.cwd()}",
    }  # fmt: skip
    return subprocess.Popen([sys.executable, "slow.py", *arguments], cwd=folder, env={**os.environ, **settings})


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_request_that_has_begun_is_answered(tmp_path: Path, free_port: Callable[[], int]) -> None:
    port = free_port()
    process = start(tmp_path, "serve", "--port", str(port))
    async with httpx2.AsyncClient(timeout=30) as http:
        begun, url = tmp_path / "begun", f"http://127.0.0.1:{port}/slow"

        async def ask() -> str:
            while True:
                try:
                    return (await http.get(url)).text
                except httpx2.ConnectError:
                    await asyncio.sleep(0.05)

        answer = asyncio.create_task(ask())
        await until(begun.exists)
        process.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.2)
        with pytest.raises(httpx2.HTTPError):
            await httpx2.AsyncClient(timeout=1).get(url)  # no new ones
        (tmp_path / "go").touch()
        assert await answer == "answered"
    assert await asyncio.to_thread(process.wait, 30) in {0, -signal.SIGTERM}


async def test_jobs_give_back_what_they_hold(tmp_path: Path) -> None:
    process = start(tmp_path, "jobs")
    await until((tmp_path / "begun").exists)
    process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(process.wait, 30) == 0
    assert (tmp_path / "given_back").exists()


async def test_another_worker_goes_on_with_a_job_at_once(database: Database, clock: Callable[[], None]) -> None:
    await database.create_all(METADATA)
    runner, begun = JobRunner(database, TABLE, clock=clock), asyncio.Event()

    async def forever() -> int:
        begun.set()
        await asyncio.sleep(60)
        return 0

    async def quick() -> int:
        return 1

    running = asyncio.create_task(runner.run_once(every(timedelta(hours=1), forever, name="job")))
    await begun.wait()
    assert await runner.run_once(every(timedelta(hours=1), quick, name="job")) is None
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (await database.fetch(select(TABLE.c.holder))).rows
    assert await runner.run_once(every(timedelta(hours=1), quick, name="job")) == 1
