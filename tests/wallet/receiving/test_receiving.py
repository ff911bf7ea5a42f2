"""Receiving from an honest issuer: every flow, batches, encryption, attestations, promises, renewal, declining."""

import asyncio
import json
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from starlette.responses import JSONResponse, Response

from byoid.errors import MalformedInput, PeerError
from byoid.jose import parse_jws
from byoid.keys import PrivateKey
from byoid.oauth.private_key_jwt import verify_client_assertion
from byoid.service.http import TOTAL_SECONDS
from byoid.signing import SoftwareSigner
from tests.peers.dishonest_issuer import URL, DishonestIssuer, Making, link, offer
from tests.wallet.world import Citizen, WatchedDoor
from wallet import deferred, keeping, receiving, refresh_tokens
from wallet.accounts import lock_wallet
from wallet.cards import change_card, load_card, load_cards, load_copies, load_deck, mark_used, open_copy
from wallet.context import Wallet
from wallet.deferred import collect_due, load_promises
from wallet.history import Reason, Result, Transaction, load_history
from wallet.issuer_client import IssuerClient
from wallet.offers import catalogue, open_link, preview, start_from_catalogue
from wallet.receipts import OutOfTurn, UnsupportedCredential, change_receipt, load_receipt
from wallet.receiving import IssuerUnavailable, Received, approve, decline, enter_transaction_code, propose
from wallet.reissue import due_cards, start_reissue
from wallet.vault.contract import NotApproved, VaultDoor, WalletLocked
from wallet.vault.gate import withdraw


async def test_a_batch_is_kept_as_one_card_whose_copies_have_keys_of_their_own(citizen: Any) -> None:
    received = await citizen.receive()

    assert isinstance(received, Received)
    assert await citizen.holdings() == {"cards": 1, "copies": 3, "promises": 0, "keys": 3}
    contents = (await citizen.visit()).contents
    (card,) = await load_cards(contents)
    copies = await load_copies(contents, card.id)
    assert len({copy.content.key_id for copy in copies}) == 3
    assert card.content.signer == "Gemeinde Lindenmoor"
    assert open_copy(card, copies[0]).claims["family_name"] == "Öztürk"  # type: ignore[union-attr]


async def test_both_formats_come_from_one_offer(citizen: Any) -> None:
    received = await citizen.receive(offer(credential_configuration_ids=["pid", "pid_mdoc"]))

    assert len(received.card_ids) == 2
    assert await citizen.holdings() == {"cards": 2, "copies": 6, "promises": 0, "keys": 6}


async def test_the_issuer_is_told_that_its_credentials_were_accepted(citizen: Any, issuer: DishonestIssuer) -> None:
    await citizen.receive()

    assert issuer.notifications == [{"notification_id": "n-1", "event": "credential_accepted"}]


async def test_a_nonce_that_the_issuer_demands_in_its_challenge_alone_goes_into_the_next_proof(
    citizen: Any, issuer: DishonestIssuer
) -> None:
    asked: list[Any] = []

    def demanding(honest: Any) -> Any:
        asked.append(honest)
        headers = {"WWW-Authenticate": 'DPoP error="use_dpop_nonce"', "DPoP-Nonce": "n"}
        return Response(status_code=401, headers=headers) if len(asked) == 1 else honest

    issuer.tamper["credential"] = demanding

    assert isinstance(await citizen.receive(), Received)
    assert len(asked) == 2


async def test_a_slow_answer_is_waited_for_until_the_deadline_since_a_code_works_once(wallet: Wallet) -> None:
    asked: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return httpx2.Response(200)

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer), timeout=1) as http:
        await IssuerClient(http, trust=wallet.trust, clock=wallet.clock).send("POST", URL, accept="*/*")

    assert asked[0].extensions["timeout"]["read"] == TOTAL_SECONDS


async def test_an_issuer_that_does_not_listen_changes_nothing(citizen: Any, issuer: DishonestIssuer) -> None:
    def broken(_: Any) -> Any:
        return {"error": "server_error"}

    issuer.tamper["notification"] = broken

    assert isinstance(await citizen.receive(), Received)


