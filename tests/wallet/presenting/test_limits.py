"""What costs much, or what strangers may do, is limited; whoever is stopped is told when to come back."""

from typing import Any

import pytest

from byoid.service.rate_limits import TooManyRequests
from tests.peers.dishonest_verifier import VerifierPeer
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
