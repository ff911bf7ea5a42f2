"""Client authentication with a signed assertion: `private_key_jwt` (RFC 7523 2.2 and 3, FAPI 2.0 5.3.2.1).

FAPI 2.0 narrows the audience to the issuer identifier of the authorization server, as the only value. Which key a
client has is its registration's business; `jti` values are kept by the operation that calls.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final

from pydantic import Field

from byoid.errors import ClaimMismatch, Expired
from byoid.jose import SIGNATURE_ALGORITHMS, UnsignedJws, parse_jws, prepare_jws, verify_jws
from byoid.keys import PublicKey
from byoid.message import Array, Message, parse_message
from byoid.oauth.jwt import (
    LEEWAY,
    NumericDate,
    moment,
    numeric_date,
    require_audience,
    require_begun,
    require_unexpired,
)

CLIENT_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIFETIME: Final = timedelta(minutes=1)
MAX_ASSERTION_BYTES: Final = 8 << 10
MAX_LIFETIME: Final = timedelta(minutes=10)


class ClientAssertionClaims(Message):
    """The claims of a client assertion (RFC 7523 3)."""

    iss: str
    sub: str
    aud: str | Array[str]
    exp: NumericDate
    jti: Annotated[str, Field(min_length=1, max_length=256)]
    iat: NumericDate | None = None
    nbf: NumericDate | None = None


@dataclass(frozen=True, slots=True)
class VerifiedClientAssertion:
    """A client that has proven its registered key. `jti` must still be seen for the first time, until `expires_at`."""

    client_id: str
    jti: str
    expires_at: datetime


def prepare_client_assertion(
    *, client_id: str, audience: str, jti: str, now: datetime, algorithm: str, key_id: str | None = None
) -> UnsignedJws:
    """Prepare a `client_assertion` for one request; `audience` is the authorization server's issuer identifier."""
    claims = ClientAssertionClaims(
        iss=client_id, sub=client_id, aud=audience, jti=jti, iat=numeric_date(now), exp=numeric_date(now + LIFETIME)
    )
    header = {"kid": key_id} if key_id is not None else {}
    return prepare_jws(claims.to_wire(), algorithm=algorithm, typ="JWT", header=header)


def verify_client_assertion(
    jwt: str,
    *,
    client_id: str,
    key: PublicKey,
    audience: str,
    now: datetime,
    algorithms: Collection[str] = SIGNATURE_ALGORITHMS,
) -> VerifiedClientAssertion:
    """Verify a client assertion by the client's registered key (RFC 7523 3).

    Raises:
        MalformedInput: a claim is missing.
        WrongType: a token of another type, or an algorithm that is not accepted.
        BadSignature: not signed with the registered key.
        ClaimMismatch: by or about another client, or not for us alone.
        Expired: its time is over, or it gives itself too much of it.
        NotYetValid: its time has not come.
    """
    jws = parse_jws(jwt, max_bytes=MAX_ASSERTION_BYTES)
    verified = verify_jws(jws, key, algorithms=algorithms, typ=("JWT", "client-authentication+jwt", ""))  # 9
    claims = parse_message(ClientAssertionClaims, verified.claims)
    if claims.iss != client_id or claims.sub != client_id:  # 1, 2
        raise ClaimMismatch("expected the client_id as iss and sub of the client assertion")
    require_audience(claims.aud, expected=audience)  # 3
    require_unexpired(claims.exp, now=now)  # 4
    require_begun(max(claims.nbf or 0, claims.iat or 0), now=now)  # 5, 6
    if (
        claims.exp > (now + MAX_LIFETIME + LEEWAY).timestamp()
    ):  # 4: an unreasonably distant expiry; bounds the jti store
        raise Expired(f"a client assertion may live {MAX_LIFETIME.total_seconds():.0f} seconds at most")
    return VerifiedClientAssertion(client_id, claims.jti, moment(claims.exp))
