"""A relying party's own query, and rules about it: more is demanded of what we wrote than of what a stranger sends.

OpenID4VP 1.0 section 6 lets an unknown member pass, and a format that nobody here reads. In a query of our own the one
is a misspelt wish, such as `vaules`, which would be none; the other one could never be answered.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from byoid.errors import MalformedInput
from byoid.formats import MSO_MDOC, SD_JWT_VC
from byoid.message import parse_message
from byoid.presentation.dcql import DcqlQuery
from byoid.presentation.issuer_trust import IssuerTrust, X509Trust, fitting
from byoid.presentation.same_person import SameClaims, SameHolderKey, SamePerson

FORMATS: Final = (SD_JWT_VC, MSO_MDOC)


def parse_own_query(members: Mapping[str, Any]) -> DcqlQuery:
    """Parse a query that we are going to send.

    Raises:
        MalformedInput: it breaks a rule of section 6, names a claim twice, has a member that DCQL does not have, or
            asks for a format that byoid does not verify.
    """
    query = parse_message(DcqlQuery, members)
    if unknown := sorted(set(_unknown(members, query.to_wire()))):
        raise MalformedInput(f"DcqlQuery: there is no member called {', '.join(unknown)}")
    for credential in query.credentials:
        if credential.format not in FORMATS:
            raise MalformedInput(
                f"{credential.id}: expected the format {' or '.join(FORMATS)}, got {credential.format}"
            )
    try:
        query.require_distinct_claims()
    except ValueError as error:
        raise MalformedInput(str(error)) from error
    return query


def require_rules_about(query: DcqlQuery, rules: Iterable[SamePerson]) -> None:
    """Demand that rules about one person are such, and speak of what is asked: a misspelt rule would be no rule.

    Raises:
        ValueError: another kind of object, or a credential query that there is not.
    """
    asked = {each.id for each in query.credentials}
    for rule in rules:
        if not isinstance(rule, SameHolderKey | SameClaims):
            raise ValueError(f"expected SameHolderKey or SameClaims in same_person, got {type(rule).__name__}")
        named = rule.query_ids if isinstance(rule, SameHolderKey) else frozenset().union(*rule.claims)
        if unknown := sorted(named - asked):
            raise ValueError(f"same_person: no credential query is called {', '.join(unknown)}")


def require_trust_for(query: DcqlQuery, trust: Mapping[str, IssuerTrust]) -> None:
    """Demand that somebody may sign each credential that is asked for, and that nothing else is spoken of.

    Raises:
        ValueError: there is no trust for a credential query, or one that could never be met.
    """
    asked = {each.id for each in query.credentials}
    if asked != trust.keys():
        raise ValueError(f"expected trust for {_names(asked)}, got it for {_names(trust)}")
    for credential in query.credentials:
        found = fitting(trust[credential.id], credential)
        if isinstance(found, X509Trust) and not any(map(found.anchors.for_purpose, found.purposes)):
            raise ValueError(f"nobody is trusted to sign {credential.id}: no anchor is for {_names(found.purposes)}")


def _names(names: Iterable[str]) -> str:
    return " or ".join(sorted(map(str, names))) or "nothing"


def _unknown(given: object, understood: object) -> Iterator[str]:
    """Yield the names of members that were not understood."""
    if isinstance(given, Mapping) and isinstance(understood, Mapping):
        yield from (str(name) for name, value in given.items() if name not in understood and value is not None)
        for name in given.keys() & understood.keys():
            yield from _unknown(given[name], understood[name])
    elif isinstance(given, Sequence) and isinstance(understood, Sequence) and not isinstance(given, str):
        for one, other in zip(given, understood, strict=False):
            yield from _unknown(one, other)
