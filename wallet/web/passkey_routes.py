"""JSON endpoints of the account: passkeys, sessions, approvals about the account, recovery.

`static/passkey.js` and native apps use them alike. Types in, one call through the vault's door, type out. The session
is in a `__Host-` cookie; a request that a browser sends from another site is refused before it is read. Approvals to
receive or present are not here: their routes belong to the flows, which keep the signatures.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from byoid.service.errors import NO_STORE
from byoid.service.pages import require_same_origin
from wallet import accounts, recovery, removal
from wallet.limits import Limited
from wallet.vault import actions, ceremonies, gate, journal, proposals, sessions
from wallet.vault.contract import (
    Action,
    Approved,
    Ceremony,
    NotApproved,
    NotSignedIn,
    PagePost,
    Proposal,
    SignedIn,
    VaultDoor,
    VaultMessage,
)
from wallet.vault.kek import Protection
from wallet.vault.keys import place
from wallet.vault.sessions import random_id
from wallet.web.api_errors import REFUSED
from wallet.web.strangers import limited

COOKIE: Final = "__Host-byoid-wallet"
_FLOWS: Final = frozenset({Action.PRESENT, Action.RECEIVE})
Name = Annotated[str, Field(min_length=1, max_length=ceremonies.MAX_NAME)]
Code = Annotated[str, Field(min_length=28, max_length=60)]


class AccountName(VaultMessage):
    """What the authenticator shows beside the passkey."""

    account_name: Name


class NamedPost(PagePost):
    """A registration, and what the citizen calls the passkey."""

    name: Name


class AccountAction(VaultMessage):
    """What the citizen wants to do about the account; `option` is a passkey's id where one is meant."""

    action: Action
    option: str = Field(default="", max_length=2048)


class RecoveryCodeText(VaultMessage):
    """A recovery code as typed."""

    code: Code


class RecoveryStart(AccountName, RecoveryCodeText):
    """The beginning of the new passkey that a recovery gives."""


class RecoveryPost(NamedPost, RecoveryCodeText):
    """The new passkey that a recovery gives."""


class Opened(VaultMessage):
    """A session was started; `protection` other than `passkey` must be told to the citizen."""

    protection: Protection
    locked: bool
    recovery_usable_at: datetime | None
    recovery_code: str | None = None


class Done(VaultMessage):
    """What an approval about the account brought about."""

    action: Action
    recovery_code: str | None = None


class UsableAt(VaultMessage):
    """When a recovery may be completed."""

    usable_at: datetime


def personal(origin: str) -> Callable[[Request, Response], Awaitable[None]]:
    """Return the dependency of every route of the API: what our own pages ask, and an answer that no cache may keep."""

    async def check(request: Request, response: Response) -> None:
        require_same_origin(request, origin=origin)
        response.headers.update(NO_STORE)

    return check


def passkey_routes(door: VaultDoor, *, origin: str) -> APIRouter:
    """Return the routes.

    Args:
        door: the way into the vault.
        origin: the wallet's own origin, from settings.
    """
    router = APIRouter(dependencies=[Depends(personal(origin))], responses=REFUSED)
    _add_passkeys(router, door)
    _add_account(router, door)
    _add_approvals(router, door)
    _add_sessions(router, door)
    _add_recovery(router, door)
    return router


async def session_cookie(request: Request) -> str:
    """Return the session's cookie.

    Raises:
        NotSignedIn: there is none.
    """
    if not (cookie := request.cookies.get(COOKIE)):
        raise NotSignedIn("there is no session")
    return cookie


Cookie = Annotated[str, Depends(session_cookie)]


def _add_passkeys(router: APIRouter, door: VaultDoor) -> None:
    @router.post("/passkeys/register/options", dependencies=[Depends(limited(Limited.REGISTER))])
    async def begin_registration(asked: AccountName) -> Ceremony:
        return await door.run(ceremonies.begin_registration, account_name=asked.account_name)

    @router.post("/passkeys/register", dependencies=[Depends(limited(Limited.REGISTER))])
    async def register(post: NamedPost, request: Request, response: Response) -> Opened:
        signed_in = await door.run(ceremonies.register, bare(post), name=post.name, label=_browser(request))
        return _opened(response, signed_in)

    @router.post("/passkeys/sign-in/options", dependencies=[Depends(limited(Limited.SIGN_IN))])
    async def begin_sign_in() -> Ceremony:
        return await door.run(ceremonies.begin_sign_in)

    @router.post("/passkeys/sign-in", dependencies=[Depends(limited(Limited.SIGN_IN))])
    async def sign_in(post: PagePost, request: Request, response: Response) -> Opened:
        return _opened(response, await door.run(ceremonies.sign_in, post, label=_browser(request)))

    @router.post("/passkeys/add/options")
    async def begin_adding(asked: AccountName, cookie: Cookie) -> Ceremony:
        return await door.run(actions.begin_adding_passkey, cookie, account_name=asked.account_name)

    @router.post("/passkeys/add/proposal")
    async def propose_passkey(post: NamedPost, cookie: Cookie) -> Ceremony:
        return await door.run(actions.propose_passkey, cookie, bare(post), name=post.name)

    @router.post("/passkeys/add")
    async def add_passkey(post: PagePost, cookie: Cookie) -> Done:
        return _done(await door.run(gate.approve, cookie, post))


