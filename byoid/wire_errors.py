"""The errors that leave a protocol endpoint, one class per code, grouped by the spec that defines it.

RFC 6749 5.2 and 4.1.2.1, RFC 9396, RFC 9101 with RFC 9126, RFC 6750, RFC 9449, attestation-based client authentication,
OpenID4VCI 8.3.1.2, 9.3 and 11.3, OpenID4VP 8.5. Verification in the library raises `VerificationError`; the operation
that knows the protocol step translates it to one of these. How they are rendered is `byoid.service.errors`.
"""

from collections.abc import Mapping
from typing import ClassVar

from byoid.errors import OAuthError


def ascii_text(text: str) -> str:
    """Return a text as an error description may have it (RFC 6749 5.2, OpenID4VCI 8.3.1.2)."""
    return text.encode("ascii", "xmlcharrefreplace").decode().replace('"', "'").replace("\\", "/")


# --- RFC 6749: the token endpoint (5.2) and the authorization endpoint (4.1.2.1) ---


class InvalidRequest(OAuthError):
    """A parameter is missing, repeated, malformed or not allowed here."""

    code = "invalid_request"


class InvalidClient(OAuthError):
    """The client is unknown or did not authenticate."""

    code = "invalid_client"
    status = 401


class InvalidGrant(OAuthError):
    """The code, pre-authorized code, transaction code, refresh token or PKCE verifier is wrong, used or expired."""

    code = "invalid_grant"


class UnauthorizedClient(OAuthError):
    """The client may not use this grant or response type."""

    code = "unauthorized_client"


class UnsupportedGrantType(OAuthError):
    """The authorization server does not offer this grant type."""

    code = "unsupported_grant_type"


class InvalidScope(OAuthError):
    """The scope is unknown, malformed or more than was granted."""

    code = "invalid_scope"


class AccessDenied(OAuthError):
    """The person or the server said no. OpenID4VP: no credential satisfies the query, or the person declined."""

    code = "access_denied"


class UnsupportedResponseType(OAuthError):
    """The authorization server does not offer this response type."""

    code = "unsupported_response_type"


class ServerError(OAuthError):
    """Our own fault."""

    code = "server_error"
    status = 500


class TemporarilyUnavailable(OAuthError):
    """Overload or maintenance; the same request may succeed later."""

    code = "temporarily_unavailable"
    status = 503


# --- RFC 9396, RFC 9101 and RFC 9126 ---


class InvalidAuthorizationDetails(OAuthError):
    """An `authorization_details` object is of an unknown type, incomplete or not allowed (RFC 9396 5)."""

    code = "invalid_authorization_details"


class InvalidTarget(OAuthError):
    """A `resource` is not one that this authorization server gives access to (RFC 8707 2)."""

    code = "invalid_target"


class InvalidRequestUri(OAuthError):
    """The `request_uri` is unknown, expired, used, or was pushed by another client (RFC 9101 7, RFC 9126)."""

    code = "invalid_request_uri"


class InvalidRequestObject(OAuthError):
    """The request object does not verify or holds invalid parameters (RFC 9101 7)."""

    code = "invalid_request_object"


class RequestNotSupported(OAuthError):
    """The server does not take the `request` parameter (OpenID Connect Core 3.1.2.6, RFC 9101 7)."""

    code = "request_not_supported"


class RequestUriNotSupported(OAuthError):
    """The server does not take a `request_uri` that it did not make itself."""

    code = "request_uri_not_supported"


# --- RFC 6750: protected resources ---


