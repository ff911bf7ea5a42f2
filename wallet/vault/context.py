"""Everything that the vault's operations may use, chosen once by whoever starts it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from wallet.passkeys import WebAuthnParty
from wallet.store import VaultStore
from wallet.vault.kek import Kek


@dataclass(frozen=True, slots=True)
class VaultPolicy:
    """How long things live."""

    ceremony_lifetime: timedelta = timedelta(minutes=5)
    approval_lifetime: timedelta = timedelta(minutes=5)  # from the choice to the assertion
    grant_lifetime: timedelta = timedelta(minutes=30)  # an issuer's own login lies between approval and key proof
    session_idle: timedelta = timedelta(minutes=15)
    session_lifetime: timedelta = timedelta(hours=12)
    recovery_wait: timedelta = timedelta(days=3)
    max_passkeys: int = 20
    max_keys_per_call: int = 100


@dataclass(frozen=True, slots=True)
class Vault:
    """The vault of all citizens: store, HSM key, clock and policy."""

    store: VaultStore
    party: WebAuthnParty
    kek: Kek
    clock: Callable[[], datetime]
    policy: VaultPolicy = field(default_factory=VaultPolicy)
