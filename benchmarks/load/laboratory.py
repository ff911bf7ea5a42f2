"""One laboratory: databases, keys and settings, and the roles' workers on them.

Several can share one PostgreSQL, such as one with an empty database and one with a full one, so that what is compared
can take turns in the same minute.
"""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Self

from benchmarks.load.postgres import Postgres
from benchmarks.load.processes import Port, Role
from benchmarks.load.receiver import Receiver
from benchmarks.load.worker import HOST, Remembered
from byoid.encoding import b64u_encode
from byoid.message import parse_message
from byoid.relying_party.messages import QueryDefinition
from demo.pki import LIBRARY, make_pki
from issuer import admin
from issuer.admin import Role as AdminRole
from issuer.app import open_agency
from issuer.migrations import MIGRATIONS as ISSUER_MIGRATIONS
from issuer.settings import IssuerSettings
from verifier.app import open_verifier
from verifier.policies import define_query
from verifier.services import NewService, add_api_key, add_service
from verifier.settings import VerifierSettings
from verifier.terminal import MIGRATIONS as VERIFIER_MIGRATIONS

QUERY: Final = "pid"
SERVICES: Final = ("issuer", "verifier", "wallet")
ROLES: Final = ("issuer", "verifier", "issuer-jobs", "verifier-jobs")
_RETENTION: Final = timedelta(days=1)  # of results: longer than any run, since they are audited at its end


@dataclass(frozen=True)
class Access:
    """What clients of the laboratory's services hold."""

    issuer_port: int
    verifier_port: int
    wallet_port: int
    admin_key: str
    service_key: str

    @property
    def issuer_url(self) -> str:
        """The credential issuer identifier."""
        return f"http://{HOST}:{self.issuer_port}"

    @property
    def wallet_url(self) -> str:
        """The wallet service's address: by a name, as passkeys need it."""
        return f"http://localhost:{self.wallet_port}"


@dataclass
class Laboratory:
    """Everything of one laboratory."""

    postgres: Postgres
    databases: Mapping[str, str]  # name of the database, by service
    issuer_settings: IssuerSettings
    verifier_settings: VerifierSettings
    environment: Mapping[str, str]
    roles: Mapping[str, Role]
    access: Access
    receiver: Receiver
    folder: Path

    @classmethod
    @asynccontextmanager
    async def open(
        cls, postgres: Postgres, *, workers: int, jobs: int = 1, wallet: bool = False, name: str = "lab"
    ) -> AsyncIterator[Self]:
        """Make the databases, and start the roles.

        Args:
            postgres: where the databases are made.
            workers: how many processes of each service.
            jobs: how many processes for the jobs of each service.
            wallet: whether the wallet service runs too.
            name: what the databases' names begin with.
        """
        async with AsyncExitStack() as stack:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="byoid-load-")))
            ports = {service: Port() for service in SERVICES}
            for port in ports.values():
                stack.callback(port.close)
            receiver = await stack.enter_async_context(Receiver.listening())
            make_pki(folder / "pki", host=HOST, now=datetime.now(UTC) - timedelta(hours=1))
            databases = {service: f"{name}_{service}" for service in ports}
            urls = {service: await postgres.create_database(database) for service, database in databases.items()}
            environment = _environment(folder, urls, {service: port.number for service, port in ports.items()})
            issuer, verifier = _settings(environment)
            keys = await _prepare(issuer, verifier, receiver)
            roles = {
                role: Role(role, (ports[role],) if role in ports else (), workers if role in ports else jobs,
                           environment, folder / f"{role}.log")
                for role in (*ROLES, *(["wallet"] if wallet else []))
            }  # fmt: skip
            for role in roles.values():
                stack.push_async_callback(role.stop)
            async with asyncio.TaskGroup() as group:
                for role in roles.values():
                    group.create_task(role.start())
            issuer_port, verifier_port, wallet_port = (port.number for port in ports.values())
            access = Access(issuer_port, verifier_port, wallet_port, *keys)
            yield cls(postgres, databases, issuer, verifier, environment, roles, access, receiver, folder)

    def cpu_seconds(self) -> dict[str, float]:
        """Return the CPU time of each component; `generator` is this process."""
        found = {name: role.cpu_seconds() for name, role in self.roles.items() if name in SERVICES}
        found["jobs"] = sum(role.cpu_seconds() for name, role in self.roles.items() if name.endswith("-jobs"))
        times = os.times()
        return {**found, "database": self.postgres.cpu_seconds(), "generator": times.user + times.system}

    def logs(self, role: str) -> str:
        """Return what the workers of a role have logged."""
        path = self.folder / f"{role}.log"
        return path.read_text("utf-8", "replace") if path.exists() else ""


