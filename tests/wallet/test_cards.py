"""Which copy of a card is shown, by the four methods of the reuse policy, and when fresh copies are due."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from byoid.issuance.reuse_policy import ReuseMethod
from byoid.service.database import Database
from wallet.cards import (
    Card,
    CardContent,
    CopyContent,
    NoUsableCopy,
    Reuse,
    add_card,
    add_copies,
    find_copy,
    load_card,
    load_copies,
    load_samples,
    load_stocks,
    mark_used,
)
from wallet.content_tables import Kind
from wallet.contents import Contents, ContentStore
from wallet.tables import WalletTable
from wallet.vault.keys import PersonId, ReadingKey

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
END = NOW + timedelta(days=10)
SHOP, BANK = "x509_hash:shop", "x509_hash:bank"


@pytest.fixture
async def contents(database_url: str) -> AsyncIterator[Contents]:
    database = await Database.open(database_url)
    await database.create_all(WalletTable.metadata)
    yield Contents(ContentStore(database), PersonId("person"), ReadingKey.generate())
    await database.close()


def content(method: ReuseMethod, **reuse: Any) -> CardContent:
    return CardContent(
        format="dc+sd-jwt", type="urn:eudi:pid:1", credential_issuer="https://issuer.test", configuration_id="pid",
        signer="Agency", received_at=NOW, reuse=Reuse(method=method, **reuse),
    )  # fmt: skip


async def add(
    contents: Contents, method: ReuseMethod, *, copies: int = 3, ends: datetime | None = END, **reuse: Any
) -> Card:
    made = [CopyContent(key_id=f"key-{each}", text=f"{each}", expires_at=ends) for each in range(copies)]
    async with contents.store.transaction() as tx:
        card_id = await add_card(contents, tx, content(method, **reuse), made)
    return await load_card(contents, card_id, now=NOW)


async def show(contents: Contents, card: Card, *, to: str = SHOP) -> str:
    """Show the card, and return which copy it was."""
    copy = await find_copy(contents, card, relying_party=to, now=NOW)
    async with contents.store.transaction() as tx:
        await mark_used(contents, tx, copy, relying_party=to)
    return copy.content.text


@pytest.mark.parametrize("method", [ReuseMethod.ONCE_ONLY, ReuseMethod.ROTATING_BATCH])
async def test_every_copy_is_shown_before_one_is_shown_again(contents: Contents, method: ReuseMethod) -> None:
    card = await add(contents, method)
    await add(contents, method)  # another card, whose copies are not this one's

    shown = [await show(contents, card) for _ in range(6)]

    assert sorted(shown[:3]) == sorted(shown[3:]) == ["0", "1", "2"]


async def test_the_next_copy_is_drawn_by_lot(contents: Contents) -> None:
    card = await add(contents, ReuseMethod.ROTATING_BATCH)

    assert {(await find_copy(contents, card, relying_party=SHOP, now=NOW)).content.text for _ in range(40)} == {
        "0", "1", "2",
    }  # fmt: skip


async def test_limited_time_shows_one_copy_again_and_again(contents: Contents) -> None:
    card = await add(contents, ReuseMethod.LIMITED_TIME)

    assert len({await show(contents, card, to=to) for to in (SHOP, BANK, SHOP, "x509_hash:library")}) == 1


async def test_per_relying_party_shows_everyone_a_copy_of_their_own(contents: Contents) -> None:
    card = await add(contents, ReuseMethod.PER_RELYING_PARTY)
    shop, bank, library = [await show(contents, card, to=to) for to in (SHOP, BANK, "x509_hash:library")]

    assert len({shop, bank, library}) == 3
    assert [await show(contents, card, to=to) for to in (BANK, SHOP, BANK)] == [bank, shop, bank]


@pytest.mark.parametrize("method", ReuseMethod)
async def test_an_expired_copy_is_never_shown(contents: Contents, method: ReuseMethod) -> None:
    card = await add(contents, method, ends=NOW)

    with pytest.raises(NoUsableCopy):
        await find_copy(contents, card, relying_party=SHOP, now=NOW)


async def test_a_card_without_copies_is_not_shown(contents: Contents) -> None:
    card = await add(contents, ReuseMethod.ONCE_ONLY, copies=0)

    with pytest.raises(NoUsableCopy):
        await find_copy(contents, card, relying_party=SHOP, now=NOW)


async def test_of_each_card_one_copy_is_looked_at(contents: Contents) -> None:
    cards = [await add(contents, ReuseMethod.ONCE_ONLY) for _ in range(2)]
    samples = await load_samples(contents)

    assert samples.keys() == {card.id for card in cards}
    for card in cards:
        assert [copy.card_id for copy in samples[card.id]] == [card.id]
        assert samples[card.id][0].id in {copy.id for copy in await load_copies(contents, card.id)}


async def test_fresh_copies_are_due_when_few_are_unused(contents: Contents) -> None:
    card = await add(contents, ReuseMethod.ONCE_ONLY, trigger_unused=1)
    await show(contents, card)
    before = (await load_stocks(contents))[card.id]
    await show(contents, card)
    after = (await load_stocks(contents))[card.id]

    assert (before.copies, before.unused_at(NOW), before.shown, before.reissue_due(card, now=NOW)) == (3, 2, 1, False)
    assert (after.copies, after.unused_at(NOW), after.shown, after.reissue_due(card, now=NOW)) == (3, 1, 2, True)
    assert after.unused_at(END) == 0


async def test_fresh_copies_are_due_when_little_lifetime_is_left(contents: Contents) -> None:
    card = await add(contents, ReuseMethod.LIMITED_TIME, trigger_lifetime_left=timedelta(days=2))
    stock = (await load_stocks(contents))[card.id]

    assert not stock.reissue_due(card, now=NOW)
    assert stock.reissue_due(card, now=END - timedelta(days=2))


async def test_a_card_that_never_expires_is_never_due(contents: Contents) -> None:
    card = await add(contents, ReuseMethod.LIMITED_TIME, ends=None)

    assert not (await load_stocks(contents))[card.id].reissue_due(card, now=NOW + timedelta(days=9999))


async def test_fresh_copies_take_the_place_of_old_ones(contents: Contents) -> None:
    card = await add(contents, ReuseMethod.ONCE_ONLY)
    await show(contents, card)
    async with contents.store.transaction() as tx:
        await contents.delete_children(tx, Kind.COPY, card.id)
        await add_copies(contents, tx, card.id, [CopyContent(key_id="key-9", text="9", expires_at=END)])

    assert await show(contents, card) == "9"


def test_what_is_kept_reads_as_it_was_written() -> None:
    written = content(ReuseMethod.ONCE_ONLY, trigger_unused=1, trigger_lifetime_left=timedelta(days=2))

    assert CardContent.model_validate(written.to_value()) == written
