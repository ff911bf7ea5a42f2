"""Key ceremonies: an authority of one's own, and the certificates of the issuer's four keys.

Two roots, each in an encrypted file that belongs offline: one certifies, over an intermediate, what signs SD-JWT VCs,
status lists and metadata (HAIP 6.1.1: chains without the root); the other is the IACA, which certifies the document
signer directly (ISO/IEC 18013-5 B.1.2). A trust list of another authority takes the place of both in production: then
only the signing requests are made here.
"""

import tomllib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from byoid.errors import MalformedInput
from byoid.keys import PrivateKey, PublicKey
from byoid.trust.anchors import Purpose, TrustAnchors
from byoid.trust.pki import Authority, SubjectName, dns, make_intermediate, make_leaf, make_root, to_pem, uri
from issuer.keys import NAMES
from issuer.rotation import write_secret

PURPOSES: Final = {
    "credential": Purpose.PID,
    "document-signer": Purpose.MDOC,
    "status": Purpose.STATUS,
    "metadata": Purpose.ISSUER_METADATA,
}
_ROOT, _INTERMEDIATE, _IACA = "root", "intermediate", "iaca"


@dataclass(frozen=True)
class Owner:
    """Whom the certificates are about, and how to reach them."""

    organization: str
    country: str
    contact: str  # an https or mailto URI
    identifier: str | None = None
    host: str | None = None

    def named(self, role: str) -> SubjectName:
        """Return the subject of one of the certificates."""
        return SubjectName(f"{self.organization} {role}", self.organization, self.identifier, self.country)


@dataclass(frozen=True)
class Certified:
    """A certificate that was made, for the protocol of the ceremony."""

    name: str
    fingerprint: str
    until: datetime


def make_authority(folder: Path, owner: Owner, *, password: bytes, now: datetime) -> list[Certified]:
    """Make roots and intermediate in a folder that does not exist yet.

    Raises:
        FileExistsError: the folder is there: an authority is never overwritten.
    """
    folder.mkdir(parents=True, mode=0o700)
    root = make_root(owner.named("root"), key=PrivateKey.generate("P-384"), now=now, path_length=1)
    intermediate = make_intermediate(root, owner.named("issuing"), key=PrivateKey.generate(), now=now)
    iaca = make_root(owner.named("IACA"), key=PrivateKey.generate(), now=now, path_length=0, contact=owner.contact)
    made = {_ROOT: root, _INTERMEDIATE: intermediate, _IACA: iaca}
    for name, authority in made.items():
        write_secret(folder / f"{name}.key", authority.key.to_pem(password))
        write_secret(folder / f"{name}.pem", to_pem(authority.certificate))
    return [certified(name, authority.certificate) for name, authority in made.items()]


def certify(  # what a certificate is about
    authority: Path, name: str, key: PublicKey, owner: Owner, *, password: bytes, now: datetime
) -> bytes:
    """Return the chain of one of the issuer's keys as PEM, leaf first, without the root.

    Raises:
        MalformedInput: the authority cannot be read, or another password.
    """
    return _chain(authority, key, owner, owner.named(name), purpose=PURPOSES[name], password=password, now=now)


def _chain(  # what a certificate is about
    authority: Path, key: PublicKey, owner: Owner, subject: SubjectName, *,
    purpose: Purpose, password: bytes, now: datetime,
) -> bytes:  # fmt: skip
    issuer = _load(authority, _IACA if purpose is Purpose.MDOC else _INTERMEDIATE, password)
    names = [*(dns(owner.host) if owner.host else ()), *uri(owner.contact)]
    leaf = make_leaf(issuer, subject, key=key, purpose=purpose, now=now, names=names)
    return to_pem(leaf) if purpose is Purpose.MDOC else to_pem(leaf, issuer.certificate)


def make_key(  # what a key and its certificate are about
    path: Path, authority: Path, owner: Owner, *, purpose: Purpose, password: bytes, now: datetime
) -> Certified:
    """Make one key in `path`.key, not encrypted, with its chain in `path`.pem: for a wallet provider or a service.

    Raises:
        MalformedInput: the authority cannot be read, or another password.
        FileExistsError: the key is there.
    """
    if path.with_suffix(".key").exists():
        raise FileExistsError(f"{path.with_suffix('.key')} is there already")
    key = PrivateKey.generate()
    subject = SubjectName(owner.organization, owner.organization, owner.identifier, owner.country)
    chain = _chain(authority, key.public, owner, subject, purpose=purpose, password=password, now=now)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_secret(path.with_suffix(".key"), key.to_pem())
    write_secret(path.with_suffix(".pem"), chain)
    return certified(path.name, x509.load_pem_x509_certificates(chain)[0])


def make_keys(  # two folders and their passwords
    folder: Path, authority: Path, owner: Owner, *, password: bytes, key_password: bytes | None, now: datetime
) -> list[Certified]:
    """Make the issuer's four keys in files, and certify them; keys that are there stay.

    Raises:
        MalformedInput: the authority cannot be read, or another password.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = []
    for name in NAMES:
        if (folder / f"{name}.pem").exists():
            continue
        key = PrivateKey.generate()
        chain = certify(authority, name, key.public, owner, password=password, now=now)
        write_secret(folder / f"{name}.key", key.to_pem(key_password))
        write_secret(folder / f"{name}.pem", chain)
        made.append(certified(name, x509.load_pem_x509_certificates(chain)[0]))
    return made


def import_anchor(
    trust: Path, pem: Path, *, purposes: Collection[Purpose], source: str, pinned: bool = False
) -> list[Certified]:
    """Add certificates to a trust file: a wallet provider's, a list's, or that of a single attester (`pinned`).

    Raises:
        MalformedInput: the certificates cannot be read, or break the profile of what they are trusted for.
    """
    content = pem.read_bytes()
    TrustAnchors.from_pem(content, frozenset(purposes), source, pinned=pinned)
    certificates = x509.load_pem_x509_certificates(content)
    if trust.exists():
        tomllib.loads(trust.read_text("utf-8"))
    name = f"{_fingerprint(certificates[0])[:16].lower()}.pem"
    trust.parent.mkdir(parents=True, exist_ok=True)
    (trust.parent / name).write_bytes(to_pem(*certificates))
    listed = ", ".join(f'"{each}"' for each in sorted(purposes))
    text = source.replace("\\", "\\\\").replace('"', '\\"')
    entry = f'[[anchor]]\nfile = "{name}"\npurposes = [{listed}]\nsource = "{text}"\npinned = {str(pinned).lower()}\n'
    old = trust.read_text("utf-8") if trust.exists() else ""
    write_secret(trust, f"{old.rstrip()}\n\n{entry}".lstrip().encode())
    return [certified(name, each) for each in certificates]


def anchors_for_others(authority: Path) -> Sequence[Path]:
    """Return the certificates that verifiers must trust."""
    return [authority / f"{_ROOT}.pem", authority / f"{_IACA}.pem"]


def _load(folder: Path, name: str, password: bytes) -> Authority:
    try:
        key = PrivateKey.from_pem((folder / f"{name}.key").read_bytes(), password)
        certificate = x509.load_pem_x509_certificate((folder / f"{name}.pem").read_bytes())
    except (OSError, ValueError) as error:
        raise MalformedInput(f"the authority {name!r} cannot be read from {folder}") from error
    return Authority(certificate, key)


def certified(name: str, certificate: x509.Certificate) -> Certified:
    """Return what the protocol of a ceremony says of a certificate."""
    return Certified(name, _fingerprint(certificate), certificate.not_valid_after_utc)


def _fingerprint(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(hashes.SHA256()).hex().upper()
