"""Signed request objects: what a verifier makes, and how a wallet comes to believe one.

Spec: OpenID4VP 1.0 sections 5 (`typ`, `iss` ignored), 5.8 (`aud`), 5.9 (client), 5.10 (wallet nonce, encryption), RFC
9101 section 10. Two steps, as with responses: `authenticate_request` establishes who asks, and only then does
`accept_request` judge what is asked, so that its errors may be sent to the verifier.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from byoid.errors import ClaimMismatch, MalformedInput
from byoid.jose import (
    CONTENT_ENCRYPTION,
    UnsignedJws,
    decrypt,
    encrypt,
    parse_jwe,
    parse_jws,
    prepare_jws,
    x5c_header,
)
from byoid.keys import PrivateKey
from byoid.message import parse_message
from byoid.presentation.client_id import (
    REQUEST_OBJECT_TYPE,
    AuthenticClient,
    Prefix,
    VerifierTrust,
    authenticate_signed,
    authenticate_unsigned,
    require_permitted_uri,
)
from byoid.presentation.jwt_claims import require_audience, require_period
from byoid.presentation.request import (
    DC_API,
    DIRECT_POST,
    MIN_RANDOM,
    STATIC_AUDIENCE,
    AuthorizationRequest,
    ClientMetadata,
    WalletMetadata,
    require_https,
)
from byoid.presentation.response import choose_encryption, choose_response_encryption
from byoid.presentation.transaction_data import RequestedTransaction, TransactionData, parse_transaction_data
from byoid.presentation.verifier_info import VerifierRegistration, verify_verifier_info
from byoid.trust.x509 import ChainCache
from byoid.wire_errors import InvalidClient, InvalidRequest, InvalidScope, InvalidTransactionData, VpFormatsNotSupported

LIFETIME: Final = timedelta(minutes=5)
_WITHOUT_SIGNATURE: Final = (f"{Prefix.REDIRECT_URI}:", f"{Prefix.ORIGIN}:")


def prepare_request_object(
    request: AuthorizationRequest,
    *,
    algorithm: str,
    issued_at: datetime,
    x5c: Sequence[bytes] = (),
    attestation: str | None = None,
    audience: str | None = STATIC_AUDIENCE,
    lifetime: timedelta = LIFETIME,
    wallet_nonce: str | None = None,
) -> UnsignedJws:
    """Prepare the request object of a request.

    Args:
        request: what to ask; `client_id` with its prefix.
        algorithm: of the verifier's key.
        issued_at: now.
        x5c: the access certificate's chain, for `x509_hash` and `x509_san_dns`.
        attestation: the verifier attestation, for `verifier_attestation`.
        audience: the wallet's issuer identifier, if its metadata were discovered; None over the DC API.
        lifetime: how long a wallet may take to read it.
        wallet_nonce: of the wallet's POST request, to be repeated.

    Raises:
        ValueError: our own request breaks a rule: see `require_sound`.
    """
    require_sound(request)
    claims = request.to_wire()
    claims["iat"] = int(issued_at.timestamp())
    claims["exp"] = claims["iat"] + int(lifetime.total_seconds())
    if audience is not None:
        claims["aud"] = audience
    if wallet_nonce is not None:
        claims["wallet_nonce"] = wallet_nonce
    header: dict[str, Any] = {"x5c": x5c_header(x5c)} if x5c else {}
    if attestation is not None:
        header["jwt"] = attestation
    return prepare_jws(claims, algorithm=algorithm, typ=REQUEST_OBJECT_TYPE, header=header)


def require_sound(request: AuthorizationRequest) -> None:
    """Refuse a request of our own that a wallet would have to refuse, or that is not safe (5.2, 5.3, 6.1).

    Raises:
        ValueError: no client id, a weak nonce or state, a claim asked for twice, or no `response_uri`.
    """
    if request.client_id is None or request.client_id.startswith(_WITHOUT_SIGNATURE):
        raise ValueError("a signed request needs a client_id whose prefix allows signatures")
    if len(request.nonce) < MIN_RANDOM or (request.state is not None and len(request.state) < MIN_RANDOM):
        raise ValueError(f"nonce and state need 128 bits, {MIN_RANDOM} characters")
    try:
        request.query.require_distinct_claims()
        _require_mode(request)
        _require_state(request)
    except InvalidRequest as error:
        raise ValueError(str(error)) from None


def encrypt_request_object(request_object: str, wallet: WalletMetadata) -> str:
    """Encrypt a signed request object to the wallet's key, if its metadata hold one (5.10).

    Raises:
        InvalidRequest: keys, but none that byoid can encrypt to.
    """
    if wallet.jwks is None:
        return request_object
    key, enc = choose_encryption(wallet.jwks, wallet.request_object_encryption_enc_values_supported)
    return encrypt(request_object.encode("ascii"), key, enc=enc, header={"cty": REQUEST_OBJECT_TYPE})


def decrypt_request_object(text: str, keys: Mapping[str, PrivateKey]) -> str:
    """Return the signed request object of what a verifier sent; `keys` are the wallet's by `kid`.

    Raises:
        MalformedInput: encrypted to a key that the wallet does not have, or not a JWE.
        WrongType, BadSignature: as in `byoid.jose.decrypt`.
    """
    if text.count(".") != 4:  # noqa: PLR2004 (a JWE has five parts, a JWS three)
        return text
    jwe = parse_jwe(text)
    kid = jwe.header.get("kid")
    if not isinstance(kid, str) or kid not in keys:
        raise MalformedInput("the request object is encrypted to an unknown key")
    plaintext = decrypt(jwe, keys[kid], enc=CONTENT_ENCRYPTION).plaintext
    if not plaintext.isascii():
        raise MalformedInput("expected a JWT in the encrypted request object")
    return plaintext.decode("ascii")


@dataclass(frozen=True)
class AuthenticatedRequest:
    """A request of which the wallet knows whose it is. What it asks is still to be judged."""

    request: AuthorizationRequest
    client: AuthenticClient
    origin: str | None = None

    @property
    def metadata(self) -> ClientMetadata:
        """The verifier's metadata: registered beforehand, or of the request."""
        registered = self.client.registered.metadata if self.client.registered else None
        return registered or self.request.client_metadata or ClientMetadata()


