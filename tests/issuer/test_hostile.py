"""A dishonest wallet: each case breaks one rule of an honest one. The error is exact, and nothing is issued."""

import json
from base64 import b64encode
from datetime import timedelta
from typing import Any

import pytest

from byoid.encoding import b64u_encode, json_dumps
from byoid.keys import PrivateKey
from issuer.attributes import NotReady

pytestmark = pytest.mark.hostile

PID = {"credential_configuration_id": "pid_sd_jwt"}
ATTESTED = {"credential_configuration_id": "attested_sd_jwt"}
VERIFIER = "v" * 43
OTHER = PrivateKey.generate()
STRANGER = PrivateKey.generate()
ISSUING = ("access_grant", "issuance", "batch", "deferred")


# --- what a case does to a message ---


def header(**members: Any) -> Any:
    """Set members of a JWT's header; None takes one away."""
    return lambda jwt: _set(jwt.header, members)


def claim(**members: Any) -> Any:
    return lambda jwt: _set(jwt.claims, members)


def member(**members: Any) -> Any:
    return lambda message: _set(message, {name.replace("__", "-"): value for name, value in members.items()})


def aged(**by: float) -> Any:
    """Move `iat` by so much."""
    return lambda jwt: _set(jwt.claims, {"iat": jwt.claims["iat"] + int(timedelta(**by).total_seconds())})


def expired(jwt: Any) -> None:
    jwt.claims["exp"] = jwt.claims["iat"] - 120


def other_key(jwt: Any) -> None:
    jwt.key = OTHER


def unsecured(jwt: Any) -> None:
    jwt.header["alg"] = "none"
    jwt.text = f"{b64u_encode(json_dumps(jwt.header))}.{b64u_encode(json_dumps(jwt.claims))}."


def private_key_in_header(jwt: Any) -> None:
    jwt.header["jwk"] = jwt.key.to_jwk()


def private_key_in_cnf(jwt: Any) -> None:
    jwt.claims["cnf"] = {"jwk": OTHER.to_jwk()}


def text(value: str) -> Any:
    def replace(jwt: Any) -> None:
        jwt.text = value

    return replace


def tampered(jwt: Any) -> None:
    signed = jwt.signed()
    head, _, signature = signed.split(".")
    claims = {**jwt.claims, "iat": jwt.claims["iat"] - 1}
    jwt.text = f"{head}.{b64u_encode(json_dumps(claims))}.{signature}"


def untrusted_chain(jwt: Any) -> None:
    from datetime import UTC, datetime

    from byoid.trust.anchors import Purpose
    from byoid.trust.pki import SubjectName, make_leaf, make_root, to_der

    now = datetime.fromtimestamp(jwt.claims["iat"], UTC) - timedelta(hours=1)
    root = make_root(SubjectName("Stranger"), key=PrivateKey.generate(), now=now)
    leaf = make_leaf(root, SubjectName("Stranger"), key=STRANGER.public, purpose=Purpose.WALLET_PROVIDER, now=now)
    jwt.header["x5c"] = [b64encode(each).decode() for each in to_der(leaf)]
    jwt.key = STRANGER


def _set(message: Any, members: dict[str, Any]) -> None:
    for name, value in members.items():
        if value is None:
            message.pop(name, None)
        else:
            message[name] = value


def without(*names: str) -> Any:
    return lambda message: _set(message, dict.fromkeys(names))


def twice(name: str) -> Any:
    def repeat(form: dict[str, Any]) -> dict[str, Any]:
        return {**form, name: [form[name], form[name]]}

    return repeat


# --- the token endpoint, with a pre-authorized code ---

