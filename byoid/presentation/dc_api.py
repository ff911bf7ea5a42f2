"""Presentations over the Digital Credentials API: unsigned, signed and multi-signed requests, and their responses.

Spec: OpenID4VP 1.0 appendix A, HAIP 1.0 section 5.2. The platform tells the wallet the origin; presentations are made
for `origin:` and the origin, also when the request is signed. There is no `state` here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import Field

from byoid.encoding import b64u_encode, json_dumps
from byoid.errors import ByoidError, ClaimMismatch, MalformedInput, UntrustedIssuer, WrongType
from byoid.jose import Jws, UnsignedJws, parse_jws, prepare_jws, x5c_header
from byoid.message import Message, parse_message
from byoid.presentation.client_id import (
    REQUEST_OBJECT_TYPE,
    AuthenticClient,
    ClientIdentifier,
    VerifierTrust,
    authenticate_signed,
)
from byoid.presentation.dcql import NonEmpty
from byoid.presentation.jwt_claims import require_audience, require_period
from byoid.presentation.request import STATIC_AUDIENCE, AuthorizationRequest
from byoid.presentation.request_object import AuthenticatedRequest
from byoid.presentation.response import (
    AuthorizationResponse,
    EncryptedResponse,
    ErrorResponse,
    Response,
    ResponseEncryption,
    encrypt_response,
    parse_encrypted_response,
    parse_response,
)
from byoid.trust.x509 import ChainCache
from byoid.wire_errors import InvalidRequest

UNSIGNED: Final = "openid4vp-v1-unsigned"
SIGNED: Final = "openid4vp-v1-signed"
MULTISIGNED: Final = "openid4vp-v1-multisigned"
PROTOCOLS: Final = (UNSIGNED, SIGNED, MULTISIGNED)
_PROTECTED_ONLY: Final[tuple[str, ...]] = (
    "client_id",
    "verifier_info",
)  # A.3.2.2: never in the payload of a multi-signed request
MAX_SIGNATURES: Final = 8
_UNSAFE_SCHEMES: Final = frozenset({"http", "ftp", "javascript", "data", "ws", "wss"})  # A.2


class SignatureObject(Message):
    """One signature of a multi-signed request (RFC 7515 7.2.1)."""

    protected: str
    signature: str


class MultiSignedRequest(Message):
    """A request that is signed for several client identifiers (A.3.2.2)."""

    payload: str
    signatures: Annotated[NonEmpty[SignatureObject], Field(max_length=MAX_SIGNATURES)]


class SignedRequest(Message):
    """A request object in compact serialisation (A.3.2.1)."""

    request: str


def unsigned_request_data(request: AuthorizationRequest) -> dict[str, Any]:
    """Return the `data` of an unsigned request: without `client_id` and `expected_origins` (A.2)."""
    members = request.to_wire()
    return {name: value for name, value in members.items() if name not in ("client_id", "expected_origins")}


def prepare_multi_signed_payload(request: AuthorizationRequest) -> bytes:
    """Return the payload that all signatures of a multi-signed request share.

    Raises:
        ValueError: `expected_origins` are missing.
    """
    if not request.expected_origins:
        raise ValueError("a signed request needs expected_origins")
    return json_dumps({name: value for name, value in request.to_wire().items() if name not in _PROTECTED_ONLY})


def prepare_signature(
    payload: bytes,
    *,
    client_id: str,
    algorithm: str,
    x5c: Sequence[bytes] = (),
    attestation: str | None = None,
    verifier_info: Sequence[Mapping[str, Any]] = (),
) -> UnsignedJws:
    """Prepare the signature for one client identifier; `join_signatures` puts the results together."""
    header: dict[str, Any] = {"client_id": client_id}
    if x5c:
        header["x5c"] = x5c_header(x5c)
    if attestation is not None:
        header["jwt"] = attestation
    if verifier_info:
        header["verifier_info"] = [dict(info) for info in verifier_info]
    return prepare_jws(payload, algorithm=algorithm, typ=REQUEST_OBJECT_TYPE, header=header)


def join_signatures(payload: bytes, signed: Sequence[str]) -> dict[str, Any]:
    """Return the `data` of a multi-signed request from compact signatures over the same payload."""
    parts = [compact.split(".") for compact in signed]
    signatures = [{"protected": protected, "signature": signature} for protected, _, signature in parts]
    return {"payload": b64u_encode(payload), "signatures": signatures}


@dataclass(frozen=True)
class _Expectations:
    origin: str
    trust: VerifierTrust
    now: datetime
    audience: str
    cache: ChainCache | None
    allow_http: bool


def authenticate_dc_api_request(
    protocol: str,
    data: Mapping[str, Any],
    *,
    origin: str,
    trust: VerifierTrust,
    now: datetime,
    audience: str = STATIC_AUDIENCE,
    cache: ChainCache | None = None,
    allow_http: bool = False,
) -> AuthenticatedRequest:
    """Establish who asks; `request_object.accept_request` then judges what is asked.

    Args:
        protocol: one of PROTOCOLS.
        data: the request's `data`.
        origin: of the caller, as the platform tells it.
        trust: whom the wallet believes to be a verifier.
        now: the time.
        audience: how a verifier addresses this wallet, if the request says whom it addresses.
        cache: certificate chains verified before.
        allow_http: tolerate http origins, for development.

    Raises:
        MalformedInput: not such a request.
        InvalidRequest: another protocol, or the origin is not one that a signed request expects (A.2).
        ClaimMismatch, UntrustedIssuer, WrongType, BadSignature, Expired, NotYetValid: of the client's means of proof.
    """
    expected = _Expectations(origin, trust, now, audience, cache, allow_http)
    match protocol:
        case "openid4vp-v1-unsigned":
            return _unsigned(data, origin)
        case "openid4vp-v1-signed":
            jws = parse_jws(parse_message(SignedRequest, data).request)
            return _signed(jws, jws.claims(), expected)
        case "openid4vp-v1-multisigned":
            return _multi_signed(parse_message(MultiSignedRequest, data), expected)
        case _:
            raise InvalidRequest("the protocol is not one of OpenID4VP 1.0")


def dc_api_response(response: Response, encryption: ResponseEncryption | None) -> dict[str, Any]:
    """Return the `data` that the wallet gives back: encrypted for `dc_api.jwt`; an error has its code only (A.4)."""
    if isinstance(response, ErrorResponse):
        return {"error": response.error}
    if encryption is None:
        return {"vp_token": response.to_wire()["vp_token"]}
    without_state = AuthorizationResponse(vp_token=response.vp_token)
    return {"response": encrypt_response(without_state, encryption)}


def parse_dc_api_response(data: Mapping[str, Any], *, encrypted: bool) -> Response | EncryptedResponse:
    """Read the `data` that came from a wallet.

    Raises:
        MalformedInput: not a response, or not encrypted as demanded.
    """
    if "error" in data:
        return parse_response(data)
    if encrypted != ("response" in data):
        raise MalformedInput(f"expected {'an encrypted response' if encrypted else 'a response in the clear'}")
    if not encrypted:
        return parse_response(data)
    if not isinstance(data["response"], str):
        raise MalformedInput("expected the encrypted response as text")
    return parse_encrypted_response(data["response"])


def _unsigned(data: Mapping[str, Any], origin: str) -> AuthenticatedRequest:
    """A.3.1: the origin is all that is known; `client_id` and `expected_origins` are ignored."""
    members = {name: value for name, value in data.items() if name not in ("client_id", "expected_origins")}
    request = parse_message(AuthorizationRequest, members)
    client = AuthenticClient(ClientIdentifier(f"origin:{origin}", None, origin), origin, signed=False)
    return AuthenticatedRequest(request, client, origin)


def _signed(jws: Jws, members: Mapping[str, Any], expected: _Expectations) -> AuthenticatedRequest:
    """A.3.2: the signature as the client's prefix demands, and the origin one of those expected."""
    client_id = members.get("client_id")
    if not isinstance(client_id, str):
        raise MalformedInput("expected client_id in the signed request")
    client = authenticate_signed(client_id, jws, trust=expected.trust, now=expected.now, cache=expected.cache)
    if "aud" in members:
        require_audience(members, expected.audience)
    require_period(members, now=expected.now)
    request = parse_message(AuthorizationRequest, members)
    _require_origin(request, expected)
    return AuthenticatedRequest(request, client, expected.origin)


