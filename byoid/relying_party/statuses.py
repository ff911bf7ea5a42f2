"""Where the flow gets status list tokens from: the one thing that it must ask others for."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Protocol

from byoid.formats.status_list import StatusList


class StatusSource(Protocol):
    """Where status list tokens come from: `byoid.fetch.StatusListCache`, or the caller's own."""

    async def tokens(self, uris: Collection[str], *, now: datetime) -> Mapping[str, bytes | StatusList]:
        """Return, by URI, what could be had: tokens, or lists that were verified before."""
        ...

    def keep(self, statuses: Mapping[str, Any], *, now: datetime) -> None:
        """Remember lists that were verified."""
        ...


class NoStatuses:
    """A source without lists: credentials that have a status are unavailable, which the policy judges."""

    async def tokens(self, uris: Collection[str], *, now: datetime) -> Mapping[str, bytes | StatusList]:
        """Return nothing."""
        return {}

    def keep(self, statuses: Mapping[str, Any], *, now: datetime) -> None:
        """Remember nothing."""
