"""What the OpenAPI document says of the protocol endpoints, which are plain routes.

FastAPI makes the document of the admin API; the operations here are added to it. Bodies are the library's messages.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, TypeAdapter

from byoid.formats.status_list import CWT_MEDIA_TYPE, JWT_MEDIA_TYPE
from byoid.formats.type_metadata import TypeMetadata
from byoid.issuance.credential import CredentialRequest, CredentialResponse
from byoid.issuance.deferred import DeferredCredentialRequest
from byoid.issuance.nonce import NonceResponse
from byoid.issuance.notification import NotificationRequest
from byoid.issuance.offer import CredentialOffer
from byoid.oauth.authorization import PushedAuthorizationResponse
from byoid.oauth.client_attestation import ChallengeResponse
from byoid.oauth.metadata import AuthorizationServerMetadata
from byoid.oauth.token import TokenResponse

_JSON, _JWT, _FORM, _HTML = "application/json", "application/jwt", "application/x-www-form-urlencoded", "text/html"
_TEMPLATE: Final = "#/components/schemas/{model}"
Content = Mapping[str, "type[BaseModel] | dict[str, Any]"]
_TEXT: Final[dict[str, Any]] = {"type": "string"}
_ERROR: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": _TEXT, "error_description": _TEXT},
}
_ERRORS: Final = {
    400: "The request breaks a rule; `error` names which.",
    401: "Not authenticated, or the access token is not good.",
    403: "Not allowed.",
    404: "There is no such thing, or no more.",
    413: "The body is too large.",
    429: "Too many requests.",
    500: "Our own fault.",
    501: "Not offered.",
    503: "A peer does not answer; try again later.",
}


def _form(*required: str, **parameters: str) -> dict[str, Any]:
    described = {name: {"type": "string", "description": text} for name, text in parameters.items()}
    named = {name: described.get(name, _TEXT) for name in required}
    return {"type": "object", "required": list(required), "properties": {**named, **described}}


_TOKEN_FORM: Final = _form(
    "grant_type", code="authorization code", redirect_uri="as pushed", code_verifier="PKCE",
    tx_code="transaction code", client_id="client identifier", scope="to narrow",
    refresh_token="to renew",  # noqa: S106  # a description
    authorization_details="to narrow", client_assertion_type="of private_key_jwt", client_assertion="private_key_jwt",
)  # fmt: skip
_PAR_FORM: Final = _form(
    "response_type", "redirect_uri", "code_challenge", "code_challenge_method", client_id="client identifier",
    state="comes back", scope="scopes", authorization_details="JSON array", issuer_state="from the offer",
    dpop_jkt="thumbprint", client_assertion_type="of private_key_jwt", client_assertion="private_key_jwt",
)  # fmt: skip
_PAGE_FORM: Final = _form("csrf", "step", username="at sign-in", password="at sign-in")  # noqa: S106  # a description
_DPOP: Final = (("DPoP", "proof of possession (RFC 9449)"),)
_CLIENT: Final = (
    *_DPOP,
    ("OAuth-Client-Attestation", "who vouches for the wallet"),
    ("OAuth-Client-Attestation-PoP", "proof of possession of the attested key"),
)


@dataclass(frozen=True)
class Operation:
    """One endpoint: what it takes, what it answers, and how it refuses."""

    method: str
    path: str
    summary: str
    answers: Mapping[int, Content]
    errors: Iterable[int] = (400, 413, 500)
    body: Content | None = None
    headers: Iterable[tuple[str, str]] = ()
    query: Iterable[str] = ()
    token: bool = False
    well_known: bool = False
    page: bool = False
    root: bool = False


# Not the whole message: what a credential configuration is depends on its format.
_METADATA: Final[dict[str, Any]] = {"type": "object", "required": ["credential_issuer", "credential_endpoint"]}
_REFUSALS: Final = (400, 401, 413, 500, 503)
_PAGE: Final = {200: {_HTML: _TEXT}, 303: {}}
_CREDENTIALS: Final[Content] = {_JSON: CredentialResponse, _JWT: _TEXT}
OPERATIONS: Final = (
    Operation("get", "/.well-known/openid-credential-issuer", "Describe the credential issuer",
              {200: {_JSON: _METADATA, _JWT: _TEXT}}, well_known=True, headers=(("Accept", "form"),)),
    Operation("get", "/.well-known/oauth-authorization-server", "Describe the authorization server",
              {200: {_JSON: AuthorizationServerMetadata}}, well_known=True),
    Operation("get", "/offers/{offer_id}", "Fetch an offer", {200: {_JSON: CredentialOffer}}, errors=(400, 404, 500)),
    Operation("post", "/par", "Push an authorization request", {201: {_JSON: PushedAuthorizationResponse}},
              errors=_REFUSALS, body={_FORM: _PAR_FORM}, headers=_CLIENT),
    Operation("get", "/authorize", "Sign in, or say yes or no", _PAGE, errors=(400, 429, 500), page=True,
              query=("client_id", "request_uri")),
    Operation("post", "/authorize", "Take the forms of these pages", _PAGE, errors=(400, 413, 429, 500), page=True,
              body={_FORM: _PAGE_FORM}, query=("client_id", "request_uri")),
    Operation("get", "/authorize/elsewhere", "Go to where people are recognised", {303: {}}, page=True,
              errors=(400, 404, 500), query=("client_id", "request_uri")),
    Operation("get", "/authorize/return", "Come back from there", {303: {}}, errors=(400, 404, 500), page=True,
              query=("state",)),
    Operation("get", "/language/{code}", "Choose a language", {303: {}}, errors=(400, 404, 500), page=True, root=True,
              query=("back",)),
    Operation("post", "/token", "Redeem a grant", {200: {_JSON: TokenResponse}}, errors=_REFUSALS,
              body={_FORM: _TOKEN_FORM}, headers=_CLIENT),
    Operation("post", "/challenge", "Get a challenge for a client attestation", {200: {_JSON: ChallengeResponse}}),
    Operation("post", "/nonce", "Get a nonce for key proofs", {200: {_JSON: NonceResponse}}),
    Operation("post", "/credential", "Get credentials", {200: _CREDENTIALS, 202: _CREDENTIALS}, errors=_REFUSALS,
              body={_JSON: CredentialRequest, _JWT: _TEXT}, headers=_DPOP, token=True),
    Operation("post", "/deferred", "Get credentials that were promised", {200: _CREDENTIALS, 202: _CREDENTIALS},
              errors=_REFUSALS, body={_JSON: DeferredCredentialRequest, _JWT: _TEXT}, headers=_DPOP, token=True),
    Operation("post", "/notification", "Say what became of credentials", {204: {}}, errors=_REFUSALS,
              body={_JSON: NotificationRequest}, headers=_DPOP, token=True),
    Operation("get", "/types/{type_id}", "Fetch type metadata", {200: {_JSON: TypeMetadata}}, errors=(400, 404, 500)),
    Operation("get", "/status", "List the status lists", {200: {_JSON: {"type": "object"}}}),
    Operation("get", "/status/{list_id}", "Fetch a status list",
              {200: {JWT_MEDIA_TYPE: _TEXT, CWT_MEDIA_TYPE: {"type": "string", "format": "binary"}}, 304: {}},
              errors=(400, 404, 500, 501), query=("time",), headers=(("If-None-Match", "its ETag"),)),
)  # fmt: skip


def document_protocol(app: FastAPI, public_url: str) -> None:
    """Add the protocol endpoints to the application's OpenAPI document, which is made when it is first asked for."""
    prefix = urlsplit(public_url).path

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(title=app.title, version=app.version, routes=app.routes)
            add_operations(document, prefix=prefix)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way to extend the document


