from collections.abc import Callable
from typing import Any

import pytest

from byoid.errors import BadSignature, ByoidError, MalformedInput, PeerError, WrongType
from byoid.issuance.credential import (
    CredentialRequest,
    CredentialResponse,
    CredentialResponseEncryption,
    IssuedCredential,
    parse_credential_request,
)
from byoid.issuance.encryption import (
    decrypt_request,
    decrypt_response,
    encrypt_request,
    encrypt_response,
    require_encryption,
    select_encryption_key,
)
from byoid.issuance.metadata import CredentialIssuerMetadata, CredentialRequestEncryption
from byoid.jose import encrypt, parse_jwe
from byoid.keys import PrivateKey
from byoid.message import parse_message
from byoid.wire_errors import InvalidEncryptionParameters

WALLET_KEY = PrivateKey.generate()
WALLET_JWK = {**WALLET_KEY.public.jwk, "kid": "w1", "alg": "ECDH-ES", "use": "enc"}
WANTED = CredentialResponseEncryption(jwk=WALLET_JWK, enc="A256GCM")
RESPONSE = CredentialResponse(credentials=(IssuedCredential(credential="secret"),))
PLAIN = CredentialRequest(credential_configuration_id="pid")
ASKING = CredentialRequest(credential_configuration_id="pid", credential_response_encryption=WANTED)


@pytest.fixture
def metadata(metadata_members: dict[str, Any]) -> CredentialIssuerMetadata:
    return parse_message(CredentialIssuerMetadata, metadata_members)


@pytest.fixture
def support(metadata: CredentialIssuerMetadata) -> CredentialRequestEncryption:
    assert metadata.credential_request_encryption is not None
    return metadata.credential_request_encryption


def test_what_the_wallet_encrypts_the_issuer_opens(
    support: CredentialRequestEncryption, issuer_encryption_key: PrivateKey
) -> None:
    jwe = encrypt_request(ASKING, support=support)
    header = parse_jwe(jwe).header

    assert (header["alg"], header["enc"], header["kid"], header["zip"]) == ("ECDH-ES", "A256GCM", "e1", "DEF")
    assert parse_credential_request(decrypt_request(jwe, keys={"e1": issuer_encryption_key}, support=support)) == ASKING


def test_without_zip_values_nothing_is_compressed(
    support: CredentialRequestEncryption, issuer_encryption_key: PrivateKey
) -> None:
    plain = support.model_copy(update={"zip_values_supported": None, "enc_values_supported": ("A128GCM",)})
    jwe = encrypt_request(PLAIN, support=plain)

    assert "zip" not in parse_jwe(jwe).header
    assert parse_jwe(jwe).header["enc"] == "A128GCM"
    assert decrypt_request(jwe, keys={"e1": issuer_encryption_key}, support=plain)


@pytest.mark.parametrize("zipped", [None, "DEF"])
def test_what_the_issuer_encrypts_the_wallet_opens(zipped: str | None) -> None:
    wanted = WANTED.model_copy(update={"zip": zipped})
    jwe = encrypt_response(RESPONSE, encryption=wanted)
    header = parse_jwe(jwe).header

    assert (header["kid"], header.get("zip")) == ("w1", zipped)
    assert decrypt_response(jwe, key=WALLET_KEY, encryption=wanted) == RESPONSE


def test_a_key_without_kid_is_no_obstacle_for_a_response() -> None:
    wanted = WANTED.model_copy(update={"jwk": {**WALLET_KEY.public.jwk, "alg": "ECDH-ES"}})

    assert decrypt_response(encrypt_response(RESPONSE, encryption=wanted), key=WALLET_KEY, encryption=wanted)


@pytest.mark.hostile
def test_an_issuer_that_we_cannot_encrypt_to_is_told_apart(support: CredentialRequestEncryption) -> None:
    def with_key(**changes: Any) -> CredentialRequestEncryption:
        members = support.to_wire()
        members["jwks"]["keys"][0] |= changes
        return parse_message(CredentialRequestEncryption, members)

    for changes in ({"alg": "RSA-OAEP-256"}, {"kty": "OKP"}, {"use": "sig"}):
        with pytest.raises(PeerError):
            select_encryption_key(with_key(**changes))
    with pytest.raises(PeerError):
        encrypt_request(PLAIN, support=support.model_copy(update={"enc_values_supported": ("A128CBC-HS256",)}))


Forge = Callable[[CredentialRequestEncryption], str]


@pytest.mark.hostile
@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(lambda s: "text", id="no JWE"),
        pytest.param(lambda s: encrypt(b"{}", {**s.jwks.keys[0], "kid": "e2"}, enc="A256GCM"), id="unknown kid"),
        pytest.param(
            lambda s: encrypt(b"{}", {n: v for n, v in s.jwks.keys[0].items() if n != "kid"}, enc="A256GCM"),
            id="no kid",
        ),
        pytest.param(lambda s: encrypt(b"{}", s.jwks.keys[0], enc="A192GCM"), id="enc not listed"),
        pytest.param(lambda s: encrypt(b"{}", {**WALLET_JWK, "kid": "e1"}, enc="A256GCM"), id="to another key"),
        pytest.param(
            lambda s: encrypt(b"{" + b" " * (2 << 20) + b"}", s.jwks.keys[0], enc="A256GCM", compress=True),
            id="inflates too far",
        ),
    ],
)
def test_a_request_that_is_not_encrypted_as_the_metadata_say_is_refused(
    support: CredentialRequestEncryption, issuer_encryption_key: PrivateKey, forge: Forge
) -> None:
    jwe = forge(support)

    with pytest.raises(InvalidEncryptionParameters):
        decrypt_request(jwe, keys={"e1": issuer_encryption_key}, support=support)


