"""What makes the wallet an app on a phone: manifest, service worker, and the page that is shown without a connection.

Cards are kept on the device only where the citizen turned that on, in this browser, encrypted for their passkey.
Decision 0015; `static/offline.js` keeps and opens the copy.
"""

from hashlib import sha256
from pathlib import Path
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from wallet.cards import load_deck
from wallet.web import notification_pages, views
from wallet.web.card_formats import one_of_each
from wallet.web.site import PageRoute, SiteContext, Visitor

router: Final = APIRouter(route_class=PageRoute)
_MARK: Final = 16
_STATIC: Final = Path(__file__).parent / "static"


@router.get("/manifest.webmanifest")
async def manifest(site: SiteContext) -> Response:
    """Say how the wallet is installed (W3C Web Application Manifest)."""
    icons = [
        {"src": f"/static/icon-{size}.png", "sizes": f"{size}x{size}", "type": "image/png", "purpose": purpose}
        for size, purpose in ((192, "any"), (512, "any"), (512, "maskable"))
    ]
    body = {
        "name": site.settings.wallet_name, "short_name": site.settings.wallet_name, "id": "/", "start_url": "/",
        "scope": "/", "display": "standalone", "background_color": "#f6f7f9", "theme_color": "#0b3d73", "icons": icons,
    }  # fmt: skip
    return JSONResponse(body, media_type="application/manifest+json")


@router.get("/sw.js")
async def service_worker() -> Response:
    """Give out the service worker, from the root so that it serves every page."""
    # The worker lives under the policy of its own script, and it must fetch.
    headers = {"Cache-Control": "no-cache", "Content-Security-Policy": "default-src 'self'"}
    return FileResponse(_STATIC / "sw.js", media_type="text/javascript", headers=headers)


@router.get("/settings/device/copy")
async def copy(request: Request, site: SiteContext, visit: Visitor) -> Response:
    """Give out what is kept on the device: all cards in the citizen's language, without links or buttons."""
    say, deck = site.catalogue(request), await load_deck(visit.contents)
    kept = {card.id: (card, (deck.stocks[card.id].sample,)) for card in deck.cards}
    faces = one_of_each([(card, views.card_face(card, found, say)) for card, found in kept.values()])
    cards = [{"face": face, "lines": views.card_lines(kept[face.id][0], kept[face.id][1][0], say)} for face in faces]
    response = site.render(request, "copy.html", cards=cards)
    response.headers["Wallet-Copy-Of"] = sha256(f"copy of {visit.person}".encode()).hexdigest()[:_MARK]
    return response


@router.get("/offline")
async def offline(request: Request, site: SiteContext) -> Response:
    """Say that there is no connection; the service worker shows it."""
    return site.render(request, "offline.html")


router.include_router(notification_pages.router)
