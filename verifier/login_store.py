"""What the verifier asks its database about logins: their clients, and each login from request to access token.

RFC 6749 4.1.2: a code is redeemed by compare-and-set, and what it gave is revoked when it comes again.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum, auto
from typing import Any, Final

from sqlalchemy import bindparam, delete, select, update

from byoid.service.database import Database, Expiry, Unchanged, UtcDateTime, Write, insert
from verifier.tables import Login, LoginRequest, LoginState, SpentAssertion, table_of

logins, requests, assertions = table_of(Login), table_of(LoginRequest), table_of(SpentAssertion)
_columns = requests.c
_NOW: Final = bindparam("now", type_=UtcDateTime())

_INSERT_LOGIN = insert(logins)
_LOGIN = select(logins).where(logins.c.client_id == bindparam("client"))
_LOGINS = select(logins).order_by(logins.c.client_id)
_DELETE_LOGIN = delete(logins).where(logins.c.client_id == bindparam("client"))

_INSERT_REQUEST = insert(requests)
_REQUEST = select(requests).where(_columns.id_hash == bindparam("key"), _columns.expires_at > _NOW)
_OPEN = (_columns.id_hash == bindparam("key")) & (_columns.state == LoginState.OPEN.value)
_ATTEMPT = update(requests).where(_OPEN).values(transactions=bindparam("ids"))
_ANSWER = (
    update(requests)
    .where(_OPEN, _columns.open_until > _NOW)
    .values(
        state=LoginState.ANSWERED.value,
        code_hash=bindparam("code"),
        code_expires_at=bindparam("until", type_=UtcDateTime()),
        sealed=bindparam("content"),
        expires_at=bindparam("until", type_=UtcDateTime()),
    )
)
_DENY = delete(requests).where(_OPEN)
_FOR_CODE = select(requests).where(_columns.code_hash == bindparam("code"))
_REDEEM = (
    update(requests)
    .where(
        _columns.code_hash == bindparam("code"),
        _columns.state == LoginState.ANSWERED.value,
        _columns.code_expires_at > _NOW,
    )
    .values(
        state=LoginState.REDEEMED.value,
        token_hash=bindparam("token"),
        token_expires_at=bindparam("until", type_=UtcDateTime()),
        expires_at=bindparam("until", type_=UtcDateTime()),
    )
)
_REVOKE = (
    update(requests)
    .where(_columns.code_hash == bindparam("code"), _columns.state == LoginState.REDEEMED.value)
    .values(state=LoginState.REVOKED.value, token_hash=None, sealed=None)
)
_FOR_TOKEN = select(requests).where(_columns.token_hash == bindparam("token"), _columns.token_expires_at > _NOW)
_SPEND = insert(assertions).on_conflict_do_nothing()
_OVER: Final = (
    Expiry(requests, expires_at=_columns.expires_at),
    Expiry(assertions, expires_at=assertions.c.expires_at),
)


class Redemption(Enum):
    """What became of a code."""

    DONE = auto()
    CODE_USED = auto()  # or its time is over
    ASSERTION_USED = auto()


class LoginStore:
    """The rows of logins."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add_login(self, row: Mapping[str, Any]) -> None:
        """Keep a new client."""
        await self._database.execute(_INSERT_LOGIN, row)

    async def login(self, client_id: str) -> Any | None:
        """Find a client."""
        return (await self._database.fetch(_LOGIN, {"client": client_id})).first()

    async def logins(self) -> Sequence[Any]:
        """Return all clients."""
        return (await self._database.fetch(_LOGINS)).rows

    async def delete_login(self, client_id: str) -> bool:
        """Delete a client. False if there was none."""
        return (await self._database.execute(_DELETE_LOGIN, {"client": client_id})).rowcount == 1

    async def add_request(self, row: Mapping[str, Any]) -> None:
        """Keep a new login. A power failure may lose it: the person then begins anew."""
        await self._database.write([Write(_INSERT_REQUEST, [row])], durable=False)

    async def request(self, id_hash: bytes, *, now: datetime) -> Any | None:
        """Find a login that is not over."""
        return (await self._database.fetch(_REQUEST, {"key": id_hash, "now": now})).first()

    async def keep_attempt(self, id_hash: bytes, transactions: Mapping[str, str]) -> bool:
        """Note the transactions of the current attempt. False if the login is not open any more."""
        parameters = {"key": id_hash, "ids": dict(transactions)}
        return (await self._database.execute(_ATTEMPT, parameters)).rowcount == 1

    async def answer(self, id_hash: bytes, *, code: bytes, content: bytes, until: datetime, now: datetime) -> bool:
        """Give out a code, once. False if the login is not open any more."""
        parameters = {"key": id_hash, "code": code, "content": content, "until": until, "now": now}
        return (await self._database.execute(_ANSWER, parameters)).rowcount == 1

    async def deny(self, id_hash: bytes) -> bool:
        """End a login without a code. False if it is not open any more."""
        return (await self._database.execute(_DENY, {"key": id_hash})).rowcount == 1

    async def for_code(self, code: bytes) -> Any | None:
        """Find the login of a code, redeemed or not."""
        return (await self._database.fetch(_FOR_CODE, {"code": code})).first()

    async def redeem(
        self, code: bytes, *, token: bytes, until: datetime, now: datetime, assertion: Mapping[str, Any] | None
    ) -> Redemption:
        """Redeem a code, and spend the client's assertion with it: both, or nothing."""
        spent = [] if assertion is None else [Write(_SPEND, [assertion])]
        redeemed = Write(_REDEEM, [{"code": code, "token": token, "until": until, "now": now}])
        try:
            await self._database.write([*spent, redeemed])
        except Unchanged as error:
            return Redemption.CODE_USED if error.index == len(spent) else Redemption.ASSERTION_USED
        return Redemption.DONE

    async def spend(self, assertion: Mapping[str, Any]) -> bool:
        """Spend a client's assertion alone. False if it was spent."""
        return (await self._database.execute(_SPEND, assertion)).rowcount == 1

    async def revoke(self, code: bytes) -> bool:
        """Revoke what a code gave. False if it gave nothing."""
        return (await self._database.execute(_REVOKE, {"code": code})).rowcount == 1

    async def for_token(self, token: bytes, *, now: datetime) -> Any | None:
        """Find the login of an access token that counts."""
        return (await self._database.fetch(_FOR_TOKEN, {"token": token, "now": now})).first()

    async def expire(self, *, now: datetime) -> int:
        """Delete what is over; return how many rows."""
        return sum([await each.run(self._database, now=now) for each in _OVER])
