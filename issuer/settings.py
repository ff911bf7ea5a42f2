"""What the agency's operator sets. Environment variables `ISSUER_…`; every mistake is named at start."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from byoid.service.settings import ServiceSettings, listed


class IssuerSettings(ServiceSettings):
    """Settings of the issuer. `public_url` identifies the credential issuer and its authorization server."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        frozen=True, extra="ignore", env_file=None, env_prefix="ISSUER_"
    )

    agency_id: str = "agency"
    agency_name: str = "Agency"
    agency_country: str = Field(default="DE", pattern="^[A-Z]{2}$")
    # Folder of credential type files; the shipped catalogue if not set.
    catalogue: Path | None = None
    # Ids of the types that this agency issues; all of the catalogue if empty.
    credential_types: Annotated[tuple[str, ...], NoDecode] = ()
    # Folder with credential.key/.pem, document-signer.key/.pem, status.key/.pem and metadata.key/.pem.
    keys: Path
    # Whom to trust: wallet providers, status lists of wallets (byoid.service.trust_files).
    trust: Path
    # https pages of wallets that offers link to; a web wallet cannot own a custom scheme.
    wallet_endpoints: Annotated[tuple[str, ...], NoDecode] = ()

    offer_lifetime: timedelta = timedelta(days=7)
    tx_code_attempts: int = Field(default=5, ge=1, le=10)  # OpenID4VCI 13.6.2
    tx_code_length: int = Field(default=6, ge=4, le=12)
    request_uri_lifetime: timedelta = Field(default=timedelta(minutes=9), lt=timedelta(minutes=10))  # FAPI 2.0
    sign_in_lifetime: timedelta = timedelta(minutes=30)  # from being recognised to having consented
    code_lifetime: timedelta = Field(default=timedelta(seconds=60), le=timedelta(seconds=60))  # FAPI 2.0
    access_token_lifetime: timedelta = timedelta(minutes=5)  # OpenID4VCI 13.10
    refresh_token_lifetime: timedelta = timedelta(days=365)
    nonce_lifetime: timedelta = timedelta(minutes=5)
    source_timeout: timedelta = timedelta(seconds=10)  # how long the authentic source may take to answer
    signer_timeout: timedelta = timedelta(seconds=20)  # how long the keys may take to sign a batch
    deferred_interval: timedelta = timedelta(seconds=30)
    deferred_lifetime: timedelta = timedelta(days=30)

    # HAIP: the authorization server takes only wallets that a trusted provider vouches for. Off for anonymous access.
    require_client_attestation: bool = True
    require_attestation_challenge: bool = False
    max_attestation_age: timedelta | None = None  # by `iat`, where the wallet provider states it
    require_dpop_nonce: bool = False
    # Folder of clients that are registered by file (issuer/registered_clients.py).
    clients: Path | None = None
    # The header in which our proxies say the certificate of a TLS client (RFC 9440).
    client_certificate_header: str = "client-cert"
    # Encryption of credential requests and responses on top of TLS (OpenID4VCI 10).
    encryption: Literal["off", "optional", "required"] = "optional"
    # At most this many keys in one request.
    max_batch_size: int = Field(default=30, ge=2, le=100)

    status_list_size: int = Field(default=1 << 20, ge=1 << 10)
    status_list_ttl: timedelta = timedelta(minutes=15)  # how long a verifier may use a copy
    status_list_lifetime: timedelta = timedelta(days=1)  # `exp`, renewed long before
    # How a status list token names its key: HAIP demands `x5c`; who has no certificates wants `jwk`.
    status_list_key: Literal["both", "x5c", "jwk"] = "both"
    publish_interval: timedelta = timedelta(seconds=60)  # how soon a change is published

    # The authentic source (issuer/sources/factory.py) and how people are recognised (issuer/recognitions.py), as files.
    source: Path | None = None
    recognition: Path | None = None
    # What opens the key files; and the HSM, where a `.hsm` file names a key in it.
    key_password: SecretStr | None = None
    hsm_library: Path | None = None
    hsm_token: str = "byoid"  # noqa: S105  # the label of a PKCS#11 token
    hsm_pin: SecretStr | None = None

    # How often the register is asked whether the facts of what was issued still hold, and how long an outdated
    # credential stays valid, so that the wallet can renew it first. A death revokes at once.
    compare_interval: timedelta = timedelta(days=1)
    change_grace: timedelta = timedelta()
    # If more of the people compared at a time have changed (in percent), nothing is revoked until an operator looks:
    # the mapping file or the register itself is more likely to be wrong.
    compare_alarm_percent: int = Field(default=20, ge=1, le=100)
    # How often the status of wallets and their keys is asked again (ARF WUA_29: at least daily for PIDs).
    wallet_check_interval: timedelta = Field(default=timedelta(hours=12), le=timedelta(days=1))

    # The file, on another machine's disk, to which the journal's heads are appended, and how often (issuer/journal.py).
    journal_heads: Path | None = None
    journal_heads_interval: timedelta = timedelta(hours=1)

    # E-mail: smtps://user:password@host, or smtp://user:password@host with STARTTLS.
    smtp_url: SecretStr | None = None
    mail_from: str = "noreply@localhost"
    # The system that hands transaction codes to people, such as by text message (Standard Webhooks: whsec_…).
    code_webhook_url: str | None = None
    code_webhook_secret: SecretStr | None = None

    @field_validator("credential_types", "wallet_endpoints", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return listed(value)
