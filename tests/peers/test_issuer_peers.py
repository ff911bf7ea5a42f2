"""Whole issuances by a wallet that others wrote: npm's @openid4vc and jose, over real HTTP."""

import asyncio
import json
import shutil
import socket
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from byoid.formats.mdoc.present import HeldMdoc
from byoid.formats.sd_jwt_vc import parse_sd_jwt_vc
from byoid.service.trust_files import load_signer
from demo.people import make_register
from demo.pki import make_pki
from issuer.app import create_app
from issuer.attributes import NotReady, Record
from issuer.credential_types import CATALOGUE
from issuer.offers import create_offer
from issuer.recognition import NotRecognised
from issuer.settings import IssuerSettings
from issuer.sources.mapping import load_mapping
from issuer.sources.sql import SqlSource
from tests.issuer.serving import serve

pytestmark = pytest.mark.peers
NPM = Path(__file__).parent / "npm"
ADA = "1000000076"


class Accounts:
    async def recognise(self, username: str, password: str) -> str:
        if (username, password) != ("ada", "correct horse"):
            raise NotRecognised("wrong")
        return ADA


@dataclass
class LateSource:
    """A register that is not ready so many times."""

    real: SqlSource
    late: int = 0

    async def record(self, person: str, credential_type: str) -> Record:
        if self.late:
            self.late -= 1
            raise NotReady("later")
        return await self.real.record(person, credential_type)


@dataclass
class Served:
    """An issuer that is served over HTTP, and the key of its wallet provider."""

    app: Any
    source: LateSource
    pki: Path

    def offer(self, **arguments: Any) -> tuple[str, str | None]:
        arguments = {"person": ADA, **arguments}
        made = asyncio.run_coroutine_threadsafe(
            create_offer(self.app.state.issuer, **arguments), self.app.state.loop
        ).result(20)
        return made.link(), made.tx_code


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Served]]:
    folder = tmp_path_factory.mktemp("served")
    make_register(folder / "register.db")
    make_pki(folder / "pki", host="localhost", now=datetime.now(UTC) - timedelta(hours=1))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    chosen = IssuerSettings.load(
        profile="demo", public_url=f"http://127.0.0.1:{port}", allow_loopback_http=True,
        database_url=f"sqlite:///{folder}/issuer.db", sealing_keys=f"demo:{'A' * 43}", keys=folder / "pki",
        trust=folder / "pki" / "trust.toml", catalogue=CATALOGUE,
    )  # fmt: skip
    source = LateSource(SqlSource(
        f"sqlite:///{folder}/register.db", query="SELECT * FROM person WHERE person_number = :person",
        mapping=load_mapping(Path("demo/register.toml")),
    ))  # fmt: skip
    app = create_app(chosen, source=source, recognition=Accounts())
    inner = app.router.lifespan_context

    def remembering(application: Any) -> Any:
        application.state.loop = asyncio.get_running_loop()
        return inner(application)

    app.router.lifespan_context = remembering
    with serve(app, port):
        yield Served(app, source, folder / "pki")


def ask(served: Served, **given: Any) -> Any:
    provider = load_signer(served.pki / "wallet-provider.key", served.pki / "wallet-provider.pem")
    given["provider"] = {
        "jwk": provider.key.to_jwk(), "x5c": [b64encode(each).decode() for each in provider.x5c],
    }  # fmt: skip
    node = shutil.which("node")
    assert node is not None, "node 20 or newer is needed: apt-get install nodejs"
    done = subprocess_run(node, json.dumps(given))
    assert "result" in done, done.get("error")
    return done["result"]


def subprocess_run(node: str, text: str) -> Any:
    import subprocess

    done = subprocess.run([node, NPM / "issuer-wallet.mjs"], input=text, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def holder_of(credential: str, configuration_id: str) -> str:
    """Return the x coordinate of the key that a credential is bound to."""
    if configuration_id.endswith("sd_jwt"):
        x: str = parse_sd_jwt_vc(credential).jws.claims()["cnf"]["jwk"]["x"]
        return x
    from byoid.encoding import b64u_decode

    found: str = HeldMdoc.from_bytes(b64u_decode(credential)).mso.device_key.jwk["x"]
    return found


@pytest.mark.parametrize("configuration_id", ["pid_sd_jwt", "pid_mdoc"])
@pytest.mark.parametrize(
    ("keys", "encrypt", "late"), [(1, False, 0), (10, False, 0), (2, True, 0), (2, False, 1), (2, True, 1)],
    ids=["single", "batch of 10", "encrypted", "deferred", "deferred and encrypted"],
)  # fmt: skip
def test_pre_authorized_issuance(served: Served, configuration_id: str, keys: int, encrypt: bool, late: int) -> None:
    link, tx_code = served.offer(configuration_ids=[configuration_id])
    served.source.late = late
    found = ask(served, link=link, txCode=tx_code, configurationId=configuration_id, keys=keys, encrypt=encrypt)
    assert found["promised"] == bool(late)
    bound = [holder_of(each, configuration_id) for each in found["credentials"]]
    assert bound == [key["x"] for key in found["holder"]]


@pytest.mark.parametrize("configuration_id", ["pid_sd_jwt", "pid_mdoc"])
def test_issuance_by_authorization_code(served: Served, configuration_id: str) -> None:
    link, _ = served.offer(configuration_ids=[configuration_id], grant="authorization", person=None)
    person = {"username": "ada", "password": "correct horse"}
    found = ask(served, link=link, configurationId=configuration_id, keys=3, person=person)
    assert len({holder_of(each, configuration_id) for each in found["credentials"]}) == 3
