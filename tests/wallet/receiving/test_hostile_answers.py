"""Dishonest answers: offers, metadata, tokens, nonces and credential responses; each case breaks one rule."""

import json
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from starlette.responses import JSONResponse, RedirectResponse, Response

from byoid.encoding import b64u_encode
from byoid.errors import (
    ByoidError,
    ClaimMismatch,
    HolderBindingError,
    MalformedInput,
    PeerError,
    UntrustedIssuer,
    WrongType,
)
from byoid.issuance.metadata import CredentialIssuerMetadata
from byoid.issuance.signed_metadata import prepare_signed_metadata
from byoid.keys import PrivateKey
from byoid.message import parse_message
from byoid.service.trust_files import load_signer
from byoid.signing import sign_now
from byoid.trust.anchors import Purpose
from byoid.trust.pki import SubjectName, make_leaf, make_root, to_der
from tests.peers.dishonest_issuer import (
    PRE_AUTHORIZED,
    URL,
    DishonestIssuer,
    link,
    metadata,
    offer,
)
from tests.wallet.receiving.defects import (
    NOTHING,
    Tamper,
    error,
    require_message,
    require_nothing_kept,
    with_pid,
    without,
)
from wallet.context import Wallet
from wallet.offers import fetch_offer, open_link
from wallet.receipts import UnsupportedCredential
from wallet.receiving import IssuerUnavailable, propose

pytestmark = pytest.mark.hostile


# --- the offer


def by_value(members: Any) -> str:
    return "openid-credential-offer://?credential_offer=" + quote(json.dumps(members))


def by_reference(uri: str) -> str:
    return "openid-credential-offer://?credential_offer_uri=" + quote(uri, safe="")


LINKS: dict[str, tuple[str, type[ByoidError]]] = {
    "no offer in the link": ("openid-credential-offer://?x=1", MalformedInput),
    "two offers in the link": (by_value(offer()) + "&credential_offer_uri=https%3A%2F%2Fa.test", MalformedInput),
    "reference over http": (by_reference("http://dishonest.test/offer"), MalformedInput),
    "reference with a password": (by_reference("https://a:b@dishonest.test/offer"), MalformedInput),
    "not JSON": ("openid-credential-offer://?credential_offer=%7B", MalformedInput),
    "a member twice": ('openid-credential-offer://?credential_offer={"a":1,"a":2}', MalformedInput),
    "no configurations": (by_value(offer(credential_configuration_ids=[])), MalformedInput),
    "a configuration twice": (by_value(offer(credential_configuration_ids=["pid", "pid"])), MalformedInput),
    "issuer over http": (by_value(offer(credential_issuer="http://dishonest.test")), MalformedInput),
    "issuer with a query": (by_value(offer(credential_issuer=f"{URL}?a=b")), MalformedInput),
    "unknown configuration": (by_value(offer(credential_configuration_ids=["gold"])), ClaimMismatch),
    "a server that the issuer does not rely on": (
        by_value(
            offer(grants={PRE_AUTHORIZED: {"pre-authorized_code": "c", "authorization_server": "https://evil.test"}})
        ),
        ClaimMismatch,
    ),
    "a code that is empty": (by_value(offer(grants={PRE_AUTHORIZED: {"pre-authorized_code": ""}})), MalformedInput),
    "too large": (by_value(offer(padding="x" * 70_000)), MalformedInput),
    "more cards than anybody makes keys for": (
        by_value(offer(credential_configuration_ids=[f"pid-{n}" for n in range(21)])),
        UnsupportedCredential,
    ),
    "an issuer that is not there": (by_value(offer(credential_issuer="https://10.0.0.1")), PeerError),
}


@pytest.mark.parametrize("defect", LINKS)
async def test_an_offer_is_refused(defect: str, citizen: Any, wallet: Wallet) -> None:
    text, error = LINKS[defect]
    with pytest.raises(error) as caught:
        await open_link(wallet, await citizen.visit(), text)

    require_message(caught.value)
    assert await citizen.receipts() == []
    assert await citizen.holdings() == NOTHING


