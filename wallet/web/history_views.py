"""What the history shows: each entry in plain words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

from byoid.claims import ClaimPath
from byoid.service.i18n import Catalogue
from wallet.cards import MDOC, Card
from wallet.history import ClaimNames, Entry, HistoryItem, Reason, Result, Transaction
from wallet.requests import Caution
from wallet.rights import Draft
from wallet.web.account_views import Confirm
from wallet.web.claim_lines import ClaimLines, readable, technical
from wallet.web.request_views import CAUTIONS, in_own_language

ClaimLabels: TypeAlias = Mapping[str, ClaimLines]
WHAT: Final = {
    Transaction.PRESENTATION: "You shared data",
    Transaction.ISSUANCE: "You received a card",
    Transaction.REISSUANCE: "You got a card again",
    Transaction.DELETION: "You deleted a card",
    Transaction.DATA_DELETION_REQUEST: "You asked to delete your data",
    Transaction.DPA_REPORT: "You reported a service",
    Transaction.OTHER: "Something else",
}
NOT: Final = {
    Transaction.PRESENTATION: "You did not share data",
    Transaction.ISSUANCE: "You did not receive a card",
    Transaction.REISSUANCE: "You did not get the card again",
}
REASONS: Final = {
    Reason.SENDING: "It was sent; it is not known whether it arrived.",
    Reason.NO_ANSWER: "It was sent, but the service did not answer. It may have arrived.",
    Reason.REFUSED_BY_SERVICE: "The service did not accept it.",
    Reason.DECLINED: "You said no.",
    Reason.NOTHING_FITS: "You had no card for it.",
    Reason.BAD_REQUEST: "Your wallet refused the request, because it broke the rules.",
    Reason.FAILED: "The authority did not deliver, or something was wrong with the card.",
}
DONE: Final = ("Done", "%(name)s has received what you shared.")
UNCLEAR: Final = "It was sent"
REFUSED: Final = "The service did not accept it"
TOLD: Final = ("The service was told", "It knows that your wallet refused its request. Nothing was shared.")
DECLINED: Final = ("Nothing was shared", "You said no. The service is not told why.")
DELETION: Final = (
    "Please delete my data of %(day)s",
    "Dear Sir or Madam,\n\non %(day)s I showed you data from my identity wallet: %(names)s.\n\nPlease delete these "
    "data (Article 17 of the General Data Protection Regulation) and confirm to me that you have done so.",
)
REPORT: Final = (
    "Report about %(name)s",
    "Dear Sir or Madam,\n\non %(day)s the service %(name)s asked for data from my identity wallet.\n\nI think that "
    "this request was unlawful or suspicious, and report it to you.",
)
ASKED: Final = "Data asked for:"
WARNED: Final = "My wallet warned me:"
AGREED: Final = {
    "urn:eudi:sca:payment:1": "A payment",
    "urn:eudi:sca:login_risk_transaction:1": "A sign-in",
    "urn:eudi:sca:account_access:1": "Access to your accounts",
    "urn:eudi:sca:emandate:1": "A direct debit mandate",
}
ENTRY_DELETION: Final = (
    "Delete this entry?",
    "Without the entry you can no longer prove here what was shared.",
    "Keep it",
    "Delete it",
)
_SENT: Final = frozenset({Reason.SENDING, Reason.NO_ANSWER, Reason.REFUSED_BY_SERVICE})
_SIGNS: Final = {Transaction.PRESENTATION: "↑", Transaction.DELETION: "✕", Transaction.DPA_REPORT: "!"}


@dataclass(frozen=True)
class HistoryLine:
    """An entry in the list."""

    id: str
    what: str
    who: str
    at: datetime
    sign: str
    css: str
    note: str


@dataclass(frozen=True)
class Named:
    """Claims of one credential, by name."""

    type: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class EntryView:
    """An entry in full."""

    line: HistoryLine
    purpose: str
    presented: tuple[Named, ...]
    requested: tuple[Named, ...]
    warnings: tuple[str, ...]
    transactions: tuple[str, ...]
    country: str
    identifiers: tuple[str, ...]
    contacts: tuple[str, ...]
    registrar: str
    privacy_policy: str
    signed: bool
    is_presentation: bool
    shared: bool
    party: str


@dataclass(frozen=True)
class DoneView:
    """How a request ended."""

    heading: str
    text: str
    delivered: bool
    declined: bool
    entry_id: str


def history_line(item: HistoryItem, catalogue: Catalogue) -> HistoryLine:
    """Return an entry for the list."""
    entry, say = item.entry, catalogue.gettext
    completed = entry.transaction_result is Result.COMPLETED
    sent = completed or entry.reason_of_noncompletion in _SENT
    words = WHAT if sent else {**WHAT, **NOT}
    reason = entry.reason_of_noncompletion
    return HistoryLine(
        id=item.id,
        what=say(words[entry.transaction_type]),
        who=entry.party.name,
        at=entry.time,
        sign=_SIGNS.get(entry.transaction_type, "↓") if sent else "○",
        css="good" if completed else "bad" if reason in {Reason.FAILED, Reason.BAD_REQUEST} else "",
        note=say(REASONS[reason]) if reason else "",
    )


def entry_view(item: HistoryItem, labels: ClaimLabels, catalogue: Catalogue) -> EntryView:
    """Return an entry in full."""
    entry, party = item.entry, item.entry.party
    return EntryView(
        line=history_line(item, catalogue),
        purpose=in_own_language(entry.purpose, catalogue),
        presented=_named(entry.list_of_claims_presented, labels),
        requested=_named(entry.list_of_claims_requested, labels),
        warnings=tuple(catalogue.gettext(CAUTIONS[Caution(each)][0]) for each in entry.warnings),
        transactions=tuple(_agreed(each, catalogue) for each in entry.transactional_data),
        country=catalogue.country(party.country) if party.country else "",
        identifiers=tuple(each.identifier for each in party.identifier),
        contacts=party.contact,
        registrar=party.registrar_url or "",
        privacy_policy=party.privacy_policy or "",
        signed=party.signed,
        is_presentation=entry.transaction_type is Transaction.PRESENTATION,
        shared=_shared(entry),
        party=party.key,
    )


def shown_words(item: HistoryItem, labels: ClaimLabels, catalogue: Catalogue) -> str:
    """Return what a citizen reads of an entry, to search in it."""
    line, entry = history_line(item, catalogue), item.entry
    named = _named((*entry.list_of_claims_requested, *entry.list_of_claims_presented), labels)
    return " ".join([line.what, line.who, line.note, *(name for each in named for name in each.names)])


def done_view(item: HistoryItem, catalogue: Catalogue) -> DoneView:
    """Say how a presentation ended."""
    entry, say = item.entry, catalogue.gettext
    reason = entry.reason_of_noncompletion
    if entry.transaction_result is Result.COMPLETED:
        return DoneView(say(DONE[0]), say(DONE[1]) % {"name": entry.party.name}, True, False, item.id)
    reason = reason or Reason.NO_ANSWER
    heading = {Reason.REFUSED_BY_SERVICE: REFUSED, Reason.NOTHING_FITS: DECLINED[0]}.get(reason, UNCLEAR)
    return DoneView(say(heading), say(REASONS[reason]), False, False, item.id)


def deletion_draft(item: HistoryItem, labels: ClaimLabels, catalogue: Catalogue) -> Draft:
    """Write a request to delete data, in the citizen's language."""
    names = (name for each in _named(item.entry.list_of_claims_presented, labels) for name in each.names)
    return _draft(DELETION, catalogue, day=catalogue.day(item.entry.time.date()), names=", ".join(names))


