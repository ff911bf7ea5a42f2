"""The agency's keys: four signers by purpose, in encrypted files or in an HSM, renewed without a restart.

A folder holds for each purpose the certificate chain `NAME.pem`, and either `NAME.key` (PKCS#8, encrypted with the
password of the settings) or `NAME.hsm`, which names a key in the HSM. Whoever rotates a key replaces the key first and
the chain last; the old pair stays in use until the new one is whole.
"""

import logging
import time
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Final, Protocol

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from byoid.errors import MalformedInput
from byoid.keys import PublicKey
from byoid.service.trust_files import load_signer
from byoid.signing import Signer

_logger = logging.getLogger(__name__)
NAMES: Final = ("credential", "document-signer", "status", "metadata")
_LOOK_EVERY: Final = 1.0  # seconds


@dataclass(frozen=True)
class Signers:
    """The agency's keys, by what they sign."""

    credential: Signer
    document: Signer
    status: Signer
    metadata: Signer

    @cached_property
    def begin(self) -> Mapping[str, datetime]:
        """When the certificates of the keys that sign credentials begin, by format."""
        chains = {"dc+sd-jwt": self.credential.x5c, "mso_mdoc": self.document.x5c}
        return {
            name: x509.load_der_x509_certificate(chain[0]).not_valid_before_utc
            for name, chain in chains.items()
            if chain
        }


class Hsm(Protocol):
    """An HSM that a session is open to; `issuer.hsm.Pkcs11Hsm`, or a cloud's."""

    def generate(self, label: str) -> PublicKey:
        """Make a P-256 key that never leaves the HSM; return its public half."""
        ...

    def signer(self, label: str, chain: tuple[bytes, ...]) -> Signer:
        """Return the signer of a key.

        Raises:
            MalformedInput: there is no such key, or the certificate is for another one.
        """
        ...


class KeyRing:
    """The signers of a folder, as its files are now.

    Args:
        folder: where the files are.
        password: of the key files.
        hsm: opens the HSM, when a file names a key in it.
    """

    def __init__(self, folder: Path, *, password: bytes | None = None, hsm: Callable[[], Hsm] | None = None) -> None:
        self._folder = folder
        self._password = password
        self._open_hsm = hsm
        self._hsm: Hsm | None = None
        self._versions = self._look()
        self._signers = self._load()
        self._looked = time.monotonic()

    @property
    def signers(self) -> Signers:
        """The signers, which may be others a moment later: take one, and use it for the whole credential."""
        if time.monotonic() - self._looked > _LOOK_EVERY:
            self.refresh()
        return self._signers

    def refresh(self) -> None:
        """Look whether the files have changed. A pair that is not whole yet leaves the old one in use."""
        self._looked = time.monotonic()
        versions = self._look()
        if versions == self._versions:
            return
        try:
            self._signers = self._load()
        except MalformedInput as error:
            _logger.warning("the keys have changed, but cannot be used: %s", error)
            return
        self._versions = versions
        _logger.info("the keys have changed, and are in use")

    def _look(self) -> tuple[tuple[int, int], ...]:
        files = (self._folder / f"{name}.{ending}" for name in NAMES for ending in ("pem", "key", "hsm"))
        return tuple((stat.st_mtime_ns, stat.st_ino) for file in files if file.exists() for stat in [file.stat()])

    def _load(self) -> Signers:
        return Signers(*(self._signer(name) for name in NAMES))

    def _signer(self, name: str) -> Signer:
        chain, pointer = self._folder / f"{name}.pem", self._folder / f"{name}.hsm"
        if not pointer.exists():
            return load_signer(self._folder / f"{name}.key", chain, self._password)
        try:
            label = tomllib.loads(pointer.read_text("utf-8"))["label"]
            certificates = x509.load_pem_x509_certificates(chain.read_bytes())
        except (OSError, ValueError, KeyError) as error:
            raise MalformedInput(f"{name}: the HSM's key or its certificate cannot be read") from error
        if self._hsm is None:
            if self._open_hsm is None:
                raise MalformedInput(
                    f"{name}.hsm names a key in an HSM, but the settings have none (ISSUER_HSM_LIBRARY)"
                )
            self._hsm = self._open_hsm()
        return self._hsm.signer(label, tuple(each.public_bytes(Encoding.DER) for each in certificates))
