"""Lists of trusted entities in JSON: from a signed list to trust anchors.

Spec: ETSI TS 119 602 6 (data model), 6.8 (signature), Annexes D to H (lists of the EU); the signature is a compact JWS
with `x5c` (JAdES baseline B, TS 119 182-1), without `crit`. Lists in XML (TS 119 612) are not read here, and fetching
is the caller's business.
"""

import base64
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from byoid.errors import Expired, MalformedInput, NotYetValid, Replayed, UntrustedIssuer, WrongType
from byoid.jose import UnsignedJws, parse_jws, prepare_jws, verify_jws, x5c_header
from byoid.message import Array, Message, NonEmptyArray, parse_message
from byoid.trust.anchors import Purpose, TrustAnchor, TrustAnchors, subject_of
from byoid.trust.certificate import parse_certificate
from byoid.trust.x509 import TrustedChain, verify_chain

TYPE: Final = "trustlist+jwt"
LIST_TYPE: Final = "http://uri.etsi.org/19602/LoTEType/"
SERVICE_TYPE: Final = "http://uri.etsi.org/19602/SvcType/"
MAX_BYTES: Final = 4 << 20
ALL_PURPOSES: Final = frozenset(Purpose) - {Purpose.TRUSTED_LIST}
ALGORITHMS: Final = frozenset({"ES256", "ES384", "ES512"})

_ACCEPTED_TYPES: Final = ("", "JOSE", TYPE)  # JAdES leaves `typ` open; none is as good as JOSE
_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"
_PURPOSES: Final[Mapping[str, frozenset[Purpose]]] = {
    f"{SERVICE_TYPE}PID/Issuance": frozenset({Purpose.PID, Purpose.MDOC}),
    f"{SERVICE_TYPE}PID/Revocation": frozenset({Purpose.STATUS}),
    f"{SERVICE_TYPE}PubEAA/Issuance": frozenset({Purpose.ATTESTATION, Purpose.MDOC}),
    f"{SERVICE_TYPE}PubEAA/Revocation": frozenset({Purpose.STATUS}),
    f"{SERVICE_TYPE}EAA/Issuance": frozenset({Purpose.ATTESTATION, Purpose.MDOC}),
    f"{SERVICE_TYPE}EAA/Revocation": frozenset({Purpose.STATUS}),
    f"{SERVICE_TYPE}WalletSolution/Issuance": frozenset({Purpose.WALLET_PROVIDER}),
    f"{SERVICE_TYPE}WalletSolution/Revocation": frozenset({Purpose.STATUS}),
    f"{SERVICE_TYPE}WRPAC/Issuance": frozenset({Purpose.ACCESS}),
    f"{SERVICE_TYPE}WRPRC/Issuance": frozenset({Purpose.REGISTRATION}),
    f"{SERVICE_TYPE}WRPRC/Revocation": frozenset({Purpose.STATUS}),
}
# The annexes say which services a list of the EU may hold: whoever runs one kind of list speaks about no other service.
_SERVICES: Final[Mapping[str, str]] = {
    f"{LIST_TYPE}{list_type}": f"{SERVICE_TYPE}{services}"
    for list_type, services in (
        ("EUPIDProvidersList", "PID/"),  # Annex D
        ("EUWalletProvidersList", "WalletSolution/"),  # Annex E
        ("EUWRPACProvidersList", "WRPAC/"),  # Annex F
        ("EUWRPRCProvidersList", "WRPRC/"),  # Annex G
        ("EUPubEAAProvidersList", "PubEAA/"),  # Annex H
    )
}
_GOOD_STATUS: Final = ("/notified", "/granted")


class MultilingualText(Message):
    """A text in one language (6.1.4)."""

    lang: str
    value: str


class MultilingualUri(Message):
    """A URI of a text in one language (6.1.4)."""

    lang: str
    uriValue: str


