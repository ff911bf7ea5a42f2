"""A wallet that keeps every rule, except where a test spoils one of its messages.

Written from the specs and not on the wallet's own code: messages are plain dictionaries, and each passes through
`spoil` under its name before it is signed or sent. Nothing here decides whether the issuer is right.
"""

import json
import re
import secrets
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2

from byoid.encoding import b64u_encode, json_dumps, sha256
from byoid.keys import PrivateKey

PRE_AUTHORIZED = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
REDIRECT_URI = "https://wallet.test/callback?from=issuer"
Spoil = Callable[[Any], Any]


@dataclass
class Jwt:
    """A JWT before it is signed; `text` replaces it altogether."""

    header: dict[str, Any]
    claims: dict[str, Any]
    key: PrivateKey
    text: str | None = None

    def signed(self) -> str:
        if self.text is not None:
            return self.text
        data = f"{b64u_encode(json_dumps(self.header))}.{b64u_encode(json_dumps(self.claims))}"
        return f"{data}.{b64u_encode(self.key.sign(data.encode()))}"


@dataclass
class WalletProvider:
    """Who vouches for wallets: a key with its chain, and where the status of its wallets stands."""

    key: PrivateKey
    x5c: Sequence[bytes]
    status: dict[str, Any] | None = None
    maintained: timedelta = timedelta(days=60)

    def header(self, typ: str) -> dict[str, Any]:
        return {"typ": typ, "alg": "ES256", "x5c": [b64encode(each).decode() for each in self.x5c]}

    def kept(self, now: datetime) -> dict[str, Any] | None:
        return self.status and {"status": self.status, "exp": int((now + self.maintained).timestamp())}


