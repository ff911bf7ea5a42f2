"""Languages: catalogues from `.po` files, and which one a request gets."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from byoid.service.i18n import LANGUAGES, Catalogue, choose_language, load_catalogues
from byoid.service.pages import ASSETS

PO = """
msgid ""
msgstr "Content-Type: text/plain; charset=UTF-8\\n"

msgid "Yes"
msgstr "{yes}"

msgid "Never translated"
msgstr ""

msgid "%(num)s credential"
msgid_plural "%(num)s credentials"
msgstr[0] "%(num)s Nachweis"
msgstr[1] "%(num)s Nachweise"
"""


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    for name, yes in (("shared", "Ja"), ("own", "Jawohl")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "de.po").write_text(PO.replace("{yes}", yes), "utf-8")
    return [tmp_path / "shared", tmp_path / "own"]


def test_every_language_has_a_catalogue_even_without_a_file(folders: list[Path]) -> None:
    catalogues = load_catalogues(folders)

    assert tuple(catalogues) == LANGUAGES
    assert catalogues["fr"].gettext("Yes") == "Yes"


def test_the_later_folder_wins(folders: list[Path]) -> None:
    assert load_catalogues(folders)["de"].gettext("Yes") == "Jawohl"
    assert load_catalogues(folders[:1])["de"].gettext("Yes") == "Ja"


def test_a_text_without_translation_stays_english(folders: list[Path]) -> None:
    assert load_catalogues(folders)["de"].gettext("Never translated") == "Never translated"


@pytest.mark.parametrize(("number", "form"), [(0, "Nachweise"), (1, "Nachweis"), (2, "Nachweise")])
def test_one_takes_the_singular(folders: list[Path], number: int, form: str) -> None:
    text = load_catalogues(folders)["de"].ngettext("%(num)s credential", "%(num)s credentials", number)

    assert text == f"%(num)s {form}"


def test_dates_and_countries_are_written_in_the_language() -> None:
    german = Catalogue("de", {})

    assert german.day(date(2026, 6, 1)) == "1. Juni 2026"
    assert german.moment(datetime(2026, 6, 1, 12, 30, tzinfo=UTC)) == "01.06.2026, 12:30:00"
    assert (german.country("FR"), german.country("Utopia")) == ("Frankreich", "Utopia")


@pytest.mark.parametrize(
    ("accept", "cookie", "language"),
    [
        ("fr-CH, fr;q=0.9, en;q=0.8", None, "fr"),
        ("fr", "es", "es"),
        ("fr", "xx", "fr"),
        ("pt-BR, de-AT;q=0.7", None, "de"),
        ("ja", None, "en"),
        ("", None, "en"),
        (None, None, "en"),
        (",,;q=1," + "x" * 10_000, None, "en"),
    ],
)
def test_a_request_gets_the_chosen_the_wanted_or_english(accept: str | None, cookie: str | None, language: str) -> None:
    assert choose_language(accept, cookie) == language


def test_the_shared_texts_are_translated_into_the_same_languages() -> None:
    catalogues = load_catalogues([ASSETS / "locales"])

    assert set(catalogues["de"].texts) == set(catalogues["fr"].texts) == set(catalogues["es"].texts) != set()


@pytest.mark.parametrize(
    ("language", "day", "moment"),
    [
        ("en", "7 December 2026", "7 Dec 2026, 14:05:09"),
        ("de", "7. Dezember 2026", "07.12.2026, 14:05:09"),
        ("fr", "7 décembre 2026", "7 déc. 2026, 14:05:09"),
        ("es", "7 de diciembre de 2026", "7 dic 2026, 14:05:09"),
    ],
)
def test_days_and_moments_are_written_as_in_europe(language: str, day: str, moment: str) -> None:
    when = datetime(2026, 12, 7, 14, 5, 9, tzinfo=UTC)
    catalogue = Catalogue(language, {})
    assert (catalogue.day(when), catalogue.moment(when)) == (day, moment)
