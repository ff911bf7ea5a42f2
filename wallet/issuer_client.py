"""HTTP to credential issuers and their authorization servers, as a wallet: OpenID4VCI 1.0 with DPoP and attestations.

`discover` reads metadata; an `Issuance` is one conversation with its keys and nonces, and can be put away and taken up
again (a browser redirect, a deferred credential). What a response means is checked here; whether a credential is good
is `wallet.receiving`'s business.
"""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeVar

import httpx2

from byoid.encoding import json_dumps
from byoid.errors import PeerError
from byoid.issuance.credential import (
    CredentialRequest,
    CredentialResponse,
    CredentialResponseEncryption,
    verify_credential_response,
)
from byoid.issuance.deferred import DeferredCredentialRequest, verify_deferred_credential_response
from byoid.issuance.encryption import decrypt_response, encrypt_request
from byoid.issuance.metadata import CredentialIssuerMetadata, metadata_url, require_credential_issuer
from byoid.issuance.nonce import NonceResponse
from byoid.issuance.notification import NotificationRequest
from byoid.issuance.offer import CredentialOffer, OfferReference, parse_credential_offer, select_authorization_servers
from byoid.issuance.signed_metadata import verify_signed_metadata
from byoid.keys import PrivateKey
from byoid.message import Message, parse_message
from byoid.oauth.authorization import AuthorizationRequest, PushedAuthorizationResponse, authorization_url
from byoid.oauth.client_attestation import ATTESTATION_HEADER, CHALLENGE_HEADER, POP_HEADER, ChallengeResponse
from byoid.oauth.dpop import prepare_dpop_proof
from byoid.oauth.error_response import peer_error
from byoid.oauth.form import to_form
from byoid.oauth.jwt import Trust
from byoid.oauth.metadata import AuthorizationServerMetadata, require_issuer
from byoid.oauth.metadata import metadata_url as server_metadata_url
from byoid.oauth.private_key_jwt import CLIENT_ASSERTION_TYPE
from byoid.oauth.token import TokenRequest, TokenResponse, verify_token_response
from byoid.service.http import TOTAL_SECONDS
from byoid.signing import sign_now

M = TypeVar("M", bound=Message)
_NONCE_ERRORS: Final = frozenset({"use_dpop_nonce"})
_CHALLENGE_ERRORS: Final = frozenset({"use_attestation_challenge"})
_MAX_RETRIES: Final = 2
# Until an answer begins. A code works once, so an issuer may take its time; the client's own deadline is as long.
_PATIENCE: Final = httpx2.Timeout(TOTAL_SECONDS, connect=5.0)
_JSON: Final = "application/json"
_JWT: Final = "application/jwt"

# Returns the client attestation and its proof of possession for an authorization server and a challenge.
Attest = Callable[[str, str | None], Awaitable[tuple[str, str]]]
# Returns a client assertion (`private_key_jwt`) for an authorization server.
Assert = Callable[[str], Awaitable[str]]


class NoAnswer(PeerError):
    """The other side can't be reached: another time it may."""


@dataclass(frozen=True)
class KnownIssuer:
    """What a credential issuer and the chosen authorization server say about themselves; `signed` says who vouches."""

    metadata: CredentialIssuerMetadata
    server: AuthorizationServerMetadata
    signed: bool


class IssuerClient:
    """The wallet's HTTP side towards issuers. `http` must be a guarded client: addresses come from strangers."""

    def __init__(self, http: httpx2.AsyncClient, *, trust: Trust, clock: Callable[[], datetime]) -> None:
        self._http = http
        self._trust = trust
        self.clock = clock

    async def fetch_offer(self, reference: OfferReference) -> CredentialOffer:
        """Fetch an offer by reference: once, as JSON, after the citizen has said yes (4.1.3, 13.5).

        Raises:
            PeerError: it cannot be fetched.
            MalformedInput: it is not an offer.
        """
        return parse_credential_offer((await self.send("GET", reference.uri, accept=_JSON)).content)

    async def discover(self, credential_issuer: str, *, hint: str | None = None) -> KnownIssuer:
        """Read the metadata of an issuer and of the authorization server to use (12.2, 12.3).

        Raises:
            PeerError: metadata cannot be fetched.
            MalformedInput: they break a rule.
            ClaimMismatch: they are about somebody else.
            VerificationError: they are signed by somebody who is not trusted: not to be used at all (12.2.3).
        """
        response = await self.send("GET", metadata_url(credential_issuer), accept=f"{_JWT}, {_JSON};q=0.9")
        signed = _media_type(response) == _JWT
        if signed:
            metadata = verify_signed_metadata(
                response.text, credential_issuer=credential_issuer, trust=self._trust, now=self.clock()
            )
        else:
            metadata = parse_message(CredentialIssuerMetadata, response.content)
            require_credential_issuer(metadata, credential_issuer=credential_issuer)
        server_id = select_authorization_servers(metadata, hint=hint)[0]
        content = (await self.send("GET", server_metadata_url(server_id), accept=_JSON)).content
        server = parse_message(AuthorizationServerMetadata, content)
        return KnownIssuer(metadata, require_issuer(server, issuer=server_id), signed)

    async def send(
        self,
        method: str,
        url: str,
        *,
        accept: str,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        form: Mapping[str, Any] | None = None,
        statuses: tuple[int, ...] = (200,),
    ) -> httpx2.Response:
        """Send one request and demand one of the statuses.

        Raises:
            NoAnswer: there was none.
            PeerError: another status; `code` is the error that came with it.
        """
        try:
            response = await self._http.request(
                method, url, headers={"Accept": accept, **(headers or {})}, content=content, data=form,
                timeout=_PATIENCE,
            )  # fmt: skip
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise NoAnswer(f"no answer: {type(error).__name__}") from error
        if response.status_code not in statuses:
            raise _refused(response)
        return response


