"""The answer to a presentation request: its messages, and how it travels by `direct_post`, encrypted or not.

Spec: OpenID4VP 1.0 sections 8.1 (parameters), 8.2 (`direct_post`), 8.3 (encryption), 8.5 (errors), HAIP 1.0 section 5
(ECDH-ES on P-256, A128GCM and A256GCM). An encrypted response is not signed: only its presentations prove anything.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeAlias

from pydantic import Field, StringConstraints

from byoid.encoding import json_dumps, json_loads, json_object
from byoid.errors import ByoidError, ClaimMismatch, MalformedInput
from byoid.jose import KEY_AGREEMENT, Jwe, decrypt, encrypt, parse_jwe
from byoid.keys import Jwk, PrivateKey, PublicKey
from byoid.message import Message, parse_message
from byoid.presentation.dcql import Identifier, NonEmpty
from byoid.presentation.request import ClientMetadata, Jwks
from byoid.wire_errors import InvalidRequest

MAX_RESPONSE_BYTES: Final = 4 << 20
PREFERRED_ENC: Final = ("A256GCM", "A128GCM")  # HAIP 5: a wallet that has both takes A256GCM

VpToken: TypeAlias = Mapping[str, tuple[str | dict[str, Any], ...]]
"""Presentations by the id of the credential query that they answer. The shape is right, nothing is believed."""


class AuthorizationResponse(Message):
    """A response with presentations (8.1)."""

    vp_token: Annotated[dict[Identifier, NonEmpty[str | dict[str, Any]]], Field(min_length=1)]
    state: str | None = None


class ErrorResponse(Message):
    """A response that declines (8.5)."""

    error: Annotated[str, StringConstraints(pattern=r"^[\x20-\x21\x23-\x5b\x5d-\x7e]+$", max_length=256)]
    error_description: str | None = None
    state: str | None = None


class DirectPostAnswer(Message):
    """What the verifier's response endpoint answers (8.2)."""

    redirect_uri: str | None = None


Response: TypeAlias = AuthorizationResponse | ErrorResponse


@dataclass(frozen=True, slots=True)
class EncryptedResponse:
    """A response that is still encrypted; `kid` names the key, and so the request (8.3)."""

    jwe: Jwe
    kid: str


@dataclass(frozen=True)
class ResponseEncryption:
    """The key and algorithm that a wallet encrypts a response with."""

    key: Jwk
    enc: str

    @property
    def thumbprint(self) -> bytes:
        """The key's RFC 7638 thumbprint: an mdoc's device signs it, so that no one can re-encrypt unseen (B.2.6)."""
        return PublicKey.from_jwk(self.key).thumbprint


def choose_response_encryption(metadata: ClientMetadata) -> ResponseEncryption:
    """Choose a key of the verifier's metadata and an algorithm to encrypt a response with (8.3).

    Raises:
        InvalidRequest: none that byoid can use.
    """
    return ResponseEncryption(*choose_encryption(metadata.jwks, metadata.response_encs))


def choose_encryption(jwks: Jwks | None, encs: Collection[str]) -> tuple[Jwk, str]:
    """Return the first P-256 key for ECDH-ES that is not for another use, and the preferred algorithm.

    Raises:
        InvalidRequest: no such key, or no such algorithm.
    """
    enc = next((each for each in PREFERRED_ENC if each in encs), None)
    key = next((each for each in (jwks.keys if jwks else ()) if _is_usable(each)), None)
    if key is None or enc is None:
        raise InvalidRequest("no key for ECDH-ES on P-256 with A128GCM or A256GCM to encrypt to")
    return key, enc


def encrypt_response(response: Response, encryption: ResponseEncryption) -> str:
    """Encrypt a response; the key's `kid` goes into the header."""
    return encrypt(json_dumps(response.to_wire()), encryption.key, enc=encryption.enc)


def to_form(response: Response) -> dict[str, str]:
    """Return the form members of an unencrypted response for `direct_post`; objects are JSON texts there."""
    return {
        name: value if isinstance(value, str) else json_dumps(value).decode("utf-8")
        for name, value in response.to_wire().items()
    }


def parse_form(form: Mapping[str, str], *, encrypted: bool) -> Response | EncryptedResponse:
    """Read the form that came to the response endpoint.

    Args:
        form: the members, each at most once.
        encrypted: whether the request demanded encryption. Then presentations in the clear are refused; an error in
            the clear is allowed (8.3.1).

    Raises:
        MalformedInput: not a response, or not encrypted as demanded.
    """
    if "response" in form:
        if not encrypted:
            raise MalformedInput("expected a response that is not encrypted")
        return parse_encrypted_response(form["response"])
    if "error" in form:
        return parse_message(ErrorResponse, form)
    if encrypted:
        raise MalformedInput("expected an encrypted response")
    members: dict[str, Any] = dict(form)
    if "vp_token" in members:
        members["vp_token"] = json_loads(members["vp_token"], max_bytes=MAX_RESPONSE_BYTES)
    return parse_message(AuthorizationResponse, members)


def parse_encrypted_response(compact: str) -> EncryptedResponse:
    """Read who an encrypted response is for: its `kid`, not believed, finds the request whose key it is.

    Raises:
        MalformedInput: not a JWE, or without `kid`.
    """
    jwe = parse_jwe(compact)
    kid = jwe.header.get("kid")
    if not isinstance(kid, str):
        raise MalformedInput("expected kid in the header of the encrypted response")
    return EncryptedResponse(jwe, kid)


def decrypt_response(encrypted: EncryptedResponse, key: PrivateKey, *, kid: str, enc: Collection[str]) -> Response:
    """Open an encrypted response with the key that its request offered.

    Args:
        encrypted: the response.
        key: our key of this request.
        kid: the name under which the request offered it.
        enc: the algorithms that the request offered.

    Raises:
        ClaimMismatch: encrypted to another key.
        WrongType, BadSignature: another algorithm, or the content was tampered with.
        MalformedInput: not a response.
    """
    if encrypted.kid != kid:
        raise ClaimMismatch("the response is encrypted to another key than the one of this request")
    plaintext = decrypt(encrypted.jwe, key, enc=enc, max_plaintext=MAX_RESPONSE_BYTES).plaintext
    return parse_response(json_object(plaintext, max_bytes=MAX_RESPONSE_BYTES))


def parse_response(members: Mapping[str, object]) -> Response:
    """Read the members of a response, of which `error` decides which kind it is.

    Raises:
        MalformedInput: not a response.
    """
    if "error" in members:
        return parse_message(ErrorResponse, members)
    return parse_message(AuthorizationResponse, members)


def require_state(response: Response, state: str | None) -> None:
    """Demand that the response repeats the `state` of the request (5.3, 14.3.2).

    Raises:
        ClaimMismatch: another, or none.
    """
    if state is not None and response.state != state:
        raise ClaimMismatch("the response does not repeat the state of the request")


def _is_usable(jwk: Jwk) -> bool:
    if jwk.get("alg") != KEY_AGREEMENT or jwk.get("use", "enc") != "enc" or jwk.get("crv") != "P-256":
        return False
    try:
        PublicKey.from_jwk(jwk)
    except ByoidError:
        return False
    return True
