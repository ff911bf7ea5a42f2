"""Pages about cards: the dashboard, a card, adding one, an offer from its preview to the card in the wallet."""

from collections.abc import Mapping
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from byoid.errors import MalformedInput
from byoid.oauth.form import parse_form
from byoid.service.i18n import Catalogue
from wallet import accounts, deferred, offers, receiving, reissue, removal
from wallet.card_status import CardState, CardStatus, card_statuses
from wallet.cards import Card, Deck, load_card, load_deck
from wallet.keeping import Received
from wallet.receipts import Stage, load_receipt
from wallet.receiving import GoTo, Outcome, TransactionCodeRefused
from wallet.web import card_formats, views
from wallet.web.offer_views import offer_view
from wallet.web.site import PageRoute, SiteContext, Visitor, see_other

router: Final = APIRouter(route_class=PageRoute)


@router.get("/")
async def dashboard(request: Request, site: SiteContext, visit: Visitor) -> Response:
    """Show all cards, and what needs the citizen's attention."""
    say, wallet = site.catalogue(request), site.wallet
    collected = await deferred.collect_due(wallet, visit)
    deck = await load_deck(visit.contents)
    faces = _faces(deck, say, await card_statuses(wallet, deck))
    notices = views.dashboard_notices(
        collected,
        await deferred.load_promises(visit),
        reissue.due_cards(wallet, deck),
        [face for _, face in faces],
        say,
    )
    return site.render(
        request, "dashboard.html", visit=visit, tab="cards", notices=notices,
        cards=card_formats.one_of_each(faces),
        has_recovery_code=(await site.door.run(accounts.view_account, visit.cookie)).recovery_code_made_at is not None,
    )  # fmt: skip


@router.get("/cards/{card_id}")
async def card_page(card_id: str, request: Request, site: SiteContext, visit: Visitor) -> Response:
    """Show what is on a card."""
    say, now = site.catalogue(request), site.wallet.clock()
    card, deck = await load_card(visit.contents, card_id, now=now), await load_deck(visit.contents)
    stock, faces = deck.stocks[card_id], _faces(deck, say, await card_statuses(site.wallet, deck))
    return site.render(
        request, "card.html", visit=visit, tab="cards",
        card=next(face for each, face in faces if each.id == card_id),
        formats=card_formats.format_links(faces, card_id, say),
        lines=views.card_lines(card, stock.sample, say),
        about=views.about(card, stock, say, now=now),
        can_renew=card.content.reissuance is not None,
    )  # fmt: skip


@router.get("/cards/{card_id}/deletion")
async def card_deletion_page(card_id: str, request: Request, site: SiteContext, visit: Visitor) -> Response:
    """Ask whether a card is really to be deleted."""
    card = await load_card(visit.contents, card_id, now=site.wallet.clock())
    say = site.catalogue(request)
    same = card_formats.format_links(_faces(await load_deck(visit.contents), say), card_id, say)
    formats = [link.label for link in same]
    confirm = views.confirm_card_deletion(card_id, views.card_name(card.content, say), formats, say)
    return site.render(request, "confirm.html", visit=visit, tab="cards", confirm=confirm)


@router.post("/cards/{card_id}/deletion")
async def delete_card(card_id: str, request: Request, site: SiteContext, visit: Visitor) -> Response:
    """Delete a card for good, in all its formats."""
    await site.form(request)
    say = site.catalogue(request)
    same = card_formats.format_links(_faces(await load_deck(visit.contents), say), card_id, say)
    for each in [link.card_id for link in same] or [card_id]:
        await removal.remove_card(site.wallet, visit, each)
    return see_other("/")


@router.post("/cards/{card_id}/renewal")
async def renew_card(card_id: str, request: Request, site: SiteContext, visit: Visitor) -> Response:
    """Begin to get a card again."""
    await site.form(request)
    receipt = await reissue.start_reissue(site.wallet, visit, card_id)
    return see_other(f"/offers/{receipt.id}")


@router.get("/add")
async def add_page(request: Request, site: SiteContext, visit: Visitor) -> Response:
    """Show the ways to get a card."""
    say = site.catalogue(request)
    found = [views.catalogue_view(each, say) for each in await offers.catalogue(site.wallet)]
    return site.render(request, "add.html", visit=visit, tab="add", catalogue=found)


@router.get("/scan")
async def scan_page(request: Request, site: SiteContext, visit: Visitor) -> Response:
    """Scan a code with the camera."""
    return site.render(request, "scan.html", visit=visit, tab="add")


@router.get("/open")
async def open_nothing(visit: Visitor) -> Response:
    """Lead back whoever changes the language of the page that refused a link."""
    return see_other("/add")


@router.post("/open")
async def open_link(request: Request, site: SiteContext, visit: Visitor) -> Response:
    """Open a link that was scanned or pasted: an offer or a request."""
    link = (await site.form(request)).get("link", "").strip()
    query = link.partition("?")[2]
    parameters = parse_form(query) if query else {}
    if "credential_offer" in parameters or "credential_offer_uri" in parameters:
        return see_other(f"/credential-offer?{query}")
    if "client_id" in parameters:
        return see_other(f"/authorize?{query}")
    raise MalformedInput("expected the link of an offer or of a request")


