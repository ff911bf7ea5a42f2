"""The key in an HSM that wraps vault keys where a browser has no PRF.

PKCS#11 v2.40 (AES-GCM). Needs the extra [hsm]; `wallet.vault.kek` says what such a key is.
"""

import asyncio
import os
import threading
from dataclasses import dataclass, field
from typing import Any, Final

import pkcs11
from pkcs11.exceptions import PKCS11Error

from byoid.errors import BadSignature, MalformedInput
from wallet.vault.kek import Protection

_NONCE_BYTES: Final = 12
_TAG_BITS: Final = 128


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