async def test_nothing_but_metadata_is_fetched_before_the_citizen_approves(
    citizen: Any, wallet: Wallet, issuer: DishonestIssuer
) -> None:
    visit = await citizen.visit()
    receipt = await open_link(wallet, visit, link(offer()))
    await propose(wallet, visit, receipt.id)

    assert issuer.paths() == ["metadata"]


async def test_an_offer_by_reference_is_not_visited_before_the_citizen_agrees(
    citizen: Any, wallet: Wallet, issuer: DishonestIssuer
) -> None:
    receipt = await open_link(
        wallet, await citizen.visit(), f"openid-credential-offer://?credential_offer_uri={URL}/offer"
    )

    assert issuer.seen == []
    assert preview(receipt).host == "dishonest.test"


async def test_the_order_of_credentials_means_nothing(citizen: Any, issuer: DishonestIssuer) -> None:
    def turned(honest: dict[str, Any]) -> dict[str, Any]:
        return honest | {"credentials": honest["credentials"][::-1]}

    issuer.tamper["credential"] = turned
    await citizen.receive()

    contents = (await citizen.visit()).contents
    (card,) = await load_cards(contents)
    assert len(await load_copies(contents, card.id)) == 3


async def test_fewer_credentials_than_keys_are_fine_and_the_other_keys_are_deleted(
    citizen: Any, issuer: DishonestIssuer
) -> None:
    issuer.tamper["credential"] = lambda honest: honest | {"credentials": honest["credentials"][:1]}
    await citizen.receive()

    assert await citizen.holdings() == {"cards": 1, "copies": 1, "promises": 0, "keys": 1}


async def test_requests_and_responses_are_encrypted_where_the_issuer_can(citizen: Any, issuer: DishonestIssuer) -> None:
    issuer.encryption_key = PrivateKey.generate()

    assert isinstance(await citizen.receive(), Received)
    (members,) = [body for path, body in issuer.seen if path == "credential"]
    assert members["credential_response_encryption"]["enc"] == "A256GCM"


async def test_a_login_at_the_issuer_leads_back_to_the_card(citizen: Any, issuer: DishonestIssuer) -> None:
    parameters = await citizen.log_in()
    (pushed,) = [body for path, body in issuer.seen if path == "par"]
    assert pushed["scope"] == ["pid"]
    assert pushed["redirect_uri"] == ["https://wallet.test/callback"]
    assert pushed["code_challenge_method"] == ["S256"]

    received = await citizen.come_back(parameters)

    assert isinstance(received, Received)
    (token,) = [body for path, body in issuer.seen if path == "token"]
    assert token["code_verifier"]
    assert await citizen.receipts() == []


async def test_a_login_comes_back_once(citizen: Any) -> None:
    parameters = await citizen.log_in()
    await citizen.come_back(parameters)

    with pytest.raises(Exception, match="answers no login"):
        await citizen.come_back(parameters)


async def test_a_configuration_without_scope_is_asked_for_by_authorization_details(
    citizen: Any, issuer: DishonestIssuer
) -> None:
    def without_scope(honest: dict[str, Any]) -> dict[str, Any]:
        del honest["credential_configurations_supported"]["pid"]["scope"]
        return honest

    issuer.tamper["metadata"] = without_scope
    issuer.tamper["token"] = lambda honest: (
        honest
        | {
            "authorization_details": [
                {
                    "type": "openid_credential",
                    "credential_configuration_id": "pid",
                    "credential_identifiers": ["dataset-1"],
                }
            ]
        }
    )
    issuer.tamper["credential"] = lambda honest: honest
    parameters = await citizen.log_in()
    (pushed,) = [body for path, body in issuer.seen if path == "par"]
    assert "openid_credential" in pushed["authorization_details"][0]
    with pytest.raises(KeyError):  # the issuer of these tests finds its configuration by id only
        await citizen.come_back(parameters)
    (members,) = [body for path, body in issuer.seen if path == "credential"]
    assert members["credential_identifier"] == "dataset-1"