@dataclass(frozen=True)
class AuthenticRequest:
    """A request that the wallet may show to its person, and answer."""

    request: AuthorizationRequest
    client: AuthenticClient
    transactions: tuple[RequestedTransaction, ...]
    registration: VerifierRegistration
    origin: str | None = None

    @property
    def audience(self) -> str:
        """What the presentations are made for: the full client identifier, or over the DC API the origin (A.4)."""
        return f"origin:{self.origin}" if self.origin is not None else self.client.identifier.full

    @property
    def metadata(self) -> ClientMetadata:
        """The verifier's metadata: registered beforehand, or of the request."""
        return AuthenticatedRequest(self.request, self.client).metadata


@dataclass(frozen=True)
class WalletAbilities:
    """What this wallet can do, by which it accepts or refuses requests."""

    formats: frozenset[str]
    transaction_data_types: Mapping[str, type[TransactionData]] = field(default_factory=dict)
    allow_loopback_http: bool = False


def authenticate_request(
    request: str | AuthorizationRequest,
    *,
    client_id: str,
    trust: VerifierTrust,
    now: datetime,
    audience: str = STATIC_AUDIENCE,
    wallet_nonce: str | None = None,
    cache: ChainCache | None = None,
) -> AuthenticatedRequest:
    """Establish who sent a request that came by redirect.

    Args:
        request: a request object (JWT), or the parameters of an unsigned request.
        client_id: of the URL; only what is inside a request object counts, but the two must be the same.
        trust: whom the wallet believes to be a verifier.
        now: the time.
        audience: how the verifier addresses this wallet.
        wallet_nonce: that the wallet sent, if it did.
        cache: certificate chains verified before.

    Raises:
        MalformedInput: not a request.
        ClaimMismatch: another client id, audience or wallet nonce; or a client id that the key does not prove.
        UntrustedIssuer, WrongType, BadSignature, Expired, NotYetValid: of the client's means of proof.
    """
    if isinstance(request, AuthorizationRequest):
        if request.client_id != client_id:
            raise ClaimMismatch("the client_id of the request is not the one expected")
        return AuthenticatedRequest(request, authenticate_unsigned(client_id, trust=trust))
    jws = parse_jws(request)
    claims = jws.claims()
    if claims.get("client_id") != client_id:  # 5.10.1: identical, including the prefix
        raise ClaimMismatch("the client_id of the request object is not that of the URL")
    client = authenticate_signed(client_id, jws, trust=trust, now=now, cache=cache)
    require_audience(claims, audience)  # 5.8
    require_period(claims, now=now)
    if wallet_nonce is not None and claims.get("wallet_nonce") != wallet_nonce:  # 5.10.1
        raise ClaimMismatch("the request object does not repeat the wallet nonce")
    return AuthenticatedRequest(parse_message(AuthorizationRequest, claims), client)