_TOKEN = {
    "no DPoP proof": ("headers@token", without("DPoP"), 400, "invalid_dpop_proof"),
    "DPoP for another method": ("dpop@token", claim(htm="GET"), 400, "invalid_dpop_proof"),
    "DPoP for another URL": ("dpop@token", claim(htu="https://issuer.test/credential"), 400, "invalid_dpop_proof"),
    "DPoP for another host": ("dpop@token", claim(htu="https://evil.test/token"), 400, "invalid_dpop_proof"),
    "DPoP too old": ("dpop@token", aged(minutes=-10), 400, "invalid_dpop_proof"),
    "DPoP from the future": ("dpop@token", aged(minutes=10), 400, "invalid_dpop_proof"),
    "DPoP of another type": ("dpop@token", header(typ="JWT"), 400, "invalid_dpop_proof"),
    "DPoP unsecured": ("dpop@token", unsecured, 400, "invalid_dpop_proof"),
    "DPoP symmetric": ("dpop@token", header(alg="HS256"), 400, "invalid_dpop_proof"),
    "DPoP with a private key": ("dpop@token", private_key_in_header, 400, "invalid_dpop_proof"),
    "DPoP signed by another key": ("dpop@token", other_key, 400, "invalid_dpop_proof"),
    "DPoP without jti": ("dpop@token", claim(jti=None), 400, "invalid_dpop_proof"),
    "DPoP without iat": ("dpop@token", claim(iat=None), 400, "invalid_dpop_proof"),
    "DPoP tampered with": ("dpop@token", tampered, 400, "invalid_dpop_proof"),
    "DPoP not a JWT": ("dpop@token", text("x.y"), 400, "invalid_dpop_proof"),
    "no attestation": ("headers@token", without("OAuth-Client-Attestation"), 401, "invalid_client"),
    "no proof of possession": (
        "headers@token", without("OAuth-Client-Attestation-PoP"), 400, "invalid_client_attestation"),
    "attestation by a stranger": ("attestation", untrusted_chain, 400, "invalid_client_attestation"),
    "attestation expired": ("attestation", expired, 400, "invalid_client_attestation"),
    "attestation for another client": ("attestation", claim(sub="other.test"), 400, "invalid_client_attestation"),
    "attestation of another type": ("attestation", header(typ="JWT"), 400, "invalid_client_attestation"),
    "attestation without exp": ("attestation", claim(exp=None), 400, "invalid_client_attestation"),
    "attestation without cnf": ("attestation", claim(cnf=None), 400, "invalid_client_attestation"),
    "attestation with a private key": ("attestation", private_key_in_cnf, 400, "invalid_client_attestation"),
    "attestation without x5c": ("attestation", header(x5c=None), 400, "invalid_client_attestation"),
    "attestation unsecured": ("attestation", unsecured, 400, "invalid_client_attestation"),
    "attestation tampered with": ("attestation", tampered, 400, "invalid_client_attestation"),
    "attestation from the future": ("attestation", claim(nbf=4102444800), 400, "invalid_client_attestation"),
    "PoP by another key": ("pop", other_key, 400, "invalid_client_attestation"),
    "PoP for another server": ("pop", claim(aud="https://evil.test"), 400, "invalid_client_attestation"),
    "PoP for several servers": (
        "pop", claim(aud=["https://issuer.test", "https://evil.test"]), 400, "invalid_client_attestation"),
    "PoP too old": ("pop", aged(minutes=-10), 400, "invalid_client_attestation"),
    "PoP from the future": ("pop", aged(minutes=10), 400, "invalid_client_attestation"),
    "PoP without jti": ("pop", claim(jti=None), 400, "invalid_client_attestation"),
    "PoP of another type": ("pop", header(typ="JWT"), 400, "invalid_client_attestation"),
    "PoP with a made-up challenge": ("pop", claim(challenge="x"), 400, "use_attestation_challenge"),
    "PoP by another client": ("pop", claim(iss="other.test"), 400, "invalid_client_attestation"),
    "PoP unsecured": ("pop", unsecured, 400, "invalid_client_attestation"),
    "another client_id": ("form@token", member(client_id="other.test"), 400, "invalid_client_attestation"),
    "no grant_type": ("form@token", without("grant_type"), 400, "invalid_request"),
    "unknown grant_type": ("form@token", member(grant_type="password"), 400, "unsupported_grant_type"),
    "no code": ("form@token", without("pre-authorized_code"), 400, "invalid_request"),
    "made-up code": ("form@token", member(**{"pre-authorized_code": "a.b"}), 400, "invalid_grant"),
    "code beyond ASCII": ("form@token", member(**{"pre-authorized_code": "ä.b"}), 400, "invalid_grant"),
    "no transaction code": ("form@token", without("tx_code"), 400, "invalid_request"),
    "wrong transaction code": ("form@token", member(tx_code="x"), 400, "invalid_grant"),
    "resource of another issuer": ("form@token", member(resource="https://evil.test"), 400, "invalid_target"),
    "a second resource": (
        "form@token", member(resource=["https://issuer.test", "https://evil.test"]), 400, "invalid_target"),
    "resource that is no URL": ("form@token", member(resource="x"), 400, "invalid_request"),
    "parameter twice": ("form@token", twice("client_id"), 400, "invalid_request"),
    "more scope than offered": ("form@token", member(scope="pid_mdoc"), 400, "invalid_scope"),
    "more details than offered": (
        "form@token",
        member(authorization_details='[{"type":"openid_credential","credential_configuration_id":"pid_mdoc"}]'),
        400, "invalid_authorization_details"),
    "details that are no JSON": ("form@token", member(authorization_details="x"), 400, "invalid_authorization_details"),
    "JSON in place of a form": (
        "headers@token", member(**{"Content-Type": "application/json"}), 400, "invalid_request"),
    "form that is not UTF-8": ("form@token", lambda form: b"grant_type=%ff", 400, "invalid_request"),
}  # fmt: skip


