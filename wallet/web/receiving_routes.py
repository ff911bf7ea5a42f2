"""JSON endpoints for receiving: offers, catalogue, approval, the way back from an issuer's login, promises, renewal.

Pages and native apps use them alike, by the rules of `passkey_routes`: the session is in a `__Host-` cookie, a request
from another site is refused. The wallet provider's status lists are here too; anybody may read them.
"""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from byoid.formats.status_list import JWT_MEDIA_TYPE
from wallet import deferred, offers, receiving, reissue
from wallet.card_status import CardState
from wallet.cards import load_deck
from wallet.context import Visit, Wallet
from wallet.keeping import Received
from wallet.messages import message_id
from wallet.provider import STATUS_PATH, NoSuchList
from wallet.receipts import load_receipt
from wallet.vault.contract import Ceremony, PagePost
from wallet.web.api_errors import REFUSED
from wallet.web.passkey_routes import Cookie, personal

_MAX_LINK: Final = 64 << 10
_LIST: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "A status list token.", "content": {JWT_MEDIA_TYPE: {}}}
}


class ApiMessage(BaseModel):
    """A message of this API: nothing unknown in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Link(ApiMessage):
    """A link as it was scanned, clicked or pasted."""

    link: str = Field(min_length=1, max_length=_MAX_LINK)


class CatalogueChoice(ApiMessage):
    """What the citizen wants from an issuer of the catalogue."""

    credential_issuer: str = Field(max_length=2048)
    configuration_ids: tuple[str, ...] = Field(min_length=1, max_length=20)


class Choice(ApiMessage):
    """Which of the offered cards; all if not given."""

    configuration_ids: tuple[str, ...] | None = Field(default=None, min_length=1)


class Approval(ApiMessage):
    """The answer of the authenticator, and the transaction code if there is one."""

    post: PagePost
    tx_code: str | None = Field(default=None, max_length=1024)


class TransactionCodeText(ApiMessage):
    """A transaction code as typed."""

    tx_code: str = Field(min_length=1, max_length=1024)


class Callback(ApiMessage):
    """The query of the address at which the browser came back, name by name."""

    parameters: dict[str, str] = Field(max_length=20)


class OutcomeView(ApiMessage):
    """What an approval brought about: cards, how they stand, and promises; or the address of the issuer's login."""

    card_ids: tuple[str, ...] = ()
    deferred_ids: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    states: dict[str, CardState] = Field(default_factory=dict)
    go_to: str | None = None


class PromiseView(ApiMessage):
    """A credential that an issuer has promised."""

    id: str
    credential_issuer: str
    configuration_id: str
    promised_at: str
    next_at: str


class CollectedView(ApiMessage):
    """What became of a promise; neither cards nor a message: still to wait."""

    id: str
    card_ids: tuple[str, ...] = ()
    message: str | None = None


class DueView(ApiMessage):
    """A card that should be renewed."""

    card_id: str
    unused: int
    possible: bool


async def the_visit(request: Request, cookie: Cookie) -> Visit:
    """Open the session of a request."""
    return await _wallet(request).visit(cookie)


def _wallet(request: Request) -> Wallet:
    found: Wallet = request.app.state.wallet
    return found


TheVisit = Annotated[Visit, Depends(the_visit)]
TheWallet = Annotated[Wallet, Depends(_wallet)]


def receiving_routes(*, origin: str) -> APIRouter:
    """Return the routes. `app.state.wallet` is the wallet; `origin` its own origin, from settings."""
    router = APIRouter(prefix="/api", dependencies=[Depends(personal(origin))], responses=REFUSED)
    _add_offers(router)
    _add_approval(router)
    _add_later(router)
    return router


def status_routes() -> APIRouter:
    """Return the route of the wallet provider's status lists (Token Status List 8.1, 8.2)."""
    router = APIRouter(responses=REFUSED)

    @router.get(STATUS_PATH + "/{list_id}", response_class=Response, responses=_LIST)
    async def status_list(list_id: str, wallet: TheWallet) -> Response:
        try:
            token = await wallet.provider.status_list_token(list_id)
        except NoSuchList:
            raise HTTPException(404) from None
        return Response(token, media_type=JWT_MEDIA_TYPE, headers={"Cache-Control": "max-age=300"})

    return router