@dataclass
class Wallet:
    """One wallet instance. `spoil` maps a message's name to what a test does to it."""

    http: httpx2.AsyncClient
    issuer: str
    clock: Callable[[], datetime]
    provider: WalletProvider | None = None
    client_id: str | None = "wallet.test"
    registered_key: PrivateKey | None = None  # authenticates with private_key_jwt
    spoil: dict[str, Spoil] = field(default_factory=dict)
    dpop_key: PrivateKey = field(default_factory=PrivateKey.generate)
    instance_key: PrivateKey = field(default_factory=PrivateKey.generate)
    token: dict[str, Any] = field(default_factory=dict)
    sends_pop: bool = True
    uses_dpop: bool = True
    challenge: str | None = None
    dpop_nonce: str | None = None
    redirect_uri: str = REDIRECT_URI
    answers: list[httpx2.Response] = field(default_factory=list)

    # --- the messages ---

    def changed(self, name: str, message: Any) -> Any:
        for each in (name, name.partition("@")[0]):
            if each in self.spoil:
                found = self.spoil[each](message)
                return message if found is None else found
        return message

    def seconds(self) -> int:
        return int(self.clock().timestamp())

    def jwt(self, name: str, jwt: Jwt) -> str:
        return self.changed(name, jwt).signed()

    def dpop(self, step: str, url: str, *, method: str = "POST", token: str | None = None) -> str:
        claims = {"jti": secrets.token_hex(8), "htm": method, "htu": url, "iat": self.seconds()}
        if token is not None:
            claims["ath"] = b64u_encode(sha256(token.encode()))
        if self.dpop_nonce is not None:
            claims["nonce"] = self.dpop_nonce
        header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": self.dpop_key.public.jwk}
        return self.jwt(f"dpop@{step}", Jwt(header, claims, self.dpop_key))

    def authentication(self, step: str, form: dict[str, Any]) -> dict[str, str]:
        """Return the headers that authenticate a request to the authorization server; may add to the form."""
        headers: dict[str, str] = {}
        if self.uses_dpop:
            headers["DPoP"] = self.dpop(step, f"{self.issuer}/{step}")
        if self.registered_key is not None:
            claims = {
                "iss": self.client_id, "sub": self.client_id, "aud": self.issuer, "jti": secrets.token_hex(8),
                "iat": self.seconds(), "exp": self.seconds() + 60,
            }  # fmt: skip
            assertion = Jwt({"typ": "JWT", "alg": "ES256"}, claims, self.registered_key)
            form["client_assertion_type"] = ASSERTION
            form["client_assertion"] = self.jwt(f"assertion@{step}", assertion)
        elif self.provider is not None:
            headers["OAuth-Client-Attestation"] = self.jwt(f"attestation@{step}", self.attestation(self.provider))
            if self.sends_pop:
                headers["OAuth-Client-Attestation-PoP"] = self.jwt(f"pop@{step}", self.pop())
        return headers

    def attestation(self, provider: WalletProvider) -> Jwt:
        claims = {
            "sub": self.client_id, "iss": "https://provider.test", "iat": self.seconds(),
            "exp": self.seconds() + 3600, "cnf": {"jwk": self.instance_key.public.jwk}, "wallet_name": "Test wallet",
        }  # fmt: skip
        kept = provider.kept(self.clock())
        if kept:
            claims["client_status"] = kept
        return Jwt(provider.header("oauth-client-attestation+jwt"), claims, provider.key)

    def pop(self) -> Jwt:
        claims: dict[str, Any] = {
            "iss": self.client_id, "aud": self.issuer, "jti": secrets.token_hex(8), "iat": self.seconds(),
        }  # fmt: skip
        if self.challenge is not None:
            claims["challenge"] = self.challenge
        return Jwt({"typ": "oauth-client-attestation-pop+jwt", "alg": "ES256"}, claims, self.instance_key)

    def key_attestation(self, keys: Sequence[PrivateKey], nonce: str | None) -> str:
        assert self.provider is not None
        claims: dict[str, Any] = {
            "iat": self.seconds(), "exp": self.seconds() + 3600, "attested_keys": [key.public.jwk for key in keys],
            "key_storage": ["iso_18045_high"], "user_authentication": ["iso_18045_high"], "nonce": nonce,
        }  # fmt: skip
        kept = self.provider.kept(self.clock())
        if kept:
            claims["key_storage_status"] = kept
        jwt = Jwt(self.provider.header("key-attestation+jwt"), claims, self.provider.key)
        return self.jwt("key_attestation", jwt)

    def key_proof(self, key: PrivateKey, nonce: str | None, attestation: str | None = None) -> str:
        header = {"typ": "openid4vci-proof+jwt", "alg": "ES256", "jwk": key.public.jwk}
        if attestation is not None:
            header["key_attestation"] = attestation
        claims = {"iss": self.client_id, "aud": self.issuer, "iat": self.seconds(), "nonce": nonce}
        claims = {name: value for name, value in claims.items() if value is not None}
        return self.jwt("proof", Jwt(header, claims, key))

    # --- the steps ---

    async def send(self, method: str, url: str, **request: Any) -> httpx2.Response:
        answer = await self.http.request(method, url, **request)
        self.answers.append(answer)
        return answer

    async def post_form(self, step: str, form: dict[str, Any]) -> httpx2.Response:
        headers = self.authentication(step, form)
        form = self.changed(f"form@{step}", form)
        headers = self.changed(f"headers@{step}", {"Content-Type": "application/x-www-form-urlencoded", **headers})
        content = form if isinstance(form, str | bytes) else urlencode(form, doseq=True)
        return await self.send("POST", f"{self.issuer}/{step}", content=content, headers=headers)

    async def redeem(self, form: dict[str, Any]) -> httpx2.Response:
        if self.client_id is not None:
            form["client_id"] = self.client_id
        answer = await self.post_form("token", form)
        if answer.status_code == 200:
            self.token = answer.json()
        return answer

    async def redeem_offer(self, offer: Mapping[str, Any], tx_code: str | None = None) -> httpx2.Response:
        code = offer["grants"][PRE_AUTHORIZED]["pre-authorized_code"]
        form = {"grant_type": PRE_AUTHORIZED, "pre-authorized_code": code}
        return await self.redeem(form | ({"tx_code": tx_code} if tx_code else {}))

    async def redeem_code(self, code: str, verifier: str) -> httpx2.Response:
        return await self.redeem({
            "grant_type": "authorization_code", "code": code, "redirect_uri": self.redirect_uri,
            "code_verifier": verifier,
        })  # fmt: skip

    async def refresh(self) -> httpx2.Response:
        return await self.redeem({"grant_type": "refresh_token", "refresh_token": self.token["refresh_token"]})

    async def push(self, verifier: str = "v" * 43, **wish: Any) -> httpx2.Response:
        form = {
            "response_type": "code", "client_id": self.client_id, "redirect_uri": self.redirect_uri,
            "state": "state-1", "code_challenge": b64u_encode(sha256(verifier.encode())),
            "code_challenge_method": "S256", **wish,
        }  # fmt: skip
        return await self.post_form("par", form)

    async def nonce(self) -> str:
        answer = await self.send("POST", f"{self.issuer}/nonce")
        found: str = answer.json()["c_nonce"]
        return found

    async def request(
        self, wanted: Mapping[str, Any], *, keys: Sequence[PrivateKey] | int = 1, proof_type: str = "jwt",
        attested: bool = False, nonce: str | None = None,
    ) -> httpx2.Response:  # fmt: skip
        """Ask for credentials: `wanted` names the configuration or the identifier."""
        keys = [PrivateKey.generate() for _ in range(keys)] if isinstance(keys, int) else keys
        nonce = nonce or await self.nonce()
        if proof_type == "attestation":
            proofs = [self.key_attestation(keys, nonce)]
        elif attested:
            proofs = [self.key_proof(keys[0], nonce, self.key_attestation(keys, nonce))]
        else:
            proofs = [self.key_proof(key, nonce) for key in keys]
        return await self.post_json("credential", {**wanted, "proofs": {proof_type: proofs}})

    async def post_json(self, step: str, body: Any) -> httpx2.Response:
        body = self.changed(f"body@{step}", body)
        content = body if isinstance(body, bytes | str) else json.dumps(body)
        headers = self.changed(f"headers@{step}", {"Content-Type": "application/json", **self.access(step)})
        return await self.send("POST", f"{self.issuer}/{step}", content=content, headers=headers)

    def access(self, step: str) -> dict[str, str]:
        token = self.token["access_token"]
        if not self.uses_dpop:
            return {"Authorization": f"Bearer {token}"}
        url = f"{self.issuer}/{step}"
        return {"Authorization": f"DPoP {token}", "DPoP": self.dpop(step, url, token=token)}


