"""The clients of OpenID Connect: registered by the operator for a service, and authenticated at the token endpoint.

OpenID Connect Core 1.0 9, RFC 6749 2.3 and 3.1.2, RFC 7523 (`private_key_jwt`), RFC 9700 2.1 (exact redirect URIs). A
login belongs to one service, so that wallets are asked in that service's name (EUDI ARF topic 52).
"""

import binascii
import re
import secrets
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from hmac import compare_digest
from typing import Any, Final
from urllib.parse import unquote_plus

from byoid.encoding import b64u_encode
from byoid.errors import ByoidError, MalformedInput, VerificationError
from byoid.jose import Jws, parse_jws
from byoid.keys import PublicKey
from byoid.oauth.authorization import require_redirect_uri
from byoid.oauth.jwt import LEEWAY
from byoid.oauth.private_key_jwt import CLIENT_ASSERTION_TYPE, MAX_ASSERTION_BYTES, verify_client_assertion
from byoid.service.database import Conflict
from byoid.wire_errors import InvalidClient, InvalidRequest
from verifier.context import Verifier
from verifier.errors import NotFound
from verifier.login_claims import LoginRules, default_rules, require_answerable

BASIC: Final = "client_secret_basic"
POST: Final = "client_secret_post"
PRIVATE_KEY_JWT: Final = "private_key_jwt"
NONE: Final = "none"
AUTHENTICATIONS: Final = (BASIC, POST, PRIVATE_KEY_JWT, NONE)
TOKEN_PATH: Final = "/login/token"  # noqa: S105  # a path
_CLIENT_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,127}")
_MAX_KEYS: Final = 20


@dataclass(frozen=True)
class NewLogin:
    """What an operator says of a login. Without `rules`, the PID's claims are given by their usual names."""

    service_id: str
    client_id: str
    query: str
    redirect_uris: tuple[str, ...]
    name: str | None = None
    authentication: str = BASIC
    algorithm: str = "RS256"
    jwks: Mapping[str, Any] | None = None
    rules: LoginRules | None = None
    subject: tuple[str, ...] = ()
    same_device_only: bool = False


@dataclass(frozen=True)
class Caller:
    """A client that has shown who it is. `assertion` is still to be spent, with what it is used for."""

    login: Any
    assertion: Mapping[str, Any] | None = None


async def add_login(verifier: Verifier, new: NewLogin) -> str | None:
    """Add a login; return its secret, which is shown once and kept as a hash, if its way to authenticate has one.

    Raises:
        ValueError: something is not said, or could not work.
        MalformedInput: a key, or the rules of its claims, cannot be used.
    """
    _require_usable(verifier, new)
    try:
        service = await verifier.services.get(new.service_id)
    except NotFound as error:
        raise ValueError(f"there is no service {new.service_id}; `services` lists those that there are") from error
    rules = await _rules(verifier, new)
    secret = b64u_encode(secrets.token_bytes(32)) if new.authentication in {BASIC, POST} else None
    row = {
        "client_id": new.client_id,
        "service_id": service.id,
        "name": new.name or service.name,
        "query_name": new.query,
        "redirect_uris": list(new.redirect_uris),
        "authentication": new.authentication,
        "secret_hash": None if secret is None else hash_secret(verifier, secret),
        "jwks": None if new.jwks is None else dict(new.jwks),
        "algorithm": new.algorithm,
        "rules": rules.to_wire(),
        "same_device_only": new.same_device_only,
        "created_at": verifier.clock(),
    }
    try:
        await verifier.logins.add_login(row)
    except Conflict as error:
        raise ValueError(f"there is a login {new.client_id} already") from error
    return secret


def _require_usable(verifier: Verifier, new: NewLogin) -> None:
    _require_key(verifier, new.algorithm)
    if not _CLIENT_ID.fullmatch(new.client_id):
        raise ValueError("expected a client id of 1 to 128 letters, digits and . _ ~ -")
    if new.authentication not in AUTHENTICATIONS:
        raise ValueError(f"expected one of {', '.join(AUTHENTICATIONS)}, got {new.authentication}")
    if not new.redirect_uris:
        raise ValueError("expected --redirect-uri: where people come back to")
    for uri in new.redirect_uris:
        require_redirect_uri(uri)
    if (new.authentication == PRIVATE_KEY_JWT) != (new.jwks is not None):
        raise ValueError("public keys (--jwks) are for private_key_jwt, which needs them")
    if new.jwks is not None:
        _require_keys(new.jwks)


def _require_key(verifier: Verifier, algorithm: str) -> None:
    if verifier.login_keys is None:
        raise ValueError("there are no keys that sign ID tokens; `login-keys` makes them")
    if algorithm not in verifier.login_keys.signing:
        raise ValueError(f"expected one of {', '.join(verifier.login_keys.signing)} as algorithm, got {algorithm}")


def _require_keys(jwks: Mapping[str, Any]) -> None:
    keys = jwks.get("keys")
    if not isinstance(keys, list) or not 0 < len(keys) <= _MAX_KEYS:
        raise MalformedInput(f"jwks: expected keys, an array of 1 to {_MAX_KEYS} public keys")
    for jwk in keys:
        PublicKey.from_jwk(jwk)


