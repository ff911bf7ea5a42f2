"""JSON endpoints for presenting, history, rights, card states, export, import and deletion.

Pages and native apps use them alike, by the rules of `passkey_routes`: the session is in a `__Host-` cookie, a request
from another site is refused, unknown members too. Nothing here decides anything.
"""

from typing import Any, Final

from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field

from wallet import asked, card_status, consent, history, portability, presenting, refusals, removal, rights
from wallet.cards import load_deck
from wallet.portability import CredentialInfo
from wallet.vault.contract import Ceremony, PagePost
from wallet.web.api_errors import REFUSED
from wallet.web.passkey_routes import COOKIE, Cookie, personal
from wallet.web.receiving_routes import ApiMessage, Link, TheVisit, TheWallet

_MAX_PASSPHRASE: Final = 1024
_JOSE: Final = "application/jose"
_FILE: Final[dict[int | str, dict[str, Any]]] = {200: {"description": "An encrypted file.", "content": {_JOSE: {}}}}


class Refusal(ApiMessage):
    """The citizen says no; `tell`: whether the service hears of it."""

    tell: bool = False


class NextPage(ApiMessage):
    """Where the browser goes next, if the service says so."""

    go_to: str | None = None


class PresentedView(ApiMessage):
    """How a presentation ended. `reason` says why it was not delivered; `history_id` is its entry."""

    delivered: bool
    reason: history.Reason | None = None
    history_id: str
    go_to: str | None = None


class EntryView(ApiMessage):
    """An entry of the history."""

    id: str
    entry: history.Entry


class RightsView(ApiMessage):
    """How to use a right: the text that can be sent, and to whom. No contacts: the service's certificate has none."""

    draft: rights.Draft
    contacts: list[rights.Contact]


class StateView(ApiMessage):
    """The state of a card."""

    card_id: str
    state: card_status.CardState
    expires_at: str | None = None


class Passphrase(ApiMessage):
    """A passphrase, and for a history the entries that are wanted; none: all."""

    passphrase: str = Field(min_length=1, max_length=_MAX_PASSPHRASE)
    only: tuple[str, ...] = Field(default=(), max_length=10_000)


class WalletFile(ApiMessage):
    """An encrypted wallet and its passphrase."""

    file: str = Field(min_length=1, max_length=portability.MAX_FILE)
    passphrase: str = Field(min_length=1, max_length=_MAX_PASSPHRASE)


class ImportedView(ApiMessage):
    """What came out of a file."""

    history: int
    cards: int
    skipped: int
    to_request: tuple[CredentialInfo, ...]


def presenting_routes(*, origin: str) -> APIRouter:
    """Return the routes. `app.state.wallet` is the wallet; `origin` its own origin, from settings."""
    router = APIRouter(prefix="/api", dependencies=[Depends(personal(origin))], responses=REFUSED)
    _add_requests(router)
    _add_history(router)
    _add_rights(router)
    _add_cards(router)
    _add_portability(router)
    return router


def _add_requests(router: APIRouter) -> None:
    @router.post("/requests")
    async def open_request(link: Link, wallet: TheWallet, visit: TheVisit) -> asked.ConsentView:
        return await consent.propose(wallet, visit, link.link)

    @router.get("/requests/{consent_id}")
    async def view(consent_id: str, wallet: TheWallet, visit: TheVisit) -> asked.ConsentView:
        return await consent.view(wallet, visit, consent_id)

    @router.post("/requests/{consent_id}/choice")
    async def choose(consent_id: str, choice: asked.Choice, wallet: TheWallet, visit: TheVisit) -> Ceremony:
        return await consent.choose(wallet, visit, consent_id, choice)

    @router.post("/requests/{consent_id}/approve")
    async def approve(consent_id: str, post: PagePost, wallet: TheWallet, visit: TheVisit) -> PresentedView:
        presented = await presenting.approve(wallet, visit, consent_id, post)
        return PresentedView(
            delivered=presented.delivered,
            reason=presented.item.entry.reason_of_noncompletion,
            history_id=presented.item.id,
            go_to=presented.redirect_uri,
        )

    @router.post("/requests/{consent_id}/decline")
    async def decline(consent_id: str, refusal: Refusal, wallet: TheWallet, visit: TheVisit) -> NextPage:
        return NextPage(go_to=await consent.decline(wallet, visit, consent_id, tell=refusal.tell))

    @router.post("/refusals/{refusal_id}")
    async def tell_refused(refusal_id: str, wallet: TheWallet, visit: TheVisit) -> NextPage:
        return NextPage(go_to=await refusals.tell(wallet, visit, refusal_id))


