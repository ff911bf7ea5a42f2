"""Access to the credential, deferred and notification endpoints: a token, and the key that it is bound to.

RFC 9449 7: the scheme is `DPoP`; the proof names the token (`ath`) and is made with the grant's key.
"""

from typing import Any

from byoid.wire_errors import (
    InvalidDpopProof,
    InvalidResourceDpopProof,
    InvalidToken,
    UseDpopNonce,
    UseResourceDpopNonce,
)
from issuer.clients import HttpRequest, take_dpop_proof
from issuer.context import Issuer

_SCHEME = "dpop "


async def require_grant(issuer: Issuer, request: HttpRequest) -> Any:
    """Return the grant of the request's access token.

    Raises:
        InvalidToken: no token, or it is unknown, expired, revoked or bound to another key.
        InvalidResourceDpopProof: the proof is missing, wrong or used before.
        UseResourceDpopNonce: the proof needs a nonce.
    """
    (authorization,) = request.headers.get("authorization") or ("",)
    if authorization[: len(_SCHEME)].lower() != _SCHEME:
        raise InvalidToken("an access token of type DPoP is needed")
    token = authorization[len(_SCHEME) :].strip()
    grant = await issuer.store.grant_for_token(issuer.hash("access token", token.encode()), now=issuer.clock())
    if grant is None:
        raise InvalidToken("the access token is unknown, expired or revoked")
    try:
        proof = await take_dpop_proof(issuer, request, access_token=token, expected_jkt=grant.dpop_jkt)
    except UseDpopNonce as error:
        raise UseResourceDpopNonce(error.description, headers=error.headers) from error
    except InvalidDpopProof as error:
        raise InvalidResourceDpopProof(error.description, detail=error.detail) from error
    if proof is None:
        raise InvalidResourceDpopProof("a DPoP proof is needed")
    return grant


def grant_person(issuer: Issuer, grant: Any) -> str:
    """Return the register's key of the person that a grant is about."""
    return issuer.open(grant.person, column="grant.person", row=grant.id).decode()