@dataclass
class Issuance:
    """One conversation with an issuer: the DPoP key, the newest nonces, and the access token once there is one."""

    client: IssuerClient = field(repr=False)
    issuer: KnownIssuer
    dpop_key: PrivateKey
    attest: Attest | None = field(default=None, repr=False)
    assert_client: Assert | None = field(default=None, repr=False)
    access_token: str | None = field(default=None, repr=False)
    _nonces: dict[str, str] = field(default_factory=dict, repr=False)
    _challenge: str | None = field(default=None, repr=False)

    async def push(self, request: AuthorizationRequest) -> str:
        """Push an authorization request and return the URL to send the browser to (RFC 9126).

        Raises:
            PeerError: the server refused, or has no such endpoints.
        """
        endpoint = _needed(self.issuer.server.pushed_authorization_request_endpoint, "pushed authorization requests")
        page = _needed(self.issuer.server.authorization_endpoint, "an authorization endpoint")
        response = await self._post_to_server(endpoint, request, statuses=(201, 200))
        pushed = parse_message(PushedAuthorizationResponse, response.content)
        return authorization_url(page, client_id=request.client_id, request_uri=pushed.request_uri)

    async def redeem(self, request: TokenRequest, *, details_requested: bool = False) -> TokenResponse:
        """Get an access token, bound to the DPoP key (6).

        Raises:
            PeerError: refused, with the error code; or not a DPoP token.
        """
        endpoint = _needed(self.issuer.server.token_endpoint, "a token endpoint")
        response = await self._post_to_server(endpoint, request, statuses=(200,))
        token = parse_message(TokenResponse, response.content)
        verify_token_response(token, token_type="DPoP", details_requested=details_requested)  # noqa: S106 (a type)
        self.access_token = token.access_token
        return token

    async def nonce(self) -> str | None:
        """Fetch a nonce for key proofs, if the issuer has nonces (7)."""
        endpoint = self.issuer.metadata.nonce_endpoint
        if endpoint is None:
            return None
        response = await self.client.send("POST", endpoint, accept=_JSON)
        self._remember(endpoint, response)
        return parse_message(NonceResponse, response.content).c_nonce

    async def request(
        self, request: CredentialRequest, *, keys: int | None, decryption_key: PrivateKey | None = None
    ) -> CredentialResponse:
        """Request credentials (8). Encrypted if the request says so; then `decryption_key` opens the answer.

        Raises:
            PeerError: refused, with the error code; or the answer is not what was asked for.
        """
        response = await self._post_encrypted(
            self.issuer.metadata.credential_endpoint, request, request.credential_response_encryption
        )
        found = _credential_response(response, request.credential_response_encryption, decryption_key)
        return verify_credential_response(found, status=response.status_code, keys=keys)

    async def fetch_deferred(
        self, request: DeferredCredentialRequest, *, keys: int | None, decryption_key: PrivateKey | None = None
    ) -> CredentialResponse:
        """Ask for what was promised (9)."""
        endpoint = _needed(self.issuer.metadata.deferred_credential_endpoint, "a deferred credential endpoint")
        response = await self._post_encrypted(endpoint, request, request.credential_response_encryption)
        found = _credential_response(response, request.credential_response_encryption, decryption_key)
        return verify_deferred_credential_response(
            found, transaction_id=request.transaction_id, status=response.status_code, keys=keys
        )

    async def notify(self, notification: NotificationRequest) -> None:
        """Tell what became of credentials (11). An issuer without the endpoint is not told."""
        endpoint = self.issuer.metadata.notification_endpoint
        if endpoint is not None:
            await self._post(endpoint, json_dumps(notification.to_wire()), _JSON, statuses=(200, 202, 204))

    async def _post_encrypted(
        self,
        endpoint: str,
        request: CredentialRequest | DeferredCredentialRequest,
        encryption: CredentialResponseEncryption | None,
    ) -> httpx2.Response:
        support = self.issuer.metadata.credential_request_encryption
        if support is not None and (support.encryption_required or encryption is not None):
            body, content_type = encrypt_request(request, support=support).encode(), _JWT
        elif encryption is not None:
            raise PeerError("the issuer cannot take encrypted requests, so it cannot be asked to encrypt")
        else:
            body, content_type = json_dumps(request.to_wire()), _JSON
        return await self._post(endpoint, body, content_type, statuses=(200, 202))

    async def _post(self, url: str, body: bytes, content_type: str, *, statuses: tuple[int, ...]) -> httpx2.Response:
        """POST to a protected resource."""

        async def attempt() -> httpx2.Response:
            headers = {
                "Authorization": f"DPoP {self.access_token}",
                "Content-Type": content_type,
                "DPoP": self._proof(url, access_token=self.access_token),
            }
            accept = f"{_JSON}, {_JWT}"
            return await self.client.send(
                "POST", url, accept=accept, headers=headers, content=body, statuses=(*statuses, 401, 400)
            )

        return await self._with_fresh_nonces(url, attempt, statuses)

    async def _post_to_server(self, url: str, request: Message, *, statuses: tuple[int, ...]) -> httpx2.Response:
        """POST a form to the authorization server, with client authentication and DPoP."""

        async def attempt() -> httpx2.Response:
            headers, form = {"DPoP": self._proof(url, access_token=None)}, to_form(request)
            if self.assert_client is not None:
                assertion = await self.assert_client(self.issuer.server.issuer)
                form |= {"client_assertion_type": CLIENT_ASSERTION_TYPE, "client_assertion": assertion}
            if self.attest is not None:
                attestation, proof = await self.attest(self.issuer.server.issuer, await self._current_challenge())
                headers |= {ATTESTATION_HEADER: attestation, POP_HEADER: proof}
            return await self.client.send(
                "POST", url, accept=_JSON, headers=headers, form=form, statuses=(*statuses, 400, 401)
            )

        return await self._with_fresh_nonces(url, attempt, statuses)

    async def _with_fresh_nonces(
        self, url: str, attempt: Callable[[], Awaitable[httpx2.Response]], statuses: tuple[int, ...]
    ) -> httpx2.Response:
        """Try again where the server gave a nonce or challenge that the next attempt must carry (RFC 9449 8, 9)."""
        for _ in range(_MAX_RETRIES):
            response = await attempt()
            self._remember(url, response)
            if response.status_code in statuses:
                return response
            if _refused(response).code not in _NONCE_ERRORS | _CHALLENGE_ERRORS:
                break
        else:
            response = await attempt()
            self._remember(url, response)
            if response.status_code in statuses:
                return response
        raise _refused(response)

    def _proof(self, url: str, *, access_token: str | None) -> str:
        unsigned = prepare_dpop_proof(
            key=self.dpop_key.public, algorithm=self.dpop_key.algorithm, method="POST", url=url,
            jti=secrets.token_urlsafe(16), now=self.client.clock(), access_token=access_token,
            nonce=self._nonces.get(_origin(url)),
        )  # fmt: skip
        return sign_now(unsigned, self.dpop_key)

    async def _current_challenge(self) -> str | None:
        endpoint = self.issuer.server.challenge_endpoint
        if self._challenge is None and endpoint is not None:
            response = await self.client.send("POST", endpoint, accept=_JSON)
            self._challenge = parse_message(ChallengeResponse, response.content).attestation_challenge
        return self._challenge

    def _remember(self, url: str, response: httpx2.Response) -> None:
        nonce, challenge = response.headers.get("DPoP-Nonce"), response.headers.get(CHALLENGE_HEADER)
        if nonce is not None:
            self._nonces[_origin(url)] = nonce
        if challenge is not None:
            self._challenge = challenge


def _credential_response(
    response: httpx2.Response, encryption: CredentialResponseEncryption | None, key: PrivateKey | None
) -> CredentialResponse:
    if encryption is None:
        return parse_message(CredentialResponse, response.content)
    if _media_type(response) != _JWT or key is None:
        raise PeerError("expected an encrypted response, as asked for")
    return decrypt_response(response.text, key=key, encryption=encryption)


def _needed(endpoint: str | None, what: str) -> str:
    if endpoint is None:
        raise PeerError(f"the issuer's metadata do not name {what}")
    return endpoint


def _media_type(response: httpx2.Response) -> str:
    return str(response.headers.get("content-type", "")).partition(";")[0].strip().lower()


def _refused(response: httpx2.Response) -> PeerError:
    challenge = str(response.headers.get("www-authenticate", ""))
    return peer_error(status=response.status_code, body=response.content, www_authenticate=challenge)


def _origin(url: str) -> str:
    parts = httpx2.URL(url)
    return f"{parts.scheme}://{parts.netloc.decode()}"
