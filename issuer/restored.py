"""After a database was brought back from a backup: what was given since then must not be given again.

A list's place that was drawn after the backup is free again in it, and somebody holds a credential with its index. So
the lists that were open are closed, and new credentials go into new ones (Token Status List 13: an index is used once).
Do it before the services start: a process that runs has drawn places already.
"""

from issuer import list_store
from issuer.context import Issuer


async def close_open_lists(issuer: Issuer) -> int:
    """Let nothing more be drawn from any list that there is; return how many were open."""
    return await list_store.close(issuer.store.database, issuer.settings.agency_id)
