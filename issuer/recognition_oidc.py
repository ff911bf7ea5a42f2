"""People recognised by an upstream OpenID Provider: authorization code flow with PKCE, nonce and `iss`.

OpenID Connect Core 1.0 3.1 (ID token checks: 3.1.3.7), Discovery 1.0 4, RFC 7636, RFC 9207. Nothing is stored between
leaving and coming back: verifier and nonce are derived from the `state`, which belongs to the browser's request.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote, urlencode

import httpx2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from byoid.encoding import b64u_encode, json_loads, sha256
from byoid.errors import ByoidError, MalformedInput, PeerError
from byoid.jose import Jws, parse_jws, verify_jws
from byoid.keys import PublicKey
from byoid.service.seal import Sealer
from issuer.recognition import NotRecognised

_ALGORITHMS: Final = ("ES256", "ES384", "ES512", "EdDSA", "Ed25519", "PS256")
_LEEWAY: Final = timedelta(seconds=60)
_MAX_AGE: Final = timedelta(minutes=10)
_OK: Final = 200


@dataclass(frozen=True)
class Registration:
    """What the provider knows us as, and which claim is the register's key of a person."""

    issuer: str
    client_id: str
    client_secret: str
    scope: str = "openid"
    claim: str = "sub"


@dataclass(frozen=True)
class _Provider:
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    states_issuer: bool


