"""Authorization requests: pushed by a wallet, shown to a person, answered with a code (OpenID4VCI 5).

RFC 9126 (PAR, the only way in), RFC 9207 (`iss`), RFC 7636 (`S256`), FAPI 2.0 5.3.2.2. A `request_uri` belongs to its
client, may be opened again until it is answered, and is consumed by the answer. The pages are `authorization_pages.py`.
"""

import secrets
from collections.abc import Sequence
from hmac import compare_digest
from typing import Any, Final

from byoid.encoding import b64u_encode
from byoid.oauth.authorization import (
    REQUEST_URI_PREFIX,
    AuthorizationRequest,
    AuthorizationResponse,
    PushedAuthorizationResponse,
    authorization_response_url,
)
from byoid.wire_errors import (
    InvalidAuthorizationDetails,
    InvalidClient,
    InvalidDpopProof,
    InvalidRequest,
    InvalidRequestUri,
    InvalidScope,
    InvalidTarget,
)
from issuer.clients import Client
from issuer.context import Issuer
from issuer.offers import offer_for_state, person_hash
from issuer.tables import AuthorizationState, OfferState

_RANDOM_BYTES: Final = 32
_OPEN: Final = frozenset({AuthorizationState.PUSHED, AuthorizationState.SIGNED_IN})


async def push(issuer: Issuer, request: AuthorizationRequest, client: Client) -> PushedAuthorizationResponse:
    """Keep an authorization request for the browser that will bring its `request_uri` (RFC 9126 2).

    Raises:
        InvalidClient: not authenticated.
        InvalidRequest: for another client, or with a `redirect_uri` that this client may not use.
        InvalidTarget: for another credential issuer.
        InvalidDpopProof: `dpop_jkt` names another key than the request's DPoP proof.
        InvalidScope: nothing that is known was asked for.
        InvalidAuthorizationDetails: an unknown credential configuration was asked for.
    """
    if not client.authenticated:
        raise InvalidClient("client authentication is needed")
    if request.client_id != client.client_id:
        raise InvalidRequest("the client_id is not that of the authenticated client")
    require_resource(issuer, request.resource)
    _require_redirect_uri(issuer, request)
    if request.dpop_jkt and client.dpop_jkt and request.dpop_jkt != client.dpop_jkt:
        raise InvalidDpopProof("dpop_jkt names another key than that of the DPoP proof")
    configuration_ids = await _requested(issuer, request)
    handle = b64u_encode(secrets.token_bytes(_RANDOM_BYTES))
    await issuer.store.add_authorization({
        "request_hash": request_hash(issuer, handle),
        "agency_id": issuer.settings.agency_id,
        "state": AuthorizationState.PUSHED,
        "client_id": client.client_id,
        "request": request.to_wire(),
        "configuration_ids": list(configuration_ids),
        "by_details": bool(request.authorization_details),
        "dpop_jkt": request.dpop_jkt or client.dpop_jkt,
        "instance_jkt": client.instance_jkt,
        "certificate_hash": client.certificate_hash,
        "session_hash": None, "person": None, "person_hash": None, "code_hash": None, "code_expires_at": None,
        "expires_at": issuer.until(issuer.settings.request_uri_lifetime),
    })  # fmt: skip
    expires_in = int(issuer.settings.request_uri_lifetime.total_seconds())
    return PushedAuthorizationResponse(request_uri=REQUEST_URI_PREFIX + handle, expires_in=expires_in)


async def open_request(issuer: Issuer, *, client_id: str | None, request_uri: str | None) -> Any:
    """Return the pushed request that a browser brings; who cannot be told apart from a stranger gets no redirect.

    Raises:
        InvalidRequest: not pushed before.
        InvalidRequestUri: unknown, expired, answered, or pushed by another client.
    """
    if client_id is None or request_uri is None:
        raise InvalidRequest("authorization requests must be pushed: client_id and request_uri are needed")
    handle = request_uri.removeprefix(REQUEST_URI_PREFIX)
    row = await issuer.store.authorization(request_hash(issuer, handle), now=issuer.clock())
    if row is None or row.client_id != client_id or row.state not in _OPEN:
        raise InvalidRequestUri("this request is unknown, has expired or was answered: start again in your wallet")
    return row


