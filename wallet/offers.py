"""Offers: what an issuer has for the citizen, shown before anything is fetched beyond metadata.

OpenID4VCI 1.0 4.1 (offer), 13.5 (an offer is from a stranger: ask before its address is visited), 12.2 (metadata);
HAIP 1.0 4.2. A catalogue of the operator lets the citizen start without an offer.
"""

from typing import Final
from urllib.parse import urlsplit

from byoid.errors import ByoidError, PeerError
from byoid.issuance.configuration import CredentialDisplay
from byoid.issuance.metadata import IssuerDisplay
from byoid.issuance.offer import (
    CredentialOffer,
    Offer,
    OfferReference,
    TransactionCode,
    parse_credential_offer_link,
    require_offered,
)
from byoid.issuance.reuse_policy import ReuseMethod, parse_reuse_policy, select_reuse
from byoid.oauth.claims_description import ClaimsDescription
from byoid.oauth.metadata import AuthorizationServerMetadata
from byoid.oauth.token import AUTHORIZATION_CODE
from wallet.cards import MDOC, SD_JWT_VC, Format, Reuse, SealedValue
from wallet.context import Visit, Wallet
from wallet.issuer_client import KnownIssuer
from wallet.limits import Limited
from wallet.receipts import (
    IssuerContent,
    Receipt,
    ReceiptContent,
    Stage,
    Supported,
    UnsupportedCredential,
    add_receipt,
    change_receipt,
    load_receipt,
    supported,
)

_USUAL_BATCH: Final = 5
_MAX_CARDS: Final = 20  # in one offer: each is given up to a hundred holder keys before anybody knows what comes


class OfferedCard(SealedValue):
    """One credential of an offer, as it would be kept; `copies` are asked for at once."""

    configuration_id: str
    format: Format
    type: str
    display: tuple[CredentialDisplay, ...]
    claims: tuple[ClaimsDescription, ...]
    copies: int


class Preview(SealedValue):
    """What the citizen sees before deciding. An offer to be fetched has a host only.

    `signed`: a party that the wallet trusts vouches for the issuer's metadata; else only its web address is known.
    """

    receipt_id: str
    stage: Stage
    host: str
    credential_issuer: str | None = None
    issuer_display: tuple[IssuerDisplay, ...] = ()
    signed: bool = False
    cards: tuple[OfferedCard, ...] = ()
    tx_code: TransactionCode | None = None
    needs_login: bool = False


class CatalogueEntry(SealedValue):
    """An issuer that the operator lists, and what it has."""

    credential_issuer: str
    issuer_display: tuple[IssuerDisplay, ...]
    signed: bool
    cards: tuple[OfferedCard, ...]


async def open_link(wallet: Wallet, visit: Visit, link: str) -> Receipt:
    """Open an offer: by value, look its issuer up; by reference, nothing is visited yet (13.5).

    Raises:
        MalformedInput: it is no offer.
        PeerError, VerificationError: as `IssuerClient.discover`.
        UnsupportedCredential: nothing that this wallet can keep.
        TooManyRequests: the citizen opens links faster than anybody reads them.
    """
    await wallet.limits.spend(Limited.OPEN, visit.person)
    return await open_offer(wallet, visit, parse_credential_offer_link(link))


async def open_offer(wallet: Wallet, visit: Visit, offer: Offer) -> Receipt:
    """Open an offer that was parsed.

    Raises:
        as `open_link`.
    """
    if isinstance(offer, OfferReference):
        return await add_receipt(wallet, visit, ReceiptContent(stage=Stage.ASKED, reference=offer.uri))
    return await add_receipt(
        wallet, visit, ReceiptContent(stage=Stage.OFFERED, offer=offer, issuer=await _look_up(wallet, offer))
    )


async def fetch_offer(wallet: Wallet, visit: Visit, receipt_id: str) -> Receipt:
    """Fetch the offer, now that the citizen has agreed to visit its address, and look its issuer up.

    Raises:
        OutOfTurn: it was fetched before.
        ItemNotFound: its time is over.
        as `open_link`.
    """
    receipt = await load_receipt(wallet, visit, receipt_id)
    receipt.require(Stage.ASKED)
    offer = await wallet.issuers.fetch_offer(OfferReference(receipt.content.reference or ""))
    return await change_receipt(
        visit, receipt, stage=Stage.OFFERED, offer=offer, issuer=await _look_up(wallet, offer), reference=None
    )


async def start_from_catalogue(
    wallet: Wallet, visit: Visit, *, credential_issuer: str, configuration_ids: tuple[str, ...]
) -> Receipt:
    """Start without an offer, at an issuer that the operator lists.

    Raises:
        UnsupportedCredential: the operator does not list this issuer.
        as `open_link`.
    """
    if credential_issuer not in wallet.settings.issuers:
        raise UnsupportedCredential("this issuer is not in the catalogue")
    offer = CredentialOffer(credential_issuer=credential_issuer, credential_configuration_ids=configuration_ids)
    return await open_offer(wallet, visit, offer)