def report_draft(item: HistoryItem, labels: ClaimLabels, catalogue: Catalogue) -> Draft:
    """Write a report to an authority, in the citizen's language."""
    entry, say = item.entry, catalogue.gettext
    number = ", ".join(each.identifier for each in entry.party.identifier)
    name = f"{entry.party.name} ({number})" if number else entry.party.name
    draft = _draft(REPORT, catalogue, day=catalogue.day(entry.time.date()), name=name)
    asked = dict.fromkeys(name for each in _named(entry.list_of_claims_requested, labels) for name in each.names)
    warnings = [say(CAUTIONS[Caution(each)][0]) for each in entry.warnings]
    facts = ((ASKED, list(asked)), (WARNED, warnings))
    told = (f"\n\n{say(heading)} {', '.join(listed)}." for heading, listed in facts if listed)
    return Draft(subject=draft.subject, text=draft.text + "".join(told))


def confirm_entry_deletion(entry_id: str, catalogue: Catalogue) -> Confirm:
    """Ask before an entry is deleted: it may be the only proof."""
    heading, what, no, yes = (catalogue.gettext(text) for text in ENTRY_DELETION)
    place = f"/history/{entry_id}"
    return Confirm(heading, (what,), yes, no, back=place, action=f"{place}/deletion")