@router.post("/catalogue")
async def start_from_catalogue(request: Request, site: SiteContext, visit: Visitor) -> Response:
    """Get a card from an authority that the operator lists."""
    form = await site.form(request)
    receipt = await offers.start_from_catalogue(
        site.wallet,
        visit,
        credential_issuer=form.get("credential_issuer", ""),
        configuration_ids=tuple(form.get("configuration_ids", "").split()),
    )
    return see_other(f"/offers/{receipt.id}")


@router.get("/credential-offer")
async def credential_offer(request: Request, site: SiteContext, visit: Visitor) -> Response:
    """Open an offer that another page or a QR code linked to (OpenID4VCI 4.1, 12.1.1)."""
    receipt = await offers.open_link(site.wallet, visit, f"openid-credential-offer://?{request.url.query}")
    return see_other(f"/offers/{receipt.id}")


@router.get("/offers/done")
async def offer_done(request: Request, site: SiteContext, visit: Visitor) -> Response:
    """Show what came; `cards` and `promised` are only how the page was reached."""
    say, deck = site.catalogue(request), await load_deck(visit.contents)
    ids = request.query_params.get("cards", "").split(",")
    came = Deck([card for card in deck.cards if card.id in ids], deck.stocks)
    faces = _faces(came, say, await card_statuses(site.wallet, came))
    promised = bool(request.query_params.get("promised"))
    return site.render(
        request, "offer_done.html", visit=visit, tab="cards", cards=card_formats.one_of_each(faces), promised=promised
    )


@router.get("/offers/{receipt_id}")
async def offer_page(receipt_id: str, request: Request, site: SiteContext, visit: Visitor) -> Response:
    """Show who offers what, before the citizen decides."""
    receipt = await load_receipt(site.wallet, visit, receipt_id)
    template = "offer_asked.html" if receipt.content.stage is Stage.ASKED else "offer.html"
    offer, wrong = offer_view(receipt, site.catalogue(request)), "wrong" in request.query_params
    unattended = site.settings.unattended_person is not None
    return site.render(request, template, visit=visit, offer=offer, wrong=wrong, unattended=unattended)


@router.post("/offers/{receipt_id}/fetch")
async def fetch_offer(receipt_id: str, request: Request, site: SiteContext, visit: Visitor) -> Response:
    """Fetch an offer, now that the citizen has agreed."""
    await site.form(request)
    await offers.fetch_offer(site.wallet, visit, receipt_id)
    return see_other(f"/offers/{receipt_id}")


@router.get("/offers/{receipt_id}/fetch")
async def offer_fetched(receipt_id: str, visit: Visitor) -> Response:
    """Lead back whoever changes the language of the page that says why an offer could not be fetched."""
    return see_other(f"/offers/{receipt_id}")


@router.post("/offers/{receipt_id}/code")
async def enter_code(receipt_id: str, request: Request, site: SiteContext, visit: Visitor) -> Response:
    """Try the transaction code again, under the approval that stands."""
    form = await site.form(request)
    code = form.get("tx_code", "")
    try:
        return after(await receiving.enter_transaction_code(site.wallet, visit, receipt_id, tx_code=code))
    except TransactionCodeRefused:
        return see_other(f"/offers/{receipt_id}?wrong=1")


@router.post("/offers/{receipt_id}/decline")
async def decline_offer(receipt_id: str, request: Request, site: SiteContext, visit: Visitor) -> Response:
    """Say no."""
    await site.form(request)
    await receiving.decline(site.wallet, visit, receipt_id)
    return see_other("/")


@router.get("/callback")
async def callback(request: Request, site: SiteContext, visit: Visitor) -> Response:
    """Take the browser back from an issuer's login (OpenID4VCI 5.2)."""
    parameters = parse_form(request.url.query)
    return after(await receiving.complete_authorization(site.wallet, visit, parameters))


def _faces(
    deck: Deck, catalogue: Catalogue, states: Mapping[str, CardStatus] | None = None
) -> list[tuple[Card, views.CardFace]]:
    """Return every card with its face; its state is told if it was asked for."""
    found = []
    for card in deck.cards:
        state = states[card.id].state if states else CardState.VALID
        found.append((card, views.card_face(card, [deck.stocks[card.id].sample], catalogue, state=state)))
    return found


def after(outcome: Outcome) -> Response:
    """Go on after an approval."""
    match outcome:
        case GoTo(url=url):
            return see_other(url)
        case Received():
            return see_other(done_path(outcome))


def done_path(received: Received) -> str:
    """Return the page that shows what came."""
    promised = "&promised=1" if received.deferred_ids else ""
    return f"/offers/done?cards={','.join(received.card_ids)}{promised}"
