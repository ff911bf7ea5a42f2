from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from byoid.errors import (
    BadSignature,
    ByoidError,
    ClaimMismatch,
    Expired,
    HolderBindingError,
    MalformedInput,
    NotYetValid,
    UntrustedIssuer,
    WrongType,
)
from byoid.issuance.configuration import ProofType, SdJwtVcConfiguration
from byoid.issuance.credential import CredentialRequest
from byoid.issuance.proofs import TYP, ProofPolicy, Proofs, VerifiedKeyProof, prepare_key_proof, verify_proofs
from byoid.jose import x5c_header
from byoid.keys import PrivateKey
from byoid.message import parse_message
from byoid.oauth.jwt import numeric_date
from byoid.oauth.key_attestation import TYP as ATTESTATION_TYP
from byoid.signing import sign_now

ISSUER = "https://issuer.example/tenant"
CLIENT = "https://wallet.example"
KEYS = [PrivateKey.generate() for _ in range(4)]
KEY, OTHER = KEYS[0], PrivateKey.generate()

Make = Callable[..., str]


def configuration(
    *, levels: dict[str, Any] | None = None, algorithms: tuple[str, ...] = ("ES256",)
) -> SdJwtVcConfiguration:
    proof_type = parse_message(
        ProofType, {"proof_signing_alg_values_supported": algorithms, "key_attestations_required": levels}
    )
    return SdJwtVcConfiguration(
        vct="urn:eudi:pid:1",
        cryptographic_binding_methods_supported=("jwk",),
        proof_types_supported={"jwt": proof_type, "attestation": proof_type},
    )


@pytest.fixture
def proof(forge: Callable[..., str], now: datetime) -> Make:
    """An honest `jwt` proof, but for the changes; a claim that is None is left out."""

    def make(
        *, key: PrivateKey = KEY, typ: str | None = TYP, header: dict[str, Any] | None = None, **changes: Any
    ) -> str:
        claims = {"aud": ISSUER, "iat": numeric_date(now), "nonce": "n1", "iss": CLIENT, **changes}
        members = {"jwk": key.public.jwk} if header is None else header
        return forge({name: value for name, value in claims.items() if value is not None}, key=key, typ=typ, **members)

    return make


@pytest.fixture
def attestation(wallet_provider: Any, now: datetime) -> Make:
    """An honest key attestation of KEYS, but for the changes."""

    def make(*, by: Any = wallet_provider, **changes: Any) -> str:
        claims = {
            "iat": numeric_date(now),
            "exp": numeric_date(now + timedelta(days=1)),
            "attested_keys": [key.public.jwk for key in KEYS],
            "key_storage": ["iso_18045_high"],
            "user_authentication": ["iso_18045_high"],
            "nonce": "n1",
            **changes,
        }
        return by.sign({name: value for name, value in claims.items() if value is not None}, ATTESTATION_TYP)

    return make


@pytest.fixture
def verify(wallet_provider: Any, now: datetime) -> Callable[..., list[VerifiedKeyProof]]:
    def run(
        *,
        jwt: tuple[str, ...] | None = None,
        attestation: tuple[str, ...] | None = None,
        client_id: str | None = CLIENT,
        of: SdJwtVcConfiguration | None = None,
        **policy: Any,
    ) -> list[VerifiedKeyProof]:
        return verify_proofs(
            Proofs(jwt=jwt, attestation=attestation) if jwt or attestation else None,
            issuer=ISSUER,
            configuration=of or configuration(),
            client_id=client_id,
            policy=ProofPolicy(wallet_provider.trust, **{"max_keys": 4, **policy}),
            now=now,
        )

    return run


Verify = Callable[..., list[VerifiedKeyProof]]


def test_what_the_wallet_prepares_the_issuer_verifies(verify: Verify, now: datetime) -> None:
    jwts = tuple(
        sign_now(
            prepare_key_proof(key=key.public, algorithm="ES256", issuer=ISSUER, now=now, nonce="n1", client_id=CLIENT),
            key,
        )
        for key in KEYS
    )

    verified = verify(jwt=jwts)

    assert [each.key for each in verified] == [key.public for key in KEYS]
    assert {each.nonce for each in verified} == {"n1"}
    assert verified[0].attestation is None


