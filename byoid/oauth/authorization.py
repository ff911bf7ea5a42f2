"""The authorization request, pushed and by redirect, and its response.

RFC 6749 4.1, RFC 9126 (PAR), RFC 9207 (`iss`), RFC 7636 (PKCE), RFC 8707 (`resource`), RFC 9449 10 (`dpop_jkt`),
OpenID4VCI 1.0 5, FAPI 2.0 5.3.2.2. Whether the client may use a `redirect_uri`, and whether a `request_uri` is known,
is for the operations.
"""

from collections.abc import Mapping
from hmac import compare_digest
from typing import Annotated, Final, Literal
from urllib.parse import urlencode, urlsplit

from pydantic import AfterValidator, Field

from byoid.errors import ClaimMismatch, MalformedInput, PeerError
from byoid.message import Array, Message, parse_message
from byoid.oauth.authorization_details import AuthorizationDetail, parse_authorization_details
from byoid.oauth.pkce import CodeChallenge
from byoid.oauth.url import Url
from byoid.wire_errors import InvalidRequest, RequestNotSupported, UnsupportedResponseType

REQUEST_URI_PREFIX: Final = "urn:ietf:params:oauth:request_uri:"
_REFUSED_SCHEMES: Final = frozenset({
    "", "javascript", "data", "file", "vbscript", "about", "blob", "ftp", "ws", "wss", "mailto", "tel", "sms", "intent",
})  # fmt: skip
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


def require_redirect_uri(uri: str) -> str:
    """Return `uri` if a response with a code may go there: https, an application's own scheme, or http on this machine.

    RFC 6749 3.1.2: absolute, without fragment. FAPI 2.0 5.3.2.2, RFC 8252 7.3: http for loopback only. RFC 8252 7.1: a
    scheme of an application; none that runs, reads or sends something.

    Raises:
        ValueError: it is not of that kind.
    """
    parts = urlsplit(uri)
    if parts.scheme in _REFUSED_SCHEMES or "#" in uri or not uri.isascii() or not uri.isprintable():
        raise ValueError("expected an absolute URI without fragment")
    if parts.scheme in {"https", "http"} and (not parts.hostname or "@" in parts.netloc):
        raise ValueError("expected a host, and no user")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ValueError("expected https; http is only for the wallet's own machine")
    return uri


class AuthorizationRequest(Message):
    """What a wallet asks the authorization server; HAIP and FAPI 2.0 let it be pushed only."""

    response_type: Literal["code"] = "code"
    client_id: Annotated[str, Field(min_length=1)]
    redirect_uri: Annotated[str, AfterValidator(require_redirect_uri)]
    code_challenge: CodeChallenge
    code_challenge_method: Literal["S256"] = "S256"
    state: str | None = None
    scope: str | None = None
    authorization_details: Array[AuthorizationDetail] | None = None
    issuer_state: str | None = None
    resource: Array[Url] | None = None
    dpop_jkt: CodeChallenge | None = None  # RFC 9449 10: a thumbprint has the same form

    @property
    def scopes(self) -> tuple[str, ...]:
        """The single scope values; unknown ones must be ignored (OpenID4VCI 5.1.2)."""
        return tuple((self.scope or "").split())


class PushedAuthorizationResponse(Message):
    """The answer of the PAR endpoint: 201, with `Cache-Control: no-store` (RFC 9126 2.2)."""

    request_uri: Annotated[str, Field(min_length=1)]
    expires_in: Annotated[int, Field(gt=0)]


class AuthorizationResponse(Message):
    """The parameters that come back with the browser, good or bad (RFC 6749 4.1.2, RFC 9207 2)."""

    code: str | None = None
    state: str | None = None
    iss: str | None = None
    error: str | None = None
    error_description: str | None = None


def parse_authorization_request(parameters: Mapping[str, str | list[str]]) -> AuthorizationRequest:
    """Parse the form parameters of a pushed or direct authorization request, as the authorization server.

    Raises:
        RequestNotSupported: it holds a request object.
        InvalidRequest: it holds a `request_uri`, which cannot be pushed (RFC 9126 2.1), or is malformed.
        UnsupportedResponseType: it does not ask for a code.
        InvalidAuthorizationDetails: `authorization_details` is malformed or of an unknown type.
    """
    if "request" in parameters:
        raise RequestNotSupported("request objects are not supported")
    if "request_uri" in parameters:
        raise InvalidRequest("request_uri cannot be part of an authorization request that is not pushed before")
    if parameters.get("response_type", "code") != "code":
        raise UnsupportedResponseType("the response_type must be code")
    members: dict[str, object] = {
        "response_type": None,
        "code_challenge_method": None,
        **parameters,
    }  # no defaults here
    details = parameters.get("authorization_details")
    if isinstance(details, str):
        members["authorization_details"] = parse_authorization_details(details)
    try:
        return parse_message(AuthorizationRequest, members)
    except MalformedInput as error:
        raise InvalidRequest("the authorization request is malformed", detail=str(error)) from error


def authorization_url(endpoint: str, *, client_id: str, request_uri: str) -> str:
    """Return the URL to send the browser to after a pushed request (RFC 9126 4)."""
    separator = "&" if "?" in endpoint else "?"
    return endpoint + separator + urlencode({"client_id": client_id, "request_uri": request_uri})


def authorization_response_url(redirect_uri: str, response: AuthorizationResponse) -> str:
    """Return the URL to send the browser back to, with the response in the query (RFC 6749 4.1.2)."""
    separator = "&" if "?" in redirect_uri else "?"
    return redirect_uri + separator + urlencode(response.to_wire())


def verify_authorization_response(
    response: AuthorizationResponse, *, state: str, issuer: str, iss_supported: bool = True
) -> str:
    """Return the authorization code, after `state` and `iss` have shown that it answers our own request.

    Args:
        response: the parameters of the redirect.
        state: what this browser's session remembers.
        issuer: the authorization server that was asked.
        iss_supported: it announces `authorization_response_iss_parameter_supported`, so `iss` may not be missing.

    Raises:
        ClaimMismatch: another `state` or `iss`: mix-up, or a forged response. Also checked for errors (RFC 9207 2.4).
        PeerError: the server refused, or answered with neither a code nor an error.
    """
    if response.state is None or not compare_digest(response.state.encode(), state.encode()):
        raise ClaimMismatch("the authorization response has another state than the request")
    if response.iss != issuer and (iss_supported or response.iss is not None):
        raise ClaimMismatch(f"the authorization response does not come from {issuer}")
    if response.error is not None:
        raise PeerError("the authorization server refused the request", code=response.error)
    if not response.code:
        raise PeerError("the authorization server answered with neither a code nor an error")
    return response.code
