"""Token Status List: the reference in a credential, and the signed list as JWT or CWT.

Spec: draft-ietf-oauth-status-list 4 (list), 5 (token), 6 (reference), 8.3 (validation), 8.4 (history).
Fetching the token, and finding out whose key signed it, is the caller's business: parse, trust the chain, verify.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Self

from byoid.cbor import cbor_dumps, cbor_loads
from byoid.cose import (
    KEY_ID,
    TYPE,
    X5CHAIN,
    Sign1,
    UnsignedSign1,
    parse_sign1,
    prepare_sign1,
    verify_sign1,
    x5chain_header,
)
from byoid.encoding import b64u_decode, b64u_encode
from byoid.errors import MalformedInput, StatusUnavailable, WrongType
from byoid.formats.status_array import StatusArray
from byoid.formats.status_claims import (
    LEEWAY,
    NAMES,
    STATUS_LIST,
    list_claims,
    require_current,
    require_subject,
    time_to_live,
    without_none,
)
from byoid.jose import Jws, UnsignedJws, parse_jws, prepare_jws, verify_jws, x5c_header
from byoid.keys import PublicKey

JWT_MEDIA_TYPE: Final = "application/statuslist+jwt"
CWT_MEDIA_TYPE: Final = "application/statuslist+cwt"
MEDIA_TYPES: Final = (JWT_MEDIA_TYPE, CWT_MEDIA_TYPE)
MAX_TOKEN_BYTES: Final = 4 << 20  # a list of ten million statuses of one bit, 1 % revoked, takes 0.3 MB
MAX_URI_LENGTH: Final = 2048
ALGORITHMS: Final = frozenset({"ES256", "ES384", "ES512"})

_JWT_TYPE: Final = "statuslist+jwt"
_SIGN1_TAG: Final = b"\xd2"


@dataclass(frozen=True, slots=True)
class StatusReference:
    """Where a credential's status is to be found: the list's URI, and the place in it (6.2, 6.3)."""

    uri: str
    index: int

    @classmethod
    def from_claim(cls, status: object) -> Self | None:
        """Read the `status` claim of a JWT, a CWT or an MSO; None if it has no `status_list`.

        None for an absent claim (`None`) too. Another mechanism than `status_list` gives None: whoever demands a status
        must see that there is none that it can check.

        Raises:
            MalformedInput: not an object, or a `status_list` without a usable `idx` and `uri`.
        """
        if status is None:
            return None
        if not isinstance(status, dict):
            raise MalformedInput(f"expected a status object, got {type(status).__name__}")
        if "status_list" not in status:
            return None
        entry = status["status_list"]
        if not isinstance(entry, dict):
            raise MalformedInput(f"expected a status_list object, got {type(entry).__name__}")
        index, uri = entry.get("idx"), entry.get("uri")
        if type(index) is not int or index < 0:
            raise MalformedInput("expected a non-negative integer as status_list.idx")
        if not isinstance(uri, str) or not 0 < len(uri) <= MAX_URI_LENGTH:
            raise MalformedInput(f"expected a URI of at most {MAX_URI_LENGTH} characters as status_list.uri")
        return cls(uri=uri, index=index)

    @classmethod
    def stated(cls, status: object) -> Self | None:
        """Read the `status` claim of something that counts only if its issuer stands by it; None without the claim.

        Raises:
            MalformedInput: as `from_claim`.
            StatusUnavailable: a status by another mechanism alone, which byoid cannot look up: nobody says "valid".
        """
        reference = cls.from_claim(status)
        if reference is None and status is not None:
            raise StatusUnavailable("the status is of a kind that is not looked up")
        return reference

    def to_claim(self) -> dict[str, Any]:
        """Return the value of a `status` claim, the same in JSON and CBOR."""
        return {"status_list": {"idx": self.index, "uri": self.uri}}


@dataclass(frozen=True)
class StatusList:
    """A status list whose token was verified with `key`, which the chain `x5c` may hold.

    Whoever uses a list again for another credential must see whether this signer counts there too.
    """

    uri: str
    array: StatusArray
    issued_at: datetime
    expires_at: datetime | None
    ttl: timedelta | None
    aggregation_uri: str | None
    key: PublicKey
    x5c: tuple[bytes, ...] = ()

    def status_at(self, index: int) -> int:
        """Return the status at `index`; StatusUnavailable if the place is outside the list."""
        return self.array.status_at(index)

    def fresh_until(self, fetched_at: datetime, *, minimum: timedelta, maximum: timedelta) -> datetime:
        """Return until when this copy may be used without fetching another (5.1 `ttl`, 13.7).

        `minimum` and `maximum` bound what the issuer says; `exp` bounds everything.
        """
        lifetime = maximum if self.ttl is None else min(max(self.ttl, minimum), maximum)
        until = fetched_at + lifetime
        return until if self.expires_at is None else min(until, self.expires_at)

    def require_covers(self, time: datetime) -> None:
        """Demand that the list speaks about `time`, which was asked for in the request (8.4).

        Raises:
            StatusUnavailable: `time` is not between `iat` and `exp`, or there is no `exp`: a server without history
                answered with its current list.
        """
        if self.expires_at is None or not self.issued_at <= time <= self.expires_at:
            raise StatusUnavailable("the status list does not cover the time that was asked for")


def prepare_status_list_token(  # noqa: PLR0913  # one argument for each member of the token
    array: StatusArray,
    *,
    uri: str,
    issued_at: datetime,
    algorithm: str,
    expires_at: datetime | None = None,
    ttl: timedelta | None = None,
    x5c: Sequence[bytes] = (),
    header: Mapping[str, Any] | None = None,
    aggregation_uri: str | None = None,
) -> UnsignedJws:
    """Prepare a Status List Token in JWT form (5.1). The list is copied and compressed now.

    Args:
        array: the list.
        uri: where the token will be served: its `sub`, and the `uri` in every credential that refers to it.
        issued_at: now.
        algorithm: of the key that will sign.
        expires_at: when the list is no longer true, recommended.
        ttl: how long a copy may be cached, recommended; whole seconds.
        x5c: the signer's chain as DER, without the anchor (HAIP).
        header: what names the key without a chain: `kid`, or `jwk` for relying parties that pinned it.
        aggregation_uri: where the issuer lists all its lists.
    """
    status_list = {"bits": array.bits, "lst": b64u_encode(array.compress()), "aggregation_uri": aggregation_uri}
    claims = list_claims(uri, issued_at, expires_at, ttl) | {STATUS_LIST: without_none(status_list)}
    chain = {"x5c": x5c_header(x5c)} if x5c else {}
    named = {NAMES[label]: value for label, value in claims.items()}
    return prepare_jws(named, algorithm=algorithm, typ=_JWT_TYPE, header={**(header or {}), **chain})


def prepare_status_list_cwt(  # noqa: PLR0913  # one argument for each member of the token
    array: StatusArray,
    *,
    uri: str,
    issued_at: datetime,
    algorithm: str,
    expires_at: datetime | None = None,
    ttl: timedelta | None = None,
    x5chain: Sequence[bytes] = (),
    key_id: bytes | None = None,
    aggregation_uri: str | None = None,
) -> UnsignedSign1:
    """Prepare a Status List Token in CWT form (5.2): tagged COSE_Sign1. Arguments as for the JWT form."""
    status_list = {"bits": array.bits, "lst": array.compress(), "aggregation_uri": aggregation_uri}
    claims = list_claims(uri, issued_at, expires_at, ttl) | {STATUS_LIST: without_none(status_list)}
    unprotected = without_none({KEY_ID: key_id, X5CHAIN: x5chain_header(x5chain) if x5chain else None})
    return prepare_sign1(
        cbor_dumps(claims), algorithm=algorithm, protected={TYPE: CWT_MEDIA_TYPE}, unprotected=unprotected, tagged=True
    )


@dataclass(frozen=True)
class StatusListToken:
    """A Status List Token in its parts. Nothing in it is believed yet."""

    parts: Jws | Sign1

    @property
    def media_type(self) -> str:
        """The form that it has, which must be the content type of the response (8.2)."""
        return JWT_MEDIA_TYPE if isinstance(self.parts, Jws) else CWT_MEDIA_TYPE

    @property
    def x5c(self) -> tuple[bytes, ...]:
        """The signer's chain as DER, empty without one."""
        return self.parts.x5c if isinstance(self.parts, Jws) else self.parts.x5chain

    @property
    def jwk(self) -> object:
        """The key in the header of a JWT; it proves nothing unless it is pinned."""
        return self.parts.header.get("jwk") if isinstance(self.parts, Jws) else None


