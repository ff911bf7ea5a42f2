"""Trust anchors and signing keys from files, as operators keep them.

A trust file (TOML) says which certificates are trusted for what:

    [[anchor]]
    file = "agency-root.pem"          # beside the trust file; may hold several certificates
    purposes = ["pid", "mdoc"]        # see byoid.trust.anchors.Purpose
    source = "list of PID providers"  # shown wherever a decision rests on it
    pinned = false                    # true: trusted as a signer itself, certifies nobody
"""

import tomllib
from pathlib import Path
from typing import Annotated

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from byoid.errors import MalformedInput
from byoid.keys import PrivateKey, PublicKey
from byoid.signing import SoftwareSigner
from byoid.trust.anchors import Purpose, TrustAnchors


class _Anchor(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    file: str
    purposes: Annotated[frozenset[Purpose], Field(min_length=1)]
    source: Annotated[str, Field(min_length=1)]
    pinned: bool = False


class _TrustFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    anchor: tuple[_Anchor, ...]


def load_trust(path: Path) -> TrustAnchors:
    """Read a trust file and the certificates that it names.

    Raises:
        MalformedInput: the file, or a certificate in it, cannot be read; the message names it.
    """
    try:
        parsed = _TrustFile.model_validate(tomllib.loads(path.read_text("utf-8")))
        found = [
            TrustAnchors.from_pem(
                (path.parent / anchor.file).read_bytes(), anchor.purposes, anchor.source, pinned=anchor.pinned
            )
            for anchor in parsed.anchor
        ]
    except (OSError, tomllib.TOMLDecodeError, ValidationError, MalformedInput) as error:
        raise MalformedInput(f"trust file {path.name}: {error}") from error
    return TrustAnchors().union(*found)


def load_signer(key_file: Path, chain_file: Path | None = None, password: bytes | None = None) -> SoftwareSigner:
    """Read a signing key (PKCS#8 PEM) and its certificate chain (PEM, leaf first, without the anchor).

    Raises:
        MalformedInput: a file cannot be read, or the certificate is for another key.
    """
    try:
        key = PrivateKey.from_pem(key_file.read_bytes(), password)
        chain = x509.load_pem_x509_certificates(chain_file.read_bytes()) if chain_file else []
    except (OSError, ValueError, MalformedInput) as error:
        raise MalformedInput(f"{key_file.name}: the key or its certificate cannot be read: {error}") from error
    if chain and PublicKey.from_certificate(chain[0]) != key.public:
        raise MalformedInput(f"{key_file.name}: the certificate is for another key")
    return SoftwareSigner(key, tuple(certificate.public_bytes(Encoding.DER) for certificate in chain))
