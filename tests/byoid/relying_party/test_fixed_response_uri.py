"""Clients whom wallets know beforehand: one response URI for all requests, which can be registered or attested.

OpenID4VP 1.0 5.9.3 (`verifier_attestation`, pre-registered), 8.2 (`response_uri` follows the rules of `redirect_uri`).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from byoid.errors import ByoidError, ClaimMismatch, MalformedInput, ResponseRejected
from byoid.jose import parse_jws
from byoid.keys import PrivateKey
from byoid.presentation.client_id import RegisteredClient, VerifierTrust
from byoid.presentation.request import AuthorizationRequest, ClientMetadata, Jwks
from byoid.presentation.request_object import WalletAbilities, verify_request
from byoid.presentation.verifier_attestation import prepare_verifier_attestation
from byoid.relying_party import Begun, Client, Policy, RelyingParty, State, TransactionOver, TransactionUnknown
from byoid.signing import SoftwareSigner, sign_now
from tests.conftest import Clock
from tests.verifier.world import Wallet, World

BASE = "https://verifier.test/byoid"
RESPONSE_URI = f"{BASE}/responses"
ABILITIES = WalletAbilities(frozenset({"dc+sd-jwt", "mso_mdoc"}), {})


@dataclass
class Known:
    """A client, and what makes wallets know it."""

    client: Client
    trust: VerifierTrust


def attested(world: World, clock: Clock) -> Known:
    attester, key = PrivateKey.generate(), PrivateKey.generate()
    unsigned = prepare_verifier_attestation(
        issuer="https://attester.test", client_id="shop", key=key.public.jwk, algorithm="ES256", issued_at=clock(),
        expires_at=clock() + timedelta(days=1), redirect_uris=[RESPONSE_URI],
    )  # fmt: skip
    client = Client.attested("shop", sign_now(unsigned, attester), SoftwareSigner(key))
    issuers = {"https://attester.test": attester.public}
    return Known(client, VerifierTrust(world.trust.anchors, attestation_issuers=issuers))


def registered(world: World, clock: Clock) -> Known:
    key, response_key = PrivateKey.generate(), PrivateKey.generate()
    client = Client.registered("shop", SoftwareSigner(key), response_key=response_key)
    jwk = {**response_key.public.jwk, "kid": response_key.public.thumbprint_b64u, "use": "enc", "alg": "ECDH-ES"}
    metadata = ClientMetadata(jwks=Jwks(keys=(jwk,)), encrypted_response_enc_values_supported=("A128GCM",))
    shop = RegisteredClient("Shop", metadata, frozenset({RESPONSE_URI}), key.public)
    return Known(client, VerifierTrust(world.trust.anchors, registered={"shop": shop}))


@pytest.fixture
def wallet(world: World) -> Wallet:
    return Wallet(world, None)  # type: ignore[arg-type]  # it talks to nobody here


@pytest.fixture(params=[attested, registered])
def known(request: pytest.FixtureRequest, world: World, clock: Clock) -> Known:
    make: Callable[[World, Clock], Known] = request.param
    return make(world, clock)


@pytest.fixture
def party(known: Known, policies: dict[str, Policy], lists: Any, clock: Clock) -> RelyingParty:
    return RelyingParty(known.client, BASE, policies=policies, statuses=lists, clock=clock)


async def read(party: RelyingParty, known: Known, wallet: Wallet, begun: Begun) -> AuthorizationRequest:
    """Return the request as the wallet has verified it, with what it knows of the client."""
    jwt = await party.request_object(begun.request_id)
    found = verify_request(
        jwt, client_id=begun.parameters["client_id"], trust=known.trust, abilities=ABILITIES, now=wallet.world.clock()
    )
    assert ("client_metadata" in parse_jws(jwt).claims()) is not known.client.pre_registered
    return found.request.model_copy(update={"client_metadata": found.metadata})


@pytest.mark.parametrize("policy_id", ["pid", "open"])
async def test_answers_find_their_request(party: RelyingParty, known: Known, wallet: Wallet, policy_id: str) -> None:
    first, second = await party.begin(policy_id), await party.begin(policy_id)
    requests = [await read(party, known, wallet, each) for each in (first, second)]
    assert {request.response_uri for request in requests} == {RESPONSE_URI}

    await party.receive(None, wallet.answer(requests[1]).form())

    assert (await party.progress(first.id)).state is State.PENDING
    assert (await party.progress(second.id)).state is State.ACCEPTED


async def test_a_refusal_in_the_clear_finds_its_request(party: RelyingParty, known: Known, wallet: Wallet) -> None:
    begun = await party.begin("pid")
    request = await read(party, known, wallet, begun)
    await party.receive(None, {"error": "access_denied", "state": str(request.state)})
    assert (await party.progress(begun.id)).declined_with == "access_denied"


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, MalformedInput),
        ({"response": "junk"}, MalformedInput),
        ({"vp_token": '{"pid": ["x"]}'}, TransactionUnknown),
        ({"vp_token": '{"pid": ["x"]}', "state": "nobody.x"}, TransactionUnknown),
        ({"error": "access_denied", "state": "."}, TransactionUnknown),
    ],
)
async def test_what_answers_no_request_is_refused(
    party: RelyingParty, form: dict[str, str], error: type[ByoidError]
) -> None:
    with pytest.raises(error):
        await party.receive(None, form)


@pytest.mark.hostile
async def test_who_only_knows_the_name_of_a_request_cannot_decline_it(party: RelyingParty) -> None:
    begun = await party.begin("pid")
    with pytest.raises(ClaimMismatch):
        await party.receive(None, {"error": "access_denied", "state": f"{begun.request_id}.guessed"})
    assert (await party.progress(begun.id)).state is State.PENDING


@pytest.mark.hostile
async def test_an_answer_is_taken_for_the_request_that_it_was_made_for_alone(
    party: RelyingParty, known: Known, wallet: Wallet
) -> None:
    first, second = await party.begin("pid"), await party.begin("pid")
    requests = [await read(party, known, wallet, each) for each in (first, second)]
    mixed = replace(wallet.answer(requests[0]), state=requests[1].state)

    with pytest.raises((ClaimMismatch, ResponseRejected)):
        await party.receive(None, mixed.form())

    for each in (first, second):
        assert (await party.progress(each.id)).state is State.PENDING


@pytest.mark.hostile
async def test_an_answer_counts_once(party: RelyingParty, known: Known, wallet: Wallet) -> None:
    form = wallet.answer(await read(party, known, wallet, await party.begin("pid"))).form()
    await party.receive(None, form)
    with pytest.raises(TransactionOver):
        await party.receive(None, form)


async def test_other_clients_have_a_response_uri_for_each_request(
    shop: SoftwareSigner, policies: dict[str, Policy], clock: Clock
) -> None:
    party = RelyingParty(Client.x509_hash(shop), BASE, policies=policies, clock=clock)
    begun = await party.begin("pid")
    claims = parse_jws(await party.request_object(begun.request_id)).claims()
    assert claims["response_uri"] == f"{RESPONSE_URI}/{begun.request_id}"
    with pytest.raises(TransactionUnknown):
        await party.receive(None, {"error": "access_denied", "state": claims["state"]})