async def test_a_server_that_takes_authorization_details_gets_them_beside_the_scope(
    citizen: Any, issuer: DishonestIssuer
) -> None:
    def sharing_a_scope(honest: dict[str, Any]) -> dict[str, Any]:
        honest["credential_configurations_supported"]["pid_mdoc"]["scope"] = "pid"
        return honest

    issuer.tamper["metadata"] = sharing_a_scope
    issuer.tamper["server"] = lambda honest: honest | {"authorization_details_types_supported": ["openid_credential"]}
    parameters = await citizen.log_in("pid", "pid_mdoc")
    (pushed,) = [body for path, body in issuer.seen if path == "par"]

    assert pushed["scope"] == ["pid"]
    details = json.loads(pushed["authorization_details"][0])
    assert [each["credential_configuration_id"] for each in details] == ["pid", "pid_mdoc"]
    assert isinstance(await citizen.come_back(parameters), Received)  # its token may name none: there was a scope


async def test_a_key_attestation_covers_all_keys_and_the_first_key_signs(citizen: Any, issuer: DishonestIssuer) -> None:
    def demanding(honest: dict[str, Any]) -> dict[str, Any]:
        proof_types = honest["credential_configurations_supported"]["pid"]["proof_types_supported"]
        proof_types["jwt"]["key_attestations_required"] = {}
        return honest

    issuer.tamper["metadata"] = demanding
    await citizen.receive()

    (members,) = [body for path, body in issuer.seen if path == "credential"]
    (proof,) = members["proofs"]["jwt"]
    attestation = parse_jws(parse_jws(proof).header["key_attestation"]).claims()
    assert len(attestation["attested_keys"]) == 3
    assert attestation["attested_keys"][0] == parse_jws(proof).header["jwk"]
    assert attestation["nonce"] == parse_jws(proof).claims()["nonce"] == attestation["c_nonce"]
    assert await citizen.holdings() == {"cards": 1, "copies": 3, "promises": 0, "keys": 3}


async def test_a_proof_by_attestation_alone_is_sent_where_the_issuer_takes_no_other(
    citizen: Any, issuer: DishonestIssuer
) -> None:
    def demanding(honest: dict[str, Any]) -> dict[str, Any]:
        pid = honest["credential_configurations_supported"]["pid"]
        pid["proof_types_supported"] = {
            "attestation": {"proof_signing_alg_values_supported": ["ES256"], "key_attestations_required": {}}
        }
        return honest

    issuer.tamper["metadata"] = demanding

    assert isinstance(await citizen.receive(), Received)


async def test_a_server_that_registers_clients_is_told_by_the_key_that_it_knows(
    citizen: Any, wallet: Wallet, issuer: DishonestIssuer
) -> None:
    def registering(honest: dict[str, Any]) -> dict[str, Any]:
        return honest | {"token_endpoint_auth_methods_supported": ["private_key_jwt"]}

    signer = SoftwareSigner(PrivateKey.generate())
    wallet.provider.client_signer = signer
    issuer.tamper["server"] = registering
    await citizen.come_back(await citizen.log_in())
    sent = [body for path, body in issuer.seen if path in {"par", "token"}]

    assert len(sent) == 2
    for body in sent:
        assert body["client_assertion_type"] == ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"]
        verify_client_assertion(
            body["client_assertion"][0], client_id="byoid-wallet", key=signer.key.public, audience=URL,
            now=wallet.clock(),
        )  # fmt: skip
    assert sent[0]["client_assertion"] != sent[1]["client_assertion"]


async def test_a_server_that_takes_attestations_gets_no_key_that_all_wallets_share(
    citizen: Any, wallet: Wallet, issuer: DishonestIssuer
) -> None:
    wallet.provider.client_signer = SoftwareSigner(PrivateKey.generate())
    issuer.tamper["server"] = lambda honest: (
        honest | {"token_endpoint_auth_methods_supported": ["private_key_jwt", "attest_jwt_client_auth"]}
    )
    await citizen.receive()

    assert all("client_assertion" not in body for path, body in issuer.seen if path == "token")


