"""The pre-authorized code flow, from the offer to the notification, with an honest wallet."""

import pytest

from tests.peers.dishonest_wallet.wallet import PRE_AUTHORIZED


@pytest.mark.parametrize("configuration_id", ["pid_sd_jwt", "pid_mdoc"])
async def test_an_offer_becomes_a_credential(peer, configuration_id) -> None:
    wallet = await peer.wallet_with_token(configuration_id)
    answer = await wallet.request({"credential_configuration_id": configuration_id}, keys=3)
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["credentials"]) == 3
    assert answer.headers["cache-control"] == "no-store"
    assert await peer.count("issuance") == 3


async def test_one_offer_gives_both_formats(peer) -> None:
    wallet = await peer.wallet_with_token("pid_sd_jwt", "pid_mdoc")
    for each in ("pid_sd_jwt", "pid_mdoc"):
        assert (await wallet.request({"credential_configuration_id": each})).status_code == 200


async def test_an_offer_is_taken_once(peer) -> None:
    offer, tx_code = await peer.offer("pid_sd_jwt")
    assert (await peer.wallet().redeem_offer(offer, tx_code)).status_code == 200
    answer = await peer.wallet().redeem_offer(offer, tx_code)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    code = offer["grants"][PRE_AUTHORIZED]["pre-authorized_code"]
    assert (await peer.http.get(f"/offers/{code.partition('.')[0]}")).status_code == 404


@pytest.mark.parametrize("refreshed", [False, True], ids=["at once", "after a refresh"])
async def test_an_offered_credential_is_named_by_identifier_or_by_configuration(peer, refreshed) -> None:
    wallet = await peer.wallet_with_token("pid_sd_jwt", "pid_mdoc")
    if refreshed:
        await wallet.refresh()
    details = wallet.token["authorization_details"]
    assert [each["credential_configuration_id"] for each in details] == ["pid_sd_jwt", "pid_mdoc"]
    (identifier,) = details[1]["credential_identifiers"]
    assert (await wallet.request({"credential_identifier": identifier})).status_code == 200
    assert (await wallet.request({"credential_configuration_id": "pid_mdoc"})).status_code == 200
