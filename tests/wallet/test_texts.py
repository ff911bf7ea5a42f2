"""Every text of the wallet's pages exists in every language, with the same placeholders."""

import re
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir

from byoid.service.i18n import LANGUAGES, load_catalogues
from byoid.service.pages import ASSETS
from wallet.app import WEB
from wallet.messages import MESSAGE_IDS
from wallet.web import account_views, card_formats, claim_lines, history_views, letters, request_views, texts, views

PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[123]")


def english() -> set[str]:
    modules = (account_views, card_formats, history_views, letters, request_views, texts, views)
    found = {text for module in modules for text in module.every_text()} | set(claim_lines.WORDS)
    methods = [("**.html", "jinja2")]
    for _, _, message, _, _ in extract_from_dir(
        str(WEB / "templates"), methods, options_map={"**.html": {"newstyle_gettext": "true"}}
    ):
        found.update(message if isinstance(message, tuple) else (message,))
    return found


@pytest.mark.parametrize("language", [each for each in LANGUAGES if each != "en"])
def test_no_text_is_missing(language: str) -> None:
    catalogue = load_catalogues([ASSETS / "locales", WEB / "locales"])[language]

    assert sorted(english() - set(catalogue.texts)) == []


@pytest.mark.parametrize("language", [each for each in LANGUAGES if each != "en"])
def test_placeholders_survive_translation(language: str) -> None:
    own = load_catalogues([WEB / "locales"])[language].texts

    changed = [
        source for source, target in own.items() if set(PLACEHOLDER.findall(source)) != set(PLACEHOLDER.findall(target))
    ]
    assert changed == []


@pytest.mark.parametrize("language", [each for each in LANGUAGES if each != "en"])
def test_no_translation_is_of_a_text_that_is_gone(language: str) -> None:
    assert sorted(set(load_catalogues([WEB / "locales"])[language].texts) - english()) == []


def test_every_error_has_a_text() -> None:
    assert set(texts.TEXTS) >= MESSAGE_IDS


def test_templates_have_no_inline_script_or_style() -> None:
    inline = re.compile(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=")
    assert [
        path.name for path in Path(WEB / "templates").glob("*.html") if inline.search(path.read_text("utf-8"))
    ] == []
