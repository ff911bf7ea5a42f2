"""Unattended mode, for conformance tools: the wallet signs a demo person in and agrees to everything by itself.

The person has a software authenticator whose assertions are real: the vault checks them like any other and gives no
bypass. The keys of the authenticator live in this process's memory, so run one worker. `WalletSettings` refuses the
mode in the production profile.

The addresses are those of the pages: GET `/credential-offer`, `/authorize` and `/callback` end at the same final pages
(`issuance-complete`, `presentation-complete`, `wallet-error`). What no card answers is declined. An offer with a
transaction code shows its form, as `POST /offers/{id}/unattended`; `/credential-offer?…&tx_code=…` answers it at once.
`GET /wallet-initiated` begins without an offer, at an issuer of the catalogue. What an issuer promises is waited for, a
minute at most.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from byoid.oauth.form import parse_form
from wallet import consent, deferred, offers, presenting, receiving
from wallet.asked import Choice, ConsentView
from wallet.authenticator import SoftwareAuthenticator
from wallet.context import Visit, Wallet
from wallet.history import HistoryItem, Transaction, load_history
from wallet.keeping import Received
from wallet.receipts import Receipt, Stage, load_receipt
from wallet.receiving import Outcome
from wallet.vault import ceremonies
from wallet.vault.contract import Ceremony, NotSignedIn, PagePost
from wallet.web.card_pages import after
from wallet.web.history_views import done_view
from wallet.web.site import PageRoute, Site, SiteContext, see_other

_LABEL: Final = "Unattended"
_CODE: Final = "tx_code"
_PATIENCE: Final = timedelta(minutes=1)


@dataclass
class DemoPerson:
    """Somebody who agrees to everything, with a passkey of their own."""

    name: str
    site: Site
    authenticator: SoftwareAuthenticator = field(init=False)
    cookie: str = ""

    def __post_init__(self) -> None:
        self.authenticator = SoftwareAuthenticator(self.site.origin)

    async def visit(self) -> Visit:
        """Return a visit: of the session that there is, else of a new one; the first time, of a new wallet."""
        try:
            return await self.site.wallet.visit(self.cookie)
        except NotSignedIn:
            self.cookie = await self._sign_in()
        return await self.site.wallet.visit(self.cookie)

    def assertion(self, ceremony: Ceremony) -> PagePost:
        """Answer a ceremony as a browser with an authenticator does."""
        return PagePost(**self.authenticator.get(ceremony.model_dump()))

    async def _sign_in(self) -> str:
        door = self.site.door
        if self.authenticator.passkeys:
            post = self.assertion(await door.run(ceremonies.begin_sign_in))
            return (await door.run(ceremonies.sign_in, post, label=_LABEL)).cookie
        ceremony = await door.run(ceremonies.begin_registration, account_name=self.name)
        created = PagePost(**self.authenticator.create(ceremony.model_dump()))
        return (await door.run(ceremonies.register, created, name=_LABEL, label=_LABEL)).cookie


def unattended_routes(site: Site) -> APIRouter:
    """Return the routes that take the place of the pages'."""
    person = DemoPerson(site.settings.unattended_person or "", site)
    site.substitute = person.visit
    router = APIRouter(route_class=PageRoute)
    _add_receiving(router, person)
    _add_presenting(router, person)
    return router


