"""Pages for one offer at a time: by QR code and link on the clerk's screen, by letter or by e-mail; and the letters."""

from typing import Final

from starlette.responses import HTMLResponse, Response

from byoid.wire_errors import InvalidRequest, TemporarilyUnavailable
from issuer import delivery
from issuer.agency_offers import SingleOffer, create
from issuer.offers import cancel_offer
from issuer.web.office.order_form import order_of, order_view
from issuer.web.office.visit import Visit

LETTER_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
_NOBODY: Final = "Give the number that our register knows the person by."
_TAKEN: Final = "This offer was taken or has expired."
_WITHDRAWN: Final = "The offer is withdrawn. Nobody can take it any more."


async def show_form(visit: Visit) -> Response:
    """Show the form for an offer."""
    return visit.page("offers", notice=None, **order_view(visit))


async def make(visit: Visit) -> Response:
    """Make an offer, and show it this once."""
    person = visit.fields.get("person", "").strip()
    try:
        order = order_of(visit)
        if not 0 < len(person) <= 200:  # noqa: PLR2004  # as SingleOffer says
            raise InvalidRequest(_NOBODY)
        wanted = SingleOffer(**order.model_dump(), person=person)
        made = await create(visit.agency, wanted, actor=visit.caller.actor)
    except (InvalidRequest, TemporarilyUnavailable) as error:
        return visit.page("offers", status=error.status, notice=None, **order_view(visit, error))
    return visit.page("offer-made", made=made, by_offer=order.delivery.offer, by_code=order.delivery.code)


async def withdraw(visit: Visit) -> Response:
    """Withdraw an offer that the clerk has just made."""
    done = await cancel_offer(visit.agency.issuer, visit.fields.get("offer_id", ""))
    cleared = Visit(visit.request, visit.agency, visit.caller)
    return visit.page("offers", notice=_WITHDRAWN if done else _TAKEN, **order_view(cleared))


async def show_letters(visit: Visit) -> Response:
    """Show how many letters wait."""
    waiting = await delivery.waiting_letters(visit.agency)
    return visit.page("letters", count=len(waiting), ids=" ".join(each["id"] for each in waiting))


async def print_letters(visit: Visit) -> Response:
    """Show the letters that wait, ready to print."""
    html = visit.agency.post.letters(await delivery.waiting_letters(visit.agency))
    return HTMLResponse(html, headers={"Content-Security-Policy": LETTER_POLICY, "Cache-Control": "no-store"})


async def forget_letters(visit: Visit) -> Response:
    """Forget the letters that were printed."""
    ids = visit.fields.get("ids", "").split()
    await delivery.letters_printed(visit.agency, ids, actor=visit.caller.actor)
    return visit.go("/letters")
