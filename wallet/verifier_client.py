"""HTTP to verifiers, as a wallet: the request object by GET or POST, and the response to `response_uri`.

Spec: OpenID4VP 1.0 sections 5.10 (`wallet_nonce`, `wallet_metadata`, encrypted request objects), 8.2 (`direct_post`)
and 8.2's answer with `redirect_uri`, which the browser follows, not we. No redirect is followed here. What a request
means is `wallet.requests`' business.
"""

import secrets
from collections.abc import Mapping
from typing import Any, Final

import httpx2

from byoid.encoding import json_dumps
from byoid.errors import ByoidError, MalformedInput, PeerError
from byoid.fetch import StatusListCache
from byoid.keys import PrivateKey
from byoid.message import parse_message
from byoid.oauth.error_response import ErrorResponse
from byoid.presentation.client_id import REQUEST_ALGORITHMS, SUPPORTED, VerifierTrust
from byoid.presentation.request import Jwks, RequestByReference, WalletMetadata, require_https
from byoid.presentation.request_object import decrypt_request_object
from byoid.presentation.response import PREFERRED_ENC, DirectPostAnswer

REQUEST_OBJECT: Final = "application/oauth-authz-req+jwt"
MAX_REQUEST_BYTES: Final = 1 << 20
_OK: Final = 200
_NONCE_BYTES: Final = 24
# COSE numbers of ES256 and its fully specified twin, as both are in use (OpenID4VP B.2.2).
_FORMATS: Final[dict[str, dict[str, Any]]] = {
    "dc+sd-jwt": {
        "sd-jwt_alg_values": ["ES256", "ES384", "ES512", "Ed25519"],
        "kb-jwt_alg_values": ["ES256", "ES384", "ES512", "Ed25519"],
    },
    "mso_mdoc": {"issuerauth_alg_values": [-7, -9, -35, -36], "deviceauth_alg_values": [-7, -9, -35, -36]},
}


class VerifierClient:
    """The wallet's HTTP side towards verifiers. `http` must be a guarded client: addresses come from strangers.

    `trust` says whom the wallet believes to be a verifier. `statuses` are status lists, as a verifier would see them.
    """

    def __init__(self, http: httpx2.AsyncClient, *, trust: VerifierTrust, allow_loopback_http: bool = False) -> None:
        self._http = http
        self.trust = trust
        self.allow_loopback_http = allow_loopback_http
        self.statuses = StatusListCache(http)

    async def fetch_request(self, reference: RequestByReference) -> tuple[str, str | None]:
        """Fetch a request object; return it with the wallet nonce that it must repeat, if one was sent.

        Raises:
            PeerError: no answer, another status than 200 (redirects included), another media type, or too large.
            MalformedInput, WrongType, BadSignature: encrypted, but not to the key that was sent.
        """
        if reference.method == "get":
            return await self._request_object("GET", reference.request_uri), None
        key, nonce = PrivateKey.generate(), secrets.token_urlsafe(_NONCE_BYTES)
        kid = key.public.thumbprint_b64u
        form = {
            "wallet_nonce": nonce,
            "wallet_metadata": json_dumps(self.metadata(key, kid=kid).to_wire()).decode(),
        }
        text = await self._request_object("POST", reference.request_uri, form=form)
        return decrypt_request_object(text, {kid: key}), nonce

    def metadata(self, key: PrivateKey, *, kid: str) -> WalletMetadata:
        """Return what the wallet says about itself; `key` is for encrypting this one request object."""
        prefixes = sorted(each.value for each in SUPPORTED)
        jwk = {**key.public.jwk, "kid": kid, "use": "enc", "alg": "ECDH-ES"}
        return WalletMetadata(
            vp_formats_supported=_FORMATS,
            client_id_prefixes_supported=tuple([*prefixes, "pre-registered"] if self.trust.registered else prefixes),
            request_object_signing_alg_values_supported=tuple(sorted(REQUEST_ALGORITHMS)),
            request_object_encryption_enc_values_supported=PREFERRED_ENC,
            authorization_encryption_alg_values_supported=("ECDH-ES",),
            authorization_encryption_enc_values_supported=PREFERRED_ENC,
            jwks=Jwks(keys=(jwk,)),
        )

    async def respond(self, response_uri: str, form: Mapping[str, str]) -> str | None:
        """Post a response or an error; return where the browser is to go next, if the verifier says so.

        An answer that says 200 and is otherwise not understood counts as delivered: it was.

        Raises:
            PeerError: no answer (`status` is None: it may have arrived), or refused.
        """
        response = await self._send("POST", response_uri, accept="application/json", form=form)
        try:
            answer = parse_message(DirectPostAnswer, response.content)
            return self._next_page(answer.redirect_uri)
        except MalformedInput:
            return None

    def _next_page(self, uri: str | None) -> str | None:
        """Accept a page of the web only: the browser is about to be sent there (a fragment may be in it)."""
        if uri is not None:
            require_https(uri.partition("#")[0], what="redirect_uri", allow_loopback_http=self.allow_loopback_http)
        return uri

    async def _request_object(self, method: str, url: str, *, form: Mapping[str, str] | None = None) -> str:
        response = await self._send(method, url, accept=REQUEST_OBJECT, form=form)
        media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != REQUEST_OBJECT:
            raise PeerError(f"expected a request object as {REQUEST_OBJECT}", status=_OK)
        if len(response.content) > MAX_REQUEST_BYTES or not response.content.isascii():
            raise PeerError(f"expected a request object of at most {MAX_REQUEST_BYTES} ASCII characters", status=_OK)
        return response.content.decode("ascii").strip()

    async def _send(
        self, method: str, url: str, *, accept: str, form: Mapping[str, str] | None = None
    ) -> httpx2.Response:
        try:
            response = await self._http.request(
                method, url, headers={"Accept": accept}, data=dict(form) if form else None, follow_redirects=False
            )
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise PeerError(f"no answer: {type(error).__name__}") from error
        if response.status_code != _OK:
            code = _error_code(response.content)
            raise PeerError(
                f"refused with status {response.status_code}: {code}", code=code, status=response.status_code
            )
        return response


def _error_code(content: bytes) -> str | None:
    try:
        return parse_message(ErrorResponse, content).error
    except ByoidError:
        return None