async def sign_in(issuer: Issuer, row: Any, *, person: str, session: str) -> None:
    """Note that this person has signed in, in this browser.

    Raises:
        InvalidRequest: the offer that started this is for somebody else.
        InvalidRequestUri: the request was answered meanwhile.
    """
    hash_ = person_hash(issuer, person)
    offer = await offer_for_state(issuer, row.request.get("issuer_state") or "")
    if offer is not None and offer.person_hash is not None and not compare_digest(offer.person_hash, hash_):
        raise InvalidRequest("this offer is for somebody else")
    sealed = issuer.seal(person.encode(), column="authorization.person", row=row.request_hash)
    until = issuer.until(issuer.settings.sign_in_lifetime)
    kept = await issuer.store.sign_in(
        row.request_hash, person=sealed, person_hash=hash_, session_hash=session_hash(issuer, session), until=until,
        now=issuer.clock(),
    )  # fmt: skip
    if not kept:
        raise InvalidRequestUri("this request was answered: start again in your wallet")


def is_signed_in(issuer: Issuer, row: Any, *, session: str | None) -> bool:
    """Tell whether this browser is the one in which the person signed in."""
    if row.state != AuthorizationState.SIGNED_IN or session is None:
        return False
    return compare_digest(row.session_hash, session_hash(issuer, session))


async def approve(issuer: Issuer, row: Any, *, session: str) -> str:
    """Give out a code, and return where to send the browser.

    Raises:
        InvalidRequestUri: another browser, or the request was answered meanwhile.
    """
    code = b64u_encode(secrets.token_bytes(_RANDOM_BYTES))
    approved = await issuer.store.approve(
        row.request_hash,
        session_hash=session_hash(issuer, session),
        code_hash=code_hash(issuer, code),
        until=issuer.until(issuer.settings.code_lifetime),
        now=issuer.clock(),
    )
    if not approved:
        raise InvalidRequestUri("this request was answered, or begun in another browser: start again in your wallet")
    return _answer(issuer, row, AuthorizationResponse(code=code))


async def deny(issuer: Issuer, row: Any, *, session: str) -> str:
    """End the request without a code, and return where to send the browser.

    Raises:
        InvalidRequestUri: another browser than that of the sign-in, or the request was answered meanwhile.
    """
    if not await issuer.store.deny(row.request_hash, session_hash=session_hash(issuer, session), now=issuer.clock()):
        raise InvalidRequestUri("this request was answered, or begun in another browser: start again in your wallet")
    refusal = AuthorizationResponse(error="access_denied", error_description="The person declined.")
    return _answer(issuer, row, refusal)


def request_hash(issuer: Issuer, handle: str) -> bytes:
    """Return what a pushed request is looked up by."""
    return issuer.hash("authorization request", handle.encode())


def session_hash(issuer: Issuer, session: str) -> bytes:
    """Return what a browser session is recognised by."""
    return issuer.hash("browser session", session.encode())


def code_hash(issuer: Issuer, code: str) -> bytes:
    """Return what an authorization code is looked up by."""
    return issuer.hash("code", code.encode())


def require_resource(issuer: Issuer, resources: Sequence[str] | None) -> None:
    """Demand that a `resource`, where there is one, is this credential issuer (OpenID4VCI 5.1.2, RFC 8707 2).

    Raises:
        InvalidTarget: it is another.
    """
    if any(each != issuer.url for each in resources or ()):
        raise InvalidTarget("the resource is not this credential issuer")


def _answer(issuer: Issuer, row: Any, response: AuthorizationResponse) -> str:
    complete = response.model_copy(update={"state": row.request.get("state"), "iss": issuer.url})
    return authorization_response_url(row.request["redirect_uri"], complete)


def _require_redirect_uri(issuer: Issuer, request: AuthorizationRequest) -> None:
    """Demand an exact registered URI; an attested wallet without registration may name its own (RFC 9126 2.4)."""
    registered = issuer.clients.get(request.client_id)
    if registered is None or (registered.authentication == "attest_jwt_client_auth" and not registered.redirect_uris):
        return
    if request.redirect_uri not in registered.redirect_uris:
        raise InvalidRequest("the redirect_uri is not one that this client has registered")


async def _requested(issuer: Issuer, request: AuthorizationRequest) -> Sequence[str]:
    """Return the configurations asked for: by details, by scope, or by the offer that the wallet started from (5.1)."""
    by_details = [each.credential_configuration_id for each in request.authorization_details or ()]
    if not set(by_details) <= set(issuer.configurations):
        raise InvalidAuthorizationDetails("an authorization detail names an unknown credential configuration")
    by_scope = [scope for scope in request.scopes if scope in issuer.configurations]  # 5.1.2: others are ignored
    found = list(dict.fromkeys([*by_details, *by_scope]))
    if found:
        return found
    if request.scope is not None:
        raise InvalidScope("the scope names no credential of this issuer")
    offer = await offer_for_state(issuer, request.issuer_state or "")
    if offer is None or offer.state != OfferState.OFFERED:
        raise InvalidScope("a scope or authorization_details must say which credential is wanted")
    return list(offer.configuration_ids)
