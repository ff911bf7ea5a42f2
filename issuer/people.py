"""Local accounts: how a small agency recognises people by name and password.

Passwords are kept as scrypt (RFC 7914) with a salt for each account. An account that does not exist takes as long to
refuse as a wrong password. Guesses are counted by the authorization endpoint.
"""

import asyncio
import hashlib
import hmac
import os
import unicodedata
from typing import Final

from byoid.service.seal import Sealer
from byoid.wire_errors import InvalidRequest
from issuer.agency import Agency
from issuer.agency_store import AgencyStore
from issuer.recognition import NotRecognised, fold_name

MIN_PASSWORD_LENGTH: Final = 12  # NIST SP 800-63B asks 8 at least, 15 without a second factor
_N, _R, _P = 1 << 15, 8, 1  # 32 MB and about 80 ms
_MEMORY: Final = 128 * _N * _R * 2
_SALT: Final = bytes(16)
_PURPOSE: Final = "account"


class Accounts:
    """The accounts of an agency; a `PasswordRecognition`."""

    def __init__(self, store: AgencyStore, sealer: Sealer) -> None:
        self._store = store
        self._sealer = sealer

    async def recognise(self, username: str, password: str) -> str:
        """Return the register's key of the person.

        Raises:
            NotRecognised: no such account, or another password.
        """
        name = username_hash(self._sealer, username)
        account = await self._store.account(name)
        salt = account.salt if account else _SALT
        found = await derive_password(password, salt)
        expected = account.password_hash if account else bytes(len(found))
        if not hmac.compare_digest(found, expected) or account is None:
            raise NotRecognised("no account has this name and password")
        return self._sealer.open(account.person, table="account", column="person", row_id=name.hex()).decode()


async def add_account(agency: Agency, username: str, password: str, person: str, *, actor: str) -> None:
    """Make an account for a person, or give an existing one another password.

    Raises:
        InvalidRequest: the password is too short, or there is no name.
    """
    if len(password) < MIN_PASSWORD_LENGTH or not username.strip():
        raise InvalidRequest(f"expected a user name, and a password of at least {MIN_PASSWORD_LENGTH} characters")
    issuer, salt = agency.issuer, os.urandom(16)
    name = username_hash(issuer.sealer, username)
    row = {
        "username_hash": name,
        "salt": salt,
        "password_hash": await derive_password(password, salt),
        "person": issuer.seal(person.encode(), column="account.person", row=name),
        "created_at": issuer.clock(),
    }
    async with issuer.store.transaction() as tx:
        await agency.store.put_account(tx, row)
        await agency.note(tx, "account.added", actor=actor, account=name.hex())


async def delete_account(agency: Agency, username: str, *, actor: str) -> bool:
    """Delete an account; False if there is none."""
    name = username_hash(agency.issuer.sealer, username)
    async with agency.issuer.store.transaction() as tx:
        deleted = await agency.store.delete_account(tx, name)
        await agency.note(tx, "account.deleted", actor=actor, account=name.hex())
    return deleted


def username_hash(sealer: Sealer, username: str) -> bytes:
    """Return the keyed hash under which an account is; names differ neither by case nor by how they are composed."""
    return sealer.keyed_hash(fold_name(username), purpose=_PURPOSE)


async def derive_password(password: str, salt: bytes) -> bytes:
    """Return what is kept of a password, computed beside the event loop."""
    return await asyncio.to_thread(_derive, password, salt)


def _derive(password: str, salt: bytes) -> bytes:
    text = unicodedata.normalize("NFKC", password).encode()
    return hashlib.scrypt(text, salt=salt, n=_N, r=_R, p=_P, maxmem=_MEMORY, dklen=32)
