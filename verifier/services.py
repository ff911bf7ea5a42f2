"""Services that use the verifier: how wallets see them, and by which key they are known to the API."""

import re
import secrets
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

from byoid.encoding import b64u_encode
from byoid.errors import MalformedInput
from byoid.keys import PrivateKey
from byoid.presentation.request import VerifierInfo
from byoid.relying_party import Client
from byoid.relying_party.registration import verifier_info
from byoid.service.loopback import is_https
from byoid.service.outbox import Destination
from byoid.service.seal import Sealer
from byoid.service.trust_files import load_signer
from byoid.signing import Signer
from verifier.errors import NotFound, Unauthorized
from verifier.settings import VerifierSettings
from verifier.store import Store

PREFIXES: Final = ("x509_hash", "x509_san_dns", "redirect_uri", "verifier_attestation", "pre-registered")
KEY_PREFIX: Final = "byoid_"
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")
_NAMED_PREFIXES: Final = ("x509_san_dns", "verifier_attestation", "pre-registered")
_WEBHOOK_SECRET: Final = re.compile(r"whsec_[A-Za-z0-9+/]{32,86}={0,2}")
_MAX_CACHED: Final = 10_000
T = TypeVar("T")


@dataclass(frozen=True)
class KnownService:
    """A service with what it needs to ask: its row, its client, its relying-party flow."""

    id: str
    name: str
    client: Client
    registration: str | None
    webhook: Destination | None

    @property
    def infos(self) -> tuple[VerifierInfo, ...]:
        """What requests of this service carry about it."""
        return () if self.registration is None else (verifier_info(self.registration),)


@dataclass(frozen=True)
class NewService:
    """What an operator says of a service. `key_name` names its files in the folder of keys."""

    id: str
    name: str
    prefix: str = "x509_hash"
    client_name: str | None = None
    key_name: str | None = None
    webhook_url: str | None = None
    webhook_secret: str | None = None


def load_client(row: Any, keys: Path) -> Client:
    """Make the client of a service from the files that its row names.

    Raises:
        MalformedInput: a file cannot be read.
    """
    if row.prefix == "redirect_uri":
        return Client.unsigned()
    signer = _signer(row, keys)
    match row.prefix:
        case "x509_hash":
            return Client.x509_hash(signer)
        case "x509_san_dns":
            return Client.x509_san_dns(row.client_name, signer)
        case "verifier_attestation":
            return Client.attested(row.client_name, _text(keys / f"{row.key_name}.attestation.jwt"), signer)
        case "pre-registered":
            response_key = keys / f"{row.key_name}.response.key"
            key = PrivateKey.from_pem(response_key.read_bytes()) if response_key.exists() else None
            return Client.registered(row.client_name, signer, response_key=key)
        case other:
            raise MalformedInput(f"expected one of {', '.join(PREFIXES)}, got {other}")


def load_registration(row: Any, keys: Path) -> str | None:
    """Return the registration certificate of a service, if it has one."""
    path = keys / f"{row.key_name}.registration.jwt"
    return _text(path) if row.key_name and path.exists() else None


def require_usable(service: NewService, settings: VerifierSettings) -> None:
    """Refuse a service that could not ask, or would not be told, when its operator adds it and not when wallets come.

    Raises:
        ValueError: something is not said, or nobody could reach it.
        MalformedInput: one of its files cannot be read.
    """
    _require_prefix(service)
    if service.prefix != "redirect_uri" and service.key_name is None:
        raise ValueError(
            f"expected --key-name, since {service.prefix} signs: <key>.key and <key>.pem in {settings.keys}"
        )
    if service.prefix in _NAMED_PREFIXES and not service.client_name:
        raise ValueError(f"expected --client-name, which is what follows {service.prefix}: in the client identifier")
    client = load_client(service, settings.keys)
    if client.signer is not None and service.prefix != "pre-registered" and not client.signer.x5c:
        raise ValueError(
            f"expected the access certificate with its chain in {settings.keys / f'{service.key_name}.pem'}"
        )
    if service.webhook_url is not None:
        _require_webhook(service.webhook_url, service.webhook_secret, loopback_http=settings.allow_loopback_http)


def _require_prefix(service: NewService) -> None:
    if service.prefix not in PREFIXES:
        raise ValueError(f"expected one of {', '.join(PREFIXES)} as prefix, got {service.prefix}")


def _require_webhook(url: str, secret: str | None, *, loopback_http: bool) -> None:
    if not is_https(url, loopback_http=loopback_http):
        raise ValueError(
            "expected an https address as webhook; http is only for this machine, with allow_loopback_http"
        )
    if secret is None or not _WEBHOOK_SECRET.fullmatch(secret):
        raise ValueError("expected a webhook secret as Standard Webhooks has them: whsec_ and base64 of 24 to 64 bytes")


def create_webhook_secret() -> str:
    """Return a new secret that signs webhooks."""
    return "whsec_" + b64encode(secrets.token_bytes(32)).decode()


