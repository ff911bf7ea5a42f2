"""Three services as the image runs them, without root on a tree that they can't write, behind the nginx of deploy/."""

import asyncio
import gzip
import os
import shutil
import signal
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import httpx2
import pytest
import trustme

from byoid.encoding import b64u_encode
from demo.pki import make_pki

ROOT = Path(__file__).parents[2]
NAMES = {service: f"{service}.example.org" for service in ("issuer", "verifier", "wallet")}
LIST = "AAAAAAAAAAAAAAAA"
PER_MINUTE = 120  # four failures
pytestmark = [pytest.mark.postgres, pytest.mark.slow]


@dataclass
class Deployed:
    """What runs, and how to reach it."""

    https: int
    status: Path
    processes: dict[str, subprocess.Popen[bytes]]
    tree: Path
    before: dict[str, float]
    tls: ssl.SSLContext

    def get(self, service: str, path: str, **headers: str) -> httpx2.Response:
        [answer] = self.get_all(service, [path], **headers)
        return answer

    def get_all(self, service: str, paths: Iterable[str], **headers: str) -> list[httpx2.Response]:
        """Ask over one connection."""
        with httpx2.Client(verify=self.tls, trust_env=False, timeout=30) as http:
            return [
                http.get(
                    f"https://127.0.0.1:{self.https}{path}", headers={"Host": NAMES[service], **headers},
                    extensions={"sni_hostname": NAMES[service]},
                )
                for path in paths
            ]  # fmt: skip


def snapshot(tree: Path) -> dict[str, float]:
    return {str(path.relative_to(tree)): path.lstat().st_mtime for path in tree.rglob("*")}


def settings(folder: Path, database: str) -> dict[str, str]:
    (folder / "kek").write_bytes(os.urandom(32))
    (folder / "people.csv").write_text("person_number\n1\n", "utf-8")
    shutil.copy(ROOT / "demo" / "register.toml", folder)
    source = 'kind = "csv"\npath = "people.csv"\nkey = "person_number"\nmapping = "register.toml"\n'
    (folder / "source.toml").write_text(source, "utf-8")
    found = {
        "WALLET_KEK": f"file:{folder}/kek", "WALLET_PROFILE": "demo",  # production wants an HSM here
        "ISSUER_REQUESTS_PER_MINUTE": str(PER_MINUTE), "ISSUER_SOURCE": str(folder / "source.toml"),
    }  # fmt: skip
    for service, name in NAMES.items():
        key = service.upper()
        found |= {
            f"{key}_PUBLIC_URL": f"https://{name}", f"{key}_DATABASE_URL": database.format(service),
            f"{key}_SEALING_KEYS": f"a:{b64u_encode(os.urandom(32))}", f"{key}_TRUSTED_PROXIES": "127.0.0.0/8",
            f"{key}_KEYS": str(folder / "pki"), f"{key}_TRUST": str(folder / "pki" / "trust.toml"),
        }  # fmt: skip
    return found


def nginx_file(folder: Path, ports: dict[str, int]) -> Path:
    """Return the file of deploy/ with this machine's ports and folders in it, all else as it is."""
    text = (ROOT / "deploy" / "nginx" / "nginx.conf").read_text("utf-8")
    for service in NAMES:
        text = text.replace(f"server {service}:8000;", f"server 127.0.0.1:{ports[service]};")
    text = text.replace("8443", str(ports["https"])).replace("8080", str(ports["http"]))
    text = text.replace("/etc/nginx/tls", str(folder / "tls")).replace("/var/lib/byoid/status", str(folder / "status"))
    text = text.replace("/tmp/nginx", f"{folder}/run/nginx")
    (folder / "nginx.conf").write_text(text, "utf-8")
    return folder / "nginx.conf"


