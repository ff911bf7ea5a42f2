"""The demo's certificates: an agency, its wallet provider, and two services with access and registration certificates.

Everything is made anew for each demo and kept in its state folder. Nobody outside the demo trusts any of it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from cryptography import x509

from byoid.keys import PrivateKey
from byoid.relying_party.answers import PID_DOCTYPE
from byoid.service.trust_files import load_signer
from byoid.signing import sign_now
from byoid.trust.anchors import Purpose
from byoid.trust.pki import Authority, SubjectName, dns, make_leaf, make_root, to_pem, uri
from byoid.trust.registration import ENTITLEMENT, POLICY_ID, RegistrationClaims, prepare_registration

_AGENCY: Final = "Gemeinde Lindenmoor"


@dataclass(frozen=True)
class Service:
    """A relying party of the demo."""

    id: str
    name: str
    identifier: str
    purpose: dict[str, str]
    claims: tuple[tuple[str, ...], ...]  # of the PID: what it has registered to ask for, and asks for
    mdoc_elements: tuple[str, ...] = ()  # of the PID as mdoc: registered too

    @property
    def query(self) -> dict[str, Any]:
        """The DCQL query: exactly the claims that are registered."""
        meta = {"vct_values": ["urn:eudi:pid:1"]}
        claims = [{"path": list(path)} for path in self.claims]
        return {"credentials": [{"id": "pid", "format": "dc+sd-jwt", "meta": meta, "claims": claims}]}


LIBRARY: Final = Service(
    "library", "Stadtbücherei Lindenmoor", "NTRDE-HRB100",
    {"en": "To set up your library card.", "de": "Um Ihren Bibliotheksausweis einzurichten.",
     "fr": "Pour créer votre carte de bibliothèque.", "es": "Para crear su carné de biblioteca."},
    (("given_name",), ("family_name",), ("address", "locality"), ("address", "country")),
)  # fmt: skip
SHOP: Final = Service(
    "shop", "Moorladen", "NTRDE-HRB200",
    {"en": "To give you the price for residents.", "de": "Um Ihnen den Preis für Einheimische zu geben.",
     "fr": "Pour vous accorder le tarif résident.", "es": "Para darle el precio para residentes."},
    (("address", "country"),), ("resident_country",),
)  # fmt: skip
SERVICES: Final = (LIBRARY, SHOP)
PLAYGROUND: Final = "playground"
PLAYGROUND_NAME: Final = "Playground of the verifier"

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
        _register(folder, service, now=now)
    # The verifier's playground asks whatever one likes, so it has no registration, and wallets say so.
    playground = SubjectName(PLAYGROUND_NAME, PLAYGROUND_NAME, "NTRDE-HRB300", "DE")
    _leaf(folder / f"access-{PLAYGROUND}", roots["access"], playground, Purpose.ACCESS, dns(host))
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


def _register(folder: Path, service: Service, *, now: datetime) -> None:
    """Write the registration certificate: who the service is, and what it may ask for."""
    registrar = load_signer(folder / "registrar.key", folder / "registrar.pem")
    claims = RegistrationClaims.model_validate(
        {
            "name": service.name,
            "sub": service.identifier,
            "sub_ln": service.name,
            "country": "DE",
            "entitlements": [f"{ENTITLEMENT}Service_Provider"],
            "privacy_policy": f"https://{service.id}.lindenmoor.example/privacy",
            "info_uri": f"https://{service.id}.lindenmoor.example",
            "support_uri": f"https://{service.id}.lindenmoor.example/contact",
            "supervisory_authority": {"email": "data-protection@lindenmoor.example"},
            "policy_id": [POLICY_ID],
            "iat": int(now.timestamp()),
            "exp": int((now + timedelta(days=90)).timestamp()),
            "purpose": [{"lang": language, "value": text} for language, text in service.purpose.items()],
            "intended_use_id": f"{service.id}-1",
            "credentials": _registered(service),
        }
    )
    unsigned = prepare_registration(claims, algorithm=registrar.algorithm, x5c=registrar.x5c)
    (folder / f"access-{service.id}.registration.jwt").write_text(sign_now(unsigned, registrar.key), "ascii")


def _registered(service: Service) -> list[dict[str, Any]]:
    query = service.query["credentials"][0]
    registered = [{"format": query["format"], "meta": query["meta"], "claim": query["claims"]}]
    if service.mdoc_elements:
        paths = [{"path": [PID_DOCTYPE, element]} for element in service.mdoc_elements]
        registered.append({"format": "mso_mdoc", "meta": {"doctype_value": PID_DOCTYPE}, "claim": paths})
    return registered


def _write_trust(folder: Path, roots: dict[str, Authority]) -> None:
    entries = []
    for name, root in roots.items():
        (folder / f"{name}-root.pem").write_bytes(to_pem(root.certificate))
        purposes = ", ".join(f'"{purpose}"' for purpose in _ROOTS[name][1])
        entries.append(f'[[anchor]]\nfile = "{name}-root.pem"\npurposes = [{purposes}]\nsource = "demo"\n')
    (folder / "trust.toml").write_text("\n".join(entries), "utf-8")