def add_operations(document: dict[str, Any], *, prefix: str) -> None:
    """Add paths, schemas and the security scheme."""
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas.setdefault("ProtocolError", _ERROR)
    components.setdefault("securitySchemes", {})["accessToken"] = {
        "type": "http", "scheme": "DPoP", "description": "An access token that is bound to a key (RFC 9449).",
    }  # fmt: skip
    for operation in OPERATIONS:
        before = "" if operation.well_known or operation.root else prefix
        path = before + operation.path + (prefix if operation.well_known else "")
        document["paths"].setdefault(path, {})[operation.method] = _operation(operation, schemas)


def _operation(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "summary": operation.summary,
        "tags": ["pages" if operation.page else "protocol"],
        "parameters": _parameters(operation),
        "responses": {
            **{str(status): _answer("Done", content, schemas)
               for status, content in operation.answers.items()},
            **{str(status): _refusal(operation, status) for status in operation.errors},
        },
    }  # fmt: skip
    if operation.body is not None:
        described["requestBody"] = {"required": True, **_content(operation.body, schemas)}
    if operation.token:
        described["security"] = [{"accessToken": []}]
    return described


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    inside = [part[1:-1] for part in operation.path.split("/") if part.startswith("{")]
    return [
        *({"name": name, "in": "path", "required": True, "schema": _TEXT} for name in inside),
        *({"name": name, "in": "query", "schema": _TEXT} for name in operation.query),
        *({"name": name, "in": "header", "schema": _TEXT, "description": text} for name, text in operation.headers),
    ]


def _refusal(operation: Operation, status: int) -> dict[str, Any]:
    content = {_JSON: {"schema": {"$ref": _TEMPLATE.format(model="ProtocolError")}}}
    if operation.page:
        content[_HTML] = {"schema": _TEXT}
    return {"description": _ERRORS[status], "content": content}


def _answer(text: str, content: Content, schemas: dict[str, Any]) -> dict[str, Any]:
    return {"description": text, **_content(content, schemas)}


def _content(content: Content, schemas: dict[str, Any]) -> dict[str, Any]:
    found = {kind: {"schema": _schema(model, schemas)} for kind, model in content.items()}
    return {"content": found} if found else {}


def _schema(model: type[BaseModel] | dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    if isinstance(model, dict):
        return model
    schema = _any_of(TypeAdapter(model).json_schema(ref_template=_TEMPLATE))
    schemas.update(schema.pop("$defs", {}))
    schemas[model.__name__] = schema
    return {"$ref": _TEMPLATE.format(model=model.__name__)}


def _any_of(schema: Any) -> Any:
    """Say `anyOf` for a union that is told apart by a member: formats that byoid does not know fit several."""
    if isinstance(schema, list):
        return [_any_of(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        "anyOf" if name == "oneOf" else name: _any_of(value)
        for name, value in schema.items()
        if name != "discriminator"
    }
