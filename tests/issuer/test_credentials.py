"""What the credential, deferred, notification and token endpoints do for an honest wallet."""

import gzip
from datetime import timedelta

import pytest

from byoid.encoding import b64u_decode, json_dumps, json_loads
from byoid.formats.sd_jwt_vc import parse_sd_jwt_vc
from byoid.formats.status_list import parse_status_list_token
from byoid.formats.type_metadata import verify_integrity
from byoid.issuance.credential import CredentialResponseEncryption
from byoid.issuance.encryption import decrypt_response
from byoid.issuance.metadata import CredentialIssuerMetadata
from byoid.issuance.signed_metadata import verify_signed_metadata
from byoid.jose import encrypt
from byoid.keys import PrivateKey
from byoid.message import parse_message
from byoid.trust.anchors import Purpose
from issuer.attributes import NotReady, Refused, SourceUnavailable
from issuer.status_lists import publish

PID = {"credential_configuration_id": "pid_sd_jwt"}


def claims_of(answer, place=0):
    return parse_sd_jwt_vc(answer.json()["credentials"][place]["credential"]).jws.claims()


async def test_copies_of_a_batch_differ_only_where_they_must(peer) -> None:
    wallet = await peer.wallet_with_token()
    answer = await wallet.request(PID, keys=20)
    claims = [claims_of(answer, place) for place in range(20)]
    indices = {each["status"]["status_list"]["idx"] for each in claims}
    assert len(indices) == 20
    assert len({each["status"]["status_list"]["uri"] for each in claims}) == 1
    assert {(each["iat"] % 86400 in {0, *[each["iat"] % 86400]}, each["exp"] % 86400) for each in claims} == {(True, 0)}
    assert len({each["cnf"]["jwk"]["x"] for each in claims}) == 20
    assert sorted(indices) != list(range(min(indices), min(indices) + 20))


@pytest.mark.parametrize("proof_type", ["jwt", "attestation"])
async def test_attested_keys_get_a_credential_each(peer, proof_type) -> None:
    wallet = await peer.wallet_with_token("attested_sd_jwt")
    wanted = {"credential_configuration_id": "attested_sd_jwt"}
    answer = await wallet.request(wanted, keys=3, proof_type=proof_type, attested=True)
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["credentials"]) == 3
    document = (await peer.http.get(claims_of(answer)["vct"])).content
    verify_integrity(document, claims_of(answer)["vct#integrity"])


async def test_no_credential_outlives_the_status_of_its_wallet(peer) -> None:
    peer.provider.status = {"status_list": {"idx": 3, "uri": "https://provider.test/status"}}
    peer.provider.maintained = timedelta(days=5, hours=3)
    wallet = await peer.wallet_with_token("residence_sd_jwt")
    answer = await wallet.request({"credential_configuration_id": "residence_sd_jwt"})
    end = (peer.clock() + timedelta(days=5)).replace(hour=0)
    assert claims_of(answer)["exp"] == end.timestamp()


async def test_a_revoked_wallet_gets_no_token(peer) -> None:
    peer.provider.status = {"status_list": {"idx": 3, "uri": "https://provider.test/status"}}
    peer.provider_server.revoked.add(3)
    offer, tx_code = await peer.offer("pid_sd_jwt")
    answer = await peer.wallet().redeem_offer(offer, tx_code)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client_attestation")


async def test_no_answer_about_a_wallet_is_not_a_yes(peer) -> None:
    peer.provider.status = {"status_list": {"idx": 3, "uri": "https://provider.test/status"}}
    peer.provider_server.down = True
    offer, tx_code = await peer.offer("pid_sd_jwt")
    answer = await peer.wallet().redeem_offer(offer, tx_code)
    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")


async def test_revoked_keys_get_no_credential(peer) -> None:
    wallet = await peer.wallet_with_token("attested_sd_jwt")
    wallet.provider.status = {"status_list": {"idx": 9, "uri": "https://provider.test/status"}}
    peer.provider_server.revoked.add(9)
    answer = await wallet.request({"credential_configuration_id": "attested_sd_jwt"}, attested=True)
    assert answer.json()["error"] == "invalid_proof"
    assert await peer.count("issuance") == 0


@pytest.mark.parametrize("zip_", [None, "DEF"])
async def test_requests_and_responses_can_be_encrypted(open_issuer, zip_) -> None:
    async with open_issuer(encryption="required") as peer:
        wallet = await peer.wallet_with_token()
        key = PrivateKey.generate()
        encryption = CredentialResponseEncryption(
            jwk={**key.public.jwk, "alg": "ECDH-ES", "kid": "k"}, enc="A256GCM", zip=zip_
        )

        def encrypted(body):
            body["credential_response_encryption"] = encryption.to_wire()
            (jwk,) = peer.issuer.metadata.credential_request_encryption.jwks.keys
            return encrypt(json_dumps(body), jwk, enc="A128GCM", compress=zip_ is not None)

        wallet.spoil = {
            "body@credential": encrypted,
            "headers@credential": lambda headers: {**headers, "Content-Type": "application/jwt"},
        }
        answer = await wallet.request(PID, keys=2)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/jwt"
        response = decrypt_response(answer.text, key=key, encryption=encryption)
        assert len(response.credentials) == 2


