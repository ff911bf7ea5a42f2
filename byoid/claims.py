"""Claims path pointers: which claims of a credential a path names, and whether a claim has an expected value.

Spec: OpenID4VP 1.0 section 7 (the same text is in OpenID4VCI 1.0 appendix C), section 6.3 (`values`). Claims are JSON
values, or for an mdoc `{namespace: {element: value}}`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from byoid.errors import ClaimMismatch, MalformedInput

MAX_INDEX: Final = 2**31 - 1  # Python's hashes of greater integers can be made to collide by whoever chooses them
_OBJECT: Final = (dict, Mapping)  # in this order: an abstract base class is slow to ask
ClaimPath: TypeAlias = tuple[str | int | None, ...]  # a name in an object, an index in an array, None for all elements


def parse_claim_path(value: object) -> ClaimPath:
    """Parse a path: a non-empty array of strings, nulls and non-negative integers.

    Raises:
        MalformedInput: anything else.
    """
    if not isinstance(value, Sequence) or isinstance(value, str | bytes) or not value:
        raise MalformedInput(f"a claims path pointer is a non-empty array, got {type(value).__name__}")
    for component in value:
        if not (component is None or isinstance(component, str) or _is_index(component)):
            raise MalformedInput("a claims path pointer consists of strings, nulls and non-negative integers")
    return tuple(value)


def locate(claims: Mapping[str, Any], path: ClaimPath) -> list[tuple[ClaimPath, Any]]:
    """Return the selected elements, each with the concrete path (no nulls) that leads to it (section 7.1.1).

    Raises:
        ClaimMismatch: a component meets an element of another kind, or nothing is selected in the end.
    """
    selected: list[tuple[ClaimPath, Any]] = [((), claims)]  # 1: the root
    for component in path:
        selected = _step(selected, component)
    if not selected or not path:
        raise ClaimMismatch("the claims path selects nothing")  # 3
    return selected


def select(claims: Mapping[str, Any], path: ClaimPath) -> list[Any]:
    """Return the values that a path selects, at least one.

    Raises:
        ClaimMismatch: a component meets an element of another kind, or nothing is selected in the end.
    """
    return [value for _, value in locate(claims, path)]


def matches(value: object, expected: str | int | bool) -> bool:
    """Tell whether a claim has exactly this type and value: `1` is neither `true` nor `1.0` (section 6.3)."""
    return type(value) is type(expected) and value == expected


def _is_index(component: object) -> bool:
    return type(component) is int and 0 <= component <= MAX_INDEX


def _step(selected: list[tuple[ClaimPath, Any]], component: str | int | None) -> list[tuple[ClaimPath, Any]]:
    """Apply one component to everything selected; elements that lack the key or index drop out (2.1 to 2.3)."""
    found: list[tuple[ClaimPath, Any]] = []
    for path, element in selected:
        if isinstance(component, str):
            if not isinstance(element, _OBJECT):
                raise ClaimMismatch("the claims path expects an object, the claim is none")
            if component in element:
                found.append(((*path, component), element[component]))
        elif not isinstance(element, list):
            raise ClaimMismatch("the claims path expects an array, the claim is none")
        elif component is None:
            found += [((*path, index), item) for index, item in enumerate(element)]
        elif component < len(element):
            found.append(((*path, component), element[component]))
    return found