async def test_two_issuances_share_no_key_and_no_attestation(citizen: Any, issuer: DishonestIssuer) -> None:
    await citizen.receive()
    await citizen.receive()
    proofs = [jwt for path, body in issuer.seen if path == "credential" for jwt in body["proofs"]["jwt"]]

    assert len({parse_jws(jwt).header["jwk"]["x"] for jwt in proofs}) == 6


async def test_a_declined_offer_leaves_nothing_and_tells_the_issuer_nothing(
    citizen: Any, wallet: Wallet, issuer: DishonestIssuer
) -> None:
    visit = await citizen.visit()
    receipt = await open_link(wallet, visit, link(offer()))
    await propose(wallet, visit, receipt.id)
    await decline(wallet, visit, receipt.id)

    assert issuer.paths() == ["metadata"]
    assert await citizen.receipts() == []
    assert await citizen.holdings() == {"cards": 0, "copies": 0, "promises": 0, "keys": 0}
    (item,) = await load_history(visit.contents)
    assert item.entry.reason_of_noncompletion is Reason.DECLINED


async def test_a_new_proposal_replaces_the_keys_of_the_old_one(citizen: Any, wallet: Wallet) -> None:
    visit = await citizen.visit()
    receipt = await open_link(wallet, visit, link(offer()))
    await propose(wallet, visit, receipt.id)
    received = await citizen.approve(visit, receipt.id)

    assert isinstance(received, Received)
    assert await citizen.holdings() == {"cards": 1, "copies": 3, "promises": 0, "keys": 3}


async def test_an_approval_of_one_offer_does_not_receive_another(citizen: Any, wallet: Wallet) -> None:
    visit = await citizen.visit()
    one, other = [await open_link(wallet, visit, link(offer())) for _ in range(2)]
    await propose(wallet, visit, other.id)
    ceremony = await propose(wallet, visit, one.id)

    with pytest.raises(NotApproved):
        await approve(wallet, visit, other.id, citizen.answer(ceremony))


async def test_a_live_session_alone_receives_nothing(citizen: Any, wallet: Wallet) -> None:
    visit = await citizen.visit()
    receipt = await open_link(wallet, visit, link(offer()))
    await propose(wallet, visit, receipt.id)

    with pytest.raises(OutOfTurn):
        await enter_transaction_code(wallet, visit, receipt.id, tx_code=None)


async def test_an_issuer_that_pauses_can_be_tried_again_without_another_approval(
    citizen: Any, wallet: Wallet, issuer: DishonestIssuer
) -> None:
    issuer.tamper["token"] = lambda _: JSONResponse({"error": "temporarily_unavailable"}, 503)
    visit = await citizen.visit()
    receipt = await open_link(wallet, visit, link(offer()))
    with pytest.raises(IssuerUnavailable):
        await citizen.approve(visit, receipt.id)
    del issuer.tamper["token"]

    assert isinstance(await enter_transaction_code(wallet, visit, receipt.id, tx_code=None), Received)


async def test_the_catalogue_shows_issuers_that_answer(wallet: Wallet, issuer: DishonestIssuer) -> None:
    (entry,) = await catalogue(wallet)
    assert [card.configuration_id for card in entry.cards] == ["pid", "pid_mdoc"]

    issuer.tamper["metadata"] = lambda _: {}
    assert await catalogue(wallet) == []


async def test_an_issuer_outside_the_catalogue_is_not_started(citizen: Any, wallet: Wallet) -> None:
    with pytest.raises(UnsupportedCredential):
        await start_from_catalogue(
            wallet, await citizen.visit(), credential_issuer="https://other.test", configuration_ids=("pid",)
        )


async def test_a_locked_wallet_receives_nothing(citizen: Any, wallet: Wallet) -> None:
    visit = await citizen.visit()
    receipt = await open_link(wallet, visit, link(offer()))
    await wallet.door.run(lock_wallet, citizen.cookie)
    await citizen.sign_in()
    with pytest.raises(WalletLocked):
        await propose(wallet, await citizen.visit(), receipt.id)

    assert (await citizen.holdings())["keys"] == 0


