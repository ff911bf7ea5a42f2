"""Encryption of credential requests and responses on top of TLS (OpenID4VCI 1.0 10, 8.2, 9.1).

Errors at the issuer are `InvalidEncryptionParameters`, ready for the wire; error responses are never encrypted.
"""

from collections.abc import Mapping
from typing import Final

from byoid.encoding import json_dumps
from byoid.errors import ByoidError, MalformedInput, PeerError, WrongType
from byoid.issuance.credential import CredentialRequest, CredentialResponse, CredentialResponseEncryption
from byoid.issuance.deferred import DeferredCredentialRequest
from byoid.issuance.metadata import (
    CredentialIssuerMetadata,
    CredentialRequestEncryption,
    CredentialResponseEncryptionSupport,
)
from byoid.jose import CONTENT_ENCRYPTION, KEY_AGREEMENT, decrypt, encrypt, parse_jwe
from byoid.keys import Jwk, PrivateKey
from byoid.message import parse_message
from byoid.wire_errors import InvalidEncryptionParameters

MAX_REQUEST_BYTES: Final = 1 << 20


def select_encryption_key(support: CredentialRequestEncryption) -> Jwk:
    """Return the first of the issuer's keys that byoid can encrypt to (10).

    Raises:
        PeerError: there is none.
    """
    for jwk in support.jwks.keys:
        if jwk["alg"] == KEY_AGREEMENT and jwk.get("kty") == "EC" and jwk.get("use", "enc") == "enc":
            return jwk
    raise PeerError(f"the issuer has no key for {KEY_AGREEMENT}")


def encrypt_request(
    request: CredentialRequest | DeferredCredentialRequest, *, support: CredentialRequestEncryption
) -> str:
    """Encrypt a request to the issuer, compressed where it can inflate (8.2).

    Raises:
        PeerError: the issuer has no key or content encryption that byoid knows.
    """
    enc = next((enc for enc in reversed(CONTENT_ENCRYPTION) if enc in support.enc_values_supported), None)
    if enc is None:
        raise PeerError(f"the issuer supports none of {', '.join(CONTENT_ENCRYPTION)}")
    compress = "DEF" in (support.zip_values_supported or ())
    return encrypt(json_dumps(request.to_wire()), select_encryption_key(support), enc=enc, compress=compress)


def decrypt_request(jwe: str, *, keys: Mapping[str, PrivateKey], support: CredentialRequestEncryption) -> bytes:
    """Open an encrypted request, as the issuer, and return its JSON for `parse_credential_request` and its like.

    Args:
        jwe: the body of the request.
        keys: the private keys by the `kid` of the metadata.
        support: the member of the metadata.

    Raises:
        InvalidEncryptionParameters: not encrypted to one of the keys in one of the ways that the metadata list.
    """
    try:
        parsed = parse_jwe(jwe)
        key = keys.get(parsed.header.get("kid", ""))
        if key is None:
            raise WrongType("the JWE names no key of ours")
        _require_listed("zip", parsed.header.get("zip"), support.zip_values_supported)
        enc = CONTENT_ENCRYPTION.keys() & set(support.enc_values_supported)
        return decrypt(parsed, key, enc=enc, max_plaintext=MAX_REQUEST_BYTES).plaintext
    except ByoidError as error:
        raise InvalidEncryptionParameters(
            "the request is not encrypted as the metadata say", detail=str(error)
        ) from error


def require_encryption(
    request: CredentialRequest | DeferredCredentialRequest, *, encrypted: bool, metadata: CredentialIssuerMetadata
) -> None:
    """Demand encryption where the metadata do, and an encrypted request where there is a key for the response (8.2).

    Raises:
        InvalidEncryptionParameters: something that must be encrypted is not, or asks for what is not offered.
    """
    requests, responses = metadata.credential_request_encryption, metadata.credential_response_encryption
    wanted = request.credential_response_encryption
    if requests is not None and requests.encryption_required and not encrypted:
        raise InvalidEncryptionParameters("credential requests must be encrypted")
    if wanted is None:
        if responses is not None and responses.encryption_required:
            raise InvalidEncryptionParameters("credential responses must be encrypted, and no key was given")
        return
    if not encrypted:  # else somebody on the way could put in a key of their own
        raise InvalidEncryptionParameters("credential_response_encryption needs an encrypted request")
    if responses is None:
        raise InvalidEncryptionParameters("encrypted credential responses are not supported")
    _require_supported(wanted, responses)


def encrypt_response(response: CredentialResponse, *, encryption: CredentialResponseEncryption) -> str:
    """Encrypt a response to the key of this very request, whatever it says (8.3, 9.2).

    Raises:
        InvalidEncryptionParameters: the key cannot be used.
    """
    compress = encryption.zip is not None
    try:
        return encrypt(json_dumps(response.to_wire()), encryption.jwk, enc=encryption.enc, compress=compress)
    except ByoidError as error:
        raise InvalidEncryptionParameters("cannot encrypt to the key given", detail=str(error)) from error


def decrypt_response(jwe: str, *, key: PrivateKey, encryption: CredentialResponseEncryption) -> CredentialResponse:
    """Open an encrypted response, as the wallet that asked for this encryption.

    Raises:
        MalformedInput: not a JWE, or not a credential response.
        WrongType: another `alg`, `enc`, `zip` or `kid` than asked for.
        BadSignature: encrypted to another key, or tampered with.
    """
    parsed = parse_jwe(jwe)
    if parsed.header.get("kid") != encryption.jwk.get("kid"):
        raise WrongType("the response is encrypted to another key than the one given")
    _require_listed("zip", parsed.header.get("zip"), (encryption.zip,))
    return parse_message(CredentialResponse, decrypt(parsed, key, enc=(encryption.enc,)).plaintext)


def _require_supported(wanted: CredentialResponseEncryption, support: CredentialResponseEncryptionSupport) -> None:
    try:
        alg = wanted.jwk.get("alg")
        if not isinstance(alg, str):
            raise MalformedInput("the key needs an alg")
        _require_listed("alg", alg, support.alg_values_supported)
        _require_listed("enc", wanted.enc, support.enc_values_supported)
        _require_listed("zip", wanted.zip, support.zip_values_supported)
    except ByoidError as error:
        raise InvalidEncryptionParameters("the response cannot be encrypted in this way", detail=str(error)) from error


def _require_listed(name: str, value: object, listed: tuple[str | None, ...] | None) -> None:
    if value is not None and value not in (listed or ()):
        raise WrongType(f"expected {name} to be one of those listed")