async def _rules(verifier: Verifier, new: NewLogin) -> LoginRules:
    query_id = await verifier.store.query_id(new.service_id, new.query)
    policy = await verifier.policies.policy(query_id) if query_id else None
    if policy is None:
        raise ValueError(f"the service has no query {new.query}: define it first, with PUT /api/v1/queries/{new.query}")
    rules = new.rules or default_rules(policy.query)
    if new.subject:
        rules = rules.model_copy(update={"subject": new.subject})
    require_answerable(rules, policy.query)
    if not rules.claims:
        raise ValueError(f"the query {new.query} asks for no PID's claim that has a usual name: say which is which")
    return rules


def hash_secret(verifier: Verifier, secret: str) -> bytes:
    """Return what is kept of a client's secret."""
    return verifier.sealer.keyed_hash(secret, purpose="login secret")


async def authenticate_client(verifier: Verifier, authorization: str | None, form: Mapping[str, str]) -> Caller:
    """Authenticate the client of a token request, in the one way that it is registered with.

    Raises:
        InvalidRequest: it shows who it is in two ways.
        InvalidClient: it is unknown, or does not authenticate.
    """
    shown = [
        way
        for way, is_shown in (
            (BASIC, authorization is not None),
            (POST, "client_secret" in form),
            (PRIVATE_KEY_JWT, "client_assertion" in form or "client_assertion_type" in form),
        )
        if is_shown
    ]
    if len(shown) > 1:
        raise InvalidRequest("the client must authenticate in one way")
    way = shown[0] if shown else NONE
    if way == PRIVATE_KEY_JWT:
        return await _by_assertion(verifier, form)
    client_id, secret = _basic(authorization) if authorization is not None else (None, form.get("client_secret"))
    login = await _login(verifier, client_id, form, way)
    if way != NONE and not compare_digest(login.secret_hash or b"", hash_secret(verifier, secret or "")):
        raise _unauthenticated("the client secret is wrong", way)
    return Caller(login)


def claimed_client(authorization: str | None, form: Mapping[str, str]) -> str:
    """Return who a token request says that it comes from, not believed: to count failures by."""
    try:
        return _basic(authorization)[0] if authorization is not None else form.get("client_id", "")
    except InvalidClient:
        return ""


async def _login(verifier: Verifier, client_id: str | None, form: Mapping[str, str], way: str) -> Any:
    """Find the client: in one place or in several that agree, and registered for this way."""
    named = {each for each in (client_id, form.get("client_id")) if each}
    login = await verifier.logins.login(named.pop()) if len(named) == 1 else None
    if login is None:
        raise _unauthenticated("the client is not known", way)
    if login.authentication != way:
        raise _unauthenticated(f"this client is registered to authenticate by {login.authentication}", way)
    return login


def _basic(authorization: str) -> tuple[str, str]:
    """Return user and password: base64 of two texts that are form-encoded first (RFC 6749 2.3.1)."""
    scheme, _, encoded = authorization.partition(" ")
    try:
        text = b64decode(encoded.strip(), validate=True).decode("ascii")
    except (binascii.Error, ValueError) as error:
        raise _unauthenticated("expected Authorization: Basic", BASIC) from error
    user, colon, password = text.partition(":")
    if scheme.lower() != "basic" or not colon:
        raise _unauthenticated("expected Authorization: Basic", BASIC)
    return unquote_plus(user), unquote_plus(password)


async def _by_assertion(verifier: Verifier, form: Mapping[str, str]) -> Caller:
    if form.get("client_assertion_type") != CLIENT_ASSERTION_TYPE:
        raise InvalidClient(f"expected a client_assertion_type of {CLIENT_ASSERTION_TYPE}")
    try:
        jws = parse_jws(form.get("client_assertion", ""), max_bytes=MAX_ASSERTION_BYTES)
        subject = jws.claims().get("sub")
    except ByoidError as error:
        raise InvalidClient("the client assertion is malformed", detail=str(error)) from error
    login = await _login(verifier, subject if isinstance(subject, str) else None, form, PRIVATE_KEY_JWT)
    try:
        verified = verify_client_assertion(
            jws.compact, client_id=login.client_id, key=_key(login.jwks, jws), audience=_audience(verifier, jws),
            now=verifier.clock(),
        )  # fmt: skip
    except (MalformedInput, VerificationError) as error:
        raise InvalidClient("the client assertion does not verify", detail=str(error)) from error
    value = verifier.sealer.keyed_hash(f"{login.client_id} {verified.jti}", purpose="login assertion")
    return Caller(login, {"value_hash": value, "expires_at": verified.expires_at + 2 * LEEWAY})


def _audience(verifier: Verifier, jws: Jws) -> str:
    """Return what the audience must be: the issuer (FAPI 2.0 5.3.2.1) or, as Core 9 has it, the token endpoint."""
    issuer = verifier.settings.public_url
    endpoint = issuer + TOKEN_PATH
    return endpoint if jws.claims().get("aud") in (endpoint, [endpoint]) else issuer


def _key(jwks: Mapping[str, Any], jws: Jws) -> PublicKey:
    """Return the registered key that an assertion names by `kid`; the only key needs no name."""
    keys, key_id = jwks["keys"], jws.header.get("kid")
    found = [jwk for jwk in keys if jwk.get("kid") == key_id] if key_id is not None or len(keys) > 1 else keys
    if len(found) != 1:
        raise MalformedInput("the client assertion names no key of this client")
    return PublicKey.from_jwk(found[0])


def _unauthenticated(description: str, way: str) -> InvalidClient:
    """Return the error; who tried HTTP authentication is challenged for it (RFC 6749 5.2)."""
    return InvalidClient(description, headers={"WWW-Authenticate": 'Basic realm="login"'} if way == BASIC else None)