async def test_what_is_not_ready_is_promised_and_then_given(peer) -> None:
    wallet = await peer.wallet_with_token()
    peer.source.fails = NotReady("later")
    promise = await wallet.request(PID, keys=2)
    assert promise.status_code == 202
    assert promise.json()["interval"] > 0
    ask = {"transaction_id": promise.json()["transaction_id"]}
    again = await wallet.post_json("deferred", ask)
    assert (again.status_code, again.json()["transaction_id"]) == (202, ask["transaction_id"])
    peer.source.fails = None
    ready = await wallet.post_json("deferred", ask)
    assert ready.status_code == 200
    assert len(ready.json()["credentials"]) == 2
    assert (await wallet.post_json("deferred", ask)).json()["error"] == "invalid_transaction_id"


async def test_a_refusal_of_the_register_ends_a_promise(peer) -> None:
    wallet = await peer.wallet_with_token()
    peer.source.fails = NotReady("later")
    ask = {"transaction_id": (await wallet.request(PID)).json()["transaction_id"]}
    peer.source.fails = Refused("no longer entitled")
    assert (await wallet.post_json("deferred", ask)).json()["error"] == "credential_request_denied"
    peer.source.fails = None
    assert (await wallet.post_json("deferred", ask)).json()["error"] == "invalid_transaction_id"


async def test_a_promise_outlives_a_register_that_is_down(peer) -> None:
    wallet = await peer.wallet_with_token()
    peer.source.fails = NotReady("later")
    ask = {"transaction_id": (await wallet.request(PID)).json()["transaction_id"]}
    peer.source.fails = SourceUnavailable("down")
    answer = await wallet.post_json("deferred", ask)
    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
    peer.source.fails = None
    assert (await wallet.post_json("deferred", ask)).status_code == 200


async def test_a_notification_may_come_twice(peer) -> None:
    wallet = await peer.wallet_with_token()
    answer = await wallet.request(PID)
    body = {"notification_id": answer.json()["notification_id"], "event": "credential_accepted", "more": 1}
    for _ in range(2):
        assert (await wallet.post_json("notification", body)).status_code == 204


async def test_a_refresh_token_brings_new_copies_and_leaves_the_old_ones_valid(peer) -> None:
    wallet = await peer.wallet_with_token()
    first = claims_of(await wallet.request(PID))["status"]["status_list"]
    old = wallet.token
    peer.clock.advance(timedelta(days=10))
    answer = await wallet.refresh()
    assert answer.status_code == 200, answer.text
    assert "refresh_token" not in answer.json()
    second = claims_of(await wallet.request(PID))["status"]["status_list"]
    assert first != second
    await publish(peer.issuer)
    token = (await peer.http.get(first["uri"])).text
    assert parse_status_list_token(token)
    wallet.token = old
    assert (await wallet.request(PID)).status_code == 401


@pytest.mark.parametrize("by_dpop", [False, True], ids=["pop", "dpop combined"])
async def test_an_attestation_can_be_proven_both_ways(peer, by_dpop) -> None:
    wallet = peer.wallet(sends_pop=not by_dpop)
    if by_dpop:
        wallet.instance_key = wallet.dpop_key
    offer, tx_code = await peer.offer("pid_sd_jwt")
    assert (await wallet.redeem_offer(offer, tx_code)).status_code == 200


async def test_a_demanded_challenge_and_nonce_are_given_with_the_refusal(open_issuer) -> None:
    async with open_issuer(require_attestation_challenge=True, require_dpop_nonce=True) as peer:
        wallet = peer.wallet()
        offer, tx_code = await peer.offer("pid_sd_jwt")
        answer = await wallet.redeem_offer(offer, tx_code)
        assert answer.json()["error"] == "use_dpop_nonce"
        wallet.dpop_nonce = answer.headers["dpop-nonce"]
        answer = await wallet.redeem_offer(offer, tx_code)
        assert answer.json()["error"] == "use_attestation_challenge"
        wallet.challenge = answer.headers["oauth-client-attestation-challenge"]
        assert (await wallet.redeem_offer(offer, tx_code)).status_code == 200
        wallet.dpop_nonce = None
        answer = await wallet.request(PID)
        assert (answer.status_code, answer.json()["error"]) == (401, "use_dpop_nonce")
        assert "use_dpop_nonce" in answer.headers["www-authenticate"]