def test_the_issuer_of_a_proof_may_be_left_out(verify: Verify, proof: Make) -> None:
    assert verify(jwt=(proof(iss=None),))
    assert verify(jwt=(proof(iss=None),), client_id=None)


def test_without_a_nonce_endpoint_no_nonce_is_needed(verify: Verify, proof: Make, attestation: Make) -> None:
    assert verify(jwt=(proof(nonce=None),), nonce_required=False)[0].nonce is None
    assert verify(attestation=(attestation(nonce=None),), nonce_required=False)[0].nonce is None


def test_a_proof_with_a_certificate_proves_the_certificates_key(
    verify: Verify, proof: Make, wallet_provider: Any
) -> None:
    jwt = proof(key=wallet_provider.key, header={"x5c": x5c_header(wallet_provider.x5c)})

    assert verify(jwt=(jwt,))[0].key == wallet_provider.key.public


@pytest.mark.hostile
def test_a_certificate_of_a_version_that_does_not_exist_is_malformed(
    verify: Verify, proof: Make, wallet_provider: Any
) -> None:
    version_5 = wallet_provider.x5c[0].replace(bytes.fromhex("a003020102"), bytes.fromhex("a003020104"), 1)
    jwt = proof(key=wallet_provider.key, header={"x5c": x5c_header([version_5])})

    with pytest.raises(MalformedInput):
        verify(jwt=(jwt,))


def test_an_attested_proof_gives_every_attested_key(
    verify: Verify, proof: Make, attestation: Make, now: datetime
) -> None:
    unsigned = prepare_key_proof(
        key=KEY.public, algorithm="ES256", issuer=ISSUER, now=now, nonce="n1", key_attestation=attestation()
    )

    verified = verify(jwt=(sign_now(unsigned, KEY),), of=configuration(levels={"key_storage": ["iso_18045_high"]}))

    assert [each.key for each in verified] == [key.public for key in KEYS]
    assert verified[0].attestation is not None
    assert verified[0].attestation.key_storage == ("iso_18045_high",)


def test_an_attestation_that_is_repeated_in_every_proof_counts_once(
    verify: Verify, proof: Make, attestation: Make
) -> None:
    header = attestation()
    jwts = tuple(proof(key=key, header={"jwk": key.public.jwk, "key_attestation": header}) for key in KEYS)

    assert [each.key for each in verify(jwt=jwts)] == [key.public for key in KEYS]


@pytest.mark.parametrize("kid", ["first", "0"])
def test_a_kid_names_an_attested_key_by_its_id_or_place(
    verify: Verify, proof: Make, attestation: Make, kid: str
) -> None:
    header = attestation(attested_keys=[{**KEY.public.jwk, "kid": "first"}, OTHER.public.jwk])

    assert verify(jwt=(proof(header={"kid": kid, "key_attestation": header}),))[0].key == KEY.public


def test_an_attestation_in_a_proof_may_lack_the_nonce_where_the_policy_follows_ts3(
    verify: Verify, proof: Make, attestation: Make
) -> None:
    header = {"jwk": KEY.public.jwk, "key_attestation": attestation(nonce=None)}

    assert verify(jwt=(proof(header=header),), attestation_nonce=False)
    with pytest.raises(HolderBindingError):
        verify(jwt=(proof(header=header),))


def test_an_attestation_alone_gives_every_key(verify: Verify, attestation: Make) -> None:
    verified = verify(attestation=(attestation(exp=None, nonce=None, c_nonce="n1"),))

    assert [each.key for each in verified] == [key.public for key in KEYS]
    assert {each.nonce for each in verified} == {"n1"}


def test_no_proofs_are_needed_where_credentials_are_not_bound(verify: Verify) -> None:
    assert verify(of=SdJwtVcConfiguration(vct="urn:x")) == []


