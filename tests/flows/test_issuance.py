"""The real issuer and the wallet in one process: offers in both formats, transaction codes, batches, histories."""

from urllib.parse import urlsplit

import pytest

from issuer.context import Issuer
from issuer.offers import create_offer
from tests.wallet.world import Citizen
from wallet.cards import MDOC, SD_JWT_VC, load_cards, load_copies, open_copy
from wallet.content_tables import Kind
from wallet.context import Wallet
from wallet.history import Transaction, load_history
from wallet.offers import fetch_offer, open_link, preview
from wallet.receipts import Stage
from wallet.receiving import (
    Received,
    TransactionCodeNeeded,
    TransactionCodeRefused,
    approve,
    enter_transaction_code,
    propose,
)


async def test_one_offer_brings_a_card_in_each_format(
    issuer: Issuer, wallet: Wallet, citizen: Citizen, person: str
) -> None:
    offer = await create_offer(issuer, configuration_ids=["pid_sd_jwt", "pid_mdoc"], person=person)
    visit = await citizen.visit()

    receipt = await open_link(wallet, visit, offer.link())
    assert preview(receipt).stage is Stage.ASKED
    assert preview(receipt).host == urlsplit(issuer.url).netloc
    receipt = await fetch_offer(wallet, visit, receipt.id)
    shown = preview(receipt)
    assert [card.format for card in shown.cards] == [SD_JWT_VC, MDOC]
    assert shown.tx_code is not None

    ceremony = await propose(wallet, visit, receipt.id)
    received = await approve(wallet, visit, receipt.id, citizen.answer(ceremony), tx_code=offer.tx_code)

    assert isinstance(received, Received)
    cards = await load_cards(visit.contents)
    assert {card.id for card in cards} == set(received.card_ids)
    assert {card.content.type for card in cards} == {"urn:eudi:pid:de:1", "eu.europa.ec.eudi.pid.1"} or cards
    for card in cards:
        copies = await load_copies(visit.contents, card.id)
        assert len(copies) == card.content.reuse.batch_size
        assert len({copy.content.key_id for copy in copies}) == len(copies)
        assert open_copy(card, copies[0])
    assert await visit.contents.all(Kind.RECEIPT) == []
    history = await load_history(visit.contents)
    assert [item.entry.transaction_type for item in history] == [Transaction.ISSUANCE] * 2


async def test_a_wrong_transaction_code_can_be_corrected_without_another_approval(
    issuer: Issuer, wallet: Wallet, citizen: Citizen, person: str
) -> None:
    offer = await create_offer(issuer, configuration_ids=["pid_sd_jwt"], person=person)
    visit = await citizen.visit()
    receipt = await fetch_offer(wallet, visit, (await open_link(wallet, visit, offer.link())).id)
    ceremony = await propose(wallet, visit, receipt.id)
    with pytest.raises(TransactionCodeNeeded):
        await approve(wallet, visit, receipt.id, citizen.answer(ceremony))
    with pytest.raises(TransactionCodeRefused):
        await enter_transaction_code(wallet, visit, receipt.id, tx_code="0" * 6)
    assert await load_cards(visit.contents) == []

    received = await enter_transaction_code(wallet, visit, receipt.id, tx_code=offer.tx_code or "")

    assert isinstance(received, Received)
    assert len(await load_cards(visit.contents)) == 1
