"""What the verifier's operator sets. Environment variables `VERIFIER_…`; every mistake is named at start."""

from datetime import timedelta
from typing import ClassVar, Final
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    DirectoryPath,
    Field,
    FilePath,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import SettingsConfigDict

from byoid.service.settings import ServiceSettings
from byoid.trust.anchors import Purpose
from byoid.trust.trusted_list import ALL_PURPOSES


class TrustedListSetting(BaseModel):
    """A list of trusted entities to follow (ETSI TS 119 602). A query names it by its URL."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = Field(pattern="^https://")
    # What follows LoTEType/ in the list's own type, such as EUPIDProvidersList, or a whole URI.
    type: str = Field(min_length=1)
    # The certificates (PEM) of those who may sign it, and nobody else.
    signer: FilePath
    # What it may speak about.
    purposes: frozenset[Purpose] = Field(default=ALL_PURPOSES, min_length=1)


LOGO: Final = r"^(https://[!-~]+|data:image/(png|svg\+xml|webp);base64,[A-Za-z0-9+/=]+)$"


class WalletEndpoint(BaseModel):
    """A web wallet: what the citizen knows it by, and its authorization endpoint.

    `logo` is a picture in itself (`data:`), or an https address that the services' policies must allow.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str = Field(min_length=1, max_length=60)
    endpoint: str = Field(pattern=r"^https?://[!-~]+$", max_length=500)
    logo: str | None = Field(default=None, pattern=LOGO, max_length=30_000)

    @model_validator(mode="before")
    @classmethod
    def _of_an_address(cls, value: object) -> object:
        return {"name": urlsplit(value).hostname or value, "endpoint": value} if isinstance(value, str) else value


class VerifierSettings(ServiceSettings):
    """Settings of the verifier."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        frozen=True, extra="ignore", env_file=None, env_prefix="VERIFIER_"
    )

    # Folder with the keys that services name: <key>.key and <key>.pem (access certificate and chain), and if there are
    # such <key>.attestation.jwt, <key>.registration.jwt and <key>.response.key.
    keys: DirectoryPath
    # Whom to trust (byoid.service.trust_files). A query names lists of it by `source`.
    trust: FilePath
    # Lists whose trusted entities are trusted too, as JSON: [{"url": …, "type": …, "signer": …}].
    trusted_lists: tuple[TrustedListSetting, ...] = ()
    # How often a list is asked at least; sooner, if its next update is.
    trusted_list_interval: timedelta = timedelta(hours=6)
    # Pages of wallets that are offered beside the custom scheme, which a web wallet cannot own, as JSON: addresses, or
    # objects with `name`, `endpoint` and perhaps `logo`.
    wallet_endpoints: tuple[WalletEndpoint, ...] = ()
    # How long a worker believes an API key, and what it knows of a service, without looking again.
    service_cache: timedelta = timedelta(seconds=5)
    # How often somebody who waits for events is told that nothing has changed, and the store is looked at.
    event_interval: timedelta = timedelta(seconds=1)
    # How often status lists that were used are fetched anew, before their time is over.
    status_refresh_interval: timedelta = timedelta(seconds=60)
    # A status list is used at least so long, whatever shorter `ttl` its issuer states.
    status_minimum: timedelta = timedelta(seconds=30)
    expiry_interval: timedelta = timedelta(seconds=60)
    # Compiled queries that a worker remembers.
    max_policies: int = Field(default=1000, ge=1)
    # The service that the playground asks as: a page that tries queries and shows what wallets answer. Only in a demo.
    playground_service: str | None = None

    @field_validator("playground_service")
    @classmethod
    def _only_in_a_demo(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("profile") == "production":
            raise ValueError("production refuses the playground")
        return value