REFERENCES: dict[str, tuple[Tamper, type[ByoidError]]] = {
    "not found": (lambda _: Response(status_code=404), PeerError),
    "redirected": (lambda _: RedirectResponse("https://evil.test/offer"), PeerError),
    "no JSON": (lambda _: Response("eyJhbGciOiJFUzI1NiJ9.e30.", media_type="application/jwt"), MalformedInput),
    "too large": (lambda honest: honest | {"padding": "x" * 70_000}, MalformedInput),
    "another issuer's configuration": (
        lambda honest: honest | {"credential_configuration_ids": ["gold"]},
        ClaimMismatch,
    ),
}


@pytest.mark.parametrize("defect", REFERENCES)
async def test_an_offer_by_reference_is_refused(
    defect: str, citizen: Any, wallet: Wallet, issuer: DishonestIssuer
) -> None:
    issuer.tamper["offer"], error = REFERENCES[defect]
    visit = await citizen.visit()
    receipt = await open_link(wallet, visit, by_reference(f"{URL}/offer"))
    with pytest.raises(error) as caught:
        await fetch_offer(wallet, visit, receipt.id)

    require_message(caught.value)
    assert [each["stage"] for each in await citizen.receipts()] == ["asked"]
    assert await citizen.holdings() == NOTHING


# --- metadata


def described(*claims: Any) -> Tamper:
    return with_pid(credential_metadata={"claims": list(claims)})


METADATA: dict[str, tuple[Tamper, type[ByoidError]]] = {
    "of another issuer": (lambda honest: honest | {"credential_issuer": "https://other.test"}, ClaimMismatch),
    "not JSON": (lambda _: Response("<html>", media_type="text/html"), MalformedInput),
    "not found": (lambda _: Response(status_code=404), PeerError),
    "redirected": (lambda _: RedirectResponse("https://evil.test/metadata"), PeerError),
    "endpoint over http": (
        lambda honest: honest | {"credential_endpoint": "http://dishonest.test/credential"},
        MalformedInput,
    ),
    "batch of one": (lambda honest: honest | {"batch_credential_issuance": {"batch_size": 1}}, MalformedInput),
    "a format that nobody has": (with_pid(format="jwt_vc_json"), UnsupportedCredential),
    "a claim described twice": (described({"path": ["a"]}, {"path": ["a"]}), MalformedInput),
    "a language twice": (
        lambda honest: honest | {"display": [{"name": "A", "locale": "en"}, {"name": "B", "locale": "en"}]},
        MalformedInput,
    ),
    "private encryption key": (
        lambda honest: (
            honest
            | {
                "credential_request_encryption": {
                    "jwks": {"keys": [{**PrivateKey.generate().to_jwk(), "kid": "1", "alg": "ECDH-ES"}]},
                    "enc_values_supported": ["A256GCM"],
                    "encryption_required": False,
                }
            }
        ),
        MalformedInput,
    ),
    "signed, but no JWT": (lambda _: Response("x.y.z", media_type="application/jwt"), MalformedInput),
}


@pytest.mark.parametrize("defect", METADATA)
async def test_metadata_are_refused(defect: str, citizen: Any, wallet: Wallet, issuer: DishonestIssuer) -> None:
    issuer.tamper["metadata"], error = METADATA[defect]
    with pytest.raises(error) as caught:
        await open_link(wallet, await citizen.visit(), link(offer()))

    require_message(caught.value)
    assert await citizen.receipts() == []


def signed_metadata(issuer: DishonestIssuer, *, key: PrivateKey | None = None, sub: str = URL) -> Response:
    signer = load_signer(issuer.keys / "metadata.key", issuer.keys / "metadata.pem")
    message = parse_message(CredentialIssuerMetadata, metadata() | {"credential_issuer": sub})
    root = make_root(SubjectName("Stranger"), key=PrivateKey.generate(), now=issuer.clock() - timedelta(days=1))
    leaf_key = key or signer.key
    x5c = signer.x5c
    if key is not None:
        leaf = make_leaf(
            root,
            SubjectName("S"),
            key=key.public,
            purpose=Purpose.ISSUER_METADATA,
            now=root.certificate.not_valid_before_utc,
        )
        x5c = to_der(leaf)
    unsigned = prepare_signed_metadata(message, issued_at=issuer.clock(), algorithm="ES256", x5c=x5c)
    return Response(sign_now(unsigned, leaf_key), media_type="application/jwt")