@pytest.mark.parametrize(("message", "defect", "status", "error"), _TOKEN.values(), ids=_TOKEN)
async def test_no_token_for_a_dishonest_wallet(peer, message, defect, status, error) -> None:
    wallet = peer.wallet(spoil={message: defect})
    offer, tx_code = await peer.offer("pid_sd_jwt")
    answer = await wallet.redeem_offer(offer, tx_code)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.headers["cache-control"] == "no-store"
    assert [await peer.count(table) for table in ISSUING] == [0, 0, 0, 0]


async def test_a_replayed_token_request_gets_nothing(peer) -> None:
    kept: dict[str, Any] = {}
    wallet = peer.wallet(spoil={"headers@token": lambda headers: kept.setdefault("headers", headers)})
    first, code = await peer.offer("pid_sd_jwt")
    assert (await wallet.redeem_offer(first, code)).status_code == 200
    second, code = await peer.offer("pid_sd_jwt")
    assert (await wallet.redeem_offer(second, code)).json()["error"] == "invalid_dpop_proof"
    wallet.spoil = {"pop": lambda jwt: kept.setdefault("pop", jwt)}
    assert (await wallet.redeem_offer(second, code)).status_code == 200
    third, code = await peer.offer("pid_sd_jwt")
    assert (await wallet.redeem_offer(third, code)).json()["error"] == "invalid_client_attestation"
    assert await peer.count("access_grant") == 2


async def test_transaction_codes_cannot_be_tried_for_ever(peer) -> None:
    wallet = peer.wallet()
    offer, tx_code = await peer.offer("pid_sd_jwt")
    for _ in range(5):
        assert (await wallet.redeem_offer(offer, "no")).json()["error"] == "invalid_grant"
    assert (await wallet.redeem_offer(offer, tx_code)).json()["error"] == "invalid_grant"
    assert await peer.count("access_grant") == 0


async def test_an_uninvited_transaction_code_is_refused(peer) -> None:
    offer, _ = await peer.offer("pid_sd_jwt", tx_code=False)
    assert (await peer.wallet().redeem_offer(offer, "123456")).json()["error"] == "invalid_request"


async def test_an_expired_offer_is_refused(peer) -> None:
    offer, tx_code = await peer.offer("pid_sd_jwt")
    peer.clock.advance(timedelta(days=8))
    assert (await peer.wallet().redeem_offer(offer, tx_code)).json()["error"] == "invalid_grant"


# --- pushed authorization requests ---

_PAR = {
    "no authentication": ("headers@par", without("OAuth-Client-Attestation"), 401, "invalid_client"),
    "attestation by a stranger": ("attestation", untrusted_chain, 400, "invalid_client_attestation"),
    "another client_id": ("form@par", member(client_id="other.test"), 400, "invalid_client_attestation"),
    "no redirect_uri": ("form@par", without("redirect_uri"), 400, "invalid_request"),
    "redirect_uri that is a script": ("form@par", member(redirect_uri="javascript:alert(1)"), 400, "invalid_request"),
    "redirect_uri with a fragment": ("form@par", member(redirect_uri="https://a.test/#x"), 400, "invalid_request"),
    "redirect_uri in clear": ("form@par", member(redirect_uri="http://wallet.test/cb"), 400, "invalid_request"),
    "redirect_uri with a user": ("form@par", member(redirect_uri="https://a@evil.test/"), 400, "invalid_request"),
    "redirect_uri that sends mail": ("form@par", member(redirect_uri="mailto:a@evil.test"), 400, "invalid_request"),
    "resource of another issuer": ("form@par", member(resource="https://evil.test"), 400, "invalid_target"),
    "resource with a slash more": ("form@par", member(resource="https://issuer.test/"), 400, "invalid_target"),
    "no code_challenge": ("form@par", without("code_challenge"), 400, "invalid_request"),
    "plain code_challenge": ("form@par", member(code_challenge_method="plain"), 400, "invalid_request"),
    "no code_challenge_method": ("form@par", without("code_challenge_method"), 400, "invalid_request"),
    "short code_challenge": ("form@par", member(code_challenge="x"), 400, "invalid_request"),
    "response_type token": ("form@par", member(response_type="token"), 400, "unsupported_response_type"),
    "no response_type": ("form@par", without("response_type"), 400, "invalid_request"),
    "request_uri inside": ("form@par", member(request_uri="urn:x"), 400, "invalid_request"),
    "request object": ("form@par", member(request="a.b.c"), 400, "request_not_supported"),
    "unknown scope": ("form@par", member(scope="everything"), 400, "invalid_scope"),
    "no scope": ("form@par", without("scope"), 400, "invalid_scope"),
    "unknown configuration": (
        "form@par",
        member(authorization_details='[{"type":"openid_credential","credential_configuration_id":"x"}]'),
        400, "invalid_authorization_details"),
    "unknown type of details": (
        "form@par", member(authorization_details='[{"type":"payment"}]'), 400, "invalid_authorization_details"),
    "dpop_jkt of another key": ("form@par", member(dpop_jkt="A" * 43), 400, "invalid_dpop_proof"),
    "DPoP for the token endpoint": ("dpop@par", claim(htu="https://issuer.test/token"), 400, "invalid_dpop_proof"),
}  # fmt: skip


