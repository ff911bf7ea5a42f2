"""Mutual TLS behind a proxy (RFC 8705, RFC 9440): tokens bound to a client's certificate, and whose word counts."""

from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from httpx2 import ASGITransport

from byoid.keys import PrivateKey, certificate_hash_b64u
from byoid.trust.pki import SubjectName, make_root
from tests.conftest import NOW
from tests.issuer.conftest import Peer
from tests.peers.dishonest_wallet.wallet import Wallet

PROXY = "127.0.0.1"  # where the requests of a test come from
PID = {"credential_configuration_id": "pid_sd_jwt"}
CLIENT = "company.test"


def certificate(name: str = "Company") -> x509.Certificate:
    return make_root(SubjectName(name), key=PrivateKey.generate(), now=NOW).certificate


def rfc9440(each: x509.Certificate) -> str:
    return f":{b64encode(each.public_bytes(Encoding.DER)).decode()}:"


def nginx(each: x509.Certificate) -> str:
    return quote(each.public_bytes(Encoding.PEM).decode())


OURS, OTHER = certificate(), certificate()


class Company:
    """A registered client that has a certificate and no DPoP key; `says` is what its requests' header holds."""

    def __init__(self, peer: Peer, says: Any = OURS) -> None:
        self.peer = peer
        self.verified = "SUCCESS"
        self.says: list[str] = [rfc9440(says)] if isinstance(says, x509.Certificate) else says
        spoil = {f"headers@{step}": self.headers for step in ("token", "par", "credential", "deferred", "notification")}
        self.wallet: Wallet = peer.wallet(client_id=CLIENT, provider=None, uses_dpop=False, spoil=spoil)

    def headers(self, headers: dict[str, str]) -> Any:
        verified = {"Client-Cert-Verified": self.verified}
        return httpx2.Headers([*(headers | verified).items(), *(("Client-Cert", each) for each in self.says)])

    async def redeem(self) -> httpx2.Response:
        offer, tx_code = await self.peer.offer("pid_sd_jwt")
        return await self.wallet.redeem_offer(offer, tx_code)


