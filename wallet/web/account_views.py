"""What the pages about the account show, in the citizen's language."""

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from byoid.service.i18n import Catalogue
from wallet.accounts import AccountView, BrowserView, PasskeyView
from wallet.vault.journal import Actor, Event, JournalView
from wallet.vault.kek import Protection

_DEVICES: Final = (
    (re.compile(r"iPhone"), "iPhone"), (re.compile(r"iPad"), "iPad"), (re.compile(r"Android"), "Android phone"),
    (re.compile(r"Macintosh"), "Mac"), (re.compile(r"Windows"), "Windows computer"), (re.compile(r"Linux"), "Computer"),
)  # fmt: skip
_BROWSERS: Final = (
    (re.compile(r"Edg/"), "Edge"), (re.compile(r"Firefox/"), "Firefox"), (re.compile(r"Chrom(e|ium)/"), "Chrome"),
    (re.compile(r"Safari/"), "Safari"),
)  # fmt: skip
_DEVICE: Final = "My device"
_WORST_FIRST: Final = (Protection.KEY_FILE, Protection.HSM, Protection.PASSKEY)
PROTECTIONS: Final = {
    Protection.PASSKEY: "We cannot open your wallet with it",
    Protection.HSM: "Our security module could open your wallet with it",
    Protection.KEY_FILE: "This demo could open your wallet with it",
}
EVENTS: Final = {
    Event.REGISTERED: "The wallet was created",
    Event.PASSKEY_ADDED: "A passkey was added",
    Event.PASSKEY_REMOVED: "A passkey was removed",
    Event.RECOVERY_CODE_MADE: "A recovery code was made",
    Event.RECOVERY_BEGUN: "A recovery was begun",
    Event.RECOVERY_CANCELLED: "A recovery was stopped",
    Event.RECOVERED: "The wallet was recovered",
    Event.LOCKED: "The wallet was locked",
    Event.UNLOCKED: "The wallet was unlocked",
    Event.SESSIONS_ENDED: "All browsers were signed out",
    Event.OPERATOR_NOTE: "We did something with your wallet",
}
ACTORS: Final = {Actor.CITIZEN: "you", Actor.OPERATOR: "our staff", Actor.CODE: "somebody with your recovery code"}
TEXTS: Final = (
    "Remove this passkey?", "It can no longer open your wallet: %(name)s.",
    "Browsers that were opened with it are signed out.", "Keep it", "Remove it",
    "Delete your whole wallet?",
    "All cards, your history, your passkeys here and the recovery code are deleted at once, for good. Nobody can bring "
    "them back, and neither can we.",
    "Services that have seen your cards are not told. If you want them to delete your data, ask them first: in the "
    "history, open what you shared.",
    "Keep my wallet", "Delete everything",
)  # fmt: skip


@dataclass(frozen=True)
class PasskeyLine:
    """A passkey in the list."""

    id: str
    name: str
    protection: str
    weak: bool
    backed_up: bool
    created_at: datetime
    used_at: datetime
    current: bool


@dataclass(frozen=True)
class BrowserLine:
    """A signed-in browser in the list."""

    id: str
    label: str
    used_at: datetime
    current: bool


@dataclass(frozen=True)
class JournalLine:
    """An entry of the journal."""

    at: datetime
    what: str
    who: str
    detail: str
    by_operator: bool


@dataclass(frozen=True)
class Confirm:
    """A question before something that can't be undone. `approval`: what the passkey approves, as JSON."""

    heading: str
    paragraphs: tuple[str, ...]
    yes: str
    no: str
    back: str
    action: str = ""
    approval: str = ""
    approval_url: str = "/account/approvals"
    next: str = "/"


def device_name(user_agent: str, catalogue: Catalogue) -> str:
    """Guess what a citizen calls the device that they use."""
    device = next((name for pattern, name in _DEVICES if pattern.search(user_agent)), _DEVICE)
    return catalogue.gettext(device)


def browser_view(browser: BrowserView, catalogue: Catalogue) -> BrowserLine:
    """Name a browser by its user agent."""
    name = next((name for pattern, name in _BROWSERS if pattern.search(browser.label)), "")
    device = device_name(browser.label, catalogue)
    return BrowserLine(browser.id, f"{name} · {device}" if name else device, browser.used_at, browser.current)


def passkey_view(passkey: PasskeyView, catalogue: Catalogue) -> PasskeyLine:
    """Describe a passkey."""
    return PasskeyLine(
        passkey.id, passkey.name, catalogue.gettext(PROTECTIONS[passkey.protection]),
        passkey.protection is not Protection.PASSKEY, passkey.backed_up, passkey.created_at, passkey.used_at,
        passkey.current,
    )  # fmt: skip


def weakest_protection(account: AccountView) -> str:
    """Return by what the weakest of the passkeys is protected: that is how well the wallet is protected."""
    found = {passkey.protection for passkey in account.passkeys}
    return next(each for each in _WORST_FIRST if each in found or each is Protection.PASSKEY).value


def journal_view(entry: JournalView, catalogue: Catalogue) -> JournalLine:
    """Write an entry of the journal in plain words."""
    say = catalogue.gettext
    return JournalLine(
        entry.at, say(EVENTS[entry.event]), say(ACTORS[entry.actor]), entry.detail, entry.actor is Actor.OPERATOR
    )


def confirm_passkey_removal(passkey_id: str, name: str, catalogue: Catalogue) -> Confirm:
    """Ask before a passkey is removed."""
    heading, which, browsers, no, yes = (catalogue.gettext(text) for text in TEXTS[:5])
    return Confirm(
        heading, (which % {"name": name}, browsers), yes, no, back="/settings/passkeys",
        approval=json.dumps({"action": "remove-passkey", "option": passkey_id}), next="/settings/passkeys",
    )  # fmt: skip


def confirm_deletion(catalogue: Catalogue) -> Confirm:
    """Ask before the wallet is deleted."""
    heading, what, services, no, yes = (catalogue.gettext(text) for text in TEXTS[5:])
    return Confirm(
        heading, (what, services), yes, no, back="/settings",
        approval=json.dumps({"action": "delete-account"}), approval_url="/api/account/deletion", next="/goodbye",
    )  # fmt: skip


def every_text() -> set[str]:
    """Return every English text in this module, for the test that none lacks a translation."""
    devices = {name for _, name in _DEVICES} | {_DEVICE}
    return devices | {*PROTECTIONS.values(), *EVENTS.values(), *ACTORS.values(), *TEXTS}