def _add_account(router: APIRouter, door: VaultDoor) -> None:
    @router.get("/account")
    async def view_account(cookie: Cookie) -> accounts.AccountView:
        return await door.run(accounts.view_account, cookie)

    @router.get("/account/journal")
    async def read_journal(cookie: Cookie) -> list[journal.JournalView]:
        return await door.run(journal.read_journal, cookie)

    @router.post("/account/lock", status_code=204)
    async def lock(cookie: Cookie, response: Response) -> None:
        await door.run(accounts.lock_wallet, cookie)
        response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")

    @router.put("/account/passkeys/{passkey_id}/name", status_code=204)
    async def rename(passkey_id: str, name: Name, cookie: Cookie) -> None:
        await door.run(accounts.rename_passkey, cookie, passkey_id, name=name)


def _add_approvals(router: APIRouter, door: VaultDoor) -> None:
    @router.post("/account/approvals/options")
    async def propose(asked: AccountAction, request: Request, cookie: Cookie) -> Ceremony:
        if asked.action in _FLOWS:
            raise NotApproved("only what is about the account is approved here")
        if asked.action is Action.DELETE_ACCOUNT:
            await removal.announce_removal(request.app.state.wallet, cookie)
        shown = sha256(place(asked.action, asked.option)).digest()
        proposal = Proposal(action=asked.action, consent_id=random_id(), option=asked.option, shown=shown)
        return await door.run(proposals.propose, cookie, proposal)

    @router.post("/account/approvals")
    async def approve(post: PagePost, request: Request, cookie: Cookie) -> Done:
        approved = await door.run(gate.approve, cookie, post)
        if approved.action is Action.DELETE_ACCOUNT:
            await removal.forget(removal.Keepers.of(request.app.state.wallet), approved.person)
        return _done(approved)


def _add_sessions(router: APIRouter, door: VaultDoor) -> None:
    @router.delete("/session", status_code=204)
    async def sign_out(cookie: Cookie, response: Response) -> None:
        await door.run(sessions.end_session, cookie)
        response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")

    @router.delete("/sessions/{session_id}", status_code=204)
    async def end_session(session_id: str, cookie: Cookie) -> None:
        await door.run(sessions.end_session, cookie, session_id=session_id)

    @router.delete("/sessions", status_code=204)
    async def end_all_sessions(cookie: Cookie, response: Response) -> None:
        await door.run(sessions.end_all_sessions, cookie)
        response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")


def _add_recovery(router: APIRouter, door: VaultDoor) -> None:
    @router.post("/recovery", dependencies=[Depends(limited(Limited.RECOVER))])
    async def begin_recovery(asked: RecoveryCodeText) -> UsableAt:
        return UsableAt(usable_at=(await door.run(recovery.begin_recovery, asked.code)).usable_at)

    @router.post("/recovery/lock", status_code=204, dependencies=[Depends(limited(Limited.RECOVER))])
    async def lock_with_code(asked: RecoveryCodeText) -> None:
        await door.run(recovery.lock_with_code, asked.code)

    @router.post("/recovery/cancel", status_code=204)
    async def cancel_recovery(cookie: Cookie) -> None:
        await door.run(recovery.cancel_recovery, cookie)

    @router.post("/recovery/passkey/options", dependencies=[Depends(limited(Limited.RECOVER))])
    async def begin_passkey(asked: RecoveryStart) -> Ceremony:
        return await door.run(recovery.begin_recovery_passkey, asked.code, account_name=asked.account_name)

    @router.post("/recovery/passkey", dependencies=[Depends(limited(Limited.RECOVER))])
    async def recover(post: RecoveryPost, request: Request, response: Response) -> Opened:
        found = await door.run(recovery.recover, post.code, bare(post), name=post.name, label=_browser(request))
        return _opened(response, found.signed_in).model_copy(update={"recovery_code": found.recovery_code})


def bare(post: PagePost) -> PagePost:
    """Return just what the vault takes, without the members that a route adds."""
    return PagePost(**{name: getattr(post, name) for name in PagePost.model_fields})


def _browser(request: Request) -> str:
    return request.headers.get("user-agent", "")


def _opened(response: Response, signed_in: SignedIn) -> Opened:
    """Hand the session's secret to the browser, in a cookie that ends with it."""
    response.set_cookie(COOKIE, signed_in.cookie, path="/", secure=True, httponly=True, samesite="lax")
    session = signed_in.session
    return Opened(protection=signed_in.protection, locked=session.locked, recovery_usable_at=session.recovery_usable_at)


def _done(approved: Approved) -> Done:
    return Done(action=approved.action, recovery_code=approved.recovery_code)
