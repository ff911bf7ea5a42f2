"""The verifier follows lists of trusted entities: what queries trust changes with them."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from byoid.errors import MalformedInput
from byoid.presentation.issuer_trust import X509Trust
from byoid.relying_party.messages import QueryDefinition
from byoid.trust.anchors import Purpose
from byoid.trust.pki import to_pem
from tests.conftest import Clock
from tests.list_operator import DAY, Operator, authority
from tests.verifier.world import World, definition, sd_jwt_query
from verifier import trusted_lists
from verifier.app import open_verifier
from verifier.context import Verifier
from verifier.policies import define_query
from verifier.services import NewService, add_service
from verifier.settings import TrustedListSetting, VerifierSettings

URL = "https://lists.test/pid"
QUERY = definition(sd_jwt_query(), trust={"*": {"lists": [URL]}})


@pytest.fixture
def operator(clock: Clock) -> Operator:
    operator = Operator()
    operator.publish(1, authority("Listed"), at=clock())
    return operator


@pytest.fixture
def following(settings: VerifierSettings, operator: Operator, tmp_path: Path) -> VerifierSettings:
    (tmp_path / "operator.pem").write_bytes(to_pem(operator.leaf))
    listed = TrustedListSetting(url=URL, type="EUPIDProvidersList", signer=tmp_path / "operator.pem")
    return settings.model_copy(update={"trusted_lists": (listed,)})


def opened(
    settings: VerifierSettings, operator: Operator, clock: Clock, nobody: ssl.SSLContext
) -> AbstractAsyncContextManager[Verifier]:
    return open_verifier(settings, clock=clock, mounts={"https://lists.test": operator}, ssl_context=nobody)


@pytest.fixture
async def verifier(
    following: VerifierSettings, operator: Operator, clock: Clock, nobody: ssl.SSLContext, world: World
) -> AsyncIterator[Verifier]:
    async with opened(following, operator, clock, nobody) as verifier:
        new = NewService(id="shop", name="shop", key_name="access-shop")
        await add_service(verifier.store, verifier.sealer, new, now=clock())
        yield verifier


async def kept(verifier: Verifier, clock: Clock) -> str:
    await define_query(verifier.store, "shop", "pid", QueryDefinition.model_validate(QUERY), now=clock())
    row = await verifier.store.named_query("shop", "pid")
    assert row is not None
    found: str = row.id
    return found


async def trusted_for_pids(verifier: Verifier, query_id: str) -> list[Any]:
    policy = await verifier.policies.policy(query_id)
    assert policy is not None and isinstance(policy.trust, dict)
    trust = policy.trust["pid"]
    assert isinstance(trust, X509Trust)
    return [anchor.source for anchor in trust.anchors.for_purpose(Purpose.PID)]


async def test_a_query_trusts_who_is_on_the_list(verifier: Verifier, clock: Clock) -> None:
    assert await verifier.policies.compile("shop", QUERY)
    assert await trusted_for_pids(verifier, await kept(verifier, clock)) == [URL]
    assert len(verifier.anchors) > 1  # those of the trust file stay


@pytest.mark.hostile
async def test_a_query_trusts_nobody_of_a_list_that_is_overdue(
    verifier: Verifier, operator: Operator, clock: Clock
) -> None:
    query_id = await kept(verifier, clock)
    assert await trusted_for_pids(verifier, query_id) == [URL]
    operator.status = 503
    clock.advance(11 * DAY)

    assert await verifier.trust.refresh(now=clock())

    assert await trusted_for_pids(verifier, query_id) == []
    with pytest.raises(MalformedInput, match="no list of trust anchors"):  # for a new one somebody can still mend it
        await verifier.policies.compile("shop", QUERY)


async def test_lists_are_asked_again_without_a_request(
    verifier: Verifier, operator: Operator, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    query_id = await kept(verifier, clock)
    await trusted_for_pids(verifier, query_id)
    before = verifier.anchors
    monkeypatch.setattr(trusted_lists, "LOOK_EVERY", DAY / 10**8)
    clock.advance(DAY)
    operator.publish(2, authority("One"), authority("Two"), at=clock())

    keeping = asyncio.create_task(trusted_lists.keep_lists_fresh(verifier))
    async with asyncio.timeout(5):
        while verifier.anchors is before:
            await asyncio.sleep(0.01)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)

    assert await trusted_for_pids(verifier, query_id) == [URL, URL]


async def test_without_lists_nothing_is_kept_fresh(
    settings: VerifierSettings, operator: Operator, clock: Clock, nobody: ssl.SSLContext
) -> None:
    async with opened(settings, operator, clock, nobody) as verifier:
        await trusted_lists.keep_lists_fresh(verifier)
    assert operator.asked == 0


async def test_a_list_that_cannot_be_had_does_not_stop_the_start(
    following: VerifierSettings, operator: Operator, clock: Clock, nobody: ssl.SSLContext
) -> None:
    operator.status = 503
    async with opened(following, operator, clock, nobody) as verifier:
        assert URL not in {anchor.source for anchor in verifier.anchors.anchors}


@pytest.mark.hostile
async def test_a_list_for_which_nobody_is_pinned_stops_the_start(
    following: VerifierSettings, operator: Operator, clock: Clock, nobody: ssl.SSLContext
) -> None:
    following.trusted_lists[0].signer.write_text("junk")
    with pytest.raises(MalformedInput, match=r"operator\.pem"):
        async with opened(following, operator, clock, nobody):
            pass


@pytest.mark.hostile
@pytest.mark.parametrize(
    "changes", [{"url": "http://lists.test"}, {"type": ""}, {"purposes": []}, {"signers": "x"}, {"purposes": ["king"]}]
)
def test_a_setting_that_is_wrong_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TrustedListSetting.model_validate({"url": URL, "type": "x", "signer": "y.pem", **changes})
