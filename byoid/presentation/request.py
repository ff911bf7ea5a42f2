"""The messages of a presentation request, and the three ways in which one reaches a wallet by URL.

Spec: OpenID4VP 1.0 sections 5.1, 5.2 and 5.10 (parameters, wallet metadata), 10 and 11.1 (metadata of both sides),
RFC 9101 (request objects by value and by reference). Whether a request may be believed is `request_object`'s matter.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Annotated, Any, Final, Literal, Self, TypeAlias
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, field_validator, model_validator

from byoid.encoding import json_loads
from byoid.errors import MalformedInput
from byoid.message import M, Message, parse_message
from byoid.presentation.dcql import DcqlQuery, Identifier, NonEmpty
from byoid.wire_errors import InvalidRequest, InvalidRequestUriMethod

STATIC_AUDIENCE: Final = "https://self-issued.me/v2"  # 5.8: `aud` where the wallet's metadata is known beforehand
DEFAULT_ENC: Final = "A128GCM"
DIRECT_POST: Final = ("direct_post", "direct_post.jwt")
DC_API: Final = ("dc_api", "dc_api.jwt")
MIN_RANDOM: Final = 22  # characters that 128 bits take as base64url
MAX_URI: Final = 2048

UrlSafe = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._~-]+$", max_length=1024)]
Uri = Annotated[str, StringConstraints(min_length=1, max_length=MAX_URI)]
_OBJECTS: Final = ("dcql_query", "client_metadata", "transaction_data", "verifier_info", "expected_origins")


class Jwks(Message):
    """Public keys, each with a `kid` of its own (5.1)."""

    keys: NonEmpty[dict[str, Any]]

    @field_validator("keys")
    @classmethod
    def _require_kids(cls, keys: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
        kids = [key.get("kid") for key in keys]
        if not all(isinstance(kid, str) for kid in kids) or len(set(kids)) != len(kids):
            raise ValueError("every key needs a kid of its own")
        return keys


class ClientMetadata(Message):
    """The verifier's metadata (5.1, 11.1)."""

    jwks: Jwks | None = None
    encrypted_response_enc_values_supported: NonEmpty[str] | None = None
    vp_formats_supported: dict[str, dict[str, Any]] | None = None

    @property
    def response_encs(self) -> tuple[str, ...]:
        """The content encryption algorithms for the response, `A128GCM` if none are named."""
        return self.encrypted_response_enc_values_supported or (DEFAULT_ENC,)


class WalletMetadata(Message):
    """The wallet's metadata, as it comes with `request_uri_method=post` (10.1, 5.10)."""

    vp_formats_supported: dict[str, dict[str, Any]]
    issuer: str | None = None
    client_id_prefixes_supported: NonEmpty[str] = ("pre-registered",)
    request_object_signing_alg_values_supported: NonEmpty[str] | None = None
    request_object_encryption_enc_values_supported: NonEmpty[str] = (DEFAULT_ENC,)
    authorization_encryption_alg_values_supported: NonEmpty[str] | None = None
    authorization_encryption_enc_values_supported: NonEmpty[str] | None = None
    jwks: Jwks | None = None


class VerifierInfo(Message):
    """An attestation about the verifier (5.11)."""

    format: str
    data: str | dict[str, Any]
    credential_ids: NonEmpty[Identifier] | None = None


class AuthorizationRequest(Message):
    """A request for presentations (5). Rules that need the client or the response mode are in `request_object`."""

    response_type: Literal["vp_token"]
    response_mode: str
    nonce: UrlSafe
    client_id: Uri | None = None
    state: UrlSafe | None = None
    dcql_query: DcqlQuery | None = None
    scope: str | None = None
    response_uri: Uri | None = None
    redirect_uri: Uri | None = None
    client_metadata: ClientMetadata | None = None
    transaction_data: NonEmpty[str] | None = None
    verifier_info: NonEmpty[VerifierInfo] | None = None
    wallet_nonce: Annotated[str, Field(max_length=1024)] | None = None
    expected_origins: NonEmpty[str] | None = None

    @property
    def query(self) -> DcqlQuery:
        """The query, where `scope` has been ruled out."""
        if self.dcql_query is None:
            raise InvalidRequest("dcql_query is missing")
        return self.dcql_query

    @property
    def encrypted(self) -> bool:
        """Whether the response must be encrypted."""
        return self.response_mode.endswith(".jwt")

    @model_validator(mode="after")
    def _require_one_query(self) -> Self:
        if (self.dcql_query is None) == (self.scope is None):
            raise ValueError("exactly one of dcql_query and scope is needed")  # 5.1
        return self

    @model_validator(mode="after")
    def _require_known_credentials(self) -> Self:
        known = {query.id for query in self.dcql_query.credentials} if self.dcql_query else set()
        for info in self.verifier_info or ():
            if self.dcql_query and not known.issuperset(info.credential_ids or ()):
                raise ValueError("verifier_info names a credential that the query does not have")
        return self


