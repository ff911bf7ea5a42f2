"""How a request is made: its secrets, its parameters, and what its answer is bound to.

OpenID4VP 1.0 5.1 (metadata), 5.9.3 (unsigned by value), 5.10 (request objects), 8.3 (key for the response), A.2 and A.3
(Digital Credentials API).
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from byoid.encoding import b64u_encode, json_dumps
from byoid.keys import PrivateKey
from byoid.presentation.authentication import PresentationRequest
from byoid.presentation.dc_api import SIGNED, UNSIGNED, unsigned_request_data
from byoid.presentation.request import STATIC_AUDIENCE, AuthorizationRequest, ClientMetadata, Jwks, WalletMetadata
from byoid.presentation.request_object import encrypt_request_object, prepare_request_object
from byoid.relying_party.policy import Client, Policy
from byoid.relying_party.transaction import Mode, ResponseKey, Sent, Transaction
from byoid.signing import Signer, sign
from byoid.wire_errors import InvalidRequest

CONTENT_ENCRYPTION: Final = ("A256GCM", "A128GCM")
REQUESTS: Final = "requests"
RESPONSES: Final = "responses"
_SECRET_BYTES: Final = 32
_NAME_BYTES: Final = 16  # 128 bits; the shorter a link, the easier its QR code is to scan
_VP_FORMATS: Final[dict[str, dict[str, Any]]] = {
    "dc+sd-jwt": {"sd-jwt_alg_values": ["ES256"], "kb-jwt_alg_values": ["ES256"]},
    "mso_mdoc": {"issuerauth_alg_values": [-7, -9], "deviceauth_alg_values": [-7, -9]},
}


@dataclass(frozen=True)
class Addresses:
    """Where wallets reach the relying party. `fixed`: all requests share one response URI, which can be registered."""

    base_url: str
    fixed: bool = False

    def request(self, request_id: str) -> str:
        """Where a wallet fetches a request."""
        return f"{self.base_url}/{REQUESTS}/{request_id}"

    def response(self, request_id: str) -> str:
        """Where a wallet posts its answer."""
        return f"{self.base_url}/{RESPONSES}" if self.fixed else f"{self.base_url}/{RESPONSES}/{request_id}"


@dataclass(frozen=True)
class Wish:
    """What a caller of `begin` may say about one transaction."""

    mode: Mode = Mode.CROSS_DEVICE
    session: str | None = None
    redirect_uri: str | None = None
    request_uri_method: str | None = None
    origin: str | None = None
    transaction_data: Sequence[Mapping[str, Any]] | None = None

    def require_whole(self) -> None:
        """Demand what the mode needs.

        Raises:
            ValueError: something is missing, or would be ignored.
        """
        if self.mode is Mode.SAME_DEVICE and (self.session is None or self.redirect_uri is None):
            raise ValueError("on the same device the browser session and a redirect_uri are needed")
        if self.mode is not Mode.SAME_DEVICE and self.redirect_uri is not None:
            raise ValueError("redirect_uri is for the same device alone: no other person is sent back")
        if self.mode is Mode.DC_API and self.origin is None:
            raise ValueError("over the Digital Credentials API the origin of the page is needed")


def random_name() -> str:
    """Return an identifier that cannot be guessed."""
    return b64u_encode(secrets.token_bytes(_NAME_BYTES))


def random_secret() -> str:
    """Return 256 random bits as base64url."""
    return b64u_encode(secrets.token_bytes(_SECRET_BYTES))


def create_sent(client: Client, policy: Policy, wish: Wish, *, request_id: str, response_uri: str) -> Sent:
    """Make the secrets of a request and note what it asks.

    Where the response URI is fixed, `state` and the key's name tell which request is answered.
    """
    fixed = client.has_fixed_response_uri
    data = policy.transaction_data if wish.transaction_data is None else wish.transaction_data
    own_key = policy.encrypted and not client.pre_registered
    return Sent(
        client_id=client.client_id if client.signer else f"{client.client_id}{response_uri}",
        nonce=random_secret(),
        state=f"{request_id}.{random_secret()}" if fixed else random_secret(),
        response_mode=policy.response_mode(dc_api=wish.mode is Mode.DC_API),
        response_key=create_response_key(request_id if fixed else random_name()) if own_key else None,
        dcql_query=policy.wire_query,
        transaction_data=tuple(b64u_encode(json_dumps(each)) for each in data),
        redirect_uri=wish.redirect_uri,
        request_uri_method=wish.request_uri_method,
        origin=wish.origin,
    )


def create_response_key(kid: str) -> ResponseKey:
    """Make the key that one response is encrypted to."""
    key = PrivateKey.generate()
    jwk = key.public.jwk
    pkcs8 = key.native.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return ResponseKey(pkcs8, jwk["x"], jwk["y"], kid)


def response_jwk(client: Client, sent: Sent) -> Mapping[str, str] | None:
    """Return the public key that the response is to be encrypted to; None for one in the clear."""
    if sent.response_key is not None:
        return sent.response_key.jwk
    if client.response_key is None or not sent.response_mode.endswith(".jwt"):
        return None
    public = client.response_key.public
    return {**public.jwk, "kid": public.thumbprint_b64u, "use": "enc", "alg": "ECDH-ES"}


def authorization_request(
    transaction: Transaction, sent: Sent, *, client: Client, policy: Policy, addresses: Addresses
) -> AuthorizationRequest:
    """Return the request that a transaction stands for."""
    redirected = sent.origin is None
    return AuthorizationRequest(
        response_type="vp_token",
        response_mode=sent.response_mode,
        nonce=sent.nonce,
        client_id=sent.client_id,
        state=sent.state if redirected else None,
        dcql_query=policy.as_sent(sent.dcql_query),
        response_uri=addresses.response(transaction.request_id) if redirected else None,
        client_metadata=None if client.pre_registered else _client_metadata(sent),
        transaction_data=sent.transaction_data or None,
        verifier_info=tuple(policy.verifier_info) or None,
        expected_origins=None if sent.origin is None else (sent.origin,),
    )


def presentation_request(
    transaction: Transaction, sent: Sent, *, client: Client, policy: Policy, addresses: Addresses
) -> PresentationRequest:
    """Return what an answer must be bound to."""
    key = response_jwk(client, sent)
    return PresentationRequest(
        client_id=sent.client_id,
        nonce=sent.nonce,
        dcql_query=policy.as_sent(sent.dcql_query),
        response_uri=addresses.response(transaction.request_id),
        origin=sent.origin,
        encryption_key=None if key is None else dict(key),
        transaction_data=sent.transaction_data,
    )


async def signed_request(
    request: AuthorizationRequest,
    client: Client,
    signer: Signer,
    *,
    now: datetime,
    wallet_metadata: WalletMetadata | None = None,
    wallet_nonce: str | None = None,
) -> str:
    """Sign a request object, and encrypt it if the wallet's metadata have a key for that (5.10).

    Raises:
        InvalidRequest: the wallet cannot verify our signature, or has no key that byoid can encrypt to.
    """
    audience: str | None = None if request.expected_origins else STATIC_AUDIENCE
    if wallet_metadata is not None:
        supported = wallet_metadata.request_object_signing_alg_values_supported
        if supported is not None and signer.algorithm not in supported:
            raise InvalidRequest("the wallet does not support the algorithm that requests are signed with")
        audience = wallet_metadata.issuer or audience
    unsigned = prepare_request_object(
        request, algorithm=signer.algorithm, issued_at=now, x5c=signer.x5c, attestation=client.attestation,
        wallet_nonce=wallet_nonce, audience=audience,
    )  # fmt: skip
    signed = await sign(unsigned, signer)
    return encrypt_request_object(signed, wallet_metadata) if wallet_metadata else signed


async def digital_request(request: AuthorizationRequest, client: Client, *, now: datetime) -> dict[str, Any]:
    """Return the request for `navigator.credentials.get`: `{protocol, data}`, signed if the client signs (A.3)."""
    if client.signer is None:
        return {"protocol": UNSIGNED, "data": unsigned_request_data(request)}
    return {"protocol": SIGNED, "data": {"request": await signed_request(request, client, client.signer, now=now)}}


def by_value(request: AuthorizationRequest) -> dict[str, str]:
    """Return the URL parameters of an unsigned request; objects are JSON texts there (5.1)."""
    return {
        name: value if isinstance(value, str) else json_dumps(value).decode()
        for name, value in request.to_wire().items()
    }


def by_reference(sent: Sent, request_uri: str) -> dict[str, str]:
    """Return the URL parameters that lead a wallet to the request object."""
    parameters = {"client_id": sent.client_id, "request_uri": request_uri}
    if sent.request_uri_method is not None:
        parameters["request_uri_method"] = sent.request_uri_method
    return parameters


def _client_metadata(sent: Sent) -> ClientMetadata:
    """Return the metadata of a request: the key for its answer alone, and the formats that are understood."""
    if sent.response_key is None:
        return ClientMetadata(vp_formats_supported=_VP_FORMATS)
    return ClientMetadata(
        jwks=Jwks(keys=(sent.response_key.jwk,)),
        encrypted_response_enc_values_supported=CONTENT_ENCRYPTION,
        vp_formats_supported=_VP_FORMATS,
    )
