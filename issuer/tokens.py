"""The token endpoint: a code, a pre-authorized code or a refresh token becomes an access token (OpenID4VCI 6)."""

import secrets
from collections.abc import Sequence
from typing import Any, Final, assert_never

from byoid.encoding import b64u_encode
from byoid.errors import MalformedInput, VerificationError
from byoid.oauth.authorization_details import GrantedAuthorizationDetail
from byoid.oauth.pkce import require_code_verifier
from byoid.oauth.token import (
    AuthorizationCodeTokenRequest,
    PreAuthorizedCodeTokenRequest,
    RefreshTokenRequest,
    TokenRequest,
    TokenResponse,
    require_tx_code,
)
from byoid.wire_errors import InvalidAuthorizationDetails, InvalidDpopProof, InvalidGrant, InvalidScope
from issuer import writes
from issuer.authorization import code_hash, require_resource
from issuer.clients import Client
from issuer.context import Issuer
from issuer.offers import PRE_AUTHORIZED, is_transaction_code, offer_for_code
from issuer.once import spend, spend_and_write
from issuer.tables import AuthorizationState, OfferState

_TOKEN_BYTES: Final = 32


async def issue_token(issuer: Issuer, request: TokenRequest, client: Client) -> TokenResponse:
    """Redeem a grant.

    Raises:
        InvalidGrant: wrong, used or expired, or not this client's.
        InvalidRequest: a transaction code is missing, or came uninvited.
        InvalidAuthorizationDetails: more is asked than was granted.
        InvalidScope: more is asked than was granted.
        InvalidTarget: for another credential issuer.
        InvalidDpopProof: no DPoP proof: no token is given out that its thief could use; or it was used before.
        OAuthError: another proof of the client was used before.
    """
    if client.dpop_jkt is None and client.certificate_hash is None:
        raise InvalidDpopProof("a DPoP proof is needed")
    require_resource(issuer, request.resource)
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
    if request.tx_code:
        await _guess_tx_code(issuer, offer, request.tx_code)
    granted = _narrow(offer.configuration_ids, request)
    person = issuer.open(offer.person, column="offer.person", row=offer.id_hash)
    grant = _Grant(issuer, client, granted, bool(request.authorization_details), person, offer.person_hash)
    steps = [writes.redeem_offer(offer.id_hash, now=issuer.clock()), writes.add_grant(grant.row())]
    await spend_and_write(issuer, client.once, steps, refusal=InvalidGrant("the pre-authorized code was used"))
    return grant.response()


async def _guess_tx_code(issuer: Issuer, offer: Any, code: str) -> None:
    """Count the guess before it is judged, so that a thousand at once are counted too (OpenID4VCI 13.6.2)."""
    limit = issuer.settings.tx_code_attempts
    if not await issuer.store.count_tx_guess(offer.id_hash, limit=limit):
        raise InvalidGrant("the offer is locked: too many wrong transaction codes")
    if not is_transaction_code(issuer, offer, code):
        if offer.tx_failures + 1 >= limit:
            await issuer.store.lock_offer(offer.id_hash)
        raise InvalidGrant("the transaction code is wrong")


async def _redeem_code(issuer: Issuer, request: AuthorizationCodeTokenRequest, client: Client) -> TokenResponse:
    hash_ = code_hash(issuer, request.code)
    found = await issuer.store.authorization_for_code(hash_)
    if found is None or found.client_id != client.client_id or found.request["redirect_uri"] != request.redirect_uri:
        raise InvalidGrant("the code is wrong, or is not this client's")
    _require_same_keys(found, client)
    try:
        require_code_verifier(request.code_verifier, challenge=found.request["code_challenge"])
    except (MalformedInput, VerificationError) as error:
        raise InvalidGrant("the code_verifier is missing or wrong", detail=str(error)) from error
    granted = _narrow(found.configuration_ids, request)
    person = issuer.open(found.person, column="authorization.person", row=found.request_hash)
    by_details = found.by_details or bool(request.authorization_details)
    grant = _Grant(issuer, client, granted, by_details, person, found.person_hash, hash_)
    if found.state == AuthorizationState.REDEEMED:  # RFC 6749 4.1.2: somebody has two copies of the code
        await spend(issuer, client.once)  # the same request again is no second copy of the code
        await issuer.store.revoke_grants_of_code(hash_)
        raise InvalidGrant("the code was used before; what it gave is revoked")
    steps = [writes.redeem_code(hash_, now=issuer.clock()), writes.add_grant(grant.row())]
    await spend_and_write(issuer, client.once, steps, refusal=InvalidGrant("the code was used or has expired"))
    return grant.response()


def _require_same_keys(found: Any, client: Client) -> None:
    """Demand the keys that the pushed request was made with (RFC 9449 10, ABCA 9), and its certificate."""
    bound = (found.instance_jkt, found.dpop_jkt, found.certificate_hash)
    shown = (client.instance_jkt, client.dpop_jkt, client.certificate_hash)
    if any(one not in {None, other} for one, other in zip(bound, shown, strict=True)):
        raise InvalidGrant("the code is bound to another key")