def certificate(folder: Path) -> ssl.SSLContext:
    authority, folder = trustme.CA(), folder / "tls"
    folder.mkdir()
    leaf = authority.issue_cert(*NAMES.values())
    leaf.private_key_and_cert_chain_pem.write_to_path(folder / "tls.pem")
    leaf.private_key_pem.write_to_path(folder / "tls.key")
    context = httpx2.create_ssl_context()
    authority.configure_trust(context)
    return context


async def make_databases(directory: Path) -> None:
    connection = await asyncpg.connect(host=str(directory), user="postgres", database="postgres")
    for service in NAMES:
        await connection.execute(f'DROP DATABASE IF EXISTS "deployed_{service}"')
        await connection.execute(f'CREATE DATABASE "deployed_{service}"')
    await connection.close()


def end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(30)


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(1800):
        assert process.poll() is None, f"it ended with {process.returncode}"
        with socket.socket() as probe:
            probe.settimeout(0.2)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        signal.sigtimedwait([], 0.1)
    raise AssertionError(f"nothing listens on {port}")


@pytest.fixture(scope="module")
def deployed(
    runtime: Path, place: Path, as_nobody: list[str], postgres_socket: Path, ports: Callable[[], int]
) -> Iterator[Deployed]:
    for name in ("run", "status"):
        (place / name).mkdir()
        (place / name).chmod(0o777)
    tree = place / "app"
    for package in ("byoid", *NAMES):
        shutil.copytree(ROOT / package, tree / package, ignore=shutil.ignore_patterns("__pycache__"))
    make_pki(place / "pki", host="localhost", now=datetime.now(UTC))
    asyncio.run(make_databases(postgres_socket))
    chosen = {name: ports() for name in (*NAMES, "https", "http")}
    tls = certificate(place)
    environment = {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(place / "run"),
        **settings(place, f"postgresql://postgres@/deployed_{{}}?host={postgres_socket}"),
    }  # fmt: skip
    python = [*as_nobody, str(runtime / "bin" / "python"), "-m"]
    subprocess.run([runtime / "bin" / "python", "-m", "compileall", "-q", tree], check=True)
    for path in sorted(tree.rglob("*"), reverse=True):
        path.chmod(0o555 if path.is_dir() else 0o444)
    for command in (["issuer", "migrate"], ["verifier", "migrate"], ["wallet", "migrate"], ["wallet", "migrate-vault"]):
        subprocess.run([*python, *command], check=True, cwd=place / "run", env=environment)
    before = snapshot(tree)
    with ExitStack() as stack:
        processes = {}
        for name in NAMES:
            command = [*python, name, "serve", "--port", str(chosen[name])]
            processes[name] = subprocess.Popen(command, cwd=place / "run", env=environment)
            stack.callback(end, processes[name])
        processes["nginx"] = subprocess.Popen(
            [*as_nobody, "nginx", "-e", "stderr", "-g", "daemon off;", "-c", nginx_file(place, chosen)],
            cwd=place / "run", stdout=subprocess.DEVNULL,
        )  # fmt: skip
        stack.callback(end, processes["nginx"])
        for name, process in processes.items():
            wait_for(chosen["https" if name == "nginx" else name], process)
        yield Deployed(chosen["https"], place / "status", processes, tree, before, tls)


@pytest.fixture(scope="module")
def ports() -> Callable[[], int]:
    def free() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return int(probe.getsockname()[1])

    return free


def test_each_service_answers_under_its_name(deployed: Deployed) -> None:
    for service in NAMES:
        assert deployed.get(service, "/readyz").json()["status"] == "ok"
    metadata = deployed.get("issuer", "/.well-known/openid-credential-issuer").json()
    assert metadata["credential_issuer"] == "https://issuer.example.org"
    assert deployed.get("wallet", "/welcome", Accept="text/html").status_code == 200


def test_nobody_runs_them(deployed: Deployed) -> None:
    for name, process in deployed.processes.items():
        status = Path(f"/proc/{process.pid}/status").read_text()
        [uid] = [line.split()[1] for line in status.splitlines() if line.startswith("Uid:")]
        assert uid != "0", name


