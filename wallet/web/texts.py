"""Errors in words that a citizen understands: what happened, and what they can do now. English here, rest in `locales`.

Which error has which text is `wallet.messages`' business. A text never repeats what an issuer or a verifier wrote.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from byoid.errors import ByoidError
from byoid.service.i18n import Catalogue
from wallet.messages import UNKNOWN, message_id
from wallet.refusals import RequestRefused

_NOT_FOUND: Final = 404
_TOO_LARGE: Final = 413
_TO_CITIZEN: Final = 400
_STATUS: Final = {"error-not-found": _NOT_FOUND, "error-too-many": 429}

HEADINGS: Final = {
    "error-too-many": "A little slower, please",
    "error-not-found": "This is not here any more",
    "error-not-signed-in": "Please open your wallet again",
    "error-locked": "Your wallet is locked",
    "error-too-early": "Not yet",
    "error-gone": "This no longer works",
    "error-offer-used": "This offer no longer works",
    "error-transaction-code": "The code is not right",
    "error-transaction-code-missing": "The code is missing",
    "error-forged": "This is not genuine",
    "error-bad-request": "Your wallet refused this request",
    "error-untrusted": "We don’t know who this is",
    "error-not-trusted": "This could not be trusted",
}
HEADING: Final = "That did not work"

TEXTS: Final = {
    "error-peer-denied": "It was cancelled or refused on the other page. If that was not you, ask them why.",
    "error-issuer-denied": "The authority did not issue the card. Ask them why.",
    "error-file": "This is not a file of a wallet, or it is damaged. Choose another one.",
    "error-file-password": "The password is not that of this file, or the file was changed. Try again.",
    "error-gone": "The link or code was used before, or its time is over. Ask for a new one.",
    "error-offer-used": "An offer works once and for a short time. Ask the authority for a new one.",
    "error-transaction-code": "Look again at the message in which you got the code. After several wrong tries the "
    "offer stops working, and you need a new one.",
    "error-transaction-code-missing": "This offer needs the code that the authority sent you by another way.",
    "error-promise-gone": "The authority no longer knows about this card. Ask them for a new offer.",
    "error-wallet-not-accepted": "The authority does not accept this wallet. Ask them which wallets they accept.",
    "error-not-supported": "This wallet cannot keep this kind of card.",
    "error-out-of-turn": "This was finished or changed meanwhile, perhaps in another window. Start again.",
    "error-no-usable-copy": "This card has expired. Get a fresh one from the authority, then try again.",
    "error-not-found": "It was finished, deleted, or its time is over. Start again with the link or code you were "
    "given.",
    "error-not-signed-in": "Your wallet closes by itself when you don’t use it for a while.",
    "error-not-approved": "The approval did not arrive in time, or was for something else. Try again.",
    "error-locked": "Unlock it with your passkey, then try again.",
    "error-too-early": "A recovery has a waiting time, so that a thief with your code can be stopped. Come back when "
    "it is over.",
    "error-too-many": "That was tried too often in a short time. Wait a few minutes, then try again.",
    "error-no-mail": "This wallet can’t send e-mail. Choose notices in your browser instead.",
    "error-mail-code": "The code is not the one that was sent, or an hour has passed. Ask for a new one.",
    "error-last-passkey": "This is your only passkey. Add another one before you remove it.",
    "error-malformed": "The link or code, or what is behind it, is incomplete or damaged. Scan it again, or ask for a "
    "new one.",
    "error-untrusted": "Nobody whom this wallet trusts vouches for the other side. Your wallet stopped here to protect "
    "you.",
    "error-forged": "What came does not carry a valid signature: it was changed on its way, or somebody pretends to be "
    "somebody else. Your wallet stopped here to protect you.",
    "error-wrong-type": "Something else came than was announced. Your wallet stopped here to protect you.",
    "error-expired": "This has expired. Ask for a new link or code.",
    "error-not-yet-valid": "It is not valid yet. Try again later.",
    "error-not-yours": "What came was made for another wallet. Your wallet did not keep it.",
    "error-mismatch": "What came does not fit what was announced. Your wallet stopped here to protect you.",
    "error-replayed": "This was used before. Ask for a new link or code.",
    "error-revoked": "The card has been revoked by the authority that issued it. Ask them why.",
    "error-suspended": "The card is suspended for now. Ask the authority that issued it why.",
    "error-status-unavailable": "The authority could not be asked whether the card is still valid. Try again later.",
    "error-not-trusted": "The other side did not prove who they are. Your wallet stopped here to protect you.",
    "error-peer": "The other side does not answer as it should. Try again later.",
    "error-no-answer": "The other side does not answer. Check your connection, and try again later.",
    "error-try-again": "The other side asks you to try again in a while.",
    "error-refused": "This was refused. Go back and try again.",
    "error-bad-request": "The service asked in a way that breaks the rules. That is its mistake, not yours.",
    UNKNOWN: "Something unexpected happened. Try again; if it stays, tell us the time when it happened.",
}
PLAIN: Final = {
    "page-not-found": "There is no such page",
    "page-too-large": "This is too large for your wallet",
    "page-refused": "This was refused",
}
# What scripts say; their other codes are those of errors.
SCRIPTS: Final = {
    "passkey_declined": "Your device did not confirm it was you. Nothing was done. Try again when you are ready.",
    "passkey_exists": "This device already has a passkey for this wallet. Open the wallet with it.",
    "working": "One moment…",
    "no_camera": "The camera can’t be used. Allow it in your browser’s settings, or choose a picture or paste the "
    "link.",
    "no_code": "No code was found in this picture. Try a sharper one.",
    "found": "Found it.",
    "copied": "Copied.",
    "no_prf": "The passkey of this device can’t lock a copy. Nothing was kept.",
    "notices_on": "This browser gets notices.",
    "notices_off": "This browser gets no notices.",
    "notices_denied": "Your browser does not let the wallet show notices. Allow it in its settings for this site.",
    "no_notices": "This browser can’t show notices.",
    "notice_security": "Something has changed about who can open your wallet. Have a look.",
    "notice_promise": "A card may be ready. Open your wallet to collect it.",
    "notice_expiry": "A card ends soon. Open your wallet to renew it.",
    "invalid_code": "The code is not right, or too old.",
    "offline_on": "It is on.",
    "offline_off": "It is off.",
    "offline": "You are offline. Try again when you have a connection.",
    "not_signed_in": TEXTS["error-not-signed-in"],
    "wallet_locked": TEXTS["error-locked"],
    "too_early": TEXTS["error-too-early"],
    "last_passkey": TEXTS["error-last-passkey"],
    "temporarily_unavailable": TEXTS["error-too-many"],
    "server_error": TEXTS["error-peer"],
    "no_wallet": "This passkey belongs to no wallet here. It may have been deleted.",
}
ADVICE: Final = "You can close this page. Your cards are safe."


@dataclass(frozen=True)
class Problem:
    """What a page says about an error."""

    code: str
    heading: str
    text: str
    status: int = _TO_CITIZEN
    advice: str = ""
    harmless: bool = True
    back: str = "/"
    refusal_id: str = ""  # what can be told to the service, if the citizen wants that


def problem(error: ByoidError, catalogue: Catalogue) -> Problem:
    """Explain an error."""
    code = message_id(error)
    say = catalogue.gettext
    status = _STATUS.get(code, _TO_CITIZEN)
    refusal_id = (error.refusal_id or "") if isinstance(error, RequestRefused) else ""
    return Problem(code, say(HEADINGS.get(code, HEADING)), say(TEXTS[code]), status, refusal_id=refusal_id)


def plain_problem(status: int, catalogue: Catalogue) -> Problem:
    """Explain an answer of the framework."""
    found = {_NOT_FOUND: "page-not-found", _TOO_LARGE: "page-too-large"}.get(status, "page-refused")
    say = catalogue.gettext
    return Problem(found, say(PLAIN[found]), "", status, say(ADVICE))


def script_texts(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    """Return what scripts may have to say, by code."""
    return ((code, catalogue.gettext(text)) for code, text in {**TEXTS, **SCRIPTS}.items())


def every_text() -> set[str]:
    """Return every English text in this module, for the test that none lacks a translation."""
    return {HEADING, ADVICE, *HEADINGS.values(), *TEXTS.values(), *PLAIN.values(), *SCRIPTS.values()}
