"""Values that may be used once: a nonce, the `jti` of a proof. They are spent together with what they were used for.

What verifies them hands them on unspent, as `Once`; the operation spends them in the transaction of its own writes. So
a request that fails spends nothing, and one that succeeds can't succeed again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from byoid.errors import OAuthError
from byoid.service.database import Unchanged, Write
from issuer import writes
from issuer.context import Issuer


@dataclass(frozen=True)
class Once:
    """A value that is still to be spent: its keyed hash, until when it must be remembered, and the answer if it was."""

    value_hash: bytes
    until: datetime
    refusal: OAuthError


async def spend(issuer: Issuer, values: Sequence[Once], *, durable: bool = False) -> None:
    """Spend values, all or none. What they are good for is written later, and is durable only together with them.

    Raises:
        OAuthError: the refusal of one that was used before.
    """
    if values:
        await spend_and_write(issuer, values, [], refusal=values[0].refusal, durable=durable)


async def spend_and_write(
    issuer: Issuer, values: Sequence[Once], steps: Sequence[Write], *, refusal: OAuthError, durable: bool = True
) -> None:
    """Spend values and write what they are good for, all of it or nothing.

    Raises:
        OAuthError: the refusal of a value that was used before, or `refusal` where a write changes nothing.
    """
    unspent = {each.value_hash: each.until for each in values}
    spending = [writes.spend(unspent)] if unspent else []
    try:
        await issuer.store.database.write([*spending, *steps], durable=durable)
    except Unchanged as error:
        if error.index >= len(spending):
            raise refusal from error
        used = await issuer.store.spent(list(unspent))
        raise next((each.refusal for each in values if each.value_hash in used), values[0].refusal) from error
