"""The token endpoint: a code, a pre-authorized code or a refresh token becomes an access token (OpenID4VCI 6)."""

import secrets
from collections.abc import Sequence
from typing import Any, Final, assert_never

from byoid.encoding import b64u_encode
from byoid.oauth.authorization_details import AuthorizationDetail, GrantedAuthorizationDetail
from byoid.oauth.pkce import require_code_verifier
from byoid.oauth.token import (
    AuthorizationCodeTokenRequest,
    PreAuthorizedCodeTokenRequest,
    RefreshTokenRequest,
    TokenRequest,
    TokenResponse,
    require_tx_code,
)
from byoid.wire_errors import InvalidAuthorizationDetails, InvalidDpopProof, InvalidGrant
from issuer.clients import Client
from issuer.context import Issuer
from issuer.offers import PRE_AUTHORIZED, is_transaction_code, offer_for_code
from issuer.tables import OfferState

_TOKEN_BYTES: Final = 32


async def issue_token(issuer: Issuer, request: TokenRequest, client: Client) -> TokenResponse:
    """Redeem a grant.

    Raises:
        InvalidGrant: wrong, used or expired, or not this client's.
        InvalidRequest: a transaction code is missing, or came uninvited.
        InvalidDpopProof: no DPoP proof: no token is given out that its thief could use.
    """
    if client.dpop_jkt is None:
        raise InvalidDpopProof("a DPoP proof is needed")
    match request:
        case PreAuthorizedCodeTokenRequest():
            return await _redeem_offer(issuer, request, client)
        case AuthorizationCodeTokenRequest():
            return await _redeem_code(issuer, request, client)
        case RefreshTokenRequest():
            return await _refresh(issuer, request, client)
        case _:
            assert_never(request)


async def _redeem_offer(issuer: Issuer, request: PreAuthorizedCodeTokenRequest, client: Client) -> TokenResponse:
    offer = await offer_for_code(issuer, request.pre_authorized_code)
    if offer is None or offer.state != OfferState.OFFERED or offer.grant != PRE_AUTHORIZED:
        raise InvalidGrant("the pre-authorized code is wrong, was used or has expired")
    require_tx_code(request, expected=offer.tx_code_hash is not None)
    if request.tx_code and not is_transaction_code(issuer, offer, request.tx_code):
        await issuer.store.count_tx_failure(offer.id_hash, limit=issuer.settings.tx_code_attempts)
        raise InvalidGrant("the transaction code is wrong")
    granted = _narrow(offer.configuration_ids, request.authorization_details)
    person = issuer.open(offer.person, column="offer.person", row=offer.id_hash)
    grant = _Grant(issuer, client, granted, bool(request.authorization_details), person, offer.person_hash)
    async with issuer.store.transaction() as tx:
        if not await issuer.store.redeem_offer(tx, offer.id_hash, now=issuer.clock()):
            raise InvalidGrant("the pre-authorized code was used")
        await issuer.store.add_grant(tx, grant.row())
    return grant.response()


async def _redeem_code(issuer: Issuer, request: AuthorizationCodeTokenRequest, client: Client) -> TokenResponse:
    code_hash = issuer.hash("code", request.code.encode())
    found = await issuer.store.authorization_for_code(code_hash)
    if found is None or found.client_id != client.client_id or found.request["redirect_uri"] != request.redirect_uri:
        raise InvalidGrant("the code is wrong, or is not this client's")
    if found.instance_jkt not in {None, client.instance_jkt} or found.dpop_jkt not in {None, client.dpop_jkt}:
        raise InvalidGrant("the code is bound to another key")
    require_code_verifier(request.code_verifier, challenge=found.request["code_challenge"])
    granted = _narrow(found.configuration_ids, request.authorization_details)
    person = issuer.open(found.person, column="authorization.person", row=found.request_hash)
    by_details = found.by_details or bool(request.authorization_details)
    grant = _Grant(issuer, client, granted, by_details, person, found.person_hash)
    async with issuer.store.transaction() as tx:
        if not await issuer.store.redeem_code(tx, code_hash, now=issuer.clock()):
            raise InvalidGrant("the code was used or has expired")
        await issuer.store.add_grant(tx, grant.row())
    return grant.response()


