from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from byoid.errors import (
    BadSignature,
    ByoidError,
    ClaimMismatch,
    Expired,
    HolderBindingError,
    MalformedInput,
    NotYetValid,
    StatusUnavailable,
    UntrustedIssuer,
    WrongType,
)
from byoid.formats.status_list import StatusReference
from byoid.jose import parse_jws
from byoid.keys import PrivateKey, PublicKey
from byoid.message import parse_message
from byoid.oauth.client_attestation import (
    ATTESTATION_TYP,
    POP_TYP,
    ChallengeResponse,
    ClientAttestationClaims,
    VerifiedClientAttestation,
    prepare_client_attestation,
    prepare_client_attestation_pop,
    require_dpop_combined,
    verify_client_attestation,
    verify_client_attestation_pop,
)
from byoid.oauth.dpop import VerifiedDpopProof
from byoid.oauth.jwt import Trust, numeric_date
from byoid.signing import sign_now
from byoid.trust.anchors import Purpose, TrustAnchor, TrustAnchors
from byoid.wire_errors import UseAttestationChallenge, UseFreshAttestation

VECTORS = Path(__file__).parents[2] / "vectors" / "openid4vci"
CLIENT = "https://wallet.example"
SERVER = "https://issuer.example"
KEY = PrivateKey.generate()
OTHER = PrivateKey.generate()


def attestation_claims(now: datetime, **changes: Any) -> dict[str, Any]:
    claims = {
        "sub": CLIENT,
        "iat": numeric_date(now),
        "exp": numeric_date(now + timedelta(hours=20)),
        "cnf": {"jwk": KEY.public.jwk},
        "wallet_name": "BYOID Wallet",
        "wallet_version": "1.0",
        "client_status": {
            "status": {"status_list": {"idx": 7, "uri": "https://provider.example/lists/1"}},
            "exp": numeric_date(now + timedelta(days=31)),
        },
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not None}


@pytest.fixture(scope="module")
def attestation(wallet_provider: Any, now: datetime) -> VerifiedClientAttestation:
    jwt = wallet_provider.sign(attestation_claims(now), ATTESTATION_TYP)
    return verify_client_attestation(jwt, trust=wallet_provider.trust, now=now)


def test_what_a_provider_prepares_the_server_verifies(wallet_provider: Any, now: datetime) -> None:
    claims = parse_message(ClientAttestationClaims, attestation_claims(now))
    unsigned = prepare_client_attestation(claims, algorithm="ES256", x5c=wallet_provider.x5c)

    verified = verify_client_attestation(
        sign_now(unsigned, wallet_provider.key), trust=wallet_provider.trust, now=now, client_id=CLIENT
    )

    assert verified.client_id == CLIENT
    assert verified.key == KEY.public
    assert verified.provider == "Wallet Provider"
    assert verified.expires_at == now + timedelta(hours=20)
    assert verified.status == StatusReference("https://provider.example/lists/1", 7)
    assert verified.status_maintained_until == now + timedelta(days=31)
    assert verified.claims == claims


def test_an_attestation_of_openid4vci_has_a_plain_status_and_an_issuer(wallet_provider: Any, now: datetime) -> None:
    claims = attestation_claims(
        now,
        client_status=None,
        iss="https://provider.example",
        status={"status_list": {"idx": 1, "uri": "https://provider.example/lists/2"}},
    )

    verified = verify_client_attestation(
        wallet_provider.sign(claims, ATTESTATION_TYP), trust=wallet_provider.trust, now=now
    )

    assert verified.status == StatusReference("https://provider.example/lists/2", 1)
    assert verified.status_maintained_until is None


