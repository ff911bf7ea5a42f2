"""Languages of the pages: gettext catalogues read straight from `.po` files, and the choice for one request.

The text in a template is the English one; a catalogue holds what it becomes. RFC 9110 12.5.4 (Accept-Language).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Final

from babel import Locale, dates, negotiate_locale
from babel.messages.pofile import read_po

LANGUAGES: Final = ("en", "de", "fr", "es")
COOKIE: Final = "byoid-language"
_DATES_AS_IN: Final = {"en": "en_IE"}  # day before month and 24 hours, as wherever else in the EU


@dataclass(frozen=True)
class Catalogue:
    """The texts of one language."""

    language: str
    texts: Mapping[str, str]

    def gettext(self, text: str) -> str:
        """Return the translation, or the English text where there is none."""
        return self.texts.get(text, text)

    def ngettext(self, singular: str, plural: str, number: int) -> str:
        """Return the form for `number`; our four languages have two forms, and 1 takes the first."""
        return self.gettext(singular if number == 1 else plural)

    def day(self, value: date) -> str:
        """Write a date as people of this language do."""
        return str(dates.format_date(value, format="long", locale=self._place))

    def moment(self, value: datetime) -> str:
        """Write a date and time as people of this language do."""
        return str(dates.format_datetime(value, format="medium", locale=self._place))

    def country(self, code: str) -> str:
        """Write a country's name; a code that no country has stays as it is."""
        return str(Locale(self.language).territories.get(code, code))

    @property
    def _place(self) -> str:
        return _DATES_AS_IN.get(self.language, self.language)


def load_catalogues(folders: Iterable[Path]) -> dict[str, Catalogue]:
    """Read `<folder>/<language>.po` of every folder; a later folder's text wins."""
    texts: dict[str, dict[str, str]] = {language: {} for language in LANGUAGES}
    for folder in folders:
        for path in sorted(folder.glob("*.po")):
            with path.open("rb") as file:
                for message in read_po(file, locale=path.stem):
                    _add(texts[path.stem], message.id, message.string)
    return {language: Catalogue(language, found) for language, found in texts.items()}


def _add(texts: dict[str, str], source: object, target: object) -> None:
    sources, targets = (value if isinstance(value, list | tuple) else (value,) for value in (source, target))
    texts.update({str(one): str(other) for one, other in zip(sources, targets, strict=True) if one and other})


def choose_language(accept_language: str | None, cookie: str | None) -> str:
    """Return the language for a request: the citizen's own choice, else what the browser asks for, else English."""
    if cookie in LANGUAGES:
        return cookie
    wanted = [part.partition(";")[0].strip() for part in (accept_language or "")[:200].split(",")]
    return negotiate_locale([tag.replace("-", "_") for tag in wanted if tag], LANGUAGES) or "en"