async def test_metadata_signed_by_a_stranger_are_not_used_at_all(
    citizen: Any, wallet: Wallet, issuer: DishonestIssuer
) -> None:
    issuer.tamper["metadata"] = lambda _: signed_metadata(issuer, key=PrivateKey.generate())
    with pytest.raises(UntrustedIssuer):
        await open_link(wallet, await citizen.visit(), link(offer()))


async def test_metadata_signed_for_another_issuer_are_refused(
    citizen: Any, wallet: Wallet, issuer: DishonestIssuer
) -> None:
    issuer.tamper["metadata"] = lambda _: signed_metadata(issuer, sub="https://other.test")
    with pytest.raises(ClaimMismatch):
        await open_link(wallet, await citizen.visit(), link(offer()))


SERVERS: dict[str, tuple[Tamper, type[ByoidError]]] = {
    "of another server": (lambda honest: honest | {"issuer": "https://other.test"}, ClaimMismatch),
    "token endpoint over http": (
        lambda honest: honest | {"token_endpoint": "http://dishonest.test/token"},
        MalformedInput,
    ),
    "no login and no code": (
        lambda honest: {k: v for k, v in honest.items() if k != "authorization_endpoint"},
        PeerError,
    ),
    "no grant for a login": (lambda honest: honest | {"grant_types_supported": ["refresh_token"]}, PeerError),
}


@pytest.mark.parametrize("defect", SERVERS)
async def test_metadata_of_the_server_are_refused(
    defect: str, citizen: Any, wallet: Wallet, issuer: DishonestIssuer
) -> None:
    issuer.tamper["server"], error = SERVERS[defect]
    with pytest.raises(error) as caught:
        await open_link(wallet, await citizen.visit(), link(offer(grants={})))

    require_message(caught.value)
    assert await citizen.receipts() == []


PROOFS: dict[str, Tamper] = {
    "an algorithm that nobody has": with_pid(
        proof_types_supported={"jwt": {"proof_signing_alg_values_supported": ["HS256"]}}
    ),
    "a proof type that nobody has": with_pid(
        proof_types_supported={"di_vp": {"proof_signing_alg_values_supported": ["ES256"]}}
    ),
}


@pytest.mark.parametrize("defect", PROOFS)
async def test_demands_on_proofs_that_cannot_be_met_are_told_before_the_approval(
    defect: str, citizen: Any, wallet: Wallet, issuer: DishonestIssuer
) -> None:
    issuer.tamper["metadata"] = PROOFS[defect]
    visit = await citizen.visit()
    receipt = await open_link(wallet, visit, link(offer()))
    with pytest.raises(UnsupportedCredential) as caught:
        await propose(wallet, visit, receipt.id)

    require_message(caught.value)
    assert await citizen.holdings() == NOTHING


# --- token, nonce and the credential response


def granting(*identifiers: str, configuration_id: str = "pid") -> Tamper:
    detail = {
        "type": "openid_credential", "credential_configuration_id": configuration_id,
        "credential_identifiers": list(identifiers),
    }  # fmt: skip
    return lambda honest: honest | {"authorization_details": [detail]}


