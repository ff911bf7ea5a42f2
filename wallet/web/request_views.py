"""What the page of a request shows: who asks and why, exactly what they would get, and what to be wary of."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from babel.numbers import format_currency

from byoid.service.i18n import Catalogue
from wallet.asked import AskedCredential, AskedSet, CardOption, ConsentView, UnusableCard
from wallet.disclosure_policies import ShownPolicy
from wallet.history import Text
from wallet.matching import ShownClaim
from wallet.requests import Asker, Caution
from wallet.transactions import ShownTransaction
from wallet.web.card_formats import FORMATS
from wallet.web.claim_lines import ClaimLines, Line, readable, spoken
from wallet.web.views import state_view

# By caution: the headline, and what it means. `%(host)s` is where the answer would go.
CAUTIONS: Final = {
    Caution.UNSIGNED: (
        "Nobody vouches for who asks", "Anybody could have made this request. All that is known is where your answer "
        "would go: %(host)s.",
    ),
    Caution.UNREGISTERED: (
        "It is not known what they may ask for", "Who asks is known, but they have not shown a registration that says "
        "which data they need.",
    ),
    Caution.REGISTRATION_REFUSED: (
        "Their registration is not valid", "They have shown a registration that is expired, false or somebody else’s.",
    ),
    Caution.ASKS_MORE: (
        "They ask for more than they have registered", "They told their authority that they need less than this. You "
        "may decline, and report them afterwards.",
    ),
    Caution.BIOMETRIC: (
        "They ask for your photo", "A photo can be used to recognise you elsewhere. Share it only if you see why it is "
        "needed.",
    ),
    Caution.DISCLOSURE_POLICY: (
        "The authority does not want this card shown to them", "Who issued the card has said whom it is for, and they "
        "are not among them. You may still decide to share it.",
    ),
    Caution.ANSWER_ELSEWHERE: (
        "Your answer would go to another address", "The address %(host)s is not among those for which their identity "
        "was confirmed.",
    ),
}  # fmt: skip
# What is said of an issuer's policy that has no words of its own, by whether it can be read.
OBJECTIONS: Final = {
    True: "The authority has named whom it is for, and they are not among them.",
    False: "The authority has a rule about who may see it, which your wallet can’t read.",
}
# Cards that every wallet has heard of, by the types of the ARF's rulebooks and ISO/IEC 18013-5.
KINDS: Final = {
    "urn:eudi:pid:1": "Person identification data", "eu.europa.ec.eudi.pid.1": "Person identification data",
    "org.iso.18013.5.1.mDL": "Driving licence", "eu.europa.ec.av.1": "Proof of age",
    "urn:eudi:ehic:1": "European health insurance card",
}  # fmt: skip
_NOT_FOR_THIS: Final = frozenset({Caution.UNREGISTERED, Caution.REGISTRATION_REFUSED, Caution.ASKS_MORE})
_ALARMING: Final = frozenset({Caution.UNSIGNED, Caution.REGISTRATION_REFUSED, Caution.ASKS_MORE})
TRANSACTIONS: Final = {
    "urn:eudi:sca:payment:1": "You agree to this payment",
    "urn:eudi:sca:login_risk_transaction:1": "You agree to this sign-in",
    "urn:eudi:sca:account_access:1": "You agree to this access to your accounts",
    "urn:eudi:sca:emandate:1": "You agree to this direct debit mandate",
}
# Members of TS12's payloads that people name otherwise than their last part.
MEMBERS: Final = {
    "payee.name": "To", "amount": "Amount", "payee.id": "Account or number of the recipient",
    "payee.website": "Website of the recipient", "action": "What for",
    "service": "Service", "date_time": "Time", "execution_date": "Day of payment", "description": "Description",
    "purpose": "Purpose", "creditor_id": "Number of the creditor", "reference_number": "Reference",
    "start_date": "From", "end_date": "Until", "recurrence.frequency": "How often",
    "recurrence.start_date": "First time", "recurrence.end_date": "Last time", "recurrence.number": "How many times",
    "pisp.legal_name": "Paid through", "aisp.legal_name": "Who gets access",
    "amount_estimated": "Amount is an estimate", "transaction_id": "Number of the transaction",
}  # fmt: skip
_MEMBERS: Final = tuple(MEMBERS)  # in the order in which they are shown
_MANDATED: Final = "payment_payload."  # a mandate's payment is read like any other
_ANSWERS: Final = {"yes": "Yes", "no": "No"}
_MONEY: Final = "#,##0.00\u00a0¤¤"


@dataclass(frozen=True)
class CautionView:
    """A warning."""

    code: str
    headline: str
    text: str
    css: str


@dataclass(frozen=True)
class UnusableView:
    """A card that would fit, and why it can't be used now."""

    card_id: str
    name: str
    label: str
    explanation: str


