"""Citizens with the wallet service itself: passkeys, vault and its API, beside the light wallets of the same load."""

import time

import httpx2

from benchmarks.load.laboratory import Laboratory
from benchmarks.load.ledger import Ledger
from benchmarks.load.walks import Client
from demo.citizen import Citizen, CitizenError

_PRESENTATIONS = 3


async def live_with_the_service(laboratory: Laboratory, ledger: Ledger, end: float) -> None:
    """Let one citizen after another open a wallet, take a credential and show it, until the time is over."""
    client = Client(laboratory.access, ledger)
    async with httpx2.AsyncClient(timeout=60, trust_env=False) as http:
        while time.monotonic() < end:
            try:
                await _live(client, Citizen(http, laboratory.access.wallet_url), end)
            except CitizenError as error:
                ledger.failed(time.monotonic(), "wallet", "wallet", error.code, str(error))
    client.close()


async def _live(client: Client, citizen: Citizen, end: float) -> None:
    ledger, begin = client.ledger, time.monotonic()
    await citizen.create_wallet("Citizen")
    ledger.took("wallet.create", begin)
    offer, begin = await client.order(), time.monotonic()
    preview = await citizen.open_offer(offer.link)
    await citizen.take_offer(preview["receipt_id"], tx_code=offer.tx_code)
    ledger.took("wallet.receive", begin)
    ledger.done("issuance")
    for _ in range(_PRESENTATIONS):
        if time.monotonic() > end:
            return
        started, begin = await client.start(), time.monotonic()
        await citizen.share(await citizen.open_request(started["link"]))
        ledger.took("wallet.share", begin)
        await client.read(started["id"], None)
