"""Opening a request for a presentation: from a link to a request that may be shown to the citizen.

Spec: OpenID4VP 1.0 sections 5 (request, by value or reference), 5.9 (who asks), 5.11 (registration), 8.5 (errors);
ETSI TS 119 475; ARF RPA_01 to 05, RPRC_17 to 21. Two steps: `authenticate` says who asks, and until it has succeeded
nobody is told anything; `accept` judges what is asked, and its errors may be told (`wallet.refusals`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from cryptography import x509

from byoid.errors import MalformedInput
from byoid.presentation.client_id import AuthenticClient
from byoid.presentation.request import (
    AuthorizationRequest,
    RequestByReference,
    RequestByValue,
    UrlRequest,
    parse_request_parameters,
)
from byoid.presentation.request_object import (
    AuthenticatedRequest,
    AuthenticRequest,
    WalletAbilities,
    accept_request,
    authenticate_request,
)
from byoid.trust.registration import Registration
from byoid.trust.x509 import TrustedChain
from wallet.cards import MDOC, SD_JWT_VC, SealedValue
from wallet.context import Wallet
from wallet.history import CONTACTS, Party, PartyIdentifier, Text
from wallet.registrations import with_standing_registrations
from wallet.transactions import TYPES

MAX_LINK: Final = 1 << 17
MAX_PARAMETERS: Final = 64
SCHEMES: Final = frozenset({"openid4vp", "haip-vp", "eudi-openid4vp", "https"})
_LOOPBACK_SCHEME: Final = "http"
# Names of claims that hold a picture of a person or another biometric (ARF RPA_07c).
_BIOMETRIC: Final = frozenset(
    {"portrait", "picture", "enrolment_portrait_image", "biometric_template_face", "signature_usual_mark"}
)


class Caution(StrEnum):
    """What a citizen is warned of; each needs an explicit yes, and the page has a text for it (ARF RPA_07b)."""

    UNSIGNED = "unsigned"  # nobody vouches for who asks
    UNREGISTERED = "unregistered"  # who asks is known, but not what they may ask for
    REGISTRATION_REFUSED = "registration-refused"  # a registration came that is false, over, revoked or somebody else's
    ASKS_MORE = "asks-more"  # asks for more than registered
    BIOMETRIC = "biometric"  # asks for a portrait
    DISCLOSURE_POLICY = "disclosure-policy"  # the issuer of a card does not want it to be shown to who asks
    ANSWER_ELSEWHERE = "answer-elsewhere"  # the answer goes to another host than those in the certificate


class Asker(SealedValue):
    """Who asks and why, as certificate and registration say it."""

    party: Party
    client_id: str
    host: str
    signed: bool
    registered: bool
    purpose: tuple[Text, ...] = ()
    service: tuple[Text, ...] = ()
    info_uri: str | None = None


@dataclass(frozen=True)
class OpenedRequest:
    """A request that may be shown: what it asks, who asks, and what the citizen must be warned of."""

    request: AuthenticRequest
    asker: Asker
    cautions: tuple[Caution, ...]


def parse_link(link: str, *, allow_loopback_http: bool = False) -> UrlRequest:
    """Read a link: of one of our schemes, or the wallet's own address with the request in its query.

    Raises:
        MalformedInput: no such link, too long, or a parameter comes twice.
        OAuthError: as in `parse_request_parameters`.
    """
    if len(link) > MAX_LINK:
        raise MalformedInput(f"expected a link of at most {MAX_LINK} characters")
    try:
        parts = urlsplit(link.strip())
        parameters = parse_qsl(parts.query, strict_parsing=True, max_num_fields=MAX_PARAMETERS, errors="strict")
    except ValueError:
        raise MalformedInput("expected a link with a request for a presentation") from None
    if parts.scheme not in SCHEMES and not (allow_loopback_http and parts.scheme == _LOOPBACK_SCHEME):
        raise MalformedInput(f"expected a link that begins with one of {', '.join(sorted(SCHEMES))}")
    if len(dict(parameters)) != len(parameters):
        raise MalformedInput("a parameter of the link comes twice")
    return parse_request_parameters(dict(parameters), allow_loopback_http=allow_loopback_http)


async def authenticate(wallet: Wallet, link: str) -> AuthenticatedRequest:
    """Open a link, fetch the request if it is by reference, and establish who asks. Nobody is told about failures.

    Raises:
        MalformedInput, OAuthError: the link or the request is malformed.
        PeerError: the request can't be fetched.
        VerificationError: nobody whom the wallet believes has made this request.
    """
    verifiers = wallet.verifiers
    parsed = parse_link(link, allow_loopback_http=verifiers.allow_loopback_http)
    request: str | AuthorizationRequest
    nonce = None
    match parsed:
        case RequestByReference():
            request, nonce = await verifiers.fetch_request(parsed)
        case RequestByValue():
            request = parsed.request
        case AuthorizationRequest():
            request = parsed
    return authenticate_request(
        request,
        client_id=parsed.client_id or "",
        trust=verifiers.trust,
        now=wallet.clock(),
        wallet_nonce=nonce,
        cache=wallet.trust.cache,
    )


async def accept(wallet: Wallet, authenticated: AuthenticatedRequest) -> OpenedRequest:
    """Judge what is asked, and look up whether the registration of who asks still stands.

    Raises:
        OAuthError: it must not be answered; the error may be told (8.5).
    """
    verifiers = wallet.verifiers
    abilities = WalletAbilities(
        formats=frozenset({SD_JWT_VC, MDOC}),
        transaction_data_types=TYPES,
        allow_loopback_http=verifiers.allow_loopback_http,
    )
    request = accept_request(
        authenticated, trust=verifiers.trust, abilities=abilities, now=wallet.clock(), cache=wallet.trust.cache
    )
    request = await with_standing_registrations(wallet, request)
    return OpenedRequest(request, _asker(request), tuple(_cautions(request)))


def party_of(authenticated: AuthenticatedRequest | AuthenticRequest, registration: Registration | None = None) -> Party:
    """Describe who asks, for the history. Without a signature, that is only where the answer would go."""
    client = authenticated.client
    if client.chain is None:
        return Party(
            key=client.identifier.full if client.signed or client.registered else f"host:{client.name}",
            name=client.name,
            signed=client.signed,
        )
    return _certified(client, client.chain, registration)


def _certified(client: AuthenticClient, chain: TrustedChain, registration: Registration | None) -> Party:
    claims = registration.claims if registration else None
    identifier = claims.sub if claims else chain.organization_identifier
    authority = claims.supervisory_authority if claims else None
    intermediary = claims.intermediary if claims else None
    return Party(
        key=f"organisation:{identifier}" if identifier else client.identifier.full,
        name=registration.name if registration else client.name,
        identifier=(PartyIdentifier(type="organizationIdentifier", identifier=identifier),) if identifier else (),
        country=claims.country if claims else None,
        contact=tuple(_contacts((*_addresses(chain), claims.support_uri if claims else None))),
        registrar_url=claims.registry_uri if claims else None,
        privacy_policy=next(iter(_contacts([claims.privacy_policy])), None) if claims else None,
        dpa_contact=tuple(
            _contacts((authority.uri, _link("mailto:", authority.email), _link("tel:", authority.phone)))
            if authority
            else ()
        ),
        dpa_country=claims.country if claims else None,
        intermediary_name=(intermediary.sname or client.name) if intermediary else None,
        intermediary_identifier=intermediary.sub if intermediary else None,
    )


def _asker(request: AuthenticRequest) -> Asker:
    registration = next(iter(request.registration.registrations), None)
    claims = registration.claims if registration else None
    return Asker(
        party=party_of(request, registration),
        client_id=request.client.identifier.full,
        host=urlsplit(request.request.response_uri or "").hostname or "",
        signed=request.client.signed,
        registered=registration is not None or request.client.registered is not None,
        purpose=tuple(Text(lang=each.lang, content=each.value) for each in (claims.purpose if claims else ())),
        service=tuple(
            Text(lang=text.lang, content=text.value)
            for texts in (claims.srv_description if claims else ())
            for text in texts
        ),
        info_uri=next(iter(_contacts([claims.info_uri])), None) if claims else None,
    )


def _cautions(request: AuthenticRequest) -> Iterable[Caution]:
    client, registration = request.client, request.registration
    if not client.signed:
        yield Caution.UNSIGNED
    if registration.refused:
        yield Caution.REGISTRATION_REFUSED
    if registration.registrations and registration.beyond:
        yield Caution.ASKS_MORE
    if not registration.registrations and client.registered is None and client.signed:
        yield Caution.UNREGISTERED
    asked = {part for query in request.request.query.credentials for path in query.paths for part in path}
    if asked & _BIOMETRIC:
        yield Caution.BIOMETRIC
    host = urlsplit(request.request.response_uri or "").hostname or ""
    if client.chain and client.chain.dns_names and host not in {name.lower() for name in client.chain.dns_names}:
        yield Caution.ANSWER_ELSEWHERE


def _addresses(chain: TrustedChain) -> list[str]:
    """Return the addresses in an access certificate: pages, and e-mail (ETSI TS 119 411-8)."""
    try:
        names = chain.leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [*chain.uris, *(f"mailto:{each}" for each in names.get_values_for_type(x509.RFC822Name))]


def _contacts(addresses: Iterable[str | None]) -> list[str]:
    """Keep what a browser may be sent to, or can write to."""
    return list(dict.fromkeys(each for each in addresses if each and each.startswith(CONTACTS)))


def _link(scheme: str, value: str | None) -> str | None:
    return None if value is None else value if value.startswith(scheme) else scheme + value.replace(" ", "")