class PkiObject(Message):
    """A certificate as base64 of its DER."""

    val: str


class DigitalIdentity(Message):
    """What a service signs with, or is certified by (6.6.3). Only certificates become anchors."""

    X509Certificates: Array[PkiObject] = ()


class ServiceInformation(Message):
    """A service of a trusted entity (6.6)."""

    ServiceTypeIdentifier: str | None = None
    ServiceName: NonEmptyArray[MultilingualText]
    ServiceDigitalIdentity: DigitalIdentity
    ServiceStatus: str | None = None
    StatusStartingTime: str | None = None
    ServiceInformationExtensions: Array[Any] = ()


class TrustedEntityService(Message):
    """A service, its history left aside."""

    ServiceInformation: ServiceInformation


class TrustedEntityInformation(Message):
    """Who offers services (6.5)."""

    TEName: NonEmptyArray[MultilingualText]
    TEInformationExtensions: Array[Any] = ()


class TrustedEntity(Message):
    """An entity and its services."""

    TrustedEntityInformation: TrustedEntityInformation
    TrustedEntityServices: NonEmptyArray[TrustedEntityService]


class SchemeInformation(Message):
    """About the list (6.3). `NextUpdate` null closes it."""

    LoTEVersionIdentifier: int
    LoTESequenceNumber: int
    LoTEType: str | None = None
    SchemeOperatorName: NonEmptyArray[MultilingualText]
    SchemeTerritory: str | None = None
    ListIssueDateTime: str
    NextUpdate: str | None
    SchemeExtensions: Array[Any] = ()


class ListOfTrustedEntities(Message):
    """The list (6.2)."""

    ListAndSchemeInformation: SchemeInformation
    TrustedEntitiesList: Array[TrustedEntity] = ()


@dataclass(frozen=True)
class TrustedList:
    """A list that was verified, and the anchors that it makes; `unreadable` counts certificates that made none."""

    source: str
    list_type: str | None
    sequence_number: int
    issued_at: datetime
    next_update: datetime
    anchors: TrustAnchors
    unreadable: int


@dataclass(frozen=True)
class ListedService:
    """A service to publish: who offers it, its type (`PID/Issuance` …), and its certificates."""

    entity: str
    service_type: str
    certificates: Sequence[x509.Certificate]
    information_uri: str
    country: str = "UT"


def verify_trusted_list(
    token: str,
    *,
    source: str,
    anchors: TrustAnchors,
    now: datetime,
    list_type: str | None = None,
    purposes: Collection[Purpose] = ALL_PURPOSES,
    last_sequence_number: int = 0,
    algorithms: Collection[str] = ALGORITHMS,
) -> TrustedList:
    """Verify a signed list and read it into trust anchors.

    A certificate of a CA certifies signers; any other is pinned as the signer itself. A service whose type is not
    known, does not belong into a list of this type, or whose status is not good gives no anchor, nor does a certificate
    that cannot be read.

    Args:
        token: the compact JWS.
        source: the list's location, kept with every anchor.
        anchors: who may sign lists: pinned signers or CAs with the purpose TRUSTED_LIST.
        now: the time of the check.
        list_type: the `LoTEType` that is expected, None for any.
        purposes: what the caller lets this list speak about.
        last_sequence_number: of the list that was read before.
        algorithms: the signature algorithms that are acceptable.

    Raises:
        MalformedInput: not such a list, or one with an extension that is critical.
        WrongType: another type of list or token, or an algorithm that is not acceptable.
        UntrustedIssuer: the signer may not sign lists, or is not the scheme's operator.
        BadSignature: the signature does not verify.
        Replayed: an older list than the one that was read before.
        Expired: the list's next update is overdue, or the list is closed.
        NotYetValid: the list comes from the future.
    """
    parsed = parse_jws(token, max_bytes=MAX_BYTES)
    chain = verify_chain(parsed.x5c, anchors=anchors, purpose=Purpose.TRUSTED_LIST, now=now)
    claims = verify_jws(parsed, chain.public_key, algorithms=algorithms, typ=_ACCEPTED_TYPES).claims
    members = claims.get("LoTE", claims)  # with or without the wrapper of the JSON schema's first edition
    if not isinstance(members, Mapping):
        raise MalformedInput("expected a list of trusted entities")
    content = parse_message(ListOfTrustedEntities, members)
    scheme = content.ListAndSchemeInformation
    _require_operator(scheme, chain)
    _require_no_critical_extensions(content)
    issued_at, next_update = _require_current(scheme, now, last_sequence_number)
    if list_type is not None and scheme.LoTEType != list_type:
        raise WrongType(f"expected a list of type {list_type}, got another")
    services = _SERVICES.get(scheme.LoTEType or "", SERVICE_TYPE)
    found = [
        _anchor(*each, source) for each in _listed(content.TrustedEntitiesList, services, frozenset(purposes), now)
    ]
    readable = TrustAnchors(anchor for anchor in found if anchor is not None)
    return TrustedList(
        source, scheme.LoTEType, scheme.LoTESequenceNumber, issued_at, next_update, readable, found.count(None)
    )


