"""What people get in writing: letters to print and e-mails, in four languages."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from byoid.service import i18n, qr
from issuer.credential_types import CredentialType, in_language

_FOLDER = Path(__file__).parent


class Post:
    """Writes letters and e-mails of an agency."""

    def __init__(self, *, agency: str, types: Mapping[str, CredentialType]) -> None:
        self._agency = agency
        self._types = types
        loader = jinja2.FileSystemLoader(_FOLDER / "templates")
        catalogues = i18n.load_catalogues([_FOLDER / "locales"])
        self._environments = {language: _environment(loader, each) for language, each in catalogues.items()}

    def letters(self, contents: Sequence[Mapping[str, Any]]) -> str:
        """Return one HTML document with a page for each letter, ready to print."""
        pages = [self._render("letter.html", each) for each in contents]
        return self._environments["en"].get_template("letters.html").render(pages=[Markup(page) for page in pages])  # noqa: S704 - made by the autoescaping template

    def mail(self, content: Mapping[str, Any]) -> tuple[str, str]:
        """Return subject and text of an e-mail."""
        subject, _, text = self._render("mail.txt", content).partition("\n")
        return subject.strip(), text.strip() + "\n"

    def _render(self, template: str, content: Mapping[str, Any]) -> str:
        language = content["language"]
        names = [in_language(self._types[each].name, language) for each in content["types"] if each in self._types]
        view = {**content, "names": names, "until": datetime.fromisoformat(content["expires_at"])}
        return self._environments[language].get_template(template).render(agency=self._agency, **view)


def _environment(loader: jinja2.BaseLoader, catalogue: i18n.Catalogue) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=loader, autoescape=jinja2.select_autoescape(), undefined=jinja2.StrictUndefined,
        extensions=["jinja2.ext.i18n"], trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.globals.update(language=catalogue.language, qr_svg=lambda link: Markup(qr.svg(link)))  # noqa: S704 - drawn by us
    environment.filters["date"] = lambda moment: catalogue.day(moment.date())
    # The extension adds this method to the environment; its stubs don't know.
    environment.install_gettext_callables(catalogue.gettext, catalogue.ngettext, newstyle=True)  # type: ignore[attr-defined]
    return environment
