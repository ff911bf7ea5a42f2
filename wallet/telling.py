"""A door that tells: whoever changes, or tries to change, who can open a wallet, its owner gets a notice.

It stands before the vault's door, so that no page and no route can forget it. What the vault has done is done: a notice
that can't be written is logged, and changes nothing.
"""

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Concatenate, Final, ParamSpec, TypeVar

from wallet.notices import Notices
from wallet.recovery import Locked, Recovered, RecoveryBegun
from wallet.vault.context import Vault
from wallet.vault.contract import Action, Approved, VaultDoor
from wallet.vault.keys import PersonId

P = ParamSpec("P")
T = TypeVar("T")
_logger = logging.getLogger(__name__)
_TOLD: Final = frozenset({Action.ADD_PASSKEY, Action.REMOVE_PASSKEY, Action.NEW_RECOVERY_CODE})


class TellingDoor:
    """The way into the vault, with a notice after what its owner must know."""

    def __init__(self, door: VaultDoor, notices: Notices, *, clock: Callable[[], datetime]) -> None:
        self._door = door
        self._notices = notices
        self._clock = clock

    async def run(
        self, operation: Callable[Concatenate[Vault, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run one of the vault's operations."""
        result = await self._door.run(operation, *args, **kwargs)
        if (person := _concerned(result)) is not None:
            try:
                await self._notices.tell(person, now=self._clock())
            except Exception:  # what the vault has done is done, and its answer must reach who asked
                _logger.exception("a notice about security was not written")
        return result


def _concerned(result: object) -> PersonId | None:
    """Return whose wallet somebody else may have opened or locked, as far as its owner must hear of it."""
    match result:
        case Approved() if result.action in _TOLD:
            return result.person
        case RecoveryBegun(new=True) | Locked():
            return result.person
        case Recovered():
            return result.signed_in.session.person
        case _:
            return None
