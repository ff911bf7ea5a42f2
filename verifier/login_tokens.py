"""The token endpoint and the userinfo endpoint: a code becomes an ID token and an access token for the claims.

OpenID Connect Core 1.0 2 (ID token), 3.1.3 (token endpoint), 5.3 (userinfo); RFC 6749 4.1.3, 5 and 4.1.2 (a code that
comes twice); RFC 7636 4.6; RFC 6750 2.1, 2.2, 3.
"""

import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from byoid.encoding import b64u_encode, json_object, sha256
from byoid.errors import MalformedInput, VerificationError
from byoid.oauth.jwt import numeric_date
from byoid.oauth.pkce import require_code_verifier
from byoid.oauth.token import AUTHORIZATION_CODE
from byoid.service.rate_limits import RateLimit
from byoid.wire_errors import InvalidClient, InvalidGrant, InvalidRequest, ServerError, UnsupportedGrantType
from verifier.context import Verifier
from verifier.errors import InvalidAccessToken
from verifier.login_claims import SCOPES
from verifier.login_requests import code_hash, open_content, token_hash
from verifier.login_store import Redemption
from verifier.logins import Caller, authenticate_client, claimed_client
from verifier.tables import LoginState, rate_limits

TOKEN_LIFETIME: Final = timedelta(minutes=10)
_ID_TOKEN_LIFETIME: Final = timedelta(minutes=10)
_MOST_FAILURES: Final = 60  # of one client from one address in a minute
_WINDOW: Final = timedelta(minutes=1)
_TOKEN_BYTES: Final = 32


async def issue_token(
    verifier: Verifier, form: Mapping[str, str], *, authorization: str | None, address: str
) -> dict[str, Any]:
    """Answer a token request; who fails too often must wait.

    Raises:
        TooManyRequests: this client has failed too often from this address.
        InvalidClient, InvalidGrant, InvalidRequest, UnsupportedGrantType: it is refused.
    """
    guard = RateLimit(rate_limits, verifier.sealer, kind="login token", limit=_MOST_FAILURES, window=_WINDOW)
    who, database, now = f"{claimed_client(authorization, form)} {address}", verifier.store.database, verifier.clock()
    await guard.spend(database, who, now=now, cost=0)
    try:
        return await _issue(verifier, form, authorization=authorization)
    except (InvalidClient, InvalidGrant):
        await guard.spend(database, who, now=now)
        raise


async def _issue(verifier: Verifier, form: Mapping[str, str], *, authorization: str | None) -> dict[str, Any]:
    caller = await authenticate_client(verifier, authorization, form)
    if "grant_type" not in form or "code" not in form:
        raise InvalidRequest("grant_type and code are needed")
    if form["grant_type"] != AUTHORIZATION_CODE:
        raise UnsupportedGrantType("the grant_type must be authorization_code")
    row = await _granted(verifier, caller, form)
    now, token = verifier.clock(), b64u_encode(secrets.token_bytes(_TOKEN_BYTES))
    content = json_object(open_content(verifier.sealer, row))
    answer = {
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": int(TOKEN_LIFETIME.total_seconds()),
        "scope": " ".join(each for each in SCOPES if each in row.request["scope"].split()),
        "id_token": _id_token(verifier, caller.login, row, content, token),
    }
    done = await verifier.logins.redeem(
        row.code_hash,
        token=token_hash(verifier, token),
        until=now + TOKEN_LIFETIME,
        now=now,
        assertion=caller.assertion,
    )
    if done is Redemption.ASSERTION_USED:
        raise InvalidClient("the client assertion was used before")
    if done is Redemption.CODE_USED:
        await verifier.logins.revoke(row.code_hash)  # somebody has two copies of the code
        raise InvalidGrant("the code was used or has expired")
    return answer


async def _granted(verifier: Verifier, caller: Caller, form: Mapping[str, str]) -> Any:
    """Return the login whose code this is, if it is this client's to redeem."""
    row, client = await verifier.logins.for_code(code_hash(verifier, form["code"])), caller.login
    ours = row is not None and (row.client_id, row.service_id) == (client.client_id, client.service_id)
    if row is None or not ours or row.request["redirect_uri"] != form.get("redirect_uri"):
        raise InvalidGrant("the code is wrong, or is not this client's for this redirect_uri")
    _require_verifier(row.request.get("code_challenge"), form.get("code_verifier"))
    if row.state == LoginState.ANSWERED and row.code_expires_at > verifier.clock():
        return row
    if row.state == LoginState.REDEEMED:  # RFC 6749 4.1.2: somebody has two copies of the code
        if caller.assertion is not None and not await verifier.logins.spend(caller.assertion):
            raise InvalidClient("the client assertion was used before")  # the same request again is no second copy
        await verifier.logins.revoke(row.code_hash)
    raise InvalidGrant("the code was used or has expired")


def _require_verifier(challenge: str | None, verifier: str | None) -> None:
    if challenge is None:
        if verifier is not None:  # RFC 9700 2.1.1: a challenge that was taken away on its way
            raise InvalidGrant("there was no code_challenge for this code_verifier")
        return
    try:
        require_code_verifier(verifier, challenge=challenge)
    except (MalformedInput, VerificationError) as error:
        raise InvalidGrant("the code_verifier is missing or wrong", detail=str(error)) from error


def _id_token(verifier: Verifier, login: Any, row: Any, content: Mapping[str, Any], token: str) -> str:
    """Make the ID token (Core 2, 3.1.3.6)."""
    if verifier.login_keys is None or login.algorithm not in verifier.login_keys.signing:
        raise ServerError("the key that signs ID tokens for this client is not there")
    now, digest = verifier.clock(), sha256(token.encode("ascii"))
    nonce = row.request.get("nonce")
    claims = {
        **content["id_token"],
        "iss": verifier.settings.public_url,
        "sub": content["sub"],
        "aud": login.client_id,
        "exp": numeric_date(now + _ID_TOKEN_LIFETIME),
        "iat": numeric_date(now),
        "auth_time": content["auth_time"],
        "at_hash": b64u_encode(digest[: len(digest) // 2]),
        **({} if nonce is None else {"nonce": nonce}),
    }
    return verifier.login_keys.sign(claims, algorithm=login.algorithm)


async def userinfo(verifier: Verifier, *, authorization: str | None, form: Mapping[str, str]) -> dict[str, Any]:
    """Return the claims that an access token is good for (Core 5.3.2).

    Raises:
        InvalidRequest: the token comes in two ways.
        InvalidAccessToken: there is none, or one that is unknown, expired or revoked.
    """
    row = await verifier.logins.for_token(token_hash(verifier, _bearer(authorization, form)), now=verifier.clock())
    if row is None or row.sealed is None:
        raise InvalidAccessToken("the access token is unknown, expired or revoked")
    content = json_object(open_content(verifier.sealer, row))
    return {**content["userinfo"], "sub": content["sub"]}


def _bearer(authorization: str | None, form: Mapping[str, str]) -> str:
    scheme, _, token = (authorization or "").partition(" ")
    posted = form.get("access_token")
    if authorization is not None and posted is not None:
        raise InvalidRequest("the access token must come in one way")
    if posted is not None:
        return posted
    if scheme.lower() != "bearer" or not token:
        raise InvalidAccessToken("an access token is needed", named=False)
    return token.strip()