def prepare_trusted_list(
    services: Sequence[ListedService],
    *,
    list_type: str,
    operator: str,
    territory: str,
    sequence_number: int,
    issued_at: datetime,
    next_update: datetime,
    signer: tuple[str, Sequence[bytes]],
) -> UnsignedJws:
    """Prepare a list for its signature, for sandboxes; one service for each entity.

    `list_type` is what follows `LoTEType/` in its URI; `signer` the algorithm and the chain, whose organisation must be
    the operator and whose country the territory (6.8).
    """
    algorithm, x5c = signer
    scheme = {
        "LoTEVersionIdentifier": 1,
        "LoTESequenceNumber": sequence_number,
        "LoTEType": LIST_TYPE + list_type,
        "SchemeOperatorName": [{"lang": "en", "value": operator}],
        "SchemeTerritory": territory,
        "ListIssueDateTime": issued_at.astimezone(UTC).strftime(_TIME),
        "NextUpdate": next_update.astimezone(UTC).strftime(_TIME),
    }
    content = {"ListAndSchemeInformation": scheme, "TrustedEntitiesList": [_entity(service) for service in services]}
    header = {"x5c": x5c_header(x5c), "iat": int(issued_at.timestamp())}
    return prepare_jws({"LoTE": content}, algorithm=algorithm, typ=TYPE, header=header)


def _entity(service: ListedService) -> dict[str, Any]:
    uri = [{"lang": "en", "uriValue": service.information_uri}]
    name = [{"lang": "en", "value": service.entity}]
    postal = {"lang": "en", "StreetAddress": "-", "Locality": "-", "PostalCode": "-", "Country": service.country}
    address = {"TEPostalAddress": [postal], "TEElectronicAddress": uri}
    certificates = [{"val": base64.b64encode(c.public_bytes(Encoding.DER)).decode()} for c in service.certificates]
    information = {
        "ServiceTypeIdentifier": SERVICE_TYPE + service.service_type,
        "ServiceName": name,
        "ServiceDigitalIdentity": {"X509Certificates": certificates},
    }
    return {
        "TrustedEntityInformation": {"TEName": name, "TEAddress": address, "TEInformationURI": uri},
        "TrustedEntityServices": [{"ServiceInformation": information}],
    }


def _require_operator(scheme: SchemeInformation, chain: TrustedChain) -> None:
    """Demand that the signer is the scheme's operator, in the scheme's territory (6.8)."""
    subject = subject_of(chain.leaf)
    organizations = {attribute.value for attribute in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)}
    countries = {attribute.value for attribute in subject.get_attributes_for_oid(NameOID.COUNTRY_NAME)}
    if organizations.isdisjoint(name.value for name in scheme.SchemeOperatorName):
        raise UntrustedIssuer("the signer of the trusted list is not its scheme's operator")
    if scheme.SchemeTerritory is not None and scheme.SchemeTerritory not in countries:
        raise UntrustedIssuer("the signer of the trusted list is not from its scheme's territory")