async def _refresh(issuer: Issuer, request: RefreshTokenRequest, client: Client) -> TokenResponse:
    refresh_hash = issuer.hash("refresh token", request.refresh_token.encode())
    grant = await issuer.store.grant_for_refresh(refresh_hash, now=issuer.clock())
    if grant is None or grant.client_id != client.client_id:
        raise InvalidGrant("the refresh token is wrong, revoked or expired, or is not this client's")
    _require_holder(grant, client)
    _narrow(grant.configuration_ids, request)
    token = _random()
    parameters = {
        "token_hash": issuer.hash("access token", token.encode()),
        "until": issuer.until(issuer.settings.access_token_lifetime),
        "dpop_jkt": client.dpop_jkt,
        "wallet_status": client.status.to_claim() if client.status else None,
        "wallet_until": client.status_maintained_until,
    }
    steps = [writes.rotate_token(refresh_hash, parameters)]
    await spend_and_write(issuer, client.once, steps, refusal=InvalidGrant("the refresh token was revoked"))
    offered = grant.code_hash is None
    return _response(issuer, client, token, None, grant.configuration_ids, by_details=grant.by_details, offered=offered)


def _require_holder(grant: Any, client: Client) -> None:
    """Demand the wallet to which a refresh token was given.

    It is bound to the client by its authentication, an attested one's instance key included (ABCA 9); the new access
    token is bound to the DPoP key of this request, which may be a new one. Who does not authenticate is bound by the
    DPoP key itself (RFC 9449 5).
    """
    if (grant.instance_jkt, grant.dpop_jkt is None) != (client.instance_jkt, client.dpop_jkt is None):
        raise InvalidGrant("the refresh token is bound to another key")
    if grant.dpop_jkt is None and grant.certificate_hash != client.certificate_hash:
        raise InvalidGrant("the refresh token is bound to another certificate")
    if not client.authenticated and grant.dpop_jkt != client.dpop_jkt:
        raise InvalidGrant("the refresh token is bound to another DPoP key")


class _Grant:
    """A grant on its way: the row to keep, and the response with the tokens that are never kept."""

    def __init__(  # the facts of a grant
        self, issuer: Issuer, client: Client, granted: Sequence[str], by_details: bool, person: bytes, hash_: bytes,
        code_hash: bytes | None = None,
    ) -> None:  # fmt: skip
        self._issuer, self._client, self._granted, self._by_details = issuer, client, granted, by_details
        self._person, self._person_hash, self._code_hash = person, hash_, code_hash
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
            "certificate_hash": client.certificate_hash,
            "instance_jkt": client.instance_jkt,
            "configuration_ids": list(self._granted),
            "by_details": self._by_details,
            "person": issuer.seal(self._person, column="grant.person", row=grant_id),
            "person_hash": self._person_hash,
            "code_hash": self._code_hash,
            "wallet_status": client.status.to_claim() if client.status else None,
            "wallet_until": client.status_maintained_until,
            "revoked": False,
            "created_at": issuer.clock(),
            "token_expires_at": issuer.until(settings.access_token_lifetime),
            "expires_at": issuer.until(settings.refresh_token_lifetime),
        }

    def response(self) -> TokenResponse:
        return _response(
            self._issuer, self._client, self._token, self._refresh, self._granted, by_details=self._by_details,
            offered=self._code_hash is None,
        )  # fmt: skip


def _response(
    issuer: Issuer, client: Client, token: str, refresh: str | None, granted: Sequence[str], *, by_details: bool,
    offered: bool,
) -> TokenResponse:  # fmt: skip
    details = None
    # 6.2: credential identifiers; each configuration has one dataset, named like it. Whoever redeems an offer asked in
    # no way, so that some wallets, and the conformance suite, await them: `credentials.py` takes both names then.
    if by_details or offered:
        details = tuple(
            GrantedAuthorizationDetail(credential_configuration_id=each, credential_identifiers=(each,))
            for each in granted
        )
    return TokenResponse(
        access_token=token,
        token_type="DPoP" if client.dpop_jkt else "Bearer",
        expires_in=int(issuer.settings.access_token_lifetime.total_seconds()),
        refresh_token=refresh,
        scope=None if by_details else " ".join(granted),
        authorization_details=details,
    )


def _narrow(granted: Sequence[str], request: TokenRequest) -> Sequence[str]:
    """Return what is asked of what was granted: a token request may narrow, never widen (RFC 6749 6, RFC 9396 6)."""
    asked = [detail.credential_configuration_id for detail in request.authorization_details or ()]
    if not set(asked) <= set(granted):
        raise InvalidAuthorizationDetails("more is asked than was granted")
    scopes = (request.scope or "").split()
    if not asked and not set(scopes) <= set(granted):
        raise InvalidScope("more is asked than was granted")
    return list(dict.fromkeys(asked or scopes or granted))


def _random() -> str:
    return b64u_encode(secrets.token_bytes(_TOKEN_BYTES))
