"""Claims in plain words: the issuer's labels in the citizen's language, values as people write them, pictures as such.

OpenID4VCI 1.0 Appendix B.2 (claim display), RFC 9901 and SD-JWT VC (technical claims, left out), ISO/IEC 18013-5 7.2
(portrait as bytes). What the issuer does not describe is shown under its own name: nothing is hidden.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from byoid.claims import ClaimPath
from byoid.formats.mdoc.present import HeldMdoc
from byoid.formats.sd_jwt_vc import HeldSdJwtVc
from byoid.oauth.claims_description import ClaimsDescription
from byoid.service.i18n import Catalogue

_TECHNICAL: Final = frozenset(
    {"iss", "vct", "vct#integrity", "aka_vcts", "cnf", "status", "exp", "nbf", "iat", "sub", "jti", "_sd_alg"}
)
_COUNTRY: Final = frozenset(
    {"country", "nationality", "nationalities", "issuing_country", "birth_country", "resident_country"}
)
_PICTURE: Final = re.compile(r"data:image/(jpeg|png|webp);base64,[A-Za-z0-9+/=]+\Z")
_IMAGE_MAGIC: Final = {b"\xff\xd8\xff": "jpeg", b"\x89PNG": "png"}
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}\Z")
_MAX_DEPTH: Final = 6
_SEX: Final = {0: "not known", 1: "male", 2: "female", 3: "other", 4: "inter", 5: "diverse", 6: "open", 9: "not stated"}
# What issuers leave undescribed, below claims that they describe (OpenID Connect 5.1.1, ARF PID rulebook).
_USUAL: Final = ("Address", "Country", "Region", "Locality", "Postal code", "Street address")
WORDS: Final = ("Yes", "No", "a picture or file", *_SEX.values(), *_USUAL)


@dataclass(frozen=True)
class Line:
    """One claim as it is shown: text, a picture (a `data:` URL) or a group of lines."""

    label: str
    text: str = ""
    picture: str = ""
    children: tuple["Line", ...] = ()


def claims_of(held: HeldSdJwtVc | HeldMdoc) -> Mapping[str, Any]:
    """Return the claims that are about the citizen; an mdoc's by namespace."""
    if isinstance(held, HeldMdoc):
        return held.namespaces
    return {name: value for name, value in held.claims.items() if name not in _TECHNICAL}


class ClaimLines:
    """Writes the claims of one kind of card in one language.

    Args:
        descriptions: the issuer's, in its order of display.
        catalogue: the language.
        namespaces: whether the outermost names are an mdoc's namespaces, which are not shown.
    """

    def __init__(self, descriptions: Sequence[ClaimsDescription], catalogue: Catalogue, *, namespaces: bool) -> None:
        self._labels = {each.path: _label(each, catalogue.language) for each in descriptions}
        self._order = {path: place for place, path in enumerate(self._labels)}
        self._catalogue = catalogue
        self._namespaces = namespaces

    def all(self, claims: Mapping[str, Any]) -> tuple[Line, ...]:
        """Return every claim, in the issuer's order."""
        if not self._namespaces:
            return self._group(claims, ())
        return tuple(line for name, values in claims.items() for line in self._group(values, (name,)))

    def line(self, path: ClaimPath, value: Any) -> Line:
        """Return one claim."""
        return self._line(path, value, depth=0)

    def label(self, path: ClaimPath) -> str:
        """Return what a claim is called."""
        known = self._labels.get(path)
        names = [part for part in path if isinstance(part, str)]
        return known or self._catalogue.gettext(readable(names[-1] if names else ""))

    def _group(self, claims: Mapping[str, Any], path: ClaimPath, depth: int = 0) -> tuple[Line, ...]:
        names = sorted(claims, key=lambda name: self._place((*path, name)))
        return tuple(self._line((*path, name), claims[name], depth=depth + 1) for name in names)

    def _place(self, path: ClaimPath) -> int:
        last = len(self._order)
        return min((place for known, place in self._order.items() if known[: len(path)] == path), default=last)

    def _line(self, path: ClaimPath, value: Any, *, depth: int) -> Line:
        label = self.label(path)
        if depth > _MAX_DEPTH:
            return Line(label, "…")
        if isinstance(value, Mapping):
            return Line(label, children=self._group({str(key): each for key, each in value.items()}, path, depth))
        if isinstance(value, list | tuple):
            return self._several(path, value, depth=depth)
        if picture := _picture(value):
            return Line(label, picture=picture)
        return Line(label, self._text(path, value))

    def _several(self, path: ClaimPath, values: Sequence[Any], *, depth: int) -> Line:
        lines = [self._line((*path, None), each, depth=depth + 1) for each in values]
        if any(line.children or line.picture for line in lines):
            return Line(self.label(path), children=tuple(lines))
        return Line(self.label(path), ", ".join(line.text for line in lines))

    def _text(self, path: ClaimPath, value: Any) -> str:
        name = next((part for part in reversed(path) if isinstance(part, str)), "")
        if isinstance(value, str):
            return self._catalogue.country(value) if name in _COUNTRY else self._day(value)
        if isinstance(value, bool | bytes) or (name == "sex" and value in _SEX):
            return self._catalogue.gettext(_word(value))
        if isinstance(value, date):
            return self._catalogue.day(value)
        return "" if value is None else str(value)

    def _day(self, value: str) -> str:
        if not _DATE.match(value):
            return value
        try:
            return self._catalogue.day(date.fromisoformat(value))
        except ValueError:
            return value


def _word(value: bool | bytes | int) -> str:
    if isinstance(value, bytes):
        return "a picture or file"
    if isinstance(value, bool):
        return "Yes" if value else "No"
    return _SEX[value]


class Foreign(str):
    """A text of somebody else in another language than the page: a screen reader must know which (WCAG 2.2 3.1.2)."""

    lang: str


def spoken(text: str, lang: str | None, language: str) -> str:
    """Return a text, marked if its language is not the page's; one of no language is taken as the page's."""
    tag = (lang or language).replace("_", "-")
    if tag.lower().partition("-")[0] == language:
        return text
    foreign = Foreign(text)
    foreign.lang = tag
    return foreign


def in_language(displays: Sequence[Any], language: str) -> Any | None:
    """Return the display in a language, or its nearest: the same language of another country, English, the first."""

    def rank(display: Any) -> int:
        locale = (display.locale or "").lower().replace("_", "-")
        ranks = (locale == language, locale.startswith(f"{language}-"), not locale, locale.startswith("en"))
        return ranks.index(True) if True in ranks else len(ranks)

    return min(displays, key=rank, default=None)


def technical(path: ClaimPath) -> bool:
    """Tell whether a path leads to what is about the credential, not about the citizen."""
    return len(path) == 1 and path[0] in _TECHNICAL


def _label(description: ClaimsDescription, language: str) -> str | None:
    display = in_language(description.display or (), language)
    return spoken(display.name, display.locale, language) if display and display.name else None


def readable(name: str) -> str:
    """Write a technical name as words."""
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def _picture(value: Any) -> str:
    if isinstance(value, str):
        return value if _PICTURE.match(value) else ""
    if isinstance(value, bytes):
        kind = next((kind for magic, kind in _IMAGE_MAGIC.items() if value.startswith(magic)), None)
        return f"data:image/{kind};base64,{base64.b64encode(value).decode()}" if kind else ""
    return ""
