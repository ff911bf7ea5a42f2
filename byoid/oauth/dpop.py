"""DPoP: an access token that only the holder of a key can use (RFC 9449).

`verify_dpop_proof` is section 4.3, in its order and numbering. Nonces are made and `jti` values are remembered by the
operation that calls: this module does no I/O and keeps nothing.
"""

from collections.abc import Collection, Container
from dataclasses import dataclass
from datetime import datetime
from hmac import compare_digest
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import Field

from byoid.encoding import b64u_encode, sha256
from byoid.errors import ClaimMismatch, HolderBindingError, MalformedInput
from byoid.jose import SIGNATURE_ALGORITHMS, UnsignedJws, parse_jws, prepare_jws, verify_jws
from byoid.keys import PublicKey
from byoid.message import Message, parse_message
from byoid.oauth.jwt import NumericDate, moment, numeric_date, require_recent
from byoid.wire_errors import UseDpopNonce

TYP: Final = "dpop+jwt"
MAX_DPOP_BYTES: Final = 8 << 10
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}


class DpopClaims(Message):
    """The claims of a DPoP proof (4.2)."""

    jti: Annotated[str, Field(min_length=1, max_length=256)]
    htm: str
    htu: Annotated[str, Field(max_length=2048)]
    iat: NumericDate
    ath: str | None = None
    nonce: str | None = None


@dataclass(frozen=True, slots=True)
class VerifiedDpopProof:
    """A proof that its sender holds `key`, for one request. `jti` must still be seen for the first time."""

    key: PublicKey
    jti: str
    issued_at: datetime
    nonce: str | None


def access_token_hash(access_token: str) -> str:
    """Return `ath`: base64url of the SHA-256 of the access token (4.2)."""
    return b64u_encode(sha256(access_token.encode("ascii")))


def prepare_dpop_proof(
    *,
    key: PublicKey,
    algorithm: str,
    method: str,
    url: str,
    jti: str,
    now: datetime,
    access_token: str | None = None,
    nonce: str | None = None,
) -> UnsignedJws:
    """Prepare the value of a `DPoP` header field for one request (4.2)."""
    claims = DpopClaims(
        jti=jti,
        htm=method,
        htu=url.partition("#")[0].partition("?")[0],
        iat=numeric_date(now),
        ath=access_token_hash(access_token) if access_token is not None else None,
        nonce=nonce,
    )
    return prepare_jws(claims.to_wire(), algorithm=algorithm, typ=TYP, header={"jwk": key.jwk})


def verify_dpop_proof(
    jwt: str,
    *,
    method: str,
    url: str,
    now: datetime,
    access_token: str | None = None,
    expected_jkt: str | None = None,
    nonces: Container[str] | None = None,
    algorithms: Collection[str] = SIGNATURE_ALGORITHMS,
) -> VerifiedDpopProof:
    """Verify a DPoP proof (4.3; the caller has seen to step 1, a single header field, with `sole_header`).

    Args:
        jwt: the value of the header field.
        method: of the request.
        url: of the request, as clients know it (from settings, never from `Host`).
        now: the time.
        access_token: that came with the proof; None at the authorization server.
        expected_jkt: thumbprint of the key that the token, code or client is bound to; None if there is none yet.
        nonces: the values that this server would accept now; None if it does not demand one.
        algorithms: what is accepted.

    Raises:
        MalformedInput: not a DPoP proof: a part is missing, or the key is private.
        WrongType: another `typ`, or an algorithm that is not accepted.
        BadSignature: it is not signed by its own key.
        ClaimMismatch: made for another request or access token.
        UseDpopNonce: no nonce, or not one that is current.
        Expired: too old.
        NotYetValid: it comes from the future.
        HolderBindingError: made with another key than the token's.
    """
    jws = parse_jws(jwt, max_bytes=MAX_DPOP_BYTES)  # 2: a single, well-formed JWT
    key = PublicKey.from_jwk(jws.header.get("jwk"))  # 3: jwk is there; 7: and is not private
    verified = verify_jws(jws, key, algorithms=algorithms, typ=TYP)  # 4: typ; 5: alg; 6: signature
    claims = parse_message(DpopClaims, verified.claims)  # 3: all required claims
    if claims.htm != method:  # 8
        raise ClaimMismatch(f"the DPoP proof is not made for the method {method}")
    if claims.htu != url and _normalised(claims.htu) != _normalised(url):  # 9
        raise ClaimMismatch("the DPoP proof is not made for this URL")
    if nonces is not None and claims.nonce not in nonces:  # 10
        raise UseDpopNonce("a current nonce is needed in the DPoP proof")
    require_recent(claims.iat, now=now)  # 11
    _require_token(claims, access_token)  # 12.1
    if expected_jkt is not None and key.thumbprint_b64u != expected_jkt:  # 12.2
        raise HolderBindingError("the DPoP proof is made with another key than the one that is bound")
    return VerifiedDpopProof(key=key, jti=claims.jti, issued_at=moment(claims.iat), nonce=claims.nonce)


def _require_token(claims: DpopClaims, access_token: str | None) -> None:
    if access_token is None:
        return
    if not access_token.isascii():
        raise MalformedInput("expected an access token of ASCII characters")
    if claims.ath is None or not compare_digest(claims.ath.encode(), access_token_hash(access_token).encode()):
        raise ClaimMismatch("the DPoP proof is not made for this access token")


def _normalised(url: str) -> tuple[str, str, int | None, str]:
    """Normalise by syntax and scheme, without query and fragment (4.3, RFC 3986 6.2.2 and 6.2.3)."""
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        raise MalformedInput("htu is not a URL") from None
    if parts.username is not None or parts.password is not None:
        raise MalformedInput("htu has a user name")
    return parts.scheme, parts.hostname or "", port, parts.path or "/"
