"""The real issuer and the wallet in one process: offers in both formats, transaction codes, batches, histories."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from issuer import authorization
from issuer.attributes import NotReady
from issuer.context import Issuer
from issuer.offers import create_offer
from issuer.status_lists import publish
from tests.wallet.world import Citizen
from wallet.cards import MDOC, SD_JWT_VC, load_cards, load_copies, open_copy
from wallet.content_tables import Kind
from wallet.context import Visit, Wallet
from wallet.deferred import collect_due
from wallet.history import Transaction, load_history
from wallet.offers import catalogue, fetch_offer, open_link, preview, start_from_catalogue
from wallet.receipts import Receipt, Stage
from wallet.receiving import (
    GoTo,
    Outcome,
    Received,
    TransactionCodeNeeded,
    TransactionCodeRefused,
    approve,
    complete_authorization,
    enter_transaction_code,
    propose,
)
from wallet.reissue import start_reissue
from wallet.tables import WalletTable
from wallet.vault.doctor import examine


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
    assert {card.content.format for card in cards} == {SD_JWT_VC, MDOC}
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


async def agree(
    wallet: Wallet, citizen: Citizen, visit: Visit, receipt: Receipt, tx_code: str | None = None
) -> Outcome:
    ceremony = await propose(wallet, visit, receipt.id)
    return await approve(wallet, visit, receipt.id, citizen.answer(ceremony), tx_code=tx_code)


async def take(wallet: Wallet, citizen: Citizen, issuer: Issuer, person: str, *configuration_ids: str) -> Received:
    offer = await create_offer(issuer, configuration_ids=configuration_ids, person=person, tx_code=False)
    visit = await citizen.visit()
    receipt = await fetch_offer(wallet, visit, (await open_link(wallet, visit, offer.link())).id)
    outcome = await agree(wallet, citizen, visit, receipt)
    assert isinstance(outcome, Received)
    return outcome


async def log_in(issuer: Issuer, go_to: GoTo, *, person: str) -> dict[str, str]:
    """Do what the pages of the authorization server do, and return the parameters that the browser brings back."""
    sent = dict(parse_qsl(urlsplit(go_to.url).query))
    row = await authorization.open_request(issuer, client_id=sent["client_id"], request_uri=sent["request_uri"])
    await authorization.sign_in(issuer, row, person=person, session="browser")
    back = await authorization.approve(issuer, row, session="browser")
    assert back.startswith("https://wallet.test/callback?")
    return dict(parse_qsl(urlsplit(back).query))


async def test_a_login_that_the_citizen_begins_from_the_catalogue(
    issuer: Issuer, wallet: Wallet, citizen: Citizen, person: str
) -> None:
    (entry,) = await catalogue(wallet)
    assert "pid_sd_jwt" in {card.configuration_id for card in entry.cards}
    visit = await citizen.visit()
    receipt = await start_from_catalogue(
        wallet, visit, credential_issuer=issuer.url, configuration_ids=("pid_sd_jwt", "pid_mdoc")
    )
    assert preview(receipt).needs_login

    outcome = await agree(wallet, citizen, visit, receipt)
    assert isinstance(outcome, GoTo)
    received = await complete_authorization(wallet, visit, await log_in(issuer, outcome, person=person))

    assert len(received.card_ids) == 2


async def test_an_offer_that_wants_a_login(issuer: Issuer, wallet: Wallet, citizen: Citizen, person: str) -> None:
    offer = await create_offer(issuer, configuration_ids=["pid_sd_jwt"], person=person, grant="authorization")
    visit = await citizen.visit()
    receipt = await fetch_offer(wallet, visit, (await open_link(wallet, visit, offer.link())).id)
    outcome = await agree(wallet, citizen, visit, receipt)
    assert isinstance(outcome, GoTo)

    assert await complete_authorization(wallet, visit, await log_in(issuer, outcome, person=person))


async def test_a_card_is_renewed_without_another_login(
    issuer: Issuer, wallet: Wallet, citizen: Citizen, person: str, clock: Any
) -> None:
    (card_id,) = (await take(wallet, citizen, issuer, person, "pid_sd_jwt")).card_ids
    clock.advance(timedelta(days=3))
    await citizen.sign_in()
    visit = await citizen.visit()
    before = {copy.content.text for copy in await load_copies(visit.contents, card_id)}

    renewed = await agree(wallet, citizen, visit, await start_reissue(wallet, visit, card_id))

    assert (renewed.card_ids, renewed.changed) == ((card_id,), ("date_of_expiry", "date_of_issuance"))
    after = {copy.content.text for copy in await load_copies(visit.contents, card_id)}
    assert len(after) == len(before)
    assert after.isdisjoint(before)


async def test_cards_of_one_offer_are_renewed_one_after_the_other(
    issuer: Issuer, wallet: Wallet, citizen: Citizen, person: str
) -> None:
    card_ids = (await take(wallet, citizen, issuer, person, "pid_sd_jwt", "pid_mdoc")).card_ids
    visit = await citizen.visit()

    for card_id in (*card_ids, *card_ids):
        renewed = await agree(wallet, citizen, visit, await start_reissue(wallet, visit, card_id))
        assert isinstance(renewed, Received)
        assert renewed.card_ids == (card_id,)


async def test_a_promise_of_the_agency_is_collected_later(
    issuer: Issuer, wallet: Wallet, citizen: Citizen, person: str, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    record: Callable[..., Any] = issuer.source.record

    async def not_ready(*_: Any) -> Any:
        raise NotReady("a clerk has to look at it")

    monkeypatch.setattr(issuer.source, "record", not_ready)
    promised = await take(wallet, citizen, issuer, person, "pid_mdoc")
    assert len(promised.deferred_ids) == 1

    monkeypatch.setattr(issuer.source, "record", record)
    clock.advance(timedelta(days=2))  # the access token is over
    await citizen.sign_in()
    (collected,) = await collect_due(wallet, await citizen.visit())

    assert collected.error is None
    assert collected.received is not None
    assert len(await load_cards((await citizen.visit()).contents)) == 1


async def test_nothing_of_it_lies_in_clear(issuer: Issuer, wallet: Wallet, citizen: Citizen, person: str) -> None:
    await take(wallet, citizen, issuer, person, "pid_sd_jwt", "pid_mdoc")
    await publish(issuer)
    tables = list(WalletTable.metadata.tables.values())

    found = await examine(
        wallet.contents.database,
        tables,
        canaries=["Öztürk", "Lindenmoor", "issuer.test", "urn:eudi:pid", "byoid-wallet"],
    )

    assert found == []
