"""The header in which a trusted proxy says the client's certificate (RFC 9440 2.4): nobody else's word counts."""

from base64 import b64encode
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from starlette.requests import Request

from byoid.keys import PrivateKey
from byoid.trust.pki import SubjectName, make_root
from byoid.wire_errors import InvalidClient, InvalidRequest
from issuer.clients import HttpRequest, authenticate_client
from issuer.registered_clients import RegisteredClient
from issuer.wire import http_request
from tests.conftest import NOW


def request(*values: bytes, verified: tuple[bytes, ...] = ()) -> Request:
    headers = [(b"client-cert", value) for value in values]
    headers += [(b"client-cert-verified", value) for value in verified]
    return Request({
        "type": "http", "method": "POST", "path": "/token", "headers": headers, "client": ("10.0.0.1", 1),
        "scheme": "https", "server": ("issuer.test", 443), "query_string": b"", "root_path": "",
    })  # fmt: skip


@pytest.fixture
def issuer() -> Any:
    settings = SimpleNamespace(
        trusted_proxies=("10.0.0.0/8",), client_certificate_header="client-cert", is_proxy=lambda host: True
    )
    return SimpleNamespace(settings=settings, origin="https://issuer.test")


@pytest.mark.hostile
def test_a_client_certificate_that_comes_twice_is_refused(issuer: Any) -> None:
    with pytest.raises(InvalidRequest, match="twice"):
        http_request(issuer, request(b":AAAA:", b":BBBB:"))


def test_without_the_header_there_is_no_certificate(issuer: Any) -> None:
    assert http_request(issuer, request()).certificate is None


@pytest.mark.hostile
async def test_a_self_signed_certificate_with_the_name_of_a_client_is_refused(issuer: Any) -> None:
    certificate = make_root(SubjectName("wallet"), key=PrivateKey.generate(), now=NOW).certificate
    client = RegisteredClient(
        client_id="wallet.test", authentication="self_signed_tls_client_auth", certificates=("A" * 43,),
        subject=certificate.subject.rfc4514_string(),
    )  # fmt: skip
    issuer.clients = {client.client_id: client}

    with pytest.raises(InvalidClient):
        await authenticate_client(
            issuer, HttpRequest("POST", "https://issuer.test/token", {}, certificate), client_id="wallet.test"
        )

    issuer.clients = {client.client_id: client.model_copy(update={"authentication": "tls_client_auth"})}
    shown = HttpRequest("POST", "https://issuer.test/token", {}, certificate)
    with pytest.raises(InvalidClient):  # the proxy, as we deliver it, asks for any certificate and verifies none
        await authenticate_client(issuer, shown, client_id="wallet.test")
    verified = replace(shown, chain_verified=True)
    assert (await authenticate_client(issuer, verified, client_id="wallet.test")).authenticated


@pytest.mark.hostile
@pytest.mark.parametrize("says", [(), (b"NONE",), (b"FAILED:self signed",), (b"success",), (b"SUCCESS", b"FAILED")])
def test_a_chain_counts_as_verified_only_where_the_proxy_says_so_once(issuer: Any, says: tuple[bytes, ...]) -> None:
    certificate = make_root(SubjectName("wallet"), key=PrivateKey.generate(), now=NOW).certificate
    shown = b":" + b64encode(certificate.public_bytes(Encoding.DER)) + b":"

    assert not http_request(issuer, request(shown, verified=says)).chain_verified
    assert http_request(issuer, request(shown, verified=(b"SUCCESS",))).chain_verified
    assert not http_request(issuer, request(verified=(b"SUCCESS",))).chain_verified
