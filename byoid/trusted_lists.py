"""Trust anchors that follow lists of trusted entities: fetched in time, verified, and the last good one kept.

ETSI TS 119 602 6.3.14 (next update), ARF TLPub_07 (the signer comes from the Official Journal, and is pinned here). How
to read a URL is injected: `byoid.fetch.fetch_trusted_list` with a guarded client (`byoid.service.http`). A list that
does not verify never takes the place of one that did; a list that is overdue gives no trust any more.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

from byoid.errors import ByoidError, MalformedInput
from byoid.trust.anchors import Purpose, TrustAnchors
from byoid.trust.trusted_list import ALL_PURPOSES, TrustedList, verify_trusted_list

Read: TypeAlias = Callable[[str], Awaitable[bytes]]
NEVER_ASKED: Final = datetime.min.replace(tzinfo=UTC)
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ListToFollow:
    """A list whose word counts: where it is, its `LoTEType`, who signs it, and what it may speak about.

    `signers` are the certificates that are pinned, more than one while a new one takes over (purpose TRUSTED_LIST).
    """

    url: str
    list_type: str
    signers: TrustAnchors
    purposes: frozenset[Purpose] = ALL_PURPOSES


@dataclass(frozen=True)
class _Followed:
    """A list, what was read of it last, and when it is to be asked again."""

    to_follow: ListToFollow
    ask_at: datetime = NEVER_ASKED
    last: TrustedList | None = None

    def anchors(self, now: datetime) -> TrustAnchors:
        """Return what the list says, nothing once it is overdue."""
        return self.last.anchors if self.last and now <= self.last.next_update else TrustAnchors()


class FollowedTrust:
    """Anchors of one's own, and those of lists that are followed. `anchors` is another set only if trust has changed.

    lists = FollowedTrust(own, [ListToFollow(url, list_type, signers)], read=partial(fetch_trusted_list, client))
    await lists.refresh(now=now)  # at start, and then every minute: it asks only when it is time
    """

    def __init__(
        self,
        own: TrustAnchors,
        lists: Sequence[ListToFollow] = (),
        *,
        read: Read,
        interval: timedelta = timedelta(hours=6),
        retry: timedelta = timedelta(minutes=5),
    ) -> None:
        """Begin with one's own anchors alone.

        Args:
            own: anchors that no list says.
            lists: what to follow.
            read: fetches a list, or raises an error of byoid's.
            interval: how often a list is asked at least; half the time to its next update, if that is sooner.
            retry: how soon it is asked again after it could not be had.
        """
        self._own, self._fetch, self._interval, self._retry = own, read, interval, retry
        self._followed = [_Followed(each) for each in lists]
        self.anchors = own

    async def refresh(self, *, now: datetime) -> bool:
        """Ask the lists that it is time to ask, and leave out those that are overdue; say whether trust has changed."""
        self._followed = [await self._asked(each, now) if each.ask_at <= now else each for each in self._followed]
        try:
            anchors = self._own.union(*(each.anchors(now) for each in self._followed))
        except MalformedInput as error:  # too many together: those of before may be overdue
            _logger.warning("only our own anchors are trusted: %s", error)
            anchors = self._own
        if anchors.identity == self.anchors.identity:
            return False
        self.anchors = anchors
        return True

    async def _asked(self, followed: _Followed, now: datetime) -> _Followed:
        try:
            found = await self._read(followed, now)
        except ByoidError as error:
            _logger.warning("the trusted list %s was not refreshed: %s", followed.to_follow.url, error)
            return _Followed(followed.to_follow, now + self._retry, followed.last)
        return _Followed(
            followed.to_follow, now + min(self._interval, max((found.next_update - now) / 2, self._retry)), found
        )

    async def _read(self, followed: _Followed, now: datetime) -> TrustedList:
        """Fetch and verify a list.

        Raises:
            PeerError: it cannot be fetched.
            ByoidError: it does not verify, or is older than the last.
        """
        wanted, last = followed.to_follow, followed.last
        content = await self._fetch(wanted.url)
        try:
            token = content.decode("ascii").strip()
        except UnicodeDecodeError:
            raise MalformedInput("expected a trusted list in ASCII") from None
        return verify_trusted_list(
            token,
            source=wanted.url,
            anchors=wanted.signers,
            now=now,
            list_type=wanted.list_type,
            purposes=wanted.purposes,
            last_sequence_number=last.sequence_number if last else 0,
        )
