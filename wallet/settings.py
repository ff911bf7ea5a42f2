"""What the wallet's operator sets. Environment variables `WALLET_…`; every mistake is named at start."""

from datetime import timedelta
from pathlib import Path
from typing import ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from byoid.service.settings import ServiceSettings

Level = Literal["iso_18045_high", "iso_18045_moderate", "iso_18045_enhanced-basic", "iso_18045_basic"]


class WalletSettings(ServiceSettings):
    """Settings of the wallet. The passkeys' relying party id is the host of `public_url`."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        frozen=True, extra="ignore", env_file=None, env_prefix="WALLET_"
    )

    wallet_name: str = "byoid wallet"
    # The client identifier towards issuers, and `sub` of client attestations: the same for every installation.
    client_id: str = "byoid-wallet"
    # Whom to believe: issuers, verifiers, registrars, status lists (byoid.service.trust_files).
    trust: Path
    # Folder with wallet-provider.key/.pem and wallet-status.key/.pem.
    keys: Path
    # The vault's own database, or that of the wallet if not set; production gives it a role of its own.
    vault_database_url: str | None = None
    # The socket of a vault in a process of its own (`python -m wallet.vault serve`); the wallet then opens no vault.
    vault_socket: Path | None = None
    # Wraps keys of passkeys without PRF: "pkcs11:library?token=…" in production, "file:path" in a demo (wallet.keks).
    # Where the vault is a process of its own, it has the key.
    kek: str = ""
    # Verifiers known beforehand, and who may attest others (wallet.verifier_files).
    verifiers: Path | None = None
    # The mail server for notices, "smtps://user:password@host" or "smtp://…" with STARTTLS, and whom they come from;
    # without it, notices go to browsers only.
    mail: SecretStr | None = None
    mail_sender: str = "wallet@localhost"
    # Credential issuers that the wallet offers by itself, by identifier.
    issuers: tuple[str, ...] = ()

    # What key attestations say about holder keys that a passkey's PRF opens, about those that the HSM can open, about
    # the owner's approval (OpenID4VCI D.2). The vault is software: say more than this only if a certificate does.
    passkey_storage_level: Level = "iso_18045_basic"
    hsm_storage_level: Level = "iso_18045_basic"
    user_authentication_level: Level = "iso_18045_basic"
    # All limits on requests (wallet.limits) times this: many citizens may share an address.
    limit_factor: float = Field(default=1.0, gt=0)
    # How often status lists that cards refer to are looked at again.
    status_refresh_interval: timedelta = timedelta(minutes=1)
    receipt_lifetime: timedelta = timedelta(minutes=30)
    consent_lifetime: timedelta = timedelta(minutes=10)
    # For conformance tools only: signs in this demo person and agrees to everything, with real assertions of a software
    # authenticator. Impossible in production.
    unattended_person: str | None = None

    @property
    def host(self) -> str:
        """The host of `public_url`, the passkeys' relying party id."""
        return urlsplit(self.public_url).hostname or ""

    @model_validator(mode="after")
    def _nobody_consents_by_itself_in_production(self) -> Self:
        if self.profile == "production" and self.unattended_person is not None:
            raise ValueError("production refuses a wallet that consents by itself")
        if self.profile == "production" and self.kek.startswith("file:"):
            raise ValueError("production needs an HSM for passkeys without PRF, a key file is for demos")
        if not self.kek and self.vault_socket is None:
            raise ValueError("set WALLET_VAULT_SOCKET, or WALLET_KEK for a vault in this process")
        return self
