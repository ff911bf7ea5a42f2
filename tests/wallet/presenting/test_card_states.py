"""A card that its issuer has withdrawn is not offered to anybody, and the citizen is told why."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from byoid.formats.status_array import StatusArray
from byoid.formats.status_list import StatusReference, prepare_status_list_token
from byoid.service.trust_files import load_signer
from byoid.signing import sign_now
from tests.peers.dishonest_verifier import URL, VerifierPeer
from wallet.asked import Choice, ChoiceRefused
from wallet.card_status import CardState
from wallet.consent import choose

STATUS = StatusReference(uri=f"{URL}/status", index=7)


def publish(verifier: VerifierPeer, pki: Path, value: int, *, signer: str = "status") -> None:
    array = StatusArray.of_size(16, bits=2)
    array.set_status(STATUS.index, value)
    key = load_signer(pki / f"{signer}.key", pki / f"{signer}.pem")
    unsigned = prepare_status_list_token(
        array, uri=STATUS.uri, issued_at=verifier.clock(), expires_at=verifier.clock() + timedelta(hours=1),
        ttl=timedelta(minutes=5), algorithm=key.algorithm, x5c=key.x5c,
    )  # fmt: skip
    verifier.status_list = sign_now(unsigned, key.key)


@pytest.mark.parametrize(("value", "reason"), [(1, CardState.REVOKED), (2, CardState.SUSPENDED)])
async def test_a_withdrawn_card_is_named_and_not_offered(
    new_holder: Any, verifier: VerifierPeer, pki: Path, value: int, reason: CardState
) -> None:
    holder = await new_holder()
    bad = await holder.add_sd_jwt(status=STATUS, copies=3)
    publish(verifier, pki, value)
    found = await holder.propose(verifier.link)

    (asked,) = found.credentials
    assert asked.options == ()
    assert [(each.card_id, each.reason) for each in asked.unusable] == [(bad, reason)]
    assert not found.satisfiable
    with pytest.raises(ChoiceRefused):
        choice = Choice(cards={asked.id: (bad,)}, accepted_cautions=found.cautions)
        await choose(holder.wallet, await holder.visit(), found.id, choice)


async def test_another_card_is_offered_instead(new_holder: Any, verifier: VerifierPeer, pki: Path) -> None:
    holder = await new_holder()
    good = await holder.add_sd_jwt()
    bad = await holder.add_sd_jwt(status=STATUS)
    publish(verifier, pki, 1)
    (asked,) = (await holder.propose(verifier.link)).credentials

    assert [each.card_id for each in asked.options] == [good]
    assert [each.card_id for each in asked.unusable] == [bad]


async def test_a_card_that_is_in_order_is_offered(new_holder: Any, verifier: VerifierPeer, pki: Path) -> None:
    holder = await new_holder()
    await holder.add_sd_jwt(status=STATUS)
    publish(verifier, pki, 0)
    (asked,) = (await holder.propose(verifier.link)).credentials

    assert (len(asked.options), asked.unusable) == (1, ())


async def test_a_card_that_has_expired_is_named(new_holder: Any, verifier: VerifierPeer, clock: Any) -> None:
    holder = await new_holder()
    await holder.add_sd_jwt(expires_in=timedelta(minutes=3))
    clock.advance(minutes=4)
    (asked,) = (await holder.propose(verifier.link)).credentials

    assert (asked.options, [each.reason for each in asked.unusable]) == ((), [CardState.EXPIRED])


@pytest.mark.hostile
async def test_nobody_else_withdraws_a_card(new_holder: Any, verifier: VerifierPeer, pki: Path) -> None:
    holder = await new_holder()
    await holder.add_sd_jwt(status=STATUS)
    publish(verifier, pki, 1, signer="access-shop")
    (asked,) = (await holder.propose(verifier.link)).credentials

    assert len(asked.options) == 1  # as if there were no list: who verifies it looks again
