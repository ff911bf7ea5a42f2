"""Whether credentials that were presented together belong to one person, by a rule that the verifier states.

Spec: OpenID4VP 1.0 section 14.4 (claims that identify a person hold only together with their issuer). Nothing in a
response says by itself that its credentials are one person's: a wallet may hold several people's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, assert_never

from byoid.claims import ClaimPath, select
from byoid.encoding import json_dumps
from byoid.errors import ClaimMismatch, HolderBindingError
from byoid.presentation.authentication import AuthenticPresentation

if TYPE_CHECKING:
    from byoid.presentation.dcql import DcqlQuery


@dataclass(frozen=True)
class SameHolderKey:
    """The presentations of these credential queries are proved with one and the same key."""

    query_ids: frozenset[str]


@dataclass(frozen=True)
class SameClaims:
    """Claims that say the same in each credential: for each, where it stands, by credential query."""

    claims: tuple[Mapping[str, ClaimPath], ...]


SamePerson: TypeAlias = SameHolderKey | SameClaims


def require_said(query: "DcqlQuery", same_person: Sequence[object] | None) -> None:
    """Demand that who asks for several credentials says whether they must belong to one person.

    Raises:
        ValueError: nothing is said; two people could answer together.
    """
    if same_person is None and query.may_show_several:
        raise ValueError("expected same_person with several credentials: rules that bind them, or [] if nothing does")


def require_same_person(presentations: Sequence[AuthenticPresentation], rule: SamePerson) -> None:
    """Demand what the rule says, of those of its credential queries that were answered.

    Raises:
        HolderBindingError: the holder's keys differ, or one was not proved.
        ClaimMismatch: a claim is missing, or says something else in another credential.
    """
    match rule:
        case SameHolderKey():
            keys = {each.holder_key for each in presentations if each.query_id in rule.query_ids}
            if None in keys or len(keys) > 1:
                raise HolderBindingError("the credentials are not proved with one and the same key")
        case SameClaims():
            for paths in rule.claims:
                _require_same(presentations, paths)
        case _:  # pragma: no cover
            assert_never(rule)


def _require_same(presentations: Sequence[AuthenticPresentation], paths: Mapping[str, ClaimPath]) -> None:
    found = {_comparable(each.claims, paths[each.query_id]) for each in presentations if each.query_id in paths}
    if len(found) > 1:
        raise ClaimMismatch("a claim that must be the same in all credentials is not")


def _comparable(claims: Mapping[str, Any], path: ClaimPath) -> bytes:
    """Return a claim in a form whose equality is that of type and value; dates of an mdoc count as their text."""
    return json_dumps([each if isinstance(each, str | int | bool) else str(each) for each in select(claims, path)])
