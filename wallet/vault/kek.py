"""Keys that wrap vault keys where a browser has no PRF: in an HSM (PKCS#11), or in a file, for demos only.

The HSM's is in `wallet.vault.hsm`, which needs the extra [hsm]. The citizen is told which of the two it is: whoever
controls the key can open such a vault.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from byoid.errors import MalformedInput
from wallet.vault.keys import KEY_BYTES, seal, unseal


class Protection(StrEnum):
    """What a passkey's copy of the vault keys is wrapped by, the best first: the citizen sees this word explained."""

    PASSKEY = "passkey"
    HSM = "hsm"
    KEY_FILE = "key-file"

    @classmethod
    def weakest(cls, found: Iterable["Protection"]) -> "Protection":
        """Return the weakest of several; of none, the weakest that there is."""
        return max(found, key=list(cls).index, default=cls.KEY_FILE)


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
