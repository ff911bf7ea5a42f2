"""The login at an issuer: the browser goes there with a pushed request, and comes back to the session that sent it.

OpenID4VCI 1.0 5, RFC 9126 (PAR), RFC 7636 (PKCE), RFC 9207 (mix-up), RFC 9449 10 (`dpop_jkt`), HAIP 1.0 4.3.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from byoid.errors import ClaimMismatch, PeerError
from byoid.message import parse_message
from byoid.oauth.authorization import AuthorizationRequest, AuthorizationResponse, verify_authorization_response
from byoid.oauth.authorization_details import TYPE as OPENID_CREDENTIAL
from byoid.oauth.authorization_details import AuthorizationDetail
from byoid.oauth.pkce import code_challenge, create_code_verifier
from byoid.oauth.token import AuthorizationCodeTokenRequest
from wallet.collecting import abandon, abandoned_on_failure, conversation_of, redeem_and_collect
from wallet.contents import ItemNotFound
from wallet.context import Visit, Wallet
from wallet.history import Reason
from wallet.keeping import Received
from wallet.messages import message_id
from wallet.receipts import Receipt, Stage, change_receipt, load_receipt, resume, start_conversation

CALLBACK_PATH: Final = "/callback"
_STATE_SEPARATOR: Final = "."


@dataclass(frozen=True)
class GoTo:
    """The browser must go to the issuer's login."""

    url: str


async def send_to_login(wallet: Wallet, visit: Visit, receipt: Receipt) -> GoTo:
    """Push the request and return where the browser must go.

    Raises:
        PeerError, MalformedInput: the server refused or answered nonsense; the receipt is over.
    """
    conversation = start_conversation(receipt.issuer).model_copy(
        update={
            "state": f"{receipt.id}{_STATE_SEPARATOR}{secrets.token_urlsafe(32)}",
            "code_verifier": create_code_verifier(),
        }
    )
    grant, details = receipt.grants.authorization_code, _details(receipt)
    metadata = receipt.issuer.metadata
    issuance = resume(wallet, visit, receipt.issuer, conversation)
    request = AuthorizationRequest(
        client_id=wallet.settings.client_id,
        redirect_uri=_redirect_uri(wallet),
        code_challenge=code_challenge(conversation.code_verifier or ""),
        state=conversation.state,
        scope=_scope(receipt),
        authorization_details=details,
        issuer_state=grant.issuer_state if grant else None,
        resource=(metadata.credential_issuer,) if metadata.authorization_servers and _scope(receipt) else None,
        dpop_jkt=issuance.dpop_key.public.thumbprint_b64u,
    )
    async with abandoned_on_failure(wallet, visit, receipt):
        url = await issuance.push(request)
        await change_receipt(visit, receipt, stage=Stage.AUTHORIZING, conversation=conversation)
    return GoTo(url)


async def complete_authorization(wallet: Wallet, visit: Visit, parameters: Mapping[str, str | list[str]]) -> Received:
    """Take the browser back from the issuer's login, and get the credentials.

    Raises:
        ClaimMismatch: it answers no login of this citizen, or comes from another server (RFC 9207).
        PeerError: the citizen or the server refused.
        as `keep`.
    """
    response = parse_message(AuthorizationResponse, parameters)
    receipt = await _receipt_of_state(wallet, visit, response.state)
    receipt.require(Stage.AUTHORIZING)
    conversation, server = conversation_of(receipt), receipt.issuer.server
    try:
        code = verify_authorization_response(
            response,
            state=conversation.state or "",
            issuer=server.issuer,
            iss_supported=server.authorization_response_iss_parameter_supported,
        )
    except PeerError as error:
        await abandon(wallet, visit, receipt, reason=Reason.FAILED, error=message_id(error))
        raise
    receipt = await change_receipt(visit, receipt, stage=Stage.REDEEMING)  # whoever comes second is refused
    request = AuthorizationCodeTokenRequest(
        client_id=wallet.settings.client_id,
        code=code,
        redirect_uri=_redirect_uri(wallet),
        code_verifier=conversation.code_verifier,
    )
    details = None if _scope(receipt) else _details(receipt)  # 6.2: the token names them where nothing else was asked
    return await redeem_and_collect(wallet, visit, receipt, request, details=details)


async def _receipt_of_state(wallet: Wallet, visit: Visit, state: str | None) -> Receipt:
    try:
        return await load_receipt(wallet, visit, (state or "").partition(_STATE_SEPARATOR)[0])
    except ItemNotFound:
        raise ClaimMismatch("the authorization response answers no login of this citizen") from None


def _details(receipt: Receipt) -> tuple[AuthorizationDetail, ...] | None:
    """Return authorization details where the server takes them, or where a configuration has no scope (5.1.1)."""
    supported = receipt.issuer.server.authorization_details_types_supported or ()
    if _scope(receipt) and OPENID_CREDENTIAL not in supported:
        return None
    metadata = receipt.issuer.metadata
    locations = (metadata.credential_issuer,) if metadata.authorization_servers else None
    return tuple(
        AuthorizationDetail(credential_configuration_id=wanted.configuration_id, locations=locations)
        for wanted in receipt.content.wanted
    )


def _scope(receipt: Receipt) -> str | None:
    """Return the scope, also where there are details: HAIP 4.2 wants it. Configurations may share one (12.2.4)."""
    found = [receipt.configuration(wanted.configuration_id).scope for wanted in receipt.content.wanted]
    scopes = [scope for scope in found if scope]
    return " ".join(dict.fromkeys(scopes)) if len(scopes) == len(found) else None


def _redirect_uri(wallet: Wallet) -> str:
    return wallet.settings.public_url + CALLBACK_PATH
