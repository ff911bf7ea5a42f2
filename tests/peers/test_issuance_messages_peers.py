"""OpenID4VCI messages of byoid before npm's @openid4vc, and theirs before byoid."""

import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from byoid.issuance.configuration import ProofType, SdJwtVcConfiguration
from byoid.issuance.metadata import CredentialIssuerMetadata
from byoid.issuance.offer import (
    CredentialOffer,
    Grants,
    OfferReference,
    PreAuthorizedCodeGrant,
    TransactionCode,
    credential_offer_link,
    parse_credential_offer_link,
)
from byoid.issuance.proofs import ProofPolicy, Proofs, prepare_key_proof, verify_proofs
from byoid.jose import x5c_header
from byoid.keys import PrivateKey
from byoid.oauth.client_attestation import (
    ClientAttestationClaims,
    Confirmation,
    prepare_client_attestation,
    prepare_client_attestation_pop,
    verify_client_attestation,
)
from byoid.oauth.dpop import prepare_dpop_proof
from byoid.oauth.form import to_form
from byoid.oauth.jwt import Trust, numeric_date
from byoid.oauth.key_attestation import KeyAttestationClaims, prepare_key_attestation
from byoid.oauth.metadata import AuthorizationServerMetadata
from byoid.oauth.token import PreAuthorizedCodeTokenRequest
from byoid.signing import sign_now
from byoid.trust.anchors import Purpose
from byoid.trust.pki import SubjectName, make_leaf, make_root

pytestmark = pytest.mark.peers

NPM = Path(__file__).parent / "npm"
NOW = datetime.now(UTC).replace(microsecond=0)
ISSUER = "https://issuer.example"
CLIENT = "https://wallet.example"
KEYS = [PrivateKey.generate() for _ in range(2)]
KEY, PROVIDER = KEYS[0], PrivateKey.generate()
ROOT = make_root(SubjectName("Provider Root"), key=PrivateKey.generate(), now=NOW)
LEAF = make_leaf(ROOT, SubjectName("Provider"), key=PROVIDER.public, purpose=Purpose.WALLET_PROVIDER, now=NOW)
X5C = (LEAF.public_bytes(Encoding.DER),)
TRUST = Trust(ROOT.anchor(Purpose.WALLET_PROVIDER))

PROOF_TYPE = ProofType(proof_signing_alg_values_supported=("ES256",))
CONFIGURATION = SdJwtVcConfiguration(
    vct="urn:eudi:pid:1",
    scope="pid",
    cryptographic_binding_methods_supported=("jwk",),
    proof_types_supported={"jwt": PROOF_TYPE, "attestation": PROOF_TYPE},
)
METADATA = CredentialIssuerMetadata(
    credential_issuer=ISSUER,
    credential_endpoint=f"{ISSUER}/credential",
    nonce_endpoint=f"{ISSUER}/nonce",
    credential_configurations_supported={"pid": CONFIGURATION},
)
SERVER = AuthorizationServerMetadata(
    issuer=ISSUER,
    token_endpoint=f"{ISSUER}/token",
    authorization_endpoint=f"{ISSUER}/authorize",
    pushed_authorization_request_endpoint=f"{ISSUER}/par",
    code_challenge_methods_supported=("S256",),
    dpop_signing_alg_values_supported=("ES256",),
    token_endpoint_auth_methods_supported=("attest_jwt_client_auth",),
)


