"""How often somebody may try to sign in: at one name from one address, at one name at all, and from one address at all.

Who guesses at a name makes only their own address wait, so nobody is locked out by a machine elsewhere. A name at which
very many places guess is closed (NIST SP 800-63B 5.2.2: at most 100 failures in a row), but not to the browser in
which its owner has signed in before: that one shows a badge, and its guesses are counted apart.
"""

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from byoid.encoding import b64u_encode
from byoid.service.database import Database
from byoid.service.rate_limits import Lockout, LockoutPolicy, RateLimit
from byoid.service.seal import Sealer
from issuer.recognition import fold_name
from issuer.tables import lockouts, rate_limits

_HERE: Final = LockoutPolicy(free=5, first_wait=timedelta(seconds=5), most=100)
_EVERYWHERE: Final = LockoutPolicy(free=100, first_wait=timedelta(seconds=5), most=10_000)
_MOST_FROM_ADDRESS: Final = 300
_WINDOW: Final = timedelta(minutes=10)
BADGE_LIFETIME: Final = timedelta(days=400)  # as long as browsers keep a cookie


@dataclass(frozen=True)
class Guess:
    """Somebody tries a password: for which name, from which address (`address_of`), in a browser with which badge."""

    name: str
    address: str
    badge: str | None = None

    @property
    def folded(self) -> str:
        """The name as it is counted."""
        return fold_name(self.name)


class SignInGuard:
    """Counts the guesses at one kind of accounts. Count, then judge, then tell of a success."""

    def __init__(self, sealer: Sealer, *, kind: str) -> None:
        self._sealer = sealer
        self._kind = kind
        self._here = Lockout(lockouts, sealer, kind=f"{kind} here", policy=_HERE)
        self._everywhere = Lockout(lockouts, sealer, kind=f"{kind} everywhere", policy=_EVERYWHERE)
        self._of_address = RateLimit(rate_limits, sealer, kind=kind, limit=_MOST_FROM_ADDRESS, window=_WINDOW)

    async def count(self, database: Database, guess: Guess, *, now: datetime) -> None:
        """Count a guess before it is judged.

        Raises:
            TooManyRequests: this address, or this name, must wait.
        """
        await self._of_address.spend(database, guess.address, now=now)
        async with database.transaction() as tx:
            await self._here.count_guess(tx, self._place(guess), now=now)
            if not self._is_known(guess):
                await self._everywhere.count_guess(tx, guess.folded, now=now)

    async def succeeded(self, database: Database, guess: Guess) -> str:
        """Forget the wrong guesses before a right one; return the badge for this browser."""
        async with database.transaction() as tx:
            await self._here.forget(tx, self._place(guess))
            if not self._is_known(guess):
                await self._everywhere.forget(tx, guess.folded)
        number = b64u_encode(secrets.token_bytes(16))
        return guess.badge if guess.badge and self._is_known(guess) else f"{number}.{self._tag(guess, number)}"

    def _place(self, guess: Guess) -> str:
        return f"{guess.folded} {guess.badge if self._is_known(guess) else guess.address}"

    def _is_known(self, guess: Guess) -> bool:
        number, _, tag = (guess.badge or "").partition(".")
        return hmac.compare_digest(tag.encode(), self._tag(guess, number).encode())

    def _tag(self, guess: Guess, number: str) -> str:
        return b64u_encode(self._sealer.keyed_hash(f"{number} {guess.folded}", purpose=f"badge {self._kind}"))
