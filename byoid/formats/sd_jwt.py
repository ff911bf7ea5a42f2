"""SD-JWT: a signed JWT whose claims are disclosed one by one. Parsing, and verification of all but the key binding.

Spec: RFC 9901 section 4 (compact serialisation; the optional JSON serialisation of section 8 is not supported), 7.1.
Issuing is in `sd_jwt_issue`, the holder's side in `sd_jwt_held`, the key binding JWT in `sd_jwt_key_binding`. Whether
the key belongs to the issuer (7.1 step 2.3) is the caller's to establish.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from byoid.claims import ClaimPath
from byoid.encoding import MAX_JSON_DEPTH, b64u_decode, b64u_encode, json_loads
from byoid.errors import DigestMismatch, Expired, MalformedInput, NotYetValid, WrongType
from byoid.jose import Jws, VerifiedJws, parse_jws, verify_jws
from byoid.keys import PublicKey

HASH_ALGORITHMS: Final = {"sha-256": hashlib.sha256, "sha-384": hashlib.sha384, "sha-512": hashlib.sha512}
DEFAULT_HASH: Final = "sha-256"
MAX_SD_JWT_CHARACTERS: Final = 1 << 20
MAX_NUMERIC_DATE: Final = 253_402_300_799  # the last second of the year 9999
DIGESTS: Final = "_sd"
PLACEHOLDER: Final = "..."
HASH_NAME: Final = "_sd_alg"

_RESERVED: Final = frozenset({DIGESTS, PLACEHOLDER, HASH_NAME})
_CONTAINERS: Final = (dict, list)
_MEMBER_LENGTH: Final = 3
_ELEMENT_LENGTH: Final = 2


@dataclass(frozen=True, slots=True)
class SdJwt:
    """An SD-JWT or SD-JWT+KB that was taken apart; nothing about it is believed yet.

    `presented` is the text up to and with the last tilde: what `sd_hash` covers.
    """

    jws: Jws
    disclosures: tuple[str, ...]
    key_binding_jwt: str | None
    presented: str

    @property
    def x5c(self) -> tuple[bytes, ...]:
        """The certificate chain of the header, DER, leaf first; empty if there is none."""
        return self.jws.x5c


def parse_sd_jwt(text: str, *, max_characters: int = MAX_SD_JWT_CHARACTERS) -> SdJwt:
    """Take an SD-JWT or SD-JWT+KB apart (section 4).

    Raises:
        MalformedInput: too long, no final tilde, an empty disclosure, or an issuer-signed JWT that is none.
    """
    if len(text) > max_characters:
        raise MalformedInput(f"an SD-JWT of {len(text)} characters, at most {max_characters} are accepted")
    presented, tilde, last = text.rpartition("~")
    if not tilde:
        raise MalformedInput("expected an SD-JWT, got no tilde")
    if last and last.count(".") != 2:  # noqa: PLR2004
        raise MalformedInput("expected a final tilde or a key binding JWT after the disclosures")
    jwt, *disclosures = presented.split("~")
    if not all(disclosures):
        raise MalformedInput("an SD-JWT has an empty disclosure")
    return SdJwt(parse_jws(jwt, max_bytes=max_characters), tuple(disclosures), last or None, presented + tilde)


@dataclass(frozen=True, slots=True)
class ProcessedSdJwt:
    """The Processed SD-JWT Payload of section 7.1, and where in it each disclosure went.

    Paths are as issued: indices count array elements that are not disclosed. `disclosed` gives for each path the
    position of its disclosure in the SD-JWT; `withheld` are array elements without a disclosure (or decoys).
    """

    claims: dict[str, Any]
    hash_name: str
    disclosed: Mapping[ClaimPath, int]
    withheld: AbstractSet[ClaimPath]


def verify_sd_jwt(
    sd_jwt: SdJwt,
    *,
    issuer_key: PublicKey,
    algorithms: Collection[str],
    typ: str | Collection[str],
    always_disclosed: AbstractSet[str],
    hash_names: Collection[str] = tuple(HASH_ALGORITHMS),
) -> tuple[VerifiedJws, ProcessedSdJwt]:
    """Verify the issuer's signature and process the disclosures (section 7.1, steps 2 to 5).

    Step 1 is `parse_sd_jwt`, step 6 `check_validity`, step 2.3 the caller's.

    Args:
        sd_jwt: as parsed.
        issuer_key: the key that belongs to the issuer (step 2.3).
        algorithms: acceptable signature algorithms.
        typ: the type, or types, one of which the header must name.
        always_disclosed: top-level claims that must not be hidden, nor anything within them.
        hash_names: acceptable hash algorithms.

    Raises:
        WrongType: another `typ`, algorithm or hash algorithm than those allowed.
        BadSignature: the issuer's signature does not verify.
        MalformedInput: payload or disclosures break the rules of sections 4 and 7.1.
        DigestMismatch: a disclosure that the issuer did not sign, or one that came twice.
    """
    verified = verify_jws(sd_jwt.jws, issuer_key, algorithms=algorithms, typ=typ)  # 2.1, 2.2
    return verified, process(
        verified.claims, sd_jwt.disclosures, always_disclosed=always_disclosed, hash_names=hash_names
    )


def process(
    payload: Mapping[str, Any],
    disclosures: Sequence[str],
    *,
    always_disclosed: AbstractSet[str] = frozenset(),
    hash_names: Collection[str] = tuple(HASH_ALGORITHMS),
) -> ProcessedSdJwt:
    """Put the disclosed claims where their digests are (section 7.1, steps 2.5 and 3 to 5).

    Raises:
        WrongType: a hash algorithm that is not allowed.
        MalformedInput: payload or disclosures break the rules of sections 4 and 7.1.
        DigestMismatch: a disclosure that the issuer did not sign, or one that came twice.
    """
    hash_name = hash_name_of(payload)
    if hash_name not in hash_names or hash_name not in HASH_ALGORITHMS:  # 2.5
        raise WrongType(f"expected _sd_alg to be one of {', '.join(sorted(hash_names))}")
    always = {name: payload[name] for name in always_disclosed & payload.keys()}
    for name, value in always.items():
        if type(value) in _CONTAINERS:
            _refuse_hidden(name, value)
    walk = _Walk(_by_digest(disclosures, hash_name), always_disclosed)  # 3.1
    members = {name: value for name, value in payload.items() if name not in always and name != HASH_NAME}  # 3.6
    claims = always | walk.object(members, ())  # 3.2 to 3.5, 4
    if len(walk.disclosed) != len(disclosures):  # 5
        unused = len(disclosures) - len(walk.disclosed)
        raise DigestMismatch(f"{unused} of {len(disclosures)} disclosures match no digest that the issuer signed")
    return ProcessedSdJwt(claims, hash_name, walk.disclosed, walk.withheld)


def hash_name_of(payload: Mapping[str, Any]) -> str:
    """Return the hash algorithm of an issuer-signed payload, `sha-256` if it names none (section 4.1.1).

    Raises:
        MalformedInput: `_sd_alg` is not a string.
    """
    name = payload.get(HASH_NAME, DEFAULT_HASH)
    if not isinstance(name, str):
        raise MalformedInput(f"expected a string as _sd_alg, got {type(name).__name__}")
    return name


def digest(text: str, hash_name: str) -> str:
    """Hash a disclosure or a whole SD-JWT exactly as it was received (sections 4.2.3 and 4.3.1).

    Raises:
        MalformedInput: a character outside ASCII.
        WrongType: a hash algorithm that byoid does not know.
    """
    if hash_name not in HASH_ALGORITHMS:
        raise WrongType(f"expected one of the hash algorithms {', '.join(HASH_ALGORITHMS)}")
    if not text.isascii():
        raise MalformedInput("an SD-JWT with a character outside ASCII")
    return b64u_encode(HASH_ALGORITHMS[hash_name](text.encode("ascii")).digest())


def numeric_date(claims: Mapping[str, Any], name: str) -> datetime | None:
    """Read a NumericDate (RFC 7519 section 2); None if the claim is absent.

    Raises:
        MalformedInput: not a number, or outside the years that a date can have.
    """
    if name not in claims:
        return None
    value = claims[name]
    if type(value) not in (int, float) or not 0 <= value <= MAX_NUMERIC_DATE:  # refuses NaN and infinity too
        raise MalformedInput(f"expected a NumericDate as {name}, got {type(value).__name__} or a value out of range")
    return datetime.fromtimestamp(value, UTC)


def check_validity(
    claims: Mapping[str, Any], *, now: datetime, leeway: timedelta
) -> tuple[datetime | None, datetime | None]:
    """Check `exp`, `nbf` and `iat` of the processed payload, those that are there (section 7.1, step 6).

    Returns:
        `iat` and `exp`.

    Raises:
        Expired: `exp` is over.
        NotYetValid: `nbf` or `iat` is to come.
        MalformedInput: one of them is not a NumericDate.
    """
    expires, begins, issued = numeric_date(claims, "exp"), numeric_date(claims, "nbf"), numeric_date(claims, "iat")
    # Differences, since a date at the end of time and a leeway have no sum.
    if expires is not None and now - expires >= leeway:
        raise Expired(f"the SD-JWT expired at {expires.isoformat()}")
    if begins is not None and begins - now > leeway:
        raise NotYetValid(f"the SD-JWT is valid from {begins.isoformat()}")
    if issued is not None and issued - now > leeway:
        raise NotYetValid(f"the SD-JWT claims to have been issued at {issued.isoformat()}")
    return issued, expires


@dataclass(slots=True)
class _Walk:
    """One walk through a payload and, recursively, the disclosures that its digests name (steps 3.2 to 3.4, 4)."""

    by_digest: Mapping[str, tuple[int, str]]
    always_disclosed: AbstractSet[str]
    disclosed: dict[ClaimPath, int] = field(default_factory=dict)
    withheld: set[ClaimPath] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)

    def value(self, value: Any, path: ClaimPath) -> Any:
        """Process a value; the path bounds the depth, since disclosures within disclosures escape the JSON parser."""
        if len(path) > MAX_JSON_DEPTH:
            raise MalformedInput(f"an SD-JWT is nested deeper than {MAX_JSON_DEPTH}")
        if type(value) is dict:
            return self.object(value, path)
        return self.array(value, path) if type(value) is list else value

    def object(self, members: dict[str, Any], path: ClaimPath) -> dict[str, Any]:
        """Process an object: what is open first, then what its `_sd` discloses (3.3.2)."""
        if PLACEHOLDER in members or HASH_NAME in members:
            raise MalformedInput("an SD-JWT has ... or _sd_alg where it must not be")
        claims: dict[str, Any] = {}
        for name, value in members.items():
            if name == DIGESTS:
                continue
            claims[name] = self.value(value, (*path, name)) if type(value) in _CONTAINERS else value
        if DIGESTS in members:
            for found in self.find(members[DIGESTS]):
                self.insert(found, claims, path)
        return claims

    def insert(self, found: tuple[int, str], claims: dict[str, Any], path: ClaimPath) -> None:
        """Insert a disclosed member (3.3.2.1 to 3.3.2.5)."""
        index, disclosure = found
        _, name, value = _content(disclosure, _MEMBER_LENGTH)
        if type(name) is not str:
            raise MalformedInput(f"expected a string as a disclosure's claim name, got {type(name).__name__}")
        if name in _RESERVED:
            raise MalformedInput(f"a disclosure has the claim name {name}")
        if name in claims:
            raise MalformedInput("a disclosure has the name of a claim that is there already")
        if not path and name in self.always_disclosed:
            raise MalformedInput(f"the claim {name} must not be selectively disclosable")
        place = (*path, name)
        self.disclosed[place] = index
        claims[name] = self.value(value, place) if type(value) in _CONTAINERS else value

    def array(self, elements: list[Any], path: ClaimPath) -> list[Any]:
        """Process an array: disclosed elements take their place, the others are left out (3.3.3, 3.4)."""
        kept: list[Any] = []
        for position, element in enumerate(elements):
            place = (*path, position)
            if type(element) is not dict or PLACEHOLDER not in element:
                kept.append(self.value(element, place))
                continue
            if len(element) != 1:
                raise MalformedInput("an array element with a digest has other members too")
            found = self.find([element[PLACEHOLDER]])
            if not found:
                self.withheld.add(place)
                continue
            index, disclosure = found[0]
            self.disclosed[place] = index
            kept.append(self.value(_content(disclosure, _ELEMENT_LENGTH)[1], place))
        return kept

    def find(self, digests: Any) -> list[tuple[int, str]]:
        """Return the disclosures of embedded digests, ignoring decoys and what the holder keeps back (3.3.1, 4)."""
        if not isinstance(digests, list) or not {str}.issuperset(map(type, digests)):
            raise MalformedInput("expected digests to be texts, and _sd to be an array of them")
        found = set(digests)
        if len(found) != len(digests) or not self.seen.isdisjoint(found):
            raise MalformedInput("an SD-JWT contains the same digest twice")
        self.seen |= found
        return [self.by_digest[each] for each in digests if each in self.by_digest]


def _by_digest(disclosures: Sequence[str], hash_name: str) -> dict[str, tuple[int, str]]:
    hashed, found = HASH_ALGORITHMS[hash_name], {}
    try:
        for index, disclosure in enumerate(disclosures):
            found[b64u_encode(hashed(disclosure.encode("ascii")).digest())] = (index, disclosure)
    except UnicodeEncodeError:
        raise MalformedInput("a disclosure with a character outside ASCII") from None
    if len(found) != len(disclosures):
        raise DigestMismatch("a disclosure was sent twice")
    return found


def _content(disclosure: str, length: int) -> list[Any]:
    """Decode a disclosure: salt, name and value of a member, or salt and value of an element."""
    content = json_loads(b64u_decode(disclosure))
    if type(content) is not list or len(content) != length:
        raise MalformedInput(f"expected a disclosure to be an array of {length} elements")
    if type(content[0]) is not str:
        raise MalformedInput(f"expected a string as a disclosure's salt, got {type(content[0]).__name__}")
    return content


def _refuse_hidden(name: str, value: Any) -> None:
    """Refuse digests within a claim that decides about validity: what they hide could not be checked."""
    if type(value) is dict:
        if not _RESERVED.isdisjoint(value):
            raise MalformedInput(f"nothing in the claim {name} may be selectively disclosable")
        value = value.values()
    for member in value:
        if type(member) in _CONTAINERS:
            _refuse_hidden(name, member)
