"""Access to the credential, deferred and notification endpoints: a token, and the key that it is bound to.

RFC 9449 7: the scheme is `DPoP`; the proof names the token (`ath`) and is made with the grant's key. RFC 8705 3: a
token that is bound to a client certificate comes as `Bearer`, over a connection with that certificate.
"""

from dataclasses import dataclass
from hmac import compare_digest
from typing import Any

from byoid.errors import HolderBindingError, MalformedInput
from byoid.keys import certificate_hash_b64u
from byoid.oauth.access_token import parse_authorization, require_scheme
from byoid.wire_errors import (
    InvalidDpopProof,
    InvalidResourceDpopProof,
    InvalidToken,
    MissingToken,
    UseDpopNonce,
    UseResourceDpopNonce,
)
from issuer.clients import HttpRequest, dpop_once, verify_dpop
from issuer.context import Issuer
from issuer.once import Once, spend


@dataclass(frozen=True)
class Access:
    """The grant of an access token. The operation must spend `once`, with whatever it does."""

    grant: Any
    once: tuple[Once, ...]


async def require_grant(issuer: Issuer, request: HttpRequest) -> Any:
    """Return the grant of the request's access token, and spend its proof; see `require_access`."""
    access = await require_access(issuer, request)
    await spend(issuer, access.once)
    return access.grant


async def require_access(issuer: Issuer, request: HttpRequest) -> Access:
    """Return the grant of the request's access token, and what of its proof is still to be spent.

    Raises:
        MissingToken: no token.
        InvalidToken: it is unknown, expired, revoked or bound to another key.
        InvalidResourceDpopProof: the proof is missing or wrong.
        UseResourceDpopNonce: the proof needs a nonce.
    """
    values = request.headers.get("authorization") or ()
    if not values:
        raise MissingToken("an access token is needed")
    try:
        (value,) = values
        token = parse_authorization(value)
    except (ValueError, MalformedInput) as error:
        raise InvalidToken("one access token of type DPoP is needed", detail=str(error)) from error
    grant = await issuer.store.grant_for_token(issuer.hash("access token", token.value.encode()), now=issuer.clock())
    if grant is None:
        raise InvalidToken("the access token is unknown, expired or revoked")
    try:
        require_scheme(token, bound=grant.dpop_jkt is not None)
    except HolderBindingError as error:
        raise InvalidToken("the access token came with another scheme than its type", detail=str(error)) from error
    if grant.dpop_jkt is None:
        _require_certificate(grant, request)
        return Access(grant, ())
    return Access(grant, (_verify_proof(issuer, request, token.value, grant),))


def grant_person(issuer: Issuer, grant: Any) -> str:
    """Return the register's key of the person that a grant is about."""
    return issuer.open(grant.person, column="grant.person", row=grant.id).decode()


def _require_certificate(grant: Any, request: HttpRequest) -> None:
    shown = certificate_hash_b64u(request.certificate) if request.certificate else ""
    if grant.certificate_hash is None or not compare_digest(shown, grant.certificate_hash):
        raise InvalidToken("the access token is bound to another client certificate")


def _verify_proof(issuer: Issuer, request: HttpRequest, token: str, grant: Any) -> Once:
    try:
        proof = verify_dpop(issuer, request, access_token=token, expected_jkt=grant.dpop_jkt)
    except UseDpopNonce as error:
        raise UseResourceDpopNonce(error.description, headers=error.headers) from error
    except InvalidDpopProof as error:
        raise InvalidResourceDpopProof(error.description, detail=error.detail) from error
    if proof is None:
        raise InvalidResourceDpopProof("a DPoP proof is needed")
    return dpop_once(issuer, proof, refusal=InvalidResourceDpopProof)
