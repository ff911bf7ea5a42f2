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
    MalformedInput,
    NotYetValid,
    UntrustedIssuer,
    WrongType,
)
from byoid.issuance.metadata import CredentialIssuerMetadata
from byoid.issuance.signed_metadata import TYP, prepare_signed_metadata, verify_signed_metadata
from byoid.jose import parse_jws
from byoid.message import parse_message
from byoid.oauth.jwt import Trust, numeric_date
from byoid.signing import sign_now
from byoid.trust.anchors import Purpose, TrustAnchor, TrustAnchors

VECTORS = Path(__file__).parents[2] / "vectors" / "openid4vci"
ISSUER = "https://issuer.example/tenant"


def test_what_the_issuer_signs_the_wallet_verifies(
    metadata_members: dict[str, Any], metadata_signer: Any, now: datetime
) -> None:
    metadata = parse_message(CredentialIssuerMetadata, metadata_members)
    unsigned = prepare_signed_metadata(
        metadata, issued_at=now, expires_at=now + timedelta(days=1), algorithm="ES256", x5c=metadata_signer.x5c
    )
    jwt = sign_now(unsigned, metadata_signer.key)

    assert parse_jws(jwt).typ == "openidvci-issuer-metadata+jwt"
    assert verify_signed_metadata(jwt, credential_issuer=ISSUER, trust=metadata_signer.trust, now=now) == metadata
    with pytest.raises(Expired):
        verify_signed_metadata(jwt, credential_issuer=ISSUER, trust=metadata_signer.trust, now=now + timedelta(days=2))


def test_signed_metadata_need_no_expiry(metadata_members: dict[str, Any], metadata_signer: Any, now: datetime) -> None:
    metadata = parse_message(CredentialIssuerMetadata, metadata_members)
    unsigned = prepare_signed_metadata(metadata, issued_at=now, algorithm="ES256", x5c=metadata_signer.x5c)
    jwt = sign_now(unsigned, metadata_signer.key)

    assert "exp" not in parse_jws(jwt).claims()
    assert verify_signed_metadata(jwt, credential_issuer=ISSUER, trust=metadata_signer.trust, now=now) == metadata


def test_the_example_of_the_spec_is_verified_with_its_certificate_pinned() -> None:
    jwt = (VECTORS / "credential_issuer_metadata_sd_jwt_jwt.txt").read_text().replace("\n", "")
    certificate = x509.load_der_x509_certificate(parse_jws(jwt).x5c[0])
    anchor = TrustAnchor(certificate, frozenset({Purpose.ISSUER_METADATA}), "spec", pinned=True)

    metadata = verify_signed_metadata(
        jwt,
        credential_issuer="https://credential-issuer.example.com",
        trust=Trust(TrustAnchors([anchor])),
        now=datetime(2026, 1, 1, tzinfo=UTC),
    )

    assert metadata.credential_endpoint == "https://credential-issuer.example.com/credential"


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({"sub": None}, MalformedInput, id="no sub"),
        pytest.param({"iat": None}, MalformedInput, id="no iat"),
        pytest.param({"sub": "https://other.example"}, ClaimMismatch, id="about another issuer"),
        pytest.param({"credential_issuer": "https://other.example"}, ClaimMismatch, id="metadata of another issuer"),
        pytest.param({"exp": 1}, Expired, id="expired"),
        pytest.param({"iat": 9_999_999_999}, NotYetValid, id="from the future"),
        pytest.param({"credential_endpoint": None}, MalformedInput, id="broken metadata"),
        pytest.param({"typ": "JWT"}, WrongType, id="another typ"),
    ],
)
def test_signed_metadata_with_a_defect_are_refused(
    metadata_members: dict[str, Any],
    metadata_signer: Any,
    now: datetime,
    changes: dict[str, Any],
    error: type[ByoidError],
) -> None:
    typ = changes.get("typ", TYP)
    claims = {**metadata_members, "sub": ISSUER, "iat": numeric_date(now), **changes}
    jwt = metadata_signer.sign({name: value for name, value in claims.items() if value is not None}, typ)

    with pytest.raises(error) as raised:
        verify_signed_metadata(jwt, credential_issuer=ISSUER, trust=metadata_signer.trust, now=now)

    assert raised.type is error


@pytest.mark.hostile
def test_only_a_signer_trusted_for_metadata_counts(
    metadata_members: dict[str, Any], metadata_signer: Any, wallet_provider: Any, now: datetime
) -> None:
    claims = {**metadata_members, "sub": ISSUER, "iat": numeric_date(now)}
    trust = metadata_signer.trust

    with pytest.raises(UntrustedIssuer):
        verify_signed_metadata(wallet_provider.sign(claims, TYP), credential_issuer=ISSUER, trust=trust, now=now)
    with pytest.raises(UntrustedIssuer):  # right chain, wrong purpose
        verify_signed_metadata(
            wallet_provider.sign(claims, TYP), credential_issuer=ISSUER, trust=wallet_provider.trust, now=now
        )
    head, payload, _ = metadata_signer.sign(claims, TYP).split(".")
    signature = metadata_signer.sign({**claims, "iat": 1}, TYP).split(".")[2]
    with pytest.raises(BadSignature):
        verify_signed_metadata(f"{head}.{payload}.{signature}", credential_issuer=ISSUER, trust=trust, now=now)
