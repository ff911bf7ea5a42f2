"""Authorization server metadata (RFC 8414), with the members of PAR, DPoP, RFC 9207, ABCA and OpenID4VCI 12.3.

Unknown members are ignored. HAIP's demands are a separate function: a server may serve others too.
"""

from typing import Annotated, Any, Final

from pydantic import Field

from byoid.errors import ClaimMismatch, PeerError
from byoid.message import Array, Message
from byoid.oauth.token import AUTHORIZATION_CODE
from byoid.oauth.url import Identifier, Url, well_known_url

WELL_KNOWN: Final = "oauth-authorization-server"


class AuthorizationServerMetadata(Message):
    """What an authorization server can do (RFC 8414 2)."""

    issuer: Identifier
    authorization_endpoint: Url | None = None
    token_endpoint: Url | None = None
    jwks_uri: Url | None = None
    jwks: dict[str, Any] | None = None
    scopes_supported: Array[str] | None = None
    response_types_supported: Array[str] | None = None  # a server for pre-authorized codes only may omit it
    grant_types_supported: Array[str] | None = None
    token_endpoint_auth_methods_supported: Array[str] | None = None
    token_endpoint_auth_signing_alg_values_supported: Array[str] | None = None
    code_challenge_methods_supported: Array[str] | None = None
    pushed_authorization_request_endpoint: Url | None = None
    require_pushed_authorization_requests: bool = False
    authorization_response_iss_parameter_supported: bool = False
    authorization_details_types_supported: Array[str] | None = None
    dpop_signing_alg_values_supported: Array[str] | None = None
    client_attestation_signing_alg_values_supported: Array[str] | None = None
    client_attestation_pop_signing_alg_values_supported: Array[str] | None = None
    challenge_endpoint: Url | None = None
    pre_authorized_grant_anonymous_access_supported: Annotated[
        bool | None, Field(alias="pre-authorized_grant_anonymous_access_supported")
    ] = None
    status_list_aggregation_endpoint: Url | None = None
    tls_client_certificate_bound_access_tokens: bool | None = None

    @property
    def grant_types(self) -> tuple[str, ...]:
        """The grants, with RFC 8414's default where the server names none."""
        return self.grant_types_supported or (AUTHORIZATION_CODE, "implicit")


def metadata_url(issuer: str) -> str:
    """Return where the metadata of an authorization server is (RFC 8414 3.1).

    Raises:
        MalformedInput: `issuer` is no identifier.
    """
    return well_known_url(issuer, WELL_KNOWN)


def require_issuer(metadata: AuthorizationServerMetadata, *, issuer: str) -> AuthorizationServerMetadata:
    """Demand that the metadata are those of the server that was asked, compared character by character (RFC 8414 3.3).

    Raises:
        ClaimMismatch: they are another server's, and must not be used.
    """
    if metadata.issuer != issuer:
        raise ClaimMismatch(f"expected the metadata of {issuer}, got those of another issuer")
    return metadata


def require_haip(metadata: AuthorizationServerMetadata) -> AuthorizationServerMetadata:
    """Demand what HAIP 4 and FAPI 2.0 demand of an authorization server with an authorization endpoint.

    Raises:
        PeerError: PAR, S256, DPoP with ES256, `iss` in responses or a grant is missing.
    """
    demands = {
        "token_endpoint": metadata.token_endpoint is not None,
        "authorization_endpoint": metadata.authorization_endpoint is not None,
        "authorization_code in grant_types_supported": AUTHORIZATION_CODE in metadata.grant_types,
        "pushed_authorization_request_endpoint": metadata.pushed_authorization_request_endpoint is not None,
        "S256 in code_challenge_methods_supported": "S256" in (metadata.code_challenge_methods_supported or ()),
        "ES256 in dpop_signing_alg_values_supported": "ES256" in (metadata.dpop_signing_alg_values_supported or ()),
        "authorization_response_iss_parameter_supported": metadata.authorization_response_iss_parameter_supported,
    }
    missing = [name for name, met in demands.items() if not met]
    if missing:
        raise PeerError(f"HAIP needs {missing[0]} in the authorization server's metadata")
    return metadata
