"""byoid: bring your own identity. Issue, hold, present and verify digital credentials on open standards.

What most users need is here; the rest is in the modules, each of which names its spec. Nothing is imported before it is
used (PEP 562), so that `import byoid` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from byoid.errors import ByoidError as ByoidError
    from byoid.errors import ResponseRejected as ResponseRejected
    from byoid.errors import VerificationError as VerificationError
    from byoid.formats.mdoc.issue import prepare_mdoc as prepare_mdoc
    from byoid.formats.sd_jwt_vc import HeldSdJwtVc as HeldSdJwtVc
    from byoid.formats.sd_jwt_vc import prepare_sd_jwt_vc as prepare_sd_jwt_vc
    from byoid.keys import PrivateKey as PrivateKey
    from byoid.keys import PublicKey as PublicKey
    from byoid.presentation.authentication import PresentationRequest as PresentationRequest
    from byoid.presentation.authentication import authenticate as authenticate
    from byoid.presentation.dcql import DcqlQuery as DcqlQuery
    from byoid.presentation.issuer_trust import X509Trust as X509Trust
    from byoid.presentation.status import verify_statuses as verify_statuses
    from byoid.presentation.verify import VerifiedResponse as VerifiedResponse
    from byoid.presentation.verify import accept as accept
    from byoid.presentation.verify import verify_vp_token as verify_vp_token
    from byoid.signing import Signer as Signer
    from byoid.signing import SoftwareSigner as SoftwareSigner
    from byoid.signing import sign as sign
    from byoid.trust.anchors import Purpose as Purpose
    from byoid.trust.anchors import TrustAnchors as TrustAnchors

_HOME: Final = {
    "ByoidError": "byoid.errors",
    "DcqlQuery": "byoid.presentation.dcql",
    "HeldSdJwtVc": "byoid.formats.sd_jwt_vc",
    "PresentationRequest": "byoid.presentation.authentication",
    "PrivateKey": "byoid.keys",
    "PublicKey": "byoid.keys",
    "Purpose": "byoid.trust.anchors",
    "ResponseRejected": "byoid.errors",
    "Signer": "byoid.signing",
    "SoftwareSigner": "byoid.signing",
    "TrustAnchors": "byoid.trust.anchors",
    "VerificationError": "byoid.errors",
    "VerifiedResponse": "byoid.presentation.verify",
    "X509Trust": "byoid.presentation.issuer_trust",
    "accept": "byoid.presentation.verify",
    "authenticate": "byoid.presentation.authentication",
    "prepare_mdoc": "byoid.formats.mdoc.issue",
    "prepare_sd_jwt_vc": "byoid.formats.sd_jwt_vc",
    "sign": "byoid.signing",
    "verify_statuses": "byoid.presentation.status",
    "verify_vp_token": "byoid.presentation.verify",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _HOME:
        raise AttributeError(f"module 'byoid' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOME[name]), name)
    return value
