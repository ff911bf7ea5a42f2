"""From what a wallet showed to the claims of OpenID Connect: which claim comes from where, and whose `sub` it is.

OpenID Connect Core 1.0 5.1 (standard claims), 5.4 (scopes), 5.5 (`claims`), 8.1 (pairwise subjects). Nothing is
invented: a claim that was not shown is left out, and none is given that the query of the login does not ask for.
"""

import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

from pydantic import ConfigDict, field_validator

from byoid.claims import ClaimPath, select
from byoid.encoding import b64u_encode, json_dumps
from byoid.errors import ClaimMismatch, MalformedInput
from byoid.message import Array, Message, NonEmptyArray, parse_message
from byoid.presentation.dcql import MSO_MDOC, CredentialQuery, DcqlQuery
from byoid.trust.signers import is_pid

PID_SHOWN: Final = "urn:byoid:acr:pid"  # PIDs that are bound to their holder, and not revoked, and nothing else
SCOPES: Final = ("openid", "profile", "email", "address", "phone")
ADDRESS: Final = ("formatted", "street_address", "locality", "region", "postal_code", "country")
_OF_SCOPE: Final = {
    "email": frozenset({"email", "email_verified"}),
    "phone": frozenset({"phone_number", "phone_number_verified"}),
    "address": frozenset({"address"}),
}
_OURS: Final = frozenset({
    "sub", "iss", "aud", "exp", "iat", "nbf", "jti", "nonce", "auth_time", "acr", "amr", "azp", "at_hash", "c_hash",
    "sid",
})  # fmt: skip
_MAX_NAME: Final = 64
_SURE: Final = frozenset({"valid", "none"})  # of `status`: not revoked, or without one and good until it expires
# How the PID names what OpenID Connect has a claim for: in an SD-JWT VC, and in an mdoc. PID rulebook 3.1 and 4.1.
_PID: Final[Mapping[str, tuple[ClaimPath, str]]] = {
    "given_name": (("given_name",), "given_name"),
    "family_name": (("family_name",), "family_name"),
    "birthdate": (("birthdate",), "birth_date"),
    "birth_given_name": (("birth_given_name",), "given_name_birth"),
    "birth_family_name": (("birth_family_name",), "family_name_birth"),
    "place_of_birth": (("place_of_birth",), "place_of_birth"),
    "nationalities": (("nationalities",), "nationality"),
    "personal_administrative_number": (("personal_administrative_number",), "personal_administrative_number"),
    "age_over_18": (("age_equal_or_over", "18"), "age_over_18"),
    "email": (("email",), "email_address"),
    "phone_number": (("phone_number",), "mobile_phone_number"),
    "address.formatted": (("address", "formatted"), "resident_address"),
    "address.street_address": (("address", "street_address"), "resident_street"),
    "address.locality": (("address", "locality"), "resident_city"),
    "address.region": (("address", "region"), "resident_state"),
    "address.postal_code": (("address", "postal_code"), "resident_postal_code"),
    "address.country": (("address", "country"), "resident_country"),
}
STANDARD: Final = ("sub", *dict.fromkeys(name.partition(".")[0] for name in _PID))

Credentials: TypeAlias = Mapping[str, Sequence[Mapping[str, Any]]]  # as an outcome has them, by credential query


class ClaimSource(Message):
    """Where a claim comes from: a credential query of the login's query, and a path in what it asks for."""

    model_config = ConfigDict(extra="forbid")
    credential: str
    path: NonEmptyArray[str | int | None]


