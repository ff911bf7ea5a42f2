"""Which copy of a card is shown, by the four methods of the reuse policy, and when fresh copies are due."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from byoid.issuance.reuse_policy import ReuseMethod
from wallet.cards import (
    Card,
    CardContent,
    Copy,
    CopyContent,
    NoUsableCopy,
    Reuse,
    pick_copy,
    reissue_due,
    unused_copies,
)
from wallet.content_tables import Kind
from wallet.contents import Kept

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
END = NOW + timedelta(days=10)
SHOP, BANK = "x509_hash:shop", "x509_hash:bank"


def card(method: ReuseMethod, **reuse: Any) -> Card:
    content = CardContent(
        format="dc+sd-jwt", type="urn:eudi:pid:1", credential_issuer="https://issuer.test", configuration_id="pid",
        signer="Agency", received_at=NOW, reuse=Reuse(method=method, **reuse),
    )  # fmt: skip
    return Card(content, Kept("card", Kind.CREDENTIAL, None, 1, {}, None))


def copy(name: str, uses: dict[str, int] | None = None, ends: datetime | None = END) -> Copy:
    content = CopyContent(key_id=f"key-{name}", text="…", expires_at=ends, uses=uses or {})
    return Copy(content, Kept(name, Kind.COPY, "card", 1, {}, None))


def picked(chosen: Card, *copies: Copy, by: str = SHOP) -> set[str]:
    """Every copy that may be picked: some methods draw lots."""
    return {pick_copy(chosen, copies, relying_party=by, now=NOW).id for _ in range(40)}


def test_once_only_shows_a_copy_that_nobody_has_seen() -> None:
    found = picked(card(ReuseMethod.ONCE_ONLY), copy("a", {SHOP: 1}), copy("b"), copy("c", {BANK: 1}))

    assert found == {"b"}


def test_once_only_reuses_the_least_used_when_none_is_left() -> None:
    found = picked(card(ReuseMethod.ONCE_ONLY), copy("a", {SHOP: 2}), copy("b", {BANK: 1}))

    assert found == {"b"}


def test_limited_time_shows_one_copy_again_and_again() -> None:
    copies = [copy("a", {SHOP: 3}), copy("b", ends=END - timedelta(days=1))]

    assert picked(card(ReuseMethod.LIMITED_TIME), *copies) == {"a"}


def test_a_rotating_batch_shows_every_copy_before_it_begins_again() -> None:
    rotating = card(ReuseMethod.ROTATING_BATCH)

    assert picked(rotating, copy("a", {SHOP: 1}), copy("b"), copy("c")) == {"b", "c"}
    assert picked(rotating, copy("a", {SHOP: 1}), copy("b", {BANK: 1}), copy("c", {BANK: 1})) == {"a", "b", "c"}


def test_per_relying_party_shows_everyone_a_copy_of_their_own() -> None:
    own = card(ReuseMethod.PER_RELYING_PARTY)
    copies = [copy("a", {SHOP: 1}), copy("b", {BANK: 4}), copy("c")]

    assert picked(own, *copies, by=SHOP) == {"a"}
    assert picked(own, *copies, by=BANK) == {"b"}
    assert picked(own, *copies, by="x509_hash:library") == {"c"}


@pytest.mark.parametrize("method", ReuseMethod)
def test_an_expired_copy_is_never_shown(method: ReuseMethod) -> None:
    gone = copy("gone", ends=NOW)

    assert picked(card(method), gone, copy("b", {SHOP: 9})) == {"b"}
    with pytest.raises(NoUsableCopy):
        pick_copy(card(method), [gone], relying_party=SHOP, now=NOW)


def test_fresh_copies_are_due_when_few_are_unused() -> None:
    chosen = card(ReuseMethod.ONCE_ONLY, trigger_unused=1)

    assert not reissue_due(chosen, [copy("a"), copy("b")], now=NOW)
    assert reissue_due(chosen, [copy("a"), copy("b", {SHOP: 1})], now=NOW)
    assert unused_copies([copy("a"), copy("b", {SHOP: 1}), copy("c", ends=NOW)], now=NOW) == 1


def test_fresh_copies_are_due_when_little_lifetime_is_left() -> None:
    chosen = card(ReuseMethod.LIMITED_TIME, trigger_lifetime_left=timedelta(days=2))

    assert not reissue_due(chosen, [copy("a")], now=NOW)
    assert reissue_due(chosen, [copy("a")], now=END - timedelta(days=2))


def test_a_card_that_never_expires_is_never_due() -> None:
    assert not reissue_due(card(ReuseMethod.LIMITED_TIME), [copy("a", ends=None)], now=NOW + timedelta(days=9999))


def test_what_is_kept_reads_as_it_was_written() -> None:
    content = card(ReuseMethod.ONCE_ONLY, trigger_unused=1, trigger_lifetime_left=timedelta(days=2)).content

    assert CardContent.model_validate(content.to_value()) == content
