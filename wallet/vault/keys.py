"""The keys of a citizen's vault: derive, wrap, seal, open. Pure; every key is an argument.

    passkey ── PRF ──► reading secret ── unwraps ──► reading key ──► credentials, history, names, settings
           └── PRF ──► signing secret ── unwraps ──► signing key ──► holder keys

Two keys, since reading and signing need different permission: a session holds the reading key only, the signing key
is unwrapped for one approval and forgotten. Each has a public half, so that the server can add what arrives while the
citizen is away (inbox) and new holder keys, and read neither.

RFC 5869 (HKDF-SHA-256), NIST SP 800-38D (AES-256-GCM, random nonces), RFC 9180 (HPKE: X25519, HKDF-SHA-256,
AES-256-GCM). Whatever is sealed is bound to its place (table, column, row), so that it can't be moved to another.
"""

import hashlib
import os
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NewType, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from byoid.errors import BadSignature, MalformedInput

PersonId = NewType("PersonId", str)

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_SEAL_VERSION: Final = b"\x01"  # AES-256-GCM under HKDF(key, place); first byte of everything that is sealed
_ENVELOPE_VERSION: Final = b"\x02"  # HPKE to a public half of the vault


def derive(secret: bytes, purpose: str) -> bytes:
    """Derive a 32-byte key for one purpose from a secret of at least 128 bits of entropy (HKDF-SHA-256)."""
    return HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=b"byoid wallet " + purpose.encode()).derive(secret)


def place(*parts: str) -> bytes:
    """Return the associated data of a place: each part with its length, so that no two places read the same."""
    return b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in parts)


def seal(key: bytes, plaintext: bytes, *, at: bytes) -> bytes:
    """Encrypt for one place."""
    nonce = os.urandom(_NONCE_BYTES)
    return _SEAL_VERSION + nonce + AESGCM(key).encrypt(nonce, plaintext, _SEAL_VERSION + at)


def unseal(key: bytes, sealed: bytes, *, at: bytes) -> bytes:
    """Decrypt what was sealed for this place.

    Raises:
        BadSignature: another key, another place, or changed bytes; which of them, nobody can tell.
    """
    if sealed[:1] != _SEAL_VERSION:
        raise MalformedInput("expected sealed bytes of version 1")
    try:
        return AESGCM(key).decrypt(sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :], _SEAL_VERSION + at)
    except (InvalidTag, ValueError):
        raise BadSignature("the sealed bytes cannot be opened with this key at this place") from None


def _suite() -> Suite:
    return Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def seal_to(public: bytes, plaintext: bytes, *, at: bytes) -> bytes:
    """Encrypt for one place to a public half of a vault (`inbox_public`, `signing_public`): add, not read."""
    return _ENVELOPE_VERSION + _suite().encrypt(plaintext, X25519PublicKey.from_public_bytes(public), info=at)


def _open(private: X25519PrivateKey, sealed: bytes, *, at: bytes) -> bytes:
    if sealed[:1] != _ENVELOPE_VERSION:
        raise MalformedInput("expected a sealed envelope of version 2")
    try:
        return _suite().decrypt(sealed[1:], private, info=at)
    except (InvalidTag, ValueError):
        raise BadSignature("the envelope cannot be opened with this key at this place") from None


@dataclass(frozen=True, repr=False)
class ReadingKey:
    """Opens everything that a citizen may read: contents by itself, the inbox by the private half derived from it."""

    secret: bytes

    @classmethod
    def generate(cls) -> Self:
        """Generate a key."""
        return cls(os.urandom(KEY_BYTES))

    @property
    def inbox_public(self) -> bytes:
        """The public half: with it the server adds what arrives while the citizen is away."""
        return self._inbox().public_key().public_bytes_raw()

    def seal(self, plaintext: bytes, *, table: str, column: str, row: str) -> bytes:
        """Encrypt contents for one column of one row."""
        return seal(self._contents, plaintext, at=place(table, column, row))

    def open(self, sealed: bytes, *, table: str, column: str, row: str) -> bytes:
        """Decrypt contents, or what the server sealed to the inbox for the same place.

        Raises:
            BadSignature: not sealed with this key for this place.
        """
        at = place(table, column, row)
        if sealed[:1] == _ENVELOPE_VERSION:
            return _open(self._inbox(), sealed, at=at)
        return unseal(self._contents, sealed, at=at)

    @cached_property
    def _contents(self) -> bytes:
        """The key of contents, derived once for all that a page opens."""
        return derive(self.secret, "contents")

    def _inbox(self) -> X25519PrivateKey:
        return X25519PrivateKey.from_private_bytes(derive(self.secret, "inbox"))


@dataclass(frozen=True, slots=True, repr=False)
class SigningKey:
    """Opens holder keys. Never kept: unwrapped for one approval, then forgotten."""

    secret: bytes

    @classmethod
    def generate(cls) -> Self:
        """Generate a key."""
        return cls(os.urandom(KEY_BYTES))

    @property
    def public(self) -> bytes:
        """The public half: with it new holder keys are sealed."""
        return self._private().public_key().public_bytes_raw()

    def open_holder_key(self, sealed: bytes, *, person: PersonId, key_id: str) -> bytes:
        """Decrypt a holder key, PKCS#8.

        Raises:
            BadSignature: the key of another person or another row.
        """
        return _open(self._private(), sealed, at=holder_key_place(person, key_id))

    def _private(self) -> X25519PrivateKey:
        return X25519PrivateKey.from_private_bytes(derive(self.secret, "holder keys"))


def holder_key_place(person: PersonId, key_id: str) -> bytes:
    """Return the place of a holder key."""
    return place("vault_holder_key", "sealed", person, key_id)


def fingerprint(secret: bytes, purpose: str) -> bytes:
    """Return what a row may be looked up by without revealing the secret; one-way, for secrets of 128 bits or more."""
    return hashlib.sha256(derive(secret, purpose)).digest()
