"""The file that says how people are recognised, and the application that is put together from files alone."""

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from httpx2 import ASGITransport

from byoid.presentation.issuer_trust import fitting
from byoid.trust.anchors import Purpose
from issuer.app import create_app
from issuer.credential_types import TypeFileInvalid
from issuer.people import Accounts
from issuer.recognition_oidc import OpenIdProvider
from issuer.recognition_wallet import WalletRecognition
from issuer.settings import IssuerSettings

OIDC = 'kind = "oidc"\nname = "eID"\nissuer = "https://idp.test"\nclient_id = "i"\nclient_secret = "s"\n'
WALLET = """
kind = "wallet"
name = "Wallet"
claim = ["personal_administrative_number"]
key = "{pki}/access-shop.key"
chain = "{pki}/access-shop.pem"
[query]
[[query.credentials]]
id = "pid"
format = "dc+sd-jwt"
meta = {{ vct_values = ["urn:eudi:pid:1"] }}
claims = [{{ path = ["personal_administrative_number"] }}]
"""
SOURCE = 'kind = "csv"\nmapping = "mapping.toml"\npath = "people.csv"\nkey = "number"\n'


@pytest.fixture
def files(tmp_path: Path, agency: Path, issuer_settings: dict[str, Any]) -> Any:
    (tmp_path / "source.toml").write_text(SOURCE)
    (tmp_path / "mapping.toml").write_text('[attributes]\nfamily_name = "name"\n')

    def make(text: str) -> Any:
        (tmp_path / "recognition.toml").write_text(
            text.replace("{{", "{").replace("}}", "}").replace("{pki}", str(agency / "pki"))
        )
        paths = {"source": tmp_path / "source.toml", "recognition": tmp_path / "recognition.toml"}
        return create_app(IssuerSettings.load(**issuer_settings, **paths))

    return make


@pytest.mark.parametrize(
    ("text", "kind"), [('kind = "accounts"', Accounts), (OIDC, OpenIdProvider), (WALLET, WalletRecognition)]
)
async def test_an_application_is_made_from_files(files: Any, text: str, kind: type) -> None:
    app = files(text)
    async with app.router.lifespan_context(app):
        assert isinstance(app.state.issuer.recognition, kind)
        assert "authorization_code" in json.loads(app.state.issuer.server_json)["grant_types_supported"]


async def test_the_page_leads_to_wallets(files: Any) -> None:
    app = files(WALLET)
    async with app.router.lifespan_context(app):
        http = httpx2.AsyncClient(transport=ASGITransport(app), base_url="https://issuer.test")
        page = await app.state.issuer.recognition.begin(state="s", return_uri="https://issuer.test/authorize/return")
        shown = await http.get(page, headers={"Accept": "text/html", "Accept-Language": "de"})
        assert shown.status_code == 200 and 'id="open-wallet-1"' in shown.text and "Zeigen Sie" in shown.text
        request_uri = next(iter(await app.state.issuer.recognition.links("s"))).url
        from urllib.parse import parse_qs, urlsplit

        request = await http.get(parse_qs(urlsplit(request_uri).query)["request_uri"][0])
        assert request.headers["content-type"] == "application/oauth-authz-req+jwt"
        lost = await http.get("https://issuer.test/recognition?state=other", headers={"Accept": "text/html"})
        assert lost.status_code == 400 and "expired" in lost.text


MDOC = (
    WALLET.replace('"dc+sd-jwt"', '"mso_mdoc"')
    .replace('vct_values = ["urn:eudi:pid:1"]', 'doctype_value = "eu.europa.ec.eudi.pid.1"')
    .replace('path = ["', 'path = ["eu.europa.ec.eudi.pid.1", "')
)


async def test_an_mdoc_is_asked_of_document_signers(files: Any) -> None:
    app = files(MDOC)
    async with app.router.lifespan_context(app):
        policy = await app.state.issuer.recognition.party._policies.policy("sign-in")
        assert fitting(policy.trust, policy.query.credentials[0]).purpose == (Purpose.MDOC,)


@pytest.mark.hostile
async def test_an_mdoc_of_signers_of_other_formats_is_refused_at_start(files: Any) -> None:
    app = files(MDOC.replace("[query]", 'purpose = "pid"\n[query]', 1))
    with pytest.raises(TypeFileInvalid, match="can be trusted as mdoc, and as nothing else"):
        async with app.router.lifespan_context(app):
            pass


@pytest.mark.hostile
@pytest.mark.parametrize(
    "text",
    ["", 'kind = "palm"', 'kind = "accounts"\nx = 1', OIDC.replace('"s"', '"$NOT_SET_ANYWHERE"'),
     WALLET.replace("access-shop.key", "none.key"), WALLET.replace('"dc+sd-jwt"', "7")],
)  # fmt: skip
async def test_a_wrong_recognition_file_is_explained_at_start(files: Any, text: str) -> None:
    app = files(text)
    with pytest.raises(TypeFileInvalid, match=r"recognition\.toml"):
        async with app.router.lifespan_context(app):
            pass