async def test_the_challenge_endpoint_gives_a_challenge(peer) -> None:
    answer = await peer.http.post("/challenge")
    assert answer.headers["cache-control"] == "no-store"
    wallet = peer.wallet(challenge=answer.json()["attestation_challenge"])
    offer, tx_code = await peer.offer("pid_sd_jwt")
    assert (await wallet.redeem_offer(offer, tx_code)).status_code == 200


async def test_metadata_come_as_json_and_signed(peer) -> None:
    url = "/.well-known/openid-credential-issuer"
    plain = await peer.http.get(url)
    metadata = parse_message(CredentialIssuerMetadata, plain.content)
    signed = await peer.http.get(url, headers={"Accept": "application/jwt"})
    assert signed.headers["content-type"] == "application/jwt"
    verified = verify_signed_metadata(
        signed.text, credential_issuer=peer.issuer.url, trust=peer.issuer.trust, now=peer.clock(),
        purpose=Purpose.ISSUER_METADATA,
    )  # fmt: skip
    assert verified == metadata


@pytest.mark.parametrize("demanded", [True, False])
async def test_the_server_says_whether_a_wallet_needs_a_name(open_issuer, demanded) -> None:
    async with open_issuer(require_client_attestation=demanded) as peer:
        found = (await peer.http.get("https://issuer.test/.well-known/oauth-authorization-server")).json()
        assert found["pre-authorized_grant_anonymous_access_supported"] is not demanded  # with this hyphen: 12.3
        assert "client_attestation_pop_methods_supported" not in found  # would ask for attestations beside another way


async def test_an_identifier_with_a_path_is_served_below_it(open_issuer) -> None:
    async with open_issuer(public_url="https://issuer.test/agencies/lm") as peer:
        for name, member in (
            ("openid-credential-issuer", "credential_issuer"),
            ("oauth-authorization-server", "issuer"),
        ):
            answer = await peer.http.get(f"https://issuer.test/.well-known/{name}/agencies/lm")
            assert answer.json()[member] == "https://issuer.test/agencies/lm"
        wallet = await peer.wallet_with_token()
        assert (await wallet.request(PID)).status_code == 200
        found = await peer.consent(peer.wallet())
        assert found["iss"] == "https://issuer.test/agencies/lm"


async def test_status_lists_are_served_in_every_form(peer) -> None:
    wallet = await peer.wallet_with_token()
    uri = claims_of(await wallet.request(PID))["status"]["status_list"]["uri"]
    jwt = await peer.http.get(uri, headers={"Accept": "application/statuslist+jwt", "Accept-Encoding": "identity"})
    assert jwt.headers["content-type"] == "application/statuslist+jwt"
    assert jwt.headers["access-control-allow-origin"] == "*"
    assert json_loads(b64u_decode(jwt.text.split(".")[0]))["x5c"]
    cwt = await peer.http.get(uri, headers={"Accept": "application/statuslist+cwt"})
    assert cwt.headers["content-type"] == "application/statuslist+cwt"
    same = await peer.http.get(uri, headers={"If-None-Match": jwt.headers["etag"], "Accept-Encoding": "identity"})
    assert same.status_code == 304
    async with peer.http.stream("GET", uri, headers={"Accept-Encoding": "gzip"}) as raw:
        body = b"".join([each async for each in raw.aiter_raw()])
    assert gzip.decompress(body) == jwt.content
    assert (await peer.http.get(f"{uri}?time=1")).status_code == 501
    assert (await peer.http.get("/status/none")).status_code == 404
    assert (await peer.http.get("/status")).json() == {"status_lists": [uri]}


@pytest.mark.parametrize(
    ("chosen", "named"),
    [({}, {"x5c", "jwk"}), ({"status_list_key": "x5c"}, {"x5c"}), ({"status_list_key": "jwk"}, {"jwk"})],
)
async def test_a_status_list_names_its_key_for_who_has_certificates_and_who_has_none(
    open_issuer, chosen, named
) -> None:
    async with open_issuer(**chosen) as peer:
        wallet = await peer.wallet_with_token()
        uri = claims_of(await wallet.request(PID))["status"]["status_list"]["uri"]
        header = json_loads(b64u_decode((await peer.http.get(uri)).text.split(".")[0]))
        assert {"x5c", "jwk"} & set(header) == named
        assert header.get("jwk", peer.issuer.signers.status.public_jwk) == peer.issuer.signers.status.public_jwk


async def test_type_metadata_say_what_the_type_is(peer) -> None:
    found = (await peer.http.get("/types/pid")).json()
    assert found["vct"] == "urn:eudi:pid:1"
    assert (await peer.http.get("/types/none")).status_code == 404
