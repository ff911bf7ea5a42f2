"""The wallet receives from an issuer made of npm's @openid4vc, @sd-jwt and @owf packages, over HTTP."""

import json
import subprocess
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest

from byoid.keys import PrivateKey
from byoid.service.trust_files import load_signer
from demo.pki import make_pki
from tests.wallet.world import Citizen, open_wallet
from wallet.cards import MDOC, SD_JWT_VC, load_cards, load_copies, open_copy
from wallet.context import Wallet
from wallet.offers import fetch_offer, open_link, start_from_catalogue
from wallet.receiving import (
    GoTo,
    Received,
    TransactionCodeRefused,
    approve,
    complete_authorization,
    enter_transaction_code,
    propose,
)

pytestmark = pytest.mark.peers
NPM = Path(__file__).parent / "npm"


@dataclass
class Peer:
    """The issuer's process."""

    url: str
    offer: str

    def log(self) -> dict[str, Any]:
        """What it has verified."""
        found: dict[str, Any] = httpx2.get(f"{self.url}/log").json()
        return found


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("issuer-peers") / "pki"
    make_pki(folder, host="localhost", now=datetime.now(UTC) - timedelta(hours=1))
    return folder


@contextmanager
def running(pki: Path, **options: Any) -> Iterator[Peer]:
    """Run the issuer."""
    credential = load_signer(pki / "credential.key", pki / "credential.pem")
    document = load_signer(pki / "document-signer.key", pki / "document-signer.pem")
    given = {
        "credentialKey": credential.key.to_jwk(), "credentialX5c": [b64encode(der).decode() for der in credential.x5c],
        "documentKey": document.key.to_jwk(), "documentX5c": [b64encode(der).decode() for der in document.x5c],
        "accessKey": PrivateKey.generate().to_jwk(), **options,
    }  # fmt: skip
    with subprocess.Popen(
        ["node", "issuer-server.mjs"], cwd=NPM, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(given) + "\n")
        process.stdin.flush()
        try:
            yield Peer(**json.loads(process.stdout.readline()))
        finally:
            process.kill()


@pytest.fixture
async def make_wallet(pki: Path) -> AsyncIterator[Callable[..., Any]]:
    def make(**settings: Any) -> Any:
        return open_wallet(pki, clock=lambda: datetime.now(UTC), mounts={}, allow_loopback_http=True, **settings)

    yield make


async def received_in_both_formats(wallet: Wallet, citizen: Citizen) -> bool:
    contents = (await citizen.visit()).contents
    cards = await load_cards(contents)
    for card in cards:
        for copy in await load_copies(contents, card.id):
            held = open_copy(card, copy)
            values = getattr(held, "claims", None) or held.namespaces["eu.europa.ec.eudi.pid.1"]  # type: ignore[union-attr]  # one of the two
            assert values["family_name"] == "Öztürk"
    return {card.content.format for card in cards} == {SD_JWT_VC, MDOC}


@pytest.mark.parametrize("attested", [False, True])
async def test_a_pre_authorized_offer_with_a_transaction_code(
    attested: bool, pki: Path, make_wallet: Callable[..., Any]
) -> None:
    with running(pki, txCode="123456", attested=attested) as peer:
        async with make_wallet() as wallet:
            citizen = await Citizen(wallet).register()
            visit = await citizen.visit()
            receipt = await fetch_offer(wallet, visit, (await open_link(wallet, visit, peer.offer)).id)
            ceremony = await propose(wallet, visit, receipt.id)
            with pytest.raises(TransactionCodeRefused):
                await approve(wallet, visit, receipt.id, citizen.answer(ceremony), tx_code="654321")
            received = await enter_transaction_code(wallet, visit, receipt.id, tx_code="123456")

            assert isinstance(received, Received)
            assert await received_in_both_formats(wallet, citizen)
        log = peer.log()
    assert log["notifications"] == [{"notification_id": "n-1", "event": "credential_accepted"}] * 2
    assert {proof["attested"] for proof in log["proofs"]} == {attested}
    assert log["tokens"][0]["sub"] == "byoid-wallet"


async def test_a_login_that_the_wallet_begins(pki: Path, make_wallet: Callable[..., Any]) -> None:
    with running(pki) as peer:
        async with make_wallet(issuers=(peer.url,)) as wallet:
            citizen = await Citizen(wallet).register()
            visit = await citizen.visit()
            receipt = await start_from_catalogue(
                wallet, visit, credential_issuer=peer.url, configuration_ids=("pid", "mdoc")
            )
            ceremony = await propose(wallet, visit, receipt.id)
            outcome = await approve(wallet, visit, receipt.id, citizen.answer(ceremony))
            assert isinstance(outcome, GoTo)
            back = httpx2.get(outcome.url).headers["location"]
            await complete_authorization(wallet, visit, dict(parse_qsl(urlsplit(back).query)))

            assert await received_in_both_formats(wallet, citizen)
        pushed = peer.log()["pushed"][0]
    assert pushed["scope"] == "pid mdoc"
    assert pushed["code_challenge_method"] == "S256"
