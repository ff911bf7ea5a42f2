"""Whether the registration of who asks still stands: its place in the registrar's status list.

ETSI TS 119 475 (claim `status`), Token Status List 8.3, ARF RPRC_17. A registration that was revoked, or whose status
nobody can tell, counts as none: what it says about name, purpose and contacts is not shown either.
"""

from dataclasses import replace
from typing import Final

from byoid.errors import ByoidError
from byoid.formats.status_list import StatusReference
from byoid.presentation.authentication import Authenticated, AuthenticPresentation
from byoid.presentation.issuer_trust import TrustedIssuer
from byoid.presentation.request_object import AuthenticRequest
from byoid.presentation.status import StatusPolicy, judge_status, verify_statuses
from byoid.presentation.verifier_info import VerifierRegistration
from byoid.trust.registration import TYPE, Registration
from wallet.context import Wallet

_POLICY: Final = StatusPolicy()


async def with_standing_registrations(wallet: Wallet, request: AuthenticRequest) -> AuthenticRequest:
    """Return the request with its registrations, or with none if one of them does not stand any more."""
    found = request.registration
    try:
        for registration in found.registrations:
            await _require_standing(wallet, registration)
    except ByoidError as error:
        return replace(request, registration=VerifierRegistration((), (), (*found.refused, error)))
    return request


async def _require_standing(wallet: Wallet, registration: Registration) -> None:
    """Look a registration up, as a verifier looks a credential up.

    Raises:
        MalformedInput: its status claim is not one.
        Revoked, Suspended, StatusUnavailable: it does not stand, or nobody can tell.
    """
    reference = StatusReference.stated(registration.status)
    if reference is None:
        return
    chain, now, cache = registration.chain, wallet.clock(), wallet.verifiers.statuses
    presented = AuthenticPresentation(
        query_id="registration",
        index=0,
        format=TYPE,
        types=(),
        claims={},
        holder_bound=False,
        holder_key=None,
        issuer=TrustedIssuer(chain.public_key, registration.name, chain),
        status=reference,
    )
    tokens = await cache.tokens([reference.uri], now=now)
    statuses = verify_statuses(
        tokens,
        authenticated=Authenticated((presented,), ()),
        now=now,
        anchors=wallet.trust.anchors,
        cache=wallet.trust.cache,
    )
    cache.keep(statuses, now=now)
    judge_status(presented, statuses=statuses, now=now, policy=_POLICY)