@pytest.mark.parametrize(("message", "defect", "status", "error"), _PAR.values(), ids=_PAR)
async def test_no_request_uri_for_a_dishonest_wallet(peer, message, defect, status, error) -> None:
    answer = await peer.wallet(spoil={message: defect}).push(scope="pid_sd_jwt")
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert await peer.count("authorization") == 0


# --- codes ---

_CODE = {
    "another verifier": ("form@token", member(code_verifier="w" * 43), 400, "invalid_grant"),
    "no verifier": ("form@token", without("code_verifier"), 400, "invalid_grant"),
    "another redirect_uri": ("form@token", member(redirect_uri="https://wallet.test/callback"), 400, "invalid_grant"),
    "redirect_uri without its query": (
        "form@token", member(redirect_uri="https://wallet.test/callback?from=Issuer"), 400, "invalid_grant"),
    "redirect_uri in other letters": (
        "form@token", member(redirect_uri="https://WALLET.test/callback?from=issuer"), 400, "invalid_grant"),
    "resource of another issuer": ("form@token", member(resource="https://evil.test"), 400, "invalid_target"),
    "no redirect_uri": ("form@token", without("redirect_uri"), 400, "invalid_request"),
    "made-up code": ("form@token", member(code="x"), 400, "invalid_grant"),
    "transaction code": ("form@token", member(tx_code="123456"), 400, "invalid_request"),
    "no DPoP proof": ("headers@token", without("DPoP"), 400, "invalid_dpop_proof"),
}  # fmt: skip


@pytest.mark.parametrize(("message", "defect", "status", "error"), _CODE.values(), ids=_CODE)
async def test_no_token_for_a_code_in_wrong_hands(peer, message, defect, status, error) -> None:
    wallet = peer.wallet()
    code = (await peer.consent(wallet))["code"]
    wallet.spoil = {message: defect}
    answer = await wallet.redeem_code(code, VERIFIER)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert await peer.count("access_grant") == 0


@pytest.mark.parametrize("key", ["dpop_key", "instance_key"])
async def test_a_code_belongs_to_the_keys_of_its_request(peer, key) -> None:
    wallet = peer.wallet()
    code = (await peer.consent(wallet))["code"]
    setattr(wallet, key, PrivateKey.generate())
    assert (await wallet.redeem_code(code, VERIFIER)).json()["error"] == "invalid_grant"


async def test_a_code_of_another_client_is_refused(peer) -> None:
    code = (await peer.consent(peer.wallet()))["code"]
    answer = await peer.wallet(client_id="other.test").redeem_code(code, VERIFIER)
    assert answer.json()["error"] == "invalid_grant"


async def test_a_refresh_token_belongs_to_its_wallet(peer) -> None:
    wallet = await peer.wallet_with_token()
    wallet.instance_key = PrivateKey.generate()
    assert (await wallet.refresh()).json()["error"] == "invalid_grant"


async def test_a_refresh_token_of_a_wallet_that_nobody_vouches_for_belongs_to_its_dpop_key(open_issuer) -> None:
    async with open_issuer(require_client_attestation=False) as peer:
        wallet = await peer.wallet_with_token(provider=None)
        kept, wallet.dpop_key = wallet.dpop_key, PrivateKey.generate()
        assert (await wallet.refresh()).json()["error"] == "invalid_grant"
        wallet.dpop_key = kept
        assert (await wallet.refresh()).status_code == 200


