"""Who may sign which credential: what a signer must be trusted for follows from the credential's format and types.

ISO/IEC 18013-5 9.3.3 (mdocs are signed by document signers), ARF 2 annex 2 topics 3 and 27 (person identification data
by PID providers alone). What came along with a credential never chooses.
"""

from collections.abc import Collection, Iterable
from typing import Final

from byoid.errors import UntrustedIssuer
from byoid.trust.anchors import Purpose, TrustAnchor, TrustAnchors

PID_TYPES: Final = ("urn:eudi:pid:", "eu.europa.ec.eudi.pid.")  # how types of person identification data begin
_DOCUMENT_SIGNERS: Final = (Purpose.MDOC,)
_OTHER_SIGNERS: Final = (Purpose.PID, Purpose.ATTESTATION)


def is_pid(types: Iterable[str]) -> bool:
    """Say whether one of a credential's types is that of person identification data."""
    return any(each.startswith(PID_TYPES) for each in types)


def purposes_of_signers(*, mdoc: bool) -> tuple[Purpose, ...]:
    """Return what signers of credentials of a format can be trusted for."""
    return _DOCUMENT_SIGNERS if mdoc else _OTHER_SIGNERS


def demanded_purposes(types: Collection[str] | None, *, mdoc: bool) -> tuple[Purpose, ...]:
    """Return what the signer of a credential of one of these types must be trusted for; None for any type."""
    if mdoc or types is None:
        return purposes_of_signers(mdoc=mdoc)
    kinds = {is_pid((each,)) for each in types}
    return tuple(purpose for purpose in _OTHER_SIGNERS if (purpose is Purpose.PID) in kinds)


def require_pid_provider(types: Iterable[str], anchor: TrustAnchor, *, anchors: TrustAnchors) -> None:
    """Demand that whoever signed person identification data is trusted for them, whatever else it may sign.

    Args:
        types: all that the credential says it is, those under which it was not asked for included.
        anchor: where the signer's chain ends.
        anchors: the whole set, since one list may trust a certificate for mdocs and another for PIDs.

    Raises:
        UntrustedIssuer: one of the types is that of a PID, and no list trusts the anchor for PIDs.
    """
    if is_pid(types) and Purpose.PID not in anchors.purposes_of(anchor.certificate):
        raise UntrustedIssuer("person identification data must be signed by a trusted PID provider")