@pytest.mark.hostile
def test_proofs_that_are_missing_or_not_asked_for_are_refused(verify: Verify, proof: Make, attestation: Make) -> None:
    with pytest.raises(MalformedInput):
        verify()
    with pytest.raises(WrongType):
        verify(jwt=(proof(),), of=SdJwtVcConfiguration(vct="urn:x"))
    jwt_only = configuration()
    assert jwt_only.proof_types_supported is not None
    del jwt_only.proof_types_supported["attestation"]
    with pytest.raises(WrongType):
        verify(attestation=(attestation(),), of=jwt_only)


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({"aud": None}, MalformedInput, id="no aud"),
        pytest.param({"iat": None}, MalformedInput, id="no iat"),
        pytest.param({"aud": [ISSUER]}, MalformedInput, id="aud as array"),
        pytest.param({"nonce": 1}, MalformedInput, id="nonce as number"),
        pytest.param({"typ": "JWT"}, WrongType, id="another typ"),
        pytest.param({"typ": None}, WrongType, id="no typ"),
        pytest.param({"typ": "dpop+jwt"}, WrongType, id="a DPoP proof"),
        pytest.param({"header": {}}, MalformedInput, id="no key named"),
        pytest.param({"header": {"jwk": KEY.public.jwk, "kid": "1"}}, MalformedInput, id="key named twice"),
        pytest.param({"header": {"jwk": KEY.to_jwk()}}, MalformedInput, id="private key in the header"),
        pytest.param({"header": {"jwk": "text"}}, MalformedInput, id="key that is no object"),
        pytest.param({"header": {"kid": "did:example:1#2"}}, MalformedInput, id="DID"),
        pytest.param({"header": {"x5c": []}}, MalformedInput, id="empty x5c"),
        pytest.param({"header": {"x5c": ["AAAA"]}}, MalformedInput, id="x5c that is no certificate"),
        pytest.param({"header": {"jwk": OTHER.public.jwk}}, BadSignature, id="signed with another key"),
        pytest.param({"aud": "https://issuer.example"}, ClaimMismatch, id="another issuer"),
        pytest.param({"iss": "https://evil.example"}, ClaimMismatch, id="another client"),
        pytest.param({"nonce": None}, HolderBindingError, id="no nonce"),
        pytest.param({"iat": 1}, Expired, id="too old"),
        pytest.param({"iat": 9_999_999_999}, NotYetValid, id="from the future"),
        pytest.param(
            {"header": {"jwk": KEY.public.jwk, "key_attestation": {}}}, MalformedInput, id="attestation no JWT"
        ),
        pytest.param(
            {"header": {"jwk": KEY.public.jwk, "key_attestation": "a.b"}}, MalformedInput, id="broken attestation"
        ),
    ],
)
def test_a_jwt_proof_with_a_defect_is_refused(
    verify: Verify, proof: Make, changes: dict[str, Any], error: type[ByoidError]
) -> None:
    with pytest.raises(error) as raised:
        verify(jwt=(proof(**changes),))

    assert raised.type is error


@pytest.mark.hostile
def test_a_proof_after_anonymous_access_names_no_client(verify: Verify, proof: Make) -> None:
    with pytest.raises(ClaimMismatch):
        verify(jwt=(proof(),), client_id=None)


@pytest.mark.hostile
def test_only_algorithms_of_the_metadata_are_accepted(verify: Verify, proof: Make, attestation: Make) -> None:
    key = PrivateKey.generate("P-384")

    assert verify(jwt=(proof(key=key),), of=configuration(algorithms=("ES256", "ES384")))
    with pytest.raises(WrongType):
        verify(jwt=(proof(key=key),))
    with pytest.raises(WrongType):
        verify(attestation=(attestation(),), of=configuration(algorithms=("ES384",)))
    with pytest.raises(WrongType):  # what metadata list and nobody should: never accepted
        verify(jwt=(proof(),), of=configuration(algorithms=("none", "HS256")))


@pytest.mark.hostile
def test_a_batch_has_different_keys_one_nonce_and_a_limit(verify: Verify, proof: Make) -> None:
    with pytest.raises(HolderBindingError, match="one key"):
        verify(jwt=(proof(), proof()))
    with pytest.raises(HolderBindingError, match="different nonces"):
        verify(jwt=(proof(), proof(key=KEYS[1], nonce="n2")))
    with pytest.raises(MalformedInput, match="at most 1 proofs"):
        verify(jwt=(proof(), proof(key=KEYS[1])), max_keys=1)