def parse_status_list_token(token: str | bytes) -> StatusListToken:
    """Take a token apart: a tagged COSE_Sign1, else a JWT. Shape only: nothing is verified.

    Raises:
        MalformedInput: too big, or neither.
    """
    if isinstance(token, bytes) and token[:1] == _SIGN1_TAG:
        return StatusListToken(parse_sign1(token, max_bytes=MAX_TOKEN_BYTES))
    try:
        text = token if isinstance(token, str) else token.decode("ascii")
    except UnicodeDecodeError:
        raise MalformedInput("expected a status list token: a JWT, or a COSE_Sign1 with its tag") from None
    return StatusListToken(parse_jws(text, max_bytes=MAX_TOKEN_BYTES))


def verify_status_list_token(
    token: StatusListToken | str | bytes,
    *,
    uri: str,
    key: PublicKey,
    now: datetime,
    leeway: timedelta = LEEWAY,
    max_age: timedelta | None = None,
    algorithms: Collection[str] = ALGORITHMS,
    media_types: Collection[str] = MEDIA_TYPES,
) -> StatusList:
    """Verify a Status List Token and return its list (8.3, steps 3 to 5).

    Args:
        token: as it was fetched, or parsed.
        uri: the `uri` of the credential's reference.
        key: the status issuer's key, trusted by the caller.
        now: the time of the check.
        leeway: how far clocks may differ.
        max_age: how old the list may be by the caller's own policy.
        algorithms: the signature algorithms that are acceptable.
        media_types: the forms that are acceptable; for an SD-JWT VC the JWT form alone.

    Raises:
        MalformedInput: not a token, a required claim is missing, or a claim or the list has the wrong form.
        WrongType: another type of token, or an algorithm or form that is not acceptable.
        BadSignature: the signature does not verify.
        ClaimMismatch: a list for another URI.
        Expired: the list is expired, or older than `max_age`.
        NotYetValid: the list comes from the future.
    """
    token = token if isinstance(token, StatusListToken) else parse_status_list_token(token)
    if token.media_type not in media_types:
        raise WrongType(f"expected a status list as {' or '.join(media_types)}, got {token.media_type}")
    claims = _verified_claims(token.parts, key, algorithms)  # 3a: signature, type
    status_list = claims.get("status_list")
    if not isinstance(status_list, Mapping):  # 3b: required claims
        raise MalformedInput("expected a status_list object in the status list token")
    require_subject(claims, uri)  # 4a
    issued_at, expires_at = require_current(claims, now=now, leeway=leeway, max_age=max_age)  # 4b, 4c
    return StatusList(
        uri=uri,
        array=_array(status_list, token.media_type),  # 5
        issued_at=issued_at,
        expires_at=expires_at,
        ttl=time_to_live(claims),  # 4d is the cache's
        aggregation_uri=_aggregation_uri(status_list),
        key=key,
        x5c=token.x5c,
    )