async def _refresh(issuer: Issuer, request: RefreshTokenRequest, client: Client) -> TokenResponse:
    refresh_hash = issuer.hash("refresh token", request.refresh_token.encode())
    grant = await issuer.store.grant_for_refresh(refresh_hash, now=issuer.clock())
    if grant is None or grant.client_id != client.client_id:
        raise InvalidGrant("the refresh token is wrong, revoked or expired, or is not this client's")
    # Attested wallets are bound by their instance key, which may outlive a DPoP key (OpenID4VCI 14.5, ABCA 9).
    bound, shown = (
        (grant.instance_jkt, client.instance_jkt) if grant.instance_jkt else (grant.dpop_jkt, client.dpop_jkt)
    )
    if bound != shown:
        raise InvalidGrant("the refresh token is bound to another key")
    if client.dpop_jkt != grant.dpop_jkt:
        raise InvalidGrant("the refresh token is bound to another DPoP key")
    token = _random()
    async with issuer.store.transaction() as tx:
        until = issuer.until(issuer.settings.access_token_lifetime)
        token_hash = issuer.hash("access token", token.encode())
        if not await issuer.store.rotate_token(tx, refresh_hash, token_hash=token_hash, until=until):
            raise InvalidGrant("the refresh token was revoked")
    return _response(issuer, token, None, grant.configuration_ids, by_details=grant.by_details)


class _Grant:
    """A grant on its way: the row to keep, and the response with the tokens that are never kept."""

    def __init__(  # the facts of a grant
        self, issuer: Issuer, client: Client, granted: Sequence[str], by_details: bool, person: bytes, hash_: bytes
    ) -> None:
        self._issuer, self._client, self._granted, self._by_details = issuer, client, granted, by_details
        self._person, self._person_hash = person, hash_
        self._token, self._refresh = _random(), _random()

    def row(self) -> dict[str, Any]:
        issuer, client, settings = self._issuer, self._client, self._issuer.settings
        grant_id = _random()
        return {
            "id": grant_id,
            "agency_id": settings.agency_id,
            "token_hash": issuer.hash("access token", self._token.encode()),
            "refresh_hash": issuer.hash("refresh token", self._refresh.encode()),
            "client_id": client.client_id,
            "dpop_jkt": client.dpop_jkt,
            "certificate_hash": None,
            "instance_jkt": client.instance_jkt,
            "configuration_ids": list(self._granted),
            "by_details": self._by_details,
            "person": issuer.seal(self._person, column="grant.person", row=grant_id),
            "person_hash": self._person_hash,
            "revoked": False,
            "created_at": issuer.clock(),
            "token_expires_at": issuer.until(settings.access_token_lifetime),
            "expires_at": issuer.until(settings.refresh_token_lifetime),
        }

    def response(self) -> TokenResponse:
        return _response(self._issuer, self._token, self._refresh, self._granted, by_details=self._by_details)


def _response(
    issuer: Issuer, token: str, refresh: str | None, granted: Sequence[str], *, by_details: bool
) -> TokenResponse:
    details = None
    if by_details:  # 6.2: credential identifiers; each configuration has one dataset, named like it
        details = tuple(
            GrantedAuthorizationDetail(credential_configuration_id=each, credential_identifiers=(each,))
            for each in granted
        )
    return TokenResponse(
        access_token=token,
        token_type="DPoP",  # noqa: S106  # a type of tokens
        expires_in=int(issuer.settings.access_token_lifetime.total_seconds()),
        refresh_token=refresh,
        scope=None if by_details else " ".join(granted),
        authorization_details=details,
    )


def _narrow(granted: Sequence[str], details: Sequence[AuthorizationDetail] | None) -> Sequence[str]:
    """Return what is asked of what was granted (6.1.1: a request may narrow, never widen)."""
    if not details:
        return granted
    asked = [detail.credential_configuration_id for detail in details]
    if not set(asked) <= set(granted):
        raise InvalidAuthorizationDetails("more is asked than was granted")
    return list(dict.fromkeys(asked))


def _random() -> str:
    return b64u_encode(secrets.token_bytes(_TOKEN_BYTES))
