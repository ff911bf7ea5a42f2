"""Reading a certificate that a stranger made, so that whatever is looked at later can be looked at.

RFC 5280 4.1 and 4.2. Nothing about the certificate is believed here.
"""

from typing import Final

from cryptography import x509

from byoid.errors import MalformedInput

# What `cryptography` says of certificates and revocation lists, some of it only when an extension is looked at.
UNREADABLE: Final = (
    ValueError, TypeError, KeyError, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType,
)  # fmt: skip


def parse_certificate(der: bytes) -> x509.Certificate:
    """Parse a certificate with its names and extensions, which `cryptography` itself would leave for later.

    Raises:
        MalformedInput: not a certificate of version 3 or less, or one with names or extensions that cannot be read.
    """
    try:
        certificate = x509.load_der_x509_certificate(der)
        _ = certificate.subject, certificate.issuer, certificate.extensions
    except UNREADABLE as error:
        raise MalformedInput("expected a DER certificate whose names and extensions can be read") from error
    return certificate
