"""Encryption at rest: what a service stores and must read back, sealed to its place; what it only looks up, hashed.

AES-256-GCM under a key that HKDF (RFC 5869) derives for each row from the key ring's first key. Table, column, row id
and version are authenticated, so that a sealed value is worthless anywhere else, in another row or an older version.
The key ring rotates: a new key is put first, old ones stay to open what they sealed until it was sealed anew
(`reseal`).
"""

import base64
import binascii
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from pydantic import SecretStr

from byoid.errors import ByoidError

if TYPE_CHECKING:  # a relying party with a store (extra `rp`) seals too, and has no settings of a service
    from byoid.service.settings import ServiceSettings

KEY_BYTES: Final = 32
_FORMAT: Final = b"\x01"
_NONCE_BYTES: Final = 12
_MAX_ID_BYTES: Final = 255


class SealBroken(ByoidError):
    """A sealed value was changed, moved to another place, or sealed with a key that is gone."""


def parse_keys(secrets: tuple[SecretStr, ...]) -> Mapping[str, bytes]:
    """Return the keys by id, in their order: `id:base64url of 32 bytes`.

    Raises:
        ValueError: not of that form, or an id comes twice.
    """
    keys: dict[str, bytes] = {}
    for secret in secrets:
        key_id, _, text = secret.get_secret_value().partition(":")
        try:
            key = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("expected id:base64url of 32 random bytes") from None
        if not key_id or len(key) != KEY_BYTES:
            raise ValueError(f"expected id:base64url of {KEY_BYTES} random bytes, got {len(key)} bytes")
        if key_id in keys:
            raise ValueError("two keys have the same id")
        keys[key_id] = key
    return keys


class KeyedHash:
    """HMAC-SHA-256 with a key that is prepared once."""

    def __init__(self, key: bytes) -> None:
        self._keyed = HMAC(key, SHA256())

    def __call__(self, value: bytes) -> bytes:
        """Return the hash of a value."""
        mac = self._keyed.copy()
        mac.update(value)
        return mac.finalize()

    def expand(self, info: bytes) -> bytes:
        """Return a key of 32 bytes for a use: HKDF-Expand (RFC 5869 2.3), which for one block is one HMAC."""
        return self(info + b"\x01")


class Sealer:
    """Seals and opens values, and hashes what is only looked up."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        if not keys or any(len(key) != KEY_BYTES for key in keys.values()):
            raise ValueError(f"expected at least one key of {KEY_BYTES} bytes")
        self._keys = {key_id.encode(): KeyedHash(key) for key_id, key in keys.items()}
        if any(not 0 < len(key_id) <= _MAX_ID_BYTES for key_id in self._keys):
            raise ValueError(f"expected key ids of 1 to {_MAX_ID_BYTES} bytes")
        self._current = next(iter(self._keys))
        self._head = _FORMAT + bytes([len(self._current)]) + self._current
        self._lookup = next(reversed(self._keys.values()))
        # By purpose, and by table and column: there are as many as places in the code.
        self._hashes: dict[str, KeyedHash] = {}
        self._columns: dict[tuple[str, str], bytes] = {}

    @classmethod
    def from_settings(cls, settings: "ServiceSettings") -> Self:
        """Take the key ring of the settings."""
        return cls(parse_keys(settings.sealing_keys))

    def seal(self, plaintext: bytes, *, table: str, column: str, row_id: str, version: int = 1) -> bytes:
        """Encrypt a value for one place. Sealing the same value twice gives different bytes."""
        place, nonce = self._row(table, column, row_id), os.urandom(_NONCE_BYTES)
        cipher = _row_cipher(self._keys[self._current], place)
        return self._head + nonce + cipher.encrypt(nonce, plaintext, self._head + place + _place(str(version)))

    def open(self, sealed: bytes, *, table: str, column: str, row_id: str, version: int = 1) -> bytes:
        """Decrypt a value of one place.

        Raises:
            SealBroken: not sealed here, not for this place and version, changed, or its key is gone.
        """
        key_id, head_bytes = _head(sealed)
        key = self._keys.get(key_id)
        if key is None:
            raise SealBroken(f"{table}.{column} is sealed with a key that is not in the ring")
        head, rest = sealed[:head_bytes], sealed[head_bytes:]
        place = self._row(table, column, row_id)
        try:
            return _row_cipher(key, place).decrypt(
                rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], head + place + _place(str(version))
            )
        except (InvalidTag, ValueError):
            raise SealBroken(f"{table}.{column} was changed, or belongs to another row or version") from None

    def needs_reseal(self, sealed: bytes) -> bool:
        """Tell whether a value was sealed with another key than the current one."""
        return _head(sealed)[0] != self._current

    def keyed_hash(self, value: str | bytes, *, purpose: str) -> bytes:
        """Return what a token or code is stored and looked up by: HMAC-SHA-256, its key derived for the purpose.

        The key ring's last key is used, so that a new key put first leaves every look-up valid. Take the last one
        away only when what it hashed is expired.
        """
        hash_ = self._hashes.get(purpose)
        if hash_ is None:
            hash_ = self._hashes[purpose] = KeyedHash(self._lookup.expand(b"byoid hash" + _place(purpose)))
        return hash_(value.encode() if isinstance(value, str) else value)

    def _row(self, table: str, column: str, row_id: str) -> bytes:
        place = self._columns.get((table, column))
        if place is None:
            place = self._columns[table, column] = _place(table, column)
        return place + _place(row_id)


def _row_cipher(key: KeyedHash, place: bytes) -> AESGCM:
    return AESGCM(key.expand(b"byoid seal" + place))


def _place(*names: str) -> bytes:
    """Return the names unambiguously: each after its length."""
    place = b""
    for name in names:
        part = name.encode()
        place += len(part).to_bytes(4, "big") + part
    return place


def _head(sealed: bytes) -> tuple[bytes, int]:
    if sealed[:1] != _FORMAT or len(sealed) < 2 + _NONCE_BYTES:
        raise SealBroken("expected a sealed value")
    head_bytes = 2 + sealed[1]
    return sealed[2:head_bytes], head_bytes