def _environment(folder: Path, urls: Mapping[str, str], ports: Mapping[str, int]) -> dict[str, str]:
    prefixes = tuple(f"{service.upper()}_" for service in SERVICES)
    found = {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}
    for service, prefix in zip(SERVICES, prefixes, strict=True):
        host = "localhost" if service == "wallet" else HOST
        settings = {
            "PROFILE": "demo",
            "ALLOW_LOOPBACK_HTTP": "true",
            "PUBLIC_URL": f"http://{host}:{ports[service]}",
            "DATABASE_URL": urls[service],
            "SEALING_KEYS": f"demo:{b64u_encode(secrets.token_bytes(32))}",
            "KEYS": str(folder / "pki"),
            "TRUST": str(folder / "pki" / "trust.toml"),
            "LOG_LEVEL": "warning",
        }
        found |= {prefix + name: value for name, value in settings.items()}
    kek = folder / "kek.key"
    kek.write_bytes(secrets.token_bytes(32))
    kek.chmod(0o600)
    return {
        **found,
        "ISSUER_REQUIRE_CLIENT_ATTESTATION": "false",
        "ISSUER_PUBLISH_INTERVAL": "PT2S",
        "ISSUER_STATUS_LIST_TTL": "PT10S",
        "VERIFIER_STATUS_MINIMUM": "PT5S",
        "VERIFIER_STATUS_REFRESH_INTERVAL": "PT5S",
        "WALLET_KEK": f"file:{kek}",
        "WALLET_ISSUERS": f'["{found["ISSUER_PUBLIC_URL"]}"]',
    }


def _settings(environment: Mapping[str, str]) -> tuple[IssuerSettings, VerifierSettings]:
    def fields(prefix: str) -> dict[str, Any]:
        return {
            name.removeprefix(prefix).lower(): value for name, value in environment.items() if name.startswith(prefix)
        }

    return IssuerSettings.load(**fields("ISSUER_")), VerifierSettings.load(**fields("VERIFIER_"))


async def _prepare(issuer: IssuerSettings, verifier: VerifierSettings, receiver: Receiver) -> tuple[str, str]:
    """Migrate both databases, and make an API key of the agency's staff and one of a service with a query."""
    await asyncio.to_thread(ISSUER_MIGRATIONS.upgrade, issuer.database_url)
    await asyncio.to_thread(VERIFIER_MIGRATIONS.upgrade, verifier.database_url)
    async with open_agency(issuer, source=Remembered()) as agency:
        staff = await admin.add_key(agency, name="load", role=AdminRole.OPERATOR, actor="load")
    async with open_verifier(verifier) as opened:
        now = opened.clock()
        service = NewService(
            LIBRARY.id, LIBRARY.name, key_name=f"access-{LIBRARY.id}", webhook_url=receiver.url,
            webhook_secret=receiver.secret,
        )  # fmt: skip
        await add_service(opened.store, opened.sealer, service, now=now)
        definition = parse_message(QueryDefinition, {
            "dcql_query": LIBRARY.query, "trust": {"*": {"lists": ["demo"]}},
            "retention_seconds": int(_RETENTION.total_seconds()),
        })  # fmt: skip
        await define_query(opened.store, LIBRARY.id, QUERY, definition, now=now)
        key = await add_api_key(opened.store, opened.sealer, service_id=LIBRARY.id, label="load", now=now)
    return staff.key, key
