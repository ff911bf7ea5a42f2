"""Status lists of an agency: places are drawn at issuance, states are changed by the back office, tokens are published.

Token Status List 13: indices are random and never used twice, and some places are decoys that nobody holds. Suspension
needs two bits (7.1). A list is built from the rows that are not valid, so publishing can always start anew.
"""

import asyncio
import secrets
from dataclasses import dataclass
from typing import Any, Final

from byoid.encoding import b64u_encode
from byoid.formats.status_array import StatusArray
from byoid.formats.status_list import StatusReference, prepare_status_list_cwt, prepare_status_list_token
from byoid.signing import sign
from byoid.wire_errors import TemporarilyUnavailable
from issuer.context import Issuer
from issuer.permutation import permute
from issuer.tables import CredentialStatus

BITS: Final = 2
_VALUES: Final = {CredentialStatus.VALID: 0, CredentialStatus.REVOKED: 1, CredentialStatus.SUSPENDED: 2}
_TRIES: Final = 5
_DRAWN_AT_ONCE: Final = 64
_DECOYS_IN: Final = 64  # one place of so many is drawn for nobody


@dataclass(frozen=True)
class ChosenList:
    """A list with places left, and the secret order in which they are drawn."""

    id: str
    size: int
    key: bytes


class OpenLists:
    """The places that this process has drawn and not given out yet, and the lists that it draws from.

    Places are drawn many at a time, so that workers seldom wait for each other at a list's row. Those that a process
    has left when it ends are given to nobody: decoys. A list is used until it is full, which a draw tells.
    """

    def __init__(self) -> None:
        self._lists: list[ChosenList] = []
        self._places: list[StatusReference] = []
        self._drawing = asyncio.Lock()

    async def take(self, issuer: Issuer, *, count: int) -> list[StatusReference]:
        """Return places that nobody else has or will have.

        Raises:
            TemporarilyUnavailable: other workers were faster at every list; nothing happened.
        """
        for _ in range(_TRIES):
            if count <= len(self._places):
                taken, self._places = self._places[:count], self._places[count:]
                return taken
            async with self._drawing:  # one draw is enough for all who wait
                if count > len(self._places):
                    drawn = await self._draw(issuer, count=count)
                    self._places += drawn  # a statement of its own: meanwhile others have taken places
        raise TemporarilyUnavailable("no status list has places left, try again later")

    async def _draw(self, issuer: Issuer, *, count: int) -> list[StatusReference]:
        most = 2 * count + min(_DRAWN_AT_ONCE, issuer.settings.status_list_size // 16)
        if not self._lists:
            self._lists = await open_lists(issuer, count=most)
        chosen = secrets.choice(self._lists)
        drawn = await issuer.store.draw(chosen.id, count=most)
        if drawn is None:  # the list is full: look again which ones are open
            self._lists = []
            return []
        kept = [place for place in drawn if secrets.randbelow(_DECOYS_IN)]
        uri = list_uri(issuer, chosen.id)
        return [StatusReference(uri, permute(place, size=chosen.size, key=chosen.key)) for place in kept]


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
    key_header = settings.status_list_key
    jwt = await sign(
        prepare_status_list_token(
            array, uri=uri, issued_at=now, expires_at=expires_at, ttl=settings.status_list_ttl,
            algorithm=signer.algorithm, x5c=() if key_header == "jwk" else signer.x5c,
            header=None if key_header == "x5c" else {"jwk": signer.public_jwk}, aggregation_uri=aggregation_uri,
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
