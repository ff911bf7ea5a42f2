"""Clerks: who works in the back office, by name and password; their roles are those of API keys (`admin.py`).

A session is 32 random bytes in the browser's cookie, of which the database has a keyed hash; it ends after half an
hour without a request, after a working day in any case, and with its clerk (NIST SP 800-63B 4.2.3).
"""

import os
import re
import secrets
from collections.abc import Sequence
from datetime import timedelta
from hmac import compare_digest
from typing import Any, Final

from byoid.encoding import b64u_encode
from byoid.wire_errors import InvalidRequest
from issuer import clerk_store as store
from issuer.admin import Caller, Role
from issuer.agency import Agency
from issuer.people import derive_password
from issuer.recognition import NotRecognised, fold_name

MIN_PASSWORD_LENGTH: Final = 15  # NIST SP 800-63B 3.1.1.2, where there is no second factor
_IDLE: Final = timedelta(minutes=30)
_DAY: Final = timedelta(hours=12)
_SALT: Final = bytes(16)
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,59}")


async def add_clerk(agency: Agency, name: str, role: Role, password: str, *, actor: str) -> None:
    """Let somebody into the back office, or give them another password or role; their open sessions end.

    Raises:
        InvalidRequest: the name or the password is not good enough, or the role has nothing to do there.
    """
    if not _NAME.fullmatch(name) or role is Role.REGISTER:
        raise InvalidRequest("expected a name of small letters, digits, dots and hyphens, and a role of people")
    if len(password) < MIN_PASSWORD_LENGTH:
        raise InvalidRequest(f"expected a password of at least {MIN_PASSWORD_LENGTH} characters")
    issuer, salt = agency.issuer, os.urandom(16)
    row = {
        "agency_id": issuer.settings.agency_id,
        "name": name,
        "role": role,
        "salt": salt,
        "password_hash": await derive_password(password, salt),
        "created_at": issuer.clock(),
    }
    async with issuer.store.transaction() as tx:
        await tx.execute(store.PUT, row)
        await tx.execute(store.END_ALL, {"agency": issuer.settings.agency_id, "clerk_name": name})
        await agency.note(tx, "clerk.added", actor=actor, clerk=name, role=role)


async def remove_clerk(agency: Agency, name: str, *, actor: str) -> bool:
    """Let somebody into the back office no more, from this moment; False if there is nobody of this name."""
    whom = {"agency": agency.issuer.settings.agency_id, "clerk_name": name}
    async with agency.issuer.store.transaction() as tx:
        removed = (await tx.execute(store.DELETE, whom)).rowcount == 1
        await tx.execute(store.END_ALL, whom)
        if removed:
            await agency.note(tx, "clerk.removed", actor=actor, clerk=name)
    return removed


async def clerks(agency: Agency) -> Sequence[Any]:
    """Return who works in the back office."""
    found = await agency.issuer.store.database.fetch(store.CLERKS, {"agency": agency.issuer.settings.agency_id})
    return found.rows


async def sign_in(agency: Agency, name: str, password: str) -> str:
    """Begin a session and return its secret. Guesses are counted by the page.

    Raises:
        NotRecognised: nobody of this name, or another password.
    """
    issuer, folded = agency.issuer, fold_name(name)
    whom = {"agency": issuer.settings.agency_id, "clerk_name": folded}
    clerk = (await issuer.store.database.fetch(store.CLERK, whom)).first()
    found = await derive_password(password, clerk.salt if clerk else _SALT)
    if not compare_digest(found, clerk.password_hash if clerk else bytes(len(found))) or clerk is None:
        async with issuer.store.transaction() as tx:
            await agency.note(tx, "clerk.refused", actor="office")
        raise NotRecognised("no clerk has this name and password")
    secret = b64u_encode(secrets.token_bytes(32))
    row = {
        "session_hash": _session_hash(agency, secret),
        "agency_id": issuer.settings.agency_id,
        "clerk": folded,
        "ends_at": issuer.until(_DAY),
        "expires_at": issuer.until(_IDLE),
    }
    async with issuer.store.transaction() as tx:
        now = (await tx.execute(store.CLERK, whom)).first()
        if now is None or now.password_hash != clerk.password_hash:  # changed while this one was judged
            raise NotRecognised("no clerk has this name and password")
        await tx.execute(store.BEGIN, row)
        await agency.note(tx, "clerk.signed-in", actor=f"clerk:{folded}")
    return secret


async def sign_out(agency: Agency, secret: str) -> None:
    """End a session."""
    whose = {"agency": agency.issuer.settings.agency_id, "session": _session_hash(agency, secret)}
    await agency.issuer.store.database.execute(store.END, whose)


async def caller_of(agency: Agency, secret: str | None) -> Caller | None:
    """Return the clerk of a session, and let it go on; None if it is over, or never was."""
    if not secret:
        return None
    issuer = agency.issuer
    parameters = {
        "agency": issuer.settings.agency_id, "session": _session_hash(agency, secret), "now": issuer.clock(),
        "idle_until": issuer.until(_IDLE),
    }  # fmt: skip
    name = (await issuer.store.database.execute(store.VISIT, parameters)).scalar()
    whom = {"agency": issuer.settings.agency_id, "clerk_name": name}
    clerk = (await issuer.store.database.fetch(store.CLERK, whom)).first() if name else None
    return Caller(f"clerk:{clerk.name}", Role(clerk.role)) if clerk else None


async def expire(agency: Agency) -> int:
    """Delete sessions that are over, in batches."""
    return await store.EXPIRY.run(agency.issuer.store.database, now=agency.issuer.clock())


def _session_hash(agency: Agency, secret: str) -> bytes:
    return agency.issuer.hash("office session", secret.encode())
