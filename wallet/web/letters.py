"""The e-mails of the wallet, in the citizen's language: the code for a new address, and notices.

A notice says no more than that there is something to look at. Never a name, a card or a link into the wallet: such
mails are what phishing imitates.
"""

from collections.abc import Mapping
from typing import Final

from byoid.service.i18n import Catalogue
from wallet.notice_tables import Notice

SUBJECT: Final = "Your wallet: %(wallet_name)s"
CODE: Final = (
    "This is the code to confirm this e-mail address: %(code)s. If you did not ask for it, ignore this message."
)
NOTICES: Final[Mapping[Notice, str]] = {
    Notice.SECURITY: "Something has changed about who can open your wallet. If that was not you, open your wallet and "
    "stop it, or lock it with your recovery code.",
    Notice.PROMISE: "A card that was promised to you may be ready. Open your wallet to collect it.",
    Notice.EXPIRY: "A card in your wallet ends soon. Open your wallet to renew it.",
}
FAREWELL: Final = "We never send links to your wallet. Open it as you always do. You can turn these messages off there."


def every_text() -> set[str]:
    """Return every English text in this module, for the test that none lacks a translation."""
    return {SUBJECT, CODE, FAREWELL, *NOTICES.values()}


class Letters:
    """Writes mails; `letters(language, notice or code)`."""

    def __init__(self, catalogues: Mapping[str, Catalogue], *, wallet_name: str) -> None:
        self._catalogues = catalogues
        self._wallet_name = wallet_name

    def __call__(self, language: str, about: Notice | str) -> tuple[str, str]:
        """Return subject and text."""
        say = self._catalogues[language].gettext
        body = say(NOTICES[about]) if isinstance(about, Notice) else say(CODE) % {"code": about}
        return say(SUBJECT) % {"wallet_name": self._wallet_name}, f"{body}\n\n{say(FAREWELL)}\n"
