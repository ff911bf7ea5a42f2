"""The conformance suite of the OpenID Foundation, driven over its own HTTP API: plans, modules, what they say.

The suite runs elsewhere (README.md here says how). A plan is a list of test modules with a configuration; a module is
created, waits for what its driver does, and finishes with a result and a log.
"""

import asyncio
import base64
import json
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

import httpx2

_PERIOD: Final = 0.5  # seconds between two looks at a module
_ENDED: Final = frozenset({"FINISHED", "INTERRUPTED"})
_BAD: Final = frozenset({"FAILURE", "WARNING"})
CHROMIUM: Final = "/usr/bin/chromium"
# A connection for each request: one that rests between two modules may be closed just when it is used again.
FRESH: Final = httpx2.Limits(max_keepalive_connections=0)
Variant: TypeAlias = Mapping[str, str]
Plan: TypeAlias = tuple[str, list[tuple[str, Variant]]]


def certificate_of(url: str) -> str:
    """Return the certificate (PEM) that a server shows: the suite's is its own authority."""
    parts = urlsplit(url)
    return ssl.get_server_certificate((parts.hostname or "localhost", parts.port or 443))


@dataclass(frozen=True, slots=True)
class Finding:
    """A condition that failed, or that warned."""

    result: str
    condition: str
    message: str
    requirements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a module ended: PASSED, WARNING, REVIEW, SKIPPED, FAILED, or the status in which it hung."""

    module: str
    variant: Variant
    test_id: str
    result: str
    seconds: float
    findings: tuple[Finding, ...] = ()

    @property
    def good(self) -> bool:
        """Tell whether a certification would take it: nothing failed, and what a person looks at was shown."""
        return self.result in {"PASSED", "REVIEW", "SKIPPED", "WARNING"}


@dataclass
class Running:
    """A module that runs; a driver does what it waits for."""

    suite: "Suite"
    id: str
    module: str
    variant: Variant
    visited: set[str] = field(default_factory=set)

    async def exposed(self) -> dict[str, Any]:
        """Return the values that the module shows to whoever drives it, such as addresses."""
        found = await self.suite.get(f"api/runner/{self.id}")
        return dict(found.get("exposed") or {})

    async def urls(self) -> list[str]:
        """Return the addresses that the module wants a browser to open, and that `visit` has not been told of."""
        browser = await self.suite.get(f"api/runner/browser/{self.id}")
        wanted = [*browser.get("urls", ()), *(each["url"] for each in browser.get("urlsWithMethod", ()))]
        return [url for url in dict.fromkeys(wanted) if url not in self.visited]

    async def visit(self, url: str) -> None:
        """Note that a browser has opened an address."""
        self.visited.add(url)
        await self.suite.post(f"api/runner/browser/{self.id}/visit", params={"url": url})

    async def log(self) -> list[dict[str, Any]]:
        """Return all entries of the log."""
        return list(await self.suite.get(f"api/log/{self.id}"))

    async def show(self, picture: bytes) -> None:
        """Give a picture (PNG) for every place in the log that waits for one."""
        for entry in await self.log():
            if place := entry.get("upload"):
                await self.suite.upload(f"api/log/{self.id}/images/{place}", picture)


Driver: TypeAlias = Callable[[Running], Awaitable[None]]


class Suite:
    """A suite at an address, such as https://localhost:8443; its certificate is its own."""

    def __init__(self, address: str) -> None:
        base = f"{address.rstrip('/')}/"
        self._client = httpx2.AsyncClient(base_url=base, verify=False, timeout=60, limits=FRESH)

    async def __aenter__(self) -> "Suite":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def get(self, path: str) -> Any:
        """Return what is at a path of the API."""
        return (await self._client.get(path)).raise_for_status().json()

    async def post(self, path: str, *, params: Mapping[str, str] | None = None, body: Any = None) -> Any:
        """Post a JSON object; return the answer, None without one."""
        answer = (await self._client.post(path, params=params, json=body)).raise_for_status()
        return answer.json() if answer.content else None

    async def upload(self, path: str, picture: bytes) -> None:
        """Give a picture for a place in a log."""
        encoded = "data:image/png;base64," + base64.b64encode(picture).decode()
        (await self._client.post(path, content=encoded, headers={"content-type": "text/plain"})).raise_for_status()

    async def plan(
        self, name: str, variant: Variant, config: Mapping[str, Any]
    ) -> tuple[str, list[tuple[str, Variant]]]:
        """Create a plan; return its id, and its modules, each with its variant."""
        made = await self.post("api/plan", params={"planName": name, "variant": json.dumps(variant)}, body=config)
        return made["id"], [(each["testModule"], each.get("variant") or {}) for each in made["modules"]]

    async def run(self, plan: str, module: str, variant: Variant, *, drive: Driver, seconds: float = 90) -> Outcome:
        """Run a module to its end; `drive` is called again and again while it waits."""
        begun = time.monotonic()
        made = await self.post("api/runner", params={"test": module, "plan": plan, "variant": json.dumps(variant)})
        running = Running(self, made["id"], module, variant)
        info = await self._follow(running, drive, deadline=begun + seconds)
        entries = await running.log()
        result = info.get("result") or info["status"]
        return Outcome(module, variant, running.id, result, time.monotonic() - begun, _findings(entries))

    async def _follow(self, running: Running, drive: Driver, *, deadline: float) -> dict[str, Any]:
        while (info := await self.get(f"api/info/{running.id}"))["status"] not in _ENDED:
            if time.monotonic() > deadline:
                await self._client.delete(f"api/runner/{running.id}")
                return {**info, "result": f"HUNG {info['status']}"}
            if info["status"] == "CONFIGURED":
                await self.post(f"api/runner/{running.id}")
            elif info["status"] == "WAITING":
                await drive(running)
            await asyncio.sleep(_PERIOD)
        return dict(info)


def _findings(entries: Sequence[Mapping[str, Any]]) -> tuple[Finding, ...]:
    return tuple(
        Finding(each["result"], each.get("src", ""), each.get("msg", ""), tuple(each.get("requirements", ())))
        for each in entries
        if each.get("result") in _BAD
    )