ANSWERS: dict[str, tuple[str, Tamper, type[ByoidError]]] = {
    "token: not bound to our key": ("token", lambda honest: honest | {"token_type": "Bearer"}, PeerError),
    "token: missing": ("token", without("access_token"), MalformedInput),
    "token: empty": ("token", lambda honest: honest | {"access_token": ""}, MalformedInput),
    "token: expired at once": ("token", lambda honest: honest | {"expires_in": 0}, MalformedInput),
    "token: for something else": ("token", granting("x", configuration_id="gold"), PeerError),
    "token: without datasets": ("token", granting(), MalformedInput),
    "token: refused": ("token", error("invalid_client", 401), PeerError),
    "token: another DPoP nonce for ever": ("token", error("use_dpop_nonce", dpop_nonce="n"), PeerError),
    "token: another challenge for ever": ("token", error("use_attestation_challenge"), PeerError),
    "token: redirected": ("token", lambda _: RedirectResponse("https://evil.test/token"), PeerError),
    "challenge: missing": ("challenge", lambda _: {}, MalformedInput),
    "nonce: missing": ("nonce", lambda _: {}, MalformedInput),
    "nonce: far too long": ("nonce", lambda _: {"c_nonce": "x" * 2000}, MalformedInput),
    "nonce: not found": ("nonce", lambda _: Response(status_code=404), PeerError),
    "credential: neither credentials nor a promise": ("credential", lambda _: {}, MalformedInput),
    "credential: credentials and a promise": (
        "credential",
        lambda honest: honest | {"transaction_id": "t", "interval": 5},
        MalformedInput,
    ),
    "credential: a promise with status 200": (
        "credential",
        lambda _: {"transaction_id": "t", "interval": 5},
        PeerError,
    ),
    "credential: a promise without interval": (
        "credential",
        lambda _: JSONResponse({"transaction_id": "t"}, 202),
        MalformedInput,
    ),
    "credential: a promise with an interval of zero": (
        "credential",
        lambda _: JSONResponse({"transaction_id": "t", "interval": 0}, 202),
        MalformedInput,
    ),
    "credential: none": ("credential", lambda honest: honest | {"credentials": []}, MalformedInput),
    "credential: more than keys": (
        "credential",
        lambda honest: honest | {"credentials": honest["credentials"] * 2},
        PeerError,
    ),
    "credential: an object": (
        "credential",
        lambda honest: honest | {"credentials": [{"credential": {"vct": "x"}}]},
        MalformedInput,
    ),
    "credential: empty text": (
        "credential",
        lambda honest: honest | {"credentials": [{"credential": ""}]},
        MalformedInput,
    ),
    "credential: far too long": (
        "credential",
        lambda honest: honest | {"credentials": [{"credential": "x" * (1 << 20) + "y"}]},
        MalformedInput,
    ),
    "credential: another nonce for ever": ("credential", error("invalid_nonce"), PeerError),
    "credential: denied": ("credential", error("credential_request_denied"), PeerError),
    "credential: redirected": ("credential", lambda _: RedirectResponse("https://evil.test/c"), PeerError),
    "credential: the same one twice": (
        "credential",
        lambda honest: honest | {"credentials": honest["credentials"][:1] * 2},
        HolderBindingError,
    ),
    "credential: encrypted though nobody asked": (
        "credential",
        lambda _: Response("a.b.c.d.e", media_type="application/jwt"),
        MalformedInput,
    ),
}


@pytest.mark.parametrize("defect", ANSWERS)
async def test_an_answer_is_refused(defect: str, citizen: Any, issuer: DishonestIssuer) -> None:
    endpoint, tamper, expected = ANSWERS[defect]
    issuer.tamper[endpoint] = tamper
    with pytest.raises(expected) as caught:
        await citizen.receive()

    await require_nothing_kept(citizen, caught.value)


async def test_a_server_that_is_down_for_ever_gives_nothing(citizen: Any, issuer: DishonestIssuer) -> None:
    issuer.tamper["token"] = lambda _: Response(status_code=500)
    with pytest.raises(IssuerUnavailable):
        await citizen.receive()

    assert (await citizen.holdings())["cards"] == 0


ENCRYPTED: dict[str, tuple[Tamper, type[ByoidError]]] = {
    "not encrypted": (lambda honest: honest, PeerError),
    "no JWE": (lambda _: Response("a.b.c.d.e", media_type="application/jwt"), MalformedInput),
    "to another key": (
        lambda _: Response(
            b64u_encode(b'{"alg":"ECDH-ES","enc":"A256GCM","kid":"x"}') + "....", media_type="application/jwt"
        ),
        WrongType,
    ),
}


@pytest.mark.parametrize("defect", ENCRYPTED)
async def test_an_answer_that_is_not_encrypted_to_us_is_refused(
    defect: str, citizen: Any, issuer: DishonestIssuer
) -> None:
    issuer.encryption_key = PrivateKey.generate()
    issuer.tamper["credential"], expected = ENCRYPTED[defect]
    with pytest.raises(expected) as caught:
        await citizen.receive()

    await require_nothing_kept(citizen, caught.value)
