"""Verifier attestations: OpenID4VP 1.0 sections 5.9.3 and 12."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from byoid.errors import (
    BadSignature,
    ByoidError,
    ClaimMismatch,
    Expired,
    MalformedInput,
    UntrustedIssuer,
    WrongType,
)
from byoid.jose import parse_jws, prepare_jws
from byoid.keys import PrivateKey
from byoid.presentation.client_id import VerifierTrust
from byoid.presentation.verifier_attestation import VerifierAttestation, prepare_verifier_attestation
from byoid.signing import sign_now
from byoid.wire_errors import (
    InvalidRequest,
)
from tests.byoid.presentation.world import (
    NOW,
    RESPONSE_URI,
    World,
    authorization_request,
)
from tests.byoid.presentation.world import (
    make_request_object as make,
)
from tests.byoid.presentation.world import (
    verify_object as verify,
)

ATTESTER = PrivateKey.generate()


@pytest.mark.parametrize("redirect_uris", [None, [RESPONSE_URI]])
def test_verifier_attestation(world: World, redirect_uris: list[str] | None) -> None:
    client_id = "verifier_attestation:verifier.example"
    request = make(
        world,
        authorization_request(client_id=client_id),
        x5c=(),
        attestation=attestation(world, redirect_uris=redirect_uris),
    )
    client = verify(world, request, client_id=client_id, trust=attested(world)).client

    uris = frozenset(redirect_uris) if redirect_uris else None
    assert client.attestation == VerifierAttestation(
        "https://attester.example", "verifier.example", world.verifier.public, uris
    )
    assert (client.name, client.signed) == ("verifier.example", True)


def test_an_attestation_says_when_it_was_issued_and_until_when_it_counts(world: World) -> None:
    claims = parse_jws(attestation(world)).claims()
    assert (claims["iat"], claims["exp"]) == (int(NOW.timestamp()), int((NOW + timedelta(days=1)).timestamp()))


def attestation(world: World, *, signer: PrivateKey = ATTESTER, **changes: Any) -> str:
    arguments: dict[str, Any] = {
        "issuer": "https://attester.example",
        "client_id": "verifier.example",
        "key": world.verifier.public.jwk,
        "algorithm": "ES256",
        "issued_at": NOW,
        "expires_at": NOW + timedelta(days=1),
        **changes,
    }
    return sign_now(prepare_verifier_attestation(**arguments), signer)


def attested(world: World) -> VerifierTrust:
    return VerifierTrust(world.anchors, attestation_issuers={"https://attester.example": ATTESTER.public})


ATTESTATIONS: list[tuple[str, Callable[[World], str | None], type[ByoidError]]] = [
    ("none", lambda _: None, MalformedInput),
    ("untrusted issuer", lambda w: attestation(w, issuer="https://other.example"), UntrustedIssuer),
    ("another signer", lambda w: attestation(w, signer=PrivateKey.generate()), BadSignature),
    ("expired", lambda w: attestation(w, expires_at=NOW - timedelta(days=1)), Expired),
    ("for another client", lambda w: attestation(w, client_id="other"), ClaimMismatch),
    ("for another key", lambda w: attestation(w, key=PrivateKey.generate().public.jwk), BadSignature),
    ("for another redirect URI", lambda w: attestation(w, redirect_uris=["https://a.example"]), InvalidRequest),
    (
        "another typ",
        lambda w: sign_now(prepare_jws({"iss": "https://attester.example"}, algorithm="ES256", typ="JWT"), ATTESTER),
        WrongType,
    ),
    (
        "without exp",
        lambda w: raw_attestation({"sub": "verifier.example", "cnf": {"jwk": w.verifier.public.jwk}}),
        MalformedInput,
    ),
    ("without cnf", lambda w: raw_attestation({"sub": "verifier.example", "exp": 9e9}), MalformedInput),
    (
        "private key in cnf",
        lambda w: raw_attestation({"sub": "verifier.example", "exp": 9e9, "cnf": {"jwk": w.verifier.to_jwk()}}),
        MalformedInput,
    ),
    (
        "redirect_uris a text",
        lambda w: raw_attestation(
            {"sub": "verifier.example", "exp": 9e9, "cnf": {"jwk": w.verifier.public.jwk}, "redirect_uris": "x"}
        ),
        MalformedInput,
    ),
]


def raw_attestation(claims: dict[str, Any]) -> str:
    members = {"iss": "https://attester.example", **claims}
    return sign_now(prepare_jws(members, algorithm="ES256", typ="verifier-attestation+jwt"), ATTESTER)


@pytest.mark.hostile
@pytest.mark.parametrize(("attest", "error"), [pytest.param(*case[1:], id=case[0]) for case in ATTESTATIONS])
def test_a_verifier_attestation_that_breaks_a_rule_is_refused(
    world: World, attest: Callable[[World], str | None], error: type[ByoidError]
) -> None:
    client_id = "verifier_attestation:verifier.example"
    jwt = make(world, authorization_request(client_id=client_id), x5c=(), attestation=attest(world))
    with pytest.raises(error):
        verify(world, jwt, client_id=client_id, trust=attested(world))