async def test_a_token_for_a_new_dpop_key_is_bound_to_that_key(peer) -> None:
    wallet = await peer.wallet_with_token()
    old, wallet.dpop_key = wallet.dpop_key, PrivateKey.generate()
    assert (await wallet.refresh()).json()["token_type"] == "DPoP"
    wallet.dpop_key, new = old, wallet.dpop_key
    answer = await wallet.request(PID)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_dpop_proof")
    wallet.dpop_key = new
    assert (await wallet.request(PID)).status_code == 200


async def test_a_refresh_token_cannot_be_made_up_nor_widened(peer) -> None:
    wallet = await peer.wallet_with_token()
    wallet.spoil = {"form@token": member(scope="pid_mdoc")}
    assert (await wallet.refresh()).json()["error"] == "invalid_scope"
    wallet.spoil = {"form@token": member(refresh_token="x")}
    assert (await wallet.refresh()).json()["error"] == "invalid_grant"


async def test_a_request_uri_belongs_to_its_client(peer) -> None:
    from tests.issuer.conftest import authorize_url

    pushed = await peer.wallet().push(scope="pid_sd_jwt")
    async with peer.browser() as browser:
        assert (await browser.open(authorize_url(peer.wallet(client_id="other.test"), pushed))).status_code == 400
        peer.clock.advance(timedelta(minutes=10))
        assert (await browser.open(authorize_url(peer.wallet(), pushed))).status_code == 400


# --- the credential endpoint ---

_ACCESS = {
    "no token": ("headers@credential", without("Authorization"), 401, "invalid_token"),
    "made-up token": ("headers@credential", member(Authorization="DPoP x"), 401, "invalid_token"),
    "Basic": ("headers@credential", member(Authorization="Basic eA=="), 401, "invalid_token"),
    "bound token as Bearer": (
        "headers@credential",
        lambda headers: {**headers, "Authorization": headers["Authorization"].replace("DPoP", "Bearer")},
        401, "invalid_token"),
    "no DPoP proof": ("headers@credential", without("DPoP"), 401, "invalid_dpop_proof"),
    "DPoP for another token": ("dpop@credential", claim(ath="x"), 401, "invalid_dpop_proof"),
    "DPoP without ath": ("dpop@credential", claim(ath=None), 401, "invalid_dpop_proof"),
    "DPoP by another key": (
        "dpop@credential",
        lambda jwt: (jwt.header.update(jwk=OTHER.public.jwk), setattr(jwt, "key", OTHER)) and None,
        401, "invalid_dpop_proof"),
    "DPoP for the deferred endpoint": (
        "dpop@credential", claim(htu="https://issuer.test/deferred"), 401, "invalid_dpop_proof"),
    "DPoP too old": ("dpop@credential", aged(minutes=-10), 401, "invalid_dpop_proof"),
}  # fmt: skip

