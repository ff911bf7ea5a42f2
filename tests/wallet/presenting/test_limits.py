"""What costs much, or what strangers may do, is limited; whoever is stopped is told when to come back."""

from typing import Any

import pytest

from byoid.service.rate_limits import TooManyRequests
from tests.peers.dishonest_verifier import VerifierPeer
from wallet.consent import view
from wallet.content_tables import Kind
from wallet.contents import MAX_PENDING, ItemNotFound
from wallet.limits import RATES, Limited
from wallet.messages import message_id
from wallet.offers import open_link
from wallet.portability import export_history, export_wallet, import_wallet

pytestmark = pytest.mark.hostile


async def exhaust(holder: Any, kind: Limited) -> None:
    person = (await holder.visit()).person
    for _ in range(RATES[kind][0]):
        await holder.wallet.limits.spend(kind, person)


async def test_links_are_not_opened_faster_than_anybody_reads(
    holder: Any, verifier: VerifierPeer, new_holder: Any
) -> None:
    await exhaust(holder, Limited.OPEN)
    for act in (holder.propose(verifier.link), open_link(holder.wallet, await holder.visit(), "openid4vci://x")):
        with pytest.raises(TooManyRequests) as refused:
            await act
        assert message_id(refused.value) == "error-too-many"
    assert verifier.requested == []  # nobody was asked anything

    other = await new_holder()
    await other.add_sd_jwt()
    assert (await other.propose(verifier.link)).satisfiable  # and nobody else is stopped


async def test_passphrases_are_not_tried_for_ever(holder: Any, clock: Any) -> None:
    await exhaust(holder, Limited.IMPORT)
    with pytest.raises(TooManyRequests) as refused:
        await import_wallet(holder.wallet, await holder.visit(), "a.b.c.d.e", "guess")

    assert 0 < int(refused.value.headers["Retry-After"]) <= 3600


async def test_files_are_not_made_for_ever(holder: Any) -> None:
    await exhaust(holder, Limited.EXPORT)
    visit = await holder.visit()
    for act in (export_wallet(holder.wallet, visit, "p" * 12), export_history(holder.wallet, visit, "p" * 12)):
        with pytest.raises(TooManyRequests):
            await act


async def test_requests_that_nobody_answers_make_room_for_the_newest(
    holder: Any, verifier: VerifierPeer, clock: Any
) -> None:
    first = await holder.propose(verifier.link)
    visit = await holder.visit()
    for _ in range(MAX_PENDING):
        clock.advance(seconds=1)
        async with holder.wallet.contents.transaction() as tx:
            expires_at = clock() + holder.wallet.settings.consent_lifetime
            await visit.contents.add_pending(tx, Kind.CONSENT, {"long": "x" * 1000}, expires_at=expires_at)

    assert len(await visit.contents.all(Kind.CONSENT)) == MAX_PENDING
    with pytest.raises(ItemNotFound):
        await view(holder.wallet, visit, first.id)
    newest = await holder.propose(verifier.link)
    assert (await view(holder.wallet, visit, newest.id)).id == newest.id


async def test_one_citizens_requests_take_no_room_of_anothers(
    holder: Any, new_holder: Any, verifier: VerifierPeer, clock: Any
) -> None:
    kept = await holder.propose(verifier.link)
    visit = await (await new_holder()).visit()
    async with holder.wallet.contents.transaction() as tx:
        for _ in range(MAX_PENDING + 1):
            await visit.contents.add_pending(tx, Kind.CONSENT, {}, expires_at=clock())

    assert (await view(holder.wallet, await holder.visit(), kept.id)).id == kept.id
    assert len(await visit.contents.all(Kind.CONSENT)) == MAX_PENDING
