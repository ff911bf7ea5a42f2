"""The status of a wallet and of its keys, as their provider publishes it: asked before anything is issued.

Token Status List 8.3; EUDI TS3 (WUA_36, VCR_12a): no answer counts as no. The daily look at what was issued before is
`wallet_status.py`.
"""

from collections.abc import Iterable

from byoid.errors import ByoidError, Revoked, StatusUnavailable, Suspended
from byoid.formats.status_list import StatusList, StatusReference, parse_status_list_token, verify_status_list_token
from byoid.trust.anchors import Purpose
from byoid.trust.x509 import verify_chain
from issuer.context import Issuer

_VALID, _SUSPENDED = 0, 2


async def require_valid_status(issuer: Issuer, references: Iterable[StatusReference | None]) -> None:
    """Demand that each of these is valid now; without a reference there is nothing to demand.

    Raises:
        Revoked: the wallet provider has revoked one.
        Suspended: the wallet provider has suspended one.
        StatusUnavailable: a list cannot be had or does not verify.
    """
    for reference in {each for each in references if each is not None}:
        status = await status_of(issuer, reference)
        if status == _SUSPENDED:
            raise Suspended("the wallet provider has suspended the wallet or its keys")
        if status != _VALID:
            raise Revoked("the wallet provider has revoked the wallet or its keys")


async def status_of(issuer: Issuer, reference: StatusReference) -> int:
    """Return the published status at a reference (Token Status List 7.1).

    Raises:
        StatusUnavailable: the list cannot be had, does not verify, or has no such place.
    """
    now, uri = issuer.clock(), reference.uri
    token = (await issuer.statuses.tokens([uri], now=now)).get(uri)
    if token is None:
        raise StatusUnavailable("the wallet provider's status list cannot be fetched")
    found = token if isinstance(token, StatusList) else _verified(issuer, uri, token)
    issuer.statuses.keep({uri: found}, now=now)
    return found.status_at(reference.index)


def _verified(issuer: Issuer, uri: str, raw: bytes) -> StatusList:
    now = issuer.clock()
    try:
        token = parse_status_list_token(raw)
        chain = verify_chain(
            token.x5c, anchors=issuer.trust.anchors, purpose=Purpose.STATUS, now=now, cache=issuer.trust.cache
        )
        return verify_status_list_token(token, uri=uri, key=chain.public_key, now=now)
    except StatusUnavailable:
        raise
    except ByoidError as error:
        raise StatusUnavailable(f"the wallet provider's status list does not verify: {error}") from error