@dataclass
class Browser:
    """The person's browser: keeps cookies, sends the forms of the pages that it shows."""

    http: httpx2.AsyncClient
    page: httpx2.Response | None = None

    async def open(self, url: str, **headers: str) -> httpx2.Response:
        self.page = await self.http.get(url, headers={"Accept": "text/html", **headers})
        return self.page

    async def press(self, button: str, **fields: str) -> httpx2.Response:
        """Fill the form that has this button, and press it."""
        assert self.page is not None
        form = next(each for each in re.findall(r"<form.*?</form>", self.page.text, re.S) if f'id="{button}"' in each)
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form))
        named = re.search(rf'<button[^>]*id="{button}"[^>]*name="([^"]+)" value="([^"]+)"', form)
        values = {**{name: unescape(value) for name, value in hidden.items()}, **fields}
        if named:
            values[named[1]] = named[2]
        headers = {"Accept": "text/html", "Origin": self._origin(), "Content-Type": "application/x-www-form-urlencoded"}
        action = re.match(r'<form[^>]*action="([^"]+)"', form)
        target = self.page.url.join(unescape(action[1])) if action else self.page.url
        self.page = await self.http.post(str(target), content=urlencode(values), headers=headers)
        return self.page

    async def follow(self) -> httpx2.Response:
        assert self.page is not None
        return await self.open(str(self.page.url.join(self.page.headers["location"])))

    def _origin(self) -> str:
        assert self.page is not None
        parts = urlsplit(str(self.page.url))
        return f"{parts.scheme}://{parts.netloc}"


def query_of(answer: httpx2.Response) -> dict[str, str]:
    """Return the parameters that a redirect brings back."""
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}
