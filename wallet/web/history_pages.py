"""Pages of the history: search, an entry in full, and what a citizen can do about it."""

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from wallet import history
from wallet.web.history_views import entry_view, history_line
from wallet.web.site import PageRoute, SiteContext, Visitor, see_other

router: Final = APIRouter(route_class=PageRoute)


@router.get("/history")
async def history_page(request: Request, site: SiteContext, visit: Visitor) -> Response:
    """List what was received, shown and refused."""
    search, card = request.query_params.get("search", ""), request.query_params.get("card", "")
    items = await history.load_history(visit.contents, search=search)
    say = site.catalogue(request)
    lines = [history_line(item, say) for item in items if not card or card in item.entry.cards]
    return site.render(request, "history.html", visit=visit, tab="history", lines=lines, search=search, card=card)


@router.get("/history/{entry_id}")
async def entry_page(entry_id: str, request: Request, site: SiteContext, visit: Visitor) -> Response:
    """Show an entry in full."""
    item = await history.load_entry(visit.contents, entry_id, now=site.wallet.clock())
    entry = entry_view(item, site.catalogue(request))
    return site.render(request, "entry.html", visit=visit, tab="history", entry=entry)


@router.post("/history/{entry_id}/deletion")
async def delete_entry(entry_id: str, request: Request, site: SiteContext, visit: Visitor) -> Response:
    """Delete an entry."""
    await site.form(request)
    await history.delete_entry(visit.contents, entry_id)
    return see_other("/history")
