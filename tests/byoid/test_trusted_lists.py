"""Following lists of trusted entities: when they are asked, and what a bad answer cannot do."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from functools import partial
from typing import Any

import httpx2
import pytest

from byoid.fetch import fetch_trusted_list
from byoid.keys import PrivateKey
from byoid.trust import anchors
from byoid.trust.anchors import Purpose, TrustAnchors
from byoid.trust.trusted_list import LIST_TYPE
from byoid.trusted_lists import FollowedTrust, ListToFollow
from tests.list_operator import DAY, START, Operator, authority

URL = "https://lists.test/pid"
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@pytest.fixture
def operator() -> Operator:
    return Operator()


@pytest.fixture
def own() -> TrustAnchors:
    return authority("Own").anchor(Purpose.ATTESTATION, source="own")


@pytest.fixture
async def trust(operator: Operator, own: TrustAnchors) -> AsyncIterator[FollowedTrust]:
    async with httpx2.AsyncClient(transport=operator) as client:
        to_follow = ListToFollow(URL, f"{LIST_TYPE}EUPIDProvidersList", operator.signers)
        yield FollowedTrust(own, [to_follow], read=partial(fetch_trusted_list, client))


def pid_providers(trust: FollowedTrust) -> list[Any]:
    return [anchor.certificate for anchor in trust.anchors.for_purpose(Purpose.PID)]


async def test_a_list_adds_to_ones_own_anchors(operator: Operator, own: TrustAnchors, trust: FollowedTrust) -> None:
    listed = authority("Listed")
    operator.publish(1, listed)
    assert trust.anchors is own

    assert await trust.refresh(now=START)

    assert pid_providers(trust) == [listed.certificate]
    assert {anchor.source for anchor in trust.anchors.anchors} == {"own", URL}


async def test_a_list_is_asked_when_it_is_time(operator: Operator, trust: FollowedTrust) -> None:
    operator.publish(1, authority("Listed"))
    await trust.refresh(now=START)
    before = trust.anchors

    assert not await trust.refresh(now=START + 6 * HOUR - MINUTE)
    assert operator.asked == 1
    assert not await trust.refresh(now=START + 6 * HOUR)  # the same list: the same set, and all that was made with it
    assert operator.asked == 2
    assert trust.anchors is before


async def test_a_short_lived_list_is_asked_before_its_next_update(operator: Operator, trust: FollowedTrust) -> None:
    operator.publish(1, authority("Listed"), valid=HOUR)
    await trust.refresh(now=START)
    operator.publish(2, authority("Another"), at=START + 30 * MINUTE, valid=HOUR)

    assert not await trust.refresh(now=START + 29 * MINUTE)
    assert await trust.refresh(now=START + 30 * MINUTE)


async def test_a_new_list_takes_the_place_of_the_old_one(operator: Operator, trust: FollowedTrust) -> None:
    old, new = authority("Old"), authority("New")
    operator.publish(1, old)
    await trust.refresh(now=START)
    operator.publish(2, new)

    assert await trust.refresh(now=START + DAY)
    assert pid_providers(trust) == [new.certificate]


def unreachable(operator: Operator) -> None:
    operator.status = 503


def signed_by_another(operator: Operator) -> None:
    operator.publish(3, authority("Forged"), key=PrivateKey.generate())


def of_another_operator(operator: Operator) -> None:
    stranger = Operator()
    stranger.publish(3, authority("Forged"))
    operator.content = stranger.content


def another_certificate_of_the_same_authority(operator: Operator) -> None:
    operator.key = PrivateKey.generate()
    operator.__post_init__()
    operator.publish(3, authority("Forged"))


def rolled_back(operator: Operator) -> None:
    operator.publish(1, authority("Withdrawn"))


def of_another_type(operator: Operator) -> None:
    operator.publish(3, authority("Forged"), list_type="EUWRPACProvidersList")


def overdue(operator: Operator) -> None:
    operator.publish(3, authority("Late"), valid=HOUR)


def from_the_future(operator: Operator) -> None:
    operator.publish(3, authority("Early"), at=START + 2 * DAY)


def no_list(operator: Operator) -> None:
    operator.content = b"<html>\xff"


def a_page(operator: Operator) -> None:
    operator.media_type = "text/html"


def too_large(operator: Operator) -> None:
    operator.content += b"x" * (4 << 20)


def a_flipped_bit(operator: Operator) -> None:
    changed = bytearray(operator.content)
    changed[-3] ^= 1
    operator.content = bytes(changed)


@pytest.mark.hostile
@pytest.mark.parametrize(
    "defect",
    [
        unreachable, signed_by_another, of_another_operator, another_certificate_of_the_same_authority, rolled_back,
        of_another_type, overdue, from_the_future, no_list, a_page, too_large, a_flipped_bit,
    ],
)  # fmt: skip
async def test_the_last_good_list_stays(
    operator: Operator, trust: FollowedTrust, defect: Callable[[Operator], None]
) -> None:
    good = authority("Good")
    operator.publish(2, good)
    await trust.refresh(now=START)
    defect(operator)

    assert not await trust.refresh(now=START + DAY)

    assert operator.asked == 2
    assert pid_providers(trust) == [good.certificate]


@pytest.mark.hostile
async def test_a_list_that_is_overdue_gives_no_trust(
    operator: Operator, own: TrustAnchors, trust: FollowedTrust
) -> None:
    operator.publish(1, authority("Listed"))
    await trust.refresh(now=START)
    operator.status = 503

    assert not await trust.refresh(now=START + 10 * DAY)
    assert await trust.refresh(now=START + 10 * DAY + MINUTE)
    assert trust.anchors.identity == own.identity


async def test_a_failure_is_asked_again_soon(operator: Operator, trust: FollowedTrust) -> None:
    operator.status = 503
    await trust.refresh(now=START)
    operator.status = 200
    operator.publish(1, authority("Listed"))

    assert not await trust.refresh(now=START + 4 * MINUTE)
    assert await trust.refresh(now=START + 5 * MINUTE)
    assert operator.asked == 2


@pytest.mark.hostile
async def test_a_list_with_too_many_entities_changes_nothing(
    operator: Operator, own: TrustAnchors, trust: FollowedTrust, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anchors, "MAX_ANCHORS", 2)
    operator.publish(1, authority("One"), authority("Two"))

    assert not await trust.refresh(now=START)
    assert trust.anchors is own


async def test_one_bad_list_does_not_stop_the_others(own: TrustAnchors) -> None:
    good, bad = Operator(), Operator(status=500)
    listed = authority("Listed")
    good.publish(1, listed)
    mounts = {"https://good.test": good, "https://bad.test": bad}
    kind = f"{LIST_TYPE}EUPIDProvidersList"
    async with httpx2.AsyncClient(mounts=mounts) as client:
        lists = [ListToFollow(f"{url}/x", kind, each.signers) for url, each in reversed(mounts.items())]
        trust = FollowedTrust(own, lists, read=partial(fetch_trusted_list, client))
        assert await trust.refresh(now=START)
    assert pid_providers(trust) == [listed.certificate]


async def test_without_lists_the_own_anchors_stay(own: TrustAnchors) -> None:
    async with httpx2.AsyncClient() as client:
        trust = FollowedTrust(own, read=partial(fetch_trusted_list, client))
        assert not await trust.refresh(now=START)
    assert trust.anchors is own
