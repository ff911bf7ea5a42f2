"""Credential formats: SD-JWT VC, ISO mdoc, and the token status list that both refer to.

Formats verify with a key that they are given; whether that key belongs to an issuer who is trusted for this purpose is
the business of `byoid.trust` and of the caller's policy. Nothing here fetches or tells the time.
"""

from typing import Final

SD_JWT_VC: Final = "dc+sd-jwt"  # Credential Format Identifiers (OpenID4VCI 1.0 A.2, A.3)
MSO_MDOC: Final = "mso_mdoc"
