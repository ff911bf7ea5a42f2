"""Pages about the account: welcome, the recovery code, a lost device, settings, passkeys, the journal, deletion.

What needs a passkey is done by `static/app.js` through the JSON API; what only lessens or names things is a form.
"""

from typing import Final
from urllib.parse import quote, urlsplit

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from byoid.service.pages import choose_language
from wallet import accounts, recovery
from wallet.accounts import AccountView
from wallet.context import Visit
from wallet.limits import Limited
from wallet.vault import journal, sessions
from wallet.vault.contract import NotSignedIn
from wallet.web import account_views
from wallet.web.passkey_routes import COOKIE
from wallet.web.site import PageRoute, Site, SiteContext, Visitor, safe_next, see_other
from wallet.web.strangers import spend

router: Final = APIRouter(route_class=PageRoute)
_ASKED: Final = ("/authorize?", "/credential-offer?")


@router.get("/welcome")
async def welcome(request: Request, site: SiteContext) -> Response:
    """Welcome somebody who is not signed in; whoever is goes on."""
    after = safe_next(request.query_params.get("next"))
    try:
        await site.visit(request)
    except NotSignedIn:
        asked = after.startswith(_ASKED)
        return site.render(request, "welcome.html", next=after, after=_query(after), asked=asked, locked=False)
    return see_other(after)


@router.get("/start")
async def start(request: Request, site: SiteContext) -> Response:
    """Create a wallet."""
    device = account_views.device_name(request.headers.get("user-agent", ""), site.catalogue(request))
    after = safe_next(request.query_params.get("next"))
    return site.render(request, "start.html", device=device, after=_query(after))


@router.get("/recovery-code")
async def recovery_code(request: Request, site: SiteContext, visit: Visitor) -> Response:
    """Make a recovery code, shown once."""
    account = await _account(site, visit)
    return site.render(
        request, "recovery_code.html", visit=visit, tab="settings",
        next=safe_next(request.query_params.get("next")), made_at=account.recovery_code_made_at,
        protection=account_views.weakest_protection(account),
    )  # fmt: skip


@router.get("/recover")
async def recover_page(request: Request, site: SiteContext) -> Response:
    """Lock a wallet whose device is lost, or get back into it."""
    device = account_views.device_name(request.headers.get("user-agent", ""), site.catalogue(request))
    return site.render(request, "recover.html", device=device, begun_until=None, locked=False)


@router.post("/recover")
async def begin_recovery(request: Request, site: SiteContext) -> Response:
    """Begin a recovery, or lock the wallet at once, with the printed code."""
    form = await site.form(request)
    await spend(request, Limited.RECOVER)
    code, until = form.get("code", ""), None
    if form.get("what") == "lock":
        await site.door.run(recovery.lock_with_code, code)
    else:
        until = (await site.door.run(recovery.begin_recovery, code)).usable_at
    device = account_views.device_name(request.headers.get("user-agent", ""), site.catalogue(request))
    return site.render(request, "recover.html", device=device, begun_until=until, locked=until is None)


@router.post("/recovery-stop")
async def stop_recovery(request: Request, site: SiteContext, visit: Visitor) -> Response:
    """Stop a recovery that somebody else began."""
    await site.form(request)
    await site.door.run(recovery.cancel_recovery, visit.cookie)
    return see_other("/recovery-code")


@router.get("/settings")
async def settings_page(request: Request, site: SiteContext, visit: Visitor) -> Response:
    """Show the menu of settings."""
    return site.render(request, "settings.html", visit=visit, tab="settings", account=await _account(site, visit))


@router.get("/settings/passkeys")
async def passkeys_page(request: Request, site: SiteContext, visit: Visitor) -> Response:
    """Show passkeys and browsers."""
    account = await _account(site, visit)
    say = site.catalogue(request)
    return site.render(
        request, "passkeys.html", visit=visit, tab="settings", account=account,
        passkeys=[account_views.passkey_view(each, say) for each in account.passkeys],
        browsers=[account_views.browser_view(each, say) for each in account.browsers],
        device=account_views.device_name(request.headers.get("user-agent", ""), say),
    )  # fmt: skip