@dataclass(frozen=True, slots=True)
class RequestByReference:
    """A request object that is still to be fetched from the verifier, by GET or POST (5.10)."""

    client_id: str
    request_uri: str
    method: Literal["get", "post"]


@dataclass(frozen=True, slots=True)
class RequestByValue:
    """A request object that came in the URL."""

    client_id: str
    request: str


UrlRequest: TypeAlias = RequestByReference | RequestByValue | AuthorizationRequest


def parse_request_parameters(parameters: Mapping[str, str], *, allow_loopback_http: bool = False) -> UrlRequest:
    """Read the query of an authorization request's URL.

    Raises:
        InvalidRequestUriMethod: `request_uri_method` is neither `get` nor `post`.
        InvalidRequest: `request` and `request_uri` together, `request_uri_method` alone, or no client id.
        MalformedInput: a `request_uri` that is no https URL, or a parameter that is malformed.
    """
    request, request_uri = parameters.get("request"), parameters.get("request_uri")
    method = parameters.get("request_uri_method")
    if request is not None and request_uri is not None:
        raise InvalidRequest("request and request_uri exclude each other")
    if method is not None and request_uri is None:
        raise InvalidRequest("request_uri_method needs request_uri")
    if request is None and request_uri is None:
        return parse_unsigned_request(parameters)
    if not parameters.get("client_id"):
        raise InvalidRequest("client_id is missing")
    if request is not None:
        return RequestByValue(parameters["client_id"], request)
    require_https(request_uri, what="request_uri", allow_loopback_http=allow_loopback_http)
    return RequestByReference(parameters["client_id"], str(request_uri), _method(method))


def parse_unsigned_request(parameters: Mapping[str, str]) -> AuthorizationRequest:
    """Read a request whose parameters are all in the URL; objects are JSON texts there (5.1).

    Raises:
        MalformedInput: a parameter is missing or malformed.
    """
    members = {name: json_loads(text) if name in _OBJECTS else text for name, text in parameters.items()}
    return parse_message(AuthorizationRequest, members)


def parse_json_parameter(message: type[M], parameters: Mapping[str, str], name: str) -> M | None:
    """Read an optional form parameter that holds a JSON object, such as `wallet_metadata` (5.10).

    Raises:
        MalformedInput: not that object.
    """
    return parse_message(message, parameters[name]) if name in parameters else None


def require_https(uri: object, *, what: str, allow_loopback_http: bool = False) -> None:
    """Demand an absolute https URL without userinfo and fragment; http only to this machine, and only if allowed.

    Raises:
        MalformedInput: anything else.
    """
    if not isinstance(uri, str) or len(uri) > MAX_URI:
        raise MalformedInput(f"expected {what} to be a URL of at most {MAX_URI} characters")
    try:
        parts = urlsplit(uri)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise MalformedInput(f"expected {what} to be a URL") from None
    if not host or parts.username is not None or parts.fragment or not uri.isascii() or set(uri) & set(" \\\t\r\n"):
        raise MalformedInput(f"expected {what} to be a URL with a host, without user and fragment")
    if parts.scheme != "https" and not (allow_loopback_http and parts.scheme == "http" and _is_loopback(host)):
        raise MalformedInput(f"expected {what} to be an https URL")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _method(method: str | None) -> Literal["get", "post"]:
    if method not in (None, "get", "post"):
        raise InvalidRequestUriMethod("request_uri_method is neither get nor post")
    return "post" if method == "post" else "get"
