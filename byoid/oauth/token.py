"""The token endpoint: requests for the three grants that OpenID4VCI uses, and the response.

RFC 6749 4.1.3, 5 and 6; OpenID4VCI 1.0 6; RFC 9396 6 and 7. Comparing codes is for the operations.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import Field, model_validator

from byoid.errors import MalformedInput, PeerError
from byoid.message import Array, Message, parse_message
from byoid.oauth.authorization_details import (
    AuthorizationDetail,
    GrantedAuthorizationDetails,
    parse_authorization_details,
)
from byoid.oauth.url import Url
from byoid.wire_errors import InvalidRequest, UnsupportedGrantType

AUTHORIZATION_CODE: Final = "authorization_code"
PRE_AUTHORIZED_CODE: Final = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
REFRESH_TOKEN: Final = "refresh_token"  # noqa: S105  # a grant type
_Value: TypeAlias = Annotated[str, Field(min_length=1)]


class _TokenRequest(Message):
    client_id: str | None = None
    scope: str | None = None
    authorization_details: Array[AuthorizationDetail] | None = None
    resource: Array[Url] | None = None
    client_assertion_type: str | None = None
    client_assertion: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _tx_code_belongs_to_the_pre_authorized_code(cls, members: Any) -> Any:
        if isinstance(members, Mapping) and members.get("tx_code") and "tx_code" not in cls.model_fields:
            raise ValueError("a tx_code comes with a pre-authorized code only")
        return members


class AuthorizationCodeTokenRequest(_TokenRequest):
    """Redeem an authorization code (RFC 6749 4.1.3, RFC 7636 4.5)."""

    grant_type: Literal["authorization_code"] = AUTHORIZATION_CODE
    code: _Value
    redirect_uri: _Value
    code_verifier: str | None = None


class PreAuthorizedCodeTokenRequest(_TokenRequest):
    """Redeem a pre-authorized code (OpenID4VCI 6.1). An empty `tx_code`, as some wallets send, counts as none."""

    grant_type: Literal["urn:ietf:params:oauth:grant-type:pre-authorized_code"] = PRE_AUTHORIZED_CODE
    pre_authorized_code: Annotated[str, Field(alias="pre-authorized_code", min_length=1)]
    tx_code: str | None = None


class RefreshTokenRequest(_TokenRequest):
    """Get another access token (RFC 6749 6)."""

    grant_type: Literal["refresh_token"] = REFRESH_TOKEN
    refresh_token: _Value


TokenRequest: TypeAlias = AuthorizationCodeTokenRequest | PreAuthorizedCodeTokenRequest | RefreshTokenRequest
_REQUESTS: Final[Mapping[str, type[TokenRequest]]] = {
    AUTHORIZATION_CODE: AuthorizationCodeTokenRequest,
    PRE_AUTHORIZED_CODE: PreAuthorizedCodeTokenRequest,
    REFRESH_TOKEN: RefreshTokenRequest,
}


class TokenResponse(Message):
    """An access token and what it reaches (RFC 6749 5.1, OpenID4VCI 6.2)."""

    access_token: _Value
    token_type: _Value
    expires_in: Annotated[int, Field(gt=0)] | None = None
    refresh_token: str | None = None
    scope: str | None = None
    authorization_details: GrantedAuthorizationDetails = None

    @property
    def credential_identifiers(self) -> dict[str, str]:
        """The datasets that may be fetched, each with its credential configuration."""
        return {
            identifier: detail.credential_configuration_id
            for detail in self.authorization_details or ()
            for identifier in detail.credential_identifiers
        }


def parse_token_request(parameters: Mapping[str, str | list[str]]) -> TokenRequest:
    """Parse the form parameters of a token request, as the authorization server.

    Raises:
        UnsupportedGrantType: another grant than the three.
        InvalidAuthorizationDetails: `authorization_details` is malformed or of an unknown type.
        InvalidRequest: malformed otherwise.
    """
    grant_type = parameters.get("grant_type")
    if not isinstance(grant_type, str):
        raise InvalidRequest("the grant_type is missing")
    request = _REQUESTS.get(grant_type)
    if request is None:
        raise UnsupportedGrantType("this grant_type is not supported")
    members: dict[str, object] = dict(parameters)
    details = parameters.get("authorization_details")
    if isinstance(details, str):
        members["authorization_details"] = parse_authorization_details(details)
    try:
        return parse_message(request, members)
    except MalformedInput as error:
        raise InvalidRequest("the token request is malformed", detail=str(error)) from error


def require_tx_code(request: PreAuthorizedCodeTokenRequest, *, expected: bool) -> None:
    """Demand a transaction code exactly where the offer announced one (OpenID4VCI 6.3).

    Raises:
        InvalidRequest: it is missing, or came though none was announced. A wrong code is `InvalidGrant`.
    """
    if expected and not request.tx_code:
        raise InvalidRequest("a tx_code is needed")
    if not expected and request.tx_code:
        raise InvalidRequest("no tx_code is expected")


def verify_token_response(
    response: TokenResponse, *, token_type: str, details_requested: bool = False
) -> TokenResponse:
    """Judge a token response, as the wallet.

    Args:
        response: as it came.
        token_type: what was asked for; `DPoP` where the request had a proof (RFC 9449 5).
        details_requested: the authorization or token request used `authorization_details`.

    Raises:
        PeerError: another token type (a downgrade to `Bearer` among them), or identifiers are missing.
    """
    if response.token_type.lower() != token_type.lower():
        raise PeerError(f"expected an access token of type {token_type}, got another")
    if details_requested and not response.authorization_details:
        raise PeerError("expected authorization_details in the token response, since they were requested")
    return response
