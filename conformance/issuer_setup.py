"""The issuer that the suite tests: as shipped, with everything that is the suite's given to it as files and settings.

The register is the demo's. The suite plays the wallet, so it has the wallet provider's key, and clients in a folder.
"""

import asyncio
import json
import os
import secrets
import shutil
import sqlite3
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx2
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from fastapi import FastAPI

from byoid.encoding import b64u_encode
from byoid.keys import PrivateKey, certificate_hash_b64u
from byoid.service.settings import DEMO_KEY_ID
from conformance.suite import certificate_of
from demo.agency import MAPPING, staff_key
from demo.people import make_register
from demo.pki import make_pki
from demo.servers import running
from demo.tls import make_certificate
from issuer.app import create_app
from issuer.jobs import run_jobs
from issuer.people import add_account
from issuer.settings import IssuerSettings

PORT: Final = 9441  # of the proxy, which ends TLS
_INNER_PORT: Final = 9442
_START_SECONDS: Final = 10
PEOPLE: Final = 200  # in the register
USERNAME: Final = "citizen"
PASSWORD: Final = "a-password-of-the-citizen"  # noqa: S105  # of an account that lives as long as the run
ATTESTED: Final = ("attested-1", "attested-2")  # client ids, by how they authenticate
ASSERTING: Final = ("asserting-1", "asserting-2")
TLS: Final = ("tls-1", "tls-2")
_QUERY: Final = "SELECT * FROM person WHERE person_number = :person"
# What deploy/nginx/nginx.conf says of the issuer, for one process that needs no rights.
_NGINX: Final = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.log warn;
events {{ worker_connections 1024; }}
http {{
  access_log off; server_tokens off; client_max_body_size 1m; large_client_header_buffers 4 16k;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  ssl_certificate {folder}/tls.pem; ssl_certificate_key {folder}/tls.key;
  ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers ECDHE+AESGCM;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_verify_client optional_no_ca;
    location / {{
      proxy_pass http://127.0.0.1:{inner};
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto https;
      proxy_set_header Client-Cert $ssl_client_escaped_cert;
    }}
  }}
}}
"""
_SECOND: Final = "?dummy1=lorem&dummy2=ipsum"  # of the second client's callback, as the suite documents
_SOMEBODY: Final = (
    "SELECT person_number FROM person WHERE deceased_on IS NULL AND guardian IS NULL AND birth_country IS NOT NULL"
)


@dataclass(frozen=True)
class Tested:
    """The issuer that runs, and the folder with everybody's keys."""

    folder: Path
    url: str
    person: str
    staff: httpx2.AsyncClient

    @property
    def pki(self) -> Path:
        """Keys and certificates."""
        return self.folder / "pki"

    def pem(self, name: str) -> str:
        """Return a certificate or key of the folder."""
        return (self.pki / name).read_text("ascii")

    async def offer(self, configuration_id: str, *, grant: str, tx_code: bool = True) -> dict[str, Any]:
        """Make an offer, as the agency's staff do: `uri`, `link`, `tx_code`."""
        wanted: dict[str, Any] = {"configuration_ids": [configuration_id], "grant": grant, "tx_code": tx_code}
        if grant == "pre-authorized":
            wanted["person"] = self.person
        answer = (await self.staff.post(f"{self.url}/admin/offers", json=wanted)).raise_for_status()
        return dict(answer.json())


def client_key(client_id: str) -> str:
    """Return the name of a client's files in the folder of keys."""
    return f"client-{client_id}"


def prepare(folder: Path, *, suite_url: str, callback: str) -> None:
    """Write what an operator has: certificates, the register, whom to trust, the clients."""
    now = datetime.now(UTC)
    make_pki(folder / "pki", host="localhost", now=now)
    make_certificate(folder, host="localhost", now=now)
    suite = certificate_of(suite_url)
    (folder / "trusted.pem").write_text((folder / "ca.pem").read_text("ascii") + suite, "ascii")
    make_register(folder / "register.db", count=PEOPLE)
    source = f'kind = "sql"\nmapping = "{MAPPING}"\nurl = "sqlite:///{folder / "register.db"}"\nquery = "{_QUERY}"\n'
    (folder / "source.toml").write_text(source, "utf-8")
    (folder / "recognition.toml").write_text('kind = "accounts"\n', "utf-8")
    (folder / "clients").mkdir()
    for client_id in (*ASSERTING, *TLS):
        native = ec.generate_private_key(ec.SECP256R1())
        key, certificate = PrivateKey(native), _self_signed(client_id, key=native, now=now)
        path = folder / "pki" / client_key(client_id)
        path.with_suffix(".key").write_bytes(key.to_pem())
        path.with_suffix(".pem").write_bytes(certificate.public_bytes(Encoding.PEM))
        client: dict[str, Any] = {"client_id": client_id, "redirect_uris": [callback, callback + _SECOND]}
        if client_id in ASSERTING:
            client |= {"authentication": "private_key_jwt", "jwks": {"keys": [jwk(key, kid=client_id, private=False)]}}
        else:
            thumbprint = certificate_hash_b64u(certificate)
            client |= {"authentication": "self_signed_tls_client_auth", "certificates": [thumbprint]}
        (folder / "clients" / f"{client_id}.json").write_text(json.dumps(client), "utf-8")