def accept_request(
    authenticated: AuthenticatedRequest,
    *,
    trust: VerifierTrust,
    abilities: WalletAbilities,
    now: datetime,
    cache: ChainCache | None = None,
) -> AuthenticRequest:
    """Judge what an authenticated client asks. Errors carry the code to send to it (8.5).

    What is asked beyond the client's registration is no error: the wallet tells its person (`registration.beyond`).

    Raises:
        InvalidScope: a query by `scope`.
        InvalidClient: metadata though the client has registered its own.
        InvalidRequest: response mode, URI, state or encryption key break a rule.
        VpFormatsNotSupported: none of the formats asked for is one of the wallet's.
        InvalidTransactionData: as in `parse_transaction_data`.
    """
    request, client = authenticated.request, authenticated.client
    if request.scope is not None:
        raise InvalidScope("no scope stands for a query here")
    registered = client.registered.metadata if client.registered else None
    if registered is not None and request.client_metadata is not None:
        raise InvalidClient("client_metadata of a client whose metadata are registered")
    _require_mode(request, dc_api=authenticated.origin is not None)
    if authenticated.origin is None:
        request = _with_response_uri(request, client)
        _require_response_uri(request, client, trust=trust, abilities=abilities)
        _require_state(request)
    registration = verify_verifier_info(
        request.verifier_info or (),
        query=request.query,
        access=client.chain,
        anchors=trust.anchors,
        now=now,
        cache=cache,
    )
    transactions = _transactions(request, abilities)
    accepted = AuthenticRequest(request, client, transactions, registration, authenticated.origin)
    if request.encrypted:
        choose_response_encryption(accepted.metadata)
    if abilities.formats.isdisjoint(each.format for each in request.query.credentials):
        raise VpFormatsNotSupported("none of the requested formats is supported")
    return accepted


def verify_request(
    request: str | AuthorizationRequest,
    *,
    client_id: str,
    trust: VerifierTrust,
    abilities: WalletAbilities,
    now: datetime,
    audience: str = STATIC_AUDIENCE,
    wallet_nonce: str | None = None,
    cache: ChainCache | None = None,
) -> AuthenticRequest:
    """Authenticate and accept a request in one call; for arguments and errors see the two."""
    authenticated = authenticate_request(
        request, client_id=client_id, trust=trust, now=now, audience=audience, wallet_nonce=wallet_nonce, cache=cache
    )
    return accept_request(authenticated, trust=trust, abilities=abilities, now=now, cache=cache)


def _transactions(request: AuthorizationRequest, abilities: WalletAbilities) -> tuple[RequestedTransaction, ...]:
    if request.transaction_data is None:
        return ()
    if not abilities.transaction_data_types:
        raise InvalidTransactionData("transaction data are not supported")
    return parse_transaction_data(request.transaction_data, query=request.query, types=abilities.transaction_data_types)


def _require_mode(request: AuthorizationRequest, *, dc_api: bool | None = None) -> None:
    """Demand a response mode of the channel; with `direct_post`, no `redirect_uri` beside `response_uri` (8.2, A.2)."""
    modes = DC_API if dc_api else DIRECT_POST if dc_api is False else (*DIRECT_POST, *DC_API)
    if request.response_mode not in modes:
        raise InvalidRequest(f"response_mode is not one of {', '.join(modes)}")
    if request.response_mode in DIRECT_POST and request.redirect_uri is not None:
        raise InvalidRequest("redirect_uri together with direct_post")


def _require_state(request: AuthorizationRequest) -> None:
    """Demand `state` where a presentation comes without holder binding, and so without the nonce (5.3)."""
    unbound = any(not each.require_cryptographic_holder_binding for each in request.query.credentials)
    if unbound and request.state is None and request.response_mode in DIRECT_POST:
        raise InvalidRequest("state is missing, though a credential without holder binding is requested")


def _with_response_uri(request: AuthorizationRequest, client: AuthenticClient) -> AuthorizationRequest:
    """Fill in what a `redirect_uri` client may leave out: its identifier is the URI (5.9.3)."""
    if request.response_uri is None and client.identifier.prefix is Prefix.REDIRECT_URI:
        return request.model_copy(update={"response_uri": client.identifier.original})
    return request


def _require_response_uri(
    request: AuthorizationRequest, client: AuthenticClient, *, trust: VerifierTrust, abilities: WalletAbilities
) -> None:
    if request.response_uri is None:
        raise InvalidRequest("response_uri is missing")
    try:
        require_https(request.response_uri, what="response_uri", allow_loopback_http=abilities.allow_loopback_http)
        require_permitted_uri(client, request, trust=trust)
    except (MalformedInput, ClaimMismatch) as error:
        raise InvalidRequest("response_uri is not one that the client may use", detail=str(error)) from None