def _add_receiving(router: APIRouter, person: DemoPerson) -> None:
    @router.get("/credential-offer")
    async def credential_offer(request: Request, site: SiteContext) -> Response:
        code = request.query_params.get(_CODE)
        query = "&".join(part for part in request.url.query.split("&") if not part.startswith(f"{_CODE}="))
        visit = await person.visit()
        receipt = await offers.open_link(site.wallet, visit, f"openid-credential-offer://?{query}")
        if receipt.content.stage is Stage.ASKED:
            receipt = await offers.fetch_offer(site.wallet, visit, receipt.id)
        if offers.preview(receipt).tx_code is not None and code is None:
            return see_other(f"/offers/{receipt.id}")
        return await _receive(person, visit, receipt, code)

    @router.post("/offers/{receipt_id}/unattended")
    async def offer(receipt_id: str, request: Request, site: SiteContext) -> Response:
        form, visit = await site.form(request), await person.visit()
        receipt = await load_receipt(site.wallet, visit, receipt_id)
        return await _receive(person, visit, receipt, form.get(_CODE))

    @router.get("/wallet-initiated")
    async def wallet_initiated(credential_issuer: str, configuration_id: str, site: SiteContext) -> Response:
        visit = await person.visit()
        receipt = await offers.start_from_catalogue(
            site.wallet, visit, credential_issuer=credential_issuer, configuration_ids=(configuration_id,)
        )
        return await _receive(person, visit, receipt, None)

    @router.get("/callback")
    async def callback(request: Request, site: SiteContext) -> Response:
        visit, parameters = await person.visit(), parse_form(request.url.query)
        outcome = await receiving.complete_authorization(site.wallet, visit, parameters)
        return after(await _delivered(site.wallet, visit, outcome))


def _add_presenting(router: APIRouter, person: DemoPerson) -> None:
    @router.get("/authorize")
    async def authorize(request: Request, site: SiteContext) -> Response:
        visit = await person.visit()
        asked = await consent.propose(site.wallet, visit, f"{site.origin}/authorize?{request.url.query}")
        answer = _present if asked.satisfiable else _decline
        return await answer(person, visit, asked, request)


async def _present(person: DemoPerson, visit: Visit, asked: ConsentView, request: Request) -> Response:
    site = person.site
    choice = Choice(cards=asked.suggested, accepted_cautions=asked.cautions)
    ceremony = await consent.choose(site.wallet, visit, asked.id, choice)
    presented = await presenting.approve(site.wallet, visit, asked.id, person.assertion(ceremony))
    return _done(site, visit, presented.item, request, back=presented.redirect_uri)


async def _decline(person: DemoPerson, visit: Visit, asked: ConsentView, request: Request) -> Response:
    """Say no, as there is no card for it; the verifier is told."""
    back = await consent.decline(person.site.wallet, visit, asked.id, tell=True)
    newest = (await load_history(visit.contents, transactions=(Transaction.PRESENTATION,)))[0]
    return _done(person.site, visit, newest, request, back=back)


def _done(site: Site, visit: Visit, item: HistoryItem, request: Request, *, back: str | None) -> Response:
    done = done_view(item, site.catalogue(request))
    # Who runs no scripts goes back to the verifier's page too (8.2); the page's own script would go there once more.
    page = site.render(request, "request_done.html", visit=visit, done=done, back=back, forwarded=True)
    if back is not None:
        page.headers["Refresh"] = f"1; url={back}"
    return page


async def _receive(person: DemoPerson, visit: Visit, receipt: Receipt, code: str | None) -> Response:
    wallet = person.site.wallet
    ceremony = await receiving.propose(wallet, visit, receipt.id)
    outcome = await receiving.approve(wallet, visit, receipt.id, person.assertion(ceremony), tx_code=code)
    return after(await _delivered(wallet, visit, outcome))


async def _delivered(wallet: Wallet, visit: Visit, outcome: Outcome) -> Outcome:
    """Wait for what the issuer has promised: nobody looks into this wallet another time.

    Raises:
        ByoidError: what will keep a promise from ever coming true.
    """
    if not isinstance(outcome, Received) or not outcome.deferred_ids:
        return outcome
    cards, until = list(outcome.card_ids), wallet.clock() + _PATIENCE
    while (promises := await deferred.load_promises(visit)) and wallet.clock() < until:
        next_at = min(promise.content.next_at for promise in promises)
        await asyncio.sleep(max(0.0, (min(next_at, until) - wallet.clock()).total_seconds()))
        for collected in await deferred.collect_due(wallet, visit):
            if collected.error is not None and collected.over:
                raise collected.error
            cards += collected.received.card_ids if collected.received else ()
    return Received(card_ids=tuple(cards), deferred_ids=tuple(promise.id for promise in promises))
