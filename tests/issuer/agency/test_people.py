"""How people are recognised: by accounts of our own, and by an OpenID Provider, honest or not."""

import base64
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from byoid.encoding import b64u_encode, json_dumps, sha256
from byoid.errors import PeerError
from byoid.keys import PrivateKey, PublicKey
from byoid.service.seal import Sealer
from byoid.wire_errors import InvalidRequest
from issuer.people import Accounts, add_account, delete_account
from issuer.recognition import NotRecognised, PasswordRecognition, RedirectRecognition
from issuer.recognition_oidc import OpenIdProvider, Registration
from tests.issuer.agency.conftest import Office
from tests.issuer.conftest import ADA

PASSWORD = "correct horse battery"
IDP = "https://idp.test"


async def test_an_account_recognises_its_person(office: Office) -> None:
    accounts = Accounts(office.agency.store, office.peer.issuer.sealer)
    assert isinstance(accounts, PasswordRecognition)
    await add_account(office.agency, "Ada", PASSWORD, ADA, actor="test")
    assert await accounts.recognise(" ada ", PASSWORD) == ADA
    await add_account(office.agency, "ada", "another long password", ADA, actor="test")
    for password in (PASSWORD, "", "another long password "):
        with pytest.raises(NotRecognised):
            await accounts.recognise("ada", password)
    assert await delete_account(office.agency, "ADA", actor="test")
    assert not await delete_account(office.agency, "ADA", actor="test")
    with pytest.raises(NotRecognised):
        await accounts.recognise("ada", "another long password")


@pytest.mark.hostile
@pytest.mark.parametrize(("name", "password"), [("ada", "short"), (" ", PASSWORD)])
async def test_a_weak_account_is_refused(office: Office, name: str, password: str) -> None:
    with pytest.raises(InvalidRequest):
        await add_account(office.agency, name, password, ADA, actor="test")
    assert await office.peer.count("account") == 0


class Idp(httpx2.AsyncBaseTransport):
    """An OpenID Provider; `claims`, `signed_by` and `metadata` are for dishonest ones."""

    def __init__(self, clock: Any) -> None:
        self.clock, self.key, self.rsa = clock, PrivateKey.generate(), rsa.generate_private_key(65537, 2048)
        self.algorithm, self.rsa_signs = "ES256", self.rsa
        self.claims: dict[str, Any] = {}
        self.metadata: dict[str, Any] = {}
        self.signed_by = self.key
        self.asked: dict[str, str] = {}
        self.token_status = 200
        self.id_token: str | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        match request.url.path:
            case "/.well-known/openid-configuration":
                found = {"issuer": IDP, "authorization_endpoint": f"{IDP}/authorize", "token_endpoint": f"{IDP}/token",
                         "jwks_uri": f"{IDP}/jwks", "authorization_response_iss_parameter_supported": True}  # fmt: skip
                return httpx2.Response(200, json={**found, **self.metadata})
            case "/jwks":
                rsa_jwk = PublicKey.from_native(self.rsa.public_key()).jwk
                keys = [{**self.key.public.jwk, "kid": "ec"}, {**rsa_jwk, "kid": "rsa"}]
                return httpx2.Response(200, json={"keys": keys})
            case _:
                form = {name: value[0] for name, value in parse_qs((await request.aread()).decode()).items()}
                user = base64.b64decode(request.headers["authorization"].partition(" ")[2]).decode()
                assert user == "issuer:secret"
                verifier = b64u_encode(sha256(form["code_verifier"].encode()))
                assert verifier == self.asked["code_challenge"] and form["redirect_uri"] == self.asked["redirect_uri"]
                return httpx2.Response(self.token_status, json={"id_token": self.id_token or self.token()})

    def token(self) -> str:
        now = int(self.clock().timestamp())
        claims = {"iss": IDP, "aud": "issuer", "sub": ADA, "exp": now + 60, "iat": now, "nonce": self.asked["nonce"]}
        found = {name: value for name, value in {**claims, **self.claims}.items() if value is not None}
        header = {"alg": self.algorithm, "kid": "ec" if self.algorithm == "ES256" else "rsa"}
        data = f"{b64u_encode(json_dumps(header))}.{b64u_encode(json_dumps(found))}".encode()
        if self.algorithm == "RS256":
            signature = self.rsa_signs.sign(data, padding.PKCS1v15(), hashes.SHA256())
        else:
            signature = self.signed_by.sign(data)
        return f"{data.decode()}.{b64u_encode(signature)}"