class LoginRules(Message):
    """Which claim comes from where, the first source that was shown counting, and which claims make the subject.

    A member of the address is named `address.country` and so on.
    """

    model_config = ConfigDict(extra="forbid")
    claims: dict[str, NonEmptyArray[ClaimSource]]
    subject: Array[str] = ()

    @field_validator("claims", mode="before")
    @classmethod
    def _one_source_needs_no_list(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {name: [each] if isinstance(each, dict) else each for name, each in value.items()}


def load_rules(path: Path) -> LoginRules:
    """Read rules from a TOML file.

    Raises:
        MalformedInput: it cannot be read, or breaks a rule.
    """
    try:
        return parse_message(LoginRules, tomllib.loads(path.read_text("utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, MalformedInput) as error:
        raise MalformedInput(f"{path.name}: {error}") from error


def default_rules(query: DcqlQuery) -> LoginRules:
    """Return the rules for the PIDs that a query asks for."""
    sources: dict[str, list[ClaimSource]] = {}
    for credential in query.credentials:
        for name, path in _pid_paths(credential):
            if _is_asked(path, credential):
                sources.setdefault(name, []).append(ClaimSource(credential=credential.id, path=path))
    return LoginRules(claims={name: tuple(each) for name, each in sources.items()})


def _pid_paths(credential: CredentialQuery) -> Iterable[tuple[str, ClaimPath]]:
    types = credential.types or ()
    if not types or not is_pid(types):
        return
    for name, (path, element) in _PID.items():
        yield name, (next(iter(types)), element) if credential.format == MSO_MDOC else path


def require_answerable(rules: LoginRules, query: DcqlQuery) -> None:
    """Refuse rules about what the query does not ask for: their claims would never be there.

    Raises:
        MalformedInput: a claim's name, source or place in the subject is wrong; the message says which.
    """
    for name, sources in rules.claims.items():
        if not _is_name(name):
            raise MalformedInput(f"claims: {name[:_MAX_NAME]!r} is not a claim that a login may give")
        for source in sources:
            credential = query.credential(source.credential)
            if credential is None or not _is_asked(source.path, credential):
                raise MalformedInput(f"claims.{name}: the query does not ask for this path of {source.credential!r}")
    if unknown := set(rules.subject) - set(rules.claims):
        raise MalformedInput(f"subject: there is no claim {', '.join(sorted(unknown))}")


def _is_name(name: str) -> bool:
    head, dot, member = name.partition(".")
    fits = head == "address" and member in ADDRESS if dot else head not in {*_OURS, "address"}
    return fits and name.isprintable() and 0 < len(name) <= _MAX_NAME


def _is_asked(path: ClaimPath, credential: CredentialQuery) -> bool:
    """Tell whether a query asks for this place, for a part of it, or for something that holds it."""
    if credential.claims is None:
        return True
    return any(path[: len(asked)] == asked[: len(path)] for asked in credential.paths)


class Shown:
    """What a wallet showed, as a login's rules name it."""

    def __init__(self, rules: LoginRules, credentials: Credentials) -> None:
        self._rules = rules
        self._credentials = credentials
        found = ((name, self._first(sources)) for name, sources in rules.claims.items())
        self._found = {name: value for name, value in found if value is not None}

    @property
    def claims(self) -> dict[str, Any]:
        """The claims, with the address as one."""
        flat = {name: value for name, (_, value) in self._found.items() if "." not in name}
        address = {name.partition(".")[2]: value for name, (_, value) in self._found.items() if "." in name}
        return {**flat, "address": address} if address else flat

    @property
    def acr(self) -> str | None:
        """How well the person is known; None if no more can be said than that a wallet answered."""
        shown = [each for presentations in self._credentials.values() for each in presentations]
        is_met = all(is_pid((each["type"],)) and each["holder_bound"] and each["status"] in _SURE for each in shown)
        return PID_SHOWN if shown and is_met else None

    def subject(self, client_id: str, *, keyed_hash: Callable[[bytes], bytes]) -> str | None:
        """Return the pairwise `sub` (8.1): who says it, and what makes this person, for this client alone.

        None if a claim that it is made of was not shown.
        """
        parts = [self._found.get(name) for name in self._rules.subject]
        if not parts or None in parts:
            return None
        return b64u_encode(keyed_hash(json_dumps([client_id, parts])))

    def _first(self, sources: Iterable[ClaimSource]) -> tuple[str, Any] | None:
        """Return the first value that was shown, with who says so."""
        for source in sources:
            for credential in self._credentials.get(source.credential, ()):
                try:
                    values = select(credential["claims"], source.path)
                except ClaimMismatch:
                    continue
                return credential["issuer"], values if None in source.path else values[0]
        return None


def of_scopes(claims: Mapping[str, Any], scopes: Iterable[str]) -> dict[str, Any]:
    """Return the claims that scopes ask for (5.4). What belongs to no other scope comes with `profile`."""
    others = frozenset().union(*_OF_SCOPE.values())
    wanted = set(scopes)
    return {
        name: value
        for name, value in claims.items()
        if ("profile" in wanted and name not in others)
        or any(scope in wanted and name in names for scope, names in _OF_SCOPE.items())
    }
