"""The deferred credential endpoint: ask again for what was promised (OpenID4VCI 1.0 9).

The answer is a `CredentialResponse`. This request's `credential_response_encryption` decides how it is encrypted, not
that of the first request.
"""

from typing import Annotated

from pydantic import Field

from byoid.errors import MalformedInput, PeerError
from byoid.issuance.credential import CredentialResponse, CredentialResponseEncryption, verify_credential_response
from byoid.message import Message, parse_message
from byoid.wire_errors import InvalidCredentialRequest


class DeferredCredentialRequest(Message):
    """Ask for the credentials of a transaction (9.1)."""

    transaction_id: Annotated[str, Field(min_length=1)]
    credential_response_encryption: CredentialResponseEncryption | None = None


def parse_deferred_credential_request(data: bytes | str) -> DeferredCredentialRequest:
    """Parse the JSON of a deferred credential request, as the issuer.

    Raises:
        InvalidCredentialRequest: malformed. That the transaction is unknown is `InvalidTransactionId` (9.3).
    """
    try:
        return parse_message(DeferredCredentialRequest, data)
    except MalformedInput as error:
        raise InvalidCredentialRequest("the deferred credential request is malformed", detail=str(error)) from error


def verify_deferred_credential_response(
    response: CredentialResponse, *, transaction_id: str, status: int, keys: int | None
) -> CredentialResponse:
    """Judge a deferred credential response, as the wallet (9.2).

    Raises:
        PeerError: the status does not fit, there are more credentials than keys, or the transaction is another.
    """
    if response.transaction_id is not None and response.transaction_id != transaction_id:
        raise PeerError("the deferred credential response is about another transaction")
    return verify_credential_response(response, status=status, keys=keys)
