"""The session transcript, and what the mdoc's device authenticates over it.

Spec: OpenID4VP 1.0 B.2.6.1 (redirects) and B.2.6.2 (Digital Credentials API); ISO/IEC 18013-5 9.1.3.4
(DeviceAuthentication), 9.1.3.5 (the key of a device MAC), 9.1.5.1 (SessionTranscript).
"""

from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from byoid.cbor import cbor_dumps, encode_tag24, encode_text
from byoid.encoding import sha256
from byoid.keys import PrivateKey, PublicKey

THUMBPRINT_BYTES: Final = 32
MAC_KEY_BYTES: Final = 32


def session_transcript_redirect(client_id: str, nonce: str, response_uri: str, jwk_thumbprint: bytes | None) -> bytes:
    """Return the encoded SessionTranscript of a request by redirects (B.2.6.1).

    Args:
        client_id: as in the request, with its prefix.
        nonce: as in the request.
        response_uri: the `response_uri` or `redirect_uri` of the request, whichever its response mode uses.
        jwk_thumbprint: of the key that the response is encrypted to, 32 raw bytes; None if it is not encrypted.
    """
    _require_thumbprint(jwk_thumbprint)
    return _session_transcript("OpenID4VPHandover", [client_id, nonce, jwk_thumbprint, response_uri])


def session_transcript_dc_api(origin: str, nonce: str, jwk_thumbprint: bytes | None) -> bytes:
    """Return the encoded SessionTranscript of a request by the Digital Credentials API (B.2.6.2).

    Args:
        origin: as the browser reports it, without the prefix `origin:`.
        nonce: as in the request.
        jwk_thumbprint: of the key that the response is encrypted to, 32 raw bytes; None if it is not encrypted.
    """
    _require_thumbprint(jwk_thumbprint)
    return _session_transcript("OpenID4VPDCAPIHandover", [origin, nonce, jwk_thumbprint])


def device_authentication_bytes(session_transcript: bytes, doctype: str, device_namespaces: bytes) -> bytes:
    """Return DeviceAuthenticationBytes, the detached payload of the device's signature or MAC (18013-5 9.1.3.4).

    Args:
        session_transcript: its encoding, taken over byte for byte.
        doctype: of the document.
        device_namespaces: DeviceNameSpacesBytes with its tag 24, as sent.
    """
    return encode_tag24(b"\x84\x74DeviceAuthentication" + session_transcript + encode_text(doctype) + device_namespaces)


def agree_mac_key(own: PrivateKey, peer: PublicKey, session_transcript: bytes) -> bytes:
    """Return EMacKey, agreed between the mdoc's device key and the reader's ephemeral key (18013-5 9.1.3.5).

    Raises:
        MalformedInput: the two keys are not on the same curve.
    """
    salt = sha256(encode_tag24(session_transcript))
    derivation = HKDF(algorithm=hashes.SHA256(), length=MAC_KEY_BYTES, salt=salt, info=b"EMacKey")
    return derivation.derive(own.exchange(peer))


def _session_transcript(handover: str, handover_info: list[str | bytes | None]) -> bytes:
    """Return [null, null, [handover, SHA-256 of the encoded info]]: no device engagement, no reader key."""
    return cbor_dumps([None, None, [handover, sha256(cbor_dumps(handover_info))]])


def _require_thumbprint(thumbprint: bytes | None) -> None:
    if thumbprint is not None and len(thumbprint) != THUMBPRINT_BYTES:
        raise ValueError(f"expected a thumbprint of {THUMBPRINT_BYTES} raw bytes, got {len(thumbprint)}")