def _add_offers(router: APIRouter) -> None:
    @router.get("/catalogue")
    async def catalogue(wallet: TheWallet, _: TheVisit) -> list[offers.CatalogueEntry]:
        return await offers.catalogue(wallet)

    @router.post("/catalogue")
    async def start(choice: CatalogueChoice, wallet: TheWallet, visit: TheVisit) -> offers.Preview:
        return offers.preview(
            await offers.start_from_catalogue(
                wallet,
                visit,
                credential_issuer=choice.credential_issuer,
                configuration_ids=choice.configuration_ids,
            )
        )

    @router.post("/offers")
    async def open_link(link: Link, wallet: TheWallet, visit: TheVisit) -> offers.Preview:
        return offers.preview(await offers.open_link(wallet, visit, link.link))

    @router.get("/offers/{receipt_id}")
    async def preview(receipt_id: str, wallet: TheWallet, visit: TheVisit) -> offers.Preview:
        return offers.preview(await load_receipt(wallet, visit, receipt_id))

    @router.post("/offers/{receipt_id}/fetch")
    async def fetch(receipt_id: str, wallet: TheWallet, visit: TheVisit) -> offers.Preview:
        return offers.preview(await offers.fetch_offer(wallet, visit, receipt_id))

    @router.delete("/offers/{receipt_id}", status_code=204)
    async def decline(receipt_id: str, wallet: TheWallet, visit: TheVisit) -> None:
        await receiving.decline(wallet, visit, receipt_id)


def _add_approval(router: APIRouter) -> None:
    @router.post("/offers/{receipt_id}/proposal")
    async def propose(receipt_id: str, choice: Choice, wallet: TheWallet, visit: TheVisit) -> Ceremony:
        return await receiving.propose(wallet, visit, receipt_id, configuration_ids=choice.configuration_ids)

    @router.post("/offers/{receipt_id}/approve")
    async def approve(receipt_id: str, approval: Approval, wallet: TheWallet, visit: TheVisit) -> OutcomeView:
        return _view(await receiving.approve(wallet, visit, receipt_id, approval.post, tx_code=approval.tx_code))

    @router.post("/offers/{receipt_id}/transaction-code")
    async def enter_code(receipt_id: str, code: TransactionCodeText, wallet: TheWallet, visit: TheVisit) -> OutcomeView:
        return _view(await receiving.enter_transaction_code(wallet, visit, receipt_id, tx_code=code.tx_code))

    @router.post("/callback")
    async def callback(back: Callback, wallet: TheWallet, visit: TheVisit) -> OutcomeView:
        return _view(await receiving.complete_authorization(wallet, visit, dict(back.parameters)))


def _add_later(router: APIRouter) -> None:
    @router.get("/promises")
    async def promises(visit: TheVisit) -> list[PromiseView]:
        return [_promise(each) for each in await deferred.load_promises(visit)]

    @router.post("/promises/collect")
    async def collect(wallet: TheWallet, visit: TheVisit) -> list[CollectedView]:
        return [_collected(each) for each in await deferred.collect_due(wallet, visit)]

    @router.get("/renewals")
    async def due(wallet: TheWallet, visit: TheVisit) -> list[DueView]:
        return [
            DueView(card_id=each.card.id, unused=each.unused, possible=each.possible)
            for each in reissue.due_cards(wallet, await load_deck(visit.contents))
        ]

    @router.post("/cards/{card_id}/renewal")
    async def renew(card_id: str, wallet: TheWallet, visit: TheVisit) -> offers.Preview:
        return offers.preview(await reissue.start_reissue(wallet, visit, card_id))


def _view(outcome: receiving.Outcome) -> OutcomeView:
    match outcome:
        case receiving.GoTo():
            return OutcomeView(go_to=outcome.url)
        case Received():
            return OutcomeView(
                card_ids=outcome.card_ids,
                deferred_ids=outcome.deferred_ids,
                changed=outcome.changed,
                states=outcome.states,
            )


def _promise(promise: deferred.Promise) -> PromiseView:
    content = promise.content
    return PromiseView(
        id=promise.id,
        credential_issuer=content.issuer.metadata.credential_issuer,
        configuration_id=content.configuration_id,
        promised_at=content.promised_at.isoformat(),
        next_at=content.next_at.isoformat(),
    )


def _collected(collected: deferred.Collected) -> CollectedView:
    error = collected.error
    return CollectedView(
        id=collected.promise.id,
        card_ids=collected.received.card_ids if collected.received else (),
        message=message_id(error) if error is not None else None,
    )
