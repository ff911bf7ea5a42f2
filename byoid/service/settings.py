"""What an operator sets: frozen settings from the environment, checked at start, every mistake named at once.

`class IssuerSettings(ServiceSettings)` sets `env_prefix="ISSUER_"` and adds its fields. The profile `production`
refuses what only a demo may have: demo secrets, http, weak keys. Values never appear in a message.
"""

import json
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, IPvAnyNetwork, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableSetting

from byoid.errors import ByoidError
from byoid.service.loopback import is_loopback as is_loopback
from byoid.service.seal import KEY_BYTES as KEY_BYTES
from byoid.service.seal import parse_keys as parse_keys

DEMO_KEY_ID: Final = "demo"  # the secrets in demo/ carry this id, so that production can refuse them
REQUESTS_PER_MINUTE: Final = 3000  # many people share the address of a mobile network
_LEAST_DISTINCT_BYTES: Final = 12  # 32 random bytes have fewer once in 10^18 tries


class SettingsError(ByoidError):
    """The settings are wrong. `mistakes` has one line for each, and the message has all of them."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(["wrong settings:", *(f"  {each}" for each in mistakes)]))
        self.mistakes = mistakes

    @classmethod
    def of(cls, error: ValidationError, *, prefix: str) -> Self:
        """Name every mistake by its variable, without the value."""
        return cls([_mistake(each, prefix) for each in error.errors(include_input=False)])


def listed(value: object) -> object:
    """Take the text of a list, as `a,b` or as JSON, apart."""
    if not isinstance(value, str):
        return value
    return json.loads(value) if value.startswith("[") else [each.strip() for each in value.split(",") if each.strip()]


class ServiceSettings(BaseSettings):
    """Settings that every service has."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_file=None)

    # First: other fields are judged by it.
    profile: Literal["demo", "production"] = "production"
    # http for localhost and loopback addresses, as a development machine has it; never in production.
    allow_loopback_http: bool = False
    # The service's own address, without a slash at its end. Never taken from a request.
    public_url: str
    # sqlite:///path or postgresql://user@host/name
    database_url: str
    # Keys that seal what is stored: "id:base64url of 32 random bytes", comma-separated, the first one is in use.
    sealing_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(min_length=1)
    # Private networks that outgoing requests may reach all the same, such as that of an internal issuer.
    allowed_networks: Annotated[tuple[IPvAnyNetwork, ...], NoDecode] = ()
    # Certificates (PEM) that outgoing requests believe besides the system's: a private authority, or the demo's.
    ca_file: Path | None = None
    # Our own proxies, as networks: what they say of a client's address (and, to the issuer, certificate) is believed.
    trusted_proxies: Annotated[tuple[IPvAnyNetwork, ...], NoDecode] = ()
    # How often one address (IPv6: a /64) may ask in a minute, over all workers; a failure counts as 30. 0: no limit.
    requests_per_minute: int | None = Field(default=None, ge=0)
    # Networks that may read `/metrics`; to all others there is nothing.
    metrics_networks: Annotated[tuple[IPvAnyNetwork, ...], NoDecode] = (ip_network("127.0.0.0/8"), ip_network("::1"))
    # Where traces go (OTLP over HTTP, such as http://collector:4318), and the share of requests that is traced.
    otlp_endpoint: str | None = None
    trace_share: float = Field(default=0.05, ge=0, le=1)
    # The largest request body that is read.
    max_body_bytes: int = Field(default=1 << 20, ge=1024)
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @classmethod
    def load(cls, **overrides: Any) -> Self:
        """Read the environment; `overrides` win.

        Raises:
            SettingsError: with every mistake.
        """
        try:
            return cls(**overrides)
        except ValidationError as error:
            raise SettingsError.of(error, prefix=cls.model_config.get("env_prefix", "")) from None
        except UnreadableSetting as error:
            raise SettingsError([f"{error}: expected JSON"]) from None

    @property
    def address_limit(self) -> int:
        """How often one address may ask in a minute; 0 for a demo, where all citizens have the same address."""
        if self.requests_per_minute is not None:
            return self.requests_per_minute
        return REQUESTS_PER_MINUTE if self.profile == "production" else 0

    def is_proxy(self, host: str) -> bool:
        """Tell whether a request comes from one of our own proxies."""
        return _is_in(host, self.trusted_proxies)

    def may_read_metrics(self, host: str) -> bool:
        """Tell whether an address may read the counters."""
        return _is_in(host, self.metrics_networks)

    @field_validator("sealing_keys", "allowed_networks", "trusted_proxies", "metrics_networks", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return listed(value)

    @field_validator("allow_loopback_http")
    @classmethod
    def _no_http_in_production(cls, value: bool, info: ValidationInfo) -> bool:
        if value and _is_production(info):
            raise ValueError("production refuses http, also to this machine")
        return value

    @field_validator("public_url")
    @classmethod
    def _is_origin(cls, value: str, info: ValidationInfo) -> str:
        parts = urlsplit(value)
        loopback = bool(info.data.get("allow_loopback_http")) and is_loopback(parts.hostname)
        if not parts.hostname or parts.scheme not in {"https", "http"}:
            raise ValueError("expected an https URL")
        if parts.scheme == "http" and not loopback:
            raise ValueError("expected https; http is only for this machine, with allow_loopback_http")
        if parts.query or parts.fragment or parts.username or value.endswith("/"):
            raise ValueError("expected a URL without user, query, fragment and slash at its end")
        return value

    @field_validator("database_url")
    @classmethod
    def _is_database(cls, value: str, info: ValidationInfo) -> str:
        engine, separator, rest = value.partition("://")
        if not separator or engine.partition("+")[0] not in {"sqlite", "postgresql"}:
            raise ValueError("expected sqlite:///path or postgresql://user@host/name")
        if _is_production(info) and engine.startswith("sqlite") and rest in {"", "/:memory:"}:
            raise ValueError("production refuses a database in memory")
        return value

    @field_validator("sealing_keys")
    @classmethod
    def _are_keys(cls, value: tuple[SecretStr, ...], info: ValidationInfo) -> tuple[SecretStr, ...]:
        keys = parse_keys(value)
        if _is_production(info):
            if any(key_id.startswith(DEMO_KEY_ID) for key_id in keys):
                raise ValueError("production refuses the demo's keys")
            if any(len(set(key)) < _LEAST_DISTINCT_BYTES for key in keys.values()):
                raise ValueError("production refuses a key that is not random")
        return value


def _is_in(host: str, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    try:
        address = ip_address(host)
        address = getattr(address, "ipv4_mapped", None) or address  # as a socket for both families shows IPv4
        return any(address in network for network in networks)
    except ValueError:
        return False


def _is_production(info: ValidationInfo) -> bool:
    return info.data.get("profile") == "production"


def _mistake(error: Mapping[str, Any], prefix: str) -> str:
    name = prefix + ".".join(map(str, error["loc"])).upper() if error["loc"] else "settings"
    return f"{name}: {str(error['msg']).removeprefix('Value error, ')}"