class OpenIdProvider:
    """An OpenID Provider; a `RedirectRecognition`."""

    def __init__(
        self,
        name: str,
        registration: Registration,
        *,
        sealer: Sealer,
        http: httpx2.AsyncClient,
        clock: Callable[[], datetime],
        redirect_uri: str,
    ) -> None:
        self._name = name
        self._ours = registration
        self._sealer = sealer
        self._http = http
        self._clock = clock
        self._redirect_uri = redirect_uri
        self._found: _Provider | None = None

    @property
    def name(self) -> str:
        """What the button on the sign-in page names."""
        return self._name

    async def begin(self, *, state: str, return_uri: str) -> str:
        """Return the URL of the provider's sign-in.

        Raises:
            PeerError: the provider does not answer as it should.
        """
        query = {
            "response_type": "code",
            "client_id": self._ours.client_id,
            "redirect_uri": return_uri,
            "scope": self._ours.scope,
            "state": state,
            "nonce": self._derived("nonce", state),
            "code_challenge": b64u_encode(sha256(self._derived("verifier", state).encode())),
            "code_challenge_method": "S256",
        }
        endpoint = (await self._provider()).authorization_endpoint
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"

    async def finish(self, parameters: Mapping[str, str], *, state: str) -> str:
        """Return the register's key of the person.

        Raises:
            NotRecognised: cancelled or refused there, or the answer does not verify.
            PeerError: the provider does not answer as it should.
        """
        provider = await self._provider()
        if provider.states_issuer and parameters.get("iss") != self._ours.issuer:  # RFC 9207 2.4: before all else
            raise NotRecognised("the answer is not from the provider that was asked")
        if "error" in parameters or "code" not in parameters:
            raise NotRecognised("the provider has recognised nobody")
        id_token = await self._redeem(provider, parameters["code"], state)
        try:
            claims = await self._verified(provider, id_token, nonce=self._derived("nonce", state))
        except (PeerError, NotRecognised):
            raise
        except ByoidError as error:
            raise NotRecognised(f"the ID token does not verify: {error}") from error
        person = claims.get(self._ours.claim)
        if not isinstance(person, str | int) or not str(person):
            raise NotRecognised(f"the ID token has no claim {self._ours.claim!r}")
        return str(person)

    async def _redeem(self, provider: _Provider, code: str, state: str) -> str:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "code_verifier": self._derived("verifier", state),
        }
        user, secret = (quote(each, safe="") for each in (self._ours.client_id, self._ours.client_secret))
        try:
            response = await self._http.post(provider.token_endpoint, data=form, auth=httpx2.BasicAuth(user, secret))
        except httpx2.HTTPError as error:
            raise PeerError(f"the OpenID Provider does not answer: {type(error).__name__}") from error
        if response.status_code != _OK:
            raise NotRecognised(f"the provider refuses the code with status {response.status_code}")
        token = _object(response).get("id_token")
        if not isinstance(token, str):
            raise PeerError("the OpenID Provider gives no ID token")
        return token

    async def _verified(self, provider: _Provider, id_token: str, *, nonce: str) -> Mapping[str, Any]:
        """Check an ID token as 3.1.3.7 lists it."""
        jws = parse_jws(id_token)
        key = await self._key(provider, jws.header.get("kid"), jws.algorithm)
        claims = _verify_signature(jws, key)
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        now = self._clock().timestamp()
        _require(claims.get("iss") == self._ours.issuer, "iss")  # 2
        _require(audiences == [self._ours.client_id], "aud")  # 3: and nobody else's
        _require(claims.get("azp", self._ours.client_id) == self._ours.client_id, "azp")  # 5
        _require(_number(claims, "exp") + _LEEWAY.total_seconds() > now, "exp")  # 9
        _require(abs(now - _number(claims, "iat")) < _MAX_AGE.total_seconds(), "iat")  # 10
        _require(claims.get("nonce") == nonce, "nonce")  # 11
        return claims

    async def _key(self, provider: _Provider, key_id: object, algorithm: str) -> PublicKey:
        keys = (await self._get(provider.jwks_uri)).get("keys")
        for jwk in keys if isinstance(keys, list) else ():
            if not isinstance(jwk, dict) or jwk.get("use", "sig") != "sig" or jwk.get("alg", algorithm) != algorithm:
                continue
            if key_id in {None, jwk.get("kid")}:
                return PublicKey.from_jwk(jwk)
        raise NotRecognised("the ID token is signed with a key that the provider does not publish")

    async def _provider(self) -> _Provider:
        if self._found is None:
            found = await self._get(f"{self._ours.issuer}/.well-known/openid-configuration")
            if found.get("issuer") != self._ours.issuer:  # Discovery 4.3
                raise PeerError("the OpenID Provider's configuration is of another issuer")
            try:
                self._found = _Provider(
                    found["authorization_endpoint"], found["token_endpoint"], found["jwks_uri"],
                    found.get("authorization_response_iss_parameter_supported") is True,
                )  # fmt: skip
            except KeyError as error:
                raise PeerError(f"the OpenID Provider's configuration has no {error.args[0]}") from error
        return self._found

    async def _get(self, url: str) -> dict[str, Any]:
        try:
            response = await self._http.get(url)
        except httpx2.HTTPError as error:
            raise PeerError(f"the OpenID Provider does not answer: {type(error).__name__}") from error
        if response.status_code != _OK:
            raise PeerError(f"the OpenID Provider answers with status {response.status_code}")
        return _object(response)

    def _derived(self, purpose: str, state: str) -> str:
        return b64u_encode(self._sealer.keyed_hash(state, purpose=f"openid {purpose}"))


def _verify_signature(jws: Jws, key: PublicKey) -> Mapping[str, Any]:
    """Verify; RS256 is here and nowhere else in byoid, since OpenID Connect makes it every provider's default."""
    if jws.algorithm != "RS256":
        return verify_jws(jws, key, algorithms=_ALGORITHMS, typ=None).claims
    try:
        if not isinstance(key.native, rsa.RSAPublicKey):
            raise NotRecognised("the ID token's algorithm does not fit its key")
        key.native.verify(jws.signature, jws.signing_input, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature as error:
        raise NotRecognised("the ID token's signature does not verify") from error
    return jws.claims()


def _require(holds: bool, claim: str) -> None:
    if not holds:
        raise NotRecognised(f"the ID token has not the expected {claim}")


def _number(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    return float(value) if isinstance(value, int | float) else float("nan")


def _object(response: httpx2.Response) -> dict[str, Any]:
    try:
        found = json_loads(response.content)
    except MalformedInput as error:
        raise PeerError("the OpenID Provider's answer is not JSON") from error
    if not isinstance(found, dict):
        raise PeerError("the OpenID Provider's answer is not a JSON object")
    return found
