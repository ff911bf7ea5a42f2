"""The relying-party flow in process: every kind of client, GET and POST, and what is kept."""

from datetime import timedelta
from typing import Any

import pytest

from byoid.encoding import json_dumps
from byoid.errors import MalformedInput
from byoid.keys import PrivateKey
from byoid.presentation.client_id import VerifierTrust
from byoid.presentation.issuer_trust import UnsafeTrustAnyIssuer
from byoid.presentation.request import parse_request_parameters
from byoid.presentation.request_object import WalletAbilities, decrypt_request_object, verify_request
from byoid.relying_party import (
    Client,
    Mode,
    Policy,
    RelyingParty,
    SessionMismatch,
    State,
    TransactionOver,
    TransactionUnknown,
)
from byoid.relying_party.judging import only_asked
from byoid.signing import SoftwareSigner
from byoid.wire_errors import InvalidRequest
from tests.conftest import Clock
from tests.verifier.world import Wallet, World, sd_jwt_query

BASE = "https://verifier.test/byoid"
ABILITIES = WalletAbilities(frozenset({"dc+sd-jwt", "mso_mdoc"}), {})


@pytest.fixture
def wallet(world: World) -> Wallet:
    return Wallet(world, None)  # type: ignore[arg-type]  # it talks to nobody here


@pytest.fixture
def party(shop: SoftwareSigner, policies: dict[str, Policy], lists: Any, clock: Clock) -> RelyingParty:
    return RelyingParty(Client.x509_hash(shop), BASE, policies=policies, statuses=lists, clock=clock)


async def answer(party: RelyingParty, wallet: Wallet, begun: Any, trust: VerifierTrust | None = None) -> Any:
    jwt = await party.request_object(begun.request_id)
    request = verify_request(
        jwt, client_id=begun.parameters["client_id"], trust=trust or wallet.world.trust, abilities=ABILITIES,
        now=wallet.world.clock(),
    )  # fmt: skip
    sent = request.request.model_copy(update={"client_metadata": request.metadata})
    return await party.receive(begun.request_id, wallet.answer(sent).form())


@pytest.mark.parametrize("policy_id", ["pid", "open", "mdoc"])
async def test_an_answer_is_accepted(party: RelyingParty, wallet: Wallet, policy_id: str) -> None:
    begun = await party.begin(policy_id)
    await answer(party, wallet, begun)
    found = await party.result(begun.id)
    assert found.state is State.ACCEPTED
    assert found.sent is None
    assert found.outcome is not None
    assert "Ada" in str(found.outcome.credentials)


async def test_a_party_under_a_dns_name(
    shop: SoftwareSigner, policies: Any, lists: Any, clock: Clock, wallet: Wallet
) -> None:
    client = Client.x509_san_dns("verifier.test", shop)
    party = RelyingParty(client, BASE, policies=policies, statuses=lists, clock=clock)
    begun = await party.begin("pid")
    assert begun.parameters["client_id"] == "x509_san_dns:verifier.test"
    await answer(party, wallet, begun)
    assert (await party.progress(begun.id)).state is State.ACCEPTED


async def test_a_party_that_does_not_sign_asks_by_value(
    policies: Any, lists: Any, clock: Clock, wallet: Wallet
) -> None:
    party = RelyingParty(Client.unsigned(), BASE, policies=policies, statuses=lists, clock=clock)
    begun = await party.begin("pid")
    with pytest.raises(TransactionUnknown):
        await party.request_object(begun.request_id)
    request = parse_request_parameters(begun.parameters)
    assert request.client_id == f"redirect_uri:{BASE}/responses/{begun.request_id}"
    await party.receive(begun.request_id, wallet.answer(request).form())  # type: ignore[arg-type]
    assert (await party.progress(begun.id)).state is State.ACCEPTED