class ResourceError(OAuthError):
    """An error of a protected resource: its code is in `WWW-Authenticate` too (RFC 6750 3, RFC 9449 7.1)."""

    status = 401
    scheme: ClassVar[str] = "DPoP"

    def __init__(
        self, description: str, *, detail: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        challenge = f'{self.scheme} error="{self.code}", error_description="{description}", algs="ES256"'
        super().__init__(description, detail=detail, headers={"WWW-Authenticate": challenge, **(headers or {})})


class MissingToken(ResourceError):
    """No access token came: the challenge names no error (RFC 6750 3.1)."""

    code = "invalid_token"

    def __init__(
        self, description: str, *, detail: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        challenge = {"WWW-Authenticate": f'{self.scheme} algs="ES256"'}
        super().__init__(description, detail=detail, headers={**challenge, **(headers or {})})


class InvalidToken(ResourceError):
    """The access token is unknown, expired, revoked or bound to another key."""

    code = "invalid_token"


class InsufficientScope(ResourceError):
    """The access token does not reach this far."""

    code = "insufficient_scope"
    status = 403


# --- RFC 9449: DPoP ---


class InvalidDpopProof(OAuthError):
    """The DPoP proof is missing or wrong, at the authorization server (RFC 9449 5)."""

    code = "invalid_dpop_proof"


class UseDpopNonce(OAuthError):
    """The DPoP proof needs the nonce in this answer's `DPoP-Nonce` header (RFC 9449 8). The sender adds that header."""

    code = "use_dpop_nonce"


class InvalidResourceDpopProof(ResourceError):
    """The DPoP proof is missing or wrong, at a protected resource (RFC 9449 7.1)."""

    code = "invalid_dpop_proof"


class UseResourceDpopNonce(ResourceError):
    """The DPoP proof needs the nonce in this answer's `DPoP-Nonce` header, at a protected resource (RFC 9449 9)."""

    code = "use_dpop_nonce"


# --- Attestation-based client authentication ---


class InvalidClientAttestation(OAuthError):
    """The client attestation or its proof of possession does not verify; 400, as RFC 6749 5.2 leaves it."""

    code = "invalid_client_attestation"


class UseAttestationChallenge(OAuthError):
    """The proof of possession needs the challenge in this answer's `OAuth-Client-Attestation-Challenge` header."""

    code = "use_attestation_challenge"


class UseFreshAttestation(OAuthError):
    """The attestation verifies but is too old for this server; the wallet should get a new one from its provider."""

    code = "use_fresh_attestation"


# --- OpenID4VCI 8.3.1.2, 9.3, 11.3 ---


class InvalidCredentialRequest(OAuthError):
    """The credential request lacks a parameter, repeats one, or is malformed."""

    code = "invalid_credential_request"


class UnknownCredentialConfiguration(OAuthError):
    """The credential configuration is unknown."""

    code = "unknown_credential_configuration"


class UnknownCredentialIdentifier(OAuthError):
    """The credential identifier is unknown."""

    code = "unknown_credential_identifier"


class InvalidProof(OAuthError):
    """`proofs` is missing, one proof is invalid, or one lacks a `c_nonce`."""

    code = "invalid_proof"


class InvalidNonce(OAuthError):
    """A proof has a `c_nonce` that is unknown, expired or used; the wallet should fetch another."""

    code = "invalid_nonce"


class InvalidEncryptionParameters(OAuthError):
    """The encryption parameters of the request are invalid, or missing though encryption is required."""

    code = "invalid_encryption_parameters"


class CredentialRequestDenied(OAuthError):
    """The issuer will not issue this credential; asking again cannot help."""

    code = "credential_request_denied"


class InvalidTransactionId(OAuthError):
    """The deferred transaction is not ours, or its credential was already fetched."""

    code = "invalid_transaction_id"


class InvalidNotificationId(OAuthError):
    """The notification id is not ours."""

    code = "invalid_notification_id"


class InvalidNotificationRequest(OAuthError):
    """The notification request lacks a parameter or is malformed."""

    code = "invalid_notification_request"


# --- OpenID4VP 8.5 (beside invalid_request, invalid_client, invalid_scope and access_denied) ---


class VpFormatsNotSupported(OAuthError):
    """The wallet supports none of the formats that the verifier takes."""

    code = "vp_formats_not_supported"


class InvalidRequestUriMethod(OAuthError):
    """`request_uri_method` is neither `get` nor `post`, case-sensitive."""

    code = "invalid_request_uri_method"


class InvalidTransactionData(OAuthError):
    """Transaction data of an unknown type, malformed, or for credentials that are not asked for."""

    code = "invalid_transaction_data"


class WalletUnavailable(OAuthError):
    """The wallet exists but cannot answer now."""

    code = "wallet_unavailable"
