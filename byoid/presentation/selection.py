"""Which credentials, and which of their claims, answer a DCQL query: the wallet's choice, the verifier's second look.

Spec: OpenID4VP 1.0 section 6.4 (rules), 6.1.1 (trusted authorities), 6.3 (values), 14.9 (the verifier checks again).
The same rules serve both sides: the wallet asks them of what it holds, the verifier of what it has verified.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from byoid.claims import ClaimPath, locate, matches
from byoid.encoding import b64u_encode
from byoid.errors import ClaimMismatch, HolderBindingError, UntrustedIssuer, VerificationError, WrongType
from byoid.formats import MSO_MDOC

if TYPE_CHECKING:
    from byoid.presentation.dcql import ClaimsQuery, CredentialQuery, CredentialSetQuery, DcqlQuery, TrustedAuthority


class Candidate(Protocol):
    """A credential that might answer a query: one that a wallet holds, or one that a verifier was shown."""

    @property
    def format(self) -> str:
        """The Credential Format Identifier."""
        ...

    @property
    def types(self) -> Collection[str]:
        """The `vct` and every type that it extends, or the doctype."""
        ...

    @property
    def claims(self) -> Mapping[str, Any]:
        """The claims, for an mdoc as `{namespace: {element: value}}`."""
        ...

    @property
    def holder_bound(self) -> bool:
        """Whether it is bound to a key; for one that was shown, whether the binding was proved."""
        ...

    @property
    def key_identifiers(self) -> Collection[bytes]:
        """The authority key identifiers of the certificates in its chain."""
        ...

    @property
    def trusted_lists(self) -> Collection[str]:
        """The identifiers of the trusted lists that its issuer is on."""
        ...


C = TypeVar("C", bound=Candidate)


@dataclass(frozen=True, slots=True)
class Answer(Generic[C]):
    """A credential that answers a credential query, and the claims to show: combinations, the preferred one first.

    Paths are concrete (no nulls). A combination without paths shows nothing that is selectively disclosable.
    """

    candidate: C
    claim_sets: tuple[tuple[ClaimPath, ...], ...]

    @property
    def paths(self) -> tuple[ClaimPath, ...]:
        """The preferred combination."""
        return self.claim_sets[0]


@dataclass(frozen=True, slots=True)
class SetChoice:
    """A credential set and those of its options, as query ids, that can be satisfied; the preferred one first."""

    required: bool
    options: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Match(Generic[C]):
    """Every way to answer a query. `answers` has an entry for each credential query, empty if nothing fits."""

    answers: Mapping[str, tuple[Answer[C], ...]]
    sets: tuple[SetChoice, ...]

    @property
    def satisfiable(self) -> bool:
        """Whether every required set has an option; if not, nothing may be returned (6.4.2)."""
        return all(choice.options for choice in self.sets if choice.required)


def match(query: DcqlQuery, held: Sequence[C]) -> Match[C]:
    """Find all answers to a query among the credentials that a wallet holds."""
    answers = {each.id: tuple(_answers(each, held)) for each in query.credentials}
    answered = {query_id for query_id, found in answers.items() if found}
    return Match(answers, tuple(_choice(each, answered) for each in query.sets))


def answer(query: CredentialQuery, candidate: C, *, withheld: AbstractSet[ClaimPath] = frozenset()) -> Answer[C]:
    """Return how a credential answers a credential query.

    Args:
        query: what is asked.
        candidate: the credential.
        withheld: array elements that a presentation does not disclose (`ProcessedSdJwt.withheld`). They have left no
            gap (RFC 9901 section 7.1 removes them), so an index may find its element as many places further on.

    Raises:
        WrongType: another format or type.
        HolderBindingError: a proof of holder binding is required, and there is none.
        UntrustedIssuer: none of the trusted authorities fits.
        ClaimMismatch: a claim is missing or has another value, in every claim set.
    """
    if candidate.format != query.format:
        raise WrongType(f"expected a credential in the format {query.format}")
    types = query.types
    if types is not None and types.isdisjoint(candidate.types):
        raise WrongType(f"expected a credential of type {_some(types)}, got {_some(candidate.types)}")
    if query.require_cryptographic_holder_binding and not candidate.holder_bound:
        raise HolderBindingError("expected a credential with holder binding")
    if query.trusted_authorities and not any(_certifies(each, candidate) for each in query.trusted_authorities):
        raise UntrustedIssuer("none of the trusted authorities of the query certifies the issuer")
    return Answer(candidate, _claim_sets(query, candidate, withheld))


def require_sets(query: DcqlQuery, answered: AbstractSet[str]) -> None:
    """Demand that the credential queries that were answered satisfy every required credential set (6.4.2).

    Raises:
        ClaimMismatch: a required set has no option that was answered in full.
    """
    for position, each in enumerate(query.sets):
        if each.required and not any(set(option) <= answered for option in each.options):
            raise ClaimMismatch(f"credential set {position} is required, and none of its options was answered in full")


def _answers(query: CredentialQuery, held: Iterable[C]) -> Iterable[Answer[C]]:
    for candidate in held:
        try:
            yield answer(query, candidate)
        except VerificationError:
            continue


def _some(types: Iterable[str]) -> str:
    return " or ".join(sorted(types)[:3])


def _name(path: ClaimPath) -> str:
    return ".".join("*" if component is None else str(component) for component in path)


def _choice(credential_set: CredentialSetQuery, answered: Collection[str]) -> SetChoice:
    options = (option for option in credential_set.options if all(query_id in answered for query_id in option))
    return SetChoice(credential_set.required, tuple(options))


def _certifies(authority: TrustedAuthority, candidate: Candidate) -> bool:
    """Tell whether an authority certifies the issuer; a type that byoid does not know never does."""
    match authority.type:
        case "aki":
            return not {b64u_encode(each) for each in candidate.key_identifiers}.isdisjoint(authority.values)
        case "etsi_tl":
            return not set(candidate.trusted_lists).isdisjoint(authority.values)
        case _:
            return False


def _claim_sets(
    query: CredentialQuery, candidate: Candidate, withheld: AbstractSet[ClaimPath]
) -> tuple[tuple[ClaimPath, ...], ...]:
    """Return the paths of every combination that the credential can satisfy."""
    satisfied = []
    failure: ClaimMismatch | None = None
    for combination in query.alternatives:
        paths: dict[ClaimPath, None] = {}
        try:
            for claim in combination:
                paths.update(dict.fromkeys(_paths(claim, candidate, withheld)))
            satisfied.append(tuple(paths))
        except ClaimMismatch as error:
            failure = failure or ClaimMismatch(f"{_name(claim.path)}: {error}")
    if not satisfied and failure is not None:
        raise failure
    return tuple(satisfied)


def _paths(claim: ClaimsQuery, candidate: Candidate, withheld: AbstractSet[ClaimPath]) -> list[ClaimPath]:
    """Return the concrete paths that a claims query selects."""
    try:
        return _fitting(claim, candidate, claim.path)
    except ClaimMismatch:
        if not withheld:
            raise
        anywhere = tuple(None if isinstance(component, int) else component for component in claim.path)
        found = [path for path in _fitting(claim, candidate, anywhere) if _moved_up(claim.path, path, withheld)]
        if not found:
            raise
        return found


def _moved_up(asked: ClaimPath, found: ClaimPath, withheld: AbstractSet[ClaimPath]) -> bool:
    """Tell whether a path can be the one asked for: each index at most as much lower as elements are withheld there."""
    return all(
        wanted - index <= sum(_is_element_of(asked[:depth], place) for place in withheld) and index <= wanted
        for depth, (wanted, index) in enumerate(zip(asked, found, strict=True))
        if isinstance(wanted, int) and isinstance(index, int)
    )


def _is_element_of(array: ClaimPath, place: ClaimPath) -> bool:
    """Tell whether a place is in this array, or in one beside it in an array above, whose indices have moved too."""
    return len(place) == len(array) + 1 and all(
        mine == other or not isinstance(mine, str) for mine, other in zip(array, place, strict=False)
    )


def _fitting(claim: ClaimsQuery, candidate: Candidate, path: ClaimPath) -> list[ClaimPath]:
    """Select by a path; elements that have none of the wanted values count as absent (6.4.1)."""
    found = locate(candidate.claims, path)
    if claim.values is None:
        return [concrete for concrete, _ in found]
    if candidate.format == MSO_MDOC:
        found = [(concrete, _json(value)) for concrete, value in found]
    fitting = [concrete for concrete, value in found if any(matches(value, wanted) for wanted in claim.values)]
    if not fitting:
        raise ClaimMismatch("a claim has none of the values that are asked for")
    return fitting


_UTC_SUFFIX: Final = "+00:00"


def _json(value: object) -> object:
    """Convert a CBOR value for comparison with JSON: byte strings as base64url, dates as text (RFC 8949 6.1)."""
    if isinstance(value, bytes):
        return b64u_encode(value)
    if isinstance(value, datetime):
        return value.isoformat().replace(_UTC_SUFFIX, "Z")
    return value.isoformat() if isinstance(value, date) else value
