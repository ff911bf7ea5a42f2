"""Answers to verifiers: packed as the request wants them, and errors told only to those who were authenticated.

Spec: OpenID4VP 1.0 sections 8.2, 8.3 (encryption), 8.5 (errors), 15.1 (consent). ARF RPA_11: a refusal, and that
nothing fits, look the same to the verifier.
"""

from collections.abc import Mapping
from typing import Final

from byoid.errors import ClaimMismatch, MalformedInput, OAuthError, PeerError
from byoid.presentation.client_id import require_permitted_uri
from byoid.presentation.request import DIRECT_POST, AuthorizationRequest, ClientMetadata, require_https
from byoid.presentation.request_object import AuthenticatedRequest
from byoid.presentation.response import (
    ErrorResponse,
    Response,
    choose_response_encryption,
    encrypt_response,
    to_form,
)
from byoid.wire_errors import AccessDenied, InvalidRequest
from wallet.asked import PendingConsent
from wallet.context import Wallet

DECLINED: Final = AccessDenied("The request was declined.")


def response_form(response: Response, *, request: AuthorizationRequest, metadata: ClientMetadata) -> Mapping[str, str]:
    """Return the form to post: encrypted if the request demands it.

    Raises:
        InvalidRequest: it demands it, and there is no key that we can encrypt to.
    """
    if not request.encrypted:
        return to_form(response)
    return {"response": encrypt_response(response, choose_response_encryption(metadata))}


def error_form(error: OAuthError, *, request: AuthorizationRequest, metadata: ClientMetadata) -> Mapping[str, str]:
    """Return the form of an error: in the clear where it cannot be encrypted (8.3.1). The description stays here."""
    response = ErrorResponse(error=error.code, state=request.state)
    try:
        return response_form(response, request=request, metadata=metadata)
    except InvalidRequest:
        return to_form(response)


def refusal_form(wallet: Wallet, authenticated: AuthenticatedRequest, error: OAuthError) -> Mapping[str, str] | None:
    """Return the form that says why a request is refused, if the verifier may know: it signed, the address is its own.

    Whether it is sent is the citizen's decision (15.1).
    """
    request, client = authenticated.request, authenticated.client
    if not client.signed or request.response_mode not in DIRECT_POST or request.response_uri is None:
        return None
    try:
        require_https(
            request.response_uri, what="response_uri", allow_loopback_http=wallet.verifiers.allow_loopback_http
        )
        require_permitted_uri(client, request, trust=wallet.verifiers.trust)
    except (MalformedInput, ClaimMismatch):
        return None
    return error_form(error, request=request, metadata=authenticated.metadata)


async def tell_declined(wallet: Wallet, pending: PendingConsent) -> str | None:
    """Tell a verifier that there will be no presentation; return where the browser is to go, if anywhere.

    Only one that signed is told: to anybody else even an error would say that somebody is here.
    """
    if not pending.asker.signed:
        return None
    form = error_form(DECLINED, request=pending.authorization_request, metadata=pending.client_metadata)
    try:
        return await wallet.verifiers.respond(pending.authorization_request.response_uri or "", form)
    except PeerError:
        return None  # the citizen hears about the matter itself; that the verifier could not be told is minor
