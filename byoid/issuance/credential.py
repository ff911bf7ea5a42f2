"""The credential endpoint: the request and the response (OpenID4VCI 1.0 8).

The proofs inside are judged by `byoid.issuance.proofs`, encryption is `byoid.issuance.encryption`.
"""

from collections.abc import Collection, Mapping
from typing import Annotated, Any, Final, Self

from pydantic import Field, model_validator

from byoid.encoding import json_object
from byoid.errors import MalformedInput, OAuthError, PeerError
from byoid.issuance.proofs import Proofs
from byoid.message import Message, NonEmptyArray, parse_message
from byoid.wire_errors import (
    InvalidCredentialRequest,
    InvalidEncryptionParameters,
    InvalidProof,
    UnknownCredentialConfiguration,
    UnknownCredentialIdentifier,
)

ISSUED: Final = 200
DEFERRED: Final = 202


class CredentialResponseEncryption(Message):
    """The wallet's key, and how to encrypt to it (8.2). The key's own `alg` names the algorithm (10)."""

    jwk: dict[str, Any]
    enc: str
    zip: str | None = None


class CredentialRequest(Message):
    """A request for the credentials of one dataset, one for each key proved (8.2)."""

    credential_identifier: str | None = None
    credential_configuration_id: str | None = None
    proofs: Proofs | None = None
    credential_response_encryption: CredentialResponseEncryption | None = None

    @model_validator(mode="after")
    def _one_of_two_names(self) -> Self:
        if (self.credential_identifier is None) == (self.credential_configuration_id is None):
            raise ValueError("expected either credential_identifier or credential_configuration_id")
        return self


class IssuedCredential(Message):
    """One credential, in the encoding of its format: SD-JWT VC as it is, mdoc as base64url of IssuerSigned."""

    credential: Annotated[str, Field(min_length=1)] | dict[str, Any]


class CredentialResponse(Message):
    """Credentials (200), or the promise of them (202), also from the deferred credential endpoint (8.3, 9.2)."""

    credentials: NonEmptyArray[IssuedCredential] | None = None
    transaction_id: Annotated[str, Field(min_length=1)] | None = None
    interval: Annotated[int | float, Field(gt=0, allow_inf_nan=False)] | None = None
    notification_id: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _issued_or_deferred(self) -> Self:
        if (self.credentials is None) == (self.transaction_id is None):
            raise ValueError("expected either credentials or transaction_id")
        if (self.interval is None) != (self.transaction_id is None):
            raise ValueError("interval comes with transaction_id, and only with it")
        if self.notification_id is not None and self.credentials is None:
            raise ValueError("notification_id comes with credentials only")
        return self

    @property
    def status(self) -> int:
        """The HTTP status that goes with this response."""
        return ISSUED if self.credentials is not None else DEFERRED


def parse_credential_request(data: bytes | str) -> CredentialRequest:
    """Parse the JSON of a credential request, as the issuer.

    Raises:
        InvalidProof: the `proofs` are not of one known type (8.3.1.2).
        InvalidEncryptionParameters: `credential_response_encryption` lacks something.
        InvalidCredentialRequest: malformed otherwise.
    """
    try:
        members = json_object(data)
        _parse_member(members, "proofs", Proofs, InvalidProof)
        _parse_member(
            members, "credential_response_encryption", CredentialResponseEncryption, InvalidEncryptionParameters
        )
        return parse_message(CredentialRequest, members)
    except MalformedInput as error:
        raise InvalidCredentialRequest("the credential request is malformed", detail=str(error)) from error


def _parse_member(members: dict[str, Any], name: str, cls: type[Message], error: type[OAuthError]) -> None:
    """Put a member's message in its place, so that what is wrong in it has an error of its own."""
    value = members.get(name)
    if value is None:
        return
    try:
        members[name] = parse_message(cls, value if isinstance(value, Mapping) else {})
    except MalformedInput as cause:
        raise error(f"{name} is malformed or not supported", detail=str(cause)) from cause


def select_configuration_id(
    request: CredentialRequest, *, identifiers: Mapping[str, str], configuration_ids: Collection[str]
) -> str:
    """Return the credential configuration that the request is about, as far as its access token reaches (8.2).

    Args:
        request: as it came.
        identifiers: the `credential_identifiers` of the token response, each with its configuration; empty if it had
            none.
        configuration_ids: what the token reaches by `scope` or offer.

    Raises:
        InvalidCredentialRequest: named by configuration though the token response had identifiers.
        UnknownCredentialIdentifier: the identifier is not one of the token's.
        UnknownCredentialConfiguration: the configuration is not one of the token's.
    """
    if request.credential_identifier is not None:
        if request.credential_identifier not in identifiers:
            raise UnknownCredentialIdentifier("the access token does not reach this credential_identifier")
        return identifiers[request.credential_identifier]
    configuration_id = request.credential_configuration_id
    if configuration_id is None or configuration_id not in configuration_ids:
        raise UnknownCredentialConfiguration("the access token does not reach this credential configuration")
    if identifiers:
        raise InvalidCredentialRequest("credential_identifier must be used, as the token response had identifiers")
    return configuration_id


def verify_credential_response(response: CredentialResponse, *, status: int, keys: int | None) -> CredentialResponse:
    """Judge a credential response, as the wallet. The credentials inside are still to be verified.

    Args:
        response: as it came.
        status: of the HTTP response.
        keys: how many keys were offered; None where the credential is not bound to one.

    Raises:
        PeerError: the status does not fit, or there are more credentials than keys.
    """
    if status != response.status:
        raise PeerError("the credential response does not fit its status", status=status)
    if keys is not None and len(response.credentials or ()) > keys:
        raise PeerError(f"expected at most {keys} credentials, one for each key")
    return response
