"""Web Push: one short message to a browser, encrypted for it, with a signature that says who sends.

Spec: RFC 8291 (encryption), RFC 8188 (`aes128gcm`), RFC 8292 (VAPID), RFC 8030 (request). Pure: sending is
`wallet.notices`' business. One record is enough: a message is a few bytes.
"""

import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Self
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from byoid.encoding import b64u_decode, b64u_encode
from byoid.errors import MalformedInput
from byoid.jose import prepare_jws
from byoid.keys import PrivateKey
from byoid.oauth.jwt import numeric_date
from byoid.signing import sign_now

MAX_ENDPOINT: Final = 2048
MESSAGE_LIFETIME: Final = timedelta(days=7)
_TOKEN_LIFETIME: Final = timedelta(hours=12)  # RFC 8292 §2: not more than 24 hours
_RECORD_SIZE: Final = 4096
_LAST_RECORD: Final = b"\x02"
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256


@dataclass(frozen=True, repr=False)
class PushAddress:
    """A browser's push subscription: where to post, and what to encrypt with (RFC 8291 §2)."""

    endpoint: str
    public: bytes
    secret: bytes

    @classmethod
    def parse(cls, endpoint: str, p256dh: str, auth: str) -> Self:
        """Read what `PushSubscription.toJSON()` gives.

        Raises:
            MalformedInput: no https address, no point on P-256, or no secret of 16 bytes.
        """
        if len(endpoint) > MAX_ENDPOINT or urlsplit(endpoint).scheme != "https" or not urlsplit(endpoint).hostname:
            raise MalformedInput("expected an https address of a push service")
        found = cls(endpoint, b64u_decode(p256dh), b64u_decode(auth))
        if len(found.secret) != 16:  # noqa: PLR2004  # RFC 8291 §3.2
            raise MalformedInput("expected an authentication secret of 16 bytes")
        _point(found.public)
        return found


@dataclass(frozen=True, repr=False)
class PushSender:
    """Who sends: the key that browsers subscribe to, and where a push service may complain (RFC 8292)."""

    key: PrivateKey
    contact: str

    @classmethod
    def derive(cls, secret: bytes, *, contact: str) -> Self:
        """Derive the key from 32 secret bytes, so that all workers have the same and nothing is stored."""
        number = int.from_bytes(secret, "big") % (_ORDER - 1) + 1
        return cls(PrivateKey(ec.derive_private_key(number, ec.SECP256R1())), contact)

    @property
    def public_b64u(self) -> str:
        """The public key, for `applicationServerKey` and `k`."""
        return b64u_encode(_raw(self.key.native.public_key()))  # type: ignore[arg-type]  # made above, on P-256

    def authorization(self, endpoint: str, *, now: datetime) -> str:
        """Return the header that tells this push service who sends (RFC 8292 §3)."""
        parts = urlsplit(endpoint)
        claims = {
            "aud": f"{parts.scheme}://{parts.netloc}",
            "exp": numeric_date(now + _TOKEN_LIFETIME),
            "sub": self.contact,
        }
        token = sign_now(prepare_jws(claims, algorithm="ES256", typ="JWT"), self.key)
        return f"vapid t={token}, k={self.public_b64u}"


def encrypt_push(message: bytes, address: PushAddress) -> bytes:
    """Encrypt a message for one browser: header and only record of `aes128gcm` (RFC 8291 §3.4, RFC 8188 §2)."""
    ephemeral, salt = ec.generate_private_key(ec.SECP256R1()), os.urandom(16)
    sender = _raw(ephemeral.public_key())
    shared = ephemeral.exchange(ec.ECDH(), _point(address.public))
    ikm = _derive(shared, salt=address.secret, info=b"WebPush: info\0" + address.public + sender, length=32)
    key = _derive(ikm, salt=salt, info=b"Content-Encoding: aes128gcm\0", length=16)
    nonce = _derive(ikm, salt=salt, info=b"Content-Encoding: nonce\0", length=12)
    header = salt + _RECORD_SIZE.to_bytes(4, "big") + bytes([len(sender)]) + sender
    return header + AESGCM(key).encrypt(nonce, message + _LAST_RECORD, None)


def _point(raw: bytes) -> ec.EllipticCurvePublicKey:
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)
    except ValueError:
        raise MalformedInput("expected an uncompressed point on P-256") from None


def _raw(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def _derive(secret: bytes, *, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt, info).derive(secret)
