"""Statements about published status lists, beside those of issuance in `store.py`."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import bindparam, select, update

from byoid.service.database import Database
from issuer.tables import IssuerTable

_LISTS: Final = IssuerTable.metadata.tables["status_list"]
_OF_AGENCY: Final = _LISTS.c.agency_id == bindparam("agency")
_PUBLICATION: Final = select(_LISTS.c.published, _LISTS.c.published_at).where(_LISTS.c.id == bindparam("list_id"))
_PUBLICATIONS: Final = select(_LISTS.c.id, _LISTS.c.published_at).where(_OF_AGENCY, _LISTS.c.published_at.is_not(None))
_CLOSE: Final = update(_LISTS).where(_OF_AGENCY, _LISTS.c.drawn < _LISTS.c.size).values(drawn=_LISTS.c.size)


async def publication(database: Database, list_id: str) -> Any | None:
    """Return number and time of a list's last publication."""
    return (await database.fetch(_PUBLICATION, {"list_id": list_id})).first()


async def publications(database: Database, agency_id: str) -> dict[str, datetime]:
    """Return when each list of an agency was published last."""
    return {row.id: row.published_at for row in await database.fetch(_PUBLICATIONS, {"agency": agency_id})}


async def close(database: Database, agency_id: str) -> int:
    """Count every place of an agency's lists as drawn; return how many lists had some left."""
    return (await database.execute(_CLOSE, {"agency": agency_id})).rowcount
