"""What crosses the boundary of the vault: messages, the errors that callers treat differently, and the door.

Callers run operations through a `VaultDoor`: `await door.run(sign_in, post, label="…")`. `LocalDoor` runs them in this
process; `wallet.vault.remote` in another, with a database role of its own. Everything that crosses is one of these
messages, so that the two doors can't differ.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from byoid.errors import OAuthError, VerificationError
from wallet.vault.context import Vault
from wallet.vault.kek import Protection
from wallet.vault.keys import PersonId, ReadingKey, place

P = ParamSpec("P")
T = TypeVar("T")


class NotSignedIn(OAuthError):
    """There is no such session, or it ended: sign in again."""

    code = "not_signed_in"
    status = 401


class NotApproved(VerificationError):
    """No approval covers what was asked for: unknown, spent, expired, of another session, or for something else."""


class WalletLocked(OAuthError):
    """The wallet is locked: nothing signs until it is unlocked with a passkey or by recovery."""

    code = "wallet_locked"
    status = 423


class TooEarly(OAuthError):
    """The waiting time of a recovery is not over; the description says when it is."""

    code = "too_early"
    status = 409


class LastPasskey(OAuthError):
    """The last passkey can't be removed: nobody could sign in any more."""

    code = "last_passkey"
    status = 409


class VaultMessage(BaseModel):
    """A message of the vault: frozen, nothing unknown in it, bytes as base64url in JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64")


class Secrets(VaultMessage):
    """What the page derived from the PRF: one secret for each key that the assertion may unwrap, base64url."""

    reading: str | None = Field(default=None, max_length=43, min_length=43)
    signing: str | None = Field(default=None, max_length=43, min_length=43)

    def __repr__(self) -> str:
        return "Secrets(…)"

    __str__ = __repr__


class Ceremony(VaultMessage):
    """What the page needs to ask the authenticator: `secrets` names what to derive from the PRF outputs, in order."""

    ceremony: str
    options: dict[str, Any]
    secrets: tuple[str, ...]


class PagePost(VaultMessage):
    """What the page posts when the authenticator has answered."""

    ceremony: str = Field(max_length=64)
    credential: dict[str, Any]
    secrets: Secrets = Secrets()
    new_secrets: Secrets = Secrets()  # only when a passkey is added: those of the new one


class SessionView(VaultMessage):
    """A live session: whose, and the key that reads their contents. The signing key is never here."""

    id: str
    person: PersonId
    passkey_id: str
    reading_secret: bytes = Field(repr=False)
    expires_at: datetime
    locked: bool
    recovery_usable_at: datetime | None  # a recovery is under way: tell the citizen, who may cancel it

    @property
    def reading_key(self) -> ReadingKey:
        """The key of contents, history, names and inbox."""
        return ReadingKey(self.reading_secret)


class SignedIn(VaultMessage):
    """A new session, and the secret that its cookie must carry; the server keeps no copy."""

    cookie: str = Field(repr=False)
    session: SessionView
    protection: Protection


class Action(StrEnum):
    """What a citizen can approve."""

    PRESENT = "present"
    RECEIVE = "receive"
    ADD_PASSKEY = "add-passkey"
    REMOVE_PASSKEY = "remove-passkey"
    NEW_RECOVERY_CODE = "new-recovery-code"
    UNLOCK = "unlock"
    DELETE_ACCOUNT = "delete-account"


class SigningInput(VaultMessage):
    """Exact bytes that a holder key is to sign: of a key binding JWT, a device authentication or a key proof."""

    key_id: str
    data: bytes


class KeyProofs(VaultMessage):
    """Leave to sign key proofs (OpenID4VCI appendix F) with new keys, for one credential issuer, for a short while."""

    audience: str
    key_ids: tuple[str, ...] = Field(min_length=1)


class NewPasskey(VaultMessage):
    """A passkey whose registration was verified and which waits for the assertion of an existing one."""

    id: str
    public_key: bytes
    sign_count: int
    backup_eligible: bool
    name: str


class Proposal(VaultMessage):
    """What is put to the citizen. What the vault will do is in here, and the challenge commits to all of it.

    Args:
        consent_id: the caller's id of this consent.
        option: the option that the citizen chose.
        shown: SHA-256 of the request and the option as they were shown; the caller keeps both.
        inputs: for `present`, the exact bytes to sign, made after the choice.
        key_proofs: for `receive`.
        passkey: for `add-passkey`, set by the vault.
    """

    action: Action
    consent_id: str
    option: str
    shown: bytes = Field(min_length=32, max_length=32)
    inputs: tuple[SigningInput, ...] = ()
    key_proofs: KeyProofs | None = None
    passkey: NewPasskey | None = None

    def digest(self) -> bytes:
        """Return the digest of request and option, and of everything that will be done if it is approved."""
        signs = [part for each in self.inputs for part in (each.key_id, sha256(each.data).hexdigest())]
        proofs = [self.key_proofs.audience, *self.key_proofs.key_ids] if self.key_proofs else []
        passkey = [self.passkey.id, self.passkey.public_key.hex(), self.passkey.name] if self.passkey else []
        parts = (place(*signs), place(*proofs), place(*passkey))
        return sha256(place(self.action, self.shown.hex(), *(part.hex() for part in parts))).digest()

    def challenge(self, fresh: bytes) -> bytes:
        """Return SHA-256(fresh random bytes ‖ consent id ‖ chosen option ‖ digest), each text with its length."""
        return sha256(fresh + place(self.consent_id, self.option) + self.digest()).digest()


class Approved(VaultMessage):
    """What an approval brought about."""

    consent_id: str
    action: Action
    person: PersonId
    signatures: tuple[bytes, ...] = ()  # of the proposal's inputs, in their order
    grant: str | None = None  # for `sign_key_proofs`
    recovery_code: str | None = Field(default=None, repr=False)  # to show once


class HolderKeyView(VaultMessage):
    """A holder key that the vault made: its id, the public key for the issuer, and the weakest way to open it."""

    id: str
    public_jwk: dict[str, str]
    protection: Protection = Protection.KEY_FILE


class VaultDoor(Protocol):
    """The way into the vault."""

    async def run(
        self, operation: Callable[Concatenate[Vault, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run one of the vault's operations."""
        ...


class LocalDoor:
    """The vault in this process."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def run(
        self, operation: Callable[Concatenate[Vault, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run it here."""
        return await operation(self._vault, *args, **kwargs)
