"""The README as a new user would follow it: every command is run, in order, in an empty folder."""

import asyncio
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from typer.testing import CliRunner

from byoid.jose import parse_jws
from issuer.__main__ import app
from tests.peers.dishonest_wallet.wallet import Wallet

ROOT = Path(__file__).parents[3]
README = ROOT / "issuer" / "README.md"


class Shell:
    """One bash that runs the README's blocks one after the other, and keeps its environment."""

    def __init__(self, folder: Path, port: int) -> None:
        environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "HOME": str(folder),
            "LANG": "C.UTF-8",
        }
        self.folder, self.port = folder, port
        self.environment = environment
        self.servers: list[subprocess.Popen[bytes]] = []

    def run(self, block: str) -> str:
        """Run a block. What is nothing but a call of ours runs in this process, since starting one takes seconds."""
        output = ""
        for is_ours, part in split(block.replace("8001", str(self.port))):
            output += self._ours(part) if is_ours else self._bash(part)
        return output

    def _ours(self, command: str) -> str:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            for name, value in self.environment.items():
                patch.setenv(name, value)
            done = CliRunner().invoke(app, shlex.split(command)[3:], catch_exceptions=False)
        assert done.exit_code == 0, f"{command}\n{done.output}"
        return done.stdout

    def _bash(self, script: str) -> str:
        script = f"set -e\n{script}\nenv -0 > .environment"
        done = subprocess.run(
            ["bash", "-c", script], cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        pairs = (self.folder / ".environment").read_text("utf-8").split("\0")
        self.environment = dict(pair.split("=", 1) for pair in pairs if pair)
        return done.stdout

    def start(self, block: str) -> None:
        command = block.replace("8001", str(self.port)).split()
        log = (self.folder / f"server{len(self.servers)}.log").open("wb")
        self.servers.append(
            subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=log, stderr=subprocess.STDOUT)
        )
        log.close()

    def stop(self) -> None:
        for server in self.servers:
            server.terminate()
        for server in self.servers:
            server.wait(20)


@pytest.fixture
def shell(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Shell]:
    shutil.copytree(ROOT / "issuer" / "catalogue", tmp_path / "issuer" / "catalogue")
    shell = Shell(tmp_path, free_port())
    yield shell
    shell.stop()


def split(block: str) -> Iterator[tuple[bool, str]]:
    """Yield the calls of ours that stand alone, and what is between them."""
    script: list[str] = []
    for line in block.splitlines():
        if line.startswith("python -m issuer "):
            if script:
                yield False, "\n".join(script)
                script = []
            yield True, line
        else:
            script.append(line)
    if script:
        yield False, "\n".join(script)


def blocks(path: Path) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```", path.read_text("utf-8"), re.S | re.M)


async def _wait(url: str) -> None:
    async with httpx2.AsyncClient() as http:
        for _ in range(300):
            with suppress(httpx2.HTTPError):
                if (await http.get(f"{url}/readyz")).status_code == 200:
                    return
            time.sleep(0.1)
    pytest.fail("the server did not start")


async def _receive(url: str, offered: dict[str, Any]) -> list[dict[str, Any]]:
    async with httpx2.AsyncClient(base_url=url, timeout=30) as http:
        wallet = Wallet(http=http, issuer=url, clock=lambda: datetime.now(UTC), provider=None, client_id=None)
        offer = (await http.get(offered["uri"])).json()
        answer = await wallet.redeem_offer(offer, offered["tx_code"])
        assert answer.status_code == 200, answer.text
        answer = await wallet.request({"credential_configuration_id": "library_card"}, keys=2)
        assert answer.status_code == 200, answer.text
        credentials: list[dict[str, Any]] = answer.json()["credentials"]
        return credentials


@pytest.mark.slow
def test_the_readme_leads_to_a_credential(shell: Shell) -> None:
    url, outputs = f"http://localhost:{shell.port}", {}
    for block in blocks(README):
        if block.startswith(("python -m issuer serve", "python -m issuer jobs")):
            shell.start(block)
            asyncio.run(_wait(url))
            continue
        outputs[block] = output = shell.run(block)
        if block.startswith("python -m issuer offer R-1001"):
            (credential, _) = asyncio.run(_receive(url, json.loads(output)))
            claims = parse_jws(credential["credential"].partition("~")[0]).claims()
            assert claims["vct"] == f"{url}/types/library_card"
            assert claims["status"]["status_list"]["uri"].startswith(url)
    found = "".join(outputs.values())
    assert '{"changed": 2}' in found
    offers = (shell.folder / "agency" / "offers.csv").read_text("utf-8")
    assert offers.count("openid-credential-offer://") == 2
    letters = (shell.folder / "agency" / "letters.html").read_text("utf-8")
    assert "Ada Example" in letters and "guardian" in letters


def test_the_guide_to_types_is_right(shell: Shell) -> None:
    for block in blocks(ROOT / "issuer" / "catalogue" / "README.md"):
        assert "Student card" in shell.run(block)
