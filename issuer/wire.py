"""What the endpoints have in common: HTTP in, a protocol step's view of it; a message, HTTP out."""

from base64 import b64decode
from collections.abc import Callable
from typing import Any, Final, TypeVar
from urllib.parse import unquote_to_bytes

from cryptography import x509
from starlette.requests import Request
from starlette.responses import Response

from byoid.errors import MalformedInput
from byoid.issuance.credential import CredentialRequest, CredentialResponse
from byoid.issuance.deferred import DeferredCredentialRequest
from byoid.issuance.encryption import decrypt_request, encrypt_response, require_encryption
from byoid.message import Message
from byoid.oauth.client_attestation import ATTESTATION_HEADER, POP_HEADER
from byoid.oauth.form import parse_form
from byoid.wire_errors import InvalidCredentialRequest, InvalidEncryptionParameters, InvalidRequest
from issuer.clients import DPOP_HEADER, HttpRequest
from issuer.context import Issuer

NO_STORE: Final = {"Cache-Control": "no-store"}
FORM: Final = "application/x-www-form-urlencoded"
JSON: Final = "application/json"
JWT: Final = "application/jwt"
# The header fields that protocol steps read, as ASGI names them.
_FIELDS: Final = {
    name.lower().encode(): name.lower() for name in ("Authorization", DPOP_HEADER, ATTESTATION_HEADER, POP_HEADER)
}
_VERIFIED: Final = "client-cert-verified"  # ours: RFC 9440 leaves to agreement how a proxy says it
R = TypeVar("R", CredentialRequest, DeferredCredentialRequest)


def the_issuer(request: Request) -> Issuer:
    """Return the issuer that `app.py` made."""
    found: Issuer = request.app.state.issuer
    return found


def http_request(issuer: Issuer, request: Request) -> HttpRequest:
    """Return what a protocol step may know; the URL is ours, never the request's."""
    headers: dict[str, list[str]] = {}
    for raw_name, value in request.scope["headers"]:
        if (name := _FIELDS.get(raw_name)) is not None:
            headers.setdefault(name, []).append(value.decode("latin-1"))
    url = issuer.origin + request.scope["path"]
    certificate = _certificate(issuer, request)
    verified = certificate is not None and request.headers.getlist(_VERIFIED) == ["SUCCESS"]
    return HttpRequest(request.method, url, headers, certificate, verified)


def answer(message: Message, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a message as JSON that nobody keeps."""
    content = message.model_dump_json(by_alias=True, exclude_none=True)  # `to_wire` as text, in one step
    return Response(content, status, {**NO_STORE, **(headers or {})}, media_type=JSON)


def media_type(request: Request) -> str:
    """Return the body's media type, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def form(request: Request) -> dict[str, Any]:
    """Return the parameters of a form body.

    Raises:
        InvalidRequest: the body is of another type, or malformed.
    """
    if media_type(request) != FORM:
        raise InvalidRequest(f"expected a body of type {FORM}")
    try:
        return dict(parse_form(await request.body()))
    except MalformedInput as error:
        raise InvalidRequest("the form is malformed", detail=str(error)) from error


async def read_request(issuer: Issuer, request: Request, parse: Callable[[bytes], R]) -> R:
    """Read a credential or deferred credential request, plain or encrypted as the metadata say (8.2, 10).

    Raises:
        InvalidCredentialRequest: neither JSON nor an encrypted request, or malformed.
        InvalidEncryptionParameters: not encrypted as the metadata say, or the wrong way round.
    """
    body, encrypted = await request.body(), media_type(request) == JWT
    if encrypted:
        body = _decrypted(issuer, body)
    elif media_type(request) != JSON:
        raise InvalidCredentialRequest(f"expected a body of type {JSON}, or {JWT} where it is encrypted")
    message = parse(body)
    require_encryption(message, encrypted=encrypted, metadata=issuer.metadata)
    return message


def credential_answer(request: CredentialRequest | DeferredCredentialRequest, response: CredentialResponse) -> Response:
    """Return credentials, or their promise, encrypted if this request asked for it (8.3, 9.2)."""
    wanted = request.credential_response_encryption
    if wanted is None:
        return answer(response, status=response.status)
    jwe = encrypt_response(response, encryption=wanted)
    return Response(jwe, response.status, NO_STORE, media_type=JWT)


def _decrypted(issuer: Issuer, body: bytes) -> bytes:
    support = issuer.metadata.credential_request_encryption
    if support is None:
        raise InvalidEncryptionParameters("encrypted credential requests are not supported")
    try:
        jwe = body.decode("ascii")
    except UnicodeDecodeError as error:
        raise InvalidEncryptionParameters("the request is not a JWE") from error
    return decrypt_request(jwe, keys=issuer.encryption_keys, support=support)


def _certificate(issuer: Issuer, request: Request) -> x509.Certificate | None:
    """Return the client's certificate as a trusted proxy says it: RFC 9440, or nginx's escaped PEM."""
    settings = issuer.settings
    values = request.headers.getlist(settings.client_certificate_header) if settings.trusted_proxies else []
    if not any(values) or not settings.is_proxy(request.client.host if request.client else ""):
        return None
    if len(values) > 1:  # one is the proxy's, and the other may be the client's own word
        raise InvalidRequest("the client certificate comes twice")
    value = values[0]
    try:
        if value.startswith(":") and value.endswith(":"):
            return x509.load_der_x509_certificate(b64decode(value.strip(":"), validate=True))
        return x509.load_pem_x509_certificate(unquote_to_bytes(value))
    except ValueError as error:
        raise InvalidRequest("the proxy's client certificate cannot be read") from error