@pytest.fixture
def idp(clock: Any) -> Idp:
    return Idp(clock)


@pytest.fixture
def provider(idp: Idp, clock: Any) -> OpenIdProvider:
    return OpenIdProvider(
        "eID", Registration(IDP, "issuer", "secret"), sealer=Sealer({"k": bytes(range(32))}),
        http=httpx2.AsyncClient(transport=idp), clock=clock, redirect_uri="https://issuer.test/authorize/return",
    )  # fmt: skip


async def _sign_in(provider: OpenIdProvider, idp: Idp, **answer: str) -> str:
    url = await provider.begin(state="state", return_uri="https://issuer.test/authorize/return")
    idp.asked = {name: value[0] for name, value in parse_qs(urlsplit(url).query).items()}
    return await provider.finish({"code": "c", "iss": IDP, **answer}, state="state")


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
async def test_an_openid_provider_recognises_a_person(provider: OpenIdProvider, idp: Idp, algorithm: str) -> None:
    assert isinstance(provider, RedirectRecognition) and provider.name == "eID"
    idp.algorithm = algorithm
    assert await _sign_in(provider, idp) == ADA
    assert idp.asked["code_challenge_method"] == "S256" and idp.asked["scope"] == "openid"


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("defect", "claims"),
    [
        ("another issuer", {"iss": "https://evil.test"}),
        ("another audience", {"aud": "somebody"}),
        ("audiences beside us", {"aud": ["issuer", "somebody"]}),
        ("another party", {"azp": "somebody"}),
        ("expired", {"exp": 1}),
        ("no expiry", {"exp": None}),
        ("old", {"iat": 1}),
        ("another nonce", {"nonce": "x"}),
        ("no nonce", {"nonce": None}),
        ("nobody", {"sub": None}),
    ],
)
async def test_an_id_token_that_is_not_ours_recognises_nobody(
    provider: OpenIdProvider, idp: Idp, defect: str, claims: dict[str, Any]
) -> None:
    idp.claims = claims
    with pytest.raises(NotRecognised):
        await _sign_in(provider, idp)


def _forged(idp: Idp) -> None:
    idp.signed_by = PrivateKey.generate()


def _unsigned(idp: Idp) -> None:
    header, claims = (b64u_encode(json_dumps(each)) for each in ({"alg": "none", "kid": "ec"}, {"sub": ADA}))
    idp.id_token = f"{header}.{claims}."


def _signed_by_another_rsa_key(idp: Idp) -> None:
    idp.algorithm, idp.rsa_signs = "RS256", rsa.generate_private_key(65537, 2048)


def _garbage(idp: Idp) -> None:
    idp.id_token = "x"


def _refused(idp: Idp) -> None:
    idp.token_status = 400


@pytest.mark.hostile
@pytest.mark.parametrize("spoil", [_forged, _unsigned, _signed_by_another_rsa_key, _garbage, _refused])
async def test_a_broken_id_token_recognises_nobody(provider: OpenIdProvider, idp: Idp, spoil: Any) -> None:
    spoil(idp)
    with pytest.raises(NotRecognised):
        await _sign_in(provider, idp)


@pytest.mark.hostile
@pytest.mark.parametrize("answer", [{"error": "access_denied"}, {"iss": "https://evil.test"}, {"iss": ""}])
async def test_a_refusal_recognises_nobody(provider: OpenIdProvider, idp: Idp, answer: dict[str, str]) -> None:
    with pytest.raises(NotRecognised):
        await _sign_in(provider, idp, **answer)


@pytest.mark.hostile
@pytest.mark.parametrize("metadata", [{"issuer": "https://evil.test"}, {"token_endpoint": None, "issuer": 1}])
async def test_another_providers_configuration_is_refused(
    provider: OpenIdProvider, idp: Idp, metadata: dict[str, Any]
) -> None:
    idp.metadata = metadata
    with pytest.raises(PeerError):
        await _sign_in(provider, idp)
