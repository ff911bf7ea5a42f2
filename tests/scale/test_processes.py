"""Workers of a role: all of them start, or none is left."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from benchmarks.load.processes import Role

# Whoever makes the folder is ready and stays; the other one cannot start.
SCRIPT = """
import os, sys, time
try:
    os.mkdir(sys.argv[1])
except FileExistsError:
    sys.exit("no place left")
print("ready", flush=True)
time.sleep(600)
"""


async def test_where_one_worker_cannot_start_none_outlives_the_role(tmp_path: Path) -> None:
    role = Role("issuer", (), 2, os.environ, tmp_path / "log")
    role._command = [sys.executable, "-c", SCRIPT, str(tmp_path / "place")]
    with pytest.raises(ExceptionGroup) as raised:
        await role.start()
    assert raised.group_contains(RuntimeError, match="no place left")
    await role.stop()
    async with asyncio.timeout(20):
        while living(str(tmp_path / "place")):
            await asyncio.sleep(0.05)


def living(argument: str) -> list[str]:
    """Return this process's children that were called with an argument."""
    children = [pid for each in Path("/proc/self/task").glob("*/children") for pid in each.read_text().split()]
    return [pid for pid in children if argument.encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")]