@pytest.mark.hostile
def test_attested_keys_count_towards_the_batch(verify: Verify, proof: Make, attestation: Make) -> None:
    mixed = (
        proof(header={"jwk": KEY.public.jwk, "key_attestation": attestation()}),
        proof(key=OTHER),
    )

    with pytest.raises(MalformedInput, match="at most 4 keys"):
        verify(jwt=mixed)
    with pytest.raises(MalformedInput, match="at most 3 attested keys"):
        verify(attestation=(attestation(),), max_keys=3)


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({"exp": None}, MalformedInput, id="no exp"),
        pytest.param({"exp": 1}, Expired, id="expired"),
        pytest.param({"nonce": "n2"}, HolderBindingError, id="another nonce than the proof"),
        pytest.param({"attested_keys": [OTHER.public.jwk]}, HolderBindingError, id="does not attest the proof's key"),
        pytest.param({"key_storage": ["iso_18045_basic"]}, ClaimMismatch, id="key storage too weak"),
        pytest.param({"key_storage": None}, ClaimMismatch, id="key storage not named"),
        pytest.param({"user_authentication": ["iso_18045_moderate"]}, ClaimMismatch, id="authentication too weak"),
    ],
)
def test_a_proof_with_a_bad_attestation_is_refused(
    verify: Verify, proof: Make, attestation: Make, changes: dict[str, Any], error: type[ByoidError]
) -> None:
    levels = {"key_storage": ["iso_18045_high"], "user_authentication": ["iso_18045_high"]}
    header = {"jwk": KEY.public.jwk, "key_attestation": attestation(**changes)}

    with pytest.raises(error) as raised:
        verify(jwt=(proof(header=header),), of=configuration(levels=levels))

    assert raised.type is error


@pytest.mark.hostile
def test_an_attestation_that_is_demanded_must_be_there(verify: Verify, proof: Make) -> None:
    with pytest.raises(MalformedInput, match="key_attestation"):
        verify(jwt=(proof(),), of=configuration(levels={}))


@pytest.mark.hostile
@pytest.mark.parametrize("kid", ["second", "4", "-1", "", "\u0660"])
def test_a_kid_that_names_no_attested_key_is_refused(verify: Verify, proof: Make, attestation: Make, kid: Any) -> None:
    with pytest.raises(HolderBindingError):
        verify(jwt=(proof(header={"kid": kid, "key_attestation": attestation()}),))


@pytest.mark.hostile
def test_an_attestation_proof_needs_a_trusted_provider_and_a_nonce(
    verify: Verify, attestation: Make, stranger: Any
) -> None:
    with pytest.raises(UntrustedIssuer):
        verify(attestation=(attestation(by=stranger),))
    with pytest.raises(HolderBindingError):
        verify(attestation=(attestation(nonce=None),))
    with pytest.raises(Expired):  # without a nonce only its date says that it is fresh
        verify(attestation=(attestation(nonce=None, iat=1),), nonce_required=False)


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({}, "exactly one type"),
        ({"jwt": ["a"], "attestation": ["b"]}, "exactly one type"),
        ({"jwt": ["a"], "other": ["b"]}, "exactly one type"),
        ({"di_vp": [{}]}, "di_vp are not supported"),
        ({"other": ["a"]}, "not supported"),
        ({"jwt": []}, "at least 1 item"),
        ({"jwt": "a"}, "array"),
        ({"jwt": [1]}, "string"),
        ({"attestation": ["a", "b"]}, "at most 1 item"),
    ],
)
def test_proofs_are_of_one_known_type(members: dict[str, Any], message: str) -> None:
    with pytest.raises(MalformedInput, match=message):
        parse_message(Proofs, members)


@pytest.mark.hostile
def test_proofs_are_an_object() -> None:
    with pytest.raises(MalformedInput, match="proofs"):
        parse_message(CredentialRequest, {"credential_configuration_id": "pid", "proofs": ["jwt"]})