async def test_a_posted_request_repeats_the_nonce_and_is_encrypted_to_the_wallet(
    party: RelyingParty, wallet: Wallet
) -> None:
    key = PrivateKey.generate()
    jwk = {**key.public.jwk, "kid": "w1", "use": "enc", "alg": "ECDH-ES"}
    metadata = json_dumps({"vp_formats_supported": {}, "jwks": {"keys": [jwk]}, "unknown": 1}).decode()
    begun = await party.begin("pid", request_uri_method="post")
    assert begun.parameters["request_uri_method"] == "post"

    text = await party.request_object(begun.request_id, {"wallet_nonce": "abc", "wallet_metadata": metadata})

    request = wallet.read(decrypt_request_object(text, {"w1": key}), begun.parameters["client_id"], wallet_nonce="abc")
    assert request.wallet_nonce == "abc"


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("metadata", "error"),
    [
        ("junk", MalformedInput),
        ("{}", MalformedInput),
        ('{"vp_formats_supported": {}, "request_object_signing_alg_values_supported": ["ES512"]}', InvalidRequest),
        ('{"vp_formats_supported": {}, "jwks": {"keys": [{"kty": "RSA", "kid": "1"}]}}', InvalidRequest),
    ],
)
async def test_metadata_that_cannot_be_used_are_refused(
    party: RelyingParty, metadata: str, error: type[Exception]
) -> None:
    begun = await party.begin("pid", request_uri_method="post")
    with pytest.raises(error):
        await party.request_object(begun.request_id, {"wallet_metadata": metadata})
    assert await party.request_object(begun.request_id)


async def test_a_request_is_given_as_often_as_it_is_asked_for_until_it_is_answered(
    party: RelyingParty, wallet: Wallet
) -> None:
    begun = await party.begin("pid")
    for _ in range(3):
        assert await party.request_object(begun.request_id)
    await answer(party, wallet, begun)
    with pytest.raises(TransactionOver):
        await party.request_object(begun.request_id)


async def test_a_result_that_is_read_once_is_gone(party: RelyingParty, wallet: Wallet) -> None:
    begun = await party.begin("once")
    assert (await party.result(begun.id)).state is State.PENDING
    await answer(party, wallet, begun)
    assert (await party.result(begun.id)).state is State.ACCEPTED
    with pytest.raises(TransactionUnknown):
        await party.result(begun.id)


async def test_a_result_ends_with_its_time(party: RelyingParty, wallet: Wallet, clock: Clock) -> None:
    begun = await party.begin("pid")
    await answer(party, wallet, begun)
    clock.advance(timedelta(minutes=59))
    assert await party.result(begun.id)
    clock.advance(timedelta(minutes=1))
    with pytest.raises(TransactionUnknown):
        await party.result(begun.id)


async def test_on_the_same_device_only_the_browser_with_the_code_gets_the_result(
    party: RelyingParty, wallet: Wallet
) -> None:
    begun = await party.begin("pid", mode=Mode.SAME_DEVICE, session="mine", redirect_uri="https://shop.test/done?a=1")
    back = (await answer(party, wallet, begun)).redirect_uri
    code = back.removeprefix("https://shop.test/done?a=1&response_code=")
    for session, given in (("theirs", code), ("mine", None), (None, code)):
        with pytest.raises(SessionMismatch):
            await party.result(begun.id, session=session, response_code=given)
    assert (await party.result(begun.id, session="mine", response_code=code)).state is State.ACCEPTED


@pytest.mark.hostile
@pytest.mark.parametrize("mode", [Mode.CROSS_DEVICE, Mode.DC_API])
async def test_only_the_same_device_has_a_way_back(party: RelyingParty, mode: Mode) -> None:
    """Who asks for a redirect that would never come has mistaken the mode, and is told at once."""
    with pytest.raises(ValueError, match="same device alone"):
        await party.begin("pid", mode=mode, redirect_uri="https://shop.test/done", origin="https://shop.test")


async def test_an_unknown_policy_begins_nothing(party: RelyingParty) -> None:
    with pytest.raises(TransactionUnknown):
        await party.begin("other")


def test_of_what_was_shown_only_what_was_asked_is_kept() -> None:
    policy = Policy.of(sd_jwt_query(["a", "b"], ["list", 1], ["all", None], ["gone"]), UnsafeTrustAnyIssuer())
    claims = {"a": {"b": 1, "c": 2}, "list": ["x", "y"], "all": [1, 2], "more": 3}
    kept = only_asked(policy.query.credential("pid"), claims)
    assert kept == {"a": {"b": 1}, "list": ["y"], "all": [1, 2]}


def test_a_query_without_claims_keeps_what_the_issuer_left_open() -> None:
    query = {"credentials": [{"id": "pid", "format": "dc+sd-jwt", "meta": {}}]}
    assert only_asked(Policy.of(query, UnsafeTrustAnyIssuer()).query.credential("pid"), {"a": 1}) == {"a": 1}
