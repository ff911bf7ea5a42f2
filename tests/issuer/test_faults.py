"""What is left when the issuer dies in the middle, or what it needs fails: nothing twice, nothing unrecorded.

`Mortal` stands before the database, the signers and the source, and dies at the n-th call, before or after doing it.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from byoid.formats.sd_jwt_vc import parse_sd_jwt_vc
from byoid.service.database import Database, execute_writes
from issuer.attributes import SourceUnavailable
from issuer.keys import Signers
from issuer.status_lists import OpenLists, open_lists
from issuer.store import Store
from issuer.tables import IssuerTable

PID = {"credential_configuration_id": "pid_sd_jwt"}
ISSUANCES = select(IssuerTable.metadata.tables["issuance"])


class Killed(BaseException):
    """The process is gone. No `except` of the issuer may see it."""


@dataclass
class Fate:
    """Counts the awaits of the issuer; dies at the `at`-th, `after` having done it or before.

    Writes that happen together are one await where they go to the database `at_once`, else one each.
    """

    at: int = 0
    after: bool = False
    at_once: bool = False
    calls: int = 0

    async def __call__(self, doing: Any) -> Any:
        self.calls += 1
        mine = self.calls
        if mine == self.at and not self.after:
            doing.close()
            raise Killed
        found = await doing
        if mine == self.at:
            raise Killed
        return found


class MortalTransaction:
    def __init__(self, transaction: Any, fate: Fate) -> None:
        self._transaction, self._fate = transaction, fate

    async def __aenter__(self) -> "MortalTransaction":
        await self._transaction.__aenter__()
        return self

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is not None:
            await self._transaction.__aexit__(kind, error, trace)
            return
        self._fate.calls += 1
        dies = self._fate.calls == self._fate.at
        if dies and not self._fate.after:
            await self._transaction.__aexit__(Killed, Killed(), None)
            raise Killed
        await self._transaction.__aexit__(None, None, None)
        if dies:
            raise Killed

    async def execute(self, *arguments: Any) -> Any:
        return await self._fate(self._transaction.execute(*arguments))

    async def execute_many(self, *arguments: Any) -> Any:
        return await self._fate(self._transaction.execute_many(*arguments))


class MortalDatabase:
    def __init__(self, database: Database, fate: Fate) -> None:
        self._database, self._fate = database, fate

    def transaction(self) -> MortalTransaction:
        return MortalTransaction(self._database.transaction(), self._fate)

    async def execute(self, *arguments: Any) -> Any:
        return await self._fate(self._database.execute(*arguments))

    async def fetch(self, *arguments: Any) -> Any:
        return await self._fate(self._database.fetch(*arguments))

    async def write(self, writes: Any, *, durable: bool = True) -> None:
        if self._fate.at_once:
            await self._fate(self._database.write(writes, durable=durable))
            return
        async with self.transaction() as tx:
            await execute_writes(tx, writes)


class MortalSigner:
    def __init__(self, signer: Any, fate: Fate) -> None:
        self._signer, self._fate, self.signed = signer, fate, 0

    algorithm = property(lambda self: self._signer.algorithm)
    public_jwk = property(lambda self: self._signer.public_jwk)
    x5c = property(lambda self: self._signer.x5c)

    async def sign(self, data: bytes) -> bytes:
        signature: bytes = await self._fate(self._signer.sign(data))
        self.signed += 1
        return signature


class MortalSource:
    def __init__(self, source: Any, fate: Fate) -> None:
        self._source, self._fate = source, fate

    async def record(self, *arguments: Any) -> Any:
        return await self._fate(self._source.record(*arguments))


@dataclass
class Keys:
    signers: Signers


def mortal(peer: Any, fate: Fate) -> MortalSigner:
    """Let the issuer run on mortal parts; return its signer."""
    whole = peer.issuer
    signer = MortalSigner(whole.signers.credential, fate)
    keys = Keys(replace(whole.signers, credential=signer))
    peer.app.state.issuer = replace(
        whole, store=Store(MortalDatabase(whole.store.database, fate)), keys=keys,
        source=MortalSource(whole.source, fate), open_lists=OpenLists(),
    )  # fmt: skip
    return signer


@pytest.fixture
async def anywhere(open_issuer, database_url) -> AsyncIterator[Any]:
    """An issuer on each engine."""
    async with open_issuer(database_url=database_url) as peer:
        yield peer


def places(answer: httpx2.Response) -> list[tuple[str, int]]:
    found = []
    for each in answer.json()["credentials"]:
        entry = parse_sd_jwt_vc(each["credential"]).jws.claims()["status"]["status_list"]
        found.append((entry["uri"].rpartition("/")[2], entry["idx"]))
    return found


@pytest.mark.parametrize("at_once", [False, True], ids=["each write", "writes at once"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_death_at_any_await_of_the_credential_endpoint(anywhere, after, at_once) -> None:
    peer = anywhere
    await open_lists(peer.issuer, count=1)
    wallet = await peer.wallet_with_token()
    delivered: list[tuple[str, int]] = []
    at, whole, signed = 0, peer.issuer, 0
    while True:
        at += 1
        fate, nonce = Fate(at, after, at_once), await wallet.nonce()
        signer = mortal(peer, fate)
        successes = 0
        try:
            answer = await wallet.request(PID, keys=2, nonce=nonce)
            assert answer.status_code == 200
            delivered += places(answer)
            successes += 1
        except Killed:
            pass
        signed += signer.signed
        survived = fate.calls < at
        peer.app.state.issuer = whole
        for _ in range(2):
            answer = await wallet.request(PID, keys=2, nonce=nonce)
            if answer.status_code == 200:
                delivered += places(answer)
                successes += 1
                signed += 2
            else:
                assert answer.json()["error"] == "invalid_nonce"
        assert successes <= 1, f"a nonce gave credentials twice after a death at {at}"
        if survived:
            break
    assert at > (6 if at_once else 9)
    rows = (await whole.store.database.fetch(ISSUANCES)).rows
    recorded = [(row.status_list_id, row.status_index) for row in rows]
    assert len(set(recorded)) == len(recorded), "an index was given twice"
    assert set(delivered) <= set(recorded), "something was delivered that is not recorded"
    assert len(set(delivered)) == len(delivered)
    assert len(recorded) <= signed, "something was recorded that was not signed"


async def test_many_wallets_at_once_draw_different_places(anywhere) -> None:
    peer = anywhere
    wallets = [await peer.wallet_with_token() for _ in range(6)]
    answers = await asyncio.gather(*[wallet.request(PID, keys=5) for wallet in wallets])
    drawn = [place for answer in answers for place in places(answer)]
    assert len(set(drawn)) == 30


async def test_one_nonce_in_many_requests_at_once_gives_credentials_once(anywhere) -> None:
    wallet = await anywhere.wallet_with_token()
    nonce = await wallet.nonce()
    answers = await asyncio.gather(*[wallet.request(PID, nonce=nonce) for _ in range(6)])
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400, 400, 400]


async def test_one_offer_in_many_hands_at_once_is_redeemed_once(anywhere) -> None:
    offer, tx_code = await anywhere.offer("pid_sd_jwt")
    answers = await asyncio.gather(*[anywhere.wallet().redeem_offer(offer, tx_code) for _ in range(6)])
    assert [answer.status_code for answer in answers].count(200) == 1
    assert await anywhere.count("access_grant") == 1


async def test_small_lists_are_followed_by_new_ones(open_issuer) -> None:
    async with open_issuer(status_list_size=1024) as peer:
        wallet = await peer.wallet_with_token("residence_sd_jwt")
        drawn = []
        for _ in range(40):
            answer = await wallet.request({"credential_configuration_id": "residence_sd_jwt"}, keys=30)
            drawn += places(answer)
        assert len(set(drawn)) == 1200
        assert len({list_id for list_id, _ in drawn}) >= 2


@dataclass
class FailingSigner:
    """A signer that hangs or fails."""

    real: Any
    error: Exception | None = None

    algorithm = property(lambda self: self.real.algorithm)
    public_jwk = property(lambda self: self.real.public_jwk)
    x5c = property(lambda self: self.real.x5c)

    async def sign(self, data: bytes) -> bytes:
        if self.error is None:
            await asyncio.sleep(60)
        raise self.error or AssertionError


@pytest.mark.parametrize(("error", "status", "code"), [
    (None, 503, "temporarily_unavailable"), (OSError("the HSM is gone"), 500, "server_error"),
], ids=["hangs", "fails"])  # fmt: skip
async def test_a_signer_that_does_not_sign(open_issuer, error, status, code) -> None:
    async with open_issuer(signer_timeout=0.5) as peer:
        wallet, whole = await peer.wallet_with_token(), peer.issuer
        failing = FailingSigner(whole.signers.credential, error)
        peer.app.state.issuer = replace(whole, keys=Keys(replace(whole.signers, credential=failing)))
        answer = await wallet.request(PID)
        assert (answer.status_code, answer.json()["error"]) == (status, code)
        assert await peer.count("issuance") == 0
        peer.app.state.issuer = whole
        assert (await wallet.request(PID)).status_code == 200


@pytest.mark.parametrize("hangs", [True, False])
async def test_a_source_that_does_not_answer(open_issuer, hangs) -> None:
    async with open_issuer(source_timeout=0.05) as peer:
        wallet = await peer.wallet_with_token()
        if hangs:
            peer.source.hangs = lambda: asyncio.sleep(60)
        else:
            peer.source.fails = SourceUnavailable("down")
        answer = await wallet.request(PID)
        assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
        assert await peer.count("issuance") == await peer.count("deferred") == 0
        peer.source.hangs = peer.source.fails = None
        assert (await wallet.request(PID)).status_code == 200


@pytest.mark.parametrize("statement", ["INSERT INTO spent", "INSERT INTO issuance", "INSERT INTO batch"])
async def test_a_full_disk(peer, statement, monkeypatch) -> None:
    wallet = await peer.wallet_with_token()
    table = statement.rpartition(" ")[2]
    trigger = f"CREATE TRIGGER full BEFORE INSERT ON {table} BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END"
    path = peer.issuer.settings.database_url.removeprefix("sqlite:///")
    with sqlite3.connect(path) as other:
        other.execute(trigger)
    answer = await wallet.request(PID)
    assert (answer.status_code, answer.json()["error"]) == (500, "server_error")
    assert "disk" not in answer.text
    assert await peer.count("issuance") == await peer.count("batch") == 0
    with sqlite3.connect(path) as other:
        other.execute("DROP TRIGGER full")
    assert (await wallet.request(PID)).status_code == 200