def offered(deployed: Deployed, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{deployed.https}", *arguments]
    return subprocess.run(command, input="", capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.hostile
@pytest.mark.parametrize(
    "arguments",
    [
        ("-servername", "issuer.example.org", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"),
        ("-servername", "issuer.example.org", "-tls1_2", "-cipher", "AES128-SHA"),
        ("-servername", "issuer.example.org", "-tls1_2", "-cipher", "AES128-GCM-SHA256"),
        ("-servername", "another.example.org"),
        ("-noservername",),
    ],
    ids=["tls 1.1", "no forward secrecy, CBC", "no forward secrecy", "another's name", "no name"],
)
def test_other_handshakes_fail(deployed: Deployed, arguments: tuple[str, ...]) -> None:
    done = offered(deployed, *arguments)
    assert "Cipher is (NONE)" in done.stdout or done.returncode != 0
    assert "BEGIN CERTIFICATE" not in done.stdout


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_good_handshakes_succeed(deployed: Deployed, version: str) -> None:
    done = offered(deployed, "-servername", "issuer.example.org", version)
    assert "BEGIN CERTIFICATE" in done.stdout


def test_status_lists_are_files(deployed: Deployed) -> None:
    for suffix, content in {"jwt": b"a.b.c", "jwt.gz": gzip.compress(b"a.b.c"), "cwt": b"\xd2\x84"}.items():
        (deployed.status / f"{LIST}.{suffix}").write_bytes(content)
    plain = deployed.get("issuer", f"/status/{LIST}", **{"Accept-Encoding": "identity"})
    assert (plain.text, plain.headers["content-type"]) == ("a.b.c", "application/statuslist+jwt")
    assert "max-age=60" in ", ".join(plain.headers.get_list("cache-control"))
    assert plain.headers["access-control-allow-origin"] == "*"
    packed = deployed.get("issuer", f"/status/{LIST}", **{"Accept-Encoding": "gzip"})
    assert (packed.text, packed.headers["content-encoding"]) == ("a.b.c", "gzip")
    as_cwt = deployed.get("issuer", f"/status/{LIST}", Accept="application/statuslist+cwt")
    assert (as_cwt.content, as_cwt.headers["content-type"]) == (b"\xd2\x84", "application/statuslist+cwt")
    unchanged = deployed.get("issuer", f"/status/{LIST}", **{"If-Modified-Since": plain.headers["last-modified"]})
    assert unchanged.status_code == 304
    assert deployed.get("issuer", "/status/unknown").json()["error_description"] == "there is no such status list"
    assert deployed.get("issuer", f"/status/{LIST}?time=1").status_code == 501
    assert deployed.get("issuer", "/status/..%2f..%2fetc%2fpasswd").status_code in {400, 404}


def test_counters_are_not_for_the_world(deployed: Deployed) -> None:
    for service in NAMES:
        assert deployed.get(service, "/metrics").status_code == 404


def test_every_answer_says_https_only_once(deployed: Deployed) -> None:
    for service in NAMES:
        found = deployed.get(service, "/readyz").headers.get_list("strict-transport-security")
        assert found == ["max-age=63072000; includeSubDomains"]


@pytest.mark.hostile
def test_an_address_is_the_one_that_nginx_saw(deployed: Deployed) -> None:
    answers = [
        deployed.get("issuer", f"/offers/{n:032}", **{"X-Forwarded-For": f"198.51.100.{n}"}).status_code
        for n in range(12)
    ]
    assert 429 in answers
    assert set(answers) <= {404, 429}
    assert deployed.get("issuer", "/healthz").status_code == 200


def test_they_end_as_told_and_have_written_nothing_beside_their_data(deployed: Deployed) -> None:
    for name in NAMES:
        deployed.processes[name].send_signal(signal.SIGTERM)
    for name in NAMES:
        assert deployed.processes[name].wait(30) in {0, -signal.SIGTERM}, name
    assert snapshot(deployed.tree) == deployed.before