@pytest.fixture
def open_tls(open_issuer: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """Open an issuer behind a proxy, with one registered client: `certificates` or `subject`."""

    @asynccontextmanager
    async def open_(
        way: str = "self_signed_tls_client_auth", *, subject: str = "", **changes: Any
    ) -> AsyncIterator[Peer]:
        folder = tmp_path / "clients"
        folder.mkdir()
        known = f'subject = "{subject}"' if subject else f'certificates = ["{certificate_hash_b64u(OURS)}"]'
        lines = (
            f'client_id = "{CLIENT}"',
            f'authentication = "{way}"',
            known,
            'redirect_uris = ["https://wallet.test/callback?from=issuer"]',
        )
        (folder / "company.toml").write_text("\n".join(lines), "utf-8")
        changes.setdefault("trusted_proxies", PROXY)
        async with open_issuer(clients=folder, **changes) as peer:
            yield peer

    return open_


@pytest.mark.parametrize("form", [rfc9440, nginx])
async def test_a_token_for_a_certificate_is_used_with_that_certificate(
    open_tls: Any, form: Callable[[x509.Certificate], str]
) -> None:
    async with open_tls() as peer:
        company = Company(peer, [form(OURS)])
        answer = await company.redeem()
        assert (answer.status_code, answer.json()["token_type"]) == (200, "Bearer")
        assert (await company.wallet.request(PID)).status_code == 200


async def test_an_authorization_code_and_its_refresh_token_are_bound_to_the_certificate(open_tls: Any) -> None:
    async with open_tls() as peer:
        company = Company(peer)
        code = (await peer.consent(company.wallet))["code"]
        assert (await company.wallet.redeem_code(code, "v" * 43)).status_code == 200
        old = company.wallet.token["access_token"]
        refreshed = await company.wallet.refresh()
        assert refreshed.status_code == 200 and "refresh_token" not in refreshed.json()
        company.wallet.token["refresh_token"] = company.wallet.token.get("refresh_token", "")
        assert (await company.wallet.request(PID)).status_code == 200
        company.wallet.token["access_token"] = old
        assert (await company.wallet.request(PID)).status_code == 401


async def test_a_client_named_by_subject_is_known_by_a_chain_that_the_proxy_verified(open_tls: Any) -> None:
    renewed = certificate("Company")
    async with open_tls("tls_client_auth", subject=renewed.subject.rfc4514_string()) as peer:
        assert (await Company(peer, renewed).redeem()).status_code == 200
        assert (await Company(peer, certificate("Somebody else")).redeem()).status_code == 401
        unverified = Company(peer, renewed)
        unverified.verified = "FAILED:self-signed certificate"
        assert (await unverified.redeem()).status_code == 401


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("defect", "says", "status", "error"),
    [
        ("no certificate", [], 401, "invalid_client"),
        ("an empty header", [""], 401, "invalid_client"),
        ("another certificate", [rfc9440(OTHER)], 401, "invalid_client"),
        ("two headers", [rfc9440(OURS), rfc9440(OURS)], 400, "invalid_request"),
        ("the client's own header before the proxy's", [rfc9440(OURS), rfc9440(OTHER)], 400, "invalid_request"),
        ("an empty header besides", [rfc9440(OURS), ""], 400, "invalid_request"),
        ("no base64", [":***:"], 400, "invalid_request"),
        ("no certificate in it", [":AAAA:"], 400, "invalid_request"),
        ("half a certificate", [rfc9440(OURS)[:200] + ":"], 400, "invalid_request"),
        ("no colons", [rfc9440(OURS).strip(":")], 400, "invalid_request"),
        ("one colon", [rfc9440(OURS)[:-1]], 400, "invalid_request"),
        ("a list of two", [f"{rfc9440(OURS)}, {rfc9440(OTHER)}"], 400, "invalid_request"),
        ("words", ["SUCCESS"], 400, "invalid_request"),
        ("a private key", [quote(PrivateKey.generate().to_pem(None).decode())], 400, "invalid_request"),
    ],
)  # fmt: skip
async def test_no_token_without_the_certificate(
    open_tls: Any, defect: str, says: list[str], status: int, error: str
) -> None:
    async with open_tls() as peer:
        answer = await Company(peer, says).redeem()
        assert (answer.status_code, answer.json()["error"]) == (status, error), defect
        assert await peer.count("access_grant") == 0


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("defect", "proxies", "address"),
    [
        ("no proxy is trusted", "", PROXY),
        ("from beside the proxy", "10.0.0.1", "10.0.0.2"),
        ("from the outside", "10.0.0.0/8", "203.0.113.9"),
        ("from an address that is none", "10.0.0.0/8", "testclient"),
    ],
)
async def test_a_header_that_is_not_a_proxys_counts_for_nothing(
    open_tls: Any, defect: str, proxies: str, address: str
) -> None:
    async with open_tls(trusted_proxies=proxies) as peer:
        transport = ASGITransport(peer.app, client=(address, 1))
        async with httpx2.AsyncClient(transport=transport, base_url=peer.issuer.url) as http:
            company = Company(peer)
            company.wallet.http = http
            answer = await company.redeem()
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client"), defect
        assert await peer.count("access_grant") == 0


@pytest.mark.hostile
@pytest.mark.parametrize("step", ["credential", "deferred", "notification"])
@pytest.mark.parametrize(
    ("defect", "says", "status", "error"),
    [
        ("no certificate", [], 401, "invalid_token"),
        ("another certificate", [rfc9440(OTHER)], 401, "invalid_token"),
        ("two headers", [rfc9440(OURS), rfc9440(OTHER)], 400, "invalid_"),
        ("a header that cannot be read", ["x"], 400, "invalid_"),
    ],
)  # fmt: skip
async def test_a_stolen_token_opens_nothing(
    open_tls: Any, step: str, defect: str, says: list[str], status: int, error: str
) -> None:
    async with open_tls() as peer:
        company = Company(peer)
        assert (await company.redeem()).status_code == 200
        company.says = says
        bodies = {
            "credential": PID, "deferred": {"transaction_id": "x"},
            "notification": {"notification_id": "x", "event": "credential_accepted"},
        }  # fmt: skip
        answer = await company.wallet.post_json(step, bodies[step])
        assert answer.status_code == status, defect
        assert answer.json()["error"].startswith(error)
        assert await peer.count("issuance") == 0


@pytest.mark.hostile
async def test_a_token_for_a_certificate_is_no_token_for_a_dpop_key(open_tls: Any) -> None:
    async with open_tls() as peer:
        company = Company(peer)
        assert (await company.redeem()).status_code == 200
        company.wallet.uses_dpop = True
        answer = await company.wallet.request(PID)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")


@pytest.mark.hostile
async def test_a_dpop_token_is_not_opened_by_the_certificate(open_tls: Any) -> None:
    async with open_tls() as peer:
        company = Company(peer)
        company.wallet.uses_dpop = True
        assert (await company.redeem()).json()["token_type"] == "DPoP"
        company.wallet.uses_dpop = False
        answer = await company.wallet.request(PID)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
        company.wallet.uses_dpop = True
        assert (await company.wallet.request(PID)).status_code == 200