_REQUEST = {
    "not JSON": ("body@credential", lambda body: b"{", 400, "invalid_credential_request"),
    "a list": ("body@credential", lambda body: b"[]", 400, "invalid_credential_request"),
    "member twice": (
        "body@credential", lambda body: json.dumps(body)[:-1] + ',"proofs":{"jwt":["x"]}}', 400,
        "invalid_credential_request"),
    "other content type": (
        "headers@credential", member(**{"Content-Type": "text/plain"}), 400, "invalid_credential_request"),
    "no name": ("body@credential", without("credential_configuration_id"), 400, "invalid_credential_request"),
    "two names": (
        "body@credential", member(credential_identifier="pid_sd_jwt"), 400, "invalid_credential_request"),
    "configuration beyond the token": (
        "body@credential", member(credential_configuration_id="pid_mdoc"), 400, "unknown_credential_configuration"),
    "unknown configuration": (
        "body@credential", member(credential_configuration_id="x"), 400, "unknown_credential_configuration"),
    "identifier beyond the token": (
        "body@credential",
        lambda body: {"credential_identifier": "pid_mdoc", "proofs": body["proofs"]},
        400, "unknown_credential_identifier"),
    "no proofs": ("body@credential", without("proofs"), 400, "invalid_proof"),
    "empty proofs": ("body@credential", member(proofs={}), 400, "invalid_proof"),
    "no proof in proofs": ("body@credential", member(proofs={"jwt": []}), 400, "invalid_proof"),
    "proofs of two types": (
        "body@credential", lambda body: {**body, "proofs": {**body["proofs"], "attestation": ["x"]}}, 400,
        "invalid_proof"),
    "proofs of an unknown type": ("body@credential", member(proofs={"cwt": ["x"]}), 400, "invalid_proof"),
    "one proof twice": (
        "body@credential", lambda body: {**body, "proofs": {"jwt": body["proofs"]["jwt"] * 2}}, 400, "invalid_proof"),
    "more keys than a batch": (
        "body@credential", lambda body: {**body, "proofs": {"jwt": body["proofs"]["jwt"] * 31}}, 400, "invalid_proof"),
    "response key in an open request": (
        "body@credential",
        member(credential_response_encryption={"jwk": {**OTHER.public.jwk, "alg": "ECDH-ES"}, "enc": "A256GCM"}),
        400, "invalid_encryption_parameters"),
    "half a response key": (
        "body@credential", member(credential_response_encryption={"enc": "A256GCM"}), 400,
        "invalid_encryption_parameters"),
    "JWE to nobody": (
        "headers@credential", member(**{"Content-Type": "application/jwt"}), 400, "invalid_encryption_parameters"),
    "proof for another issuer": ("proof", claim(aud="https://evil.test"), 400, "invalid_proof"),
    "proof without audience": ("proof", claim(aud=None), 400, "invalid_proof"),
    "proof by another client": ("proof", claim(iss="other.test"), 400, "invalid_proof"),
    "proof without nonce": ("proof", claim(nonce=None), 400, "invalid_proof"),
    "proof with a made-up nonce": ("proof", claim(nonce="x" * 40), 400, "invalid_nonce"),
    "proof too old": ("proof", aged(minutes=-10), 400, "invalid_proof"),
    "proof from the future": ("proof", aged(minutes=10), 400, "invalid_proof"),
    "proof without iat": ("proof", claim(iat=None), 400, "invalid_proof"),
    "proof of another type": ("proof", header(typ="JWT"), 400, "invalid_proof"),
    "proof unsecured": ("proof", unsecured, 400, "invalid_proof"),
    "proof symmetric": ("proof", header(alg="HS256"), 400, "invalid_proof"),
    "proof with another algorithm": ("proof", header(alg="ES512"), 400, "invalid_proof"),
    "proof signed by another key": ("proof", other_key, 400, "invalid_proof"),
    "proof with a private key": ("proof", private_key_in_header, 400, "invalid_proof"),
    "proof without a key": ("proof", header(jwk=None), 400, "invalid_proof"),
    "proof with two keys": ("proof", header(kid="1"), 400, "invalid_proof"),
    "proof that names a DID": (
        "proof", lambda jwt: _set(jwt.header, {"jwk": None, "kid": "did:example:1"}), 400, "invalid_proof"),
    "proof tampered with": ("proof", tampered, 400, "invalid_proof"),
    "proof that is no JWT": ("proof", text("x"), 400, "invalid_proof"),
}  # fmt: skip
_CREDENTIAL = {**_ACCESS, **_REQUEST}


@pytest.mark.parametrize(("message", "defect", "status", "error"), _CREDENTIAL.values(), ids=_CREDENTIAL)
async def test_no_credential_for_a_dishonest_wallet(peer, message, defect, status, error) -> None:
    wallet = await peer.wallet_with_token()
    wallet.spoil = {message: defect}
    answer = await wallet.request(PID)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert [await peer.count(table) for table in ISSUING[1:]] == [0, 0, 0]
    if status == 401:
        assert answer.headers["www-authenticate"].startswith("DPoP")


_ATTESTATION = {
    "no attestation": ("proof", header(key_attestation=None), "invalid_proof"),
    "attestation by a stranger": ("key_attestation", untrusted_chain, "invalid_proof"),
    "attestation of other keys": ("key_attestation", claim(attested_keys=[OTHER.public.jwk]), "invalid_proof"),
    "private key attested": ("key_attestation", claim(attested_keys=[OTHER.to_jwk()]), "invalid_proof"),
    "no keys attested": ("key_attestation", claim(attested_keys=[]), "invalid_proof"),
    "weak storage": ("key_attestation", claim(key_storage=["iso_18045_basic"]), "invalid_proof"),
    "no storage": ("key_attestation", claim(key_storage=None), "invalid_proof"),
    "weak authentication": ("key_attestation", claim(user_authentication=["iso_18045_basic"]), "invalid_proof"),
    "attestation expired": ("key_attestation", expired, "invalid_proof"),
    "attestation without exp": ("key_attestation", claim(exp=None), "invalid_proof"),
    "attestation of another type": ("key_attestation", header(typ="JWT"), "invalid_proof"),
    "attestation with another nonce": ("key_attestation", claim(nonce="other"), "invalid_proof"),
    "attestation tampered with": ("key_attestation", tampered, "invalid_proof"),
}  # fmt: skip