# --- promises


async def test_a_promise_is_collected_when_it_is_due(
    citizen: Any, wallet: Wallet, issuer: DishonestIssuer, clock: Any
) -> None:
    issuer.defer = 2
    received = await citizen.receive()
    assert received == Received(deferred_ids=received.deferred_ids)
    visit = await citizen.visit()
    assert await collect_due(wallet, visit) == []

    clock.advance(seconds=6)
    (waiting,) = await collect_due(wallet, visit)
    assert (waiting.received, waiting.error) == (None, None)
    clock.advance(seconds=6)
    (collected,) = await collect_due(wallet, visit)

    assert collected.received is not None
    assert await citizen.holdings() == {"cards": 1, "copies": 3, "promises": 0, "keys": 3}


async def test_a_promise_survives_an_issuer_that_is_down(
    citizen: Any, wallet: Wallet, issuer: DishonestIssuer, clock: Any
) -> None:
    issuer.defer = 1
    await citizen.receive()
    issuer.tamper["deferred"] = lambda _: Response(status_code=502)
    clock.advance(hours=1)
    await citizen.sign_in()
    (waiting,) = await collect_due(wallet, await citizen.visit())
    assert waiting.error is not None
    assert not waiting.over

    del issuer.tamper["deferred"]
    clock.advance(minutes=1)
    (collected,) = await collect_due(wallet, await citizen.visit())
    assert collected.received is not None


async def test_two_browsers_that_collect_at_once_ask_once(
    citizen: Any, wallet: Wallet, issuer: DishonestIssuer, clock: Any
) -> None:
    issuer.defer = 1
    await citizen.receive()
    clock.advance(seconds=6)
    visit = await citizen.visit()
    results = await asyncio.gather(collect_due(wallet, visit), collect_due(wallet, visit))

    assert issuer.paths().count("deferred") == 1
    assert [each.error for result in results for each in result] == [None] * sum(map(len, results))
    assert await citizen.holdings() == {"cards": 1, "copies": 3, "promises": 0, "keys": 3}


async def test_a_promise_that_the_issuer_withdraws_ends_with_its_keys(
    citizen: Any, wallet: Wallet, issuer: DishonestIssuer, clock: Any
) -> None:
    issuer.defer = 1
    await citizen.receive()
    issuer.tamper["deferred"] = lambda _: JSONResponse({"error": "credential_request_denied"}, 400)
    clock.advance(seconds=6)
    visit = await citizen.visit()
    await collect_due(wallet, visit)

    assert await load_promises(visit) == []
    assert await citizen.holdings() == {"cards": 0, "copies": 0, "promises": 0, "keys": 0}
    assert (await load_history(visit.contents))[0].entry.transaction_result is Result.NOT_COMPLETED


