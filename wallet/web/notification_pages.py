"""The page where a citizen says whether and where they want notices; `static/notices.js` does what it offers."""

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from wallet.web.site import PageRoute, SiteContext, Visitor

router: Final = APIRouter(route_class=PageRoute)


@router.get("/settings/notifications")
async def notifications_page(request: Request, site: SiteContext, visit: Visitor) -> Response:
    """Show where notices go, and which."""
    notices = site.wallet.notices
    return site.render(
        request, "notifications.html", visit=visit, tab="settings", public_key=notices.push.sender.public_b64u,
        mail=notices.mail is not None, places=await notices.subscriptions.all(visit.person),
    )  # fmt: skip
