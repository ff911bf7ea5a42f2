"""The registration of a relying party: what it may ask for, looked at before it asks.

OpenID4VP 1.0 5.11, ETSI TS 119 475. Wallets compare the registration with each request and warn their person; a service
should learn that when it writes its query, and not from its customers.
"""

from datetime import datetime

from byoid.errors import ByoidError, UntrustedIssuer
from byoid.presentation.dcql import DcqlQuery
from byoid.presentation.request import VerifierInfo
from byoid.presentation.verifier_info import REGISTRATION_CERTIFICATE
from byoid.signing import Signer
from byoid.trust.anchors import Purpose, TrustAnchors
from byoid.trust.registration import Excess, Registration, verify_registration
from byoid.trust.x509 import verify_chain


class BeyondRegistration(ByoidError):
    """A query asks for more than the relying party is registered for; `excess` says what."""

    def __init__(self, excess: tuple[Excess, ...]) -> None:
        named = ", ".join(_name(each) for each in excess)
        super().__init__(f"not registered: {named}")
        self.excess = excess


def read_registration(jwt: str, *, signer: Signer, anchors: TrustAnchors, now: datetime) -> Registration:
    """Verify one's own registration certificate beside one's own access certificate.

    Raises:
        UntrustedIssuer: the signer has no certificate, or no anchor leads to one of both.
        MalformedInput, VerificationError: as of `verify_registration`.
    """
    if not signer.x5c:
        raise UntrustedIssuer("a registration needs an access certificate")
    access = verify_chain(signer.x5c, anchors=anchors, purpose=Purpose.ACCESS, now=now)
    return verify_registration(jwt, access=access, anchors=anchors, now=now)


def require_registered(registration: Registration, query: DcqlQuery) -> None:
    """Refuse a query that asks for more than is registered.

    Raises:
        BeyondRegistration: it does.
    """
    if excess := registration.excess(query.to_wire()):
        raise BeyondRegistration(excess)


def verifier_info(jwt: str) -> VerifierInfo:
    """Return a registration certificate as a request carries it."""
    return VerifierInfo(format=REGISTRATION_CERTIFICATE, data=jwt)


def _name(excess: Excess) -> str:
    if excess.path is None:
        return f"credential {excess.query_id}"
    return f"{excess.query_id}: {'.'.join('*' if part is None else str(part) for part in excess.path)}"
