"""What an operator sets for the vault, in its own process or within the wallet's."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from byoid.service.database import Database
from byoid.service.settings import SettingsError
from wallet.passkeys import WebAuthnParty
from wallet.store import VaultStore
from wallet.vault.context import Vault, VaultPolicy
from wallet.vault.kek import FileKek, Kek


class VaultSettings(BaseSettings):
    """Settings of the vault, `VAULT_…` in the environment."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_prefix="VAULT_")

    profile: Literal["demo", "production"] = "production"
    # The wallet's own address: the only origin whose pages may use passkeys, and the rpId.
    public_url: str
    # The vault's own role; the web part's role has no right on the tables `vault_…`.
    database_url: str
    # The socket that the vault listens on, in a directory that only the web part's group may enter.
    socket: Path | None = None
    # The key that wraps vault keys where a browser has no PRF.
    hsm_library: str | None = None
    hsm_token: str = "wallet"  # noqa: S105  # the name of a token, no secret
    hsm_pin: SecretStr = SecretStr("")
    hsm_key: str = "vault"
    # For demos only: whoever reads this file opens the wallets of browsers without PRF.
    key_file: Path | None = None
    session_idle: timedelta = timedelta(minutes=15)
    session_lifetime: timedelta = timedelta(hours=12)
    recovery_wait: timedelta = timedelta(days=3)

    @classmethod
    def load(cls) -> Self:
        """Read the environment.

        Raises:
            SettingsError: with every mistake, and no value.
        """
        try:
            return cls()
        except ValidationError as error:
            raise SettingsError.of(error, prefix="VAULT_") from None

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        if (self.hsm_library is None) == (self.key_file is None):
            raise ValueError("set VAULT_HSM_LIBRARY, or VAULT_KEY_FILE for a demo")
        if self.profile == "production" and self.key_file is not None:
            raise ValueError("production refuses a key file: set VAULT_HSM_LIBRARY")
        return self

    @model_validator(mode="after")
    def _is_origin(self) -> Self:
        parts = urlsplit(self.public_url)
        if parts.scheme != "https" and (self.profile == "production" or parts.hostname != "localhost"):
            raise ValueError("expected an https address; http is for localhost, in a demo")
        if parts.path or parts.query or parts.fragment or not parts.hostname:
            raise ValueError("expected an address without path")
        return self

    def party(self) -> WebAuthnParty:
        """Return who we are to authenticators."""
        return WebAuthnParty(id=urlsplit(self.public_url).hostname or "", name="Wallet", origins=(self.public_url,))

    def kek(self) -> Kek:
        """Open the wrapping key.

        Raises:
            MalformedInput: the HSM or the file has none.
        """
        if self.hsm_library is not None:
            from wallet.vault.hsm import Pkcs11Kek  # the extra [hsm]

            pin = self.hsm_pin.get_secret_value()
            return Pkcs11Kek.open(library=self.hsm_library, token=self.hsm_token, pin=pin, label=self.hsm_key)
        if self.key_file is None:
            raise ValueError("no wrapping key is set")
        return FileKek.open(self.key_file)

    def vault(self, database: Database, *, clock: Callable[[], datetime] | None = None) -> Vault:
        """Return the vault on a database that is open."""
        policy = VaultPolicy(
            session_idle=self.session_idle, session_lifetime=self.session_lifetime, recovery_wait=self.recovery_wait
        )
        return Vault(VaultStore(database), self.party(), self.kek(), clock or (lambda: datetime.now(UTC)), policy)