@router.post("/settings/passkeys/{passkey_id}/name")
async def rename_passkey(passkey_id: str, request: Request, site: SiteContext, visit: Visitor) -> Response:
    """Give a passkey another name."""
    form = await site.form(request)
    await site.door.run(accounts.rename_passkey, visit.cookie, passkey_id, name=form.get("name", "?")[:64])
    return see_other("/settings/passkeys")


@router.get("/settings/passkeys/{passkey_id}/removal")
async def passkey_removal(passkey_id: str, request: Request, site: SiteContext, visit: Visitor) -> Response:
    """Ask whether a passkey is really to be removed."""
    account = await _account(site, visit)
    name = next((each.name for each in account.passkeys if each.id == passkey_id), "")
    confirm = account_views.confirm_passkey_removal(passkey_id, name, site.catalogue(request))
    return site.render(request, "confirm.html", visit=visit, tab="settings", confirm=confirm)


@router.post("/settings/browsers/{session_id}/end")
async def end_browser(session_id: str, request: Request, site: SiteContext, visit: Visitor) -> Response:
    """Sign another browser out."""
    await site.form(request)
    await site.door.run(sessions.end_session, visit.cookie, session_id=session_id)
    return see_other("/settings/passkeys")


@router.post("/settings/lock")
async def lock(request: Request, site: SiteContext, visit: Visitor) -> Response:
    """Lock the wallet everywhere."""
    await site.form(request)
    await site.door.run(accounts.lock_wallet, visit.cookie)
    page = site.render(request, "welcome.html", next="/", after="", asked=False, locked=True)
    return _without_session(page)


@router.get("/settings/lock")
async def locked_before() -> Response:
    """Lead on whoever changes the language of the page that says so."""
    return see_other("/welcome")


@router.get("/settings/journal")
async def journal_page(request: Request, site: SiteContext, visit: Visitor) -> Response:
    """Show what was done to this wallet, and by whom."""
    say = site.catalogue(request)
    entries = [
        account_views.journal_view(each, say) for each in await site.door.run(journal.read_journal, visit.cookie)
    ]
    return site.render(request, "journal.html", visit=visit, tab="settings", entries=entries)


@router.get("/settings/privacy")
async def privacy_page(request: Request, site: SiteContext, visit: Visitor) -> Response:
    """Say who can see what."""
    account = await _account(site, visit)
    protection = account_views.weakest_protection(account)
    return site.render(request, "privacy.html", visit=visit, tab="settings", protection=protection)


@router.get("/settings/device")
async def device_page(request: Request, site: SiteContext, visit: Visitor) -> Response:
    """Install the wallet on this device, and look at cards offline if that is wanted."""
    return site.render(request, "device.html", visit=visit, tab="settings")


@router.get("/settings/deletion")
async def deletion_page(request: Request, site: SiteContext, visit: Visitor) -> Response:
    """Ask whether the whole wallet is really to be deleted."""
    confirm = account_views.confirm_deletion(site.catalogue(request))
    return site.render(request, "confirm.html", visit=visit, tab="settings", confirm=confirm)


@router.get("/goodbye")
async def goodbye(request: Request, site: SiteContext) -> Response:
    """Say that the wallet is deleted."""
    return _without_session(site.render(request, "goodbye.html"))


@router.post("/sign-out")
async def sign_out(request: Request, site: SiteContext, visit: Visitor) -> Response:
    """Close the wallet in this browser."""
    await site.form(request)
    await site.door.run(sessions.end_session, visit.cookie)
    return _without_session(see_other("/welcome"))


router.add_route("/language/{code}", choose_language, include_in_schema=False)


async def _account(site: Site, visit: Visit) -> AccountView:
    return await site.door.run(accounts.view_account, visit.cookie)


def _without_session(response: Response) -> Response:
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")
    return response


def _query(after: str) -> str:
    """Return the query that leads on to `after`; none for the dashboard."""
    return "" if after == "/" or urlsplit(after).netloc else f"?next={quote(after, safe='')}"
