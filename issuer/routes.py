"""The protocol endpoints, each a few lines: read, call one operation, answer."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from byoid.encoding import json_dumps
from byoid.errors import MalformedInput
from byoid.formats.status_list import CWT_MEDIA_TYPE, JWT_MEDIA_TYPE
from byoid.issuance.credential import parse_credential_request
from byoid.issuance.deferred import DeferredCredentialRequest
from byoid.issuance.nonce import NonceResponse
from byoid.issuance.notification import NotificationRequest
from byoid.issuance.signed_metadata import prepare_signed_metadata
from byoid.message import Message, parse_message
from byoid.oauth.client_attestation import ChallengeResponse
from byoid.oauth.form import parse_form
from byoid.oauth.token import parse_token_request
from byoid.signing import sign
from byoid.wire_errors import InvalidCredentialRequest, InvalidNotificationRequest, InvalidRequest
from issuer.access import require_grant
from issuer.clients import DPOP_NONCE_HEADER, HttpRequest, authenticate_client
from issuer.context import Issuer
from issuer.credentials import issue
from issuer.deferred import fetch_deferred
from issuer.nonces import NonceKind, create_nonce
from issuer.notifications import take_notification
from issuer.offers import OfferNotFound, offer_message
from issuer.status_lists import list_uri, token_for
from issuer.tokens import issue_token

router = APIRouter()
_NO_STORE = {"Cache-Control": "no-store"}


async def the_issuer(request: Request) -> Issuer:
    """Return the issuer that `app.py` made."""
    found: Issuer = request.app.state.issuer
    return found


IssuerContext = Annotated[Issuer, Depends(the_issuer)]


def http_request(issuer: Issuer, request: Request) -> HttpRequest:
    """Return what a protocol step may know; the URL is ours, never the request's."""
    headers: dict[str, list[str]] = {}
    for name, value in request.headers.raw:
        headers.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
    return HttpRequest(request.method, issuer.url + request.url.path, headers)


def _answer(message: Message, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    body = json_dumps(message.to_wire())
    return Response(body, status, {**_NO_STORE, **(headers or {})}, media_type="application/json")


def require_content_type(request: Request, expected: str) -> None:
    """Refuse a body of another type.

    Raises:
        InvalidRequest: it has.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != expected:
        raise InvalidRequest(f"expected a body of type {expected}")


@router.get("/.well-known/openid-credential-issuer")
async def credential_issuer_metadata(request: Request, issuer: IssuerContext) -> Response:
    """Describe the credential issuer, as JSON or as a signed JWT (OpenID4VCI 12.2)."""
    if "application/jwt" not in request.headers.get("accept", ""):
        return JSONResponse(issuer.metadata.to_wire(), headers={"Vary": "Accept"})
    signer = issuer.signers.metadata
    unsigned = prepare_signed_metadata(
        issuer.metadata, issued_at=issuer.clock(), algorithm=signer.algorithm, x5c=signer.x5c
    )
    return Response(await sign(unsigned, signer), media_type="application/jwt", headers={"Vary": "Accept"})


@router.get("/.well-known/oauth-authorization-server")
async def authorization_server_metadata(issuer: IssuerContext) -> Response:
    """Describe the authorization server (RFC 8414)."""
    return JSONResponse(issuer.server.to_wire())


@router.get("/offers/{offer_id}")
async def credential_offer(offer_id: str, issuer: IssuerContext) -> Response:
    """Give the wallet an offer by reference (4.1.3)."""
    try:
        return _answer(await offer_message(issuer, offer_id))
    except OfferNotFound as error:
        raise HTTPException(404, str(error)) from error


@router.post("/token")
async def token(request: Request, issuer: IssuerContext) -> Response:
    """Redeem a grant (6)."""
    require_content_type(request, "application/x-www-form-urlencoded")
    wanted = parse_token_request(_form(await request.body()))
    client = await authenticate_client(issuer, http_request(issuer, request), client_id=wanted.client_id)
    return _answer(await issue_token(issuer, wanted, client), headers={"Pragma": "no-cache"})


@router.post("/challenge")
async def challenge(issuer: IssuerContext) -> Response:
    """Give out a challenge for a client attestation's proof of possession."""
    return _answer(ChallengeResponse(attestation_challenge=create_nonce(issuer, NonceKind.ATTESTATION)))


@router.post("/nonce")
async def nonce(issuer: IssuerContext) -> Response:
    """Give out a nonce for key proofs (7)."""
    headers = {DPOP_NONCE_HEADER: create_nonce(issuer, NonceKind.DPOP)}
    return _answer(NonceResponse(c_nonce=create_nonce(issuer, NonceKind.PROOF)), headers=headers)


@router.post("/credential")
async def credential(request: Request, issuer: IssuerContext) -> Response:
    """Issue credentials (8)."""
    grant = await require_grant(issuer, http_request(issuer, request))
    _require_json(request)
    response = await issue(issuer, grant, parse_credential_request(await request.body()))
    return _answer(response, status=response.status)


@router.post("/deferred")
async def deferred(request: Request, issuer: IssuerContext) -> Response:
    """Fetch what was promised (9)."""
    grant = await require_grant(issuer, http_request(issuer, request))
    _require_json(request)
    try:
        wanted = parse_message(DeferredCredentialRequest, await request.body())
    except MalformedInput as error:
        raise InvalidCredentialRequest("the request is malformed", detail=str(error)) from error
    response = await fetch_deferred(issuer, grant, wanted.transaction_id)
    return _answer(response, status=response.status)


@router.post("/notification", status_code=204)
async def notification(request: Request, issuer: IssuerContext) -> Response:
    """Take the wallet's word on what became of a batch (11)."""
    grant = await require_grant(issuer, http_request(issuer, request))
    try:
        message = parse_message(NotificationRequest, await request.body())
    except MalformedInput as error:
        raise InvalidNotificationRequest("the notification is malformed", detail=str(error)) from error
    await take_notification(issuer, grant, message)
    return Response(status_code=204)


@router.get("/status/{list_id}")
async def status_list(list_id: str, request: Request, issuer: IssuerContext) -> Response:
    """Serve a status list token, as JWT or CWT by `Accept` (Token Status List 8)."""
    row = await token_for(issuer, list_id)
    if row is None:
        raise HTTPException(404, "there is no such status list")
    if "time" in request.query_params:
        raise HTTPException(501, "older states of status lists are not kept")
    wants_cwt = CWT_MEDIA_TYPE in request.headers.get("accept", "")
    body, media_type = (row.cwt, CWT_MEDIA_TYPE) if wants_cwt else (row.jwt, JWT_MEDIA_TYPE)
    age = int(issuer.settings.status_list_ttl.total_seconds())
    headers = {"Cache-Control": f"public, max-age={age}", "Access-Control-Allow-Origin": "*", "Vary": "Accept"}
    return Response(body, media_type=media_type, headers=headers)


@router.get("/status")
async def status_list_aggregation(issuer: IssuerContext) -> Response:
    """List all status lists (Token Status List 9)."""
    ids = await issuer.store.status_list_ids(issuer.settings.agency_id)
    body = {"status_lists": [list_uri(issuer, each) for each in ids]}
    return JSONResponse(body, headers={"Access-Control-Allow-Origin": "*"})


def _form(body: bytes) -> dict[str, Any]:
    try:
        return dict(parse_form(body))
    except MalformedInput as error:
        raise InvalidRequest("the form is malformed", detail=str(error)) from error


def _require_json(request: Request) -> None:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise InvalidCredentialRequest("expected a body of type application/json")