@dataclass(frozen=True)
class OptionView:
    """A card that can be shown, and exactly what of it. `format` only where a card is asked for in two of them.

    `objection`: what its issuer says against it, and `objection_url` where that is explained.
    """

    card_id: str
    name: str
    issuer: str
    format: str
    lines: tuple[Line, ...]
    unasked: tuple[Line, ...]
    kept: bool
    suggested: bool
    objection: str = ""
    objection_url: str = ""


@dataclass(frozen=True)
class QueryView:
    """A part of the request, with the cards that answer it."""

    id: str
    options: tuple[OptionView, ...]
    multiple: bool


@dataclass(frozen=True)
class AlternativeView:
    """One way to answer a set."""

    ids: str
    queries: tuple[QueryView, ...]


@dataclass(frozen=True)
class SetView:
    """A set: what must be shown, or may be; with alternatives the citizen chooses."""

    name: str
    required: bool
    alternatives: tuple[AlternativeView, ...]


@dataclass(frozen=True)
class TransactionView:
    """Something that is agreed to along with the presentation."""

    heading: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class RequestView:
    """A request as the citizen sees it."""

    id: str
    name: str
    host: str
    country: str
    signed: bool
    registered_for_this: bool
    identifiers: tuple[str, ...]
    contacts: tuple[str, ...]
    purpose: str
    service: str
    intermediary: str
    privacy_policy: str
    info: str
    cautions: tuple[CautionView, ...]
    sets: tuple[SetView, ...]
    transactions: tuple[TransactionView, ...]
    satisfiable: bool
    wanted: tuple[str, ...]
    unusable: tuple[UnusableView, ...]


def request_view(consent: ConsentView, catalogue: Catalogue) -> RequestView:
    """Return what the page of a request shows."""
    asker, party = consent.asker, consent.asker.party
    several = len({option.format for each in consent.credentials for option in each.options}) > 1
    queries = {each.id: _query(each, consent.suggested, catalogue, with_format=several) for each in consent.credentials}
    return RequestView(
        id=consent.id,
        name=party.name or asker.host,
        host=asker.host,
        country=catalogue.country(party.country) if party.country else "",
        signed=asker.signed,
        registered_for_this=asker.registered and not {*consent.cautions} & _NOT_FOR_THIS,
        identifiers=tuple(each.identifier for each in party.identifier),
        contacts=party.contact,
        purpose=in_own_language(asker.purpose, catalogue),
        service=in_own_language(asker.service, catalogue),
        intermediary=party.intermediary_name or "",
        privacy_policy=_web(party.privacy_policy),
        info=_web(asker.info_uri),
        cautions=tuple(_caution(each, asker, catalogue) for each in consent.cautions),
        sets=tuple(_set(place, each, queries) for place, each in enumerate(consent.sets) if each.options),
        transactions=tuple(_transaction(each, catalogue) for each in consent.transactions),
        satisfiable=consent.satisfiable,
        wanted=tuple(dict.fromkeys(_wanted(each.type, catalogue) for each in consent.credentials if not each.options)),
        unusable=tuple(
            _unusable(each, asked.type, catalogue) for asked in consent.credentials for each in asked.unusable
        ),
    )


def in_own_language(texts: Sequence[Text], catalogue: Catalogue) -> str:
    """Return a text of the other side in the citizen's language, else in English, else the first."""
    return nearest({each.lang: each.content for each in texts}, catalogue.language)


def nearest(texts: Mapping[str, str], language: str) -> str:
    """Return the text in a language, or the nearest there is."""
    for wanted in (language, "en", ""):
        found = next((lang for lang in texts if lang.lower().partition("-")[0] == wanted), None)
        if found is not None:
            return spoken(texts[found], found, language)
    return next((spoken(text, lang, language) for lang, text in texts.items()), "")


def _query(
    asked: AskedCredential, suggested: Mapping[str, tuple[str, ...]], catalogue: Catalogue, *, with_format: bool
) -> QueryView:
    first = asked.options[0].card_id if asked.options else ""
    chosen = suggested.get(asked.id) or (first,)
    options = (_option(each, each.card_id in chosen, catalogue) for each in asked.options)
    named = options if with_format else (replace(each, format="") for each in options)
    return QueryView(asked.id, tuple(named), asked.multiple)


