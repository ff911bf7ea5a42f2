"""The demo's certificates: an agency, its wallet provider, and two services with access and registration certificates.

Everything is made anew for each demo and kept in its state folder. Nobody outside the demo trusts any of it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509

from byoid.keys import PrivateKey
from byoid.trust.anchors import Purpose
from byoid.trust.pki import Authority, SubjectName, dns, make_leaf, make_root, to_pem, uri

_AGENCY: Final = "Gemeinde Lindenmoor"


@dataclass(frozen=True)
class Service:
    """A relying party of the demo."""

    id: str
    name: str
    identifier: str
    purpose: str


LIBRARY: Final = Service("library", "Stadtbücherei Lindenmoor", "NTRDE-HRB100", "Set up your library card.")
SHOP: Final = Service("shop", "Moorladen", "NTRDE-HRB200", "Offer you the price for residents.")
SERVICES: Final = (LIBRARY, SHOP)

_ROOTS: Final = {
    "agency": (
        SubjectName(f"{_AGENCY} root", _AGENCY, "NTRDE-LM", "DE"),
        (Purpose.PID, Purpose.ATTESTATION, Purpose.MDOC, Purpose.STATUS, Purpose.ISSUER_METADATA),
    ),
    "wallet-provider": (
        SubjectName("Demo wallet provider root", "Demo wallet provider", "NTRDE-WP", "DE"),
        (Purpose.WALLET_PROVIDER, Purpose.STATUS),
    ),
    "access": (SubjectName("Demo access certificates", "Demo registrar", "NTRDE-RA", "DE"), (Purpose.ACCESS,)),
    "registration": (
        SubjectName("Demo registration certificates", "Demo registrar", "NTRDE-RR", "DE"),
        (Purpose.REGISTRATION,),
    ),
}


def make_pki(folder: Path, *, host: str, now: datetime) -> None:
    """Write keys (`*.key`), chains (`*.pem`) and `trust.toml` into a folder that does not exist yet."""
    folder.mkdir(parents=True, mode=0o700)
    roots = {name: make_root(subject, key=PrivateKey.generate(), now=now, path_length=0, contact="https://lindenmoor.example")
             for name, (subject, _) in _ROOTS.items()}  # fmt: skip
    agency = SubjectName(_AGENCY, _AGENCY, "NTRDE-LM", "DE")
    _leaf(folder / "credential", roots["agency"], agency, Purpose.PID)
    _leaf(folder / "document-signer", roots["agency"], agency, Purpose.MDOC)
    _leaf(folder / "status", roots["agency"], agency, Purpose.STATUS)
    _leaf(folder / "metadata", roots["agency"], agency, Purpose.ISSUER_METADATA)
    wallet = SubjectName("byoid demo wallet", "Demo wallet provider", "NTRDE-WP", "DE")
    _leaf(folder / "wallet-provider", roots["wallet-provider"], wallet, Purpose.WALLET_PROVIDER)
    _leaf(folder / "wallet-status", roots["wallet-provider"], wallet, Purpose.STATUS)
    _leaf(
        folder / "registrar",
        roots["registration"],
        SubjectName("Demo registrar", "Demo registrar"),
        Purpose.REGISTRATION,
    )
    for service in SERVICES:
        subject = SubjectName(service.name, service.name, service.identifier, "DE")
        names = [*dns(host), *uri(f"https://{service.id}.lindenmoor.example/contact")]
        _leaf(folder / f"access-{service.id}", roots["access"], subject, Purpose.ACCESS, names)
    _write_trust(folder, roots)


def _leaf(
    path: Path, issuer: Authority, subject: SubjectName, purpose: Purpose, names: Collection[x509.GeneralName] = ()
) -> None:
    key = PrivateKey.generate()
    now = issuer.certificate.not_valid_before_utc
    certificate = make_leaf(issuer, subject, key=key.public, purpose=purpose, now=now, names=names)
    path.with_suffix(".key").write_bytes(key.to_pem())
    path.with_suffix(".key").chmod(0o600)
    path.with_suffix(".pem").write_bytes(to_pem(certificate))


def _write_trust(folder: Path, roots: dict[str, Authority]) -> None:
    entries = []
    for name, root in roots.items():
        (folder / f"{name}-root.pem").write_bytes(to_pem(root.certificate))
        purposes = ", ".join(f'"{purpose}"' for purpose in _ROOTS[name][1])
        entries.append(f'[[anchor]]\nfile = "{name}-root.pem"\npurposes = [{purposes}]\nsource = "demo"\n')
    (folder / "trust.toml").write_text("\n".join(entries), "utf-8")