def _add_history(router: APIRouter) -> None:
    @router.get("/history")
    async def load(visit: TheVisit, search: str = Query("", max_length=history.MAX_SEARCH)) -> list[EntryView]:
        return [
            EntryView(id=item.id, entry=item.entry)
            for item in await history.load_history(visit.contents, search=search)
        ]

    @router.get("/history/{entry_id}")
    async def entry(entry_id: str, wallet: TheWallet, visit: TheVisit) -> EntryView:
        item = await history.load_entry(visit.contents, entry_id, now=wallet.clock())
        return EntryView(id=item.id, entry=item.entry)

    @router.delete("/history/{entry_id}", status_code=204)
    async def delete(entry_id: str, visit: TheVisit) -> None:
        await history.delete_entry(visit.contents, entry_id)


def _add_rights(router: APIRouter) -> None:
    @router.get("/history/{entry_id}/deletion-request")
    async def deletion(entry_id: str, wallet: TheWallet, visit: TheVisit) -> RightsView:
        item = await history.load_entry(visit.contents, entry_id, now=wallet.clock())
        draft = rights.default_deletion(item)
        return RightsView(draft=draft, contacts=rights.deletion_contacts(item, draft))

    @router.post("/history/{entry_id}/deletion-request", status_code=204)
    async def deletion_sent(entry_id: str, wallet: TheWallet, visit: TheVisit) -> None:
        item = await history.load_entry(visit.contents, entry_id, now=wallet.clock())
        await rights.note_deletion_request(wallet, visit, item)

    @router.get("/history/{entry_id}/report")
    async def report(entry_id: str, wallet: TheWallet, visit: TheVisit) -> RightsView:
        item = await history.load_entry(visit.contents, entry_id, now=wallet.clock())
        draft = rights.default_report(item)
        return RightsView(draft=draft, contacts=rights.authority_contacts(item, draft))

    @router.get("/history/{entry_id}/evidence")
    async def evidence(entry_id: str, wallet: TheWallet, visit: TheVisit) -> dict[str, Any]:
        return rights.evidence(await history.load_entry(visit.contents, entry_id, now=wallet.clock()))

    @router.post("/history/{entry_id}/report", status_code=204)
    async def report_sent(entry_id: str, wallet: TheWallet, visit: TheVisit) -> None:
        item = await history.load_entry(visit.contents, entry_id, now=wallet.clock())
        await rights.note_report(wallet, visit, item)


def _add_cards(router: APIRouter) -> None:
    @router.get("/cards/states")
    async def states(wallet: TheWallet, visit: TheVisit) -> list[StateView]:
        found = await card_status.card_statuses(wallet, await load_deck(visit.contents))
        return [
            StateView(
                card_id=card_id, state=each.state, expires_at=each.expires_at.isoformat() if each.expires_at else None
            )
            for card_id, each in found.items()
        ]

    @router.delete("/cards/{card_id}", status_code=204)
    async def remove(card_id: str, wallet: TheWallet, visit: TheVisit, tell_issuer: bool = False) -> None:
        await removal.remove_card(wallet, visit, card_id, tell_issuer=tell_issuer)

    @router.post("/account/deletion", status_code=204)
    async def remove_account(post: PagePost, wallet: TheWallet, cookie: Cookie, response: Response) -> None:
        await removal.remove_account(wallet, cookie, post)
        response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")


def _add_portability(router: APIRouter) -> None:
    @router.post("/export", response_class=Response, responses=_FILE)
    async def export(wanted: Passphrase, wallet: TheWallet, visit: TheVisit) -> Response:
        return _file(await portability.export_wallet(wallet, visit, wanted.passphrase), "wallet.jwe")

    @router.post("/history/export", response_class=Response, responses=_FILE)
    async def export_history(wanted: Passphrase, wallet: TheWallet, visit: TheVisit) -> Response:
        file = await portability.export_history(wallet, visit, wanted.passphrase, only=wanted.only)
        return _file(file, "history.jwe")

    @router.post("/import")
    async def import_wallet(found: WalletFile, wallet: TheWallet, visit: TheVisit) -> ImportedView:
        imported = await portability.import_wallet(wallet, visit, found.file, found.passphrase)
        return ImportedView(
            history=imported.history, cards=imported.cards, skipped=imported.skipped, to_request=imported.to_request
        )


def _file(content: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(content, media_type=_JOSE, headers=headers)