def _multi_signed(data: MultiSignedRequest, expected: _Expectations) -> AuthenticatedRequest:
    """A.3.2.2: take the first client identifier that the wallet can authenticate."""
    failure: ByoidError = UntrustedIssuer("none of the signatures is of a client that can be authenticated")
    for each in data.signatures:
        jws = parse_jws(f"{each.protected}.{data.payload}.{each.signature}")
        claims = jws.claims()
        if any(name in claims for name in _PROTECTED_ONLY):
            raise InvalidRequest("client_id or verifier_info in the payload of a multi-signed request")
        own = {name: jws.header[name] for name in _PROTECTED_ONLY if name in jws.header}
        try:
            return _signed(jws, {**claims, **own}, expected)
        except InvalidRequest:
            raise
        except (UntrustedIssuer, ClaimMismatch, WrongType) as error:
            failure = error
    raise failure


def _require_origin(request: AuthorizationRequest, expected: _Expectations) -> None:
    """A.2: compare as strings; no unsafe schemes among the origins."""
    origins = request.expected_origins or ()
    unsafe = _UNSAFE_SCHEMES - {"http"} if expected.allow_http else _UNSAFE_SCHEMES
    if any(each.partition(":")[0].lower() in unsafe for each in origins):
        raise InvalidRequest("expected_origins holds an unsafe scheme")
    if expected.origin not in origins:
        raise InvalidRequest("the origin is not one of expected_origins")
