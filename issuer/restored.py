"""After a database was brought back from a backup: what was given since then must not be given again.

A list's place that was drawn after the backup is free again in it, and somebody holds a credential with its index. So
the lists that were open are closed, and new credentials go into new ones (Token Status List 13: an index is used once).
Do it before the services start: a process that runs has drawn places already.
"""

from typing import Final

from sqlalchemy import bindparam, update

from issuer.context import Issuer
from issuer.tables import IssuerTable

_LISTS: Final = IssuerTable.metadata.tables["status_list"]
_CLOSE: Final = (
    update(_LISTS)
    .where(_LISTS.c.agency_id == bindparam("agency"), _LISTS.c.drawn < _LISTS.c.size)
    .values(drawn=_LISTS.c.size)
)


async def close_open_lists(issuer: Issuer) -> int:
    """Let nothing more be drawn from any list that there is; return how many were open."""
    closed = await issuer.store.database.execute(_CLOSE, {"agency": issuer.settings.agency_id})
    return closed.rowcount