def test_the_example_of_openid4vci_is_verified() -> None:
    jwt = (VECTORS / "wallet_attestation.jwt.txt").read_text().replace("\n", "")
    jws = parse_jws(jwt)
    claims = parse_message(ClientAttestationClaims, jws.claims())
    certificate = x509.load_der_x509_certificate(jws.x5c[0])
    trust = Trust(TrustAnchors([TrustAnchor(certificate, frozenset({Purpose.WALLET_PROVIDER}), "spec", pinned=True)]))

    assert claims.sub == "https://wallet.example.com"
    assert claims.wallet_link == "https://example.com/wallet/detail_info.html"
    assert PublicKey.from_jwk(claims.cnf.jwk).algorithms == {"ES256"}
    verified = verify_client_attestation(jwt, trust=trust, now=datetime.fromtimestamp(1755023600, UTC))
    assert verified.client_id == claims.sub


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({"sub": None}, MalformedInput, id="2 no sub"),
        pytest.param({"sub": ""}, MalformedInput, id="2 empty sub"),
        pytest.param({"exp": None}, MalformedInput, id="2 no exp"),
        pytest.param({"cnf": None}, MalformedInput, id="2 no cnf"),
        pytest.param({"cnf": {"kid": "1"}}, MalformedInput, id="2 cnf without jwk"),
        pytest.param({"cnf": {"jwk": KEY.to_jwk()}}, MalformedInput, id="5 private key in cnf"),
        pytest.param({"exp": 1}, Expired, id="6 expired"),
        pytest.param({"iat": 9_999_999_999}, NotYetValid, id="6 issued in the future"),
        pytest.param({"nbf": 9_999_999_999}, NotYetValid, id="6 not yet valid"),
        pytest.param({"sub": "https://other.example"}, ClaimMismatch, id="7 another client"),
        pytest.param({"client_status": {"status": {}}}, MalformedInput, id="client_status without exp"),
        pytest.param(
            {"client_status": {"status": {"status_list": {}}, "exp": 9_999_999_999}}, MalformedInput, id="broken status"
        ),
        pytest.param(
            {"client_status": {"status": {"other_list": {"id": "x"}}, "exp": 9_999_999_999}},
            StatusUnavailable,
            id="client_status by other means",
        ),
        pytest.param(
            {"client_status": None, "status": {"other_list": {"id": "x"}}},
            StatusUnavailable,
            id="status by other means",
        ),
    ],
)
def test_an_attestation_with_a_defect_is_refused(
    wallet_provider: Any, now: datetime, changes: dict[str, Any], error: type[ByoidError]
) -> None:
    jwt = wallet_provider.sign(attestation_claims(now, **changes), ATTESTATION_TYP)

    with pytest.raises(error) as raised:
        verify_client_attestation(jwt, trust=wallet_provider.trust, now=now, client_id=CLIENT)

    assert raised.type is error


@pytest.mark.hostile
def test_an_attestation_that_is_older_than_the_policy_allows_must_be_fetched_anew(
    wallet_provider: Any, now: datetime
) -> None:
    jwt = wallet_provider.sign(attestation_claims(now), ATTESTATION_TYP)
    later = now + timedelta(hours=2)

    assert verify_client_attestation(jwt, trust=wallet_provider.trust, now=later, max_age=timedelta(hours=2))
    with pytest.raises(UseFreshAttestation):
        verify_client_attestation(jwt, trust=wallet_provider.trust, now=later, max_age=timedelta(hours=1))


@pytest.mark.hostile
def test_only_a_trusted_provider_can_attest(wallet_provider: Any, stranger: Any, now: datetime) -> None:
    trust = wallet_provider.trust
    claims = attestation_claims(now)

    with pytest.raises(UntrustedIssuer):
        verify_client_attestation(stranger.sign(claims, ATTESTATION_TYP), trust=trust, now=now)
    with pytest.raises(WrongType):
        verify_client_attestation(wallet_provider.sign(claims, "JWT"), trust=trust, now=now)
    with pytest.raises(MalformedInput):
        verify_client_attestation(wallet_provider.sign(claims, ATTESTATION_TYP, x5c=[]), trust=trust, now=now)
    with pytest.raises(WrongType):
        verify_client_attestation(
            wallet_provider.sign(claims, ATTESTATION_TYP), trust=trust, now=now, algorithms={"ES384"}
        )
    head, _, signature = wallet_provider.sign(claims, ATTESTATION_TYP).split(".")
    other = wallet_provider.sign(attestation_claims(now, sub="x"), ATTESTATION_TYP).split(".")[1]
    with pytest.raises(BadSignature):
        verify_client_attestation(f"{head}.{other}.{signature}", trust=trust, now=now)


# --- proof of possession ---