async def test_an_attested_wallet_with_a_dpop_key_is_not_bound_to_its_certificate(open_tls: Any) -> None:
    async with open_tls() as peer:
        company = Company(peer)
        company.wallet = peer.wallet(spoil=company.wallet.spoil)
        assert (await company.redeem()).json()["token_type"] == "DPoP"
        company.says = [rfc9440(OTHER)]
        assert (await company.wallet.request(PID)).status_code == 200
        assert (await company.wallet.refresh()).status_code == 200


@pytest.mark.hostile
@pytest.mark.parametrize("first", [True, False], ids=["dpop to certificate", "certificate to dpop"])
async def test_a_refresh_token_brings_no_token_of_another_kind(open_tls: Any, first: bool) -> None:
    async with open_tls() as peer:
        company = Company(peer)
        company.wallet.uses_dpop = first
        assert (await company.redeem()).status_code == 200
        company.wallet.uses_dpop = not first
        answer = await company.wallet.refresh()
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


@pytest.mark.hostile
@pytest.mark.parametrize("moment", ["code", "refresh"])
async def test_a_grant_cannot_be_moved_to_another_certificate(open_tls: Any, moment: str) -> None:
    async with open_tls("tls_client_auth", subject=OURS.subject.rfc4514_string()) as peer:
        company = Company(peer)
        code = (await peer.consent(company.wallet))["code"]
        if moment == "refresh":
            assert (await company.wallet.redeem_code(code, "v" * 43)).status_code == 200
        company.says = [rfc9440(OTHER)]  # of the same subject
        assert OTHER.subject == OURS.subject
        answer = await (company.wallet.refresh() if moment == "refresh" else company.wallet.redeem_code(code, "v" * 43))
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


@pytest.mark.hostile
async def test_a_pushed_request_needs_the_certificate_too(open_tls: Any) -> None:
    async with open_tls() as peer:
        for says in ([], [rfc9440(OTHER)]):
            answer = await Company(peer, says).wallet.push(scope="pid_sd_jwt")
            assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
        assert await peer.count("authorization") == 0


async def test_an_attested_wallet_may_bind_its_token_to_a_certificate(open_tls: Any) -> None:
    async with open_tls() as peer:
        company = Company(peer)
        company.wallet = peer.wallet(uses_dpop=False, spoil=company.wallet.spoil)
        assert (await company.redeem()).json()["token_type"] == "Bearer"
        assert (await company.wallet.request(PID)).status_code == 200
        company.says = [rfc9440(OTHER)]
        assert (await company.wallet.request(PID)).json()["error"] == "invalid_token"
        assert (await company.wallet.refresh()).json()["error"] == "invalid_grant"


@pytest.mark.hostile
async def test_an_attested_wallet_without_key_and_certificate_gets_no_token(open_tls: Any) -> None:
    async with open_tls() as peer:
        wallet = peer.wallet(uses_dpop=False)
        offer, tx_code = await peer.offer("pid_sd_jwt")
        answer = await wallet.redeem_offer(offer, tx_code)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_dpop_proof")
        assert await peer.count("access_grant") == 0


async def test_the_server_says_that_it_binds_tokens_where_a_proxy_tells_of_certificates(open_issuer, open_tls) -> None:
    where = "https://issuer.test/.well-known/oauth-authorization-server"
    async with open_tls() as peer:
        assert (await peer.http.get(where)).json()["tls_client_certificate_bound_access_tokens"] is True
    async with open_issuer(trusted_proxies=()) as peer:
        assert "tls_client_certificate_bound_access_tokens" not in (await peer.http.get(where)).json()


async def test_the_header_may_have_another_name(open_tls: Any) -> None:
    async with open_tls(client_certificate_header="x-ssl-client-cert") as peer:
        company = Company(peer)
        assert (await company.redeem()).status_code == 401
        company.wallet.spoil = {"headers@token": lambda headers: {**headers, "X-SSL-Client-Cert": nginx(OURS)}}
        assert (await company.redeem()).status_code == 200


async def test_a_certificate_bound_token_expires_as_any_other(open_tls: Any) -> None:
    async with open_tls() as peer:
        company = Company(peer)
        assert (await company.redeem()).status_code == 200
        peer.clock.advance(timedelta(minutes=6))
        assert (await company.wallet.request(PID)).status_code == 401
