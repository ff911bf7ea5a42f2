"""What the High Assurance Interoperability Profile demands of a presentation request beyond OpenID4VP.

Spec: HAIP 1.0 section 5, 5.1 (redirects), 5.2 (Digital Credentials API). For verifiers that promise it, and for wallets
that insist on it. Binding the redirect back to the person's session is the application's.
"""

from typing import Final

from byoid.presentation.client_id import Prefix
from byoid.presentation.dcql import MSO_MDOC, SD_JWT_VC
from byoid.presentation.request import AuthorizationRequest, ClientMetadata
from byoid.presentation.response import PREFERRED_ENC, choose_response_encryption
from byoid.wire_errors import InvalidRequest, VpFormatsNotSupported

ENCRYPTED_MODES: Final = ("direct_post.jwt", "dc_api.jwt")
FORMATS: Final = frozenset({SD_JWT_VC, MSO_MDOC})


def require_haip(request: AuthorizationRequest, *, signed: bool) -> None:
    """Demand the profile of a request.

    Args:
        request: the request.
        signed: whether it came in a request object, which redirects always need.

    Raises:
        InvalidRequest: not encrypted, not signed by redirect, not `x509_hash`, or without the key and both algorithms.
        VpFormatsNotSupported: a format outside the profile.
    """
    if request.response_mode not in ENCRYPTED_MODES:
        raise InvalidRequest("HAIP needs an encrypted response")  # 5.1, 5.2
    if not signed and request.response_mode == "direct_post.jwt":
        raise InvalidRequest("HAIP needs a signed request")  # 5.1
    if signed and not (request.client_id or "").startswith(f"{Prefix.X509_HASH}:"):
        raise InvalidRequest("HAIP needs the client identifier prefix x509_hash")  # 5
    metadata = request.client_metadata or ClientMetadata()
    choose_response_encryption(metadata)  # 5: ECDH-ES on P-256
    if not set(PREFERRED_ENC) <= set(metadata.response_encs):
        raise InvalidRequest("HAIP needs A128GCM and A256GCM among the algorithms for the response")  # 5
    if not FORMATS.issuperset(each.format for each in request.query.credentials):
        raise VpFormatsNotSupported("HAIP knows dc+sd-jwt and mso_mdoc")  # 5.3