def _verified_claims(parts: Jws | Sign1, key: PublicKey, algorithms: Collection[str]) -> Mapping[str, Any]:
    """Return the claims by the names that they have in a JWT."""
    if isinstance(parts, Jws):
        return verify_jws(parts, key, algorithms=algorithms, typ=_JWT_TYPE).claims
    if parts.protected.get(TYPE) != CWT_MEDIA_TYPE:
        raise WrongType(f"expected a CWT of type {CWT_MEDIA_TYPE}, got another or none")
    payload = verify_sign1(parts, key, algorithms=algorithms).payload
    claims = cbor_loads(payload, max_bytes=MAX_TOKEN_BYTES)
    if not isinstance(claims, Mapping):
        raise MalformedInput(f"expected a map of claims in the CWT, got {type(claims).__name__}")
    return {name: claims[label] for label, name in NAMES.items() if label in claims}


def _array(status_list: Mapping[str, Any], media_type: str) -> StatusArray:
    """Read the list: `lst` is base64url in JSON (4.2), a byte string in CBOR (4.3)."""
    bits, lst = status_list.get("bits"), status_list.get("lst")
    compressed = b64u_decode(lst) if media_type == JWT_MEDIA_TYPE and isinstance(lst, str) else lst
    if type(bits) is not int or not isinstance(compressed, bytes):
        raise MalformedInput("expected bits and lst in the status list")
    return StatusArray.from_compressed(compressed, bits=bits)


def _aggregation_uri(status_list: Mapping[str, Any]) -> str | None:
    uri = status_list.get("aggregation_uri")
    if uri is not None and not isinstance(uri, str):
        raise MalformedInput("expected text as aggregation_uri of the status list")
    return uri
