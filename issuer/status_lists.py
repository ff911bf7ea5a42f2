"""Status lists of an agency: places are drawn at issuance, states are changed by the back office, tokens are published.

Token Status List 13: indices are random and never used twice, and some places are decoys that nobody holds. Suspension
needs two bits (7.1). A list is built from the rows that are not valid, so publishing can always start anew.
"""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from byoid.encoding import b64u_encode
from byoid.errors import ByoidError
from byoid.formats.status_array import StatusArray
from byoid.formats.status_list import StatusReference, prepare_status_list_cwt, prepare_status_list_token
from byoid.service.database import Connection
from byoid.signing import sign
from byoid.wire_errors import TemporarilyUnavailable
from issuer.context import Issuer
from issuer.permutation import permute
from issuer.tables import CredentialStatus

BITS: Final = 2
_VALUES: Final = {CredentialStatus.VALID: 0, CredentialStatus.REVOKED: 1, CredentialStatus.SUSPENDED: 2}
_TRIES: Final = 5
_DECOYS_IN: Final = 64  # one place of so many is drawn for nobody


@dataclass(frozen=True)
class Draw:
    """Places in a status list that were never drawn before."""

    references: list[StatusReference]


class _ListFull(ByoidError):
    """Another worker has just taken a list's last places; the next choice is another list."""


@dataclass(frozen=True)
class ChosenList:
    """A list with places left, and the secret order in which they are drawn."""

    id: str
    size: int
    key: bytes

    async def draw(self, issuer: Issuer, tx: Connection, *, count: int) -> Draw:
        """Draw places, in the caller's transaction."""
        decoys = sum(secrets.randbelow(_DECOYS_IN) == 0 for _ in range(count))
        places = await issuer.store.draw(tx, self.id, count=count + decoys)
        if places is None:
            raise _ListFull("the status list is full")
        indices = [permute(place, size=self.size, key=self.key) for place in places][:count]
        return Draw([StatusReference(list_uri(issuer, self.id), index) for index in indices])


class OpenLists:
    """The lists that this process draws from. Each is used until it is full, which its draw tells."""

    def __init__(self) -> None:
        self._lists: dict[str, ChosenList] = {}

    async def choose(self, issuer: Issuer, *, count: int) -> ChosenList:
        """Choose a list with places left, at random among those that are open; make one where none is."""
        if not self._lists:
            self._lists = {each.id: each for each in await open_lists(issuer, count=count)}
        return secrets.choice(list(self._lists.values()))

    def forget(self) -> None:
        """A list is full: look again which ones are open."""
        self._lists = {}


async def draw_with(issuer: Issuer, first: Callable[[Connection], Awaitable[None]], *, count: int) -> Draw | None:
    """Do `first` and draw `count` places in one transaction: both happen, or neither; None where none are needed.

    Raises:
        TemporarilyUnavailable: other workers were faster at every list; nothing happened.
    """
    for _ in range(_TRIES):
        status_list = await issuer.open_lists.choose(issuer, count=count) if count else None
        try:
            async with issuer.store.transaction() as tx:
                await first(tx)
                return await status_list.draw(issuer, tx, count=count) if status_list else None
        except _ListFull:
            issuer.open_lists.forget()
    raise TemporarilyUnavailable("no status list has places left, try again later")


def list_uri(issuer: Issuer, list_id: str) -> str:
    """Return where a list is published: what credentials refer to."""
    return f"{issuer.url}/status/{list_id}"


async def open_lists(issuer: Issuer, *, count: int) -> list[ChosenList]:
    """Return the lists with places left for more than one such draw; a new one where there is none."""
    rows = await issuer.store.open_status_lists(issuer.settings.agency_id)
    found = [row for row in rows if row.size - row.drawn >= 2 * count]
    if not found:
        return [await add_list(issuer)]
    keys = [issuer.open(row.sealed_key, column="status_list.key", row=row.id) for row in found]
    return [ChosenList(row.id, row.size, key) for row, key in zip(found, keys, strict=True)]


async def add_list(issuer: Issuer) -> ChosenList:
    """Make an empty list."""
    list_id, key = b64u_encode(secrets.token_bytes(12)), secrets.token_bytes(32)
    size = issuer.settings.status_list_size
    await issuer.store.add_status_list({
        "id": list_id,
        "agency_id": issuer.settings.agency_id,
        "bits": BITS,
        "size": size,
        "drawn": 0,
        "sealed_key": issuer.seal(key, column="status_list.key", row=list_id),
        "changed": 1,
        "published": 0,
        "published_at": None,
        "jwt": None,
        "cwt": None,
        "expires_at": None,
    })  # fmt: skip
    return ChosenList(list_id, size, key)


async def publish(issuer: Issuer) -> int:
    """Sign the lists that have changed or are half way to their expiry; return how many. A job, and idempotent."""
    settings = issuer.settings
    renew_before = issuer.until(settings.status_list_lifetime / 2)
    rows = await issuer.store.lists_to_publish(settings.agency_id, renew_before=renew_before)
    for row in rows:
        await _publish(issuer, row)
    return len(rows)


async def _publish(issuer: Issuer, row: Any) -> None:
    array = StatusArray.of_size(row.size, bits=row.bits)
    for index, status in await issuer.store.states(row.id):
        array.set_status(index, _VALUES[CredentialStatus(status)])
    settings, now = issuer.settings, issuer.clock()
    signer, uri, expires_at = (
        issuer.signers.status,
        list_uri(issuer, row.id),
        issuer.until(settings.status_list_lifetime),
    )
    aggregation_uri = f"{issuer.url}/status"
    by_chain = settings.status_list_key == "x5c"
    jwt = await sign(
        prepare_status_list_token(
            array, uri=uri, issued_at=now, expires_at=expires_at, ttl=settings.status_list_ttl,
            algorithm=signer.algorithm, x5c=signer.x5c if by_chain else (),
            header=None if by_chain else {"jwk": signer.public_jwk}, aggregation_uri=aggregation_uri,
        ),
        signer,
    )  # fmt: skip
    cwt = await sign(
        prepare_status_list_cwt(
            array, uri=uri, issued_at=now, expires_at=expires_at, ttl=settings.status_list_ttl,
            algorithm=signer.algorithm, x5chain=signer.x5c, aggregation_uri=aggregation_uri,
        ),
        signer,
    )  # fmt: skip
    await issuer.store.published(row.id, changed=row.changed, jwt=jwt, cwt=cwt, published_at=now, expires_at=expires_at)


async def token_for(issuer: Issuer, list_id: str) -> Any | None:
    """Return the published tokens of a list; one that was made since the last publication is published first."""
    row = await issuer.store.status_list(list_id)
    if row is None or row.jwt is not None:
        return row
    await _publish(issuer, row)
    return await issuer.store.status_list(list_id)
