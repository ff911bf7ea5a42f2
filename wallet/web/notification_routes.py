"""JSON endpoints for notices: where they go, and which. By the rules of `passkey_routes`.

`GET /notifications/key` gives what a browser subscribes with; `POST /notifications/subscriptions` takes what
`PushSubscription.toJSON()` says, or an e-mail address, to which a code is sent. A message that arrives is
`{"kind": "security" | "promise" | "expiry"}` and nothing else.
"""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from byoid.service.pages import language_of
from wallet.limits import Limited
from wallet.notice_tables import Channel
from wallet.reminders import remind
from wallet.subscriptions import Address, Subscribed
from wallet.web.api_errors import REFUSED
from wallet.web.passkey_routes import personal
from wallet.web.receiving_routes import ApiMessage, TheVisit, TheWallet
from wallet.web_push import MAX_ENDPOINT, PushAddress


class PushKey(ApiMessage):
    """What `pushManager.subscribe` needs as `applicationServerKey`; `mail`: whether e-mail can be chosen too."""

    public_key: str
    mail: bool


class PushKeys(ApiMessage):
    """The keys of a push subscription (RFC 8291)."""

    p256dh: str = Field(max_length=100)
    auth: str = Field(max_length=40)


class PushSubscription(ApiMessage):
    """What `PushSubscription.toJSON()` gives."""

    endpoint: str = Field(max_length=MAX_ENDPOINT)
    expirationTime: float | None = None  # the name of the Push API
    keys: PushKeys


class Wanted(ApiMessage):
    """Which notices go there."""

    security: bool = True
    cards: bool = True


class PushWanted(Wanted):
    """A browser that wants notices."""

    channel: Literal["push"]
    subscription: PushSubscription


class MailWanted(Wanted):
    """An e-mail address that wants notices."""

    channel: Literal["mail"]
    address: str = Field(max_length=254, pattern=r"^[^@\s<>\"(),:;\\\[\]?\x00-\x1f\x7f]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}$")


class CodeText(ApiMessage):
    """The code from the message."""

    code: str = Field(pattern=r"^[0-9]{6}$")


class SubscriptionView(ApiMessage):
    """A place where notices go; an e-mail address that is not `confirmed` gets none yet."""

    id: str
    channel: Channel
    address: str | None = None
    security: bool
    cards: bool
    confirmed: bool
    created_at: str


def notification_routes(*, origin: str) -> APIRouter:
    """Return the routes. `app.state.wallet` is the wallet; `origin` its own origin, from settings."""
    router = APIRouter(prefix="/notifications", dependencies=[Depends(personal(origin))], responses=REFUSED)
    _add_subscriptions(router)
    _add_one(router)
    return router


def _add_subscriptions(router: APIRouter) -> None:
    @router.get("/key")
    async def key(wallet: TheWallet, _: TheVisit) -> PushKey:
        return PushKey(public_key=wallet.notices.push.sender.public_b64u, mail=wallet.notices.mail is not None)

    @router.get("/subscriptions")
    async def subscriptions(wallet: TheWallet, visit: TheVisit) -> list[SubscriptionView]:
        return [_view(each) for each in await wallet.notices.subscriptions.all(visit.person)]

    @router.post("/subscriptions", status_code=201)
    async def subscribe(
        wanted: Annotated[PushWanted | MailWanted, Field(discriminator="channel")],
        request: Request,
        wallet: TheWallet,
        visit: TheVisit,
    ) -> SubscriptionView:
        if isinstance(wanted, MailWanted):
            wallet.notices.require_mail()
            await wallet.limits.spend(Limited.MAIL, visit.person)
            await wallet.limits.spend(Limited.MAIL, wanted.address.casefold())  # by whatever wallet it is asked
            address = Address.model_validate({"mail": wanted.address, "language": language_of(request)})
        else:
            keys = wanted.subscription.keys
            PushAddress.parse(wanted.subscription.endpoint, keys.p256dh, keys.auth)
            address = Address(endpoint=wanted.subscription.endpoint, p256dh=keys.p256dh, auth=keys.auth)
        found = await wallet.notices.subscriptions.add(
            visit.person, address, security=wanted.security, cards=wanted.cards, now=wallet.clock()
        )
        if not found.confirmed:
            await wallet.notices.send_code(found)
        await remind(wallet, visit)
        return _view(found)


def _add_one(router: APIRouter) -> None:
    @router.post("/subscriptions/{subscription_id}/confirmation", status_code=204)
    async def confirm(subscription_id: str, typed: CodeText, wallet: TheWallet, visit: TheVisit) -> None:
        await wallet.limits.spend(Limited.MAIL_CODE, visit.person)
        await wallet.notices.subscriptions.confirm(visit.person, subscription_id, typed.code, now=wallet.clock())
        await remind(wallet, visit)

    @router.put("/subscriptions/{subscription_id}", status_code=204)
    async def choose(subscription_id: str, wanted: Wanted, wallet: TheWallet, visit: TheVisit) -> None:
        await wallet.notices.subscriptions.choose(
            visit.person, subscription_id, security=wanted.security, cards=wanted.cards
        )
        await remind(wallet, visit)

    @router.delete("/subscriptions/{subscription_id}", status_code=204)
    async def unsubscribe(subscription_id: str, wallet: TheWallet, visit: TheVisit) -> None:
        await wallet.notices.subscriptions.remove(visit.person, subscription_id)


def _view(found: Subscribed) -> SubscriptionView:
    return SubscriptionView(
        id=found.id,
        channel=found.address.channel,
        address=found.address.mail,
        security=found.security,
        cards=found.cards,
        confirmed=found.confirmed,
        created_at=found.created_at.isoformat(),
    )
