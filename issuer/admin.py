"""Who may do what at the admin API: keys with roles. A key is shown once; only its hash is kept.

Operations that change keys, webhooks and other things of the operator's are here too. Each is in the journal.
"""

import secrets
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Final

from byoid.encoding import b64u_encode
from byoid.errors import OAuthError
from byoid.service.loopback import is_https
from byoid.wire_errors import InvalidRequest
from issuer.agency import Agency
from issuer.webhooks import EVENTS, seal_secret

_PREFIX: Final = "byoid_"


class Role(StrEnum):
    """What an API key is for."""

    AUDITOR = "auditor"  # looks, changes nothing
    REGISTER = "register"  # the authentic source itself, which says that facts have changed
    OPERATOR = "operator"  # offers, revokes, prints letters
    ADMINISTRATOR = "administrator"  # also keys, webhooks and API keys


class Permission(StrEnum):
    """What can be allowed."""

    LOOK = "look"
    CHANGE_FACTS = "change_facts"
    OPERATE = "operate"
    ADMINISTER = "administer"


_ALLOWED: Final = {
    Role.AUDITOR: {Permission.LOOK},
    Role.REGISTER: {Permission.CHANGE_FACTS},
    Role.OPERATOR: {Permission.LOOK, Permission.CHANGE_FACTS, Permission.OPERATE},
    Role.ADMINISTRATOR: set(Permission),
}


class NotAuthenticated(OAuthError):
    """No API key, or one that is unknown or revoked."""

    code: ClassVar[str] = "invalid_client"
    status: ClassVar[int] = 401


class NotAllowed(OAuthError):
    """This role may not do that."""

    code: ClassVar[str] = "access_denied"
    status: ClassVar[int] = 403


class NotFound(OAuthError):
    """There is no such thing."""

    code: ClassVar[str] = "not_found"
    status: ClassVar[int] = 404


@dataclass(frozen=True)
class Caller:
    """Who calls the admin API, or works in the back office; `actor` is how the journal names them."""

    actor: str
    role: Role

    def may(self, permission: Permission) -> bool:
        """Tell whether the role allows it."""
        return permission in _ALLOWED[self.role]


@dataclass(frozen=True)
class NewKey:
    """A key just made; `key` is shown once."""

    id: str
    key: str


async def authenticate(agency: Agency, key: str | None) -> Caller:
    """Return who calls.

    Raises:
        NotAuthenticated: no key, or it is unknown or revoked.
    """
    row = await agency.store.api_key(_key_hash(agency, key)) if key and key.startswith(_PREFIX) else None
    if row is None:
        headers = {"WWW-Authenticate": "Bearer"}
        raise NotAuthenticated("an API key is needed: Authorization: Bearer byoid_...", headers=headers)
    return Caller(f"key:{row.id}", Role(row.role))


async def permit(agency: Agency, caller: Caller, permission: Permission, *, call: str) -> None:
    """Write the call into the journal, and refuse what the role does not allow.

    Raises:
        NotAllowed: the role does not allow it.
    """
    allowed = caller.may(permission)
    event = "admin.called" if allowed else "admin.refused"
    async with agency.issuer.store.transaction() as tx:
        await agency.note(tx, event, actor=caller.actor, call=call)
    if not allowed:
        raise NotAllowed("your role does not allow this")


async def add_key(agency: Agency, *, name: str, role: Role, actor: str) -> NewKey:
    """Make an API key."""
    key = _PREFIX + b64u_encode(secrets.token_bytes(32))
    key_id = secrets.token_hex(6)
    row = {
        "id": key_id,
        "name": name,
        "role": role,
        "key_hash": _key_hash(agency, key),
        "revoked": False,
        "created_at": agency.issuer.clock(),
    }
    async with agency.issuer.store.transaction() as tx:
        await agency.store.add_api_key(tx, row)
        await agency.note(tx, "api-key.added", actor=actor, key=key_id, role=role)
    return NewKey(key_id, key)


async def revoke_key(agency: Agency, key_id: str, *, actor: str) -> None:
    """End an API key.

    Raises:
        NotFound: there is none with this id.
    """
    async with agency.issuer.store.transaction() as tx:
        if not await agency.store.revoke_api_key(tx, key_id):
            raise NotFound("there is no such API key")
        await agency.note(tx, "api-key.revoked", actor=actor, key=key_id)


async def add_webhook(agency: Agency, *, url: str, events: Sequence[str], actor: str) -> tuple[str, str]:
    """Tell another system what becomes of credentials; return the webhook's id and its secret, shown once.

    Raises:
        InvalidRequest: not an https address, or an unknown event.
    """
    reachable = is_https(url, loopback_http=agency.issuer.settings.allow_loopback_http)
    if not reachable or not events or not set(events) <= set(EVENTS):
        raise InvalidRequest("expected an https address and known events")
    webhook_id, secret = secrets.token_hex(8), "whsec_" + _standard_base64(secrets.token_bytes(32))
    row = {
        "id": webhook_id,
        "url": url,
        "events": sorted(set(events)),
        "secret": seal_secret(agency.issuer.sealer, webhook_id, secret),
        "created_at": agency.issuer.clock(),
    }
    async with agency.issuer.store.transaction() as tx:
        await agency.store.add_webhook(tx, row)
        await agency.note(tx, "webhook.added", actor=actor, webhook=webhook_id, events=row["events"])
    agency.webhooks.forget()
    return webhook_id, secret


async def delete_webhook(agency: Agency, webhook_id: str, *, actor: str) -> None:
    """Tell another system nothing any more.

    Raises:
        NotFound: there is none with this id.
    """
    async with agency.issuer.store.transaction() as tx:
        if not await agency.store.delete_webhook(tx, webhook_id):
            raise NotFound("there is no such webhook")
        await agency.note(tx, "webhook.deleted", actor=actor, webhook=webhook_id)
    agency.webhooks.forget()


def _standard_base64(value: bytes) -> str:
    """Return standard base64, as Standard Webhooks writes secrets."""
    return b64encode(value).decode()


def _key_hash(agency: Agency, key: str) -> bytes:
    return agency.issuer.hash("api key", key.encode())
