"""What the agency's operator sets. Environment variables `ISSUER_…`; every mistake is named at start."""

from datetime import timedelta
from pathlib import Path
from typing import ClassVar

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from byoid.service.settings import ServiceSettings


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
    credential_types: tuple[str, ...] = ()
    # Folder with credential.key/.pem, document-signer.key/.pem, status.key/.pem and metadata.key/.pem.
    keys: Path
    # Whom to trust: wallet providers, status lists of wallets (byoid.service.trust_files).
    trust: Path
    # https pages of wallets that offers link to; a web wallet cannot own a custom scheme.
    wallet_endpoints: tuple[str, ...] = ()

    offer_lifetime: timedelta = timedelta(days=7)
    tx_code_attempts: int = Field(default=5, ge=1, le=10)  # OpenID4VCI 13.6.2
    tx_code_length: int = Field(default=6, ge=4, le=12)
    request_uri_lifetime: timedelta = timedelta(minutes=5)  # FAPI 2.0: below 600 seconds
    code_lifetime: timedelta = timedelta(seconds=60)  # FAPI 2.0: at most 60 seconds
    access_token_lifetime: timedelta = timedelta(minutes=5)  # OpenID4VCI 13.10
    refresh_token_lifetime: timedelta = timedelta(days=365)
    nonce_lifetime: timedelta = timedelta(minutes=5)
    deferred_interval: timedelta = timedelta(seconds=30)
    deferred_lifetime: timedelta = timedelta(days=30)

    # HAIP: the authorization server takes only wallets that a trusted provider vouches for. Off for anonymous access.
    require_client_attestation: bool = True
    require_dpop_nonce: bool = False
    # At most this many keys in one request.
    max_batch_size: int = Field(default=30, ge=2, le=100)

    status_list_size: int = Field(default=1 << 20, ge=1 << 10)
    status_list_ttl: timedelta = timedelta(minutes=15)  # how long a verifier may use a copy
    status_list_lifetime: timedelta = timedelta(days=1)  # `exp`, renewed long before
    publish_interval: timedelta = timedelta(seconds=60)  # how soon a change is published
