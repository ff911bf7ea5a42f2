"""Claims descriptions: which claims a wallet asks for, and how an issuer shows its claims.

OpenID4VCI 1.0 Appendix B (descriptions) and C (paths). One list must describe every claim once and without
contradiction; its order is the order of display.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Final, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field

from byoid.claims import ClaimPath, parse_claim_path
from byoid.errors import ByoidError
from byoid.message import Message, NonEmptyArray


def _claim_path(value: Any) -> ClaimPath:
    try:
        return parse_claim_path(value)
    except ByoidError as error:
        raise ValueError(str(error)) from None


PathPointer: TypeAlias = Annotated[tuple[str | int | None, ...], BeforeValidator(_claim_path)]


class ClaimDisplay(Message):
    """How a claim is shown in one language (B.2)."""

    name: str | None = None
    locale: str | None = None


class ClaimsDescription(Message):
    """One claim, or the claims of a set (B.1 as a wallet's wish, B.2 as an issuer's promise with display)."""

    path: PathPointer
    mandatory: bool = False
    display: NonEmptyArray[ClaimDisplay] | None = None


def require_consistent(descriptions: Sequence[ClaimsDescription]) -> Sequence[ClaimsDescription]:
    """Demand that no claim is described twice or in contradictory ways (B.3).

    Raises:
        ValueError: one is: the whole object must not be processed.
    """
    paths = [description.path for description in descriptions]
    if len(set(paths)) != len(paths):
        raise ValueError("a claim is described twice")
    children: dict[ClaimPath, set[str]] = {}
    for path in paths:
        for length, component in enumerate(path):
            children.setdefault(path[:length], set()).add(_kind(component))
    if any(len(kinds) > 1 for kinds in children.values()):
        raise ValueError("a claim is described both as an object and as an array, or an array as a whole and by index")
    for description in descriptions:
        require_one_per_locale(description.display or ())
    return descriptions


def require_one_per_locale(displays: Sequence[Any]) -> Sequence[Any]:
    """Demand one display object at most for each language (12.2.4, B.2).

    Raises:
        ValueError: a language comes twice.
    """
    locales = [display.locale for display in displays if display.locale is not None]
    if len(set(locales)) != len(locales):
        raise ValueError("a language has two display objects")
    return displays


MAX_DESCRIPTIONS: Final = 1024
ClaimsDescriptions: TypeAlias = Annotated[
    NonEmptyArray[ClaimsDescription], Field(max_length=MAX_DESCRIPTIONS), AfterValidator(require_consistent)
]


def _kind(component: str | int | None) -> str:
    return "name" if isinstance(component, str) else "all" if component is None else "index"