@pytest.mark.parametrize(("message", "defect", "error"), _ATTESTATION.values(), ids=_ATTESTATION)
async def test_no_credential_for_keys_that_nobody_attests(peer, message, defect, error) -> None:
    wallet = await peer.wallet_with_token("attested_sd_jwt")
    wallet.spoil = {message: defect}
    answer = await wallet.request(ATTESTED, attested=True)
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert await peer.count("issuance") == 0


async def test_an_attestation_proof_needs_a_current_nonce(peer) -> None:
    wallet = await peer.wallet_with_token("attested_sd_jwt")
    for defect, error in ((claim(nonce=None), "invalid_proof"), (claim(nonce="x"), "invalid_nonce")):
        wallet.spoil = {"key_attestation": defect}
        answer = await wallet.request(ATTESTED, proof_type="attestation")
        assert answer.json()["error"] == error


async def test_a_nonce_is_good_for_one_request_and_five_minutes(peer) -> None:
    wallet = await peer.wallet_with_token()
    nonce = await wallet.nonce()
    assert (await wallet.request(PID, nonce=nonce)).status_code == 200
    assert (await wallet.request(PID, nonce=nonce)).json()["error"] == "invalid_nonce"
    late = await wallet.nonce()
    peer.clock.advance(timedelta(minutes=4, seconds=59))
    await wallet.refresh()
    peer.clock.advance(timedelta(seconds=2))
    assert (await wallet.request(PID, nonce=late)).json()["error"] == "invalid_nonce"
    assert await peer.count("issuance") == 1


async def test_nonces_of_other_kinds_are_refused(peer) -> None:
    wallet = await peer.wallet_with_token()
    for nonce in (
        (await peer.http.post("/nonce")).headers["dpop-nonce"],
        (await peer.http.post("/challenge")).json()["attestation_challenge"],
    ):
        assert (await wallet.request(PID, nonce=nonce)).json()["error"] == "invalid_nonce"


async def test_an_expired_token_is_refused(peer) -> None:
    wallet = await peer.wallet_with_token()
    peer.clock.advance(timedelta(minutes=5, seconds=1))
    assert (await wallet.request(PID)).json()["error"] == "invalid_token"


async def test_identifiers_that_were_not_given_name_nothing(peer) -> None:
    wallet = peer.wallet()
    found = await peer.consent(wallet, scope="pid_sd_jwt")
    assert "authorization_details" not in (await wallet.redeem_code(found["code"], VERIFIER)).json()
    answer = await wallet.request({"credential_identifier": "pid_sd_jwt"})
    assert answer.json()["error"] == "unknown_credential_identifier"


async def test_identifiers_must_be_used_once_they_were_given(peer) -> None:
    details = '[{"type":"openid_credential","credential_configuration_id":"pid_sd_jwt"}]'
    wallet = peer.wallet()
    found = await peer.consent(wallet, authorization_details=details)
    await wallet.redeem_code(found["code"], VERIFIER)
    assert (await wallet.request(PID)).json()["error"] == "invalid_credential_request"
    answer = await wallet.request({"credential_identifier": "other"})
    assert answer.json()["error"] == "unknown_credential_identifier"
    answer = await wallet.request({"credential_configuration_id": "other"})
    assert answer.json()["error"] == "unknown_credential_configuration"


async def test_an_unencrypted_request_is_refused_where_encryption_is_required(open_issuer) -> None:
    async with open_issuer(encryption="required") as peer:
        wallet = await peer.wallet_with_token()
        assert (await wallet.request(PID)).json()["error"] == "invalid_encryption_parameters"
        assert await peer.count("issuance") == 0


# --- deferred credentials and notifications ---

_LATER = {
    "deferred, made-up transaction": ("deferred", {"transaction_id": "x"}, "invalid_transaction_id"),
    "deferred, no transaction": ("deferred", {}, "invalid_credential_request"),
    "deferred, not JSON": ("deferred", b"{", "invalid_credential_request"),
    "notification, made-up id": (
        "notification", {"notification_id": "x", "event": "credential_accepted"}, "invalid_notification_id"),
    "notification, no id": ("notification", {"event": "credential_accepted"}, "invalid_notification_request"),
    "notification, unknown event": (
        "notification", {"notification_id": "x", "event": "sold"}, "invalid_notification_request"),
    "notification, not JSON": ("notification", b"{", "invalid_notification_request"),
    "notification, forbidden characters": (
        "notification",
        {"notification_id": "x", "event": "credential_accepted", "event_description": 'a"b'},
        "invalid_notification_request"),
}  # fmt: skip