def _require_current(scheme: SchemeInformation, now: datetime, last: int) -> tuple[datetime, datetime]:
    if scheme.LoTEVersionIdentifier != 1:
        raise MalformedInput(f"expected version 1 of the list format, got {scheme.LoTEVersionIdentifier}")
    if scheme.LoTESequenceNumber < last:
        raise Replayed(f"the list has the sequence number {scheme.LoTESequenceNumber}, {last} was read before")
    if scheme.NextUpdate is None:  # 6.3.15
        raise Expired("the list is closed")
    issued_at, next_update = _time(scheme.ListIssueDateTime), _time(scheme.NextUpdate)
    if issued_at > now:
        raise NotYetValid("the list comes from the future")
    if next_update < now:
        raise Expired(f"the list was to be updated by {scheme.NextUpdate}")
    return issued_at, next_update


def _time(text: str) -> datetime:
    try:
        return datetime.strptime(text, _TIME).replace(tzinfo=UTC)  # 6.1.3: exactly this form
    except ValueError:
        raise MalformedInput("expected a time as YYYY-MM-DDThh:mm:ssZ in the list") from None


def _require_no_critical_extensions(content: ListOfTrustedEntities) -> None:
    """Refuse what byoid does not understand and must (6.3.17)."""
    extensions = list(content.ListAndSchemeInformation.SchemeExtensions)
    for entity in content.TrustedEntitiesList:
        extensions += entity.TrustedEntityInformation.TEInformationExtensions
        for service in entity.TrustedEntityServices:
            extensions += service.ServiceInformation.ServiceInformationExtensions
    if any(isinstance(e, Mapping) and (e.get("critical") or e.get("Critical")) for e in extensions):
        raise MalformedInput("the list has a critical extension, and byoid knows none")


def _listed(
    entities: Iterable[TrustedEntity], services: str, allowed: frozenset[Purpose], now: datetime
) -> Iterator[tuple[str, frozenset[Purpose], PkiObject]]:
    """Return the certificates of the services that are in good standing, with their entities' names and purposes."""
    for entity in entities:
        name = entity.TrustedEntityInformation.TEName[0].value
        for service in entity.TrustedEntityServices:
            information = service.ServiceInformation
            service_type = information.ServiceTypeIdentifier or ""
            purposes = _PURPOSES.get(service_type, frozenset()) & allowed
            if purposes and service_type.startswith(services) and _is_good(information, now):
                for certificate in information.ServiceDigitalIdentity.X509Certificates:
                    yield name, purposes, certificate


def _is_good(service: ServiceInformation, now: datetime) -> bool:
    """Say whether a service has a good status, which has begun (6.6.4, 6.6.5)."""
    if service.ServiceStatus is not None and not service.ServiceStatus.endswith(_GOOD_STATUS):
        return False
    if service.StatusStartingTime is None:
        return True
    try:
        return datetime.fromisoformat(service.StatusStartingTime) <= now  # some operators write fractions of a second
    except (ValueError, TypeError):  # no time, or one without a zone
        return False


def _anchor(name: str, purposes: frozenset[Purpose], listed: PkiObject, source: str) -> TrustAnchor | None:
    try:
        certificate = parse_certificate(base64.b64decode(listed.val, validate=True))
    except (MalformedInput, ValueError):  # one entity's broken certificate must not take the others' trust away
        return None
    constraints = [each.value for each in certificate.extensions if isinstance(each.value, x509.BasicConstraints)]
    is_authority = any(each.ca for each in constraints)
    return TrustAnchor(certificate, purposes, source, pinned=not is_authority, name=name)