def ask(action: str, **given: Any) -> Any:
    """Let the npm packages do something; fails with their own words."""
    request = {
        "action": action,
        "now": numeric_date(NOW),
        "metadata": METADATA.to_wire(),
        "authorizationServer": SERVER.to_wire(),
        **given,
    }
    run = subprocess.run(
        ["node", "issuance.mjs"],
        cwd=NPM,
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    answer = json.loads(run.stdout)
    assert "error" not in answer, answer["error"]
    return answer["result"]


def offer() -> CredentialOffer:
    grant = PreAuthorizedCodeGrant(pre_authorized_code="p1", tx_code=TransactionCode(length=4))
    return CredentialOffer(
        credential_issuer=ISSUER, credential_configuration_ids=("pid",), grants=Grants(pre_authorized_code=grant)
    )


def client_attestation() -> str:
    claims = ClientAttestationClaims(
        iss="https://provider.example",
        sub=CLIENT,
        iat=numeric_date(NOW),
        exp=numeric_date(NOW + timedelta(hours=1)),
        cnf=Confirmation(jwk=dict(KEY.public.jwk)),
        wallet_name="BYOID",
    )
    return sign_now(prepare_client_attestation(claims, algorithm="ES256", x5c=X5C), PROVIDER)


def key_attestation() -> str:
    claims = KeyAttestationClaims(
        iat=numeric_date(NOW),
        exp=numeric_date(NOW + timedelta(hours=1)),
        attested_keys=tuple(dict(key.public.jwk) for key in KEYS),
        key_storage=("iso_18045_high",),
        nonce="n1",
    )
    return sign_now(prepare_key_attestation(claims, algorithm="ES256", x5c=X5C), PROVIDER)


def test_they_understand_our_offers_and_we_theirs() -> None:
    assert ask("offer", link=credential_offer_link(offer())) == offer().to_wire()

    theirs = ask("makeOffer", ids=["pid"], grants=offer().to_wire()["grants"])
    assert parse_credential_offer_link(theirs["credentialOffer"]) == offer()
    theirs = ask("makeOffer", ids=["pid"], grants=offer().to_wire()["grants"], uri=f"{ISSUER}/offers/1")
    assert parse_credential_offer_link(theirs["credentialOffer"]) == OfferReference(f"{ISSUER}/offers/1")


def test_they_understand_our_metadata() -> None:
    assert ask("metadata") == METADATA.to_wire()
    assert ask("authorizationServer")["issuer"] == ISSUER


def test_they_verify_our_attestations() -> None:
    assert ask("clientAttestation", jwt=client_attestation())["sub"] == CLIENT
    attested = ask("keyAttestation", jwt=key_attestation(), use="proof_type.attestation", nonce="n1")
    assert attested["attested_keys"] == [key.public.jwk for key in KEYS]


@pytest.mark.parametrize("attested", [False, True])
def test_they_verify_our_key_proofs(attested: bool) -> None:
    unsigned = prepare_key_proof(
        key=KEY.public,
        algorithm="ES256",
        issuer=ISSUER,
        now=NOW,
        nonce="n1",
        client_id=CLIENT,
        key_attestation=key_attestation() if attested else None,
    )

    assert ask("keyProof", jwt=sign_now(unsigned, KEY), nonce="n1", clientId=CLIENT)["aud"] == ISSUER


def test_they_accept_our_token_request_with_dpop_and_client_attestation() -> None:
    dpop_key = PrivateKey.generate()
    dpop = prepare_dpop_proof(
        key=dpop_key.public, algorithm="ES256", method="POST", url=f"{ISSUER}/token", jti="j1", now=NOW, nonce="d1"
    )
    pop = prepare_client_attestation_pop(client_id=CLIENT, audience=ISSUER, jti="j2", now=NOW, algorithm="ES256")

    result = ask(
        "token",
        url=f"{ISSUER}/token",
        headers={
            "DPoP": sign_now(dpop, dpop_key),
            "OAuth-Client-Attestation": client_attestation(),
            "OAuth-Client-Attestation-PoP": sign_now(pop, KEY),
        },
        form=to_form(PreAuthorizedCodeTokenRequest(pre_authorized_code="p1", tx_code="1234", client_id=CLIENT)),
        code="p1",
        txCode="1234",
        nonce="d1",
    )

    assert result == {"jkt": dpop_key.public.thumbprint_b64u, "clientId": CLIENT}


def test_we_verify_their_client_attestation() -> None:
    jwt = ask(
        "makeClientAttestation",
        privateJwk=PROVIDER.to_jwk(),
        clientId=CLIENT,
        jwk=KEY.public.jwk,
        x5c=x5c_header(X5C),
    )

    verified = verify_client_attestation(jwt, trust=TRUST, now=NOW, client_id=CLIENT)

    assert (verified.client_id, verified.key) == (CLIENT, KEY.public)


def test_we_verify_their_key_attestation() -> None:
    jwt = ask(
        "makeKeyAttestation",
        privateJwk=PROVIDER.to_jwk(),
        use="proof_type.attestation",
        jwks=[key.public.jwk for key in KEYS],
        nonce="n1",
        x5c=x5c_header(X5C),
    )

    verified = verify_proofs(
        Proofs(attestation=(jwt,)),
        issuer=ISSUER,
        configuration=CONFIGURATION,
        client_id=CLIENT,
        policy=ProofPolicy(TRUST, max_keys=2),
        now=NOW,
    )

    assert [each.key for each in verified] == [key.public for key in KEYS]


def test_we_verify_their_key_proof() -> None:
    made = ask("makeKeyProof", privateJwk=KEY.to_jwk(), id="pid", nonce="n1", clientId=CLIENT)

    verified = verify_proofs(
        Proofs(jwt=(made["jwt"],)),
        issuer=ISSUER,
        configuration=CONFIGURATION,
        client_id=CLIENT,
        policy=ProofPolicy(TRUST),
        now=NOW,
    )

    assert verified[0].key == KEY.public