@pytest.fixture
def pop(forge: Callable[..., str], now: datetime) -> Callable[..., str]:
    def make(*, key: PrivateKey = KEY, typ: str | None = POP_TYP, **changes: Any) -> str:
        claims = {"aud": SERVER, "jti": "j1", "iat": numeric_date(now), "challenge": "c1", **changes}
        return forge({name: value for name, value in claims.items() if value is not None}, key=key, typ=typ)

    return make


def test_a_prepared_proof_of_possession_is_verified(attestation: VerifiedClientAttestation, now: datetime) -> None:
    unsigned = prepare_client_attestation_pop(
        client_id=CLIENT, audience=SERVER, jti="j1", now=now, algorithm="ES256", challenge="c1"
    )

    verified = verify_client_attestation_pop(
        sign_now(unsigned, KEY), attestation=attestation, audience=SERVER, now=now, challenges={"c1"}
    )

    assert (verified.jti, verified.challenge, verified.issued_at) == ("j1", "c1", now)


def test_a_proof_of_later_drafts_has_no_issuer_and_perhaps_no_challenge(
    attestation: VerifiedClientAttestation, pop: Callable[..., str], now: datetime
) -> None:
    verified = verify_client_attestation_pop(pop(challenge=None), attestation=attestation, audience=SERVER, now=now)

    assert verified.challenge is None


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({"aud": None}, MalformedInput, id="2 no aud"),
        pytest.param({"jti": None}, MalformedInput, id="2 no jti"),
        pytest.param({"iat": None}, MalformedInput, id="2 no iat"),
        pytest.param({"typ": "JWT"}, WrongType, id="2 another typ"),
        pytest.param({"key": OTHER}, BadSignature, id="4 another key than the attested one"),
        pytest.param({"challenge": None}, UseAttestationChallenge, id="5 no challenge"),
        pytest.param({"challenge": "old"}, UseAttestationChallenge, id="5 old challenge"),
        pytest.param({"iat": 1}, Expired, id="6 too old"),
        pytest.param({"iat": 9_999_999_999}, NotYetValid, id="6 from the future"),
        pytest.param({"exp": 1}, Expired, id="expired, as older drafts have it"),
        pytest.param({"aud": "https://other.example"}, ClaimMismatch, id="7 another server"),
        pytest.param({"aud": [SERVER, "https://other.example"]}, ClaimMismatch, id="7 several servers"),
        pytest.param({"aud": SERVER + "/"}, ClaimMismatch, id="7 nearly us"),
        pytest.param({"iss": "https://other.example"}, ClaimMismatch, id="iss is another client"),
    ],
)
def test_a_proof_of_possession_with_a_defect_is_refused(
    attestation: VerifiedClientAttestation,
    pop: Callable[..., str],
    now: datetime,
    changes: dict[str, Any],
    error: type[ByoidError],
) -> None:
    with pytest.raises(error) as raised:
        verify_client_attestation_pop(
            pop(**changes), attestation=attestation, audience=SERVER, now=now, challenges={"c1"}
        )

    assert raised.type is error


def dpop_proof(key: PrivateKey, now: datetime, nonce: str | None = "c1") -> VerifiedDpopProof:
    return VerifiedDpopProof(key=key.public, jti="j1", issued_at=now, nonce=nonce)


def test_a_dpop_proof_with_the_attested_key_can_be_the_proof_of_possession(
    attestation: VerifiedClientAttestation, now: datetime
) -> None:
    require_dpop_combined(attestation, proof=dpop_proof(KEY, now), challenges={"c1"})
    require_dpop_combined(attestation, proof=dpop_proof(KEY, now, None))


@pytest.mark.hostile
def test_a_dpop_proof_with_another_key_or_challenge_is_no_proof_of_possession(
    attestation: VerifiedClientAttestation, now: datetime
) -> None:
    with pytest.raises(HolderBindingError):
        require_dpop_combined(attestation, proof=dpop_proof(OTHER, now))
    with pytest.raises(UseAttestationChallenge):
        require_dpop_combined(attestation, proof=dpop_proof(KEY, now, "old"), challenges={"c1"})


@pytest.mark.hostile
def test_a_challenge_response_needs_a_challenge() -> None:
    assert parse_message(ChallengeResponse, {"attestation_challenge": "c1"}).attestation_challenge == "c1"
    with pytest.raises(MalformedInput):
        parse_message(ChallengeResponse, {"attestation_challenge": ""})
