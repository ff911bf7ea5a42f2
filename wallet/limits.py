"""How often something may be asked of the wallet: what strangers can do without an account, and what costs much.

Strangers are counted by their network, citizens by their wallet. Limits are wide: many people share one address.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from byoid.service.database import Database
from byoid.service.rate_limits import RateLimit
from byoid.service.seal import Sealer
from wallet.notice_tables import LIMITS


class Limited(StrEnum):
    """What is limited."""

    REGISTER = "register"  # a new wallet, or a new challenge: rows that strangers make
    SIGN_IN = "sign-in"
    RECOVER = "recover"  # a printed code, typed by whoever has it
    OPEN = "open"  # a link whose address we fetch
    IMPORT = "import"  # a file that is decrypted and verified
    EXPORT = "export"  # a passphrase that is stretched: slow for whoever guesses it, and for us
    MAIL = "mail"  # a message to an address that nobody has confirmed
    MAIL_CODE = "mail-code"


_MINUTE, _HOUR = timedelta(minutes=1), timedelta(hours=1)
RATES: Final[Mapping[Limited, tuple[int, timedelta]]] = {
    Limited.REGISTER: (600, _HOUR),
    Limited.SIGN_IN: (600, 5 * _MINUTE),
    Limited.RECOVER: (30, 5 * _MINUTE),
    Limited.OPEN: (60, _MINUTE),
    Limited.IMPORT: (20, _HOUR),
    Limited.EXPORT: (20, _HOUR),
    Limited.MAIL: (5, _HOUR),
    Limited.MAIL_CODE: (10, _HOUR),
}


@dataclass(frozen=True)
class Limits:
    """The limits of one wallet service, counted in its database."""

    database: Database
    rates: Mapping[Limited, RateLimit]
    clock: Callable[[], datetime]
    is_proxy: Callable[[str], bool]

    @classmethod
    def of(
        cls,
        database: Database,
        sealer: Sealer,
        *,
        clock: Callable[[], datetime],
        factor: float = 1.0,
        is_proxy: Callable[[str], bool] = lambda _: False,
    ) -> "Limits":
        """Make the limits; the operator may multiply all of them. `is_proxy` tells our own proxies."""
        made = {
            kind: RateLimit(LIMITS, sealer, kind=kind, limit=max(1, round(limit * factor)), window=window)
            for kind, (limit, window) in RATES.items()
        }
        return cls(database, made, clock, is_proxy)

    async def spend(self, kind: Limited, who: str) -> None:
        """Count one request of somebody: a person's id, or the network of a stranger.

        Raises:
            TooManyRequests: it was asked too often; `Retry-After` says when to come back.
        """
        await self.rates[kind].spend(self.database, who, now=self.clock())
