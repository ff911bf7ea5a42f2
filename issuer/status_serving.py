"""Published status lists as they are served: read, compressed and tagged once for each publication, not for a request.

Token Status List 8.1 (media types, content coding), RFC 9110 8.8.3: each form of a list has an entity tag of its own.
What is kept is bounded by bytes; a request that finds it asks the database for the number of the publication only.
"""

import asyncio
import gzip
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final

from byoid.encoding import b64u_encode, sha256
from byoid.formats.status_list import CWT_MEDIA_TYPE, JWT_MEDIA_TYPE
from issuer import list_store
from issuer.context import Issuer
from issuer.status_lists import token_for

MOST_BYTES: Final = 32 << 20
_LEVEL: Final = 6


@dataclass(frozen=True)
class Form:
    """One form of a published list."""

    body: bytes
    media_type: str
    encoding: str | None
    etag: str


@dataclass(frozen=True)
class ServedList:
    """A published list in its forms; `publication` tells one publication from another."""

    publication: tuple[Any, Any]
    jwt: Form
    zipped: Form
    cwt: Form

    @property
    def size(self) -> int:
        """How many bytes it takes."""
        return sum(len(each.body) for each in (self.jwt, self.zipped, self.cwt))

    def form(self, *, accept: str, accept_encoding: str) -> Form:
        """Return the form that a request wants; a CWT holds compressed bytes already."""
        if CWT_MEDIA_TYPE in accept:
            return self.cwt
        return self.zipped if _takes_gzip(accept_encoding) else self.jwt


class ServedLists:
    """The lists that this process has served of late."""

    def __init__(self, *, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._lists: OrderedDict[str, ServedList] = OrderedDict()
        self._loading: dict[str, asyncio.Task[ServedList | None]] = {}

    async def find(self, issuer: Issuer, list_id: str) -> ServedList | None:
        """Return a list as it is published now; None if there is none with this id."""
        known = self._lists.get(list_id)
        row = await list_store.publication(issuer.store.database, list_id)
        if known is not None and row is not None and known.publication == tuple(row):
            self._lists.move_to_end(list_id)
            return known
        loading = self._loading.get(list_id)
        if loading is None:  # whoever else asks meanwhile waits for the same
            loading = self._loading[list_id] = asyncio.create_task(self._load(issuer, list_id))
            loading.add_done_callback(lambda _: self._loading.pop(list_id))
        return await asyncio.shield(loading)

    async def _load(self, issuer: Issuer, list_id: str) -> ServedList | None:
        row = await token_for(issuer, list_id)
        if row is None:
            return None
        found = await asyncio.to_thread(_served, row)
        self._keep(list_id, found)
        return found

    def _keep(self, list_id: str, found: ServedList) -> None:
        self._lists[list_id] = found
        self._lists.move_to_end(list_id)
        while len(self._lists) > 1 and sum(each.size for each in self._lists.values()) > self._most:
            self._lists.popitem(last=False)


def _served(row: Any) -> ServedList:
    jwt = row.jwt.encode()
    return ServedList(
        (row.published, row.published_at),
        _form(jwt, JWT_MEDIA_TYPE),
        _form(gzip.compress(jwt, _LEVEL, mtime=0), JWT_MEDIA_TYPE, "gzip"),
        _form(row.cwt, CWT_MEDIA_TYPE),
    )


def _form(body: bytes, media_type: str, encoding: str | None = None) -> Form:
    return Form(body, media_type, encoding, f'"{b64u_encode(sha256(body)[:16])}"')


def _takes_gzip(accept_encoding: str) -> bool:
    """Tell whether a request takes gzip (RFC 9110 12.5.3): named, and not with a weight of zero."""
    parts = [part.replace(" ", "").lower().split(";q=") for part in accept_encoding.split(",")]
    weights = {coding: weight for coding, *weight in parts}
    wanted = weights.get("gzip", weights.get("*"))
    return wanted is not None and not _is_zero(wanted)


def _is_zero(weight: list[str]) -> bool:
    return bool(weight) and not weight[0].strip("0.")
