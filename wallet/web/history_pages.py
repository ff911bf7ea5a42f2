"""Pages of the history: search, an entry in full, and what a citizen can do about it."""

from functools import partial
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from wallet import history, rights
from wallet.cards import load_cards
from wallet.context import Visit
from wallet.web.history_views import (
    claim_labels,
    confirm_entry_deletion,
    deletion_draft,
    entry_view,
    history_line,
    report_draft,
    shown_words,
)
from wallet.web.site import PageRoute, Site, SiteContext, Visitor, see_other

router: Final = APIRouter(route_class=PageRoute)


@router.get("/history")
async def history_page(request: Request, site: SiteContext, visit: Visitor) -> Response:
    """List what was received, shown and refused."""
    search, card, party = (request.query_params.get(name, "") for name in ("search", "card", "party"))
    say = site.catalogue(request)
    labels = claim_labels(await load_cards(visit.contents), say)
    items = await history.load_history(
        visit.contents, search=search, party=party or None, shown=partial(shown_words, labels=labels, catalogue=say)
    )
    lines = [history_line(item, say) for item in items if not card or card in item.entry.cards]
    filters = {"search": search, "card": card, "party": party}
    return site.render(request, "history.html", visit=visit, tab="history", lines=lines, **filters)


@router.get("/history/{entry_id}")
async def entry_page(entry_id: str, request: Request, site: SiteContext, visit: Visitor) -> Response:
    """Show an entry in full."""
    item = await history.load_entry(visit.contents, entry_id, now=site.wallet.clock())
    say = site.catalogue(request)
    entry = entry_view(item, claim_labels(await load_cards(visit.contents), say), say)
    return site.render(request, "entry.html", visit=visit, tab="history", entry=entry)


@router.get("/history/{entry_id}/deletion")
async def entry_deletion_page(entry_id: str, request: Request, site: SiteContext, visit: Visitor) -> Response:
    """Ask whether an entry is really to be deleted."""
    item = await history.load_entry(visit.contents, entry_id, now=site.wallet.clock())
    confirm = confirm_entry_deletion(item.id, site.catalogue(request))
    return site.render(request, "confirm.html", visit=visit, tab="history", confirm=confirm)


@router.post("/history/{entry_id}/deletion")
async def delete_entry(entry_id: str, request: Request, site: SiteContext, visit: Visitor) -> Response:
    """Delete an entry."""
    await site.form(request)
    await history.delete_entry(visit.contents, entry_id)
    return see_other("/history")


@router.get("/history/{entry_id}/data-deletion")
async def data_deletion_page(entry_id: str, request: Request, site: SiteContext, visit: Visitor) -> Response:
    """Show how to ask a service to delete data (ARF TS7)."""
    item = await history.load_entry(visit.contents, entry_id, now=site.wallet.clock())
    say = site.catalogue(request)
    draft = deletion_draft(item, claim_labels(await load_cards(visit.contents), say), say)
    contacts = rights.deletion_contacts(item, draft)
    return _rights_page(request, site, visit, item, kind="data-deletion", draft=draft, contacts=contacts)


@router.post("/history/{entry_id}/data-deletion")
async def data_deletion_sent(entry_id: str, request: Request, site: SiteContext, visit: Visitor) -> Response:
    """Note that the citizen has asked."""
    await site.form(request)
    item = await history.load_entry(visit.contents, entry_id, now=site.wallet.clock())
    return see_other(f"/history/{await rights.note_deletion_request(site.wallet, visit, item)}")


@router.get("/history/{entry_id}/report")
async def report_page(entry_id: str, request: Request, site: SiteContext, visit: Visitor) -> Response:
    """Show how to report a service to the authority that supervises it (ARF TS8)."""
    item = await history.load_entry(visit.contents, entry_id, now=site.wallet.clock())
    say = site.catalogue(request)
    draft = report_draft(item, claim_labels(await load_cards(visit.contents), say), say)
    contacts = rights.authority_contacts(item, draft)
    return _rights_page(request, site, visit, item, kind="report", draft=draft, contacts=contacts)


@router.post("/history/{entry_id}/report")
async def report_sent(entry_id: str, request: Request, site: SiteContext, visit: Visitor) -> Response:
    """Note that the citizen has reported."""
    await site.form(request)
    item = await history.load_entry(visit.contents, entry_id, now=site.wallet.clock())
    return see_other(f"/history/{await rights.note_report(site.wallet, visit, item)}")


@router.get("/settings/move")
async def move_page(request: Request, site: SiteContext, visit: Visitor) -> Response:
    """Take the wallet elsewhere, or bring one here (ARF TS10)."""
    return site.render(request, "move.html", visit=visit, tab="settings")


def _rights_page(
    request: Request,
    site: Site,
    visit: Visit,
    item: history.HistoryItem,
    *,
    kind: str,
    draft: rights.Draft,
    contacts: list[rights.Contact],
) -> Response:
    who = item.entry.party.name
    view = {"entry_id": item.id, "who": who, "kind": kind, "draft": draft, "contacts": contacts}
    return site.render(request, "rights.html", visit=visit, tab="history", **view)