@pytest.mark.parametrize(("step", "body", "error"), _LATER.values(), ids=_LATER)
async def test_nothing_later_for_a_dishonest_wallet(peer, step, body, error) -> None:
    wallet = await peer.wallet_with_token()
    answer = await wallet.post_json(step, body)
    assert (answer.status_code, answer.json()["error"]) == (400, error)


async def test_a_promise_and_a_notification_belong_to_their_grant(peer) -> None:
    wallet, thief = await peer.wallet_with_token(), await peer.wallet_with_token()
    notification_id = (await wallet.request(PID)).json()["notification_id"]
    peer.source.fails = NotReady("later")
    ask = {"transaction_id": (await wallet.request(PID)).json()["transaction_id"]}
    peer.source.fails = None
    assert (await thief.post_json("deferred", ask)).json()["error"] == "invalid_transaction_id"
    event = {"notification_id": notification_id, "event": "credential_deleted"}
    assert (await thief.post_json("notification", event)).json()["error"] == "invalid_notification_id"


# --- registered clients ---


@pytest.fixture
async def registered(open_issuer, tmp_path):
    """An issuer with a client that authenticates with private_key_jwt, and that client's wallet."""
    key = PrivateKey.generate()
    (tmp_path / "clients").mkdir()
    client = {
        "client_id": "suite", "authentication": "private_key_jwt", "redirect_uris": ["https://suite.test/cb?a=b"],
        "jwks": {"keys": [{**key.public.jwk, "kid": "1"}]},
    }  # fmt: skip
    (tmp_path / "clients" / "suite.json").write_text(json.dumps(client))
    async with open_issuer(clients=tmp_path / "clients") as peer:
        yield peer, peer.wallet(client_id="suite", registered_key=key, redirect_uri="https://suite.test/cb?a=b")


_ASSERTION = {
    "another audience": claim(aud="https://issuer.test/token"),
    "two audiences": claim(aud=["https://issuer.test", "https://evil.test"]),
    "expired": expired,
    "too long a life": claim(exp=4102444800),
    "another subject": claim(sub="other"),
    "another issuer": claim(iss="other"),
    "no jti": claim(jti=None),
    "another key": other_key,
    "unsecured": unsecured,
    "unknown kid": header(kid="2"),
    "not a JWT": text("x"),
}


@pytest.mark.parametrize("defect", _ASSERTION.values(), ids=_ASSERTION)
async def test_no_token_for_a_client_that_cannot_prove_itself(registered, defect) -> None:
    peer, wallet = registered
    wallet.spoil = {"assertion": defect}
    offer, tx_code = await peer.offer("pid_sd_jwt")
    answer = await wallet.redeem_offer(offer, tx_code)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert await peer.count("access_grant") == 0


async def test_a_registered_client_keeps_to_its_registration(registered) -> None:
    peer, wallet = registered
    assert (await wallet.push(scope="pid_sd_jwt")).status_code == 201
    for uri in ("https://suite.test/cb", "https://suite.test/cb?a=b&c=d", "https://evil.test/cb"):
        wallet.redirect_uri = uri
        assert (await wallet.push(scope="pid_sd_jwt")).json()["error"] == "invalid_request"
    impostor = peer.wallet(client_id="suite")
    offer, tx_code = await peer.offer("pid_sd_jwt")
    assert (await impostor.redeem_offer(offer, tx_code)).json()["error"] == "invalid_client"


async def test_an_attested_wallet_that_is_registered_keeps_to_its_redirect_uris(open_issuer, tmp_path) -> None:
    (tmp_path / "clients").mkdir()
    way = {"client_id": "wallet.test", "authentication": "attest_jwt_client_auth"}
    client = {**way, "redirect_uris": ["https://a.test/"]}
    (tmp_path / "clients" / "wallet.json").write_text(json.dumps(client))
    async with open_issuer(clients=tmp_path / "clients") as peer:
        for uri, status in (("https://a.test/", 201), ("https://a.test", 400), ("https://wallet.test/callback", 400)):
            assert (await peer.wallet(redirect_uri=uri).push(scope="pid_sd_jwt")).status_code == status
        unregistered = peer.wallet(client_id="other.test", redirect_uri="org.example.wallet:/callback")
        assert (await unregistered.push(scope="pid_sd_jwt")).status_code == 201
