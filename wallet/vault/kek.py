"""Keys that wrap vault keys where a browser has no PRF: in an HSM (PKCS#11), or in a file, for demos only.

PKCS#11 v2.40 (AES-GCM). The citizen is told which of the two it is: whoever controls the key can open such a vault.
"""

import asyncio
import os
import threading
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Protocol

import pkcs11
from pkcs11.exceptions import PKCS11Error

from byoid.errors import BadSignature, MalformedInput
from wallet.vault.keys import KEY_BYTES, seal, unseal

_NONCE_BYTES: Final = 12
_TAG_BITS: Final = 128


class Protection(StrEnum):
    """What a passkey's copy of the vault keys is wrapped by: the citizen sees this word explained."""

    PASSKEY = "passkey"
    HSM = "hsm"
    KEY_FILE = "key-file"


class Kek(Protocol):
    """A key that wraps keys and never shows itself. `context` is authenticated: whose key, for what."""

    @property
    def protection(self) -> Protection:
        """What to tell the citizen."""
        ...

    async def wrap(self, key: bytes, *, context: bytes) -> bytes:
        """Encrypt a key."""
        ...

    async def unwrap(self, wrapped: bytes, *, context: bytes) -> bytes:
        """Decrypt a key.

        Raises:
            BadSignature: wrapped by another key, or for another context.
        """
        ...


@dataclass(frozen=True, repr=False)
class FileKek:
    """A key in a file of the server: protects nothing from its operator. The production profile refuses it."""

    key: bytes
    protection: Protection = Protection.KEY_FILE

    @classmethod
    def open(cls, path: Path) -> "FileKek":
        """Read the key, or make it (mode 0600).

        Raises:
            MalformedInput: the file holds no key of 32 bytes.
        """
        if not path.exists():
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(os.urandom(KEY_BYTES))
        key = path.read_bytes()
        if len(key) != KEY_BYTES:
            raise MalformedInput(f"expected a key file of {KEY_BYTES} bytes, got {len(key)}")
        return cls(key)

    async def wrap(self, key: bytes, *, context: bytes) -> bytes:
        """Encrypt a key."""
        return seal(self.key, key, at=context)

    async def unwrap(self, wrapped: bytes, *, context: bytes) -> bytes:
        """Decrypt a key."""
        return unseal(self.key, wrapped, at=context)


@dataclass(frozen=True, repr=False)
class Pkcs11Kek:
    """An AES key inside an HSM, not extractable. One lock: python-pkcs11 is not thread-safe, and dies of it."""

    session: Any  # a pkcs11 session; the package has no types
    label: str
    protection: Protection = Protection.HSM
    lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def open(cls, *, library: str, token: str, pin: str, label: str) -> "Pkcs11Kek":
        """Log in to a token whose key `label` exists (see `generate`).

        Raises:
            MalformedInput: no such library, token or key, or a wrong PIN.
        """
        try:
            session = pkcs11.lib(library).get_token(token_label=token).open(user_pin=pin)
            session.get_key(object_class=pkcs11.ObjectClass.SECRET_KEY, label=label)
        except (PKCS11Error, RuntimeError) as error:
            raise MalformedInput(f"the HSM has no usable key {label!r} in {token!r}: {type(error).__name__}") from error
        return cls(session, label)

    @staticmethod
    def generate(*, library: str, token: str, pin: str, label: str) -> None:
        """Make the key inside the HSM: once, when the wallet is set up."""
        template = {pkcs11.Attribute.EXTRACTABLE: False, pkcs11.Attribute.SENSITIVE: True}
        with pkcs11.lib(library).get_token(token_label=token).open(user_pin=pin, rw=True) as session:
            session.generate_key(pkcs11.KeyType.AES, 256, store=True, label=label, template=template)

    async def wrap(self, key: bytes, *, context: bytes) -> bytes:
        """Encrypt a key inside the HSM."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + await asyncio.to_thread(self._run, "encrypt", key, nonce, context)

    async def unwrap(self, wrapped: bytes, *, context: bytes) -> bytes:
        """Decrypt a key inside the HSM."""
        nonce, encrypted = wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:]
        try:
            return await asyncio.to_thread(self._run, "decrypt", encrypted, nonce, context)
        except PKCS11Error as error:
            raise BadSignature(f"the HSM cannot unwrap this key here: {type(error).__name__}") from error

    def _run(self, operation: str, data: bytes, nonce: bytes, context: bytes) -> bytes:
        with self.lock:
            key = self.session.get_key(object_class=pkcs11.ObjectClass.SECRET_KEY, label=self.label)
            parameters = pkcs11.GCMParams(nonce, context, _TAG_BITS)
            result: bytes = getattr(key, operation)(
                data, mechanism=pkcs11.Mechanism.AES_GCM, mechanism_param=parameters
            )
            return result