def _draft(texts: tuple[str, str], catalogue: Catalogue, **values: str) -> Draft:
    subject, text = (catalogue.gettext(each) % values for each in texts)
    return Draft(subject=subject, text=text)


def no_view(item: HistoryItem, catalogue: Catalogue) -> DoneView:
    """Say that nothing was shared."""
    return DoneView(catalogue.gettext(DECLINED[0]), catalogue.gettext(DECLINED[1]), False, True, item.id)


def told_view(catalogue: Catalogue) -> DoneView:
    """Say that the service knows of a refusal."""
    return DoneView(catalogue.gettext(TOLD[0]), catalogue.gettext(TOLD[1]), False, True, "")


def claim_labels(cards: Sequence[Card], catalogue: Catalogue) -> ClaimLabels:
    """Return what the citizen's cards call their claims, by type."""
    return {
        card.content.type: ClaimLines(card.content.claims, catalogue, namespaces=card.content.format == MDOC)
        for card in cards
    }


def _shared(entry: Entry) -> bool:
    sent = entry.transaction_result is Result.COMPLETED or entry.reason_of_noncompletion in _SENT
    return entry.transaction_type is Transaction.PRESENTATION and sent


def _named(claims: tuple[ClaimNames, ...], labels: ClaimLabels) -> tuple[Named, ...]:
    """Write paths as people read them: as the card calls them, or by their own names once it is gone."""
    return tuple(
        Named(
            each.credential_identifier,
            tuple(
                dict.fromkeys(
                    _name(path, labels.get(each.credential_identifier)) for path in each.claims if not technical(path)
                )
            ),
        )
        for each in claims
    )


def _agreed(logged: str, catalogue: Catalogue) -> str:
    """Write a transaction that was agreed to: what it was, and its number."""
    type_, _, number = logged.partition(" ")
    what = catalogue.gettext(AGREED[type_]) if type_ in AGREED else type_
    return f"{what} ({number})" if number else what


def _name(path: ClaimPath, card: ClaimLines | None) -> str:
    return card.label(path) if card else " · ".join(readable(str(part)) for part in _people(path))


def _people(path: ClaimPath) -> list[str]:
    """Return the names in a path, without an mdoc's namespace and indices."""
    names = [part for part in path if isinstance(part, str)]
    return names[1:] if len(names) > 1 and "." in names[0] else names


def every_text() -> set[str]:
    """Return every English text in this module, for the test that none lacks a translation."""
    return {
        *WHAT.values(),
        *NOT.values(),
        *REASONS.values(),
        *DONE,
        *TOLD,
        *DECLINED,
        *DELETION,
        *REPORT,
        ASKED,
        WARNED,
        *AGREED.values(),
        *ENTRY_DELETION,
        UNCLEAR,
        REFUSED,
    }
