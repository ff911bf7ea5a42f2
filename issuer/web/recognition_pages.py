"""The page that leads to a wallet for sign-in, and the endpoints that wallets answer at (OpenID4VP 1.0)."""

from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import Response

from byoid.relying_party import TransactionOver, TransactionUnknown
from byoid.relying_party.fastapi import router
from byoid.wire_errors import InvalidRequest
from issuer.context import Issuer
from issuer.recognition_wallet import PATH, WalletRecognition


def recognition_routes(recognition: WalletRecognition, public_url: str) -> APIRouter:
    """Return the page and the endpoints."""
    path = urlsplit(public_url).path + PATH
    routes = APIRouter(include_in_schema=False)

    @routes.get(path)
    async def show_links(request: Request, state: str = "") -> Response:
        issuer: Issuer = request.app.state.issuer
        try:
            links = await recognition.links(state)
        except (TransactionUnknown, TransactionOver) as error:
            raise InvalidRequest("This sign-in has expired. Start again in your wallet.") from error
        return issuer.pages.render(request, "show-wallet.html", links=links, agency=issuer.settings.agency_name)

    routes.include_router(router(recognition.party), prefix=path)
    return routes