async def add_service(store: Store, sealer: Sealer, service: NewService, *, now: datetime) -> None:
    """Add a service.

    Raises:
        ValueError: an id that cannot be part of a URL, or another prefix than those that there are.
        Conflict: there is a service of this id.
    """
    if not _ID.fullmatch(service.id):
        raise ValueError("expected an id of 1 to 64 letters, digits and hyphens")
    _require_prefix(service)
    sealed = _sealed(sealer, service.id, service.webhook_secret)
    await store.add_service({**asdict(service), "webhook_secret": sealed, "created_at": now})


async def set_webhook(
    store: Store, sealer: Sealer, service_id: str, url: str | None, secret: str | None, *, loopback_http: bool
) -> None:
    """Say where a service is told from now on, and by which secret it knows that; nowhere, without an address.

    Raises:
        ValueError: nobody could reach it there, or there is no such service.
    """
    if url is not None:
        _require_webhook(url, secret, loopback_http=loopback_http)
    if not await store.set_webhook(service_id, url, _sealed(sealer, service_id, secret)):
        raise ValueError(f"there is no service {service_id}; `services` lists those that there are")


def _sealed(sealer: Sealer, service_id: str, secret: str | None) -> bytes | None:
    if secret is None:
        return None
    return sealer.seal(secret.encode(), table="service", column="webhook_secret", row_id=service_id)


async def add_api_key(store: Store, sealer: Sealer, *, service_id: str, label: str, now: datetime) -> str:
    """Make an API key and return it: it is shown once, and kept as a hash."""
    key = KEY_PREFIX + b64u_encode(secrets.token_bytes(32))
    await store.add_key({
        "id": b64u_encode(secrets.token_bytes(9)), "service_id": service_id, "key_hash": hash_api_key(sealer, key),
        "label": label, "created_at": now,
    })  # fmt: skip
    return key


def hash_api_key(sealer: Sealer, key: str) -> bytes:
    """Return what is kept of an API key."""
    return sealer.keyed_hash(key, purpose="api key")


class Services:
    """The services, found by id or by API key, and believed for a short while before the database is asked again."""

    def __init__(self, settings: VerifierSettings, store: Store, sealer: Sealer, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._sealer = sealer
        self._keys = settings.keys
        self._known = Remembered(settings.service_cache, clock)
        self._of_key = Remembered(settings.service_cache, clock)

    async def get(self, service_id: str) -> KnownService:
        """Return a service.

        Raises:
            NotFound: there is none of this id.
        """
        found: KnownService | None = self._known.get(service_id)
        if found is not None:
            return found
        row = await self._store.service(service_id)
        if row is None:
            raise NotFound("There is no such service.")
        return self._known.put(service_id, self._load(row))

    async def authenticate(self, authorization: str) -> KnownService:
        """Return the service whose API key an `Authorization` header holds.

        Raises:
            Unauthorized: no key, or one that is unknown or was revoked.
        """
        scheme, _, key = authorization.partition(" ")
        if scheme.lower() != "bearer" or not key.startswith(KEY_PREFIX):
            raise Unauthorized("An API key is needed: Authorization: Bearer byoid_...")
        key_hash = hash_api_key(self._sealer, key)
        service_id = self._of_key.get(key_hash)
        if service_id is None:
            service_id = await self._store.service_of_key(key_hash)
            if service_id is None:
                raise Unauthorized("The API key is not known.")
            self._of_key.put(key_hash, service_id)
        return await self.get(service_id)

    async def infos(self, service_id: str) -> Sequence[VerifierInfo]:
        """Return what requests of a service carry about it."""
        return (await self.get(service_id)).infos

    async def destination(self, service_id: str) -> Destination | None:
        """Return where a service's webhooks go."""
        return (await self.get(service_id)).webhook

    def _load(self, row: Any) -> KnownService:
        webhook = None
        if row.webhook_url and row.webhook_secret:
            secret = self._sealer.open(row.webhook_secret, table="service", column="webhook_secret", row_id=row.id)
            webhook = Destination(row.webhook_url, secret.decode())
        return KnownService(row.id, row.name, load_client(row, self._keys), load_registration(row, self._keys), webhook)


class Remembered:
    """Answers of the database that a worker believes for a short while. What is not there is not remembered."""

    def __init__(self, lifetime: timedelta, clock: Callable[[], datetime]) -> None:
        self._lifetime = lifetime
        self._clock = clock
        self._kept: dict[Any, tuple[Any, datetime]] = {}

    def get(self, key: Any) -> Any | None:
        """Return what is remembered, if it is still believed."""
        value, until = self._kept.get(key, (None, None))
        return value if until is not None and self._clock() < until else None

    def put(self, key: Any, value: T) -> T:
        """Remember."""
        if len(self._kept) >= _MAX_CACHED:
            self._kept.clear()
        self._kept[key] = (value, self._clock() + self._lifetime)
        return value


def _signer(row: Any, keys: Path) -> Signer:
    chain = keys / f"{row.key_name}.pem"
    return load_signer(keys / f"{row.key_name}.key", chain if chain.exists() else None)


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise MalformedInput(f"{path.name} cannot be read") from error
