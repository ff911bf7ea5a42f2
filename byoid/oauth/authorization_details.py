"""Authorization details of type `openid_credential`: which credential a wallet wants, and which it may fetch.

RFC 9396 2, 5 and 7; OpenID4VCI 1.0 5.1.1 and 6.2. Unknown members never make such an object invalid.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BeforeValidator

from byoid.encoding import json_dumps, json_loads
from byoid.errors import MalformedInput
from byoid.message import Array, Message, NonEmptyArray, parse_message
from byoid.oauth.claims_description import ClaimsDescriptions
from byoid.wire_errors import InvalidAuthorizationDetails

TYPE: Final = "openid_credential"


class AuthorizationDetail(Message):
    """One credential that the wallet wants (OpenID4VCI 5.1.1)."""

    type: Literal["openid_credential"] = TYPE
    credential_configuration_id: str
    locations: NonEmptyArray[str] | None = None
    claims: ClaimsDescriptions | None = None


class GrantedAuthorizationDetail(AuthorizationDetail):
    """One credential that the access token reaches, with its datasets (OpenID4VCI 6.2)."""

    credential_identifiers: NonEmptyArray[str]


def _of_our_type(value: Any) -> Any:
    """Leave out objects of other types: what somebody else defined is ignored in a response."""
    if not isinstance(value, list):
        return value
    return [each for each in value if not isinstance(each, Mapping) or each.get("type") == TYPE] or None


GrantedAuthorizationDetails: TypeAlias = Annotated[
    Array[GrantedAuthorizationDetail] | None, BeforeValidator(_of_our_type)
]


def parse_authorization_details(text: str) -> tuple[AuthorizationDetail, ...]:
    """Parse the request parameter, as the authorization server.

    Raises:
        InvalidAuthorizationDetails: not a non-empty JSON array of `openid_credential` objects (RFC 9396 5).
    """
    try:
        details = json_loads(text, max_bytes=64 << 10)
        if not isinstance(details, list) or not details:
            raise MalformedInput("expected a non-empty array")
        return tuple(parse_message(AuthorizationDetail, _object(each)) for each in details)
    except MalformedInput as error:
        raise InvalidAuthorizationDetails(
            "authorization_details is not an array of valid openid_credential objects", detail=str(error)
        ) from error


def authorization_details_parameter(details: Sequence[AuthorizationDetail]) -> str:
    """Return the value of the request parameter."""
    return json_dumps([detail.to_wire() for detail in details]).decode()


def require_location(details: Sequence[AuthorizationDetail], *, credential_issuer: str) -> None:
    """Demand that each object names the credential issuer, as it must where metadata lists authorization servers.

    Raises:
        InvalidAuthorizationDetails: one does not (OpenID4VCI 5.1.1).
    """
    for detail in details:
        if credential_issuer not in (detail.locations or ()):
            raise InvalidAuthorizationDetails("locations must hold the credential issuer identifier")


def _object(value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise MalformedInput("expected an object")
    return value
