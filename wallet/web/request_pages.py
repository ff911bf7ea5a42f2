"""Pages about requests: from the link of a service to the answer, or to a no that is as easy."""

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from byoid.errors import MalformedInput
from wallet import consent, history, refusals
from wallet.web.history_views import done_view, no_view, told_view
from wallet.web.request_views import request_view
from wallet.web.site import PageRoute, SiteContext, Visitor, see_other

router: Final = APIRouter(route_class=PageRoute)
_AFTER_SECONDS: Final = 3


@router.get("/authorize")
async def authorize(request: Request, site: SiteContext, visit: Visitor) -> Response:
    """Open a request that another page or a QR code linked to (OpenID4VP 5.1)."""
    if not request.url.query:
        raise MalformedInput("expected a request")
    view = await consent.propose(site.wallet, visit, f"{site.origin}/authorize?{request.url.query}")
    return see_other(f"/requests/{view.id}")


@router.get("/requests/{consent_id}")
async def request_page(consent_id: str, request: Request, site: SiteContext, visit: Visitor) -> Response:
    """Show who asks, why, and exactly what they would get."""
    asked = await consent.view(site.wallet, visit, consent_id)
    view = request_view(asked, site.catalogue(request))
    return site.render(request, "request.html", visit=visit, request_view=view)


@router.post("/requests/{consent_id}/decline")
async def decline(consent_id: str, request: Request, site: SiteContext, visit: Visitor) -> Response:
    """Say no. The service learns that there will be no answer, and nothing else."""
    await site.form(request)
    back = await consent.decline(site.wallet, visit, consent_id, tell=True)
    newest = (await history.load_history(visit.contents, transactions=(history.Transaction.PRESENTATION,)))[0]
    done = no_view(newest, site.catalogue(request))
    return site.render(request, "request_done.html", visit=visit, done=done, back=back)


@router.get("/requests/{consent_id}/decline")
@router.get("/refusals/{refusal_id}")
async def answered(visit: Visitor) -> Response:
    """Lead on whoever changes the language of the page after a no: what was said is in the history."""
    return see_other("/history")


@router.post("/refusals/{refusal_id}")
async def tell_refused(refusal_id: str, request: Request, site: SiteContext, visit: Visitor) -> Response:
    """Tell a service that the wallet has refused its request."""
    await site.form(request)
    back = await refusals.tell(site.wallet, visit, refusal_id)
    done = told_view(site.catalogue(request))
    return site.render(request, "request_done.html", visit=visit, done=done, back=back)


@router.get("/requests/done/{entry_id}")
async def request_done(entry_id: str, request: Request, site: SiteContext, visit: Visitor) -> Response:
    """Say how it ended; `static/app.js` knows the way back to the service."""
    item = await history.load_entry(visit.contents, entry_id, now=site.wallet.clock())
    done = done_view(item, site.catalogue(request))
    return site.render(request, "request_done.html", visit=visit, done=done, back=None)