@pytest.mark.hostile
def test_compression_that_the_metadata_do_not_list_is_refused(
    support: CredentialRequestEncryption, issuer_encryption_key: PrivateKey
) -> None:
    jwe = encrypt_request(PLAIN, support=support)

    with pytest.raises(InvalidEncryptionParameters):
        decrypt_request(
            jwe,
            keys={"e1": issuer_encryption_key},
            support=support.model_copy(update={"zip_values_supported": None}),
        )


def required(metadata: CredentialIssuerMetadata, name: str, **changes: Any) -> CredentialIssuerMetadata:
    members = metadata.to_wire()
    members[name] |= changes
    return parse_message(CredentialIssuerMetadata, members)


def test_encryption_is_free_where_the_metadata_leave_it_free(metadata: CredentialIssuerMetadata) -> None:
    none_at_all = metadata.model_copy(
        update={"credential_request_encryption": None, "credential_response_encryption": None}
    )

    require_encryption(PLAIN, encrypted=False, metadata=none_at_all)
    require_encryption(PLAIN, encrypted=False, metadata=metadata)
    require_encryption(PLAIN, encrypted=True, metadata=metadata)
    require_encryption(ASKING, encrypted=True, metadata=metadata)


@pytest.mark.hostile
def test_encryption_is_demanded_where_the_metadata_demand_it(metadata: CredentialIssuerMetadata) -> None:
    requests = required(metadata, "credential_request_encryption", encryption_required=True)
    responses = required(metadata, "credential_response_encryption", encryption_required=True)

    with pytest.raises(InvalidEncryptionParameters):
        require_encryption(PLAIN, encrypted=False, metadata=requests)
    with pytest.raises(InvalidEncryptionParameters):
        require_encryption(PLAIN, encrypted=True, metadata=responses)
    with pytest.raises(InvalidEncryptionParameters):  # somebody on the way could have put in a key of their own
        require_encryption(ASKING, encrypted=False, metadata=metadata)
    with pytest.raises(InvalidEncryptionParameters):
        require_encryption(
            ASKING, encrypted=True, metadata=metadata.model_copy(update={"credential_response_encryption": None})
        )


@pytest.mark.hostile
@pytest.mark.parametrize(
    "changes",
    [
        {"enc": "A128GCM"},
        {"enc": "A128CBC-HS256"},
        {"zip": "GZIP"},
        {"jwk": {**WALLET_JWK, "alg": "ECDH-ES+A256KW"}},
        {"jwk": {name: value for name, value in WALLET_JWK.items() if name != "alg"}},
    ],
    ids=["enc not listed", "enc unknown", "zip not listed", "alg not listed", "no alg"],
)
def test_a_way_of_encryption_that_is_not_listed_is_refused(
    metadata: CredentialIssuerMetadata, changes: dict[str, Any]
) -> None:
    asking = ASKING.model_copy(update={"credential_response_encryption": WANTED.model_copy(update=changes)})

    with pytest.raises(InvalidEncryptionParameters):
        require_encryption(asking, encrypted=True, metadata=metadata)


@pytest.mark.hostile
@pytest.mark.parametrize(
    "jwk",
    [
        {**WALLET_JWK, "x": "AAAA"},
        {**WALLET_KEY.to_jwk(), "alg": "ECDH-ES"},
        {**WALLET_JWK, "use": "sig"},
        {"kty": "oct", "k": "AAAA", "alg": "ECDH-ES"},
    ],
    ids=["off the curve", "private", "for signatures", "symmetric"],
)
def test_a_key_that_cannot_be_encrypted_to_is_refused(jwk: dict[str, Any]) -> None:
    with pytest.raises(InvalidEncryptionParameters):
        encrypt_response(RESPONSE, encryption=WANTED.model_copy(update={"jwk": jwk}))


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("encryption", "error"),
    [
        (WANTED.model_copy(update={"enc": "A128GCM"}), WrongType),
        (WANTED.model_copy(update={"zip": "DEF"}), WrongType),
        (WANTED.model_copy(update={"jwk": {**WALLET_JWK, "kid": "w2"}}), WrongType),
        (
            WANTED.model_copy(update={"jwk": {**PrivateKey.generate().public.jwk, "alg": "ECDH-ES", "kid": "w1"}}),
            BadSignature,
        ),
    ],
    ids=["another enc", "compressed unasked", "another kid", "another key"],
)
def test_the_wallet_refuses_what_it_did_not_ask_for(
    encryption: CredentialResponseEncryption, error: type[ByoidError]
) -> None:
    with pytest.raises(error):
        decrypt_response(encrypt_response(RESPONSE, encryption=encryption), key=WALLET_KEY, encryption=WANTED)


@pytest.mark.hostile
@pytest.mark.parametrize("plaintext", [b"", b"[]", b'{"credentials":[]}'])
def test_an_encrypted_response_that_is_none_is_refused(plaintext: bytes) -> None:
    with pytest.raises(MalformedInput):
        decrypt_response(encrypt(plaintext, WALLET_JWK, enc="A256GCM"), key=WALLET_KEY, encryption=WANTED)