def _option(option: CardOption, suggested: bool, catalogue: Catalogue) -> OptionView:
    lines = [(claim, _claim(option, claim, catalogue)) for claim in option.claims]
    return OptionView(
        card_id=option.card_id,
        name=nearest(option.names, catalogue.language) or option.type,
        issuer=option.issuer,
        format=catalogue.gettext(FORMATS[option.format]),
        lines=tuple(line for claim, line in lines if claim.asked),
        unasked=tuple(line for claim, line in lines if not claim.asked),
        kept=any(claim.retained for claim in option.claims),
        suggested=suggested,
        objection=_objection(option.objection, catalogue),
        objection_url=(option.objection.info_url or "") if option.objection else "",
    )


def _objection(found: ShownPolicy | None, catalogue: Catalogue) -> str:
    if found is None:
        return ""
    return found.description or catalogue.gettext(OBJECTIONS[found.readable])


def _unusable(card: UnusableCard, type_: str, catalogue: Catalogue) -> UnusableView:
    state = state_view(card.reason, catalogue)
    return UnusableView(card.card_id, nearest(card.names, catalogue.language) or type_, state.label, state.explanation)


def _claim(option: CardOption, claim: ShownClaim, catalogue: Catalogue) -> Line:
    writer = ClaimLines((), catalogue, namespaces=option.format == "mso_mdoc")
    line = writer.line(claim.path, claim.value)
    return Line(nearest(claim.labels, catalogue.language) or line.label, line.text, line.picture, line.children)


def _set(place: int, asked: AskedSet, queries: Mapping[str, QueryView]) -> SetView:
    alternatives = tuple(
        AlternativeView(" ".join(option), tuple(queries[each] for each in option if queries[each].options))
        for option in asked.options
    )
    return SetView(f"set{place}", asked.required, alternatives)


def _wanted(type_: str, catalogue: Catalogue) -> str:
    """Name a kind of card of which there is none here, so that no issuer's words are known."""
    if type_ in KINDS:
        return catalogue.gettext(KINDS[type_])
    parts = [part for part in re.split("[:./]", type_) if part and not part.isdigit()]
    return readable(parts[-1]) if parts else type_


def _caution(caution: Caution, asker: Asker, catalogue: Catalogue) -> CautionView:
    headline, text = (catalogue.gettext(each) for each in CAUTIONS[caution])
    css = "bad" if caution in _ALARMING else "warn"
    return CautionView(caution.value, headline, text.replace("%(host)s", asker.host), css)


def _transaction(transaction: ShownTransaction, catalogue: Catalogue) -> TransactionView:
    values = {line.name: line.value for line in transaction.lines}
    for amount, currency in (("amount", "currency"), (f"{_MANDATED}amount", f"{_MANDATED}currency")):
        if amount in values and currency in values:
            values[amount] = _money(values[amount], values.pop(currency), catalogue)
    lines = tuple(_member(name, values[name], catalogue) for name in sorted(values, key=_place))
    return TransactionView(catalogue.gettext(TRANSACTIONS[transaction.type]), lines)


def _place(name: str) -> tuple[bool, int]:
    own = name.removeprefix(_MANDATED)
    return own != name, _MEMBERS.index(own) if own in MEMBERS else len(_MEMBERS)


def _member(name: str, value: str, catalogue: Catalogue) -> Line:
    say = catalogue.gettext
    own = name.removeprefix(_MANDATED)
    label = say(MEMBERS[own]) if own in MEMBERS else readable(own.replace(".", " "))
    return Line(label, say(_ANSWERS[value]) if value in _ANSWERS else value)


def _money(amount: str, currency: str, catalogue: Catalogue) -> str:
    """Write an amount as people of this language do, with no digit of it lost; the currency by its code."""
    return str(
        format_currency(Decimal(amount), currency, _MONEY, locale=catalogue.language, decimal_quantization=False)
    )


def _web(address: str | None) -> str:
    return address if address and address.startswith("https://") else ""


def every_text() -> set[str]:
    """Return every English text in this module, for the test that none lacks a translation."""
    texts = {text for each in CAUTIONS.values() for text in each}
    return texts | {*TRANSACTIONS.values(), *MEMBERS.values(), *OBJECTIONS.values(), *KINDS.values()}
