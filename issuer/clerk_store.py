"""Statements about clerks and their sessions (`clerks.py`)."""

from typing import Final

from sqlalchemy import bindparam, delete, select, update

from byoid.service.database import Expiry, UtcDateTime, insert
from issuer.agency_store import table_of
from issuer.agency_tables import Clerk, OfficeSession

_clerks, _sessions = table_of(Clerk), table_of(OfficeSession)
_NOW: Final = bindparam("now", type_=UtcDateTime())
PUT = insert(_clerks)
PUT = PUT.on_conflict_do_update(
    index_elements=[_clerks.c.agency_id, _clerks.c.name],
    set_={name: PUT.excluded[name] for name in ("role", "salt", "password_hash")},
)
_OF_AGENCY: Final = _clerks.c.agency_id == bindparam("agency")
CLERK = select(_clerks).where(_OF_AGENCY, _clerks.c.name == bindparam("clerk_name"))
CLERKS = select(_clerks.c.name, _clerks.c.role, _clerks.c.created_at).where(_OF_AGENCY).order_by(_clerks.c.name)
DELETE = delete(_clerks).where(_OF_AGENCY, _clerks.c.name == bindparam("clerk_name"))
BEGIN = insert(_sessions)
_SESSION_OF_AGENCY: Final = _sessions.c.agency_id == bindparam("agency")
END = delete(_sessions).where(_SESSION_OF_AGENCY, _sessions.c.session_hash == bindparam("session"))
END_ALL = delete(_sessions).where(_SESSION_OF_AGENCY, _sessions.c.clerk == bindparam("clerk_name"))
VISIT = (
    update(_sessions)
    .where(
        _SESSION_OF_AGENCY,
        _sessions.c.session_hash == bindparam("session"),
        _sessions.c.expires_at > _NOW,
        _sessions.c.ends_at > _NOW,
    )
    .values(expires_at=bindparam("idle_until"))
    .returning(_sessions.c.clerk)
)
EXPIRY: Final = Expiry(_sessions, expires_at=_sessions.c.expires_at)