@pytest.mark.hostile
async def test_an_issuer_that_does_not_answer_holds_up_nobody_elses_promise(
    citizen: Any, wallet: Wallet, issuer: DishonestIssuer, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each visit asks one issuer here, as if that took all the time there is: every promise has its turn."""
    monkeypatch.setattr(deferred, "PATIENCE", timedelta(0))
    issuer.defer = 10
    issuer.tamper["deferred"] = lambda _: Response(status_code=504)
    promised = {promise for _ in range(3) for promise in (await citizen.receive()).deferred_ids}
    asked = []
    for _ in range(6):
        clock.advance(minutes=2)
        asked += [each.promise.id for each in await collect_due(wallet, await citizen.visit())]

    assert len(asked) == 6
    assert set(asked[:3]) == set(asked[3:]) == promised


@pytest.mark.hostile
async def test_the_issuer_does_not_choose_how_many_keys_are_made(citizen: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "_MAX_KEYS", 4)

    received = await citizen.receive(offer(credential_configuration_ids=["pid", "pid_mdoc"]))

    assert len(received.card_ids) == 2
    assert await citizen.holdings() == {"cards": 2, "copies": 4, "promises": 0, "keys": 4}


# --- renewal


async def test_a_renewal_replaces_the_copies_and_says_what_changed(
    citizen: Any, wallet: Wallet, issuer: DishonestIssuer, clock: Any
) -> None:
    issuer.refresh_token = "refresh-1"
    received = await citizen.receive()
    clock.advance(days=13)
    await citizen.sign_in()
    visit = await citizen.visit()
    issuer.refresh_token = "refresh-2"

    def married(making: Making) -> Making:
        making.claims = {**making.claims, "family_name": "Łukasiewicz"}
        return making

    issuer.make = married
    receipt = await start_reissue(wallet, visit, received.card_ids[0])
    assert not preview(receipt).needs_login
    renewed = await citizen.approve(visit, receipt.id)

    assert isinstance(renewed, Received)
    assert (renewed.card_ids, renewed.deferred_ids, renewed.changed) == (received.card_ids, (), ("family_name",))
    assert await citizen.holdings() == {"cards": 1, "copies": 3, "promises": 0, "keys": 3}
    card = await load_card(visit.contents, received.card_ids[0], now=clock())
    assert card.content.reissuance is not None
    assert card.content.reissuance.refresh_token == "refresh-2"
    assert (await load_history(visit.contents))[0].entry.transaction_type is Transaction.REISSUANCE
    tokens = [body for path, body in issuer.seen if path == "token"]
    assert tokens[-1]["grant_type"] == ["refresh_token"]


async def test_a_renewal_that_fails_keeps_the_new_refresh_token_and_the_old_copies(
    citizen: Any, wallet: Wallet, issuer: DishonestIssuer
) -> None:
    issuer.refresh_token = "refresh-1"
    (card_id,) = (await citizen.receive()).card_ids
    issuer.refresh_token = "refresh-2"
    issuer.tamper["credential"] = lambda _: {}
    visit = await citizen.visit()
    receipt = await start_reissue(wallet, visit, card_id)
    with pytest.raises(MalformedInput):
        await citizen.approve(visit, receipt.id)

    card = await load_card(visit.contents, card_id, now=wallet.clock())
    assert card.content.reissuance is not None
    assert card.content.reissuance.refresh_token == "refresh-2"
    assert await citizen.holdings() == {"cards": 1, "copies": 3, "promises": 0, "keys": 3}


@pytest.mark.hostile
@pytest.mark.parametrize("moment", [keeping, refresh_tokens])
async def test_a_renewal_is_kept_although_another_tab_changes_the_card_meanwhile(
    citizen: Any, wallet: Wallet, issuer: DishonestIssuer, monkeypatch: pytest.MonkeyPatch, moment: Any
) -> None:
    """The token is void and the credentials come once: to lose them here is to lose them for good."""
    issuer.refresh_token = "refresh-1"
    (card_id,) = (await citizen.receive()).card_ids
    issuer.refresh_token = "refresh-2"
    visit = await citizen.visit()
    name = "load_card" if moment is keeping else "load_cards"
    honest = getattr(moment, name)

    async def other_tab(*args: Any, **kwargs: Any) -> Any:
        monkeypatch.setattr(moment, name, honest)
        found = await honest(*args, **kwargs)
        card = await load_card(visit.contents, card_id, now=wallet.clock())
        async with visit.contents.store.transaction() as tx:
            await change_card(visit.contents, tx, card, card.content)
        return found

    monkeypatch.setattr(moment, name, other_tab)
    receipt = await start_reissue(wallet, visit, card_id)
    renewed = await citizen.approve(visit, receipt.id)

    assert renewed.card_ids == (card_id,)
    assert await citizen.holdings() == {"cards": 1, "copies": 3, "promises": 0, "keys": 3}
    card = await load_card(visit.contents, card_id, now=wallet.clock())
    assert card.content.reissuance is not None
    assert card.content.reissuance.refresh_token == "refresh-2"
    assert "credential_failure" not in str(issuer.notifications)


@dataclass
class FailingOnce:
    """The way into the vault, which does not answer when a grant is withdrawn."""

    door: VaultDoor

    async def run(self, operation: Any, *args: Any, **kwargs: Any) -> Any:
        if operation is withdraw:
            raise PeerError("the vault doesn't answer")
        return await self.door.run(operation, *args, **kwargs)


@pytest.mark.hostile
async def test_what_fails_after_credentials_are_kept_does_not_delete_their_keys(citizen: Any, wallet: Wallet) -> None:
    citizen.wallet = replace(wallet, door=FailingOnce(wallet.door))

    with pytest.raises(PeerError):
        await citizen.receive()

    assert await citizen.holdings() == {"cards": 1, "copies": 3, "promises": 0, "keys": 3}
    history = await load_history((await citizen.visit()).contents)
    assert [item.entry.transaction_result for item in history] == [Result.COMPLETED]


async def test_a_credential_that_is_bound_to_no_key_is_kept_without_one(citizen: Any, issuer: DishonestIssuer) -> None:
    def unbound(honest: dict[str, Any]) -> dict[str, Any]:
        pid = honest["credential_configurations_supported"]["pid"]
        del pid["cryptographic_binding_methods_supported"], pid["proof_types_supported"]
        return honest

    def make(making: Making) -> Making:
        making.holder_key = None
        return making

    issuer.tamper["metadata"], issuer.make = unbound, make
    key = PrivateKey.generate().public
    issuer.tamper["credential"] = lambda honest: (
        honest | {"credentials": [{"credential": issuer.made([key], 0, "pid")}]}
    )

    assert isinstance(await citizen.receive(), Received)
    assert await citizen.holdings() == {"cards": 1, "copies": 1, "promises": 0, "keys": 0}


async def test_a_card_is_due_when_too_few_copies_are_unused(citizen: Any, wallet: Wallet) -> None:
    (card_id,) = (await citizen.receive()).card_ids
    visit = await citizen.visit()
    assert due_cards(wallet, await load_deck(visit.contents)) == []
    for copy in (await load_copies(visit.contents, card_id))[:2]:
        async with visit.contents.store.transaction() as tx:
            await mark_used(visit.contents, tx, copy, relying_party="x509_hash:abc")

    (due,) = due_cards(wallet, await load_deck(visit.contents))

    assert (due.card.id, due.unused, due.possible) == (card_id, 1, False)


async def test_an_offer_ends_by_itself_and_its_keys_are_swept_at_the_next_one(
    citizen: Any, wallet: Wallet, issuer: DishonestIssuer, clock: Any
) -> None:
    await citizen.receive()
    issuer.defer = 1
    await citizen.receive()
    visit = await citizen.visit()
    await propose(wallet, visit, (await open_link(wallet, visit, link(offer()))).id)
    assert (await citizen.holdings())["keys"] == 9
    clock.advance(hours=25)  # swept once a day
    assert await wallet.contents.expire(now=clock()) == 1
    await citizen.sign_in()
    visit = await citizen.visit()
    receipt = await open_link(wallet, visit, link(offer()))
    await propose(wallet, visit, receipt.id)
    await decline(wallet, visit, receipt.id)

    assert await citizen.holdings() == {"cards": 1, "copies": 3, "promises": 1, "keys": 6}


@pytest.mark.hostile
@pytest.mark.parametrize("exchanged", [False, True])
async def test_the_approval_commits_to_where_the_code_goes(wallet: Wallet, exchanged: bool) -> None:
    """The preview names no endpoints; the citizen approves them all the same."""
    wallet = replace(wallet, door=(door := WatchedDoor(wallet.door)))
    visit = await (await Citizen(wallet).register()).visit()
    receipt = await open_link(wallet, visit, link(offer()))
    for _ in range(2):  # the second time, the receipt is at the stage that it keeps
        await propose(wallet, visit, receipt.id)
    receipt = await load_receipt(wallet, visit, receipt.id)
    server = receipt.issuer.server.model_copy(update={"token_endpoint": f"{URL}/elsewhere"} if exchanged else {})
    await change_receipt(visit, receipt, issuer=receipt.issuer.model_copy(update={"server": server}))
    await propose(wallet, visit, receipt.id)

    assert (door.proposals[1].shown == door.proposals[2].shown) is not exchanged
