"""The protocol endpoints, each a few lines: read, call one operation, answer.

Plain Starlette routes, since a wallet waits for them; `protocol_openapi.py` says the same for people. Paths follow the
path of `public_url`, well-known names are put before it (RFC 8414 3.1, OpenID4VCI 12.2.2).
"""

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from byoid.encoding import json_dumps
from byoid.issuance.credential import parse_credential_request
from byoid.issuance.deferred import parse_deferred_credential_request
from byoid.issuance.nonce import NonceResponse
from byoid.issuance.notification import parse_notification_request
from byoid.issuance.signed_metadata import prepare_signed_metadata
from byoid.oauth.authorization import parse_authorization_request
from byoid.oauth.client_attestation import CHALLENGE_HEADER, ChallengeResponse
from byoid.oauth.token import parse_token_request
from byoid.signing import sign
from byoid.wire_errors import InvalidNotificationRequest
from issuer.access import require_access, require_grant
from issuer.authorization import push
from issuer.clients import DPOP_NONCE_HEADER, Assertion, authenticate_client
from issuer.credentials import issue
from issuer.deferred import fetch_deferred
from issuer.nonces import NonceKind, create_nonce
from issuer.notifications import take_notification
from issuer.offers import OfferNotFound, offer_message
from issuer.once import spend
from issuer.status_lists import list_uri
from issuer.tokens import issue_token
from issuer.wire import JSON, JWT, answer, credential_answer, form, http_request, media_type, read_request, the_issuer

_ANYONE = {"Access-Control-Allow-Origin": "*"}
Endpoint = Callable[[Request], Awaitable[Response]]


def protocol_routes(public_url: str) -> list[Route]:
    """Return the routes, those that are asked most first."""
    path = urlsplit(public_url).path

    def route(name: str, endpoint: Endpoint, method: str = "POST") -> Route:
        return Route(path + name, endpoint, methods=[method])

    return [
        route("/nonce", nonce),
        route("/credential", credential),
        route("/token", token),
        route("/status/{list_id}", status_list, "GET"),
        route("/deferred", deferred),
        route("/notification", notification),
        route("/offers/{offer_id}", credential_offer, "GET"),
        route("/par", pushed_authorization_request),
        route("/challenge", challenge),
        route("/status", status_list_aggregation, "GET"),
        route("/types/{type_id}", type_metadata, "GET"),
        Route("/.well-known/openid-credential-issuer" + path, credential_issuer_metadata, methods=["GET"]),
        Route("/.well-known/oauth-authorization-server" + path, authorization_server_metadata, methods=["GET"]),
    ]


async def credential_issuer_metadata(request: Request) -> Response:
    """Describe the credential issuer, as JSON or as a signed JWT (OpenID4VCI 12.2)."""
    issuer, varies = the_issuer(request), {"Vary": "Accept"}
    if JWT not in request.headers.get("accept", ""):
        return Response(issuer.metadata_json, media_type=JSON, headers=varies)
    signer = issuer.signers.metadata
    unsigned = prepare_signed_metadata(
        issuer.metadata, issued_at=issuer.clock(), algorithm=signer.algorithm, x5c=signer.x5c
    )
    return Response(await sign(unsigned, signer), media_type=JWT, headers=varies)


async def authorization_server_metadata(request: Request) -> Response:
    """Describe the authorization server (RFC 8414)."""
    return Response(the_issuer(request).server_json, media_type=JSON)


async def credential_offer(request: Request) -> Response:
    """Give the wallet an offer by reference (4.1.3)."""
    try:
        return answer(await offer_message(the_issuer(request), request.path_params["offer_id"]))
    except OfferNotFound as error:
        raise HTTPException(404, str(error)) from error


async def pushed_authorization_request(request: Request) -> Response:
    """Take an authorization request, and name it (5.1.4, RFC 9126)."""
    issuer, parameters = the_issuer(request), await form(request)
    assertion = Assertion(parameters.get("client_assertion_type"), parameters.get("client_assertion"))
    client_id = parameters.get("client_id")
    client = await authenticate_client(issuer, http_request(issuer, request), client_id=client_id, assertion=assertion)
    wanted = parse_authorization_request({"client_id": client.client_id or "", **parameters})
    await spend(issuer, client.once)
    return answer(await push(issuer, wanted, client), status=201)