async def catalogue(wallet: Wallet) -> list[CatalogueEntry]:
    """Return what the listed issuers have; an issuer that does not answer is left out."""
    found = []
    for identifier in wallet.settings.issuers:
        try:
            known = await wallet.issuers.discover(identifier)
        except ByoidError:
            continue
        cards = _cards(IssuerContent.of(known, configuration_ids=tuple(_receivable(known))))
        display = known.metadata.display or ()
        found.append(
            CatalogueEntry(credential_issuer=identifier, issuer_display=display, signed=known.signed, cards=cards)
        )
    return found


def preview(receipt: Receipt) -> Preview:
    """Return what the citizen sees of a receipt."""
    content = receipt.content
    if content.offer is None or content.issuer is None:
        host = urlsplit(content.reference or "").netloc
        return Preview(receipt_id=receipt.id, stage=content.stage, host=host)
    metadata, grant = content.issuer.metadata, receipt.grants.pre_authorized_code
    return Preview(
        receipt_id=receipt.id,
        stage=content.stage,
        host=urlsplit(metadata.credential_issuer).netloc,
        credential_issuer=metadata.credential_issuer,
        issuer_display=metadata.display or (),
        signed=content.issuer.signed,
        cards=_cards(content.issuer),
        tx_code=grant.tx_code if grant else None,
        needs_login=grant is None and content.reissue_of is None,
    )


def reuse_of(configuration: Supported, *, max_proofs: int) -> Reuse:
    """Return how the copies of a credential may be used, and how many are asked for at once.

    An issuer without a policy, or with one that can't be read, gets what every wallet has: method B; but where it
    issues batches, unlinkable copies are better for the citizen, and used in turn.
    """
    described = configuration.credential_metadata
    policy = described.credential_reuse_policy if described else None
    if policy is None:
        return Reuse(method=ReuseMethod.ROTATING_BATCH, batch_size=_USUAL_BATCH) if max_proofs > 1 else Reuse()
    try:
        chosen = select_reuse(parse_reuse_policy(policy), supported=frozenset(ReuseMethod))
    except ByoidError:
        return Reuse()
    option = chosen.option
    return Reuse(
        method=chosen.method,
        batch_size=option.batch_size or 1,
        trigger_unused=option.reissue_trigger_unused,
        trigger_lifetime_left=option.reissue_trigger_lifetime_left,
    )


def copies_of(configuration: Supported, *, max_proofs: int) -> int:
    """Return how many copies are asked for at once."""
    return min(reuse_of(configuration, max_proofs=max_proofs).batch_size, max_proofs)


def type_of(configuration: Supported) -> str:
    """Return the vct or the document type."""
    return configuration.doctype if configuration.format == MDOC else configuration.vct


async def _look_up(wallet: Wallet, offer: CredentialOffer) -> IssuerContent:
    """Ask the issuer about itself as if the citizen had named it (13.5), and demand that the offer fits."""
    if len(offer.credential_configuration_ids) > _MAX_CARDS:
        raise UnsupportedCredential(f"expected an offer of at most {_MAX_CARDS} credentials")
    grants = offer.grants
    named = [each for each in (grants and grants.pre_authorized_code, grants and grants.authorization_code) if each]
    known = await wallet.issuers.discover(
        offer.credential_issuer, hint=named[0].authorization_server if named else None
    )
    require_offered(offer, metadata=known.metadata)
    if not named or not (grants and grants.pre_authorized_code):
        _require_login(known.server)
    issuer = IssuerContent.of(known, configuration_ids=offer.credential_configuration_ids)
    if not _cards(issuer):
        raise UnsupportedCredential("the issuer offers nothing in a format that this wallet has")
    return issuer


def _require_login(server: AuthorizationServerMetadata) -> None:
    if AUTHORIZATION_CODE not in server.grant_types or server.authorization_endpoint is None:
        raise PeerError("the offer has no grant, and its authorization server has no login")


def _receivable(known: KnownIssuer) -> list[str]:
    every = known.metadata.credential_configurations_supported
    return [name for name, each in every.items() if each.format in (SD_JWT_VC, MDOC)]


def _cards(issuer: IssuerContent) -> tuple[OfferedCard, ...]:
    return tuple(
        _card(name, supported(each), issuer.metadata.max_proofs)
        for name, each in issuer.metadata.credential_configurations_supported.items()
        if each.format in (SD_JWT_VC, MDOC)
    )


def _card(configuration_id: str, configuration: Supported, max_proofs: int) -> OfferedCard:
    described = configuration.credential_metadata
    return OfferedCard(
        configuration_id=configuration_id,
        format=configuration.format,
        type=type_of(configuration),
        display=(described and described.display) or (),
        claims=(described and described.claims) or (),
        copies=copies_of(configuration, max_proofs=max_proofs),
    )