def _self_signed(name: str, *, key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    """Make a certificate for a client of TLS that certifies itself (RFC 8705 2.2)."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return (
        x509.CertificateBuilder()
        .subject_name(subject).issuer_name(subject)
        .public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip


def jwk(key: PrivateKey, *, kid: str, private: bool = True) -> dict[str, Any]:
    """Return a key as the suite takes it: with `kid`, `use` and `alg`."""
    return {**(key.to_jwk() if private else key.public.jwk), "kid": kid, "use": "sig", "alg": key.algorithm}


def settings(folder: Path) -> IssuerSettings:
    """Return the operator's settings."""
    return IssuerSettings.load(**{
        "profile": "demo",  # makes its own tables; no limit of requests for one address
        "public_url": f"https://localhost:{PORT}",
        "database_url": f"sqlite:///{folder / 'issuer.db'}",
        "sealing_keys": f"{DEMO_KEY_ID}-issuer:{b64u_encode(secrets.token_bytes(32))}",
        "agency_name": "Gemeinde Lindenmoor",
        "keys": folder / "pki",
        "trust": folder / "pki" / "trust.toml",
        "clients": folder / "clients",
        "source": folder / "source.toml",
        "recognition": folder / "recognition.toml",
        "ca_file": folder / "trusted.pem",
        "allowed_networks": ("127.0.0.0/8",),
        "trusted_proxies": ("127.0.0.1/32",),
        "publish_interval": "PT1S",
        "request_uri_lifetime": "PT1M",  # so that the suite can wait until a request has expired
        "log_level": "warning",
    })  # fmt: skip


@asynccontextmanager
async def serving(folder: Path, *, suite_url: str, callback: str) -> AsyncIterator[Tested]:
    """Serve the issuer until the block ends, with its jobs, an account and a key for the agency's staff."""
    prepare(folder, suite_url=suite_url, callback=callback)
    chosen = settings(folder)
    app = create_app(chosen)
    async with running({_INNER_PORT: app}, host="127.0.0.1", tls=None), _working(app), _proxy(folder):
        person = _person(folder)
        await add_account(app.state.agency, USERNAME, PASSWORD, person, actor="conformance")
        headers = {"Authorization": f"Bearer {await staff_key(app)}"}
        trusted = ssl.create_default_context(cafile=folder / "ca.pem")
        async with httpx2.AsyncClient(verify=trusted, headers=headers) as staff:
            yield Tested(folder, chosen.public_url, person, staff)


@asynccontextmanager
async def _proxy(folder: Path) -> AsyncIterator[None]:
    """Run nginx before the issuer, as in production: it ends TLS, and tells of clients' certificates (RFC 9440)."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        raise FileNotFoundError("nginx is needed: apt-get install nginx-light")
    file = folder / "nginx.conf"
    file.write_text(_NGINX.format(folder=folder, port=PORT, inner=_INNER_PORT), "utf-8")
    nginx = await asyncio.create_subprocess_exec(
        program, "-p", str(folder), "-c", str(file), "-e", str(folder / "nginx.log")
    )
    try:
        async with asyncio.timeout(_START_SECONDS):
            while not await _listens(PORT):
                if nginx.returncode is not None:
                    raise RuntimeError(f"nginx did not start: {(folder / 'nginx.log').read_text('utf-8')}")
                await asyncio.sleep(0.05)
        yield
    finally:
        if nginx.returncode is None:
            nginx.terminate()
        await nginx.wait()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


@asynccontextmanager
async def _working(app: FastAPI) -> AsyncIterator[None]:
    """Do the agency's jobs, such as publishing status lists."""
    jobs = asyncio.create_task(run_jobs(app.state.agency), name="jobs")
    try:
        yield
    finally:
        jobs.cancel()
        await asyncio.gather(jobs, return_exceptions=True)


def _person(folder: Path) -> str:
    with closing(sqlite3.connect(folder / "register.db")) as register:
        return str(register.execute(_SOMEBODY).fetchone()[0])
