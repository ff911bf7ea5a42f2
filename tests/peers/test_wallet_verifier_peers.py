"""The wallet before verifiers written by others, over real HTTP: polaris-oid4vp, and npm's @openid4vc/openid4vp."""

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from polaris_oid4vp.cli import keygen, verifier_from
from polaris_oid4vp.serve import serve

from byoid.service.http import http_client
from byoid.service.trust_files import load_signer
from byoid.trust.anchors import Purpose, TrustAnchors
from demo.pki import make_pki
from tests.peers.dishonest_verifier import MDOC_PID, PID, mdoc, query, sd_jwt
from tests.wallet.holder import Holder
from tests.wallet.world import Citizen, open_wallet
from wallet.consent import decline
from wallet.context import Wallet
from wallet.history import Reason
from wallet.requests import Caution
from wallet.verifier_client import VerifierClient

pytestmark = pytest.mark.peers
NPM = Path(__file__).parent / "npm"


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("verifier-peers") / "pki"
    make_pki(folder, host="127.0.0.1", now=now() - timedelta(hours=1))
    return folder


@pytest.fixture
async def wallet(pki: Path) -> AsyncIterator[Wallet]:
    async with open_wallet(pki, clock=now, mounts={}, allow_loopback_http=True) as wallet:
        wallet.verifiers.allow_loopback_http = True
        yield wallet


@pytest.fixture
async def holder(wallet: Wallet, pki: Path) -> Holder:
    found = Holder(wallet, await Citizen(wallet).register(), pki)
    found.cards = {"sd_jwt": await found.add_sd_jwt(), "mdoc": await found.add_mdoc()}
    return found


# --- polaris-oid4vp


@pytest.fixture
async def polaris(
    holder: Holder, pki: Path, tmp_path: Path, free_port: Callable[[], int]
) -> AsyncIterator[tuple[Any, list[Any]]]:
    """A polaris verifier over TLS whose certificates the wallet trusts."""
    keys, port, verdicts = tmp_path / "polaris", free_port(), []
    keygen(keys, "localhost")
    anchors = x509.load_pem_x509_certificates((pki / "agency-root.pem").read_bytes())
    verifier = verifier_from(
        keys, "localhost", port, issuer_trust_anchors=anchors, claims=[{"path": ["given_name"]}], vct_values=[PID]
    )
    server = serve(
        verifier, host="127.0.0.1", port=port, certfile=str(keys / "tls.pem"), keyfile=str(keys / "tls-key.pem"),
        on_verdict=lambda *verdict: verdicts.append(verdict),
    )  # fmt: skip
    context = ssl.create_default_context(cafile=str(keys / "tls.pem"))
    access = TrustAnchors.from_pem((keys / "anchor.pem").read_bytes(), [Purpose.ACCESS], "polaris")
    wallet = holder.wallet
    client = http_client(wallet.settings, ssl_context=context)
    trust = replace(wallet.verifiers.trust, anchors=wallet.trust.anchors.union(access))
    holder.wallet = replace(wallet, verifiers=VerifierClient(client, trust=trust, allow_loopback_http=True))
    yield verifier, verdicts
    await client.aclose()
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("method", ["get", "post"])
async def test_polaris_accepts_a_presentation(holder: Holder, polaris: Any, method: str) -> None:
    verifier, verdicts = polaris
    view = await holder.propose(_polaris_link(verifier, method))
    assert view.cautions == (Caution.UNREGISTERED,)

    presented = await holder.present(view)

    assert presented.delivered, verdicts
    assert presented.redirect_uri == verifier.redirect_uri
    ((status, _, verdict),) = verdicts
    assert (status, verdict.authentic) == (200, True)
    assert verdict.claims["given_name"] == "Zoë"


async def test_polaris_hears_that_the_citizen_declined(holder: Holder, polaris: Any) -> None:
    verifier, verdicts = polaris
    view = await holder.propose(_polaris_link(verifier, "get"))
    await decline(holder.wallet, await holder.visit(), view.id, tell=True)
    ((status, _, verdict),) = verdicts
    assert (status, verdict.authentic) == (200, False)
    assert "access_denied" in verdict.reason


async def test_polaris_refuses_an_answer_that_comes_twice(holder: Holder, polaris: Any) -> None:
    verifier, _ = polaris
    link = _polaris_link(verifier, "get")
    views = [await holder.propose(link) for _ in range(2)]
    assert (await holder.present(views[0])).delivered
    again = await holder.present(views[1])
    assert again.item.entry.reason_of_noncompletion is Reason.REFUSED_BY_SERVICE


def _polaris_link(verifier: Any, method: str) -> str:
    session, _ = verifier.new_request()
    parameters = verifier.authorization_request_params(session)
    parameters.pop("request_uri_method", None)
    return f"openid4vp://?{urlencode({**parameters, 'request_uri_method': method})}"


# --- @openid4vc/openid4vp


@asynccontextmanager
async def npm_verifier(pki: Path, **configuration: Any) -> AsyncIterator[tuple[str, Callable[[], Awaitable[Any]]]]:
    """Run the verifier of npm; yields its link, and what it says about the next response."""
    signer = load_signer(pki / "access-library.key", pki / "access-library.pem")
    root = x509.load_pem_x509_certificate((pki / "agency-root.pem").read_bytes())
    given = {
        "privateJwk": signer.key.to_jwk(),
        "x5c": [base64.b64encode(each).decode() for each in signer.x5c],
        "issuerJwk": load_signer(pki / "credential.key").public_jwk,
        "anchor": base64.b64encode(root.public_bytes(Encoding.DER)).decode(),
        **configuration,
    }
    process = await asyncio.create_subprocess_exec(
        "node", "openid4vp-verifier.mjs", cwd=NPM, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    stdout = process.stdout
    process.stdin.write(json.dumps(given).encode() + b"\n")

    async def said() -> Any:
        return json.loads(await asyncio.wait_for(stdout.readline(), 30))

    try:
        yield (await said())["link"], said
    finally:
        process.terminate()
        await process.wait()


@pytest.mark.parametrize("mode", ["direct_post", "direct_post.jwt"])
@pytest.mark.parametrize("post", [False, True])
async def test_npm_accepts_both_formats_in_one_response(holder: Holder, pki: Path, mode: str, post: bool) -> None:
    asked = query(sd_jwt("pid", "given_name", "address.locality"), mdoc("mdl", "family_name"))
    async with npm_verifier(pki, query=asked, responseMode=mode, post=post) as (link, said):
        presented = await holder.present(await holder.propose(link))
        answer = await said()

    assert presented.delivered, answer
    assert answer["state"] is True
    pid = answer["shown"]["pid"]
    assert (pid["given_name"], pid["address"]) == ("Zoë", {"locality": "Lindenmoor"})
    assert pid.keys().isdisjoint({"family_name", "birthdate", "nationalities"})
    assert answer["shown"]["mdl"] == {"family_name": "Lindqvist"}
    assert MDOC_PID in str(presented.item.entry.list_of_claims_presented)
