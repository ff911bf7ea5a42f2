"""Identifier list: the identifiers of the mdocs that their issuer has revoked, as a signed CWT.

Spec: ISO/IEC 18013-5 second edition 12.3.6, as far as its public readers tell (Regulation (EU) 2024/2979 Annex 2, and
open implementations): the reference in an MSO, the claim 65530, the type `application/identifierlist+cwt`. Whatever is
not in the list is valid, so the list must be the issuer's own and current; fetching it is the caller's business.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Self

from byoid.cbor import cbor_dumps, cbor_loads
from byoid.cose import TYPE, X5CHAIN, Sign1, UnsignedSign1, parse_sign1, prepare_sign1, verify_sign1, x5chain_header
from byoid.errors import MalformedInput, Revoked, WrongType
from byoid.formats.status_claims import (
    IDENTIFIER_LIST,
    LEEWAY,
    NAMES,
    STATUS_LIST,
    list_claims,
    require_current,
    require_subject,
    time_to_live,
)
from byoid.keys import PublicKey

MEDIA_TYPE: Final = "application/identifierlist+cwt"
MAX_TOKEN_BYTES: Final = 4 << 20
MAX_IDENTIFIER_BYTES: Final = 64
MAX_URI_LENGTH: Final = 2048
ALGORITHMS: Final = frozenset({"ES256", "ES384", "ES512"})


@dataclass(frozen=True, slots=True)
class IdentifierReference:
    """The `identifier_list` of an MSO's `status`: the list's URI, and this mdoc's identifier."""

    uri: str
    identifier: bytes

    @classmethod
    def from_claim(cls, status: object) -> Self | None:
        """Read the `status` of an MSO; None if it has no `identifier_list`.

        Raises:
            MalformedInput: not a map, or an `identifier_list` without a usable `id` and `uri`.
        """
        if status is None:
            return None
        if not isinstance(status, Mapping):
            raise MalformedInput(f"expected a status map, got {type(status).__name__}")
        match status.get("identifier_list"):
            case None:
                return None
            case {"id": bytes() as identifier, "uri": str() as uri} if identifier and uri:
                if len(identifier) <= MAX_IDENTIFIER_BYTES and len(uri) <= MAX_URI_LENGTH:
                    return cls(uri=uri, identifier=identifier)
        raise MalformedInput("expected a byte string as id and a URI as uri of the identifier_list")

    def to_claim(self) -> dict[str, Any]:
        """Return the value of an MSO's `status`."""
        return {"identifier_list": {"id": self.identifier, "uri": self.uri}}


@dataclass(frozen=True)
class IdentifierList:
    """An identifier list whose token was verified."""

    uri: str
    identifiers: frozenset[bytes]
    issued_at: datetime
    expires_at: datetime | None
    ttl: timedelta | None

    def require_not_listed(self, identifier: bytes) -> None:
        """Accept an mdoc that is not in the list.

        Raises:
            Revoked: it is.
        """
        if identifier in self.identifiers:
            raise Revoked("the issuer has revoked the mdoc")


def prepare_identifier_list(
    identifiers: Collection[bytes],
    *,
    uri: str,
    issued_at: datetime,
    algorithm: str,
    expires_at: datetime | None = None,
    ttl: timedelta | None = None,
    x5chain: Sequence[bytes] = (),
) -> UnsignedSign1:
    """Prepare a list of revoked identifiers: a tagged COSE_Sign1, the signer's chain without the anchor."""
    revoked: dict[bytes, dict[str, Any]] = {identifier: {} for identifier in identifiers}
    claims = list_claims(uri, issued_at, expires_at, ttl) | {IDENTIFIER_LIST: {"identifiers": revoked}}
    protected = {TYPE: MEDIA_TYPE, **({X5CHAIN: x5chain_header(x5chain)} if x5chain else {})}
    return prepare_sign1(cbor_dumps(claims), algorithm=algorithm, protected=protected, tagged=True)


def verify_identifier_list(
    token: bytes | Sign1,
    *,
    uri: str,
    key: PublicKey,
    now: datetime,
    leeway: timedelta = LEEWAY,
    max_age: timedelta | None = None,
    algorithms: Collection[str] = ALGORITHMS,
) -> IdentifierList:
    """Verify a list and return the identifiers in it.

    Args:
        token: as it was fetched, or parsed by `parse_sign1`.
        uri: the `uri` of the credential's reference.
        key: the list issuer's key, trusted by the caller.
        now: the time of the check.
        leeway: how far clocks may differ.
        max_age: how old the list may be by the caller's own policy.
        algorithms: the signature algorithms that are acceptable.

    Raises:
        MalformedInput: not such a token, a required claim is missing, or a claim has the wrong form.
        WrongType: another type of token, or an algorithm that is not acceptable.
        BadSignature: the signature does not verify.
        ClaimMismatch: a list for another URI.
        Expired: the list is expired, or older than `max_age`.
        NotYetValid: the list comes from the future.
    """
    sign1 = token if isinstance(token, Sign1) else parse_sign1(token, max_bytes=MAX_TOKEN_BYTES)
    if sign1.protected.get(TYPE) != MEDIA_TYPE:
        raise WrongType(f"expected a CWT of type {MEDIA_TYPE}, got another or none")
    labelled = cbor_loads(verify_sign1(sign1, key, algorithms=algorithms).payload, max_bytes=MAX_TOKEN_BYTES)
    if not isinstance(labelled, Mapping) or STATUS_LIST in labelled:  # 12.3.6.4: one kind of list in a token
        raise MalformedInput("expected claims with an identifier list, and no status list")
    claims = {name: labelled[label] for label, name in NAMES.items() if label in labelled}
    require_subject(claims, uri)
    issued_at, expires_at = require_current(claims, now=now, leeway=leeway, max_age=max_age)
    return IdentifierList(uri, _identifiers(claims), issued_at, expires_at, time_to_live(claims))


def _identifiers(claims: Mapping[str, Any]) -> frozenset[bytes]:
    match claims.get("identifier_list"):
        case {"identifiers": dict() as identifiers} if all(isinstance(identifier, bytes) for identifier in identifiers):
            return frozenset(identifiers)
    raise MalformedInput("expected a map of byte strings as identifiers of the identifier list")