async def token(request: Request) -> Response:
    """Redeem a grant (6)."""
    issuer = the_issuer(request)
    wanted = parse_token_request(await form(request))
    assertion = Assertion(wanted.client_assertion_type, wanted.client_assertion)
    client = await authenticate_client(
        issuer, http_request(issuer, request), client_id=wanted.client_id, assertion=assertion
    )
    return answer(await issue_token(issuer, wanted, client), headers={"Pragma": "no-cache"})


async def challenge(request: Request) -> Response:
    """Give out a challenge for a client attestation's proof of possession."""
    value = create_nonce(the_issuer(request), NonceKind.ATTESTATION)
    return answer(ChallengeResponse(attestation_challenge=value), headers={CHALLENGE_HEADER: value})


async def nonce(request: Request) -> Response:
    """Give out a nonce for key proofs (7)."""
    issuer = the_issuer(request)
    headers = {DPOP_NONCE_HEADER: create_nonce(issuer, NonceKind.DPOP)}
    return answer(NonceResponse(c_nonce=create_nonce(issuer, NonceKind.PROOF)), headers=headers)


async def credential(request: Request) -> Response:
    """Issue credentials (8)."""
    issuer = the_issuer(request)
    access = await require_access(issuer, http_request(issuer, request))
    wanted = await read_request(issuer, request, parse_credential_request)
    return credential_answer(wanted, await issue(issuer, access, wanted))


async def deferred(request: Request) -> Response:
    """Fetch what was promised (9)."""
    issuer = the_issuer(request)
    grant = await require_grant(issuer, http_request(issuer, request))
    wanted = await read_request(issuer, request, parse_deferred_credential_request)
    return credential_answer(wanted, await fetch_deferred(issuer, grant, wanted.transaction_id))


async def notification(request: Request) -> Response:
    """Take the wallet's word on what became of a batch (11)."""
    issuer = the_issuer(request)
    grant = await require_grant(issuer, http_request(issuer, request))
    if media_type(request) != JSON:
        raise InvalidNotificationRequest(f"expected a body of type {JSON}")
    await take_notification(issuer, grant, parse_notification_request(await request.body()))
    return Response(status_code=204)


async def type_metadata(request: Request) -> Response:
    """Serve the type metadata of an SD-JWT VC (SD-JWT VC 5)."""
    found = the_issuer(request).types.get(request.path_params["type_id"])
    if found is None:
        raise HTTPException(404, "there is no such type")
    return Response(found.content, media_type=JSON, headers={"Cache-Control": "public, max-age=3600", **_ANYONE})


async def status_list(request: Request) -> Response:
    """Serve a status list token, as JWT or CWT by `Accept` (Token Status List 8)."""
    issuer = the_issuer(request)
    if "time" in request.query_params:
        raise HTTPException(501, "older states of status lists are not kept")
    found = await issuer.served_lists.find(issuer, request.path_params["list_id"])
    if found is None:
        raise HTTPException(404, "there is no such status list")
    asked = request.headers
    chosen = found.form(accept=asked.get("accept", ""), accept_encoding=asked.get("accept-encoding", ""))
    age = int(issuer.settings.status_list_ttl.total_seconds())
    headers = {
        "Cache-Control": f"public, max-age={age}", "ETag": chosen.etag, "Vary": "Accept, Accept-Encoding", **_ANYONE,
    }  # fmt: skip
    if chosen.etag in {each.strip() for each in asked.get("if-none-match", "").split(",")}:
        return Response(status_code=304, headers=headers)
    if chosen.encoding is not None:
        headers["Content-Encoding"] = chosen.encoding
    return Response(chosen.body, media_type=chosen.media_type, headers=headers)


async def status_list_aggregation(request: Request) -> Response:
    """List all status lists (Token Status List 9)."""
    issuer = the_issuer(request)
    ids = await issuer.store.status_list_ids(issuer.settings.agency_id)
    body = json_dumps({"status_lists": [list_uri(issuer, each) for each in ids]})
    return Response(body, media_type=JSON, headers=_ANYONE)
