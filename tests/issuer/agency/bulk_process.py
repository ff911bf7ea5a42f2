"""Works on a bulk job in a process of its own, until done or killed: `folder database_url job later_by_seconds`."""

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from issuer import bulk
from issuer.app import open_agency
from issuer.attributes import PersonUnknown, Record
from issuer.settings import IssuerSettings


class Nothing:
    """A register that nobody asks."""

    async def record(self, person: str, credential_type: str) -> Record:
        raise PersonUnknown("nobody is asked for")


def opened(folder: Path, url: str, *, later: timedelta = timedelta()) -> Any:
    settings = IssuerSettings.load(
        profile="demo", public_url="https://issuer.test", database_url=url, sealing_keys=f"demo:{'A' * 43}",
        keys=folder / "pki", trust=folder / "pki" / "trust.toml",
    )  # fmt: skip
    return open_agency(settings, source=Nothing(), clock=lambda: datetime.now(UTC) + later)


async def main(folder: str, url: str, job: str, later: str) -> None:
    async with opened(Path(folder), url, later=timedelta(seconds=float(later))) as agency:
        await bulk.run(agency, job)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
