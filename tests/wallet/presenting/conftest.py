"""A citizen with cards in both formats, and a verifier; both in this process."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest

from demo.pki import make_pki
from tests.peers.dishonest_verifier import URL, VerifierPeer
from tests.wallet.holder import Holder
from tests.wallet.world import Citizen, open_wallet
from wallet.context import Wallet

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


@dataclass
class Clock:
    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("presenting") / "pki"
    make_pki(folder, host="verifier.test", now=NOW - timedelta(hours=1))
    return folder


@pytest.fixture
def verifier(pki: Path, clock: Clock) -> VerifierPeer:
    return VerifierPeer(pki, clock)


@pytest.fixture
async def wallet(pki: Path, verifier: VerifierPeer, clock: Clock) -> AsyncIterator[Wallet]:
    mounts = {URL: httpx2.MockTransport(lambda request: verifier.handle(request))}
    async with open_wallet(pki, clock=clock, mounts=mounts) as wallet:
        yield wallet


@pytest.fixture
async def holder(wallet: Wallet, pki: Path) -> Holder:
    """Somebody with one PID in each format."""
    found = Holder(wallet, await Citizen(wallet).register(), pki)
    found.cards = {"sd_jwt": await found.add_sd_jwt(), "mdoc": await found.add_mdoc()}
    return found


@pytest.fixture
def new_holder(wallet: Wallet, pki: Path) -> Callable[[], Awaitable[Holder]]:
    async def make() -> Holder:
        return Holder(wallet, await Citizen(wallet).register(), pki)

    return make
