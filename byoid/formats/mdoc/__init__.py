"""ISO/IEC 18013-5 mobile documents (mdoc), as OpenID4VP 1.0 Appendix B.2 and OpenID4VCI 1.0 Appendix A.2 use them.

Nothing is imported here: take what you need from `issue`, `present`, `verify` and `session`; `structures` and `mso` are
the CBOR structures beneath them. Engagement, NFC and BLE (proximity) are not part of byoid.
"""
