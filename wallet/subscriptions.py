"""Where a citizen wants notices: browsers (Web Push) and e-mail addresses, and which sort goes where.

An e-mail address counts once its owner has typed the code that was sent to it; a code is good for an hour and a few
tries. Nothing here depends on an open session: addresses are sealed with the service's key (`notice_tables`).
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from byoid.encoding import b64u_encode, json_dumps, json_object
from byoid.errors import MalformedInput, OAuthError
from byoid.service.connection import Connection
from byoid.service.database import Database
from byoid.service.seal import Sealer
from wallet import notice_store as store
from wallet.notice_tables import Channel
from wallet.vault.keys import PersonId

MAX_SUBSCRIPTIONS: Final = 20
CODE_LIFETIME: Final = timedelta(hours=1)
_CODE_DIGITS: Final = 6


class NoSuchSubscription(OAuthError):
    """The citizen has no such subscription."""

    code = "not_found"
    status = 404


class CodeRefused(OAuthError):
    """The code is not the one that was sent to this address, or its time is over."""

    code = "invalid_code"
    status = 400


class Address(BaseModel):
    """Where notices go, as it is sealed: a browser's push subscription, or an e-mail address with its code."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    endpoint: str | None = Field(default=None, repr=False)
    p256dh: str | None = Field(default=None, repr=False)
    auth: str | None = Field(default=None, repr=False)
    mail: str | None = Field(default=None, repr=False)
    code: str | None = Field(default=None, repr=False)
    language: Literal["en", "de", "fr", "es"] = "en"

    @property
    def channel(self) -> Channel:
        """How notices travel there."""
        return Channel.PUSH if self.mail is None else Channel.MAIL


@dataclass(frozen=True)
class Subscribed:
    """A subscription as it was read."""

    id: str
    address: Address
    security: bool
    cards: bool
    confirmed: bool
    created_at: datetime


class Subscriptions:
    """The subscriptions of all citizens."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    async def add(
        self, person: PersonId, address: Address, *, security: bool, cards: bool, now: datetime
    ) -> Subscribed:
        """Keep a subscription; the same address replaces what was known about it. A new mail address gets a code.

        Raises:
            MalformedInput: there are too many already.
        """
        if address.channel is Channel.MAIL:
            address = address.model_copy(update={"code": f"{secrets.randbelow(10**_CODE_DIGITS):0{_CODE_DIGITS}}"})
        found = Subscribed(
            secrets.token_urlsafe(16), address, security, cards, address.channel is Channel.PUSH, now
        )  # fmt: skip
        row = self._row(person, found)
        async with self._database.transaction() as tx:
            same = {"of_person": person, "of_fingerprint": row["fingerprint"]}
            known = (await tx.execute(store.SAME, same)).first()
            if known is not None and known.channel == Channel.MAIL and known.confirmed:
                await self._choose(tx, person, known.id, security=security, cards=cards)
                return replace(self.opened(known), security=security, cards=cards)
            await tx.execute(store.REPLACE, same)
            if ((await tx.execute(store.COUNT, {"of_person": person})).scalar() or 0) >= MAX_SUBSCRIPTIONS:
                raise MalformedInput(f"expected at most {MAX_SUBSCRIPTIONS} places for notices")
            await tx.execute(store.INSERT, row)
        return found

    async def all(self, person: PersonId) -> Sequence[Subscribed]:
        """Return the subscriptions of a person, the oldest first."""
        return [self.opened(row) for row in (await self._database.fetch(store.ALL, {"of_person": person})).rows]

    async def confirm(self, person: PersonId, subscription_id: str, code: str, *, now: datetime) -> None:
        """Take the code that was sent to an e-mail address; the caller limits how often it may be tried.

        Raises:
            NoSuchSubscription: there is none.
            CodeRefused: another code, or too late.
        """
        row = (await self._database.fetch(store.ONE, {"of_id": subscription_id, "of_person": person})).first()
        if row is None:
            raise NoSuchSubscription("There is no such subscription.")
        sent = self.opened(row).address.code or ""
        if now - row.created_at > CODE_LIFETIME or not secrets.compare_digest(sent.encode(), code.encode()):
            raise CodeRefused("The code is not right.")
        await self._database.execute(store.CONFIRM, {"of_id": subscription_id, "of_person": person})

    async def choose(self, person: PersonId, subscription_id: str, *, security: bool, cards: bool) -> None:
        """Change which notices go there; what waits and is not wanted any more is not sent.

        Raises:
            NoSuchSubscription: there is none.
        """
        async with self._database.transaction() as tx:
            await self._choose(tx, person, subscription_id, security=security, cards=cards)

    async def _choose(
        self, tx: Connection, person: PersonId, subscription_id: str, *, security: bool, cards: bool
    ) -> None:
        values = {"of_id": subscription_id, "of_person": person, "new_security": security, "new_cards": cards}
        if not (await tx.execute(store.CHOOSE, values)).rowcount:
            raise NoSuchSubscription("There is no such subscription.")
        for wanted, unwanted in ((security, store.NOT_FOR_SECURITY), (cards, store.NOT_FOR_CARDS)):
            if not wanted:
                await tx.execute(unwanted, {"of_id": subscription_id})

    async def remove(self, person: PersonId, subscription_id: str) -> None:
        """End a subscription, with what is still to be sent there.

        Raises:
            NoSuchSubscription: there is none.
        """
        async with self._database.transaction() as tx:
            if not (await tx.execute(store.DELETE, {"of_id": subscription_id, "of_person": person})).rowcount:
                raise NoSuchSubscription("There is no such subscription.")
            await tx.execute(store.DELETE_NOTICES, {"of_id": subscription_id})

    async def expire(self, *, now: datetime) -> int:
        """Forget addresses that nobody has confirmed while their code was good; return how many."""
        return await store.NEVER_CONFIRMED.run(self._database, now=now - CODE_LIFETIME)

    async def forget(self, tx: Connection, person: PersonId) -> None:
        """Delete everything of a person."""
        for statement in store.FORGET:
            await tx.execute(statement, {"of_person": person})

    def opened(self, row: Any) -> Subscribed:
        """Open a row."""
        plain = self._sealer.open(row.sealed, table=store.SUBSCRIPTION.name, column="sealed", row_id=row.id)
        address = Address.model_validate(json_object(plain))
        return Subscribed(
            row.id, address, bool(row.security), bool(row.cards), bool(row.confirmed), row.created_at
        )  # fmt: skip

    def _row(self, person: PersonId, found: Subscribed) -> dict[str, object]:
        place = found.address.endpoint or found.address.mail or ""
        plain = json_dumps(found.address.model_dump(exclude_none=True))
        return {
            "id": found.id, "person_id": person, "channel": found.address.channel,
            "fingerprint": b64u_encode(self._sealer.keyed_hash(place, purpose="subscription")),
            "sealed": self._sealer.seal(plain, table=store.SUBSCRIPTION.name, column="sealed", row_id=found.id),
            "security": found.security, "cards": found.cards, "confirmed": found.confirmed,
            "created_at": found.created_at,
        }  # fmt: skip
